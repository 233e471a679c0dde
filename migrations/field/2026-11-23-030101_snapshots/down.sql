alter table projects drop column late_interviews;
drop table snapshots;
