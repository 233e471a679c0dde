-- Backups that were made of both vaults, and which of them were restored and compared. What a tablet sent before a
-- verified one was taken may leave the tablet.
create table backups (
    id text not null primary key,
    taken_at timestamp not null,
    verified_at timestamp,
    constraint backup_is_verified_after_it_was_taken check (verified_at is null or verified_at >= taken_at)
);
