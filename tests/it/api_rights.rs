//! Who may do what over `/api/v1`: every route with every role, project, organisation and area, on a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::Utc;
use langnghe::db::{CaseRole, NewCase, NewForm};
use langnghe::people::{Action, AreaRef, Reach, Role};
use serde_json::Value;

use crate::databases::xform;
use crate::rights::House;

/// One operation of the API.
struct Row {
    method: &'static str,
    /// Below `/api/v1`.
    path: &'static str,
    who: Who,
    body: &'static str,
    /// The status for whoever is allowed.
    status: u16,
}

enum Who {
    /// Whoever is not signed in yet.
    Anybody,
    SignedIn,
    /// A role that may do this, in this project where the path names one.
    May(Action),
    /// The same, with something of it in the person's area.
    InArea(Action),
    /// A role that may do this on the whole installation: nobody who is limited to an area or to projects.
    Everywhere(Action),
}

const fn row(method: &'static str, path: &'static str, who: Who, body: &'static str, status: u16) -> Row {
    Row { method, path, who, body, status }
}

/// A route of `src/api/mod.rs` or an operation of the description without a row here fails the test below.
fn rows() -> Vec<Row> {
    use Who::{Anybody, Everywhere, InArea, May, SignedIn};
    vec![
        row("get", "/openapi.json", Anybody, "", 200),
        row("post", "/sessions", Anybody, r#"{"login": "nobody", "password": "x"}"#, 401),
        row("put", "/password", Anybody, r#"{"login": "nobody", "old": "x", "new": "y"}"#, 401),
        row("get", "/sessions/current", SignedIn, "", 200),
        // A code without a second factor: signed in, and refused for what was sent.
        row("post", "/sessions/current/rotation", SignedIn, r#"{"code": 1}"#, 422),
        row("delete", "/sessions/current", SignedIn, "", 204),
        row("get", "/projects", May(Action::SeeProject), "", 200),
        row(
            "post",
            "/projects",
            May(Action::CreateProject),
            r#"{"name": "Diễn tập", "kind": "practice"}"#,
            201,
        ),
        row("get", "/projects/{project}", May(Action::SeeProject), "", 200),
        row("patch", "/projects/{project}", May(Action::CreateProject), "{}", 200),
        row("get", "/projects/{project}/keys", May(Action::SeeForms), "", 200),
        row("get", "/projects/{project}/snapshots", May(Action::SeeFigures), "", 200),
        row("get", "/users", Everywhere(Action::ManageUsers), "", 200),
        // A password that is too short: allowed, and refused for what it is.
        row(
            "post",
            "/users",
            Everywhere(Action::ManageUsers),
            r#"{"login": "moi", "role": "viewer", "password": "x"}"#,
            422,
        ),
        row("get", "/users/{user}", Everywhere(Action::ManageUsers), "", 404),
        row("post", "/users/{user}/disable", Everywhere(Action::ManageUsers), "", 404),
        row("post", "/users/{user}/reset", Everywhere(Action::ManageUsers), r#"{"password": "x"}"#, 404),
        row("get", "/organisations", Everywhere(Action::ManageUsers), "", 200),
        row("get", "/log", Everywhere(Action::ReadLog), "", 200),
        row("get", "/log/head", Everywhere(Action::ReadLog), "", 200),
        row("get", "/projects/{project}/devices", May(Action::ManageDevices), "", 200),
        row("post", "/projects/{project}/devices", May(Action::ManageDevices), r#"{"name": "Máy 1"}"#, 201),
        row(
            "patch",
            "/projects/{project}/devices/{device}",
            May(Action::ManageDevices),
            r#"{"expires_at": "2000-01-01T00:00:00Z"}"#,
            422,
        ),
        row("delete", "/projects/{project}/devices/{device}", May(Action::ManageDevices), "", 404),
        row("get", "/projects/{project}/grants", May(Action::OpenRecords), "", 200),
        // Nobody here proved a second factor when they signed in.
        row("post", "/projects/{project}/grants", May(Action::ApproveGrant), "{}", 403),
        row("get", "/projects/{project}/forms", May(Action::SeeForms), "", 200),
        row("post", "/projects/{project}/forms", May(Action::PublishForm), "{}", 415),
        row("post", "/projects/{project}/form-checks", May(Action::PublishForm), "{}", 415),
        row("get", "/projects/{project}/forms/{form}", May(Action::SeeForms), "", 200),
        row("delete", "/projects/{project}/forms/{form}/draft", May(Action::PublishForm), "", 404),
        row(
            "post",
            "/projects/{project}/forms/{form}/draft/confirmation",
            May(Action::PublishForm),
            r#"{"reason": "x"}"#,
            404,
        ),
        row(
            "post",
            "/projects/{project}/forms/{form}/draft/publication",
            May(Action::PublishForm),
            "{}",
            404,
        ),
        row("get", "/projects/{project}/forms/{form}/quality", InArea(Action::SeeFieldwork), "", 200),
        row("get", "/projects/{project}/progress", InArea(Action::SeeFieldwork), "", 200),
        row("get", "/projects/{project}/teams", InArea(Action::SeeFieldwork), "", 200),
        row("get", "/projects/{project}/ledger", InArea(Action::SeeFieldwork), "", 200),
        row("get", "/projects/{project}/back-checks", Everywhere(Action::SeeFieldwork), "", 200),
        // Allowed, and refused for what it is: a text as a seed, a village without a number.
        row(
            "post",
            "/projects/{project}/assignment",
            Everywhere(Action::ManageFieldwork),
            r#"{"seed": "x"}"#,
            422,
        ),
        row(
            "post",
            "/projects/{project}/reserves",
            InArea(Action::ManageFieldwork),
            r#"{"village": "Bản"}"#,
            422,
        ),
    ]
}

fn pairs(rows: &[Row]) -> BTreeSet<(String, String)> {
    rows.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect()
}

#[test]
fn every_route_of_the_api_is_described_and_has_a_row() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/mod.rs"))
        .expect("the source is there");
    let mut routes = BTreeSet::new();
    for part in source.split(".service(at(").skip(1) {
        let (_, part) = part.split_once('"').expect("a path in quotation marks");
        let (path, rest) = part.split_once('"').expect("a path in quotation marks");
        for method in rest.split("Method::").skip(1) {
            let name: String = method.chars().take_while(char::is_ascii_uppercase).collect();
            let handler = method.split("web::").nth(1).and_then(|m| m.split('(').next()).expect("a method");
            assert_eq!(name.to_lowercase(), handler, "{path}");
            routes.insert((handler.to_owned(), path.to_owned()));
        }
    }
    assert_eq!(routes, pairs(&rows()), "routes of the source, and rows");

    let house = House::new();
    let (status, document) = house.send("get", "/api/v1/openapi.json", None, "");
    assert_eq!(status, 200);
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let path = path.strip_prefix("/api/v1").expect("below the base");
        for (method, operation) in item.as_object().expect("operations") {
            assert!(operation["responses"].as_object().is_some_and(|all| all.len() > 1), "{method} {path}");
            described.insert((method.clone(), path.to_owned()));
        }
    }
    assert_eq!(described, routes, "operations of the description, and routes of the source");
}

fn filled(path: &str, project: i64) -> String {
    let path = path
        .replace("{project}", &project.to_string())
        .replace("{device}", "999999")
        .replace("{user}", "999999")
        .replace("{form}", "opinion");
    format!("/api/v1{path}")
}

/// The province that both waves lie in, and another.
fn areas() -> [AreaRef; 2] {
    let today = Utc::now().date_naive();
    ["province:08", "province:01"].map(|text| AreaRef::read(text, today).expect("a province"))
}

/// Gives the own wave a key, a form and a dwelling in a commune of the province.
pub fn wave_with_a_case(house: &House) {
    house.receiver.make_key(house.own).expect("a key");
    let case = NewCase {
        village: "Bản".into(),
        commune: "00691".into(),
        district: "024".into(),
        household: Some(1),
        stratum: "A".into(),
        drawn_order: 1,
        probability_1: 0.5,
        probability_2: Some(0.1),
        role: CaseRole::Main,
        assigned_to: None,
        sampling: serde_json::json!({
            "reporting_area": "024",
            "design": {
                "stratum": "A", "variance_stratum": "A", "variance_psu": "Bản", "area": "024",
                "village_majority": "08", "before": 0.5, "listed": 10, "main": 1,
            },
        })
        .to_string(),
    };
    let form = NewForm {
        project: house.own,
        form_id: "opinion".into(),
        version: "1".into(),
        title: "Ý kiến".into(),
        xml: xform("| text | q1 | Q1 |"),
        workbook: None,
        files: Vec::new(),
        confirmation: None,
    };
    let stored = house.field.transaction(|db| {
        db.create_cases(house.own, vec![case])?;
        db.publish_form(form, Utc::now())
    });
    stored.expect("stored");
}

#[test]
fn every_route_of_the_api_asks_for_the_role_the_project_the_organisation_and_the_area() {
    let house = House::new();
    let other = house.other;
    wave_with_a_case(&house);
    let [within, outside] = areas();
    for role in Role::ALL {
        let token = |name: &str, reach: Reach| house.token(&format!("{}-{name}", role.name()), role, reach);
        let at_home = token("home", Reach { organisation: Some("so-noi-vu".into()), ..Reach::default() });
        let elsewhere =
            token("elsewhere", Reach { projects: Some(BTreeSet::from([other])), ..Reach::default() });
        let in_area = token("within", Reach { area: Some(within.clone()), ..Reach::default() });
        let out_of_area = token("outside", Reach { area: Some(outside.clone()), ..Reach::default() });
        for Row { method, path, who, body, status } in rows() {
            // Asked last: nobody is signed in after it.
            if (method, path) == ("delete", "/sessions/current") {
                continue;
            }
            let check = |name: &str, token: Option<&str>, project: i64, wanted: u16| {
                let (got, answer) = house.send(method, &filled(path, project), token, body);
                assert_eq!(got, wanted, "{} {name} {method} {path}: {answer}", role.name());
                if got >= 400 {
                    assert!(answer["code"].is_string(), "{method} {path}: {answer}");
                }
                answer
            };
            let (action, everywhere) = match who {
                Who::Anybody => {
                    check("nobody", None, house.own, status);
                    continue;
                }
                Who::SignedIn => (None, false),
                Who::May(action) | Who::InArea(action) => (Some(action), false),
                Who::Everywhere(action) => (Some(action), true),
            };
            let by_area = matches!(who, Who::InArea(_));
            let allowed = action.is_none_or(|action| role.may(action));
            let when = |allowed: bool, wanted: u16| if allowed { wanted } else { 403 };
            check("nobody", None, house.own, 401);
            check("at home", Some(&at_home), house.own, when(allowed, status));
            if path.contains("{project}") {
                // Not given this project, or of another organisation: as if it were not there. Where the second factor
                // is missing, nothing is said of the project at all.
                let hidden = if status == 403 { 403 } else { 404 };
                check("elsewhere", Some(&elsewhere), house.own, when(allowed, hidden));
                check("other house", Some(&at_home), other, when(allowed, hidden));
            } else {
                check("elsewhere", Some(&elsewhere), house.own, when(allowed && !everywhere, status));
            }
            // The province that holds the wave, and one that holds nothing of it.
            check("within", Some(&in_area), house.own, when(allowed && !everywhere, status));
            check("outside", Some(&out_of_area), house.own, when(allowed && !everywhere && !by_area, status));
        }
        let (_, listed) = house.send("get", "/api/v1/projects", Some(&at_home), "");
        let ids = listed["items"].as_array().into_iter().flatten().map(|wave| wave["id"].as_i64());
        assert!(ids.clone().all(|id| id != Some(other)), "{}: {listed}", role.name());
        let (status, _) = house.send("delete", "/api/v1/sessions/current", Some(&at_home), "");
        assert_eq!(status, 204);
        assert_eq!(house.send("get", "/api/v1/sessions/current", Some(&at_home), "").0, 401);
        let refused = house.send("get", "/api/v1/sessions/current", None, "").1;
        assert_ne!(refused, Value::Null);
    }
}
