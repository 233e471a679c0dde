//! Fieldwork: who gets which cases, when a case ends, how reserves and villages are taken, and what
//! back-checks and progress tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use analysis::table::{Declared, Table, Types};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use langnghe::db::{
    AppUser, Case, CaseRole, CaseStatus, Decision, FieldVault, Interpreter, NewCase, NewForm, Outcome,
    ProjectKind, Sender, VillageState,
};
use langnghe::fieldwork::back_checks::{Difference, Found};
use langnghe::fieldwork::release_codes;
use langnghe::fieldwork::rules::{ReleasedBy, Rules};
use langnghe::intake::{Receiver, Ties, day_of};
use langnghe::jobs::reserves::{self, Asked, of_device};
use langnghe::jobs::villages::{self, Redrawn};
use langnghe::jobs::{assignment, back_checks, cases, reviews};
use langnghe::keys::WaveKey;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::databases::{Place, TemporaryFolder, on_both_backends};

const FORM: &str = "
| survey |             |             |             |                |
|        | type        | name        | label       | bind::ln:vault |
|        | start       | start       |             |                |
|        | end         | end         |             |                |
|        | begin group | case        | Case        | field          |
|        | text        | village     | Village     |                |
|        | integer     | household   | Number      |                |
|        | integer     | attempt     | Attempt     |                |
|        | end group   |             |             |                |
|        | begin group | roster      | Roster      | field          |
|        | integer     | adults_n    | Adults      |                |
|        | end group   |             |             |                |
|        | text        | q1          | Q1          |                |
|        | begin group | result      | Result      | field          |
|        | text        | disposition | Disposition |                |
|        | end group   |             |             |                |
| settings |           |             |             |
|        | form_id     | version     | form_title  |
|        | hh          | 1           | Households  |
";

/// Villages of the one stratum, main dwellings and reserves in each.
const VILLAGES: usize = 4;
const MAIN: usize = 6;
const RESERVES: usize = 3;

/// A survey with four villages of one stratum and four devices.
pub struct Office {
    pub receiver: Receiver,
    pub key: Arc<WaveKey>,
    pub devices: Vec<AppUser>,
}

/// Monday, in the afternoon in Viet Nam.
pub fn monday() -> DateTime<Utc> {
    "2026-08-03T08:00:00Z".parse().expect("a time")
}

pub fn days(many: i64) -> TimeDelta {
    TimeDelta::days(many)
}

fn village(number: usize) -> String {
    format!("V{number}")
}

/// The first two villages speak Mông.
fn new_case(village_number: usize, place: usize) -> NewCase {
    let majority = if village_number < 2 { "08" } else { "01" };
    NewCase {
        village: village(village_number),
        commune: format!("C{}", village_number / 2),
        district: "01".to_owned(),
        household: Some((place * 7 % 30 + 1) as i64),
        stratum: "01/Mong".to_owned(),
        drawn_order: place as i64 + 1,
        probability_1: 0.5,
        probability_2: Some(0.2),
        role: if place < MAIN { CaseRole::Main } else { CaseRole::Reserve },
        assigned_to: None,
        sampling: json!({
            "reporting_area": "01",
            "design": {
                "stratum": "01/Mong", "variance_stratum": "01/Mong", "variance_psu": village(village_number),
                "area": "01", "village_majority": majority, "before": 0.5, "listed": 30, "main": MAIN,
            },
        })
        .to_string(),
    }
}

impl Office {
    pub fn new(place: &Place) -> Self {
        let (field, key) = (place.field(), Arc::new(WaveKey::generate().expect("a key")));
        let read = surveys::xlsform::read("form.md", FORM.as_bytes()).expect("a form").questionnaire;
        let form = NewForm {
            project: 1,
            form_id: "hh".to_owned(),
            version: "1".to_owned(),
            title: "Households".to_owned(),
            xml: surveys::xform::write(&read).expect("a form").into_bytes(),
            workbook: None,
            files: Vec::new(),
            confirmation: None,
        };
        field.transaction(|db| db.create_project("2026", ProjectKind::Survey, monday())).expect("a wave");
        field.transaction(|db| db.publish_form(form, monday())).expect("published");
        let devices = (1..=4)
            .map(|n| {
                let made = field.transaction(|db| {
                    let (name, code) = (format!("Máy {n}"), format!("M{n}"));
                    db.create_app_user(1, &name, Some(&code), &format!("token-{n}"), monday())
                });
                made.expect("a device")
            })
            .collect();
        let new = (0..VILLAGES).flat_map(|v| (0..MAIN + RESERVES).map(move |place| new_case(v, place)));
        field.transaction(|db| db.create_cases(1, new.collect())).expect("cases");
        let keys = HashMap::from([(1, Arc::clone(&key))]);
        Self { receiver: Receiver::new(field, place.answers(), keys, Ties::Random), key, devices }
    }

    pub fn field(&self) -> &FieldVault {
        &self.receiver.field
    }

    pub fn cases(&self) -> Vec<Case> {
        self.field().read(|db| db.list_cases(1)).expect("cases")
    }

    fn of_village(&self, number: usize) -> Vec<Case> {
        self.cases().into_iter().filter(|case| case.village == village(number)).collect()
    }

    fn case(&self, id: Uuid) -> Case {
        self.field().read(|db| db.find_case(id)).expect("read").expect("there")
    }

    pub fn assign(&self, seed: u64) -> assignment::Assigned {
        assignment::assign(self.field(), 1, seed, "lan", monday()).expect("assigned")
    }

    pub fn set(&self, rules: &Rules) {
        self.field().transaction(|db| db.keep_fieldwork_rules(1, rules, monday())).expect("kept");
    }

    /// A visit that the case's enumerator reports on a day, an hour after it began.
    pub fn visit(&self, case: &Case, attempt: i64, disposition: &str, at: DateTime<Utc>) -> Outcome {
        let (outcome, _) = self.visit_as(case, attempt, disposition, at);
        outcome
    }

    pub fn visit_as(
        &self,
        case: &Case,
        attempt: i64,
        disposition: &str,
        at: DateTime<Utc>,
    ) -> (Outcome, String) {
        let instance = format!("uuid:{}", Uuid::new_v4());
        let (start, end) = (at - TimeDelta::minutes(60), at - TimeDelta::minutes(15));
        let xml = format!(
            "<data id=\"hh\" version=\"1\"><start>{}</start><end>{}</end><case><village>{}</village>\
             <household>{}</household><attempt>{attempt}</attempt></case><roster><adults_n>3</adults_n></roster>\
             <q1>có</q1><result><disposition>{disposition}</disposition></result>\
             <meta><instanceID>{instance}</instanceID></meta></data>",
            start.to_rfc3339(),
            end.to_rfc3339(),
            case.village,
            case.household.expect("a number"),
        );
        let sender = Sender { app_user: case.assigned_to, ..Sender::default() };
        let stored = self.receiver.receive(1, sender, xml.into_bytes(), at).expect("stored");
        (stored.outcome, instance)
    }

    fn release(&self, asked: Asked<'_>) -> anyhow::Result<Vec<reserves::Released>> {
        reserves::release(self.field(), &self.key, 1, asked, "lan", monday())
    }
}

/// A command of the program on the databases of a test.
pub fn command(place: &Place, folder: &Path, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_langnghe"))
        .args(arguments)
        .env("LANGNGHE_DATA", folder)
        .env("LANGNGHE_FIELD", &place.field_url)
        .env("LANGNGHE_ANSWERS", &place.answers_url)
        .output()
        .expect("the program runs");
    let text = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&text).into_owned())
}

on_both_backends! {
    fn two_enumerators_share_each_village_and_see_their_own_cases_alone(place) {
        let office = Office::new(place);
        let done = office.assign(7);
        assert_eq!((done.villages, done.cases), (VILLAGES, VILLAGES * (MAIN + RESERVES)));
        assert_eq!(done.warnings.len(), 2, "nobody speaks Mông: {:?}", done.warnings);
        for number in 0..VILLAGES {
            let mut dealt: BTreeMap<Uuid, usize> = BTreeMap::new();
            for case in office.of_village(number).iter().filter(|case| case.role == CaseRole::Main) {
                *dealt.entry(case.assigned_to.expect("assigned")).or_default() += 1;
            }
            assert_eq!(dealt.values().copied().collect::<Vec<_>>(), [MAIN / 2, MAIN / 2]);
        }
        let seen: Vec<Uuid> = office
            .devices
            .iter()
            .flat_map(|device| of_device(office.field(), &office.key, device, day_of(monday())).expect("told").cases)
            .map(|case| case.id)
            .collect();
        assert_eq!(seen.len(), VILLAGES * MAIN, "reserves stay hidden");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "nobody sees another's case");
        let teams = assignment::teams(office.field(), 1).expect("teams");
        assert!(teams.iter().all(|team| team.enumerators.len() == 2 && team.open == [3, 3]), "{teams:?}");
        // The same seed gives the same teams; visited cases stay where they are.
        let before: Vec<_> = office.cases().iter().map(|case| case.assigned_to).collect();
        office.assign(7);
        assert_eq!(before, office.cases().iter().map(|case| case.assigned_to).collect::<Vec<_>>());
        let first = office.cases()[0].clone();
        office.visit(&first, 1, "22", monday());
        assert_eq!(office.assign(8).kept, 1);
        assert_eq!(office.case(first.id).assigned_to, first.assigned_to);
    }

    fn people_come_from_a_table_and_an_interpreter_is_sent_only_after_the_pledge(place) {
        let office = Office::new(place);
        let folder = TemporaryFolder::new();
        let file = folder.path().join("people.csv");
        let path = file.display().to_string();
        let run = |arguments: &[&str]| command(place, folder.path(), arguments);
        std::fs::write(&file, "code,kind,languages,areas\nM9,enumerator,,\nPD,interpreter,77,\n").expect("written");
        let (done, why) = run(&["fieldwork", "people", "1", &path]);
        assert!(!done && why.contains("line 2: no device") && why.contains("line 3: `77`"), "{why}");
        let people = "code,kind,languages,areas\nM1,enumerator,08,C0\nM2,enumerator,,C0\nM3,enumerator,,C1\n\
                      M4,enumerator,,C1\nPD,interpreter,08,\n";
        std::fs::write(&file, people).expect("written");
        let (done, told) = run(&["fieldwork", "people", "1", &path]);
        assert!(done && told.contains("4 điều tra viên, 1 phiên dịch"), "{told}");
        let (done, told) = run(&["fieldwork", "assign", "1", "--seed", "7"]);
        assert!(done && told.contains("0 thôn có phiên dịch") && told.contains("Mông"), "{told}");
        let (done, why) = run(&["fieldwork", "pledge", "1", "PX", "--on", "2026-07-30"]);
        assert!(!done && why.contains("PX"), "{why}");
        assert!(run(&["fieldwork", "pledge", "1", "PD", "--on", "2026-07-30"]).0);
        let (done, told) = run(&["fieldwork", "assign", "1", "--seed", "7"]);
        assert!(done && told.contains("2 thôn có phiên dịch") && !told.contains("warning"), "{told}");
        let (_, told) = run(&["fieldwork", "teams", "1", "--format", "json"]);
        let teams: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((&teams[0]["interpreter"], &teams[0]["pledged_on"]), (&json!("PD"), &json!("2026-07-30")));
        assert_eq!(teams[3]["interpreter"], Value::Null);
        let people: BTreeSet<&str> =
            teams[0]["enumerators"].as_array().expect("people").iter().filter_map(Value::as_str).collect();
        assert_eq!(people, BTreeSet::from(["M1", "M2"]), "only they work in commune C0");
        let (done, told) = run(&["fieldwork", "reassign", "1", "--from", "M1", "--to", "M3", "--village", "V0"]);
        assert!(done && told.contains("hộ chuyển từ M1 sang M3"), "{told}");
        assert!(office.of_village(0).iter().all(|case| case.assigned_to != Some(office.devices[0].id)));
        assert!(office.of_village(1).iter().any(|case| case.assigned_to == Some(office.devices[0].id)));
        assert!(!run(&["fieldwork", "reassign", "1", "--from", "M1", "--to", "M3", "--village", "V0"]).0);
        let known = office.field().read(|db| db.list_interpreters(1)).expect("read");
        let day = NaiveDate::from_ymd_opt(2026, 7, 30);
        let wanted = Interpreter { code: "PD".into(), languages: vec!["08".into()], areas: vec![], pledged_on: day };
        assert_eq!(known, [wanted]);
    }

    fn a_case_where_nobody_was_met_ends_by_the_rule_of_the_wave(place) {
        let office = Office::new(place);
        office.assign(7);
        let cases = office.of_village(0);
        let (one, other, third, fourth) = (&cases[0], &cases[1], &cases[2], &cases[3]);
        let status = |case: &Case| office.case(case.id).status;
        office.visit(one, 1, "22", monday());
        office.visit(one, 2, "22", monday() + TimeDelta::hours(2));
        assert_eq!(status(one), CaseStatus::Open);
        let due = of_device(
            office.field(),
            &office.key,
            office.devices.iter().find(|device| Some(device.id) == one.assigned_to).expect("a device"),
            day_of(monday()),
        );
        let due = due.expect("told").cases.into_iter().find(|case| case.id == one.id).expect("still due");
        assert_eq!((due.attempt, due.not_on), (3, Some(day_of(monday()))), "the third must be on another day");
        office.visit(one, 3, "22", monday() + days(1));
        assert_eq!(status(one), CaseStatus::Ended);
        for attempt in 1..=3 {
            office.visit(other, attempt, "22", monday() + TimeDelta::minutes(attempt));
        }
        assert_eq!(status(other), CaseStatus::Open, "three attempts on one day do not end it");
        office.visit(third, 1, "21", monday());
        assert_eq!(status(third), CaseStatus::Ended, "a refusal ends it at once");
        office.set(&Rules { attempts: 1, days: 1, ..Rules::default() });
        office.visit(fourth, 1, "22", monday());
        assert_eq!(status(fourth), CaseStatus::Ended);
        // Sent together days later: the form's own start tells the day.
        office.set(&Rules::default());
        let late = &cases[4];
        for attempt in 1..=3 {
            office.visit(late, attempt, "22", monday() + days(attempt));
        }
        let visits = office.field().read(|db| db.list_visits_of_case(late.id)).expect("visits");
        assert_eq!(visits.iter().map(|visit| day_of(visit.visited_at)).collect::<BTreeSet<_>>().len(), 3);
        office.visit(&cases[5], 1, "11", monday());
        assert_eq!(status(&cases[5]), CaseStatus::Complete);
    }

    fn reserves_are_released_in_their_hidden_order_and_opened_by_a_code(place) {
        let office = Office::new(place);
        office.assign(7);
        let cases = office.of_village(0);
        office.visit(&cases[0], 1, "21", monday());
        office.visit(&cases[1], 1, "41", monday());
        office.visit(&cases[2], 1, "22", monday());
        // What a tablet without network holds: locks, no numbers.
        let reserve = |place: usize| cases.iter().filter(|case| case.role == CaseRole::Reserve).nth(place).expect("one");
        let device = |case: &Case| {
            office.devices.iter().find(|device| Some(device.id) == case.assigned_to).expect("its device")
        };
        let told = |case: &Case| {
            of_device(office.field(), &office.key, device(case), day_of(monday())).expect("told").reserves
        };
        let hidden = told(reserve(0)).into_iter().find(|hidden| hidden.id == reserve(0).id).expect("hidden");
        assert_eq!(hidden.household, None);
        let released = office.release(Asked::ByRule).expect("released");
        assert_eq!(released.len(), 2, "two dwellings were lost, the third is to be visited again");
        assert_eq!(released.iter().map(|one| one.place).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(released[0].household, reserve(0).household);
        let lock = hidden.lock.expect("a lock");
        assert_eq!(release_codes::open(&lock, &released[0].code), reserve(0).household);
        assert_eq!(release_codes::open(&lock, &released[1].code), None);
        assert_eq!(office.case(reserve(0).id).status, CaseStatus::Open);
        assert_eq!(office.release(Asked::ByRule).expect("nothing more is due"), []);
        // A released reserve that is lost is followed by the next one.
        office.visit(&office.case(reserve(0).id), 1, "21", monday());
        assert_eq!(office.release(Asked::ByRule).expect("released").len(), 1);
        assert!(office.release(Asked::In { village: "V0", count: 1 }).is_err(), "none is left");
        assert!(office.release(Asked::In { village: "V9", count: 1 }).is_err());
        assert_eq!(office.release(Asked::In { village: "V1", count: 2 }).expect("a supervisor may").len(), 2);
        office.set(&Rules { reserves: ReleasedBy::Tablet, ..Rules::default() });
        let waiting = office.of_village(2).into_iter().find(|case| case.role == CaseRole::Reserve).expect("one");
        let open = told(&waiting).into_iter().find(|one| one.id == waiting.id).expect("told");
        assert_eq!((open.household, open.lock), (waiting.household, None), "the tablet may follow the rule itself");
    }

    fn a_village_is_postponed_first_and_then_replaced_by_the_reserve_of_its_stratum(place) {
        let office = Office::new(place);
        office.assign(7);
        let told = |day: NaiveDate| -> Vec<String> {
            let cases = office.devices.iter().flat_map(|device| {
                of_device(office.field(), &office.key, device, day).expect("told").cases
            });
            cases.map(|case| case.village).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let (today, later) = (day_of(monday()), day_of(monday() + days(7)));
        let reserve = langnghe::db::Village {
            village: "R1".to_owned(),
            stratum: "01/Mong".to_owned(),
            state: VillageState::Reserve,
            drawn_order: Some(1),
        };
        office.field().transaction(|db| db.keep_village(1, &reserve)).expect("kept");
        // The sample that was drawn with the reserve's listing: 40 dwellings, 6 taken and 2 reserves.
        let head = "village_id,commune_code,area,share_01,share_08,household,stratum,order_1,p_1,order_2,p_2,\
                    probability,role,variance_stratum,variance_psu\n";
        let (mut sample, mut frame) = (head.to_owned(), "village_id,area\n".to_owned());
        let names = (0..VILLAGES).map(village).chain(["R1".to_owned()]);
        for name in names {
            for order in 1..=8 {
                let role = if order <= 6 && name != "R1" { "main" } else { "reserve" };
                let probability = if role == "main" { "0.06" } else { "" };
                sample += &format!(
                    "{name},C0,01,0.1,0.9,{},01/Mong,1,0.4,{order},0.15,{probability},{role},01/Mong,{name}\n",
                    order * 3
                );
            }
        }
        for number in 0..12 {
            frame += &format!("F{number},01\n");
        }
        let types: Types = ["village_id", "commune_code", "area", "household", "stratum", "role", "variance_stratum"]
            .iter()
            .chain(&["variance_psu"])
            .map(|name| ((*name).to_owned(), Declared::Category))
            .collect();
        let sample = Table::parse_csv(&sample, "sample.csv", &types).expect("a table");
        let frame = Table::parse_csv(&frame, "frame.csv", &types).expect("a table");
        let columns = cases::SampleColumns {
            village: "village_id".into(),
            household: "household".into(),
            commune: "commune_code".into(),
            area: "area".into(),
            trend_areas: Vec::new(),
            majority: None,
        };
        let redrawn = Redrawn { sample: &sample, frame: &frame, columns: &columns };
        let replace = || villages::replace(office.field(), 1, "V3", &redrawn, "lan", monday());
        assert!(replace().expect_err("not yet").to_string().contains("first put off"));
        let put_off = |reason: &str| {
            villages::postpone(office.field(), 1, "V3", (later, reason), "lan", monday())
        };
        assert!(put_off(" ").is_err(), "a reason is needed");
        put_off("sạt lở đường").expect("postponed");
        assert_eq!(told(today), ["V0", "V1", "V2"]);
        assert_eq!(told(later).len(), 4, "on that day it is tried again");
        villages::reopen(office.field(), 1, "V3", "lan", monday()).expect("open");
        assert_eq!(told(today).len(), 4);
        put_off("sạt lở đường").expect("postponed");
        assert_eq!(replace().expect("replaced"), "R1");
        let new: Vec<Case> = office.cases().into_iter().filter(|case| case.village == "R1").collect();
        assert_eq!(new.len(), 8);
        assert_eq!(new.iter().filter(|case| case.role == CaseRole::Main).count(), MAIN);
        // Five villages in place of four: 0.5 · 5/4 for those of the stratum, 0.4 · 5/4 for the reserve.
        assert!((new[0].probability_1 - 0.5).abs() < 1e-12);
        let kept = office.of_village(0);
        assert!((kept[0].probability_1 - 0.625).abs() < 1e-12);
        assert!((cases::design_of(&kept[0]).expect("a design").before - 0.625).abs() < 1e-12);
        let lost = office.of_village(3);
        assert!(lost.iter().all(|case| case.role == CaseRole::Reserve || case.status == CaseStatus::Ended));
        assert!(replace().is_err(), "it is given up once");
        assert_eq!(office.release(Asked::ByRule).expect("nothing"), [], "no reserves for a village that was given up");
        office.assign(7);
        assert!(told(today).contains(&"R1".to_owned()));
    }

    fn back_checks_compare_facts_and_give_rates_over_ten_interviews(place) {
        let office = Office::new(place);
        office.assign(7);
        office.set(&Rules { back_checks: 0.5, ..Rules::default() });
        let draw = || back_checks::draw(office.field(), &office.key, 1, "lan", monday()).expect("drawn");
        // One enumerator does twelve interviews, another three.
        let mut cases: Vec<Case> = office.cases().into_iter().take(15).collect();
        for (position, case) in cases.iter_mut().enumerate() {
            let device = office.devices[usize::from(position >= 12)].id;
            office.field().transaction(|db| db.assign_case(case.id, Some(device))).expect("assigned");
            case.assigned_to = Some(device);
        }
        for case in &cases {
            office.visit(case, 1, "11", monday());
        }
        let first = draw();
        assert!(first >= 13, "every one of the first ten of each: {first}");
        assert_eq!(draw(), 0, "drawing again draws nobody new");
        let told = back_checks::results(&office.receiver, 1).expect("results");
        assert!(told.checks.iter().all(|check| !check.done));
        let checked: Vec<&back_checks::Check> =
            told.checks.iter().filter(|check| check.enumerator == "M1").take(3).collect();
        let found = [
            Found { asked: false, minutes: None, adults: None },
            Found { asked: true, minutes: Some(50), adults: Some(3) },
            Found { asked: true, minutes: Some(5), adults: Some(2) },
        ];
        for (check, found) in checked.iter().zip(found) {
            let dwelling = (check.village.as_str(), check.household.expect("a number"));
            back_checks::keep(office.field(), &office.key, 1, dwelling, found, "lan", monday()).expect("kept");
        }
        let told = back_checks::results(&office.receiver, 1).expect("results");
        assert_eq!((told.enumerators.len(), told.too_few), (1, 1), "three interviews give no rate");
        let one = &told.enumerators[0];
        assert_eq!((one.enumerator.as_str(), one.interviews, one.checked), ("M1", 12, 3));
        assert_eq!((one.not_asked, one.minutes, one.adults), (1, 1, 1));
        let third = told.checks.iter().find(|check| check.case == checked[2].case).expect("there");
        assert_eq!(third.differences, [Difference::Minutes, Difference::Adults]);
        let unvisited = office.cases().into_iter().find(|case| case.status == CaseStatus::Open).expect("one");
        let dwelling = (unvisited.village.as_str(), unvisited.household.expect("a number"));
        let kept = back_checks::keep(office.field(), &office.key, 1, dwelling, found[0], "lan", monday());
        assert!(kept.expect_err("not drawn").to_string().contains("was not drawn"));
    }

    fn a_flagged_case_is_decided_about_and_a_partial_interview_ruled(place) {
        let office = Office::new(place);
        office.assign(7);
        let cases = office.of_village(0);
        let decide = |case: &Case, decision| {
            let dwelling = (case.village.as_str(), case.household.expect("a number"));
            reviews::decide(office.field(), 1, dwelling, decision, "lan", monday())
        };
        assert!(decide(&cases[0], Decision::Accepted).is_err(), "nobody was there yet");
        office.visit(&cases[0], 1, "11", monday());
        office.visit(&cases[1], 1, "12", monday());
        assert!(decide(&cases[0], Decision::Counts).is_err(), "it is no partial interview");
        let flagged = reviews::flagged(&office.receiver, 1, "hh").expect("flagged");
        let partial = flagged.iter().find(|one| one.case == cases[1].id).expect("the partial one waits");
        assert!(partial.facts.contains(&"partial") && partial.decision.is_none());
        decide(&cases[1], Decision::Counts).expect("ruled");
        decide(&cases[0], Decision::Revisit).expect("decided");
        assert_eq!(office.case(cases[0].id).status, CaseStatus::Open, "it is on the device again");
        let flagged = reviews::flagged(&office.receiver, 1, "hh").expect("flagged");
        let partial = flagged.iter().find(|one| one.case == cases[1].id).expect("there");
        assert_eq!((partial.decision, partial.decided_by.as_deref()), (Some("counts"), Some("lan")));
    }

    fn progress_counts_against_the_plan_on_the_command_line(place) {
        let office = Office::new(place);
        office.assign(7);
        let (now, cases) = (Utc::now(), office.cases());
        let main: Vec<&Case> = cases.iter().filter(|case| case.role == CaseRole::Main).collect();
        for (number, case) in main.iter().enumerate() {
            let disposition = ["11", "11", "11", "21", "22"][number % 5];
            office.visit(case, 1, disposition, now);
        }
        office.release(Asked::ByRule).expect("released");
        let folder = TemporaryFolder::new();
        let (done, told) = command(place, folder.path(), &["wave", "progress", "1", "--format", "json"]);
        assert!(done, "{told}");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let total = &told["total"];
        // 24 main cases: 15 interviews, 5 refusals, 4 where nobody was met yet; five reserves for the five lost.
        assert_eq!((&total["planned"], &total["interviews"]), (&json!(24), &json!(15)));
        assert_eq!((&total["refusals"], &total["begun"], &total["released"]), (&json!(5), &json!(4), &json!(5)));
        assert_eq!((&total["rr1"], &total["substitution"]), (&json!(0.75), &json!(0.1724)));
        assert_eq!(told["areas"][0]["name"], "01");
        assert_eq!(told["enumerators"].as_array().expect("a list").len(), 4);
        assert!(told["enumerators"].as_array().expect("a list").iter().all(|one| one["rr1"].is_null()), "under ten");
        assert_eq!(told["precision"][0]["n"], 15);
        assert!(told["precision"][0]["half_width"].as_f64().expect("a number") > 0.2);
        assert_eq!(told["projection"]["open"], 9);
        let (done, told) = command(place, folder.path(), &["wave", "progress", "1"]);
        assert!(done && told.contains("Dự kiến xong") && told.contains("deff"), "{told}");
        let (done, why) = command(place, folder.path(), &["fieldwork", "rules", "1", "--days", "9"]);
        assert!(!done && why.contains("nothing was changed"), "{why}");
    }
}
