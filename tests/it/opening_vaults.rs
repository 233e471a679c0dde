//! Opening a vault that is not one, is another, is newer, is damaged or cannot be written: one clear message each, and
//! what was there stays as it was.

use std::fs;

use langnghe::db::{AnswerVault, Error, FieldVault, ProjectKind};

use crate::databases::{Place, TemporaryFolder, execute, morning, on_both_backends};
use crate::postgres::Server;

fn refusal(opened: Result<FieldVault, Error>) -> Error {
    opened.err().expect("the vault must not open")
}

on_both_backends! {
    fn swapped_addresses_are_noticed(place) {
        drop((place.field(), place.answers()));
        assert!(matches!(refusal(FieldVault::open(&place.answers_url)), Error::WrongVault { .. }));
        assert!(matches!(AnswerVault::open(&place.field_url).err(), Some(Error::WrongVault { .. })));
    }

    fn one_database_is_not_both_vaults(place) {
        drop(place.field());
        let both = AnswerVault::open(&place.field_url).err().expect("refused").to_string();
        assert!(both.contains("swapped"), "{both}");
    }

    fn a_database_of_a_newer_program_is_left_alone(place) {
        drop(place.field());
        execute(&place.field_url, "insert into __diesel_schema_migrations (version) values ('20990101000000')");
        let newer = refusal(FieldVault::open(&place.field_url)).to_string();
        assert!(newer.contains("20990101000000") && newer.contains("newer"), "{newer}");
    }

    fn a_database_of_another_program_is_left_alone(place) {
        execute(&place.field_url, "create table recipes (name text)");
        assert!(matches!(refusal(FieldVault::open(&place.field_url)), Error::Foreign { .. }));
        // Still there and still alone.
        execute(&place.field_url, "insert into recipes values ('phở')");
        assert!(matches!(refusal(FieldVault::open(&place.field_url)), Error::Foreign { .. }));
    }

    fn what_was_stored_is_there_after_opening_again(place) {
        let create = |name: &str| {
            place.field().transaction(|db| db.create_project(name, ProjectKind::Survey, morning())).expect("stored").id
        };
        assert_eq!([create("2025"), create("2026")], [1, 2]);
        let names: Vec<String> = place
            .field()
            .read(|db| db.list_projects())
            .expect("read")
            .into_iter()
            .map(|project| project.name)
            .collect();
        assert_eq!(names, ["2025", "2026"]);
    }

    fn many_programs_may_start_at_once(place) {
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| FieldVault::open(&place.field_url).expect("each opens"));
            }
        });
    }

    fn what_failed_in_a_transaction_is_undone(place) {
        let field = place.field();
        let failed = field.transaction(|db| {
            db.create_project("2026", ProjectKind::Survey, morning())?;
            db.create_project("", ProjectKind::Survey, morning())
        });
        assert!(failed.expect_err("a name is due").to_string().contains("project_has_a_name"));
        assert_eq!(field.read(|db| db.list_projects()).expect("read"), Vec::new());
    }
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_was() {
    let folder = TemporaryFolder::new();
    let path = folder.path().join("field.db");
    fs::write(&path, "họ tên;tuổi\n").expect("written");
    let error = refusal(FieldVault::open(&format!("sqlite://{}", path.display())));
    assert!(matches!(error, Error::NotADatabase { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("read"), "họ tên;tuổi\n");
}

#[test]
fn a_half_written_database_is_named_and_left_as_it_was() {
    let place = Place::on_sqlite();
    drop(place.field());
    let path = place.files.join("field.db");
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() / 2 / 4096 * 4096]).expect("cut");
    let half = fs::read(&path).expect("read");
    let error = refusal(FieldVault::open(&place.field_url));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert_eq!(fs::read(&path).expect("read"), half);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = TemporaryFolder::new();
    fs::write(folder.path().join("taken"), "a file").expect("written");
    let url = format!("sqlite://{}", folder.path().join("taken/field.db").display());
    let error = refusal(FieldVault::open(&url));
    assert!(matches!(error, Error::Folder { .. }) && error.to_string().contains("taken/field.db"), "{error}");
}

#[test]
fn a_database_that_vanishes_while_the_program_runs_takes_nothing_more() {
    let place = Place::on_sqlite();
    let field = place.field();
    fs::remove_file(place.files.join("field.db")).expect("removed");
    let error = field.transaction(|db| db.create_project("2026", ProjectKind::Survey, morning()));
    let error = error.expect_err("nothing may seem stored");
    assert!(error.is_passing() && matches!(error, Error::Gone { .. }), "{error}");
}

#[test]
fn an_address_of_no_database_is_refused_and_no_password_is_shown() {
    for url in ["mysql://h/x", "sqlite://relative.db", "sqlite:///", "field.db"] {
        assert!(matches!(refusal(FieldVault::open(url)), Error::Address { .. }), "{url}");
    }
    let gone = refusal(FieldVault::open("postgres://lan:very-secret@127.0.0.1:1/field")).to_string();
    assert!(gone.contains("127.0.0.1") && !gone.contains("very-secret"), "{gone}");
}

/// The owner brings the tables up to date; a role that may only read and write rows serves them.
#[test]
fn a_role_without_the_right_to_make_tables_serves_a_vault_that_has_them() {
    let Some(server) = Server::get() else { return };
    let place = Place::on(server);
    let role = format!("clerk_{}", uuid::Uuid::new_v4().simple());
    execute(&server.maintenance_url(), &format!("create role {role} login"));
    let url = place.field_url.replace("langnghe@", &format!("{role}@"));
    let refused = refusal(FieldVault::open(&url));
    assert!(matches!(refused, Error::Migration { .. }), "{refused}");
    assert!(refused.to_string().contains("permission denied"), "{refused}");

    drop(place.field());
    let rights = format!("grant select, insert, update, delete on all tables in schema public to {role}");
    execute(&place.field_url, &rights);
    let field = FieldVault::open(&url).expect("opens");
    field.transaction(|db| db.create_project("2026", ProjectKind::Survey, morning())).expect("stored");
}

#[test]
fn files_of_a_vault_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::on_sqlite();
    let field = place.field();
    field.transaction(|db| db.create_project("2026", ProjectKind::Survey, morning())).expect("stored");
    let mut seen = 0;
    for file in fs::read_dir(&place.files).expect("read").flatten() {
        assert_eq!(file.metadata().expect("read").permissions().mode() & 0o077, 0, "{:?}", file.path());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its write-ahead log are there");
}
