-- One row an analysis file. sealed opens under the wave key to the interviews that are in it, so that the next one can
-- be held against it (protection.md rule 20); it goes when the wave closes. unopened: interviews whose sealed blocks
-- stayed closed for want of the custodian's key.
create table snapshots (
    project bigint not null references projects (id),
    number bigint not null,
    early boolean not null,
    unopened bigint not null,
    taken_at timestamp not null,
    sealed bytea not null,
    constraint snapshot_is_taken_once primary key (project, number),
    constraint snapshot_is_counted_from_one check (number >= 1)
);
-- Interviews that came after the wave was frozen or closed: they are refused and counted, not kept.
alter table projects add column late_interviews bigint not null default 0;
