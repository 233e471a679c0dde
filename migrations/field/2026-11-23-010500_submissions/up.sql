-- The field halves. instance, content and first_instance are HMACs under the wave key; field_half is sealed and
-- holds the token that ties it to its answers, the instance id and every time.
create table submissions (
    id text not null primary key,
    project bigint not null references projects (id),
    form_id text not null,
    form_version text not null,
    instance bytea not null,
    content bytea not null,
    first_instance bytea not null,
    field_half bytea not null,
    state text not null,
    standing text not null,
    lease_until timestamp,
    supersedes text references submissions (id),
    constraint submission_answers_a_published_form
        foreign key (project, form_id, form_version) references forms (project, form_id, version),
    constraint submission_content_is_kept_once unique (project, form_id, instance, content),
    constraint submission_state_is_known check (state in ('reserved', 'confirmed', 'leaving')),
    constraint submission_standing_is_known check (standing in ('current', 'superseded', 'conflict')),
    constraint submission_reservation_has_a_lease check ((state = 'reserved') = (lease_until is not null))
);
-- An instance id belongs to one submission; what came with other content under the same id is kept beside it.
create unique index submission_instance_is_used_once on submissions (project, form_id, instance)
    where standing <> 'conflict';
-- One submission is corrected by one edit; the next edit corrects that edit.
create unique index submission_is_superseded_once on submissions (supersedes)
    where standing <> 'conflict' and supersedes is not null;
create index submissions_of_chain on submissions (project, form_id, first_instance);
create index submissions_reserved on submissions (lease_until) where lease_until is not null;

-- Tombstones: an instance that was withdrawn is never stored again.
create table withdrawals (
    project bigint not null references projects (id),
    form_id text not null,
    instance bytea not null,
    constraint instance_is_withdrawn_once primary key (project, form_id, instance)
);
