-- Says which of the two vaults this database is, so that two swapped addresses are noticed before anything is written.
create table vault (
    kind text not null primary key,
    constraint vault_is_the_field_vault check (kind = 'field')
);
insert into vault (kind) values ('field');
