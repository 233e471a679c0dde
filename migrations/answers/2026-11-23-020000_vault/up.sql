-- Says which of the two vaults this database is, so that two swapped addresses are noticed before anything is written.
create table vault (
    kind text not null primary key,
    constraint vault_is_the_answer_vault check (kind = 'answers')
);
insert into vault (kind) values ('answers');
