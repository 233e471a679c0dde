-- Completed cases that another person visits again to compare facts, never opinions. What was found is sealed under the
-- wave key.
create table back_checks (
    case_id text not null primary key references cases (id),
    project bigint not null references projects (id),
    drawn_at timestamp not null,
    sealed bytea,
    done_at timestamp
);
create index back_checks_of_project on back_checks (project);

-- What a supervisor decided about a case that field facts flagged, or that was broken off.
create table case_reviews (
    case_id text not null primary key references cases (id),
    project bigint not null references projects (id),
    decision text not null,
    decided_by text not null,
    decided_at timestamp not null,
    constraint decision_is_known
        check (decision in ('accepted', 'asked', 'revisit', 'counts', 'does_not_count'))
);
create index case_reviews_of_project on case_reviews (project);
