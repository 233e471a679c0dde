drop table teams;
drop table interpreters;
drop table enumerators;
