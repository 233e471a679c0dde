-- Whoever acts has a number of its own: users and devices share one row of numbers, as in ODK Central.
create table actors (
    id bigint not null primary key,
    kind text not null,
    constraint actor_number_is_positive check (id > 0),
    constraint actor_kind_is_known check (kind in ('user', 'app_user'))
);
insert into actors (id, kind) select row_number() over (order by id), 'app_user' from app_users;
alter table app_users add column actor bigint;
update app_users set actor = (select count(*) from app_users as earlier where earlier.id <= app_users.id);
create unique index app_user_actor_is_used_once on app_users (actor);
-- A device's token ends by itself too.
alter table app_users add column expires_at timestamp;

-- People who sign in. password is an Argon2id string; second_factor is sealed under the installation key.
create table users (
    id bigint not null primary key references actors (id),
    login text not null,
    role text not null,
    area_level text,
    area_code text,
    area_date date,
    organisation text,
    password text not null,
    must_change boolean not null,
    second_factor bytea,
    second_factor_step bigint not null,
    failures bigint not null,
    locked_until timestamp,
    disabled boolean not null,
    created_at timestamp not null,
    constraint user_login_is_used_once unique (login),
    constraint user_login_is_not_empty check (login <> ''),
    constraint user_area_is_whole check (
        (area_level is null and area_code is null and area_date is null)
        or (area_level is not null and area_code is not null and area_date is not null)
    ),
    constraint user_failures_are_counted check (failures >= 0)
);

-- Only the SHA-256 of a session's token is kept.
create table sessions (
    token_hash bytea not null primary key,
    user_id bigint not null references users (id),
    second_factor boolean not null,
    created_at timestamp not null,
    expires_at timestamp not null
);
create index sessions_of_user on sessions (user_id);

-- Where a user has rows here, they reach these projects alone.
create table user_projects (
    user_id bigint not null references users (id),
    project bigint not null references projects (id),
    constraint user_reaches_project_once primary key (user_id, project)
);
alter table projects add column organisation text;

-- Rule 7: records open to one named person, for a purpose, until a day, approved by somebody else.
create table grants (
    id text not null primary key,
    project bigint not null references projects (id),
    user_id bigint not null references users (id),
    approver bigint not null references users (id),
    purpose text not null,
    until date not null,
    created_at timestamp not null,
    constraint grant_is_approved_by_another check (approver <> user_id),
    constraint grant_has_a_purpose check (purpose <> '')
);
create index grants_of_user on grants (user_id, project);
