//! Fieldwork over `/api/v1`: a supervisor assigns, watches and releases; one who is in charge of an area sees that area.

use chrono::{TimeDelta, Utc};
use langnghe::db::{CaseRole, CaseStatus, NewCase, ProjectState};
use langnghe::people::{AreaRef, Reach, Role};
use serde_json::{Value, json};
use surveys::areas::AreaTree;

use crate::api::call;
use crate::databases::on_both_backends;
use crate::rights::House;

/// A village in a commune with four main dwellings and two reserves.
fn village(name: &str, commune: &str) -> Vec<NewCase> {
    let case = |place: usize| NewCase {
        village: name.to_owned(),
        commune: commune.to_owned(),
        district: "024".to_owned(),
        household: Some(place as i64 + 10),
        stratum: "A".to_owned(),
        drawn_order: place as i64 + 1,
        probability_1: 0.5,
        probability_2: Some(0.1),
        role: if place < 4 { CaseRole::Main } else { CaseRole::Reserve },
        assigned_to: None,
        sampling: json!({
            "reporting_area": "024",
            "design": {
                "stratum": "A", "variance_stratum": "A", "variance_psu": name, "area": "024",
                "village_majority": "01", "before": 0.5, "listed": 40, "main": 4,
            },
        })
        .to_string(),
    };
    (0..6).map(case).collect()
}

/// A commune of another province.
fn elsewhere() -> String {
    let (tree, today) = (AreaTree::bundled(), Utc::now().date_naive());
    let province = tree.find("province", "01", today).expect("a province");
    tree.children(province, today).first().expect("a commune").code.clone()
}

fn names(reply: &Value, list: &str) -> Vec<String> {
    let items = reply[list].as_array().expect("a list").iter();
    items.map(|one| one["village"].as_str().or(one["code"].as_str()).unwrap_or_default().to_owned()).collect()
}

on_both_backends! {
    fn a_supervisor_assigns_watches_and_releases_in_the_area_in_charge(place) {
        let house = House::on(place);
        let wave = house.own;
        let boss = house.token("truong", Role::Supervisor, Reach::default());
        let area = AreaRef::read("province:08", Utc::now().date_naive()).expect("a province");
        let local = house.token("tinh", Role::Supervisor, Reach { area: Some(area), ..Reach::default() });
        let path = |end: &str| format!("/api/v1/projects/{wave}/{end}");
        let ask = |token: &str, end: &str| call(&house, "get", &path(end), token, &Value::Null);
        let tell = |token: &str, end: &str, body: Value| call(&house, "post", &path(end), token, &body);

        let early = tell(&boss, "assignment", json!({ "seed": 7 }));
        assert_eq!((early.status, &early.body["code"]), (409, &json!("conflict")), "no cases yet: {}", early.body);
        house
            .field
            .transaction(|db| {
                db.create_cases(wave, [village("Bản", "00691"), village("Xa", &elsewhere())].concat())?;
                for code in ["M1", "M2"] {
                    db.create_app_user(wave, code, Some(code), &format!("token-{code}"), Utc::now())?;
                }
                Ok::<_, langnghe::db::Error>(())
            })
            .expect("stored");
        let given = tell(&boss, "assignment", json!({ "seed": 7 }));
        assert_eq!((given.status, &given.body["cases"]), (200, &json!(12)), "{}", given.body);
        assert_eq!(tell(&boss, "assignment", json!({ "seed": 1_u64 << 60 })).status, 422);
        assert_eq!(tell(&local, "assignment", json!({ "seed": 7 })).body["code"], "area_not_allowed");

        assert_eq!(names(&ask(&boss, "teams").body, "items"), ["Bản", "Xa"]);
        assert_eq!(names(&ask(&local, "teams").body, "items"), ["Bản"]);
        assert_eq!(ask(&boss, "progress").body["total"]["planned"], 8);
        let mine = ask(&local, "progress");
        assert_eq!((&mine.body["total"]["planned"], &mine.body["total"]["reserves"]), (&json!(4), &json!(2)));
        assert_eq!(mine.body["precision"][0]["half_width"], Value::Null, "no interview yet");
        assert_eq!(names(&ask(&boss, "ledger").body, "items"), ["M1", "M2"]);

        house.receiver.make_key(wave).expect("a key");
        assert_eq!(ask(&boss, "back-checks").body["too_few"], 0);
        let one = json!({ "village": "Bản", "count": 1 });
        let released = tell(&local, "reserves", one.clone());
        assert_eq!(released.status, 200, "{}", released.body);
        assert_eq!(released.body["items"][0]["place"], 1);
        assert_eq!(released.body["items"][0]["code"].as_str().map(str::len), Some(9));
        assert_eq!(tell(&local, "reserves", json!({ "village": "Xa", "count": 1 })).status, 422, "not theirs");
        assert_eq!(tell(&local, "reserves", json!({})).body["code"], "area_not_allowed", "the rule is for the whole");
        assert_eq!(tell(&boss, "reserves", json!({ "village": "Bản", "count": 9 })).status, 409);
        assert_eq!(tell(&boss, "reserves", json!({})).body["items"], json!([]), "nothing was lost");
        let waiting = house.field.read(|db| db.list_cases(wave)).expect("cases");
        assert_eq!(waiting.iter().filter(|case| case.status == CaseStatus::Waiting).count(), 3);

        house.field.transaction(|db| db.set_project_state(wave, ProjectState::Frozen)).expect("frozen");
        assert_eq!(tell(&boss, "reserves", one).body["code"], "wave_not_open");
        assert_eq!(tell(&boss, "assignment", json!({ "seed": 7 })).body["code"], "wave_not_open");
        let later = house.field.read(|db| db.list_ledger(wave, Utc::now() + TimeDelta::days(2))).expect("read");
        assert_eq!(later[0].days_unsynced(Utc::now() + TimeDelta::days(2)), 2);
    }
}
