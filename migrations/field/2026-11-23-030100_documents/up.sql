-- What a wave is analysed by (plan, weighting, report template, names of areas) and what stays of it after closing:
-- every version is kept, the highest counts.
create table documents (
    project bigint not null references projects (id),
    name text not null,
    version bigint not null,
    content bytea not null,
    stored_at timestamp not null,
    constraint document_has_one_content primary key (project, name, version),
    constraint document_has_a_name check (name <> ''),
    constraint document_version_is_counted_from_one check (version >= 1)
);
