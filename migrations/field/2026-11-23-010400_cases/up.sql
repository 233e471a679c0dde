-- The drawn sample: one row a dwelling, known by its serial number in the village, never by a name.
create table cases (
    id text not null primary key,
    project bigint not null references projects (id),
    village text not null,
    commune text not null,
    district text not null,
    household bigint,
    stratum text not null,
    drawn_order bigint not null,
    probability_1 double precision not null,
    probability_2 double precision,
    role text not null,
    status text not null,
    assigned_to text references app_users (id),
    sampling text not null,
    constraint dwelling_is_drawn_once unique (project, village, household),
    constraint case_first_probability_is_a_probability check (probability_1 > 0 and probability_1 <= 1),
    constraint case_second_probability_is_a_probability
        check (probability_2 is null or (probability_2 > 0 and probability_2 <= 1)),
    constraint case_role_is_known check (role in ('main', 'reserve')),
    constraint case_status_is_known check (status in ('waiting', 'open', 'complete', 'ended')),
    constraint only_a_reserve_waits check (status <> 'waiting' or role = 'reserve')
);
create index cases_of_app_user on cases (assigned_to);

create table listings (
    id text not null primary key,
    project bigint not null references projects (id),
    village text not null,
    households bigint not null,
    listed_at timestamp not null,
    listed_by text references app_users (id),
    constraint village_is_listed_once unique (project, village),
    constraint listed_households_are_not_negative check (households >= 0)
);

-- One attempt at a case and what came of it (AAPOR disposition).
create table visits (
    id text not null primary key,
    project bigint not null references projects (id),
    case_id text not null references cases (id),
    attempt bigint not null,
    disposition text not null,
    visited_at timestamp not null,
    visited_by text references app_users (id),
    constraint attempt_is_recorded_once unique (case_id, attempt),
    constraint attempt_is_counted_from_one check (attempt >= 1)
);
create index visits_of_project on visits (project);
