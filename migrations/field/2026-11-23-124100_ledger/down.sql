drop table missing_interviews;
drop table device_syncs;
drop index submissions_of_sender;
alter table submissions drop column backups_from;
alter table submissions drop column sender;
