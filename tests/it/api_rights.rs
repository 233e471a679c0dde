//! Who may do what over `/api/v1`: every route with every role, project, organisation and area, on a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use langnghe::people::{Action, AreaRef, Reach, Role};
use serde_json::Value;

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
    /// A role that may do this on the whole installation: nobody who is limited to an area or to projects.
    Everywhere(Action),
}

const fn row(method: &'static str, path: &'static str, who: Who, body: &'static str, status: u16) -> Row {
    Row { method, path, who, body, status }
}

/// A route of `src/api/mod.rs` or an operation of the description without a row here fails the test below.
fn rows() -> Vec<Row> {
    use Who::{Anybody, May, SignedIn};
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
        .replace("{form}", "none");
    format!("/api/v1{path}")
}

/// The province that both waves lie in, and another.
fn areas() -> [AreaRef; 2] {
    let today = chrono::Utc::now().date_naive();
    ["province:08", "province:01"].map(|text| AreaRef::read(text, today).expect("a province"))
}

#[test]
fn every_route_of_the_api_asks_for_the_role_the_project_the_organisation_and_the_area() {
    let house = House::new();
    let other = house.other;
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
                Who::May(action) => (Some(action), false),
                Who::Everywhere(action) => (Some(action), true),
            };
            let allowed = action.is_none_or(|action| role.may(action));
            let when = |allowed: bool, wanted: u16| if allowed { wanted } else { 403 };
            check("nobody", None, house.own, 401);
            check("at home", Some(&at_home), house.own, when(allowed, status));
            if path.contains("{project}") {
                // Not given this project, or of another organisation: as if it were not there.
                check("elsewhere", Some(&elsewhere), house.own, when(allowed, 404));
                check("other house", Some(&at_home), other, when(allowed, 404));
            } else {
                check("elsewhere", Some(&elsewhere), house.own, when(allowed && !everywhere, status));
            }
            for (name, token) in [("within", &in_area), ("outside", &out_of_area)] {
                check(name, Some(token), house.own, when(allowed && !everywhere, status));
            }
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
