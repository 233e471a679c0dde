drop table app_users;
