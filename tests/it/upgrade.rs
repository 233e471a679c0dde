//! Upgrading: what an earlier release stored goes on under this one, and rows survive every migration there and back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::{PgConnection, SqliteConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use langnghe::db::{AnswerVault, FieldVault};
use langnghe::keys::{KeyFolder, Passphrase, load_custodian, load_custodian_public};

use crate::databases::{TemporaryFolder, execute, on_both_backends};
use crate::serving::{Client, Served};

const HOUSE: &str = "bốn từ không liền nhau";
const CUSTODIAN: &str = "của riêng người giữ khóa";
const PASSWORD: &str = "mưa rơi trên mái lá";
const TOKEN: &str = "JX1D17meKqHIQh$gzbDvfmn$77xuonUfYYDzhNFlz6Ondt2k2aY3ft2UF$ZT7mkB";

fn release() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/release_0_1_0")
}

/// Copies a folder; keys are their owner's alone.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("set");
    for entry in fs::read_dir(from).expect("listed").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copied");
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).expect("set");
        }
    }
}

/// The kept folder as the release left it.
fn installed() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for vault in ["field", "answers"] {
        let sql = fs::read_to_string(release().join(format!("{vault}.sql"))).expect("read");
        execute(&format!("sqlite://{}/{vault}.db", folder.path().display()), &sql);
    }
    for part in ["keys", "files"] {
        copy(&release().join(part), &folder.path().join(part));
    }
    folder
}

fn langnghe(folder: &Path, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_langnghe"));
    program.args(arguments).env("LANGNGHE_DATA", folder).env("LANGNGHE_KEY_PASSPHRASE", HOUSE);
    program.env("LANGNGHE_CUSTODIAN_PASSPHRASE", CUSTODIAN);
    program
}

fn ok(done: &Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn record(id: &str) -> String {
    format!(
        "<data id=\"nha\" version=\"1\"><place>Nà Ngoạ {id}</place><pic>1.jpg</pic><meta><instanceID>uuid:{id}</instanceID></meta></data>"
    )
}

#[test]
fn a_wave_of_the_release_before_goes_on_in_the_middle() {
    let folder = installed();
    let served = Served::start_with(&mut langnghe(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    let client = Client::of(&served);
    let device = format!("/v1/key/{TOKEN}/projects/2");
    let (status, list) = client.get(&format!("{device}/formList"), &[("X-OpenRosa-Version", "1.0")]);
    assert!(status == 200 && list.contains("<formID>nha</formID>"), "the device's token opens: {list}");
    let picture = |text: &str| vec![("1.jpg".to_owned(), text.as_bytes().to_vec())];
    // What was sent before is known again, byte for byte; what is new is stored beside it.
    assert_eq!(client.send(&device, &record("a"), &picture("ảnh a")).0, 201);
    assert_eq!(client.send(&device, &record("a"), &picture("ảnh khác")).0, 409);
    assert_eq!(client.send(&device, &record("c"), &picture("ảnh c")).0, 201);
    let body = serde_json::json!({ "email": "giam-sat", "password": PASSWORD }).to_string();
    let json = [("Content-Type", "application/json")];
    let (status, session) = client.run("POST", "/v1/sessions", &json, body.into_bytes());
    assert_eq!(status, 200, "{session}");
    let session: serde_json::Value = serde_json::from_str(&session).expect("JSON");
    let bearer = format!("Bearer {}", session["token"].as_str().expect("a token"));
    let path = "/v1/projects/2/forms/nha/submissions";
    let (_, records) = client.get(path, &[("Authorization", &bearer)]);
    for id in ["uuid:a", "uuid:b", "uuid:c"] {
        assert!(records.contains(id), "{id}: {records}");
    }
    let (_, picture) = client.get(&format!("{path}/uuid:b/attachments/1.jpg"), &[("Authorization", &bearer)]);
    assert_eq!(picture, "ảnh b");
    served.end();
    assert!(
        ok(&langnghe(folder.path(), &["audit", "verify"]).output().expect("it runs")).contains("nguyên vẹn")
    );
    // The survey's keys open, and its end can be set.
    let set = langnghe(folder.path(), &["wave", "close-on", "1", "2030-01-01"]).output().expect("it runs");
    assert!(ok(&set).contains("2030-01-01"));
    let keys =
        KeyFolder::open(folder.path().join("keys")).expect("opens").with_passphrase(Passphrase::new(HOUSE));
    assert!(keys.load(1).is_ok() && keys.load_tablet(1).is_ok() && keys.analysts(1).is_ok());
}

#[test]
fn a_custodians_bundle_of_the_first_version_still_opens_and_restores() {
    let folder = installed();
    let at_home = folder.path().join("custodian");
    copy(&release(), &at_home);
    let bundle = load_custodian(&at_home.join("custodian"), &Passphrase::new(CUSTODIAN)).expect("it opens");
    let public = load_custodian_public(&at_home.join("custodian.pub")).expect("it is read");
    assert_eq!(bundle.public(), public);
    assert!(bundle.forms.is_none() && bundle.backups.is_none());
    let wrong = load_custodian(&at_home.join("custodian"), &Passphrase::new("một câu khác hẳn thế"));
    assert!(wrong.is_err_and(|error| error.to_string().contains("does not open")));

    let before = fs::read(folder.path().join("keys/wave-1.escrow")).expect("read");
    fs::remove_dir_all(folder.path().join("keys")).expect("the key folder is lost");
    let escrow = at_home.join("wave-1.escrow");
    fs::write(&escrow, before).expect("the custodian has the copy");
    let custodian = at_home.join("custodian").display().to_string();
    let restore =
        ["key", "restore", "1", "--escrow", &escrow.display().to_string(), "--custodian-key", &custodian];
    ok(&langnghe(folder.path(), &restore).output().expect("it runs"));
    let keys =
        KeyFolder::open(folder.path().join("keys")).expect("opens").with_passphrase(Passphrase::new(HOUSE));
    assert!(keys.load(1).is_ok() && keys.load_tablet(1).is_ok() && keys.analysts(1).is_ok());
}

/// Rows of the oldest tables, in the words of both databases.
const ROWS: &str = "
insert into projects (id, name, kind, state, created_at) values (7, 'Khảo sát', 'survey', 'open', '2026-08-01 08:00:00');
insert into forms (id, project, form_id, version, title, xml, workbook, hash, state, published_at)
  values ('f', 7, 'hh', '1', 'Hộ', BYTES, null, '0f', 'open', '2026-08-01 08:00:00');
insert into app_users (id, project, display_name, code, token_hash, created_at, revoked)
  values ('u', 7, 'Máy 1', null, BYTES, '2026-08-01 08:00:00', false);
insert into cases (id, project, village, commune, district, household, stratum, drawn_order, probability_1,
  probability_2, role, status, assigned_to, sampling)
  values ('c', 7, 'V01', '0001', '01', 12, '01/Mong', 1, 0.5, 0.2, 'main', 'open', 'u', '{}');
insert into visits (id, project, case_id, attempt, disposition, visited_at, visited_by)
  values ('v', 7, 'c', 1, '11', '2026-08-02 08:00:00', 'u');
insert into submissions (id, project, form_id, form_version, instance, content, first_instance, field_half, state,
  standing, lease_until, supersedes)
  values ('s', 7, 'hh', '1', BYTES, BYTES, BYTES, BYTES, 'confirmed', 'current', null, null);
insert into attachments (id, submission, name, content, sealed_name, file, size, standing)
  values ('a', 's', BYTES, BYTES, BYTES, 'aa/1', 3, 'current');
insert into audit (number, happened_at, who, kind, detail, previous, hash)
  values (1, '2026-08-01 08:00:00', 'shell', 'wave made', '{}', BYTES, BYTES);
";

/// One row each, as it was written.
const THERE: &str = "
select (select count(*) from projects where id = 7 and name = 'Khảo sát' and state = 'open')
     + (select count(*) from forms where id = 'f' and title = 'Hộ' and xml = BYTES and hash = '0f')
     + (select count(*) from app_users where id = 'u' and display_name = 'Máy 1' and token_hash = BYTES)
     + (select count(*) from cases where id = 'c' and household = 12 and probability_2 = 0.2 and assigned_to = 'u')
     + (select count(*) from visits where id = 'v' and case_id = 'c' and disposition = '11')
     + (select count(*) from submissions where id = 's' and field_half = BYTES and standing = 'current')
     + (select count(*) from attachments where id = 'a' and submission = 's' and file = 'aa/1')
     + (select count(*) from audit where number = 1 and hash = BYTES) as n";
const KINDS_OF_ROWS: i64 = 8;
/// Migrations that made these tables.
const OLDEST: usize = 8;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Up to the newest with rows in the oldest tables, back down, and up again.
macro_rules! there_and_back {
    ($connection:expr, $bytes:literal) => {{
        let mut connection = $connection;
        let migrations = || {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/field");
            FileBasedMigrations::from_path(folder).expect("the migrations are read")
        };
        for _ in 0..OLDEST {
            connection.run_next_migration(migrations()).expect("up");
        }
        connection.batch_execute(&ROWS.replace("BYTES", $bytes)).expect("stored");
        let there = |connection: &mut _| {
            diesel::sql_query(THERE.replace("BYTES", $bytes))
                .get_result::<Count>(connection)
                .expect("counted")
                .n
        };
        assert_eq!(there(&mut connection), KINDS_OF_ROWS);
        let mut newer = 0;
        while connection.has_pending_migration(migrations()).expect("asked") {
            connection.run_next_migration(migrations()).expect("up");
            newer += 1;
            assert_eq!(there(&mut connection), KINDS_OF_ROWS, "after {newer} newer migrations");
        }
        assert!(newer >= 9, "the newest were run");
        for back in 0..newer {
            connection.revert_last_migration(migrations()).expect("down");
            assert_eq!(there(&mut connection), KINDS_OF_ROWS, "after {} steps back", back + 1);
        }
        connection.run_pending_migrations(migrations()).expect("up again");
        assert_eq!(there(&mut connection), KINDS_OF_ROWS);
    }};
}

on_both_backends! {
    fn rows_of_the_oldest_tables_survive_every_migration_there_and_back(place) {
        match place.field_url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = SqliteConnection::establish(path).expect("the file opens");
                connection.batch_execute("pragma foreign_keys = on").expect("set");
                there_and_back!(connection, "x'0102'");
            }
            None => {
                there_and_back!(PgConnection::establish(&place.field_url).expect("it answers"), "'\\x0102'::bytea");
            }
        }
        let found = place.field().read(|db| db.find_project(7)).expect("the vault opens it").expect("there");
        assert_eq!(found.name, "Khảo sát");
    }
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

/// What a program of that release looks at: the tables and the migrations that made them.
fn schema(vault: &Path) -> Vec<String> {
    let mut connection = SqliteConnection::establish(&vault.display().to_string()).expect("it opens");
    let sql = "select sql as name from sqlite_master where sql is not null union all \
               select version from __diesel_schema_migrations order by 1";
    let rows: Vec<Name> = diesel::sql_query(sql).load(&mut connection).expect("listed");
    rows.into_iter()
        .map(|row| row.name.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', ""))
        .collect()
}

#[test]
fn the_way_back_to_the_release_before_keeps_what_came_since() {
    let before = installed();
    let folder = installed();
    let served = Served::start_with(&mut langnghe(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    let device = format!("/v1/key/{TOKEN}/projects/2");
    let picture = vec![("1.jpg".to_owned(), b"c".to_vec())];
    assert_eq!(Client::of(&served).send(&device, &record("c"), &picture).0, 201);
    let back = |more: &[&str]| {
        let arguments = [&["downgrade", "--to", "2026-11-23-040100"], more].concat();
        langnghe(folder.path(), &arguments).output().expect("it runs")
    };
    let field = format!("sqlite://{}/field.db", folder.path().display());
    let vault = FieldVault::open(&field).expect("it opens");
    while vault.read(|db| db.list_servers()).expect("listed").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let refused = back(&["--yes"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is running"), "{refused:?}");
    served.end();
    // As if the silence after its end had passed.
    execute(&field, "update servers set seen_at = '2026-01-01 00:00:00'");
    drop(vault);
    let would = ok(&back(&[]));
    assert!(would.contains("20261123125900"), "{would}");
    assert_ne!(
        schema(&folder.path().join("field.db")),
        schema(&before.path().join("field.db")),
        "nothing was done"
    );
    ok(&back(&["--yes"]));
    for vault in ["field.db", "answers.db"] {
        assert_eq!(schema(&folder.path().join(vault)), schema(&before.path().join(vault)), "{vault}");
    }
    // And forward again: three records, the log whole.
    let vault = FieldVault::open(&field).expect("it goes up again");
    assert_eq!(vault.read(|db| db.count_submissions(2)).expect("counted"), 3);
    vault.read(|db| db.verify_audit()).expect("the chain is whole");
    let wrong = langnghe(folder.path(), &["downgrade", "--to", "0.1.0"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("CHANGELOG"));
}

#[test]
fn the_kept_vaults_open_with_every_row_they_had() {
    let folder = installed();
    let url = |name: &str| format!("sqlite://{}/{name}.db", folder.path().display());
    let field = FieldVault::open(&url("field")).expect("it opens and goes up");
    let answers = AnswerVault::open(&url("answers")).expect("it opens and goes up");
    assert_eq!(field.read(|db| db.list_projects()).expect("listed").len(), 2);
    assert_eq!(field.read(|db| db.count_submissions(2)).expect("counted"), 2);
    assert_eq!(answers.read(|db| db.count_wave(2)).expect("counted"), 2);
    assert!(field.read(|db| db.verify_audit()).expect("the chain is whole").len() >= 4);
    assert_eq!(field.read(|db| db.closing_day(1)).expect("asked"), None, "no day was set before");
}
