-- Servers that have run on these vaults, by key folder and address: each destroys its own copies when a wave closes.
create table servers (
    folder text not null,
    name text not null,
    seen_at timestamp not null,
    constraint server_is_known_once primary key (folder, name)
);

-- What each of them said it destroyed; files are names, one a line.
create table closing_confirmations (
    project bigint not null references projects (id),
    folder text not null,
    name text not null,
    files text not null,
    confirmed_at timestamp not null,
    constraint server_confirms_a_closing_once primary key (project, folder, name)
);

-- The day on which a wave is closed, whoever forgets it.
create table closing_days (
    project bigint not null primary key references projects (id),
    close_on date not null,
    set_at timestamp not null
);
