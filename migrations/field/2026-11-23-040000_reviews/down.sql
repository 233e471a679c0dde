drop index submissions_of_form;
drop table comments;
drop table reviews;
