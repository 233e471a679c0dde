//! A vault's content as files, and back: what a backup holds and what restoring checks.
//!
//! SQLite copies itself (`vacuum into`) while others write; PostgreSQL gives its rows as JSON in one repeatable-read
//! transaction. Either way the content is described table by table, so that a restored vault can be compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::{Pg, PgRowByRowLoadingMode};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::connection::{VaultConnection, begin_writing, commit, roll_back};
use super::error::Error;
use super::schema::field::backups;
use super::vault::{ANSWER_MIGRATIONS, Address, AnswerVault, FIELD_MIGRATIONS, FieldDb, FieldVault, Vault};

/// What a vault held at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// `field` or `answers`.
    pub vault: String,
    /// `sqlite` or `postgresql`.
    pub backend: String,
    /// Versions of the migrations that made its tables, in order.
    pub migrations: Vec<String>,
    pub tables: BTreeMap<String, TableContent>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableContent {
    pub rows: u64,
    /// Sum of the SHA-256 of each row, in hexadecimal: it does not depend on the order of the rows.
    pub sum: String,
}

const SQLITE_COPY: &str = "vault.db";
/// Rows that are sent to PostgreSQL at once.
const BATCH: usize = 200;

/// Which vault: its name and its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultKind {
    Field,
    Answers,
}

impl VaultKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Answers => "answers",
        }
    }

    fn migrations(self) -> EmbeddedMigrations {
        match self {
            Self::Field => FIELD_MIGRATIONS,
            Self::Answers => ANSWER_MIGRATIONS,
        }
    }
}

impl FieldVault {
    /// Writes what the vault holds now into the empty folder `into`, while others go on writing.
    pub fn snapshot(&self, into: &Path) -> Result<Contents, Error> {
        self.0.snapshot(into, VaultKind::Field)
    }
}

impl AnswerVault {
    /// As [`FieldVault::snapshot`].
    pub fn snapshot(&self, into: &Path) -> Result<Contents, Error> {
        self.0.snapshot(into, VaultKind::Answers)
    }
}

impl FieldDb<'_> {
    /// Keeps that a backup of both vaults is whole; what was received before `taken_at` is in it.
    pub fn record_backup(&mut self, id: Uuid, taken_at: DateTime<Utc>) -> Result<(), Error> {
        diesel::insert_into(backups::table)
            .values((backups::id.eq(id.to_string()), backups::taken_at.eq(taken_at.naive_utc())))
            .execute(self.0)?;
        Ok(())
    }

    /// Keeps that a backup was restored and compared; false when the vault does not know it.
    pub fn record_verification(&mut self, id: Uuid, verified_at: DateTime<Utc>) -> Result<bool, Error> {
        let known = diesel::update(backups::table.find(id.to_string()))
            .set(backups::verified_at.eq(verified_at.naive_utc()))
            .execute(self.0)?;
        Ok(known == 1)
    }

    /// When the latest verified backup was taken: what was received before may leave the tablets.
    pub fn last_verified_backup(&mut self) -> Result<Option<DateTime<Utc>>, Error> {
        let taken: Option<NaiveDateTime> = backups::table
            .filter(backups::verified_at.is_not_null())
            .select(diesel::dsl::max(backups::taken_at))
            .first(self.0)?;
        Ok(taken.map(|taken| taken.and_utc()))
    }
}

/// Makes a vault at `url`, where there is none yet, from a snapshot in the folder `from`, compares it with `contents`
/// and brings its tables up to this version. What is there is never overwritten.
pub fn restore_vault(url: &str, kind: VaultKind, from: &Path, contents: &Contents) -> Result<(), Error> {
    let address = Address::read(url)?;
    let place = address.place();
    let refused = |reason: String| Error::NotRestored { place: place.clone(), reason };
    if contents.vault != kind.name() {
        return Err(refused(format!("the backup is one of the {} vault", contents.vault)));
    }
    let mut connection = match &address {
        Address::Sqlite(path) => {
            if contents.backend != "sqlite" {
                return Err(refused("it was made on PostgreSQL; name an empty database there".to_owned()));
            }
            if path.exists() {
                return Err(refused("there is already a file; nothing is overwritten".to_owned()));
            }
            copy_private(&from.join(SQLITE_COPY), path).map_err(|source| address.folder(source))?;
            address.connect()?
        }
        Address::Postgresql { .. } => {
            if contents.backend != "postgresql" {
                return Err(refused("it was made on SQLite; name a folder with --into".to_owned()));
            }
            let mut connection = address.connect()?;
            load(&mut connection, kind, from, contents, &refused)?;
            connection
        }
    };
    let found = describe(&mut connection, kind)?;
    if let Some(difference) = difference(contents, &found) {
        return Err(refused(format!("what was restored differs from the backup: {difference}")));
    }
    if let VaultConnection::Sqlite(c) = &mut connection {
        let checked: Vec<Checked> = diesel::sql_query("pragma integrity_check").load(c)?;
        if checked.iter().any(|row| row.integrity_check != "ok") {
            return Err(refused("the copy is damaged (integrity check)".to_owned()));
        }
    }
    drop(connection);
    // Opening brings an older version's tables up to this one.
    match kind {
        VaultKind::Field => FieldVault::open(url).map(drop),
        VaultKind::Answers => AnswerVault::open(url).map(drop),
    }
}

/// What differs first, in words.
fn difference(wanted: &Contents, found: &Contents) -> Option<String> {
    if wanted.migrations != found.migrations {
        return Some("the versions of the tables".to_owned());
    }
    let names: BTreeSet<&String> = wanted.tables.keys().chain(found.tables.keys()).collect();
    names.into_iter().find_map(|name| match (wanted.tables.get(name), found.tables.get(name)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) if a.rows != b.rows => {
            Some(format!("{name} has {} rows instead of {}", b.rows, a.rows))
        }
        (Some(_), Some(_)) => Some(format!("rows of {name}")),
        (Some(_), None) => Some(format!("{name} is missing")),
        (None, _) => Some(format!("{name} was not in the backup")),
    })
}

impl Vault {
    fn snapshot(&self, into: &Path, kind: VaultKind) -> Result<Contents, Error> {
        match &*self.address {
            Address::Sqlite(_) => {
                let copy = into.join(SQLITE_COPY);
                self.read(|connection| {
                    diesel::sql_query("vacuum into ?")
                        .bind::<Text, _>(copy.to_string_lossy())
                        .execute(connection)
                        .map_err(Error::from)
                })?;
                let unwritable = |source| self.address.folder(source);
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).map_err(unwritable)?;
                describe(&mut Address::Sqlite(copy).connect()?, kind)
            }
            Address::Postgresql { .. } => {
                let mut connection = self.address.connect()?;
                let VaultConnection::Postgresql(c) = &mut connection else {
                    return Err(Error::contradiction("the address is PostgreSQL's"));
                };
                c.batch_execute("begin transaction isolation level repeatable read read only")?;
                let contents = describe_postgresql(c, kind, Some(into));
                c.batch_execute("rollback")?;
                contents
            }
        }
    }
}

#[derive(QueryableByName)]
struct Checked {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Content {
    #[diesel(sql_type = Text)]
    content: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    many: i64,
}

const APPLIED: &str = "select version as name from __diesel_schema_migrations order by version";

fn describe(connection: &mut VaultConnection, kind: VaultKind) -> Result<Contents, Error> {
    match connection {
        VaultConnection::Sqlite(c) => describe_sqlite(c, kind),
        VaultConnection::Postgresql(c) => describe_postgresql(c, kind, None),
    }
}

fn describe_sqlite(c: &mut SqliteConnection, kind: VaultKind) -> Result<Contents, Error> {
    let mut tables = BTreeMap::new();
    let names: Vec<Name> = diesel::sql_query(
        "select name from sqlite_master where type = 'table' and name <> '__diesel_schema_migrations' \
         and name not like 'sqlite%'",
    )
    .load(c)?;
    for Name { name } in names {
        let columns: Vec<Name> =
            diesel::sql_query("select name from pragma_table_info(?)").bind::<Text, _>(&name).load(c)?;
        let quoted: Vec<String> =
            columns.iter().map(|column| format!("quote({})", ident(&column.name))).collect();
        let query = format!("select {} as content from {}", quoted.join(" || ',' || "), ident(&name));
        let mut sum = Sum::default();
        for row in diesel::sql_query(query).load_iter::<Content, DefaultLoadingMode>(c)? {
            sum.add(&row?.content);
        }
        tables.insert(name, sum.finish());
    }
    let migrations: Vec<Name> = diesel::sql_query(APPLIED).load(c)?;
    Ok(Contents {
        vault: kind.name().to_owned(),
        backend: "sqlite".to_owned(),
        migrations: migrations.into_iter().map(|row| row.name).collect(),
        tables,
    })
}

/// With `into`, also writes the rows of each table there, one JSON object a line.
fn describe_postgresql(
    c: &mut PgConnection,
    kind: VaultKind,
    into: Option<&Path>,
) -> Result<Contents, Error> {
    let mut tables = BTreeMap::new();
    for name in postgresql_tables(c)? {
        let query = format!("select row_to_json(t)::text as content from {} t", ident(&name));
        let mut sum = Sum::default();
        let mut out = match into {
            Some(folder) => Some(create_private(&folder.join(format!("{name}.jsonl")))?),
            None => None,
        };
        for row in diesel::sql_query(query).load_iter::<Content, PgRowByRowLoadingMode>(c)? {
            let Content { content } = row?;
            sum.add(&content);
            if let Some(out) = &mut out {
                writeln!(out, "{content}").map_err(unwritten)?;
            }
        }
        if let Some(mut out) = out {
            out.flush().map_err(unwritten)?;
        }
        tables.insert(name, sum.finish());
    }
    let migrations: Vec<Name> = diesel::sql_query(APPLIED).load(c)?;
    Ok(Contents {
        vault: kind.name().to_owned(),
        backend: "postgresql".to_owned(),
        migrations: migrations.into_iter().map(|row| row.name).collect(),
        tables,
    })
}

/// In the order in which they were made: what a table points to comes before it.
fn postgresql_tables(c: &mut PgConnection) -> Result<Vec<String>, Error> {
    let names: Vec<Name> = diesel::sql_query(
        "select relname::text as name from pg_class where relkind = 'r' \
         and relnamespace = current_schema()::regnamespace and relname <> '__diesel_schema_migrations' order by oid",
    )
    .load(c)?;
    Ok(names.into_iter().map(|row| row.name).collect())
}

/// Makes the tables of the backup's version in an empty database and fills them, all or nothing.
fn load(
    connection: &mut VaultConnection,
    kind: VaultKind,
    from: &Path,
    contents: &Contents,
    refused: &dyn Fn(String) -> Error,
) -> Result<(), Error> {
    begin_writing(connection)?;
    let loaded = match connection {
        VaultConnection::Postgresql(c) => fill(c, kind, from, contents, refused),
        VaultConnection::Sqlite(_) => Err(Error::contradiction("rows are loaded into PostgreSQL")),
    };
    match loaded {
        Ok(()) => Ok(commit(connection)?),
        Err(error) => {
            let _ = roll_back(connection);
            Err(error)
        }
    }
}

fn fill(
    c: &mut PgConnection,
    kind: VaultKind,
    from: &Path,
    contents: &Contents,
    refused: &dyn Fn(String) -> Error,
) -> Result<(), Error> {
    let there: Count = diesel::sql_query(
        "select count(*) as many from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace",
    )
    .get_result(c)?;
    if there.many > 0 {
        let reason = "the database has tables already; nothing is overwritten, make an empty one";
        return Err(refused(reason.to_owned()));
    }
    let known: Vec<Box<dyn Migration<Pg>>> =
        kind.migrations().migrations().map_err(|error| Error::contradiction(error.to_string()))?;
    // Asking makes the table of migrations.
    c.applied_migrations().map_err(|error| refused(error.to_string()))?;
    for version in &contents.migrations {
        let migration = known
            .iter()
            .find(|migration| migration.name().version().to_string() == *version)
            .ok_or_else(|| refused(format!("it was made by a newer version of the program (`{version}`)")))?;
        c.run_migration(migration).map_err(|error| refused(error.to_string()))?;
    }
    for name in postgresql_tables(c)? {
        if !contents.tables.contains_key(&name) {
            continue;
        }
        let file = File::open(from.join(format!("{name}.jsonl")))
            .map_err(|error| refused(format!("{name} is missing ({error})")))?;
        // Rows may point to each other; one statement is checked at its end.
        c.batch_execute("create temporary table restored (content text not null)")?;
        let mut batch: Vec<String> = Vec::new();
        for line in BufReader::new(file).lines() {
            batch.push(line.map_err(|error| refused(error.to_string()))?);
            if batch.len() == BATCH {
                send(c, &mut batch)?;
            }
        }
        send(c, &mut batch)?;
        let table = ident(&name);
        // What a migration put there itself is among the rows that come back.
        c.batch_execute(&format!(
            "delete from {table}; insert into {table} select r.* from restored, \
             lateral json_populate_record(null::{table}, content::json) r; drop table restored"
        ))?;
    }
    Ok(())
}

fn send(c: &mut PgConnection, batch: &mut Vec<String>) -> Result<(), Error> {
    let rows = std::mem::take(batch);
    diesel::sql_query("insert into restored select unnest($1)").bind::<Array<Text>, _>(rows).execute(c)?;
    Ok(())
}

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn unwritten(source: io::Error) -> Error {
    Error::Folder { place: "the folder for the copy".to_owned(), source }
}

fn create_private(path: &Path) -> Result<BufWriter<File>, Error> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(BufWriter::new).map_err(|source| Error::Folder { place: path.display().to_string(), source })
}

fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut file)?;
    file.sync_all()
}

#[derive(Default)]
struct Sum {
    rows: u64,
    words: [u64; 4],
}

impl Sum {
    fn add(&mut self, row: &str) {
        self.rows += 1;
        for (word, bytes) in self.words.iter_mut().zip(Sha256::digest(row).chunks_exact(8)) {
            let bytes = bytes.try_into().unwrap_or_default();
            *word = word.wrapping_add(u64::from_be_bytes(bytes));
        }
    }

    fn finish(self) -> TableContent {
        TableContent { rows: self.rows, sum: self.words.iter().map(|word| format!("{word:016x}")).collect() }
    }
}
