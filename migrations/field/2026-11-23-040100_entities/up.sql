-- Lists of things that forms refer to, as in ODK: villages, dwellings, interpreters. Never respondents.
create table datasets (
    project bigint not null references projects (id),
    name text not null,
    approval_required boolean not null,
    created_at timestamp not null,
    constraint dataset_name_is_used_once primary key (project, name)
);

create table dataset_properties (
    project bigint not null,
    dataset text not null,
    name text not null,
    created_at timestamp not null,
    constraint property_name_is_used_once primary key (project, dataset, name),
    constraint property_belongs_to_a_dataset foreign key (project, dataset) references datasets (project, name)
);

-- data is one JSON object of texts by property.
create table entities (
    project bigint not null,
    dataset text not null,
    uuid text not null,
    version bigint not null,
    label text not null,
    data text not null,
    creator bigint not null references actors (id),
    created_at timestamp not null,
    changed_by bigint not null references actors (id),
    changed_at timestamp not null,
    deleted_at timestamp,
    constraint entity_uuid_is_used_once primary key (project, dataset, uuid),
    constraint entity_version_is_counted check (version >= 1),
    constraint entity_belongs_to_a_dataset foreign key (project, dataset) references datasets (project, name)
);
