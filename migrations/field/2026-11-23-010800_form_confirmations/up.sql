-- Who answered for the wording of a form that asks for something personal, or looks as if it did (protection.md rule 8).
create table form_confirmations (
    form text not null primary key references forms (id),
    confirmed_by text not null,
    reason text not null,
    -- The questions that were asked about, one a line.
    wording text not null,
    confirmed_at timestamp not null,
    constraint confirmation_names_a_person check (confirmed_by <> ''),
    constraint confirmation_has_a_reason check (reason <> '')
);
