-- The log: append-only by use, each hash covers the one before it.
create table audit (
    number bigint not null primary key,
    happened_at timestamp not null,
    who text not null,
    kind text not null,
    detail text not null,
    previous bytea not null,
    hash bytea not null,
    constraint audit_is_numbered_from_one check (number >= 1)
);
