-- The next version of a form, until it is published. confirmed_by: the second person of rule 8, never its maker.
create table form_drafts (
    project bigint not null references projects (id),
    form_id text not null,
    version text not null,
    title text not null,
    xml bytea not null,
    workbook bytea,
    made_by bigint not null references users (id),
    made_at timestamp not null,
    confirmed_by bigint references users (id),
    reason text,
    constraint form_has_one_draft primary key (project, form_id),
    constraint draft_is_confirmed_by_another check (confirmed_by is null or confirmed_by <> made_by),
    constraint draft_confirmation_has_a_reason check ((confirmed_by is null) = (reason is null))
);

create table form_draft_files (
    project bigint not null,
    form_id text not null,
    name text not null,
    content bytea not null,
    constraint draft_file_name_is_used_once primary key (project, form_id, name),
    constraint draft_file_belongs_to_a_draft
        foreign key (project, form_id) references form_drafts (project, form_id)
);
