drop table villages;
