//! Who may do what over the network: every route with every role, projects and organisations, on a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use langnghe::accounts::Accounts;
use langnghe::db::{AnswerVault, FieldVault, ProjectKind};
use langnghe::intake::{Receiver, Ties};
use langnghe::keys::KeyFolder;
use langnghe::people::{Action, Reach, Role};
use langnghe::web::{self, Running, Site};
use serde_json::{Value, json};

use crate::databases::TemporaryFolder;

/// Every REST route: method, path, the action that the role must be allowed, what is sent, the status when allowed.
///
/// `None` as action: whoever is signed in. A route of `src/central/mod.rs` without a row here fails the test below.
const ROUTES: [(&str, &str, Option<Action>, &str, u16); 8] = [
    ("get", "/v1/users/current", None, "", 200),
    ("get", "/v1/projects", Some(Action::SeeProject), "", 200),
    ("post", "/v1/projects", Some(Action::CreateProject), r#"{"name": "Diễn tập", "kind": "practice"}"#, 200),
    ("get", "/v1/projects/{project}", Some(Action::SeeProject), "", 200),
    ("get", "/v1/projects/{project}/app-users", Some(Action::ManageDevices), "", 200),
    ("post", "/v1/projects/{project}/app-users", Some(Action::ManageDevices), r#"{"displayName": "Máy 1"}"#, 200),
    ("delete", "/v1/projects/{project}/app-users/{actor}", Some(Action::ManageDevices), "", 404),
    ("delete", "/v1/sessions/current", None, "", 200),
];
/// Open to whoever is not signed in yet.
const OPEN: [(&str, &str); 1] = [("post", "/v1/sessions")];

const PASSWORD: &str = "trời xanh mây trắng 9";

/// A server with two waves of two organisations.
pub struct House {
    running: Option<Running>,
    base: String,
    agent: ureq::Agent,
    pub accounts: Accounts,
    pub field: FieldVault,
    own: i64,
    other: i64,
    _folder: TemporaryFolder,
}

impl House {
    pub fn new() -> Self {
        let folder = TemporaryFolder::new();
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let field = FieldVault::open(&url("field.db")).expect("the field vault opens");
        let answers = AnswerVault::open(&url("answers.db")).expect("the answer vault opens");
        let keys = KeyFolder::open(folder.path().join("keys")).expect("the key folder opens");
        let wave = |name: &str, organisation: &str| {
            field
                .transaction(|db| {
                    let project = db.create_project(name, ProjectKind::Survey, Utc::now())?;
                    db.set_project_organisation(project.id, organisation)?;
                    Ok::<_, langnghe::db::Error>(project.id)
                })
                .expect("a wave")
        };
        let (own, other) = (wave("Của ta", "so-noi-vu"), wave("Của người khác", "doan-the"));
        let accounts = Accounts::new(field.clone(), Arc::new(keys.installation().expect("a key")));
        let receiver = Receiver::new(field.clone(), answers, std::collections::HashMap::new(), Ties::Random);
        let receiver = Arc::new(receiver.with_key_folder(keys));
        let listener = web::listen("127.0.0.1:0").expect("some port is free");
        let running = web::start(listener, receiver, accounts.clone(), Site(None)).expect("it starts");
        let base = format!("http://{}", running.address);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self { running: Some(running), base, agent, accounts, field, own, other, _folder: folder }
    }

    /// A token of a new user.
    fn token(&self, login: &str, role: Role, reach: Reach) -> String {
        self.accounts.add(login, role, reach, PASSWORD, Utc::now()).expect("the user is added");
        self.accounts.sign_in(login, PASSWORD, None, Utc::now()).expect("they sign in").token
    }

    fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut request = ureq::http::Request::builder().method(method.to_uppercase().as_str()).uri(&url);
        if let Some(bearer) = &bearer {
            request = request.header("Authorization", bearer);
        }
        let request = request.header("Content-Type", "application/json").body(body.to_owned());
        let mut reply = self.agent.run(request.expect("a request")).expect("the server answers");
        let text = reply.body_mut().read_to_string().expect("text");
        (reply.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("it stops");
        }
    }
}

fn filled(path: &str, project: i64) -> String {
    path.replace("{project}", &project.to_string()).replace("{actor}", "999999")
}

#[test]
fn every_route_of_the_source_has_a_row_in_the_table() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/central/mod.rs"))
        .expect("the source is there");
    let mut found = BTreeSet::new();
    for part in source.split(".route(\"").skip(1) {
        let (path, rest) = part.split_once('"').expect("a path in quotation marks");
        let method = rest.split("web::").nth(1).and_then(|m| m.split('(').next()).expect("a method");
        found.insert((method.to_owned(), path.to_owned()));
    }
    let known: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|(method, path, ..)| (*method, *path))
        .chain(OPEN)
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn every_route_asks_for_the_role_the_project_and_the_organisation() {
    let house = House::new();
    let at_home = || Reach { organisation: Some("so-noi-vu".to_owned()), ..Reach::default() };
    for role in Role::ALL {
        let token = house.token(role.name(), role, at_home());
        let elsewhere =
            Reach { projects: Some(BTreeSet::from([house.other])), ..Reach::default() };
        let stranger = house.token(&format!("{}-elsewhere", role.name()), role, elsewhere);
        for (method, path, action, body, expected) in ROUTES {
            if path == "/v1/sessions/current" {
                continue;
            }
            let allowed = action.is_none_or(|action| role.may(action));
            let (status, answer) = house.send(method, &filled(path, house.own), Some(&token), body);
            let wanted = if allowed { expected } else { 403 };
            assert_eq!(status, wanted, "{} {method} {path}: {answer}", role.name());
            assert_eq!(house.send(method, &filled(path, house.own), None, body).0, 401, "{method} {path}");
            if path.contains("{project}") {
                // Not given this project, or of another organisation: as if it were not there.
                let wanted = if allowed { 404 } else { 403 };
                let (status, answer) = house.send(method, &filled(path, house.own), Some(&stranger), body);
                assert_eq!(status, wanted, "stranger {} {method} {path}: {answer}", role.name());
                let (status, answer) = house.send(method, &filled(path, house.other), Some(&token), body);
                assert_eq!(status, wanted, "other house {} {method} {path}: {answer}", role.name());
            }
        }
        let (_, listed) = house.send("get", "/v1/projects", Some(&token), "");
        for project in listed.as_array().into_iter().flatten() {
            assert_ne!(project["id"], json!(house.other), "{}", role.name());
        }
    }
}

#[test]
fn signing_in_gives_a_token_that_ends_with_signing_out() {
    let house = House::new();
    house.token("lan", Role::Supervisor, Reach::default());
    let right = json!({ "email": "Lan", "password": PASSWORD }).to_string();
    let (status, session) = house.send("post", "/v1/sessions", None, &right);
    assert_eq!(status, 200, "{session}");
    let token = session["token"].as_str().expect("a token").to_owned();
    assert_eq!(token.len(), 64);
    let (status, user) = house.send("get", "/v1/users/current", Some(&token), "");
    assert_eq!((status, &user["email"], &user["type"]), (200, &json!("lan"), &json!("user")));
    assert_eq!(house.send("delete", "/v1/sessions/current", Some(&token), "").0, 200);
    let (status, refused) = house.send("get", "/v1/users/current", Some(&token), "");
    assert_eq!((status, &refused["code"]), (401, &json!(401.2)));
}

#[test]
fn a_wrong_password_an_unknown_login_and_missing_fields_are_told_apart_only_where_it_helps_nobody() {
    let house = House::new();
    house.token("lan", Role::Analyst, Reach::default());
    let attempt = |login: &str, password: &str| {
        house.send("post", "/v1/sessions", None, &json!({ "email": login, "password": password }).to_string())
    };
    assert_eq!(attempt("lan", "wrong"), attempt("nobody", "wrong"));
    assert_eq!(attempt("lan", "wrong").0, 401);
    let (status, missing) = house.send("post", "/v1/sessions", None, "{}");
    assert_eq!((status, &missing["code"]), (400, &json!(400.3)));
}

#[test]
fn a_device_gets_its_token_once_and_a_revoked_one_opens_nothing() {
    let house = House::new();
    let token = house.token("giam-sat", Role::Supervisor, Reach::default());
    let path = format!("/v1/projects/{}/app-users", house.own);
    let (_, made) = house.send("post", &path, Some(&token), r#"{"displayName": "Máy 7", "code": "ĐTV-07"}"#);
    let secret = made["token"].as_str().expect("a token").to_owned();
    let (_, listed) = house.send("get", &path, Some(&token), "");
    assert_eq!(listed[0]["displayName"], json!("Máy 7"));
    assert_eq!(listed[0]["token"], Value::Null, "a token is shown once");
    let list = |secret: &str| {
        let url = format!("{}/v1/key/{secret}/projects/{}/formList", house.base, house.own);
        house.agent.get(&url).header("X-OpenRosa-Version", "1.0").call().expect("an answer").status().as_u16()
    };
    assert_eq!(list(&secret), 200);
    assert_eq!(house.send("delete", &format!("{path}/{}", made["id"]), Some(&token), "").0, 200);
    assert_eq!(list(&secret), 403);
    let log = house.field.read(|db| db.verify_audit()).expect("the chain is whole");
    let kinds: Vec<&str> = log.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["device added", "device revoked"]);
}
