-- The answer halves: a random token, the wave, the sealed answers, and nothing else that ties them to a place or a time.
-- sealed is null where a reservation was given up: the token can then never be used again.
create table answers (
    id text not null primary key,
    project bigint not null,
    sealed bytea
);
create index answers_of_project on answers (project, id);
