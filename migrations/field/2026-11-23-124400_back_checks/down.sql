drop table case_reviews;
drop table back_checks;
