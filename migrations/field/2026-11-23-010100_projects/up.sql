-- A project is a wave.
create table projects (
    id bigint not null primary key,
    name text not null,
    kind text not null,
    state text not null,
    created_at timestamp not null,
    constraint project_number_is_positive check (id > 0),
    constraint project_has_a_name check (name <> ''),
    constraint project_kind_is_known check (kind in ('survey', 'inventory', 'practice')),
    constraint project_state_is_known check (state in ('open', 'frozen', 'closed'))
);
