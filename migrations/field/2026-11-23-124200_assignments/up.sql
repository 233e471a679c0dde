-- What an enumerator can do: codes of the groups whose language is spoken, and the areas (commune or district codes;
-- none = everywhere), each separated by spaces. The person is known by the code of the device alone.
create table enumerators (
    app_user text not null primary key references app_users (id),
    project bigint not null references projects (id),
    languages text not null,
    areas text not null
);
create index enumerators_of_project on enumerators (project);

-- Interpreters by code; pledged_on: the day on which the pledge of secrecy was signed.
create table interpreters (
    project bigint not null references projects (id),
    code text not null,
    languages text not null,
    areas text not null,
    pledged_on date,
    constraint interpreter_code_is_used_once primary key (project, code)
);

-- The two enumerators of a village and, where neither speaks its language, the interpreter.
create table teams (
    project bigint not null references projects (id),
    village text not null,
    first_enumerator text not null references app_users (id),
    second_enumerator text references app_users (id),
    interpreter text,
    constraint village_has_one_team primary key (project, village),
    constraint team_has_two_people check (second_enumerator is null or second_enumerator <> first_enumerator),
    constraint team_has_a_known_interpreter
        foreign key (project, interpreter) references interpreters (project, code)
);
