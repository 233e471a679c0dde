//! Backups on both databases, by command: what goes in comes back, damaged and swapped files are refused, nothing is
//! overwritten, no key is inside, and the tablets hear only of verified ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use chrono::Utc;
use langnghe::keys::KeyFolder;

use crate::databases::{Place, TemporaryFolder, Wave, on_both_backends};

/// A folder with the two holders' identities, and what `langnghe` is given of them.
struct Holders {
    folder: TemporaryFolder,
    field: Identity,
    answers: Identity,
}

impl Holders {
    fn new() -> Self {
        let folder = TemporaryFolder::new();
        let (field, answers) = (Identity::generate(), Identity::generate());
        for (name, identity) in [("field.txt", &field), ("answers.txt", &answers)] {
            let text =
                format!("# public key: {}\n{}\n", identity.to_public(), identity.to_string().expose_secret());
            fs::write(folder.path().join(name), text).expect("it is written");
        }
        Self { folder, field, answers }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn langnghe(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_langnghe")).args(words).output().expect("it runs")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn backup(place: &Place, data: &Path, holders: &Holders, into: &Path) -> Output {
    langnghe(&[
        "backup",
        &text(into),
        "--recipient-field",
        &holders.field.to_public().to_string(),
        "--recipient-answers",
        &holders.answers.to_public().to_string(),
        "--data",
        &text(data),
        "--field",
        &place.field_url,
        "--answers",
        &place.answers_url,
    ])
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Two new vaults on the same backend, nothing in them yet.
fn another(place: &Place) -> Place {
    if place.field_url.starts_with("sqlite") {
        Place::on_sqlite()
    } else {
        Place::on_postgresql().expect("it is there already")
    }
}

on_both_backends! {
    /// Three interviews, an attachment, an analysis file.
    fn a_restored_backup_holds_what_was_there_and_can_be_opened_with_the_wave_key(place) {
        let (wave, holders, data) = (Wave::new(place), Holders::new(), TemporaryFolder::new());
        for number in 1..=3 {
            wave.intake.store(&wave.key, wave.interview(&format!("uuid:{number}"), &format!("yes {number}")))
                .expect("it is stored");
        }
        fs::create_dir_all(data.path().join("files/ab")).expect("a folder");
        fs::write(data.path().join("files/ab/attachment"), b"sealed bytes").expect("a file");
        fs::create_dir_all(data.path().join("analysis")).expect("a folder");
        fs::write(data.path().join("analysis/wave-1-snapshot-1.age"), b"sealed analysis").expect("a file");
        let key = fs::create_dir_all(data.path().join("keys"))
            .map(|()| KeyFolder::open(data.path().join("keys")).expect("a key folder"));
        key.expect("a folder").keep(wave.project, &wave.key).expect("the key is kept");
        let into = holders.path("backup");
        let made = backup(place, data.path(), &holders, &into);
        assert!(made.status.success(), "{}", said(&made));

        let new = TemporaryFolder::new();
        let target = another(place);
        let restored = langnghe(&[
            "restore", &text(&into), "--into", &text(new.path()),
            "--identity", &text(&holders.path("field.txt")), "--identity", &text(&holders.path("answers.txt")),
            "--field", &target.field_url, "--answers", &target.answers_url,
        ]);
        assert!(restored.status.success(), "{}", said(&restored));
        let there = Wave {
            intake: langnghe::db::Intake::new(target.field(), target.answers()),
            key: wave.key.clone(),
            project: wave.project,
        };
        assert_eq!(there.current(), wave.current());
        assert_eq!(there.current().len(), 3);
        assert_eq!(fs::read(new.path().join("files/ab/attachment")).expect("it is there"), b"sealed bytes");
        let analysis = new.path().join("analysis/wave-1-snapshot-1.age");
        assert_eq!(fs::read(analysis).expect("it is there"), b"sealed analysis");
        assert!(!new.path().join("keys").exists(), "no key is in a backup");
        assert!(!fs::read_dir(data.path()).expect("it is a folder").flatten()
            .any(|entry| entry.file_name().to_string_lossy().ends_with(".part")), "nothing unsealed is left");
        // It goes on from there: the same interview again is known, another is stored.
        there.intake.store(&there.key, there.interview("uuid:1", "yes 1")).expect("known");
        there.intake.store(&there.key, there.interview("uuid:4", "yes 4")).expect("new");
        assert_eq!(there.current().len(), 4);

        let again = langnghe(&[
            "restore", &text(&into), "--into", &text(new.path()),
            "--identity", &text(&holders.path("field.txt")), "--identity", &text(&holders.path("answers.txt")),
            "--field", &target.field_url, "--answers", &target.answers_url,
        ]);
        assert_eq!(again.status.code(), Some(1));
        assert_eq!(there.current().len(), 4, "what is there is not overwritten");
    }

    fn a_backup_counts_as_verified_only_once_it_was_restored_and_compared(place) {
        let (wave, holders, data) = (Wave::new(place), Holders::new(), TemporaryFolder::new());
        wave.intake.store(&wave.key, wave.interview("uuid:1", "yes")).expect("it is stored");
        let into = holders.path("backup");
        let before = Utc::now();
        let made = backup(place, data.path(), &holders, &into);
        assert!(made.status.success(), "{}", said(&made));
        let last = || place.field().read(|db| db.last_verified_backup()).expect("it is asked");
        assert_eq!(last(), None);
        let scratch = TemporaryFolder::new();
        let target = another(place);
        let mut words = vec![
            "verify".to_owned(), text(&into),
            "--identity".to_owned(), text(&holders.path("field.txt")),
            "--identity".to_owned(), text(&holders.path("answers.txt")),
            "--scratch".to_owned(), text(scratch.path()),
            "--data".to_owned(), text(data.path()),
            "--field".to_owned(), place.field_url.clone(), "--answers".to_owned(), place.answers_url.clone(),
        ];
        if !place.field_url.starts_with("sqlite") {
            words.extend(["--scratch-field".to_owned(), target.field_url.clone()]);
            words.extend(["--scratch-answers".to_owned(), target.answers_url.clone()]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let verified = langnghe(&words);
        assert!(verified.status.success(), "{}", said(&verified));
        let taken = last().expect("it is verified now");
        assert!(taken >= before - chrono::TimeDelta::seconds(1) && taken <= Utc::now(), "{taken}");
        assert_eq!(fs::read_dir(scratch.path()).expect("a folder").count(), 0, "the scratch copy is gone");
        place.field().read(|db| db.verify_audit()).expect("the log holds");
    }

    fn a_backup_with_one_byte_changed_or_another_holders_identity_is_refused(place) {
        let (wave, holders, data) = (Wave::new(place), Holders::new(), TemporaryFolder::new());
        wave.intake.store(&wave.key, wave.interview("uuid:1", "yes")).expect("it is stored");
        let into = holders.path("backup");
        assert!(backup(place, data.path(), &holders, &into).status.success());
        let twice = backup(place, data.path(), &holders, &into);
        assert_eq!(twice.status.code(), Some(1), "a backup is not overwritten");
        let new = TemporaryFolder::new();
        let target = another(place);
        let restore = |from: &Path, identities: &[&str]| {
            let from = text(from);
            let files: Vec<String> = identities.iter().map(|name| text(&holders.path(name))).collect();
            let folder = text(new.path());
            let mut words = vec!["restore", &from, "--into", &folder];
            words.extend(["--field", &target.field_url, "--answers", &target.answers_url]);
            for file in &files {
                words.extend(["--identity", file]);
            }
            langnghe(&words)
        };
        let wrong = restore(&into, &["answers.txt"]);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(said(&wrong).contains("does not open with these identities"), "{}", said(&wrong));
        for at in [0.3, 0.9] {
            let changed = holders.path(&format!("changed-{at}"));
            fs::create_dir_all(&changed).expect("a folder");
            fs::copy(into.join("answers.age"), changed.join("answers.age")).expect("a copy");
            let mut bytes = fs::read(into.join("field.age")).expect("it is there");
            let place = (bytes.len() as f64 * at) as usize;
            bytes[place] ^= 1;
            fs::write(changed.join("field.age"), bytes).expect("it is written");
            let refused = restore(&changed, &["field.txt", "answers.txt"]);
            assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        }
    }
}

#[test]
fn nothing_in_a_backup_can_be_read_without_its_identity() {
    let place = Place::on_sqlite();
    let (wave, holders, data) = (Wave::new(&place), Holders::new(), TemporaryFolder::new());
    wave.intake.store(&wave.key, wave.interview("uuid:secret-instance", "a secret answer")).expect("stored");
    let into = holders.path("backup");
    assert!(backup(&place, data.path(), &holders, &into).status.success());
    for file in ["field.age", "answers.age"] {
        let bytes = fs::read(into.join(file)).expect("it is there");
        for word in ["secret", "Households", "SQLite format", "backup.json"] {
            let found = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!found, "`{word}` can be read in {file}");
        }
    }
}

#[test]
fn what_is_no_recipient_is_said_with_its_option() {
    let data = TemporaryFolder::new();
    let wrong = langnghe(&[
        "backup",
        "out",
        "--recipient-field",
        "age2nonsense",
        "--recipient-answers",
        "age2nonsense",
        "--data",
        &text(data.path()),
    ]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("--recipient-field"), "{}", said(&wrong));
}
