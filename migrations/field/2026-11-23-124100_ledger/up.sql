-- The ledger of devices. sender: the device a submission came from. backups_from: the first full hour at least five
-- minutes after it was confirmed; a backup that was taken from then on has it.
alter table submissions add column sender text;
alter table submissions add column backups_from timestamp;
-- Covers the count of a device, so that it reads no sealed half.
create index submissions_of_sender on submissions (project, state, sender, backups_from);

-- What a device said when it last compared itself with the server.
create table device_syncs (
    app_user text not null primary key references app_users (id),
    project bigint not null references projects (id),
    synced_at timestamp not null,
    -- Finished interviews that still lie on the device alone.
    waiting bigint not null,
    constraint waiting_is_not_negative check (waiting >= 0)
);
create index device_syncs_of_project on device_syncs (project);

-- Interviews that a device believes sent and that are not here; instance is the HMAC under the wave key.
create table missing_interviews (
    project bigint not null references projects (id),
    form_id text not null,
    instance bytea not null,
    app_user text not null references app_users (id),
    first_missed_at timestamp not null,
    constraint interview_is_missed_once primary key (project, form_id, instance, app_user)
);
