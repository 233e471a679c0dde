//! The end of a wave on several servers, on its day, and under kills (protection.md rule 13).

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use langnghe::db::ProjectState;
use langnghe::jobs::servers::Identity;
use langnghe::keys::KeyFolder;
use surveys::chance::Chance;

use crate::databases::on_both_backends;
use crate::serving::{Client, Served};
use crate::wave::{HOUSE, NAME, Survey, text};

const DEVICE: &str = "/v1/key/token-1/projects/1";

/// A wave with 12 interviews of two areas.
fn collected(survey: &Survey<'_>) {
    survey.give_design();
    survey.make_cases();
    let receiver = survey.receiver();
    for n in 0..12 {
        survey.send(&receiver, n).expect("stored");
    }
}

fn late(n: usize) -> String {
    format!(
        "<data id=\"hh\" version=\"1\"><c1>1</c1><meta><instanceID>uuid:late-{n}</instanceID></meta></data>"
    )
}

/// Files below a folder.
fn count(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

/// Waits for what another process does.
fn wait_for(what: &str, mut is_done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < Duration::from_secs(100), "{what} did not come");
        std::thread::sleep(Duration::from_millis(200));
    }
}

on_both_backends! {
    fn each_server_destroys_its_own_copies_and_the_certificate_names_who_did_not(place) {
        let survey = Survey::new(place);
        collected(&survey);
        // A second server with a key folder of its own, and one that was switched off weeks ago.
        let own = survey.folder.path().join("data/keys");
        let other = survey.folder.path().join("other-keys");
        KeyFolder::open(&other).expect("made");
        for entry in fs::read_dir(&own).expect("listed").flatten() {
            fs::copy(entry.path(), other.join(entry.file_name())).expect("copied");
        }
        let other_folder = other.display().to_string();
        let second = Served::start_with(&mut survey.serve(&["--keys", &other_folder]));
        let first = Served::start_with(&mut survey.serve(&[]));
        let weeks_ago = Utc::now() - TimeDelta::weeks(3);
        place.field().transaction(|db| db.announce_server("gone", "máy cũ", weeks_ago)).expect("known");
        wait_for("two servers", || place.field().read(|db| db.list_servers()).expect("listed").len() == 3);
        assert!(other.join("wave-1.key").exists());

        let close = ["wave", "close", "1", "--without-sealed", "--confirm", NAME];
        let certificate = survey.ok(&close, HOUSE);
        let line = |name: &str, part: &str| {
            certificate.lines().filter(|line| line.contains(name) && line.contains(part)).count()
        };
        assert_eq!(line("127.0.0.1:0", "đã hủy bản của mình"), 2, "{certificate}");
        assert_eq!(line("máy cũ", "CHƯA xác nhận"), 1, "{certificate}");
        assert!(certificate.contains("wave-1.escrow"), "the copies that the custodian declares: {certificate}");
        for name in ["wave-1.key", "tablet-1.key", "wave-1.escrow"] {
            assert!(!other.join(name).exists() && !own.join(name).exists(), "{name}");
        }

        // What comes late is refused with Central's code on every way in, and counted.
        for (n, served) in [&first, &second].into_iter().enumerate() {
            let (status, body) = Client::of(served).send(DEVICE, &late(n), &[]);
            assert_eq!(status, 409, "{body}");
            assert!(body.contains("nature=\"error\"") && body.contains("đã đóng"), "{body}");
            assert!(body.contains("http://openrosa.org/http/response"), "{body}");
        }
        let client = Client::of(&first);
        let mut user = survey.command(&["user", "add", "thu-phieu", "--role", "enumerator"], HOUSE);
        assert!(user.env("LANGNGHE_PASSWORD", "mưa rơi trên mái lá").status().expect("it runs").success());
        let json = [("Content-Type", "application/json")];
        let login = r#"{"email": "thu-phieu", "password": "mưa rơi trên mái lá"}"#.as_bytes().to_vec();
        let (_, session) = client.run("POST", "/v1/sessions", &json, login);
        let session: serde_json::Value = serde_json::from_str(&session).expect("JSON");
        let bearer = format!("Bearer {}", session["token"].as_str().expect("a token"));
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/xml")];
        let (status, body) = client.run("POST", "/v1/projects/1/forms/hh/submissions", &headers, late(2).into());
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, &body["code"]), (409, &serde_json::json!(409.2)), "{body}");
        assert_eq!(place.field().read(|db| db.late_interviews(1)).expect("counted"), 3);
        first.end();
        second.end();

        // The old machine was found and started once: closing again gives a certificate that says so.
        let again = survey.ok(&["wave", "close", "1"], HOUSE);
        assert_eq!(again, certificate, "nothing new, the same certificate");
        let confirmed = place.field().transaction(|db| db.confirm_closing(1, ("gone", "máy cũ"), &[], Utc::now()));
        assert!(confirmed.expect("confirmed"));
        let renewed = survey.ok(&["wave", "close", "1"], HOUSE);
        assert!(renewed.contains("máy cũ: đã hủy") && !renewed.contains("CHƯA"), "{renewed}");
        let log = place.field().read(|db| db.verify_audit()).expect("the chain is whole");
        assert_eq!(log.iter().filter(|entry| entry.kind == "closing confirmed").count(), 2);
    }

    fn a_wave_is_closed_on_its_day_by_a_running_server(place) {
        let survey = Survey::new(place);
        collected(&survey);
        let set = survey.ok(&["wave", "close-on", "1", "2027-01-31"], HOUSE);
        assert!(set.contains("2027-01-31"), "{set}");
        let why = survey.refused(&["wave", "close-on", "1", "2027-03-31"]);
        assert!(why.contains("chỉ có thể đưa sớm lên") && why.contains("2027-01-31"), "{why}");
        assert!(survey.refused(&["wave", "close-on", "1", "2020-01-31"]).contains("is past"));
        let own = Identity { folder: survey.keys().id().expect("an id"), name: "test".to_owned() };
        let field = place.field();
        langnghe::jobs::servers::announce(&field, &own, Utc::now()).expect("announced");
        let analysis = langnghe::jobs::analysis_files::AnalysisFiles::open(survey.folder.path().join("data/analysis"));
        let analysis = analysis.expect("a folder");
        let store = langnghe::files::FileStore::open(&survey.file("data/files")).expect("a folder");
        let receiver = survey.receiver().with_files(store);
        let on = |day: &str| {
            let now = format!("{day}T02:00:00Z").parse().expect("a time");
            langnghe::jobs::servers::announce(&field, &own, now).expect("announced");
            langnghe::jobs::servers::close_due(&receiver, &survey.keys(), &analysis, &own, now).expect("done")
        };
        assert_eq!(on("2027-01-30"), Vec::<i64>::new());
        assert_eq!(survey.state(), ProjectState::Open);
        assert_eq!(on("2027-01-31"), [1]);
        assert_eq!(survey.state(), ProjectState::Closed);
        assert!(survey.keys().load(1).is_err());
        let file = survey.analysis(None);
        assert_eq!(file.records.iter().filter(|record| record.answers.is_some()).count(), 12, "frozen first");
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 0);
        let certificate = survey.ok(&["wave", "close", "1"], HOUSE);
        assert!(certificate.contains("closing day") && certificate.contains("12 phỏng vấn có phần niêm phong"), "{certificate}");
        assert_eq!(on("2027-02-01"), Vec::<i64>::new(), "once");
    }

    fn a_server_closes_a_wave_whose_day_is_past_when_it_starts(place) {
        let survey = Survey::new(place);
        collected(&survey);
        let yesterday = Utc::now() - TimeDelta::days(2);
        place.field().transaction(|db| db.close_on(1, yesterday.date_naive(), yesterday)).expect("set");
        let served = Served::start_with(&mut survey.serve(&[]));
        wait_for("the closing", || {
            place.field().read(|db| db.find_document(1, "closing/certificate.txt")).expect("read").is_some()
        });
        assert_eq!(survey.state(), ProjectState::Closed);
        assert_eq!(Client::of(&served).send(DEVICE, &late(1), &[]).0, 409);
        served.end();
    }

    fn a_closing_that_is_killed_at_any_moment_is_carried_on(place) {
        let survey = Survey::new(place);
        collected(&survey);
        let close = ["wave", "close", "1", "--without-sealed", "--confirm", NAME];
        let mut chance = Chance::new(1, "kills of a closing");
        let mut kills = 0;
        // Later each time, so that every step of the closing is interrupted once, on a quick machine and on a slow one.
        for step in 0_i32.. {
            let mut program = survey.command(&close, HOUSE);
            let mut program =
                program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
            let wait = 40.0 * 1.3_f64.powi(step) + chance.below(40) as f64;
            std::thread::sleep(Duration::from_secs_f64(wait / 1000.0));
            let ended = program.try_wait().expect("asked").is_some();
            if !ended {
                program.kill().expect("it is killed");
                kills += 1;
            }
            program.wait().expect("it ended");
            let rows = place.answers().read(|db| db.count_wave(1)).expect("counted");
            assert!(rows == 12 || survey.state() == ProjectState::Closed, "nothing goes before the wave is closed");
            assert!(survey.keys().has(1) || survey.state() == ProjectState::Closed);
            if ended {
                break;
            }
        }
        assert!(kills > 0, "no kill came in time");
        let certificate = survey.ok(&close, HOUSE);
        for part in ["wave-1.key", "answers: 12", "submissions: 12", "SHA-256"] {
            assert!(certificate.contains(part), "{part}: {certificate}");
        }
        assert_eq!(survey.ok(&close, HOUSE), certificate);
        assert!(!survey.keys().has(1));
        let rows = place.field().read(|db| db.count_wave(1)).expect("counted");
        assert!(rows.iter().all(|(_, rows)| *rows == 0), "{rows:?}");
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 0);
        assert_eq!(survey.analysis(None).records.iter().filter(|r| r.answers.is_some()).count(), 12);
    }

    fn a_server_carries_on_a_closing_that_a_crash_interrupted(place) {
        let survey = Survey::new(place);
        collected(&survey);
        let receiver = survey.receiver();
        let key = receiver.key(1).expect("the key");
        let first = receiver.field.read(|db| db.list_submissions(1, &key)).expect("opened")[0].id;
        let new = langnghe::db::NewAttachment {
            submission: first,
            name: "a.txt".to_owned(),
            sha256: [7; 32],
            file: "stuck".to_owned(),
            size: 3,
        };
        receiver.field.transaction(|db| db.keep_attachment(&new, &key)).expect("kept");
        // A folder where a file should be ends the closing in the middle, as a crash would.
        let stuck = survey.folder.path().join("data/files/stuck");
        fs::create_dir_all(stuck.join("inside")).expect("a folder");
        let why = survey.refused(&["wave", "close", "1", "--without-sealed", "--confirm", NAME]);
        assert!(why.contains("close again"), "{why}");
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 12);
        fs::remove_dir_all(stuck).expect("removed");
        let facts = "update documents set stored_at = '2026-01-01 00:00:00' where name = 'closing/facts.json'";
        crate::databases::execute(&place.field_url, facts);
        let served = Served::start_with(&mut survey.serve(&[]));
        wait_for("the certificate", || {
            place.field().read(|db| db.find_document(1, "closing/certificate.txt")).expect("read").is_some()
        });
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 0);
        served.end();
    }

    fn a_wave_that_nothing_came_for_closes_without_a_file(place) {
        let survey = Survey::new(place);
        let certificate = survey.ok(&["wave", "close", "1", "--confirm", NAME], HOUSE);
        assert!(certificate.contains("submissions: 0") && !certificate.contains("SHA-256"), "{certificate}");
        assert_eq!(survey.state(), ProjectState::Closed);
        let said = survey.run(&["wave", "freeze", "1"], HOUSE);
        assert!(text(&said.stderr).contains("is closed"), "{}", text(&said.stderr));
    }

    fn files_go_with_what_is_withdrawn_and_closed_wherever_they_lie(place) {
        let survey = Survey::new(place);
        collected(&survey);
        let folder = survey.folder.path().join("elsewhere");
        let files = format!("file://{}", folder.display());
        let served = Served::start_with(&mut survey.serve(&["--files", &files]));
        let client = Client::of(&served);
        let encrypted = |instance: &str| {
            format!(
                "<data id=\"hh\" version=\"1\" encrypted=\"yes\"><base64EncryptedKey>QUJD</base64EncryptedKey>\
                 <meta><instanceID>{instance}</instanceID></meta><encryptedXmlFile>submission.xml.enc</encryptedXmlFile></data>"
            )
        };
        for instance in ["uuid:one", "uuid:two"] {
            let file = vec![("submission.xml.enc".to_owned(), b"closed".to_vec())];
            assert_eq!(client.send(DEVICE, &encrypted(instance), &file).0, 201);
        }
        served.end();
        assert_eq!(count(&folder), 2);
        let code = langnghe::jobs::withdrawal::receipt("uuid:one");
        survey.ok(&["wave", "withdraw", "1", &code, "--files", &files], HOUSE);
        assert_eq!(count(&folder), 1, "the file of the withdrawn interview is gone, the other's is not");
        let close = ["wave", "close", "1", "--without-sealed", "--confirm", NAME, "--files", &files];
        assert!(survey.ok(&close, HOUSE).contains("(files): 1"));
        assert_eq!(count(&folder), 0);
    }
}
