//! What lies on the disk tells nothing without the wave key, and one vault does not open the other.

use std::fs;
use std::path::Path;

use langnghe::db::{AnswerVault, Error, FieldVault};
use uuid::Uuid;

use crate::databases::{Place, Wave, execute, on_both_backends};
use crate::postgres::{Server, Syncs};

/// Every file below `folder` that holds `text`.
pub fn files_with(folder: &Path, text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is read").flatten() {
        // The server may remove a file between listing and reading; then it holds nothing any more.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), text));
        } else if fs::read(entry.path())
            .is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text))
        {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

on_both_backends! {
    fn another_key_opens_nothing(place) {
        let wave = Wave::new(place);
        wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored");
        let other = langnghe::keys::WaveKey::generate().expect("the system gives random numbers");
        let opened = wave.intake.field().read(|db| db.list_submissions(wave.project, &other));
        assert!(matches!(opened, Err(Error::Key(_))), "{opened:?}");
        let opened = wave.intake.answers().read(|db| db.list_answers(wave.project, &other));
        assert!(matches!(opened, Err(Error::Key(_))), "{opened:?}");
    }

    fn a_half_moved_to_another_row_does_not_open(place) {
        let wave = Wave::new(place);
        wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored");
        wave.intake.store(&wave.key, wave.interview("uuid:b", "no")).expect("stored");
        execute(
            &place.answers_url,
            "update answers set sealed = (select sealed from answers order by id limit 1)",
        );
        let opened = wave.intake.answers().read(|db| db.list_answers(wave.project, &wave.key));
        assert!(matches!(opened, Err(Error::Key(_))), "an answer was opened in another's place: {opened:?}");
    }

    fn every_answer_at_rest_has_a_length_in_steps_of_four_kibibytes(place) {
        let wave = Wave::new(place);
        wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored");
        wave.intake.store(&wave.key, wave.interview("uuid:b", &"no ".repeat(700))).expect("stored");
        // Fails when a length differs from one byte of form, 12 of nonce, 4096 of text and 16 of tag.
        execute(
            &place.answers_url,
            "create table lengths (n bigint, constraint one_length check (n = 4125)); \
             insert into lengths select length(sealed) from answers;",
        );
    }
}

/// A role that reads one vault cannot read the other (rule 1): the two databases have two owners.
#[test]
fn the_role_of_the_field_vault_cannot_open_the_answers() {
    let Some(server) = Server::get() else { return };
    let id = Uuid::new_v4().simple().to_string();
    let (field, answers) = (format!("field_{id}"), format!("answers_{id}"));
    for name in [&field, &answers] {
        execute(&server.maintenance_url(), &format!("create role {name} login"));
        execute(&server.maintenance_url(), &format!("create database {name} owner {name}"));
        execute(&server.maintenance_url(), &format!("revoke connect on database {name} from public"));
    }
    FieldVault::open(&server.url(&field, &field)).expect("each role opens its own vault");
    AnswerVault::open(&server.url(&answers, &answers)).expect("each role opens its own vault");
    let refused = AnswerVault::open(&server.url(&field, &answers)).err().expect("refused").to_string();
    assert!(refused.contains("permission denied"), "{refused}");
}

#[test]
fn nothing_in_the_files_of_sqlite_can_be_read_without_the_wave_key() {
    nothing_at_rest_can_be_read_without_the_wave_key(&Place::on_sqlite());
}

/// On a server of its own, so that every file of it is looked through, its write-ahead log too.
#[test]
fn nothing_in_the_files_of_postgresql_can_be_read_without_the_wave_key() {
    if Server::is_wanted() {
        nothing_at_rest_can_be_read_without_the_wave_key(&Place::on(&Server::start(Syncs::LeftOut)));
    }
}

fn nothing_at_rest_can_be_read_without_the_wave_key(place: &Place) {
    let wave = Wave::new(place);
    // Found if the scan works: a title that is stored in clear.
    let seen = format!("seen-{}", Uuid::new_v4());
    wave.intake
        .field()
        .transaction(|db| db.append_audit("lan", &seen, "{}", crate::databases::morning()))
        .expect("appended");
    let (instance, answer, area, device) = (
        format!("uuid:{}", Uuid::new_v4()),
        format!("very-{}", Uuid::new_v4()),
        format!("area-{}", Uuid::new_v4()),
        format!("collect:{}", Uuid::new_v4()),
    );
    let sent = || langnghe::db::Incoming {
        reporting_area: Some(area.clone()),
        device: Some(device.clone()),
        submitter: None,
        ..wave.interview(&instance, &answer)
    };
    wave.intake.store(&wave.key, sent()).expect("stored");
    wave.intake
        .store(&wave.key, wave.interview(&instance, &format!("other {answer}")))
        .expect("kept in conflict");
    wave.intake.store(&wave.key, wave.edit(&format!("{instance}-edit"), &instance, &answer)).expect("edited");
    if place.field_url.starts_with("postgres") {
        execute(&place.field_url, "checkpoint");
    }

    assert!(!files_with(&place.files, seen.as_bytes()).is_empty(), "the scan sees what is stored in clear");
    for secret in [&instance, &answer, &area, &device] {
        assert_eq!(files_with(&place.files, secret.as_bytes()), Vec::<String>::new(), "{secret} can be read");
    }
    // The answer vault must hold the token; nothing of the field vault may.
    let tokens: Vec<String> = wave.submissions().iter().map(|version| version.token.to_string()).collect();
    assert_eq!(tokens.len(), 3);
    if place.field_url.starts_with("sqlite") {
        for token in &tokens {
            let files = files_with(&place.files, token.as_bytes());
            assert!(files.iter().all(|file| file.contains("answers.db")) && !files.is_empty(), "{files:?}");
        }
    }
}
