//! One connection to either backend. Where the two differ, a function matches on this enum once.

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::{PgConnection, QueryResult, SqliteConnection};

#[derive(diesel::MultiConnection)]
pub enum VaultConnection {
    Sqlite(SqliteConnection),
    Postgresql(PgConnection),
}

/// Begins a transaction that is going to write.
///
/// SQLite takes the write lock at once: a transaction that reads first and writes later would fail when another
/// process wrote in between, and waiting (`busy_timeout`) would not help it.
pub fn begin_writing(connection: &mut VaultConnection) -> QueryResult<()> {
    match connection {
        VaultConnection::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "begin immediate"),
        VaultConnection::Postgresql(c) => AnsiTransactionManager::begin_transaction(c),
    }
}

pub fn commit(connection: &mut VaultConnection) -> QueryResult<()> {
    match connection {
        VaultConnection::Sqlite(c) => AnsiTransactionManager::commit_transaction(c),
        VaultConnection::Postgresql(c) => AnsiTransactionManager::commit_transaction(c),
    }
}

pub fn roll_back(connection: &mut VaultConnection) -> QueryResult<()> {
    match connection {
        VaultConnection::Sqlite(c) => AnsiTransactionManager::rollback_transaction(c),
        VaultConnection::Postgresql(c) => AnsiTransactionManager::rollback_transaction(c),
    }
}
