drop table form_files;
drop table forms;
