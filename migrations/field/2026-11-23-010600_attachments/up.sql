-- name and content are HMACs under the wave key; sealed_name opens to the name the client gave; file is random.
create table attachments (
    id text not null primary key,
    submission text not null references submissions (id),
    name bytea not null,
    content bytea not null,
    sealed_name bytea not null,
    file text not null,
    size bigint not null,
    standing text not null,
    constraint attachment_content_is_kept_once unique (submission, name, content),
    constraint attachment_standing_is_known check (standing in ('current', 'conflict')),
    constraint attachment_size_is_not_negative check (size >= 0)
);
create unique index attachment_name_is_used_once on attachments (submission, name) where standing <> 'conflict';
