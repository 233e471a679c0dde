//! Forms over the API: every problem of a workbook, drafts, the second person's word, publishing.

use std::io::{Cursor, Read, Write};

use langnghe::people::{Reach, Role};
use serde_json::{Value, json};

use crate::api::{Reply, call, send};
use crate::databases::on_both_backends;
use crate::rights::House;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The workbook of a form with these survey rows.
fn workbook(rows: &str) -> Vec<u8> {
    let text = format!(
        "| survey |\n|  | type | name | label |\n{rows}| settings |\n|  | form_id | version | form_title |\n|  | nha | 1 | Nhà |\n"
    );
    let form = surveys::xlsform::read("nha.md", text.as_bytes()).expect("a form").questionnaire;
    surveys::xlsform::write(&form).expect("a workbook")
}

fn upload(house: &House, path: &str, token: &str, kind: &str, body: &[u8]) -> Reply {
    let bearer = format!("Bearer {token}");
    send(house, "post", path, &[("Authorization", &bearer), ("Content-Type", kind)], body)
}

const ROOMS: &str = "|  | integer | rooms | Số phòng |\n";
const NAME: &str = "|  | text | ten | Họ và tên của ông/bà |\n";
const PHOTO: &str = "|  | image | anh | Ảnh nhà |\n";

on_both_backends! {
    fn a_workbook_is_checked_drafted_confirmed_by_a_second_person_and_published_once(place) {
        let house = House::on(place);
        let first = house.token("thiet-ke", Role::Designer, Reach::default());
        let second = house.token("nguoi-thu-hai", Role::Designer, Reach::default());
        let base = format!("/api/v1/projects/{}", house.own);
        let checked = upload(&house, &format!("{base}/form-checks"), &first, XLSX, &workbook(&format!("{ROOMS}{NAME}{PHOTO}")));
        assert_eq!(checked.status, 200, "{}", checked.body);
        assert_eq!((&checked.body["form"], &checked.body["publishable"]), (&json!("nha"), &json!(false)));
        assert!(checked.body["refusals"].as_array().is_some_and(|all| !all.is_empty()), "a photograph");
        assert!(checked.body["to_confirm"].as_array().is_some_and(|all| !all.is_empty()), "a name");
        let forms = call(&house, "get", &format!("{base}/forms"), &first, &Value::Null);
        assert_eq!(forms.body["items"], json!([]), "a check keeps nothing");

        let kept = upload(&house, &format!("{base}/forms"), &first, XLSX, &workbook(&format!("{ROOMS}{NAME}")));
        assert_eq!((kept.status, &kept.body["draft"]["version"]), (201, &json!("1")), "{}", kept.body);
        let draft = format!("{base}/forms/nha/draft");
        let publish = |body: Value| call(&house, "post", &format!("{draft}/publication"), &first, &body);
        let refused = publish(json!({}));
        assert_eq!((refused.status, &refused.body["code"]), (409, &json!("wording_needs_confirmation")));
        assert!(refused.body["form_problems"][0]["vietnamese"].is_string(), "{}", refused.body);
        let confirm = |token: &str| {
            let reason = json!({ "reason": "Tên thôn, không phải tên người" });
            call(&house, "post", &format!("{draft}/confirmation"), token, &reason)
        };
        assert_eq!(confirm(&first).body["code"], json!("second_person_needed"));
        assert_eq!(confirm(&second).status, 204);
        let published = publish(json!({}));
        assert_eq!((published.status, &published.body["version"]), (201, &json!("1")), "{}", published.body);
        assert_eq!(publish(json!({})).status, 404, "the draft is gone");

        upload(&house, &format!("{base}/forms"), &first, XLSX, &workbook(ROOMS));
        let taken = publish(json!({}));
        assert_eq!((taken.status, &taken.body["code"]), (409, &json!("exists")), "{}", taken.body);
        assert_eq!(publish(json!({ "version": "2" })).status, 201);
        let form = call(&house, "get", &format!("{base}/forms/nha"), &first, &Value::Null);
        assert_eq!((&form.body["published"]["version"], &form.body["draft"]), (&json!("2"), &Value::Null));

        upload(&house, &format!("{base}/forms"), &first, XLSX, &workbook(PHOTO));
        let refused = publish(json!({ "version": "3" }));
        assert_eq!((refused.status, &refused.body["code"]), (422, &json!("form_refused")), "{}", refused.body);
        assert_eq!(call(&house, "delete", &draft, &first, &Value::Null).status, 204);
        assert_eq!(call(&house, "delete", &draft, &first, &Value::Null).status, 404);
    }

    fn what_is_no_form_is_told_with_every_problem_and_nothing_is_kept(place) {
        let house = House::on(place);
        let token = house.token("thiet-ke", Role::Designer, Reach::default());
        let forms = format!("/api/v1/projects/{}/forms", house.own);
        let bad = misspelt(workbook("|  | integer | rooms | Số phòng |\n|  | integer | age | Tuổi |\n"), "integer", "colour");
        let refused = upload(&house, &forms, &token, XLSX, &bad);
        assert_eq!((refused.status, &refused.body["code"]), (422, &json!("form_has_problems")), "{}", refused.body);
        let problems = refused.body["form_problems"].as_array().expect("problems");
        assert!(problems.len() >= 2, "all at once: {}", refused.body);
        assert!(problems.iter().all(|problem| problem["vietnamese"] != problem["english"]));
        for (kind, body, status) in
            [(XLSX, &b"no workbook"[..], 422), ("application/xml", &b"<html"[..], 422), ("text/csv", &b"a,b"[..], 415)]
        {
            assert_eq!(upload(&house, &forms, &token, kind, body).status, status, "{kind}");
        }
        assert_eq!(call(&house, "get", &forms, &token, &Value::Null).body["items"], json!([]));
    }
}

/// The workbook with another word in every cell that holds this one.
fn misspelt(workbook: Vec<u8>, word: &str, wrong: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).expect("an archive");
    let mut written = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..archive.len() {
        let mut file = archive.by_index(i).expect("a file");
        let name = file.name().expect("a name").into_owned();
        let mut text = String::new();
        file.read_to_string(&mut text).expect("UTF-8");
        written.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
        let text = text.replace(&format!(">{word}<"), &format!(">{wrong}<"));
        written.write_all(text.as_bytes()).expect("written");
    }
    written.finish().expect("an archive").into_inner()
}
