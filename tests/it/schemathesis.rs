//! The description of the API held against the server: schemathesis from PyPI sends what the description allows and what
//! it forbids, with every role's token. No 500, no status and no shape that is not described.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::Utc;
use langnghe::db::ProjectKind;
use langnghe::people::{Reach, Role};
use serde_json::{Value, json};

use crate::api_rights::wave_with_a_case;
use crate::databases::{Place, TemporaryFolder};
use crate::rights::{House, PASSWORD};

/// So that what is found is found again.
const SEED: &str = "2026";

/// The description, with parameters that name what is there beside what is not: random numbers would meet 404 alone.
fn description(house: &House, known: &[(&str, Value)]) -> Value {
    let (status, mut document) = house.send("get", "/api/v1/openapi.json", None, "");
    assert_eq!(status, 200);
    let paths = document["paths"].as_object_mut().expect("paths");
    for operation in
        paths.values_mut().flat_map(|item| item.as_object_mut().expect("operations").values_mut())
    {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            if let Some((_, values)) = known.iter().find(|(name, _)| parameter["name"] == **name) {
                parameter["schema"]["enum"] = values.clone();
            }
        }
    }
    document
}

fn run(
    house: &House,
    folder: &Path,
    token: &str,
    (phases, examples): (&str, &str),
    choose: &[&str],
) -> Result<(), String> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/schemathesis");
    let output = Command::new(tool)
        .args(["run", "openapi.json", "--url", &house.base, "--seed", SEED, "--max-examples", examples])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--phases", phases, "--checks", "all"])
        .args(["--warnings", "off", "--no-color", "--generation-database", "none"])
        .args(["--suppress-health-check", "all"])
        .args(choose)
        .current_dir(folder)
        .output()
        .expect("target/schemathesis/bin/schemathesis runs: `./dev test --all` makes it");
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = [output.stdout, output.stderr].concat();
            Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&said)))
        }
    }
}

fn hold_the_description_against_the_server(place: &Place) {
    let house = House::on(place);
    wave_with_a_case(&house);
    let practice = house.field.transaction(|db| {
        let practice = db.create_project("Diễn tập", ProjectKind::Practice, Utc::now())?.id;
        db.create_app_user(practice, "Máy 1", None, &"x".repeat(64), Utc::now())?;
        Ok::<_, langnghe::db::Error>(practice)
    });
    let practice = practice.expect("a project");
    house.receiver.make_key(practice).expect("a key");
    let other =
        house.accounts.add("khac", Role::Viewer, Reach::default(), PASSWORD, Utc::now()).expect("added");
    let known = [
        ("project", json!([house.own, practice, 404])),
        ("form", json!(["opinion", "none", "data"])),
        ("device", json!([1, 2, 404])),
        ("user", json!([other.id, 404])),
    ];
    let folder = TemporaryFolder::new();
    let document = description(&house, &known);
    fs::write(folder.path().join("openapi.json"), document.to_string()).expect("written");
    let mut found = Vec::new();
    for role in Role::ALL {
        let login = role.name();
        house.accounts.add(login, role, Reach::default(), PASSWORD, Utc::now()).expect("added");
        let (secret, _) = house.accounts.renew_second_factor(login).expect("a second factor");
        let token = |seconds: i64| {
            let now = Utc::now() + chrono::TimeDelta::seconds(seconds);
            let code = crate::people::code_of(&secret, now.timestamp());
            house.accounts.sign_in(login, PASSWORD, Some(&code), now).expect("signed in").token
        };
        // Roles that may change something are asked more.
        let (phases, examples) = match role {
            Role::Administrator | Role::Designer | Role::Supervisor | Role::Analyst => {
                ("coverage,fuzzing", "20")
            }
            _ => ("fuzzing", "6"),
        };
        // A body of the right shape may still be refused (a day that is past, a login that is taken), and a number that
        // the description was not given here may be there.
        let valid = "--exclude-checks=positive_data_acceptance";
        let there = "--exclude-checks=positive_data_acceptance,negative_data_rejection";
        let places = "--include-path-regex=[{]";
        let rest = "--exclude-path-regex=[{]|/sessions/current";
        let said = [
            (0, vec![there, places]),
            (30, vec![valid, rest]),
            (60, vec![valid, "--include-path=/api/v1/sessions/current"]),
            (90, vec![valid, "--include-path=/api/v1/sessions/current/rotation"]),
        ];
        let said = said.into_iter().try_for_each(|(later, choose)| {
            run(&house, folder.path(), &token(later), (phases, examples), &choose)
        });
        if let Err(said) = said {
            found.push(format!("{login}\n{said}"));
        }
    }
    let kinds: BTreeSet<&str> =
        found.iter().flat_map(|said| said.lines()).filter(|l| l.starts_with("- ")).collect();
    assert!(found.is_empty(), "{kinds:#?}\n{}", found.join("\n"));
    let log = house.field.read(|db| db.verify_audit()).expect("the chain is whole");
    assert!(!log.is_empty(), "something was done");
}

#[test]
#[ignore = "needs schemathesis in target/schemathesis; run by ./dev test --all"]
fn schemathesis_finds_nothing_on_sqlite() {
    hold_the_description_against_the_server(&Place::on_sqlite());
}

#[test]
#[ignore = "needs schemathesis in target/schemathesis; run by ./dev test --all"]
fn schemathesis_finds_nothing_on_postgresql() {
    if let Some(place) = Place::on_postgresql() {
        hold_the_description_against_the_server(&place);
    }
}
