create table forms (
    id text not null primary key,
    project bigint not null references projects (id),
    form_id text not null,
    version text not null,
    title text not null,
    xml bytea not null,
    workbook bytea,
    hash text not null,
    state text not null,
    published_at timestamp not null,
    constraint form_version_is_published_once unique (project, form_id, version),
    constraint form_has_an_id check (form_id <> ''),
    constraint form_state_is_known check (state in ('open', 'closing', 'closed'))
);

-- Files that a form brings with it (itemsets.csv, pictures of choices).
create table form_files (
    id text not null primary key,
    form text not null references forms (id),
    name text not null,
    content bytea not null,
    hash text not null,
    constraint form_file_name_is_used_once unique (form, name)
);
