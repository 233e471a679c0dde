//! Who may do what over the network: every route with every role, projects and organisations, on a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use langnghe::accounts::Accounts;
use langnghe::db::{FieldVault, ProjectKind};
use langnghe::files::FileStore;
use langnghe::intake::{Receiver, Ties};
use langnghe::keys::KeyFolder;
use langnghe::people::{Action, Reach, Role};
use langnghe::web::{self, Running, Site};
use serde_json::{Value, json};

use crate::databases::{Place, TemporaryFolder};

/// Every REST route: method, path, the action that the role must be allowed, what is sent, the status when allowed.
///
/// `None` as action: whoever is signed in. A route of `src/central/mod.rs` without a row here fails the test below.
const ROUTES: [(&str, &str, Option<Action>, &str, u16); 46] = [
    ("get", "/v1/users/current", None, "", 200),
    ("get", "/v1/projects", Some(Action::SeeProject), "", 200),
    ("post", "/v1/projects", Some(Action::CreateProject), r#"{"name": "Diễn tập", "kind": "practice"}"#, 200),
    ("get", "/v1/projects/{project}", Some(Action::SeeProject), "", 200),
    ("get", "/v1/projects/{project}/forms", Some(Action::SeeForms), "", 200),
    // A body that is no form: allowed, and refused for what it is.
    ("post", "/v1/projects/{project}/forms", Some(Action::PublishForm), "{}", 400),
    ("get", "/v1/projects/{project}/forms/{form}.xml", Some(Action::SeeForms), "", 404),
    ("get", "/v1/projects/{project}/forms/{form}", Some(Action::SeeForms), "", 404),
    ("post", "/v1/projects/{project}/forms/{form}/draft", Some(Action::PublishForm), "", 404),
    (
        "post",
        "/v1/projects/{project}/forms/{form}/draft/attachments/{name}",
        Some(Action::PublishForm),
        "",
        404,
    ),
    (
        "post",
        "/v1/projects/{project}/forms/{form}/draft/confirmation",
        Some(Action::PublishForm),
        r#"{"reason": "x"}"#,
        404,
    ),
    ("post", "/v1/projects/{project}/forms/{form}/draft/publish", Some(Action::PublishForm), "", 404),
    ("get", "/v1/projects/{project}/app-users", Some(Action::ManageDevices), "", 200),
    (
        "post",
        "/v1/projects/{project}/app-users",
        Some(Action::ManageDevices),
        r#"{"displayName": "Máy 1"}"#,
        200,
    ),
    ("delete", "/v1/projects/{project}/app-users/{actor}", Some(Action::ManageDevices), "", 404),
    // The wave is a survey: whoever may open its records needs a grant as well.
    ("get", "/v1/projects/{project}/forms/{form}/submissions", Some(Action::OpenRecords), "", 403),
    ("get", "/v1/projects/{project}/forms/{form}/submissions.csv", Some(Action::OpenRecords), "", 403),
    ("get", "/v1/projects/{project}/forms/{form}/submissions.csv.zip", Some(Action::OpenRecords), "", 403),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}.xml",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    ("get", "/v1/projects/{project}/forms/{form}/submissions/{instance}", Some(Action::OpenRecords), "", 403),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/comments",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/attachments",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/attachments/{name}",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/versions",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/versions/{version}.xml",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    (
        "get",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/versions/{version}",
        Some(Action::OpenRecords),
        "",
        403,
    ),
    ("get", "/v1/projects/{project}/forms/{form}.svc", Some(Action::OpenRecords), "", 403),
    ("get", "/v1/projects/{project}/forms/{form}.svc/$metadata", Some(Action::OpenRecords), "", 403),
    ("get", "/v1/projects/{project}/forms/{form}.svc/{table:.*}", Some(Action::OpenRecords), "", 403),
    ("post", "/v1/projects/{project}/forms/{form}/submissions", Some(Action::Submit), "", 400),
    ("put", "/v1/projects/{project}/forms/{form}/submissions/{instance}", Some(Action::Submit), "", 400),
    (
        "patch",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}",
        Some(Action::ManageFieldwork),
        "{}",
        403,
    ),
    (
        "post",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/comments",
        Some(Action::ManageFieldwork),
        "{}",
        403,
    ),
    (
        "post",
        "/v1/projects/{project}/forms/{form}/submissions/{instance}/attachments/{name}",
        Some(Action::Submit),
        "",
        404,
    ),
    (
        "post",
        "/v1/projects/{project}/forms/{form}/assignments/{role}/{actor}",
        Some(Action::ManageDevices),
        "",
        404,
    ),
    ("get", "/v1/projects/{project}/datasets", Some(Action::SeeEntities), "", 200),
    ("post", "/v1/projects/{project}/datasets", Some(Action::ManageEntities), "{}", 400),
    ("get", "/v1/projects/{project}/datasets/{dataset}", Some(Action::SeeEntities), "", 404),
    ("post", "/v1/projects/{project}/datasets/{dataset}/properties", Some(Action::ManageEntities), "{}", 404),
    ("get", "/v1/projects/{project}/datasets/{dataset}/entities", Some(Action::SeeEntities), "", 404),
    ("post", "/v1/projects/{project}/datasets/{dataset}/entities", Some(Action::ManageEntities), "{}", 404),
    ("get", "/v1/projects/{project}/datasets/{dataset}/entities/{uuid}", Some(Action::SeeEntities), "", 404),
    (
        "patch",
        "/v1/projects/{project}/datasets/{dataset}/entities/{uuid}",
        Some(Action::ManageEntities),
        "{}",
        404,
    ),
    (
        "delete",
        "/v1/projects/{project}/datasets/{dataset}/entities/{uuid}",
        Some(Action::ManageEntities),
        "",
        404,
    ),
    ("get", "/v1/projects/{project}/datasets/{dataset}.svc/Entities", Some(Action::SeeEntities), "", 404),
    ("delete", "/v1/sessions/current", None, "", 200),
];
/// Open to whoever is not signed in yet.
const OPEN: [(&str, &str); 2] = [("post", "/v1/sessions"), ("put", "/v1/users/current/password")];

pub const PASSWORD: &str = "trời xanh mây trắng 9";

/// A server with two waves of two organisations.
pub struct House {
    running: Option<Running>,
    pub base: String,
    pub agent: ureq::Agent,
    pub receiver: Arc<Receiver>,
    pub accounts: Accounts,
    pub field: FieldVault,
    pub own: i64,
    pub other: i64,
    /// Keys and files.
    pub folder: TemporaryFolder,
    _place: Option<Place>,
}

impl House {
    /// On SQLite.
    pub fn new() -> Self {
        let place = Place::on_sqlite();
        let mut house = Self::on(&place);
        house._place = Some(place);
        house
    }

    pub fn on(place: &Place) -> Self {
        let folder = TemporaryFolder::new();
        let (field, answers) = (place.field(), place.answers());
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
        let files = FileStore::open(&folder.path().join("files").display().to_string()).expect("a folder");
        let receiver = Arc::new(receiver.with_key_folder(keys).with_files(files));
        let listener = web::listen("127.0.0.1:0").expect("some port is free");
        let running =
            web::start(listener, Arc::clone(&receiver), accounts.clone(), Site(None)).expect("it starts");
        let base = format!("http://{}", running.address);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self {
            running: Some(running),
            base,
            agent,
            receiver,
            accounts,
            field,
            own,
            other,
            folder,
            _place: None,
        }
    }

    /// A token of a new user.
    pub fn token(&self, login: &str, role: Role, reach: Reach) -> String {
        self.accounts.add(login, role, reach, PASSWORD, Utc::now()).expect("the user is added");
        self.accounts.sign_in(login, PASSWORD, None, Utc::now()).expect("they sign in").token
    }

    pub fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
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
    path.replace("{project}", &project.to_string())
        .replace("{actor}", "999999")
        .replace("{form}", "none")
        .replace("{name}", "a.csv")
        .replace("{instance}", "uuid%3Aa")
        .replace("{version}", "uuid%3Ab")
        .replace("{table:.*}", "Submissions")
        .replace("{role}", "2")
        .replace("{dataset}", "villages")
        .replace("{uuid}", "0f4c")
}

#[test]
fn every_route_of_the_source_has_a_row_in_the_table() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/central/mod.rs"))
        .expect("the source is there");
    let mut found = BTreeSet::new();
    for part in source.split(".route(").skip(1) {
        let (_, part) = part.split_once('"').expect("a path in quotation marks");
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
        let elsewhere = Reach { projects: Some(BTreeSet::from([house.other])), ..Reach::default() };
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
fn a_password_from_somebody_else_opens_nothing_but_its_own_change() {
    let house = House::new();
    let token = house.token("lan", Role::Analyst, Reach::default());
    house.accounts.reset("lan", "do người khác cấp 1").expect("reset");
    let body = |old: &str, new: &str| json!({ "email": "lan", "old": old, "new": new }).to_string();
    let change =
        |old: &str, new: &str| house.send("put", "/v1/users/current/password", None, &body(old, new)).0;
    let sign_in = |password: &str| {
        house
            .send("post", "/v1/sessions", None, &json!({ "email": "lan", "password": password }).to_string())
            .0
    };
    assert_eq!(house.send("get", "/v1/users/current", Some(&token), "").0, 401, "the sessions ended");
    assert_eq!(sign_in("do người khác cấp 1"), 401);
    assert_eq!(change("nhầm", "mật khẩu của riêng tôi"), 401);
    assert_eq!(change("do người khác cấp 1", "ngắn"), 400);
    assert_eq!(house.send("put", "/v1/users/current/password", None, "{}").0, 400);
    assert_eq!(change("do người khác cấp 1", "mật khẩu của riêng tôi"), 200);
    assert_eq!(sign_in("mật khẩu của riêng tôi"), 200);
}

#[test]
fn what_cannot_be_read_is_told_in_the_shape_of_odk_central() {
    let house = House::new();
    let token = house.token("thiet-ke", Role::Designer, Reach::default());
    for (method, path, body, code) in [
        ("post", "/v1/sessions", "no JSON", 400.1),
        ("get", "/v1/projects/one", "", 404.1),
        ("post", "/v1/projects", "[", 400.1),
    ] {
        let (status, answer) = house.send(method, path, Some(&token), body);
        assert_eq!(
            (f64::from(status), &answer["code"]),
            (f64::floor(code), &json!(code)),
            "{path}: {answer}"
        );
    }
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
    let code = |secret: &str| {
        let url = format!("{}/v1/key/{secret}/projects/{}/qr.svg", house.base, house.own);
        let mut reply = house.agent.get(&url).call().expect("an answer");
        let cached = reply.headers().get("Cache-Control").is_none_or(|value| value != "no-store");
        (reply.status().as_u16(), cached, reply.body_mut().read_to_string().expect("text"))
    };
    let (status, cached, picture) = code(&secret);
    assert_eq!((status, cached), (200, false), "the picture holds the token");
    assert!(picture.contains("<svg") && picture.matches("h").count() > 400, "{picture}");
    assert_eq!(house.send("delete", &format!("{path}/{}", made["id"]), Some(&token), "").0, 200);
    assert_eq!(list(&secret), 403);
    assert_eq!(code(&secret).0, 403);
    let log = house.field.read(|db| db.verify_audit()).expect("the chain is whole");
    let kinds: Vec<&str> = log.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["device added", "device revoked"]);
}

const FORM: &str = "| survey |\n|  | type | name | label |\n|  | integer | rooms | Số phòng |\n| settings |\n|  | form_id | version | form_title |\n|  | nha | 1 | Nhà |\n";

/// The workbook of a form, with one more question where its wording is to be asked about.
fn workbook(more: &str) -> Vec<u8> {
    let text = FORM.replace("| settings |", &format!("{more}| settings |"));
    let form = surveys::xlsform::read("nha.md", text.as_bytes()).expect("a form").questionnaire;
    surveys::xlsform::write(&form).expect("a workbook")
}

impl House {
    fn send_form(&self, path: &str, token: &str, kind: &str, body: &[u8]) -> (u16, Value) {
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", kind)
            .body(body.to_vec())
            .expect("a request");
        let mut reply = self.agent.run(request).expect("an answer");
        let text = reply.body_mut().read_to_string().expect("text");
        (reply.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

#[test]
fn a_workbook_is_sent_drafted_published_and_served_to_devices() {
    let house = House::new();
    let token = house.token("thiet-ke", Role::Designer, Reach::default());
    let base = format!("/v1/projects/{}/forms", house.own);
    let (status, made) =
        house.send_form(&format!("{base}?publish=True&ignoreWarnings=True"), &token, XLSX, &workbook(""));
    assert_eq!((status, &made["xmlFormId"], &made["version"]), (200, &json!("nha"), &json!("1")), "{made}");
    assert_ne!(made["publishedAt"], Value::Null);
    // A form of half a megabyte is nothing unusual: long lists of communes.
    let rows: String =
        (0..6000).map(|i| format!("|  | note | n{i} | {} |\n", "Ghi chú dài ".repeat(8))).collect();
    let (status, large) =
        house.send_form(&format!("{base}?ignoreWarnings=True"), &token, "application/xml", &{
            let text = FORM
                .replace("| settings |", &format!("{rows}| settings |"))
                .replace("| nha |", "| nha_lon |");
            let form = surveys::xlsform::read("nha.md", text.as_bytes()).expect("a form").questionnaire;
            surveys::xform::write(&form).expect("an XForm").into_bytes()
        });
    assert_eq!((status, &large["xmlFormId"]), (200, &json!("nha_lon")), "{large}");
    let (status, again) = house.send_form(&format!("{base}?publish=True"), &token, XLSX, &workbook(""));
    assert_eq!((status, &again["code"]), (409, &json!(409.3)));

    // The next version: a copy of the published one, published under another name.
    assert_eq!(house.send("post", &format!("{base}/nha/draft"), Some(&token), "").0, 200);
    let (status, file) =
        house.send("post", &format!("{base}/nha/draft/attachments/xa.csv"), Some(&token), "a,b");
    assert_eq!((status, &file["exists"]), (200, &json!(true)));
    let publish =
        |query: &str| house.send("post", &format!("{base}/nha/draft/publish{query}"), Some(&token), "");
    let (status, taken) = publish("");
    assert_eq!((status, &taken["code"]), (409, &json!(409.6)), "the version was published already");
    assert_eq!(publish("?version=2").0, 200);
    let (_, form) = house.send("get", &format!("{base}/nha"), Some(&token), "");
    assert_eq!(form["version"], json!("2"));

    let device = "x".repeat(64);
    let added = house.field.transaction(|db| db.create_app_user(house.own, "Máy", None, &device, Utc::now()));
    added.expect("a device");
    let list = house
        .agent
        .get(&format!("{}/v1/key/{device}/projects/{}/formList", house.base, house.own))
        .header("X-OpenRosa-Version", "1.0")
        .call()
        .expect("an answer")
        .body_mut()
        .read_to_string()
        .expect("text");
    assert!(list.contains("<version>2</version>") && list.contains("manifestUrl"), "{list}");
}

#[test]
fn wording_of_rule_8_waits_for_a_second_person_and_a_photograph_is_refused() {
    let house = House::new();
    let token = house.token("thiet-ke", Role::Designer, Reach::default());
    let second = house.token("nguoi-thu-hai", Role::Designer, Reach::default());
    let base = format!("/v1/projects/{}/forms", house.own);
    let create = |more: &str, publish: &str| {
        house.send_form(
            &format!("{base}?publish={publish}&ignoreWarnings=True"),
            &token,
            XLSX,
            &workbook(more),
        )
    };
    let (status, refused) = create("|  | image | anh | Ảnh nhà |\n", "True");
    assert_eq!((status, &refused["code"]), (400, &json!(400.15)), "{refused}");
    let asks = "|  | text | ten | Họ và tên của ông/bà |\n";
    let (status, unconfirmed) = create(asks, "True");
    assert_eq!((status, &unconfirmed["details"]["reason"]), (409, &json!("wording_needs_confirmation")));

    assert_eq!(create(asks, "False").0, 200);
    let confirm = |token: &str| {
        let reason = r#"{"reason": "Tên thôn, không phải tên người"}"#;
        house.send("post", &format!("{base}/nha/draft/confirmation"), Some(token), reason).0
    };
    let publish = || house.send("post", &format!("{base}/nha/draft/publish"), Some(&token), "").0;
    assert_eq!(publish(), 409);
    assert_eq!(confirm(&token), 403, "nobody confirms their own draft");
    assert_eq!(publish(), 409);
    assert_eq!(confirm(&second), 200);
    assert_eq!(publish(), 200);
    let kinds: Vec<String> = house
        .field
        .read(|db| db.verify_audit())
        .expect("the chain is whole")
        .into_iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(kinds, ["wording confirmed", "form published"]);
}

#[test]
fn an_xform_is_served_byte_for_byte_and_what_is_no_form_is_told_with_its_problems() {
    let house = House::new();
    let token = house.token("thiet-ke", Role::Designer, Reach::default());
    let base = format!("/v1/projects/{}/forms", house.own);
    let form = surveys::xlsform::read("nha.md", FORM.as_bytes()).expect("a form").questionnaire;
    let xml =
        surveys::xform::write(&form).expect("an XForm").replace("<h:head>", "<h:head>\n<!-- của ta -->");
    let (status, made) =
        house.send_form(&format!("{base}?publish=true"), &token, "application/xml", xml.as_bytes());
    assert_eq!(status, 200, "{made}");
    let bearer = format!("Bearer {token}");
    let served =
        house.agent.get(&format!("{}{base}/nha.xml", house.base)).header("Authorization", &bearer).call();
    assert_eq!(served.expect("an answer").body_mut().read_to_string().expect("text"), xml);

    let (status, problem) = house.send_form(&base, &token, XLSX, b"no workbook");
    assert_eq!((status, &problem["code"]), (400, &json!(400.15)), "{problem}");
    assert!(problem["details"]["error"].as_str().is_some_and(|error| !error.is_empty()));
    assert_eq!(house.send_form(&base, &token, "text/plain", b"a").0, 400);
}
