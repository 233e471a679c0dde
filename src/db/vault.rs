//! The two vaults: addresses, pools, opening with every check before the first write, transactions.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, Pool, PooledConnection, R2D2Connection};
use diesel::result::Error as QueryError;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{VaultConnection, begin_writing, commit, roll_back};
use super::error::Error;
use super::schema::either;

pub(in crate::db) const FIELD_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/field");
pub(in crate::db) const ANSWER_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/answers");

/// How long a caller waits for a free connection before it is told that the vault does not answer.
const PATIENCE: Duration = Duration::from_secs(15);
const READERS: u32 = 4;
const POSTGRESQL_CONNECTIONS: u32 = 10;

/// The vault that knows where: frame, sample, cases, devices and the field half of each submission.
#[derive(Clone)]
pub struct FieldVault(pub(in crate::db) Vault);

/// The vault that knows what was said.
#[derive(Clone)]
pub struct AnswerVault(pub(in crate::db) Vault);

/// A connection to the field vault; each noun's file adds its queries.
pub struct FieldDb<'a>(pub(in crate::db) &'a mut VaultConnection);

/// A connection to the answer vault.
pub struct AnswerDb<'a>(pub(in crate::db) &'a mut VaultConnection);

impl FieldVault {
    /// Opens the vault at `sqlite:///absolute/path.db` or `postgres://…`, makes it where there is none, and brings
    /// its tables up to this version. Whatever is wrong is said before anything is written.
    pub fn open(url: &str) -> Result<Self, Error> {
        Vault::open(url, "field", FIELD_MIGRATIONS).map(Self)
    }

    /// One transaction: what `work` wrote is on the disk when this returns `Ok`, and gone when it returns `Err`.
    pub fn transaction<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut FieldDb<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.write(|connection| work(&mut FieldDb(connection)))
    }

    /// Reads beside whoever writes.
    pub fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut FieldDb<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.read(|connection| work(&mut FieldDb(connection)))
    }

    /// Says whether the vault can be written now (`GET /readyz`).
    pub fn is_ready(&self) -> Result<(), Error> {
        self.0.write(|_| Ok(()))
    }

    /// Takes all tables down again, the newest first. For the test of the migrations and for nothing else.
    pub fn tear_down(url: &str) -> Result<(), Error> {
        Vault::tear_down(url, FIELD_MIGRATIONS)
    }

    /// Migrations that an earlier release does not know: those after the schema `to`, the newest first. With `go` they
    /// are taken back, and that release can open the vault again.
    pub fn step_back(url: &str, to: &str, go: bool) -> Result<Vec<String>, Error> {
        Vault::step_back(url, "field", || FIELD_MIGRATIONS, to, go)
    }
}

impl FieldVault {
    /// Works outside every transaction (cleaning after deletion), when nobody writes.
    pub(in crate::db) fn alone<T>(
        &self,
        work: impl FnOnce(&mut VaultConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.0.alone(work)
    }
}

impl AnswerVault {
    /// As [`FieldVault::alone`].
    pub(in crate::db) fn alone<T>(
        &self,
        work: impl FnOnce(&mut VaultConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.0.alone(work)
    }

    /// As [`FieldVault::open`].
    pub fn open(url: &str) -> Result<Self, Error> {
        Vault::open(url, "answers", ANSWER_MIGRATIONS).map(Self)
    }

    /// As [`FieldVault::transaction`].
    pub fn transaction<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut AnswerDb<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.write(|connection| work(&mut AnswerDb(connection)))
    }

    /// As [`FieldVault::read`].
    pub fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut AnswerDb<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.read(|connection| work(&mut AnswerDb(connection)))
    }

    /// As [`FieldVault::is_ready`].
    pub fn is_ready(&self) -> Result<(), Error> {
        self.0.write(|_| Ok(()))
    }

    /// As [`FieldVault::step_back`].
    pub fn step_back(url: &str, to: &str, go: bool) -> Result<Vec<String>, Error> {
        Vault::step_back(url, "answers", || ANSWER_MIGRATIONS, to, go)
    }

    /// As [`FieldVault::tear_down`].
    pub fn tear_down(url: &str) -> Result<(), Error> {
        Vault::tear_down(url, ANSWER_MIGRATIONS)
    }
}

#[derive(Clone)]
pub(in crate::db) struct Vault {
    pub(in crate::db) address: Arc<Address>,
    writers: Pool<Opener>,
    readers: Pool<Opener>,
    /// Device and inode of the SQLite file, so that its removal is noticed.
    file: Option<(u64, u64)>,
}

impl Vault {
    fn open(url: &str, kind: &'static str, migrations: EmbeddedMigrations) -> Result<Self, Error> {
        let address = Arc::new(Address::read(url)?);
        address.prepare()?;
        let mut connection = address.connect()?;
        let is_up_to_date = inspect(&mut connection, &address, kind, &migrations);
        let is_up_to_date = is_up_to_date.map_err(|error| address.explain(error))?;
        address.configure(&mut connection).map_err(|error| address.explain(error.into()))?;
        // A role that may only read and write rows can serve a vault whose tables are there.
        if !is_up_to_date {
            migrate(&mut connection, &address, migrations).map_err(|error| address.explain(error))?;
        }
        drop(connection);

        let pool = |size| {
            Pool::builder()
                .max_size(size)
                .min_idle(Some(0))
                .connection_timeout(PATIENCE)
                .test_on_check_out(matches!(*address, Address::Postgresql { .. }))
                .build_unchecked(Opener(Arc::clone(&address)))
        };
        let file = match &*address {
            Address::Sqlite(path) => Some(identity(path).map_err(|source| address.folder(source))?),
            Address::Postgresql { .. } => None,
        };
        // SQLite has one writer at a time anyway; waiting in the pool is fair, waiting for its lock is not.
        let (writers, readers) = match &*address {
            Address::Sqlite(_) => (pool(1), pool(READERS)),
            Address::Postgresql { .. } => {
                let both = pool(POSTGRESQL_CONNECTIONS);
                (both.clone(), both)
            }
        };
        Ok(Self { address, writers, readers, file })
    }

    fn step_back(
        url: &str,
        kind: &'static str,
        migrations: fn() -> EmbeddedMigrations,
        to: &str,
        go: bool,
    ) -> Result<Vec<String>, Error> {
        fn back<DB: Backend>(
            connection: &mut impl MigrationHarness<DB>,
            migrations: fn() -> EmbeddedMigrations,
            to: &str,
            go: bool,
        ) -> diesel::migration::Result<Vec<String>> {
            let mut later: Vec<String> =
                connection.applied_migrations()?.iter().map(ToString::to_string).collect();
            later.sort();
            later.reverse();
            later.retain(|version| version.as_str() > to);
            for _ in later.iter().filter(|_| go) {
                connection.revert_last_migration(migrations())?;
            }
            Ok(later)
        }
        let address = Address::read(url)?;
        let mut connection = address.connect()?;
        inspect(&mut connection, &address, kind, &migrations())?;
        address.configure(&mut connection).map_err(Error::from)?;
        let later = match &mut connection {
            VaultConnection::Sqlite(c) => back(c, migrations, to, go),
            VaultConnection::Postgresql(c) => back(c, migrations, to, go),
        };
        later.map_err(|error| Error::contradiction(error.to_string()))
    }

    fn tear_down(url: &str, migrations: EmbeddedMigrations) -> Result<(), Error> {
        let address = Address::read(url)?;
        let mut connection = address.connect()?;
        address.configure(&mut connection).map_err(Error::from)?;
        let reverted = match &mut connection {
            VaultConnection::Sqlite(c) => c.revert_all_migrations(migrations).map(drop),
            VaultConnection::Postgresql(c) => c.revert_all_migrations(migrations).map(drop),
        };
        reverted.map_err(|error| Error::contradiction(error.to_string()))
    }

    fn write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut VaultConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection(&self.writers)?;
        begin_writing(&mut connection).map_err(Error::from)?;
        match work(&mut connection) {
            Ok(done) => {
                if let Err(error) = commit(&mut connection) {
                    // A full disk shows itself here. The connection must not stay inside its transaction.
                    let _ = roll_back(&mut connection);
                    return Err(Error::from(error).into());
                }
                Ok(done)
            }
            Err(error) => {
                // The first error is the one to tell; a connection that cannot roll back is thrown away by the pool.
                let _ = roll_back(&mut connection);
                Err(error)
            }
        }
    }

    fn alone<T>(&self, work: impl FnOnce(&mut VaultConnection) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = self.connection(&self.writers)?;
        work(&mut connection)
    }

    /// Carries what the write-ahead log of a SQLite file holds into the file, beside whoever reads and writes.
    pub(in crate::db) fn checkpoint(&self) -> Result<(), Error> {
        if matches!(*self.address, Address::Postgresql { .. }) {
            return Ok(());
        }
        let mut connection = self.connection(&self.readers)?;
        Ok(connection.batch_execute("pragma wal_checkpoint(passive)")?)
    }

    pub(in crate::db) fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut VaultConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection(&self.readers)?;
        work(&mut connection)
    }

    fn connection(&self, pool: &Pool<Opener>) -> Result<PooledConnection<Opener>, Error> {
        if let (Some(file), Address::Sqlite(path)) = (self.file, &*self.address) {
            // SQLite goes on writing into a file that was removed or replaced; those interviews would be lost.
            let found = identity(path).map_err(|source| self.address.gone(source.to_string()))?;
            if found != file {
                return Err(self.address.gone("the file was replaced while the program ran".to_owned()));
            }
        }
        pool.get().map_err(|error| self.address.gone(error.to_string()))
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

pub(in crate::db) enum Address {
    Sqlite(PathBuf),
    Postgresql { url: String, place: String },
}

impl Address {
    pub(in crate::db) fn read(url: &str) -> Result<Self, Error> {
        let wrong = || Error::Address { url: without_password(url) };
        if let Some(path) = url.strip_prefix("sqlite://") {
            return if path.len() > 1 && path.starts_with('/') && !path.ends_with('/') {
                Ok(Self::Sqlite(PathBuf::from(path)))
            } else {
                Err(wrong())
            };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgresql { url: url.to_owned(), place: without_password(url) });
        }
        Err(wrong())
    }

    /// Makes folder and file of a SQLite vault that is not there yet, readable by their owner alone, and looks at the
    /// first bytes of one that is, because SQLite itself would fill a file that it takes for empty.
    fn prepare(&self) -> Result<(), Error> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        if let Some(folder) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|source| self.folder(source))?;
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut head = Vec::new();
        file.map_err(|source| self.folder(source))?
            .take(16)
            .read_to_end(&mut head)
            .map_err(|source| self.folder(source))?;
        if head.is_empty() || head == b"SQLite format 3\0" {
            return Ok(());
        }
        Err(Error::NotADatabase { place: self.place() })
    }

    pub(in crate::db) fn connect(&self) -> Result<VaultConnection, Error> {
        let connected = match self {
            Self::Sqlite(path) => {
                // A leading slash keeps SQLite from reading the path as a `file:` URI.
                SqliteConnection::establish(&path.to_string_lossy()).and_then(|mut c| {
                    c.batch_execute("pragma busy_timeout = 15000")
                        .map_err(ConnectionError::CouldntSetupConfiguration)?;
                    Ok(VaultConnection::Sqlite(c))
                })
            }
            Self::Postgresql { url, .. } => PgConnection::establish(url).map(VaultConnection::Postgresql),
        };
        connected.map_err(|error| self.gone(error.to_string()))
    }

    /// The settings that a durable connection needs; they hold for one connection each.
    fn configure(&self, connection: &mut VaultConnection) -> QueryResult<()> {
        match connection {
            VaultConnection::Sqlite(c) => {
                turn_on_write_ahead_log(c)?;
                // Checkpoints are made beside intake (group_commit.rs); the bound of 64 MB is for what else writes. The
                // pages of the indexes, which names spread evenly, stay in 16 MB of memory a connection.
                c.batch_execute(
                    "pragma synchronous = full; pragma foreign_keys = on; pragma secure_delete = on; \
                     pragma temp_store = memory; pragma wal_autocheckpoint = 16384; pragma cache_size = -16384;",
                )
            }
            VaultConnection::Postgresql(c) => c.batch_execute(
                "select set_config('synchronous_commit', 'on', false) \
                 where current_setting('synchronous_commit') = 'off'",
            ),
        }
    }

    pub(in crate::db) fn place(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgresql { place, .. } => place.clone(),
        }
    }

    pub(in crate::db) fn folder(&self, source: io::Error) -> Error {
        Error::Folder { place: self.place(), source }
    }

    fn gone(&self, reason: String) -> Error {
        Error::Gone { place: self.place(), reason }
    }

    /// Gives SQLite's errors on opening their place and their meaning.
    fn explain(&self, error: Error) -> Error {
        let Error::Query(QueryError::DatabaseError(_, information)) = &error else { return error };
        let reason = information.message().to_owned();
        match reason.as_str() {
            r if r.contains("not a database") => Error::NotADatabase { place: self.place() },
            r if r.contains("malformed") || r.contains("disk I/O") => {
                Error::Damaged { place: self.place(), reason }
            }
            r if r.contains("readonly") || r.contains("unable to open") => {
                self.folder(io::Error::new(io::ErrorKind::PermissionDenied, reason))
            }
            _ => self.gone(reason),
        }
    }
}

/// SQLite does not wait for its lock when it changes the kind of journal, so two programs that make a vault at the same
/// moment have to try again.
fn turn_on_write_ahead_log(connection: &mut SqliteConnection) -> QueryResult<()> {
    let mut tries_left = 200;
    loop {
        match connection.batch_execute("pragma journal_mode = wal") {
            Err(QueryError::DatabaseError(_, information))
                if tries_left > 0 && information.message().contains("locked") =>
            {
                tries_left -= 1;
                std::thread::sleep(Duration::from_millis(25));
            }
            done => return done,
        }
    }
}

/// The address without user and password, for messages.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://{}", &url[at + 1..]),
        _ => url.to_owned(),
    }
}

struct Opener(Arc<Address>);

impl ManageConnection for Opener {
    type Connection = VaultConnection;
    type Error = Error;

    fn connect(&self) -> Result<VaultConnection, Error> {
        let mut connection = self.0.connect()?;
        self.0.configure(&mut connection)?;
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut VaultConnection) -> Result<(), Error> {
        Ok(connection.ping()?)
    }

    fn has_broken(&self, connection: &mut VaultConnection) -> bool {
        std::thread::panicking() || connection.is_broken()
    }
}

#[derive(QueryableByName)]
struct TableName {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Looks without writing: is this an empty database, or this vault in a version that the program knows? True when no
/// migration is pending.
fn inspect(
    connection: &mut VaultConnection,
    address: &Address,
    kind: &'static str,
    migrations: &EmbeddedMigrations,
) -> Result<bool, Error> {
    let tables: Vec<TableName> = match connection {
        VaultConnection::Sqlite(c) => {
            diesel::sql_query("select name from sqlite_master where type = 'table'").load(c)?
        }
        VaultConnection::Postgresql(c) => diesel::sql_query(
            "select table_name::text as name from information_schema.tables where table_schema = current_schema()",
        )
        .load(c)?,
    };
    let has = |name: &str| tables.iter().any(|table| table.name == name);
    if !has("__diesel_schema_migrations") {
        return if tables.is_empty() { Ok(false) } else { Err(Error::Foreign { place: address.place() }) };
    }
    let applied: Vec<String> = {
        use either::__diesel_schema_migrations::dsl;
        dsl::__diesel_schema_migrations.select(dsl::version).order(dsl::version).load(connection)?
    };
    if applied.is_empty() {
        return Ok(false);
    }
    if !has("vault") {
        return Err(Error::Foreign { place: address.place() });
    }
    let found: Option<String> =
        either::vault::table.select(either::vault::kind).first(connection).optional()?;
    match found {
        Some(found) if found == kind => {}
        Some(found) => return Err(Error::WrongVault { place: address.place(), wanted: kind, found }),
        None => return Err(Error::Foreign { place: address.place() }),
    }
    let known = MigrationSource::<Sqlite>::migrations(migrations)
        .map_err(|error| Error::contradiction(error.to_string()))?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect::<Vec<_>>();
    match applied.iter().find(|version| !known.contains(version)) {
        Some(migration) => Err(Error::Newer { place: address.place(), migration: migration.clone() }),
        None => Ok(applied.len() == known.len()),
    }
}

/// Runs what is pending, all of it or nothing. Several servers may start at once: the second waits for the first.
fn migrate(
    connection: &mut VaultConnection,
    address: &Address,
    migrations: EmbeddedMigrations,
) -> Result<(), Error> {
    begin_writing(connection)?;
    let migrated = match connection {
        VaultConnection::Sqlite(c) => c.run_pending_migrations(migrations).map(drop),
        VaultConnection::Postgresql(c) => c
            .batch_execute("select pg_advisory_xact_lock(7310868735420362597)")
            .map_err(Into::into)
            .and_then(|()| c.run_pending_migrations(migrations).map(drop)),
    };
    match migrated {
        Ok(()) => Ok(commit(connection)?),
        Err(error) => {
            let _ = roll_back(connection);
            Err(Error::Migration { place: address.place(), reason: error.to_string() })
        }
    }
}
