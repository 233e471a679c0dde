drop table grants;
alter table projects drop column organisation;
drop table user_projects;
drop table sessions;
drop table users;
drop index app_user_actor_is_used_once;
alter table app_users drop column expires_at;
alter table app_users drop column actor;
drop table actors;
