//! `/rut-phieu`: a respondent takes an interview back with the receipt code, and nobody learns anything else.

use std::time::{Duration, Instant};

use chrono::Utc;
use langnghe::db::{ProjectState, Standing};
use langnghe::jobs::withdrawal;

use crate::databases::on_both_backends;
use crate::pyodk::survey_under_grant;
use crate::rights::House;

const PATH: &str = "/rut-phieu";

/// Sends a code; the status, the page and its headers.
fn send_code(house: &House, code: &str, from: &str) -> (u16, String, ureq::http::HeaderMap) {
    let typed: String = code.replace(' ', "+");
    let mut reply = house
        .agent
        .post(&format!("{}{PATH}", house.base))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("X-Forwarded-For", from)
        .send(format!("code={typed}"))
        .expect("an answer");
    let page = reply.body_mut().read_to_string().expect("text");
    (reply.status().as_u16(), page, reply.headers().clone())
}

fn instances(house: &House, survey: i64) -> Vec<String> {
    let key = house.receiver.key(survey).expect("the key");
    let stored = house.field.read(|db| db.list_submissions(survey, &key)).expect("submissions");
    let mut ids: Vec<String> =
        stored.into_iter().filter(|s| s.standing == Standing::Current).map(|s| s.instance_id).collect();
    ids.sort();
    ids
}

on_both_backends! {
    fn a_receipt_code_typed_on_the_page_withdraws_one_interview_of_whichever_survey(place) {
        let house = House::on(place);
        let surveys = [survey_under_grant(&house), survey_under_grant(&house)];
        let page = house.agent.get(&format!("{}{PATH}", house.base)).call().expect("an answer").body_mut().read_to_string();
        let page = page.expect("text");
        assert!(page.find("Rút phiếu").expect("Vietnamese") < page.find("Withdraw").expect("English"));
        assert!(!page.contains("<script"));

        // An instance of the second survey alone, with a code of its own.
        let xml = "<data id=\"opinion\" version=\"1\"><case><village>V</village></case><road>1</road><meta><instanceID>uuid:mine</instanceID></meta></data>";
        house.receiver.receive(surveys[1], langnghe::db::Sender::default(), xml.as_bytes().to_vec(), Utc::now()).expect("stored");
        let code = withdrawal::receipt("uuid:mine");
        let (status, page, headers) = send_code(&house, "0000 0000 0000 0000", "10.0.0.1");
        assert_eq!(status, 404);
        assert!(page.contains("Không tìm thấy"));
        assert_eq!(headers.get("cache-control").map(|v| v.as_bytes()), Some(&b"no-store"[..]));
        assert!(headers.get("set-cookie").is_none());
        let (status, page, _) = send_code(&house, &code.to_uppercase(), "10.0.0.1");
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("Đã rút phiếu") && !page.contains(&code[..4]), "the code is not repeated");
        assert_eq!(instances(&house, surveys[1]), ["uuid:secret-0", "uuid:secret-1", "uuid:secret-2"]);
        assert_eq!(instances(&house, surveys[0]).len(), 3);
        assert_eq!(send_code(&house, &code, "10.0.0.1").0, 404, "it is gone");
        let log = house.field.read(|db| db.verify_audit()).expect("the chain is whole");
        let entry = log.iter().find(|entry| entry.kind == "interview withdrawn").expect("in the log");
        let told = format!("{} {}", entry.who, entry.detail);
        assert!(!told.contains(&code[..4]) && !told.contains("10.0.0") && !told.contains("uuid"), "{told}");
    }

    fn no_code_and_no_open_survey_are_told_and_nothing_is_answered_before_its_second(place) {
        let house = House::on(place);
        let begun = Instant::now();
        let (status, page, _) = send_code(&house, "3f9a", "10.0.0.1");
        // The house's own waves are open.
        assert_eq!(status, 422, "{page}");
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
        let empty = house.agent.post(&format!("{}{PATH}", house.base)).header("X-Forwarded-For", "10.0.0.3").send("").expect("an answer");
        assert_eq!(empty.status().as_u16(), 422);
        for wave in [house.own, house.other] {
            house.field.transaction(|db| db.set_project_state(wave, ProjectState::Closed)).expect("closed");
        }
        let (status, page, _) = send_code(&house, "0000 0000 0000 0000", "10.0.0.2");
        assert_eq!(status, 410);
        assert!(page.contains("không còn phiếu nào để rút"));
    }

    fn a_guesser_waits_and_others_do_not(place) {
        let house = House::on(place);
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let guesses: Vec<_> = (0..8)
                .map(|i| { let house = &house; scope.spawn(move || send_code(house, &format!("{i:016x}"), "203.0.113.9").0) })
                .collect();
            guesses.into_iter().map(|guess| guess.join().expect("an answer")).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429, 429]);
        let (status, _, headers) = send_code(&house, "0000 0000 0000 0000", "203.0.113.9");
        assert_eq!(status, 429);
        assert!(headers.get("retry-after").and_then(|v| v.to_str().ok()).is_some_and(|v| v.parse::<u64>().is_ok_and(|v| v <= 61)));
        assert_eq!(send_code(&house, "0000 0000 0000 0000", "203.0.113.10").0, 404);
    }
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let house = House::new();
    for path in [
        PATH,
        "/",
        "/khong-co",
        "/healthz",
        "/api/v1/projects",
        "/api/v1/openapi.json",
        "/v1/projects",
        "/metrics",
    ] {
        let reply = house.agent.get(&format!("{}{path}", house.base)).call().expect("an answer");
        let header = |name: &str| {
            reply.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("script-src"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(header("set-cookie"), "", "{path}: there are no cookies");
    }
}
