-- What a person decided about a record of a project without respondents; first_instance is the HMAC that names the
-- record with all its versions. No state: the decision was taken back.
create table reviews (
    project bigint not null references projects (id),
    form_id text not null,
    first_instance bytea not null,
    state text,
    decided_at timestamp not null,
    constraint record_has_one_review primary key (project, form_id, first_instance),
    constraint review_state_is_known check (state in ('hasIssues', 'edited', 'rejected', 'approved'))
);

-- sealed_body is sealed under the wave key.
create table comments (
    id text not null primary key,
    project bigint not null references projects (id),
    form_id text not null,
    first_instance bytea not null,
    actor bigint not null references actors (id),
    sealed_body bytea not null,
    created_at timestamp not null
);
create index comments_of_record on comments (project, form_id, first_instance);
-- Records of one form are listed by page, the newest first.
create index submissions_of_form on submissions (project, form_id, id);
