-- Enumerators' devices: one token each, of which only the SHA-256 is kept.
create table app_users (
    id text not null primary key,
    project bigint not null references projects (id),
    display_name text not null,
    code text,
    token_hash bytea not null,
    created_at timestamp not null,
    revoked boolean not null,
    constraint app_user_token_is_used_once unique (token_hash),
    constraint app_user_has_a_name check (display_name <> '')
);
create index app_users_of_project on app_users (project);
