drop table closing_days;
drop table closing_confirmations;
drop table servers;
