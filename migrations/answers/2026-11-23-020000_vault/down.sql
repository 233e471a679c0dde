drop table vault;
