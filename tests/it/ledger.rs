//! The ledger of devices: what each sent, what is here, what may leave it; and that nothing of the fieldwork stays when the
//! wave closes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use langnghe::accounts::Accounts;
use langnghe::db::{CaseStatus, Claim, Decision, Held, Interpreter, NewAttachment, NewForm};
use langnghe::fieldwork::rules::Rules;
use langnghe::intake::day_of;
use langnghe::jobs::{back_checks, reviews, villages};
use langnghe::keys::KeyFolder;
use langnghe::web::{self, Site};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::databases::{TemporaryFolder, on_both_backends};
use crate::fieldwork::{Office, command, days, monday};

impl Office {
    fn held(&self, device: usize, instances: &[&str], files: i64) -> Vec<Held> {
        let claims: Vec<Claim> = instances
            .iter()
            .map(|id| Claim { form_id: "hh".to_owned(), instance_id: (*id).to_owned(), files })
            .collect();
        let device = &self.devices[device];
        let compared =
            self.field().transaction(|db| db.compare_with_device(device, &claims, 2, monday(), &self.key));
        compared.expect("compared")
    }
}

on_both_backends! {
    fn the_ledger_says_what_a_device_sent_and_what_is_missing(place) {
        let office = Office::new(place);
        office.assign(7);
        let case = office.cases().into_iter().find(|case| case.assigned_to == Some(office.devices[0].id));
        let (_, sent) = office.visit_as(&case.expect("a case"), 1, "11", monday());
        assert_eq!(office.held(0, &[&sent, "uuid:lost"], 0), [Held::Stored, Held::Missing]);
        let line = |device: usize| {
            office.field().read(|db| db.list_ledger(1, monday() + days(3))).expect("the ledger")[device].clone()
        };
        let mine = line(0);
        assert_eq!((mine.sent(), mine.received, mine.missing, mine.waiting), (2, 1, 1, Some(2)));
        assert_eq!((line(1).sent(), line(1).waiting), (0, None));
        assert_eq!(line(1).days_unsynced(monday() + days(3)), 3, "never heard of");
        assert_eq!(office.held(1, &[&sent], 0), [Held::Missing], "another device did not send it");
        assert_eq!(office.held(0, &[&sent], 1), [Held::Missing], "its file is not here");
        let key = &office.key;
        let found = office.field().read(|db| db.find_submission(1, "hh", &sent, key)).expect("read").expect("there");
        let file = NewAttachment {
            submission: found.id,
            name: "audit.csv".to_owned(),
            sha256: [7; 32],
            file: "random".to_owned(),
            size: 3,
        };
        office.field().transaction(|db| db.keep_attachment(&file, key)).expect("kept");
        assert_eq!(office.held(0, &[&sent], 1), [Held::Stored]);
        // A backup of this moment may lack it; one that was taken well after it has it, once it was verified.
        let backup = |taken: DateTime<Utc>, verified: bool| {
            let id = Uuid::new_v4();
            office.field().transaction(|db| {
                db.record_backup(id, taken)?;
                if verified { db.record_verification(id, taken + days(1)).map(drop) } else { Ok(()) }
            })
        };
        backup(Utc::now(), true).expect("kept");
        assert_eq!(office.held(0, &[&sent], 1), [Held::Stored]);
        backup(Utc::now() + TimeDelta::hours(3), false).expect("kept");
        assert_eq!(office.held(0, &[&sent], 1), [Held::Stored], "nobody has verified it");
        backup(Utc::now() + TimeDelta::hours(3), true).expect("kept");
        assert_eq!(office.held(0, &[&sent], 1), [Held::BackedUp]);
        langnghe::db::Intake::new(office.field().clone(), place.answers())
            .withdraw(1, "hh", &sent, key)
            .expect("withdrawn");
        assert_eq!(office.held(0, &[&sent], 1), [Held::Withdrawn]);
        let folder = TemporaryFolder::new();
        let (done, told) = command(place, folder.path(), &["fieldwork", "ledger", "1", "--format", "json"]);
        assert!(done, "{told}");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((&told[0]["device"], &told[0]["missing"]), (&json!("M1"), &json!(1)));
    }

    fn a_tablet_asks_over_the_network_for_its_cases_and_where_its_interviews_stand(place) {
        let office = Office::new(place);
        office.assign(7);
        let mine = office.devices[0].id;
        let case = office.cases().into_iter().find(|case| case.assigned_to == Some(mine)).expect("a case");
        let (_, sent) = office.visit_as(&case, 1, "11", monday());
        let folder = TemporaryFolder::new();
        let keys = KeyFolder::open(folder.path().join("keys")).expect("a folder");
        let seal = Arc::new(keys.installation().expect("a key"));
        let accounts = Accounts::new(office.field().clone(), seal);
        let listener = web::listen("127.0.0.1:0").expect("some port is free");
        let expected = office.cases().iter().filter(|case| case.assigned_to == Some(mine)
            && case.status == CaseStatus::Open).count();
        // A form that reads the cases gets those of the device that asks.
        let sheet = "
| survey |      |      |       |
|        | type | name | label |
|        | select_one_from_file cases.csv | which | Which? |
| settings | | | |
|        | form_id | version | form_title |
|        | pick | 1 | Pick |
";
        let read = surveys::xlsform::read("pick.md", sheet.as_bytes()).expect("a form").questionnaire;
        let form = NewForm {
            project: 1,
            form_id: "pick".to_owned(),
            version: "1".to_owned(),
            title: "Pick".to_owned(),
            xml: surveys::xform::write(&read).expect("a form").into_bytes(),
            workbook: None,
            files: Vec::new(),
            confirmation: None,
        };
        office.field().transaction(|db| db.publish_form(form, monday())).expect("published");
        let running = web::start(listener, Arc::new(office.receiver), accounts, Site(None)).expect("it starts");
        let base = format!("http://{}/v1/key/token-1/projects/1", running.address);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let told = agent.get(format!("{base}/cases")).call().expect("answered").body_mut().read_to_string();
        let told: Value = serde_json::from_str(&told.expect("text")).expect("JSON");
        assert_eq!(told["cases"].as_array().expect("a list").len(), expected);
        assert!(told["reserves"].as_array().expect("a list").iter().all(|one| one["household"].is_null()));
        let file = agent.get(format!("{base}/forms/pick/versions/1/files/cases.csv")).call().expect("answered");
        let file = file.into_body().read_to_string().expect("text");
        let mut lines = file.lines();
        let head = "name,label,__version,village,commune,household,attempt,not_on,interpreter";
        assert_eq!(lines.next(), Some(head));
        assert_eq!(lines.clone().count(), expected, "its own cases and no other");
        assert!(lines.all(|line| told["cases"].as_array().is_some_and(|all| all.iter().any(|case| {
            case["id"].as_str().is_some_and(|id| line.starts_with(id))
        }))));
        let ask = |token: &str, body: &str| {
            let url = format!("http://{}/v1/key/{token}/projects/1/ledger", running.address);
            let mut reply = agent
                .post(url)
                .header("Content-Type", "application/json")
                .send(body)
                .expect("answered");
            (reply.status().as_u16(), reply.body_mut().read_to_string().expect("text"))
        };
        let body = json!({
            "sent": [{ "formId": "hh", "instanceId": sent }, { "formId": "hh", "instanceId": "uuid:lost" }],
            "waiting": 1,
        })
        .to_string();
        let (status, told) = ask("token-1", &body);
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(status, 200);
        assert_eq!(told["interviews"][0], json!({ "instanceId": sent, "state": "stored" }));
        assert_eq!(told["interviews"][1]["state"], "missing");
        assert_eq!(ask("token-9", &body).0, 403);
        assert_eq!(ask("token-1", "{}").0, 400);
        running.stop().expect("it stops");
    }

    fn nothing_of_the_fieldwork_stays_when_the_wave_closes(place) {
        let office = Office::new(place);
        office.assign(7);
        let interpreter =
            Interpreter { code: "PD".into(), languages: vec![], areas: vec![], pledged_on: Some(day_of(monday())) };
        let enumerator = langnghe::db::Enumerator { app_user: office.devices[0].id, languages: vec![], areas: vec![] };
        office.set(&Rules { back_checks: 1.0, ..Rules::default() });
        let case = office.cases()[0].clone();
        office.visit(&case, 1, "11", monday());
        office.held(0, &["uuid:lost"], 0);
        let dwelling = (case.village.as_str(), case.household.expect("a number"));
        office.field()
            .transaction(|db| {
                db.keep_interpreter(1, &interpreter)?;
                db.keep_enumerator(1, &enumerator)
            })
            .expect("kept");
        let later = day_of(monday() + days(7));
        villages::postpone(office.field(), 1, "V3", (later, "mưa"), "lan", monday()).expect("postponed");
        reviews::decide(office.field(), 1, dwelling, Decision::Accepted, "lan", monday()).expect("decided");
        assert_eq!(back_checks::draw(office.field(), &office.key, 1, "lan", monday()).expect("drawn"), 1);
        let count = || -> BTreeMap<String, i64> {
            office.field().read(|db| db.count_wave(1)).expect("counted").into_iter().collect()
        };
        let before = count();
        for table in [
            "device_syncs", "missing_interviews", "enumerators", "interpreters", "teams", "villages", "back_checks",
            "case_reviews", "visits", "cases", "submissions",
        ] {
            assert!(before[table] > 0, "{table} has rows to lose");
        }
        office.field().transaction(|db| db.destroy_wave(1)).expect("destroyed");
        assert!(count().values().all(|rows| *rows == 0), "{:?}", count());
        // The log names no case, village or dwelling.
        let log = office.field().read(|db| db.verify_audit()).expect("the chain is whole");
        assert!(log.iter().all(|entry| !entry.detail.contains("V0") && !entry.detail.contains(&case.id.to_string())));
    }
}
