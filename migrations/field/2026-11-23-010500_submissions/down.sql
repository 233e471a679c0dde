drop table withdrawals;
drop table submissions;
