//! ODK Central's paths as pyodk calls them: the client from PyPI, unmodified, runs a script over every one of its calls.

use std::path::Path;
use std::process::Command;

use chrono::{Days, Utc};
use langnghe::db::{NewForm, ProjectKind, Sender};
use langnghe::people::{Reach, Role};
use surveys::{xform, xlsform};

use crate::databases::{Place, TemporaryFolder};
use crate::rights::{House, PASSWORD};

const HOUSEHOLD: &str = "| survey |\n|  | type | name | label |\n|  | text | head | Chủ hộ |\n|  | integer | rooms | Số phòng |\n|  | geopoint | place | Nơi |\n|  | image | photo | Ảnh |\n|  | begin_group | kids | Trẻ |\n|  | begin_repeat | kid | Trẻ |\n|  | text | kid_name | Tên |\n|  | integer | age | Tuổi |\n|  | end_repeat |\n|  | end_group |\n| settings |\n|  | form_id | version | form_title |\n|  | household | 1 | Hộ |\n";
const OPINION: &str = "| survey |\n|  | type | name | label | bind::ln:vault |\n|  | begin_group | case | Điểm | field |\n|  | text | village | Bản |  |\n|  | end_group |  |  |  |\n|  | select_one road | road | Đường |  |\n| choices |\n|  | list_name | name | label |\n|  | road | 1 | Tốt |\n|  | road | 2 | Xấu |\n| settings |\n|  | form_id | version | form_title |\n|  | opinion | 1 | Ý kiến |\n";

fn read(form: &str) -> surveys::questionnaire::Questionnaire {
    xlsform::read("form.md", form.as_bytes()).expect("a form").questionnaire
}

/// A survey with three interviews that only the analyst may open.
pub fn survey_under_grant(house: &House) -> i64 {
    let opinion = read(OPINION);
    let xml = xform::write(&opinion).expect("an XForm").into_bytes();
    let workbook = xlsform::write(&opinion).expect("a workbook");
    let project = house.field.transaction(|db| {
        let project = db.create_project("Khảo sát", ProjectKind::Survey, Utc::now())?.id;
        let form = NewForm {
            project,
            form_id: "opinion".into(),
            version: "1".into(),
            title: "Ý kiến".into(),
            xml,
            workbook: Some(workbook),
            files: Vec::new(),
            confirmation: None,
        };
        db.publish_form(form, Utc::now())?;
        Ok::<_, langnghe::db::PublishError>(project)
    });
    let project = project.expect("the survey is there");
    house.receiver.make_key(project).expect("a key");
    for (i, road) in [1, 2, 1].into_iter().enumerate() {
        let xml = format!(
            "<data id=\"opinion\" version=\"1\"><case><village>Nà Ngoạ {i}</village></case><road>{road}</road><meta><instanceID>uuid:secret-{i}</instanceID></meta></data>"
        );
        let sender = Sender { app_user: None, user: None, device: Some("collect:tablet".into()) };
        house.receiver.receive(project, sender, xml.into_bytes(), Utc::now()).expect("stored");
    }
    project
}

/// Lets a user open the records of a project, approved by another.
pub fn grant(house: &House, project: i64, login: &str, approver: &str) {
    let (user, approver) =
        (house.accounts.find(login).expect("there"), house.accounts.find(approver).expect("there"));
    let until = Utc::now().date_naive() + Days::new(10);
    let given = house
        .field
        .transaction(|db| db.create_grant(project, user.id, approver.id, "Mã hóa", until, Utc::now()));
    given.expect("the grant is given");
}

fn python() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pyodk/bin/python")
}

fn run_every_call(place: &Place) {
    let house = House::on(place);
    for (login, role) in [
        ("designer", Role::Designer),
        ("supervisor", Role::Supervisor),
        ("analyst", Role::Analyst),
        ("analyst2", Role::Analyst),
    ] {
        house.accounts.add(login, role, Reach::default(), PASSWORD, Utc::now()).expect("added");
    }
    let practice =
        house.field.transaction(|db| db.create_project("Diễn tập", ProjectKind::Practice, Utc::now()));
    let practice = practice.expect("a project").id;
    house.receiver.make_key(practice).expect("a key");
    let survey = survey_under_grant(&house);
    grant(&house, survey, "analyst", "analyst2");
    let folder = TemporaryFolder::new();
    for (name, version) in [("household.xlsx", "1"), ("household-2.xlsx", "2")] {
        let mut form = read(HOUSEHOLD);
        form.settings.version = Some(version.to_owned());
        let workbook = xlsform::write(&form).expect("a workbook");
        std::fs::write(folder.path().join(name), workbook).expect("written");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pyodk/every_call.py");
    let output = Command::new(python())
        .arg(script)
        .arg(&house.base)
        .arg(folder.path())
        .args([practice.to_string(), survey.to_string()])
        .env("PYODK_PASSWORD", PASSWORD)
        .output()
        .expect("target/pyodk/bin/python runs: `./dev test --all` makes it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.ends_with("every call went well\n"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs pyodk in target/pyodk; run by ./dev test --all"]
fn pyodk_runs_over_every_call_on_sqlite() {
    run_every_call(&Place::on_sqlite());
}

#[test]
#[ignore = "needs pyodk in target/pyodk; run by ./dev test --all"]
fn pyodk_runs_over_every_call_on_postgresql() {
    if let Some(place) = Place::on_postgresql() {
        run_every_call(&place);
    }
}
