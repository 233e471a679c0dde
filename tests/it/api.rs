//! The API under `/api/v1`: sessions, refusals with their codes, and what each noun does.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use langnghe::people::{Reach, Role};
use serde_json::{Value, json};

use crate::databases::on_both_backends;
use crate::rights::{House, PASSWORD};

/// An answer with its headers.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Sends a body of any kind.
pub fn send(house: &House, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = ureq::http::Request::builder()
        .method(method.to_uppercase().as_str())
        .uri(format!("{}{path}", house.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .build()
        .into();
    let request = request.body(body.to_vec()).expect("a request");
    let mut reply = agent.run(request).expect("the server answers");
    let text = reply.body_mut().read_to_string().expect("text");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status: reply.status().as_u16(), headers: reply.headers().clone(), body }
}

/// Sends JSON with a token.
pub fn call(house: &House, method: &str, path: &str, token: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    match body {
        Value::Null => send(house, method, path, &headers[..1], b""),
        body => send(house, method, path, &headers, body.to_string().as_bytes()),
    }
}

on_both_backends! {
    fn a_token_is_rotated_ends_with_signing_out_and_lasts_no_longer_for_it(place) {
        let house = House::on(place);
        house.accounts.add("lan", Role::Supervisor, Reach::default(), PASSWORD, Utc::now()).expect("added");
        let given = json!({ "login": "Lan", "password": PASSWORD }).to_string();
        let made = send(&house, "post", "/api/v1/sessions", &[("Content-Type", "application/json")], given.as_bytes());
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.body);
        let first = made.body["token"].as_str().expect("a token").to_owned();
        let who = call(&house, "get", "/api/v1/sessions/current", &first, &Value::Null);
        assert_eq!((who.status, &who.body["login"], &who.body["role"]), (200, &json!("lan"), &json!("supervisor")));

        let fresh = call(&house, "post", "/api/v1/sessions/current/rotation", &first, &json!({}));
        assert_eq!(fresh.status, 201, "{}", fresh.body);
        let second = fresh.body["token"].as_str().expect("a token").to_owned();
        assert_ne!(first, second);
        assert_eq!(fresh.body["expires_at"], made.body["expires_at"], "it lasts no longer");
        let old = call(&house, "get", "/api/v1/sessions/current", &first, &Value::Null);
        assert_eq!((old.status, old.code()), (401, "not_signed_in"));
        assert_eq!(old.header("www-authenticate"), "Bearer realm=\"langnghe\"");
        let again = call(&house, "post", "/api/v1/sessions/current/rotation", &first, &json!({}));
        assert_eq!(again.status, 401, "an old token makes no new one");

        assert_eq!(call(&house, "delete", "/api/v1/sessions/current", &second, &Value::Null).status, 204);
        assert_eq!(call(&house, "get", "/api/v1/sessions/current", &second, &Value::Null).status, 401);
    }

    fn a_session_ends_after_a_day_whatever_is_done_with_it(place) {
        let house = House::on(place);
        house.accounts.add("lan", Role::Viewer, Reach::default(), PASSWORD, Utc::now()).expect("added");
        let begun = Utc::now() - TimeDelta::hours(23);
        let session = house.accounts.sign_in("lan", PASSWORD, None, begun).expect("signed in");
        let rotated = house.accounts.rotate(&session.token, None, Utc::now()).expect("rotated");
        let who = |token: &str| call(&house, "get", "/api/v1/sessions/current", token, &Value::Null).status;
        assert_eq!(who(&rotated.token), 200);
        let tomorrow = Utc::now() + TimeDelta::hours(2);
        assert!(house.accounts.find_person(&rotated.token, tomorrow).expect("asked").is_none());
        let begun = Utc::now() - TimeDelta::hours(25);
        let ended = house.accounts.sign_in("lan", PASSWORD, None, begun).expect("signed in");
        assert_eq!(who(&ended.token), 401);
    }

    fn five_wrong_passwords_lock_an_account_and_the_right_one_does_not_help(place) {
        let house = House::on(place);
        house.accounts.add("lan", Role::Viewer, Reach::default(), PASSWORD, Utc::now()).expect("added");
        let attempt = |password: &str| {
            let given = json!({ "login": "lan", "password": password }).to_string();
            send(&house, "post", "/api/v1/sessions", &[("Content-Type", "application/json")], given.as_bytes())
        };
        let wrong = attempt("nhầm rồi");
        assert_eq!((wrong.status, wrong.code()), (401, "wrong_credentials"));
        for _ in 0..4 {
            assert_eq!(attempt("nhầm rồi").status, 401);
        }
        let right = attempt(PASSWORD);
        assert_eq!((right.status, &right.body), (401, &wrong.body), "locked looks like wrong");
    }

    fn waves_are_listed_in_pages_made_and_changed(place) {
        let house = House::on(place);
        let token = house.token("thiet-ke", Role::Designer, Reach::default());
        for name in ["Diễn tập 1", "Diễn tập 2"] {
            let made = call(&house, "post", "/api/v1/projects", &token, &json!({ "name": name, "kind": "practice" }));
            assert_eq!((made.status, &made.body["has_key"]), (201, &json!(true)), "{}", made.body);
        }
        let first = call(&house, "get", "/api/v1/projects?limit=3", &token, &Value::Null);
        assert_eq!(first.body["items"].as_array().map(Vec::len), Some(3));
        let next = first.body["next"].as_i64().expect("there is more");
        let last = call(&house, "get", &format!("/api/v1/projects?limit=3&after={next}"), &token, &Value::Null);
        assert_eq!(last.body["items"].as_array().map(Vec::len), Some(1));
        assert_eq!((&last.body["items"][0]["name"], &last.body["next"]), (&json!("Diễn tập 2"), &Value::Null));

        let path = format!("/api/v1/projects/{}", house.own);
        let known = call(&house, "get", &path, &token, &Value::Null);
        let tag = known.header("etag").to_owned();
        let bearer = format!("Bearer {token}");
        let ask = |tag: &str| send(&house, "get", &path, &[("Authorization", &bearer), ("If-None-Match", tag)], b"").status;
        assert_eq!(ask(&tag), 304);
        let renamed = call(&house, "patch", &path, &token, &json!({ "name": "Khảo sát 2026" }));
        assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Khảo sát 2026")), "{}", renamed.body);
        assert_eq!(renamed.body["organisation"], json!("so-noi-vu"));
        assert_eq!(ask(&tag), 200, "what changed has another tag");
    }

    fn whatever_is_wrong_with_a_request_is_told_with_a_code(place) {
        let house = House::on(place);
        let token = house.token("thiet-ke", Role::Designer, Reach::default());
        let bearer = format!("Bearer {token}");
        let json = "application/json";
        let large = format!(r#"{{"name": "{}"}}"#, "a".repeat(70_000));
        let long = format!(r#"{{"name": "{}"}}"#, "a".repeat(201));
        // Method, path, content type, body; status and code of the refusal.
        type Refused<'a> = (&'a str, &'a str, &'a str, &'a [u8], u16, &'a str);
        let cases: [Refused; 19] = [
            ("post", "/api/v1/projects", json, b"{", 400, "unreadable_request"),
            ("post", "/api/v1/projects", json, b"", 400, "unreadable_request"),
            ("post", "/api/v1/projects", json, b"{\"name\": \"\xff\xfe\"}", 400, "unreadable_request"),
            ("post", "/api/v1/projects", json, br#"["a"]"#, 422, "invalid_body"),
            ("post", "/api/v1/projects", json, b"[", 400, "unreadable_request"),
            ("post", "/api/v1/projects", json, br#"{"name": 1}"#, 422, "invalid_body"),
            ("post", "/api/v1/projects", json, br#"{"name": "a", "colour": 1}"#, 422, "invalid_body"),
            ("post", "/api/v1/projects", json, br#"{"name": "a", "kind": "census"}"#, 422, "invalid_body"),
            ("post", "/api/v1/projects", json, br#"{"name": "  "}"#, 422, "invalid_value"),
            ("post", "/api/v1/projects", json, br#"{"name": "a\u0000b"}"#, 422, "invalid_value"),
            ("post", "/api/v1/projects", json, long.as_bytes(), 422, "invalid_value"),
            ("post", "/api/v1/projects", json, large.as_bytes(), 413, "too_large"),
            ("post", "/api/v1/projects", "text/plain", br#"{"name": "a"}"#, 415, "wrong_content_type"),
            ("get", "/api/v1/projects?limit=0", json, b"", 400, "invalid_query"),
            ("get", "/api/v1/projects?limit=ten", json, b"", 400, "invalid_query"),
            ("get", "/api/v1/projects?colour=1", json, b"", 400, "invalid_query"),
            ("get", "/api/v1/projects/one", json, b"", 404, "not_found"),
            ("get", "/api/v1/nowhere", json, b"", 404, "not_found"),
            ("put", "/api/v1/projects", json, b"{}", 405, "method_not_allowed"),
        ];
        for (method, path, kind, body, status, code) in cases {
            let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
            let reply = send(&house, method, path, &headers, body);
            assert_eq!((reply.status, reply.code()), (status, code), "{method} {path}: {}", reply.body);
            assert_eq!(reply.header("content-type"), "application/problem+json", "{method} {path}");
            assert_eq!(reply.body["type"], json!(format!("urn:langnghe:problem:{code}")));
            assert_eq!(reply.body["status"], json!(status));
        }
        assert_eq!(send(&house, "put", "/api/v1/projects", &[], b"").header("allow"), "GET, POST");
        let basic = [("Authorization", "Basic dGhpZXQta2U6beG6rXQ=")];
        assert_eq!(send(&house, "get", "/api/v1/projects", &basic, b"").status, 401, "bearer tokens alone");
    }
}

#[test]
fn the_table_of_codes_in_the_documentation_is_the_one_of_the_program() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).expect("the page");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let status = cells.next()?.parse().ok()?;
        Some((cells.next()?.trim_matches('`').to_owned(), status))
    });
    let told: BTreeSet<(String, u16)> = rows.collect();
    let known: BTreeSet<(String, u16)> =
        langnghe::api::codes().into_iter().map(|(name, status)| (name.to_owned(), status)).collect();
    assert_eq!(told, known);
}
