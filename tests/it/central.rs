//! Records read back over ODK Central's paths: as sent where there are no respondents, under a grant in a survey.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use chrono::{Days, Utc};
use langnghe::db::{NewForm, ProjectKind};
use langnghe::people::{Reach, Role};
use md5::Digest;
use serde_json::{Value, json};

use crate::databases::on_both_backends;
use crate::pyodk::{grant, survey_under_grant};
use crate::rights::House;

/// The answer to a GET as text, with its status.
fn text(house: &House, path: &str, token: &str) -> (u16, String) {
    let request = ureq::http::Request::builder()
        .uri(format!("{}{path}", house.base))
        .header("Authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request");
    let mut reply = house.agent.run(request).expect("the server answers");
    let body = reply.body_mut().read_to_vec().expect("the whole answer");
    let shown = match body.starts_with(b"PK") {
        true => unpacked(body),
        false => String::from_utf8(body).expect("UTF-8"),
    };
    (reply.status().as_u16(), shown)
}

/// Names and contents of an archive's files, one after another.
fn unpacked(archive: Vec<u8>) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("an archive");
    assert!(!archive.is_empty(), "it holds tables");
    let mut shown = String::new();
    for i in 0..archive.len() {
        let mut file = archive.by_index(i).expect("a file");
        shown.push_str(&file.name().expect("a name"));
        file.read_to_string(&mut shown).expect("UTF-8");
    }
    shown
}

fn ids(listed: &Value) -> Vec<String> {
    let listed = listed.as_array().expect("a list").iter();
    listed.map(|record| record["instanceId"].as_str().expect("an id").to_owned()).collect()
}

on_both_backends! {
    fn records_of_a_survey_open_only_under_a_grant_and_carry_no_case_no_time_and_no_sender(place) {
        let house = House::on(place);
        let survey = survey_under_grant(&house);
        let an = house.token("an", Role::Analyst, Reach::default());
        let binh = house.token("binh", Role::Analyst, Reach::default());
        let forms = format!("/v1/projects/{survey}/forms/opinion");
        let submissions = format!("{forms}/submissions");
        for path in ["/submissions", "/submissions.csv", "/submissions.csv.zip", ".svc", ".svc/Submissions",
            ".svc/$metadata", "/submissions/uuid%3Asecret-0", "/submissions/uuid%3Asecret-0.xml",
            "/submissions/uuid%3Asecret-0/versions", "/submissions/uuid%3Asecret-0/attachments"] {
            let (status, refused) = house.send("get", &format!("{forms}{path}"), Some(&an), "");
            assert_eq!((status, &refused["code"]), (403, &json!(403.1)), "{path}");
            assert_eq!(refused["details"]["reason"], json!("records_need_a_grant"), "{path}");
        }
        grant(&house, survey, "an", "binh");
        grant(&house, survey, "binh", "an");
        let (status, listed) = house.send("get", &submissions, Some(&an), "");
        assert_eq!(status, 200, "{listed}");
        let first = ids(&listed);
        assert_eq!(first.len(), 3);
        let shown = [
            listed.to_string(),
            text(&house, &format!("{submissions}.csv"), &an).1,
            text(&house, &format!("{submissions}.csv.zip"), &an).1,
            text(&house, &format!("{forms}.svc/Submissions"), &an).1,
            first.iter().map(|id| text(&house, &format!("{submissions}/{}.xml", id.replace(':', "%3A")), &an).1).collect(),
        ];
        let year = Utc::now().format("%Y-").to_string();
        for shown in &shown {
            for secret in ["Nà Ngoạ", "secret", "collect:tablet"] {
                assert!(!shown.contains(secret), "{secret} is shown: {shown}");
            }
            // The wave's first day, at midnight, is the only moment there is.
            let moments = shown.match_indices(&year).filter_map(|(at, _)| shown.get(at..at + 24));
            for moment in moments.filter(|moment| moment.as_bytes()[10] == b'T') {
                assert!(moment.ends_with("T00:00:00.000Z"), "{moment}");
            }
        }
        // The id that the device gave opens nothing here, and two grants cannot be joined.
        assert_eq!(house.send("get", &format!("{submissions}/uuid%3Asecret-0"), Some(&an), "").0, 404);
        let second = ids(&house.send("get", &submissions, Some(&binh), "").1);
        assert!(first.iter().all(|id| !second.contains(id)), "two grants show one id");
        assert_eq!(ids(&house.send("get", &submissions, Some(&an), "").1), first, "the same while the grant lasts");
        assert_eq!(house.send("get", &submissions.replace("opinion", "other"), Some(&an), "").0, 404);
        let log = house.field.read(|db| db.verify_audit()).expect("the chain is whole");
        let opened: Vec<_> = log.iter().filter(|entry| entry.kind == "records opened").collect();
        assert!(opened.len() >= 9, "every reading is in the log");
        assert!(opened.iter().all(|entry| !entry.detail.contains("uuid")), "the log names no record");
        // A decision or a note on one interview would tie somebody to it.
        let supervisor = house.token("giam-sat", Role::Supervisor, Reach::default());
        let one = format!("{submissions}/uuid%3Asecret-0");
        assert_eq!(house.send("patch", &one, Some(&supervisor), r#"{"reviewState": "approved"}"#).0, 403);
        assert_eq!(house.send("post", &format!("{one}/comments"), Some(&supervisor), r#"{"body": "x"}"#).0, 403);
    }

    fn a_grant_that_ended_opens_nothing(place) {
        let house = House::on(place);
        let survey = survey_under_grant(&house);
        let an = house.token("an", Role::Analyst, Reach::default());
        house.token("binh", Role::Analyst, Reach::default());
        let (user, approver) =
            (house.accounts.find("an").expect("there").id, house.accounts.find("binh").expect("there").id);
        let yesterday = Utc::now().date_naive() - Days::new(1);
        let given = house
            .field
            .transaction(|db| db.create_grant(survey, user, approver, "Mã hóa", yesterday, Utc::now()));
        given.expect("given");
        let path = format!("/v1/projects/{survey}/forms/opinion/submissions");
        assert_eq!(house.send("get", &path, Some(&an), "").0, 403);
        // Another wave's grant is no grant here.
        let other = survey_under_grant(&house);
        grant(&house, other, "an", "binh");
        assert_eq!(house.send("get", &path, Some(&an), "").0, 403);
    }

    fn the_order_of_records_is_not_the_order_of_arrival(place) {
        let house = House::on(place);
        let survey = survey_under_grant(&house);
        for i in 3..30 {
            let xml = format!(
                "<data id=\"opinion\" version=\"1\"><case><village>V{i}</village></case><road>{}</road><meta><instanceID>uuid:n{i}</instanceID></meta></data>",
                1 + i % 2
            );
            let sender = langnghe::db::Sender::default();
            house.receiver.receive(survey, sender, xml.into_bytes(), Utc::now()).expect("stored");
        }
        let an = house.token("an", Role::Analyst, Reach::default());
        house.token("binh", Role::Analyst, Reach::default());
        let service = format!("/v1/projects/{survey}/forms/opinion.svc/Submissions");
        let mut orders = BTreeSet::new();
        for _ in 0..2 {
            grant(&house, survey, "an", "binh");
            let (_, rows) = house.send("get", &service, Some(&an), "");
            let roads = rows["value"].as_array().expect("rows").iter().map(|row| row["road"].to_string());
            orders.insert(roads.collect::<String>());
        }
        let arrival: String = (0..30).map(|i| ["\"1\"", "\"2\""][i % 2]).collect();
        assert!(!orders.contains(&arrival), "{orders:?}");
        // Pages go through all of them, each once.
        let (mut seen, mut next) = (Vec::new(), Some(format!("{service}?%24top=7")));
        while let Some(path) = next {
            let (_, page) = house.send("get", &path, Some(&an), "");
            seen.extend(page["value"].as_array().expect("rows").iter().map(|row| row["__id"].to_string()));
            next = page["@odata.nextLink"].as_str().map(|link| link.replacen(&house.base, "", 1));
        }
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (30, 30));
    }

    fn the_metrics_count_what_became_of_submissions_and_name_nobody(place) {
        let house = House::on(place);
        let survey = survey_under_grant(&house);
        let (status, before) = text(&house, "/metrics", "nobody");
        assert_eq!(status, 200);
        assert!(before.contains("langnghe_ready 1\n"), "{before}");
        assert!(before.contains("langnghe_submissions_total{outcome=\"stored\"} 3\n"), "{before}");
        let again = "<data id=\"opinion\" version=\"1\"><case><village>Nà Ngoạ 0</village></case><road>1</road><meta><instanceID>uuid:secret-0</instanceID></meta></data>";
        let sender = langnghe::db::Sender::default();
        house.receiver.receive(survey, sender.clone(), again.as_bytes().to_vec(), Utc::now()).expect("stored before");
        assert!(house.receiver.receive(survey, sender, b"<data".to_vec(), Utc::now()).is_err());
        let after = text(&house, "/metrics", "nobody").1;
        for line in ["{outcome=\"stored\"} 3", "{outcome=\"stored_before\"} 1", "{outcome=\"refused\"} 1"] {
            assert!(after.contains(line), "{line}: {after}");
        }
        assert!(!after.contains("secret") && !after.contains("opinion"), "{after}");
    }

    fn a_form_that_reads_an_entity_list_gets_it_as_it_stands_and_devices_hear_what_is_gone(place) {
        let house = House::on(place);
        let token = house.token("thiet-ke", Role::Designer, Reach::default());
        let form = "| survey |\n|  | type | name | label |\n|  | csv-external | villages |  |\n|  | integer | rooms | Phòng |\n| settings |\n|  | form_id | version | form_title |\n|  | nha | 1 | Nhà |\n";
        let form = surveys::xlsform::read("nha.md", form.as_bytes()).expect("a form").questionnaire;
        let xml = surveys::xform::write(&form).expect("an XForm").into_bytes();
        let device = "d".repeat(64);
        let project = house.field.transaction(|db| {
            let project = db.create_project("Diễn tập", ProjectKind::Practice, Utc::now())?.id;
            let form = NewForm {
                project,
                form_id: "nha".into(),
                version: "1".into(),
                title: "Nhà".into(),
                xml,
                workbook: None,
                files: Vec::new(),
                confirmation: None,
            };
            db.publish_form(form, Utc::now())?;
            db.create_app_user(project, "Máy 1", None, &device, Utc::now())?;
            Ok::<_, langnghe::db::PublishError>(project)
        });
        let project = project.expect("a project");
        let seen = |path: &str| {
            let url = format!("{}/v1/key/{device}/projects/{project}{path}", house.base);
            let asked = house.agent.get(&url).header("X-OpenRosa-Version", "1.0").call();
            asked.expect("an answer").body_mut().read_to_string().expect("text")
        };
        assert!(!seen("/formList").contains("manifestUrl"), "there is no such list yet");
        let lists = format!("/v1/projects/{project}/datasets");
        let send = |method: &str, path: &str, body: &str| {
            let (status, answer) = house.send(method, &format!("{lists}{path}"), Some(&token), body);
            assert_eq!(status, 200, "{path}: {answer}");
            answer["uuid"].as_str().unwrap_or_default().to_owned()
        };
        send("post", "", r#"{"name": "villages"}"#);
        send("post", "/villages/properties", r#"{"name": "commune"}"#);
        let first = send("post", "/villages/entities", r#"{"label": "Nà Ngoạ, \"trên\"", "data": {"commune": "00691"}}"#);
        let second = send("post", "/villages/entities", r#"{"label": "Bản Lầu", "data": {}}"#);
        assert!(seen("/formList").contains("/versions/1/manifest</manifestUrl>"));
        let file = seen("/forms/nha/versions/1/files/villages.csv");
        assert!(file.starts_with("name,label,__version,commune\n"), "{file}");
        assert!(file.contains(&format!("{first},\"Nà Ngoạ, \"\"trên\"\"\",1,00691\n")), "{file}");
        let manifest = seen("/forms/nha/versions/1/manifest");
        let hash: String = md5::Md5::digest(file.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(manifest.contains("<mediaFile type=\"entityList\"><filename>villages.csv</filename>"), "{manifest}");
        assert!(manifest.contains(&format!("<hash>md5:{hash}</hash>")), "{manifest}");
        send("delete", &format!("/villages/entities/{second}"), "");
        assert!(!seen("/forms/nha/versions/1/manifest").contains(&hash), "another state, another hash");
        let gone = seen(&format!("/forms/nha/versions/1/integrity/villages.csv?id={first},{second},none"));
        let line = |id: &str, deleted: bool| format!("<entity id=\"{id}\"><deleted>{deleted}</deleted></entity>");
        let expected = [line(&first, false), line(&second, true), line("none", true)].concat();
        assert_eq!(gone, format!("<data><entities>{expected}</entities></data>"));
    }
}
