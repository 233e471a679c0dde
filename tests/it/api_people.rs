//! People over the API: accounts, their reset by a second person, organisations, devices, grants, the log.

use chrono::{Days, TimeDelta, Utc};
use langnghe::people::{Reach, Role};
use serde_json::{Value, json};

use crate::api::{Reply, call, send};
use crate::databases::on_both_backends;
use crate::people::code_of;
use crate::pyodk::survey_under_grant;
use crate::rights::{House, PASSWORD};

const GIVEN: &str = "do người khác cấp 1";

fn sign_in(house: &House, login: &str, password: &str) -> Reply {
    let given = json!({ "login": login, "password": password }).to_string();
    send(house, "post", "/api/v1/sessions", &[("Content-Type", "application/json")], given.as_bytes())
}

fn code(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["code"].as_str().unwrap_or_default())
}

on_both_backends! {
    fn an_account_is_added_changed_by_its_owner_reset_by_another_person_and_disabled(place) {
        let house = House::on(place);
        let admin = house.token("quan-tri", Role::Administrator, Reach::default());
        let new = json!({ "login": "Lan@so.vn", "role": "supervisor", "password": GIVEN, "area": "province:08" });
        let made = call(&house, "post", "/api/v1/users", &admin, &new);
        assert_eq!((made.status, &made.body["login"]), (201, &json!("lan@so.vn")), "{}", made.body);
        assert!(made.body["area"].as_str().is_some_and(|area| area.starts_with("province:08@")));
        assert_eq!(code(&call(&house, "post", "/api/v1/users", &admin, &new)), (409, "exists"));

        // A password from somebody else opens nothing but its own change.
        assert_eq!(code(&sign_in(&house, "lan@so.vn", GIVEN)), (403, "password_must_change"));
        let change = |old: &str, new: &str| {
            let body = json!({ "login": "lan@so.vn", "old": old, "new": new }).to_string();
            send(&house, "put", "/api/v1/password", &[("Content-Type", "application/json")], body.as_bytes())
        };
        assert_eq!(code(&change("nhầm", PASSWORD)), (401, "wrong_credentials"));
        assert_eq!(code(&change(GIVEN, "ngắn")), (422, "invalid_value"));
        assert_eq!(change(GIVEN, PASSWORD).status, 204);
        let session = sign_in(&house, "lan@so.vn", PASSWORD);
        let token = session.body["token"].as_str().expect("signed in").to_owned();

        let path = format!("/api/v1/users/{}", made.body["id"]);
        let reset = json!({ "password": "một câu khác hẳn 7" });
        assert_eq!(call(&house, "post", &format!("{path}/reset"), &admin, &reset).status, 204);
        assert_eq!(call(&house, "get", "/api/v1/sessions/current", &token, &Value::Null).status, 401);
        let known = call(&house, "get", &path, &admin, &Value::Null);
        assert_eq!(known.body["password_must_change"], json!(true), "{}", known.body);
        let own = house.accounts.find("quan-tri").expect("there").id;
        for what in ["reset", "disable"] {
            let body = if what == "reset" { reset.clone() } else { Value::Null };
            let refused = call(&house, "post", &format!("/api/v1/users/{own}/{what}"), &admin, &body);
            assert_eq!(code(&refused), (403, "second_person_needed"), "{what}");
        }
        assert_eq!(call(&house, "post", &format!("{path}/disable"), &admin, &Value::Null).status, 204);
        assert_eq!(change("một câu khác hẳn 7", PASSWORD).status, 401, "a disabled account opens nothing");

        let log = call(&house, "get", "/api/v1/log", &admin, &Value::Null);
        let kinds: Vec<&str> =
            log.body["items"].as_array().into_iter().flatten().filter_map(|entry| entry["kind"].as_str()).collect();
        assert_eq!(kinds, ["user added", "password reset", "user disabled"]);
        let text = log.body.to_string();
        assert!(!text.contains(GIVEN) && !text.contains("khác hẳn"), "no password is in the log");
    }

    fn whoever_belongs_to_an_organisation_keeps_its_people_and_no_others(place) {
        let house = House::on(place);
        let of = |organisation: &str| Reach { organisation: Some(organisation.into()), ..Reach::default() };
        let admin = house.token("quan-tri", Role::Administrator, of("so-noi-vu"));
        house.token("trong", Role::Viewer, of("so-noi-vu"));
        house.token("ngoai", Role::Viewer, of("doan-the"));
        house.token("chung", Role::Viewer, Reach::default());
        let listed = call(&house, "get", "/api/v1/users", &admin, &Value::Null);
        let logins: Vec<&str> =
            listed.body["items"].as_array().into_iter().flatten().filter_map(|user| user["login"].as_str()).collect();
        assert_eq!(logins, ["quan-tri", "trong"]);
        for stranger in ["ngoai", "chung"] {
            let id = house.accounts.find(stranger).expect("there").id;
            for (method, what, body) in
                [("get", "", Value::Null), ("post", "/disable", Value::Null), ("post", "/reset", json!({ "password": GIVEN }))]
            {
                let refused = call(&house, method, &format!("/api/v1/users/{id}{what}"), &admin, &body);
                assert_eq!(code(&refused), (404, "not_found"), "{stranger}{what}");
            }
        }
        let new = |more: Value| {
            let mut body = json!({ "login": "moi", "role": "analyst", "password": GIVEN });
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            call(&house, "post", "/api/v1/users", &admin, &body)
        };
        assert_eq!(code(&new(json!({ "organisation": "doan-the" }))), (422, "invalid_value"));
        assert_eq!(code(&new(json!({ "projects": [house.other] }))), (422, "invalid_value"));
        assert_eq!(code(&new(json!({ "area": "province:999" }))), (422, "invalid_value"));
        let made = new(json!({}));
        assert_eq!((made.status, &made.body["organisation"]), (201, &json!("so-noi-vu")), "{}", made.body);
        let organisations = call(&house, "get", "/api/v1/organisations", &admin, &Value::Null);
        assert_eq!(organisations.body["items"], json!([{ "id": "so-noi-vu", "users": 3, "projects": 1 }]));
    }

    fn a_device_gets_its_token_once_until_a_day_and_a_revoked_one_opens_nothing(place) {
        let house = House::on(place);
        let token = house.token("giam-sat", Role::Supervisor, Reach::default());
        let path = format!("/api/v1/projects/{}/devices", house.own);
        let at = |days: i64| (Utc::now() + TimeDelta::days(days)).to_rfc3339();
        for wrong in [-1, 1000] {
            let refused = call(&house, "post", &path, &token, &json!({ "name": "Máy", "expires_at": at(wrong) }));
            assert_eq!(code(&refused), (422, "invalid_value"), "{wrong} days");
        }
        let made = call(&house, "post", &path, &token, &json!({ "name": "Máy 7", "code": "ĐTV-07", "expires_at": at(60) }));
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.body);
        let address = made.body["path"].as_str().expect("an address").to_owned();
        let list = || send(&house, "get", &format!("{address}/formList"), &[("X-OpenRosa-Version", "1.0")], b"").status;
        assert_eq!(list(), 200);
        let listed = call(&house, "get", &path, &token, &Value::Null);
        assert_eq!(listed.body["items"][0]["name"], json!("Máy 7"));
        assert!(!listed.body.to_string().contains(made.body["token"].as_str().expect("a token")));
        let one = format!("{path}/{}", made.body["id"]);
        let changed = call(&house, "patch", &one, &token, &json!({ "expires_at": at(1) }));
        assert_eq!(changed.status, 200, "{}", changed.body);
        let device = house.field.read(|db| db.list_app_users(house.own)).expect("devices").remove(0);
        let yesterday = Utc::now() - TimeDelta::days(1);
        house.field.transaction(|db| db.set_app_user_expiry(device.id, yesterday)).expect("set");
        assert_eq!(list(), 403, "a token ends by itself");
        assert_eq!(call(&house, "patch", &one, &token, &json!({ "expires_at": at(1) })).status, 200);
        assert_eq!(list(), 200);
        assert_eq!(call(&house, "delete", &one, &token, &Value::Null).status, 204);
        assert_eq!(list(), 403);
    }

    fn records_are_opened_by_a_second_person_who_proves_it_and_not_for_long(place) {
        let house = House::on(place);
        let survey = survey_under_grant(&house);
        house.token("an", Role::Analyst, Reach::default());
        house.accounts.add("binh", Role::Analyst, Reach::default(), PASSWORD, Utc::now()).expect("added");
        house.token("chi", Role::Administrator, Reach::default());
        let (secret, _) = house.accounts.renew_second_factor("binh").expect("a second factor");
        let now = Utc::now();
        let plain = house.accounts.sign_in("binh", PASSWORD, None, now).expect("signed in").token;
        let path = format!("/api/v1/projects/{survey}/grants");
        let until = |days: u64| (now.date_naive() + Days::new(days)).to_string();
        let body = |login: &str, days: u64, code: &str| {
            json!({ "login": login, "until": until(days), "purpose": "Mã hóa câu mở", "password": PASSWORD, "code": code })
        };
        let fresh = code_of(&secret, now.timestamp() + 30);
        let refused = call(&house, "post", &path, &plain, &body("an", 10, &fresh));
        assert_eq!(code(&refused), (403, "second_factor_needed"));
        // The session grows by a code, under a new token; the old one is gone.
        let first = code_of(&secret, now.timestamp());
        let rotated = call(&house, "post", "/api/v1/sessions/current/rotation", &plain, &json!({ "code": first }));
        assert_eq!((rotated.status, &rotated.body["second_factor"]), (201, &json!(true)), "{}", rotated.body);
        let token = rotated.body["token"].as_str().expect("a token").to_owned();
        assert_eq!(call(&house, "get", "/api/v1/sessions/current", &plain, &Value::Null).status, 401);

        assert_eq!(code(&call(&house, "post", &path, &token, &body("an", 31, &fresh))), (422, "invalid_value"));
        assert_eq!(code(&call(&house, "post", &path, &token, &body("binh", 10, &fresh))), (403, "second_person_needed"));
        assert_eq!(code(&call(&house, "post", &path, &token, &body("chi", 10, &fresh))), (422, "invalid_value"));
        assert_eq!(code(&call(&house, "post", &path, &token, &body("an", 10, &first))), (401, "wrong_credentials"), "a code counts once");
        let given = call(&house, "post", &path, &token, &body("an", 10, &fresh));
        assert_eq!((given.status, &given.body["until"]), (201, &json!(until(10))), "{}", given.body);
        let listed = call(&house, "get", &path, &token, &Value::Null);
        assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));
        let an = house.accounts.sign_in("an", PASSWORD, None, now).expect("signed in").token;
        assert_eq!(house.send("get", &format!("/v1/projects/{survey}/forms/opinion/submissions"), Some(&an), "").0, 200);
    }

    fn the_log_is_read_in_pages_and_a_broken_chain_is_told(place) {
        let house = House::on(place);
        let token = house.token("luu-giu", Role::Custodian, Reach::default());
        for i in 0..5 {
            let entry = house.field.transaction(|db| db.append_audit("ai", "viec", &json!({ "n": i }).to_string(), Utc::now()));
            entry.expect("written");
        }
        let first = call(&house, "get", "/api/v1/log?limit=2", &token, &Value::Null);
        assert_eq!(first.body["next"], json!(2), "{}", first.body);
        let last = call(&house, "get", "/api/v1/log?limit=3&after=2", &token, &Value::Null);
        assert_eq!((&last.body["items"][2]["detail"], &last.body["next"]), (&json!({ "n": 4 }), &Value::Null));
        let head = call(&house, "get", "/api/v1/log/head", &token, &Value::Null);
        assert_eq!((&head.body["whole"], &head.body["head"]), (&json!(true), &last.body["items"][2]["hash"]));
        crate::databases::execute(&place.field_url, "update audit set kind = 'khac' where number = 3");
        let head = call(&house, "get", "/api/v1/log/head", &token, &Value::Null);
        assert_eq!((&head.body["whole"], &head.body["broken_at"]), (&json!(false), &json!(3)));
    }
}
