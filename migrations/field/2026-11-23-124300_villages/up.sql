-- Villages whose fieldwork does not simply go on: those that cannot be reached, and the drawn reserves.
create table villages (
    project bigint not null references projects (id),
    village text not null,
    stratum text not null,
    state text not null,
    -- Of a reserve: the order in which the stratum drew it.
    drawn_order bigint,
    postponed_until date,
    reason text,
    replaced_by text,
    constraint village_is_named_once primary key (project, village),
    constraint village_state_is_known check (state in ('reserve', 'open', 'postponed', 'replaced')),
    constraint postponed_village_has_a_day check (state <> 'postponed' or postponed_until is not null),
    constraint replaced_village_has_a_reserve check ((state = 'replaced') = (replaced_by is not null))
);
