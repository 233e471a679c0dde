//! What can go wrong with a vault: where, what, what now.

use std::io;

use diesel::result::{DatabaseErrorKind, Error as QueryError};

use crate::keys::KeyError;

/// What kind of rule of the tables was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// It is there already.
    Unique,
    /// What it points to is not there, or something still points to it.
    ForeignKey,
    NotNull,
    Check,
}

/// Why a vault could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`{url}` is not the address of a database; write sqlite:///absolute/path.db or postgres://user@host/name"
    )]
    Address { url: String },
    #[error(
        "{place}: the folder cannot be written ({source}); give its user the right to write or name another folder"
    )]
    Folder { place: String, source: io::Error },
    #[error(
        "{place}: this file is not a database of this program; it was left as it is, name another file or restore a backup"
    )]
    NotADatabase { place: String },
    #[error(
        "{place}: this database is half-written or damaged ({reason}); it was left as it is, restore the last verified backup"
    )]
    Damaged { place: String, reason: String },
    #[error("{place}: this database belongs to another program; it was left as it is, name an empty one")]
    Foreign { place: String },
    #[error(
        "{place}: this is the {found} vault, but the {wanted} vault was expected here; are the two addresses swapped?"
    )]
    WrongVault { place: String, wanted: &'static str, found: String },
    #[error(
        "{place}: this database was written by a newer version of the program (it knows `{migration}`); install that version"
    )]
    Newer { place: String, migration: String },
    #[error(
        "{place}: the tables could not be brought up to date ({reason}); nothing was changed, remove the cause and \
         start again"
    )]
    Migration { place: String, reason: String },
    #[error(
        "{place}: the database does not answer ({reason}); start it or correct the address, then try again"
    )]
    Gone { place: String, reason: String },
    #[error(
        "what is stored contradicts itself ({what}); restore the last verified backup beside it and compare"
    )]
    Contradiction { what: String },
    #[error("{place}: not restored: {reason}")]
    NotRestored { place: String, reason: String },
    #[error("{what} does not exist (any more); look at the list again")]
    Missing { what: String },
    #[error("refused by the database: {rule}")]
    Rule { rule: String, kind: RuleKind },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the database refused to work: {0}")]
    Query(QueryError),
}

impl Error {
    /// True when the vault cannot work now but may later (gone, full, locked, read-only): the reply is 503, and the
    /// client sends again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::Folder { .. } => true,
            // Broken rules have become `Rule`; what else a database refuses (disk full, locked, connection lost) passes.
            Self::Query(QueryError::DatabaseError(..) | QueryError::BrokenTransactionManager) => true,
            _ => false,
        }
    }

    /// True when two transactions stood in each other's way and this one gave in; it can run again at once.
    pub(in crate::db) fn is_collision(&self) -> bool {
        match self {
            Self::Query(QueryError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
            Self::Query(QueryError::DatabaseError(_, information)) => {
                information.message().contains("deadlock")
            }
            _ => false,
        }
    }

    pub(in crate::db) fn contradiction(what: impl Into<String>) -> Self {
        Self::Contradiction { what: what.into() }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        let QueryError::DatabaseError(kind, information) = &error else { return Self::Query(error) };
        let kind = match kind {
            DatabaseErrorKind::UniqueViolation => RuleKind::Unique,
            DatabaseErrorKind::ForeignKeyViolation => RuleKind::ForeignKey,
            DatabaseErrorKind::NotNullViolation => RuleKind::NotNull,
            DatabaseErrorKind::CheckViolation => RuleKind::Check,
            _ => return Self::Query(error),
        };
        Self::Rule { rule: information.constraint_name().unwrap_or(information.message()).to_owned(), kind }
    }
}
