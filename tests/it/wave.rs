//! A wave from its design to its closing, by command on both databases: what is checked on entry, what the freeze joins
//! and holds back, what closing leaves, and that nothing left joins an answer to a dwelling.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::{DateTime, TimeDelta, Utc};
use langnghe::db::{AnswerVault, AppUser, FieldVault, NewForm, Outcome, ProjectState, Sender};
use langnghe::intake::{IntakeError, Receiver, Ties};
use langnghe::jobs::analysis_file::AnalysisFile;
use langnghe::jobs::analysis_files::AnalysisFiles;
use langnghe::jobs::withdrawal;
use langnghe::keys::{self, BlockPlace, KeyFolder, Passphrase, WaveKey};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::databases::{Place, TemporaryFolder, morning, on_both_backends};
use crate::storage_secrecy::files_with;

pub const HOUSE: &str = "bốn từ không liền nhau";
pub const CUSTODIAN: &str = "của riêng người giữ khóa";
pub const NAME: &str = "Khảo sát thử";
/// Villages of the frame in each of the two areas, of them drawn, dwellings listed and taken in a village.
const FRAMED: usize = 12;
const DRAWN: usize = 4;
const LISTED: usize = 40;
const TAKEN: usize = 8;

const FORM: &str = "
| survey |             |             |             |                |                 |
|        | type        | name        | label       | bind::ln:vault | bind::ln:sealed |
|        | begin group | case        | Case        | field          |                 |
|        | text        | village     | Village     |                |                 |
|        | integer     | household   | Number      |                |                 |
|        | integer     | attempt     | Attempt     |                |                 |
|        | end group   |             |             |                |                 |
|        | begin group | roster      | Roster      | field          |                 |
|        | integer     | adults_n    | Adults      |                |                 |
|        | end group   |             |             |                |                 |
|        | select_one sex   | b1     | Sex         |                |                 |
|        | select_one yesno | c1     | Better?     |                |                 |
|        | begin group | own         | Own         |                | yes             |
|        | select_one yesno | k1     | Trust?      |                |                 |
|        | end group   |             |             |                |                 |
|        | begin group | result      | Result      | field          |                 |
|        | text        | disposition | Disposition |                |                 |
|        | end group   |             |             |                |                 |
| choices |            |             |             |
|        | list_name   | name        | label       |
|        | sex         | 1           | Man         |
|        | sex         | 2           | Woman       |
|        | yesno       | 1           | Yes         |
|        | yesno       | 2           | No          |
| settings |           |             |             |
|        | form_id     | version     | form_title  |
|        | hh          | 1           | Households  |
";

/// An installation with one survey, its form and its keys, on the databases of a test.
pub struct Survey<'p> {
    pub place: &'p Place,
    pub folder: TemporaryFolder,
    started: DateTime<Utc>,
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<'p> Survey<'p> {
    pub fn new(place: &'p Place) -> Self {
        let survey = Self { place, folder: TemporaryFolder::new(), started: Utc::now() };
        survey.ok(&["project", "add", NAME], HOUSE);
        let field = place.field();
        let read = surveys::xlsform::read("form.md", FORM.as_bytes()).expect("a form").questionnaire;
        let xml = surveys::xform::write(&read).expect("a form").into_bytes();
        let form = NewForm {
            project: 1,
            form_id: "hh".to_owned(),
            version: "1".to_owned(),
            title: "Households".to_owned(),
            xml,
            workbook: None,
            files: Vec::new(),
            confirmation: None,
        };
        field.transaction(|db| db.publish_form(form, morning())).expect("published");
        field
            .transaction(|db| db.create_app_user(1, "Máy 1", Some("M1"), "token-1", morning()))
            .expect("a device");
        survey.ok(&["key", "custodian", "--output", &survey.file("custodian")], CUSTODIAN);
        survey.ok(&["key", "create", "1", "--custodian", &survey.file("custodian.pub")], HOUSE);
        survey
    }

    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub fn run(&self, arguments: &[&str], passphrase: &str) -> Output {
        self.command(arguments, passphrase).output().expect("the program runs")
    }

    /// A server on this installation, at any free port.
    pub fn serve(&self, options: &[&str]) -> Command {
        self.command(&[&["serve", "--listen", "127.0.0.1:0"], options].concat(), HOUSE)
    }

    pub fn command(&self, arguments: &[&str], passphrase: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_langnghe"));
        program
            .args(arguments)
            .env("LANGNGHE_DATA", self.folder.path().join("data"))
            .env("LANGNGHE_FIELD", &self.place.field_url)
            .env("LANGNGHE_ANSWERS", &self.place.answers_url)
            .env("LANGNGHE_KEY_PASSPHRASE", passphrase)
            .env("LANGNGHE_CUSTODIAN_PASSPHRASE", CUSTODIAN);
        program
    }

    pub fn ok(&self, arguments: &[&str], passphrase: &str) -> String {
        let done = self.run(arguments, passphrase);
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    pub fn refused(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments, HOUSE);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {}", text(&done.stdout));
        text(&done.stderr)
    }

    fn write(&self, name: &str, content: &str) {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, content).expect("written");
    }

    /// The instrument's folder, with the changes that a test makes to its weighting and plan.
    fn give_instrument(&self, weighting: &Value, plan: &Value) {
        let report = include_str!("../../surveys/instruments/2026/report.json");
        let mut report: Value = serde_json::from_str(report).expect("JSON");
        report["headlines"] =
            json!([{ "id": "better", "question": "C1", "short": "Khá hơn", "subject": "Tỷ lệ khá hơn" }]);
        report["breakdowns"] = json!([{ "by": "area_large", "name": "địa bàn", "file": "dia-ban" }]);
        report["sections"] = json!([]);
        self.write("instrument/report.json", &report.to_string());
        self.write("instrument/weighting.json", &weighting.to_string());
        self.write("instrument/analysis.json", &plan.to_string());
        self.write("instrument/areas.csv", "code,name\n01,Huyện Một\n02,Huyện Hai\n");
    }

    pub fn give_design(&self) {
        self.give_instrument(&weighting(), &plan());
        self.ok(&["wave", "design", "1", &self.file("instrument")], HOUSE);
    }

    /// Frame and drawn sample; `areas` gives a village its area.
    fn give_sample(&self, areas: impl Fn(usize) -> &'static str) {
        let mut frame = "village_id,commune_code,area,share_01,share_08\n".to_owned();
        let mut sample =
            "village_id,commune_code,area,share_01,share_08,household,stratum,order_1,p_1,order_2,p_2,\
                          probability,role,variance_stratum,variance_psu\n"
                .to_owned();
        for village in 0..2 * FRAMED {
            let area = areas(village);
            let known = format!("V{village:02},00{village:02},{area},0.25,0.75");
            frame += &format!("{known}\n");
            if village % FRAMED >= DRAWN {
                continue;
            }
            for order in 1..=TAKEN + 2 {
                let role = if order <= TAKEN { "main" } else { "reserve" };
                sample += &format!(
                    "{known},{},{area}/Mong,1,0.5,{order},0.2,{},{role},{area}/Mong,V{village:02}\n",
                    (order * 7 + village) % LISTED + 1,
                    if order <= TAKEN { "0.1" } else { "" },
                );
            }
        }
        self.write("frame.csv", &frame);
        self.write("sample.csv", &sample);
    }

    fn cases(&self) -> Vec<String> {
        ["wave", "cases", "1", &self.file("sample.csv"), "--frame", &self.file("frame.csv"), "--area", "area"]
            .map(str::to_owned)
            .to_vec()
    }

    pub fn make_cases(&self) -> String {
        self.give_sample(|village| if village < FRAMED { "01" } else { "02" });
        let arguments = self.cases();
        self.ok(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), HOUSE)
    }

    pub fn keys(&self) -> KeyFolder {
        KeyFolder::open(self.folder.path().join("data/keys"))
            .expect("the folder opens")
            .with_passphrase(Passphrase::new(HOUSE))
    }

    pub fn receiver(&self) -> Receiver {
        Receiver::new(self.place.field(), self.place.answers(), HashMap::new(), Ties::Random)
            .with_key_folder(self.keys())
    }

    /// Sends the `n`th interview, a second after the one before.
    pub fn send(&self, receiver: &Receiver, n: usize) -> Result<Outcome, IntakeError> {
        let custodian = keys::load_custodian_public(&self.folder.path().join("custodian.pub"))
            .expect("a public key")
            .blocks;
        let place = BlockPlace {
            form_id: "hh",
            form_version: "1",
            block_path: "/data/own",
            first_instance_id: &instance(n),
        };
        let sealed = keys::seal_block(&custodian, place, format!("<k1>{}</k1>", 1 + n % 2).as_bytes());
        let own = format!("<ln_sealed>{}</ln_sealed>", sealed.expect("sealed"));
        self.send_with(receiver, n, &own)
    }

    /// The same with this content of the block that is due sealed.
    fn send_with(&self, receiver: &Receiver, n: usize, own: &str) -> Result<Outcome, IntakeError> {
        let user: AppUser = receiver.find_app_user(1, "token-1").expect("the device is known");
        let case = &main_cases(receiver)[n];
        let xml = format!(
            "<data id=\"hh\" version=\"1\"><case><village>{}</village><household>{}</household><attempt>1</attempt></case>\
             <roster><adults_n>2</adults_n></roster><b1>{}</b1><c1>{}</c1><own>{own}</own>\
             <result><disposition>11</disposition></result><meta><instanceID>{}</instanceID></meta></data>",
            case.0,
            case.1,
            1 + n % 2,
            1 + n / 2 % 2,
            instance(n),
        );
        let at = self.started + TimeDelta::seconds(n as i64);
        let sender = Sender { app_user: Some(user.id), ..Sender::default() };
        receiver.receive(1, sender, xml.into_bytes(), at).map(|stored| stored.outcome)
    }

    pub fn analysis(&self, snapshot: Option<u32>) -> AnalysisFile {
        let files = AnalysisFiles::open(self.folder.path().join("data/analysis")).expect("a folder");
        files.read(1, snapshot, &self.keys().analysts(1).expect("the analysts' key")).expect("it opens")
    }

    pub fn state(&self) -> ProjectState {
        self.place.field().read(|db| db.find_project(1)).expect("read").expect("there").state
    }
}

pub fn main_cases(receiver: &Receiver) -> Vec<(String, i64)> {
    let cases = receiver.field.read(|db| db.list_cases(1)).expect("cases");
    cases
        .into_iter()
        .filter(|case| case.role == langnghe::db::CaseRole::Main)
        .map(|case| (case.village, case.household.expect("a number")))
        .collect()
}

pub fn instance(n: usize) -> String {
    format!("uuid:{}", Uuid::from_u128(0x5EED_0000_0000_4000_8000_0000_0000_0000 + n as u128))
}

fn weighting() -> Value {
    json!({
        "types": { "b1": "category" },
        "derive": { "rake_sex": "b1", "rake_area": "area_large" },
        "margins": [
            { "by": "rake_sex", "totals": [["1", 5000.0], ["2", 5200.0]] },
            { "by": "rake_area", "totals": [["01", 6000.0], ["02", 4200.0]] }
        ]
    })
}

fn plan() -> Value {
    json!({
        "types": { "b1": "category", "c1": "category", "k1": "category" },
        "derive": { "better": "CASE WHEN c1 = '1' THEN 1 WHEN c1 IS NOT NULL THEN 0 END" },
        "requests": [{ "id": "better", "statistic": "mean", "of": ["better"], "missing": "drop" }]
    })
}

/// All interviews of the sample: two areas, four villages each, eight dwellings each.
const ALL: usize = 2 * DRAWN * TAKEN;

on_both_backends! {
    fn a_design_that_does_not_fit_the_questionnaire_is_refused_with_every_reason(place) {
        let survey = Survey::new(place);
        let mut weighting = weighting();
        weighting["derive"]["rake_age"] = json!("b2");
        weighting["margins"][0]["totals"] = json!([["1", 5000.0], ["3", 5000.0]]);
        let mut plan = plan();
        plan["derive"]["better"] = json!("CASE WHEN c11 = '1' THEN 1 ELSE 0 END");
        plan["requests"][0]["id"] = json!("beter");
        survey.give_instrument(&weighting, &plan);
        let why = survey.refused(&["wave", "design", "1", &survey.file("instrument")]);
        for part in [
            "`b2` is neither a question",
            "`rake_age` has no margin",
            "category `2` of `b1` has no total",
            "`b1` has no category `3`",
            "`c11` is neither a question",
            "did you mean `c1`?",
            "headline `better` is no request",
            "sums to",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(survey.refused(&["wave", "freeze", "1"]).contains("wave design 1"));
        survey.give_design();
    }

    fn an_area_with_too_few_villages_is_refused_before_any_answer_can_carry_it(place) {
        let survey = Survey::new(place);
        // Area 03 has 12 villages of the frame, of which two are in the sample.
        survey.give_sample(|village| if village % FRAMED < 2 && village < FRAMED { "03" } else { "01" });
        let arguments = survey.cases();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let why = survey.refused(&arguments);
        assert!(why.contains("03: 2 villages of the frame, 2 of the sample"), "{why}");
        assert!(!why.contains("01:"), "the other area is large enough: {why}");
        assert!(survey.make_cases().contains("64"));
        assert!(survey.refused(&arguments).contains("already"));
        // With the commune as an area of another year each combination would be one village.
        let elsewhere = Place::on_sqlite();
        let other = Survey::new(&elsewhere);
        other.give_sample(|village| if village < FRAMED { "01" } else { "02" });
        let arguments = other.cases();
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--trend-area", "commune_code"]);
        assert!(other.refused(&arguments).contains("01/0000: 1 villages"));
    }

    fn a_wave_is_frozen_early_and_finally_and_its_file_holds_what_was_said(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        for n in 0..20 {
            survey.send(&receiver, n).expect("stored");
        }
        let why = survey.refused(&["wave", "freeze", "1", "--early"]);
        assert!(why.contains("too few to hold back"), "{why}");
        for n in 20..ALL - 2 {
            survey.send(&receiver, n).expect("stored");
        }
        let key = ["--custodian-key", &survey.file("custodian")];
        let said = survey.ok(&["wave", "freeze", "1", "--early", key[0], key[1]], HOUSE);
        assert!(said.contains("32 phỏng vấn") && said.contains("giữ lại 30"), "{said}");
        assert_eq!(survey.state(), ProjectState::Open);
        assert_eq!(survey.analysis(None).records.len(), ALL - 32);

        // Without the custodian's key the sealed questions are missing, and the command says so.
        for n in ALL - 2..ALL - 1 {
            survey.send(&receiver, n).expect("stored while the wave is open");
        }
        let frozen = survey.run(&["wave", "freeze", "1"], HOUSE);
        assert!(frozen.status.success(), "{}", text(&frozen.stderr));
        assert!(text(&frozen.stderr).contains("63 phỏng vấn có phần niêm phong"), "{}", text(&frozen.stderr));
        assert!(text(&frozen.stderr).contains("1 hộ"), "one case was not visited: {}", text(&frozen.stderr));
        let blind = survey.analysis(Some(2));
        assert_eq!(blind.records.len(), ALL);
        let with = |file: &AnalysisFile, question: &str| {
            file.records.iter().filter(|r| r.answers.as_ref().is_some_and(|a| a.contains_key(question))).count()
        };
        assert_eq!((with(&blind, "c1"), with(&blind, "k1")), (ALL - 1, 0));
        survey.ok(&["wave", "freeze", "1", key[0], key[1]], HOUSE);
        let file = survey.analysis(None);
        assert_eq!((file.about.snapshot, with(&file, "k1")), (3, ALL - 1));
        assert_eq!(survey.state(), ProjectState::Frozen);
        let late = survey.send(&receiver, ALL - 1);
        assert!(matches!(late, Err(IntakeError::ClosedForm { .. })), "{late:?}");
        assert_eq!(place.field().read(|db| db.late_interviews(1)).expect("read"), 1);
        // A reply that was lost before the end: the same interview is told again that it was received.
        let sealed = "<ln_sealed>ln1:A</ln_sealed>";
        survey.reopened(&receiver, |survey| survey.send_with(&receiver, ALL - 1, sealed)).expect("stored");
        let again = survey.send_with(&receiver, ALL - 1, sealed);
        assert!(matches!(again, Ok(Outcome::AlreadyStored)), "{again:?}");
        let other = survey.send_with(&receiver, ALL - 1, "<ln_sealed>ln1:B</ln_sealed>");
        assert!(matches!(other, Err(IntakeError::ClosedForm { .. })), "{other:?}");

        // Each answer stands where it was given: the sealed one agrees with the sex, as it was sent.
        for record in file.records.iter().filter(|r| r.answers.is_some()) {
            let answers = record.answers.as_ref().expect("answers");
            assert_eq!(answers["b1"], answers["k1"]);
            assert!((record.probability - 0.1).abs() < 1e-12);
            assert_eq!((record.adults, record.village_majority.as_str()), (Some(2), "08"));
            assert_eq!(record.enumerator.as_deref(), Some("0001"));
            assert!(!answers.contains_key("village") && !answers.contains_key("household"));
        }
        let psus: BTreeSet<&str> = file.records.iter().map(|r| r.variance_psu.as_str()).collect();
        assert_eq!(psus.len(), 2 * DRAWN);
        assert!(psus.iter().all(|psu| psu.parse::<u32>().is_ok()), "no village: {psus:?}");
        let log = place.field().read(|db| db.verify_audit()).expect("the chain is whole");
        assert_eq!(log.iter().filter(|entry| entry.kind == "analysis file made").count(), 3);
        assert!(log.iter().all(|entry| !entry.detail.contains("uuid:") && !entry.detail.contains("V0")));
    }

    fn two_final_snapshots_never_differ_by_a_few_people(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        for n in 0..ALL - 3 {
            survey.send(&receiver, n).expect("stored");
        }
        survey.ok(&["wave", "freeze", "1"], HOUSE);
        let reopen = || place.field().transaction(|db| {
            db.set_form_state(1, "hh", langnghe::db::FormState::Open)?;
            db.set_project_state(1, ProjectState::Open)
        });
        reopen().expect("a supervisor opens the form again");
        survey.send(&receiver, ALL - 3).expect("stored");
        let why = survey.refused(&["wave", "freeze", "1"]);
        assert!(why.contains("differ by 1 interviews"), "{why}");
        assert_eq!(survey.state(), ProjectState::Open, "the wave goes on");
        survey.send(&receiver, ALL - 2).expect("stored");
        survey.ok(&["wave", "freeze", "1", "--replace"], HOUSE);
        let files = AnalysisFiles::open(survey.folder.path().join("data/analysis")).expect("a folder");
        assert_eq!(files.snapshots(1).expect("listed"), [2]);
    }

    fn a_released_reserve_changes_the_probability_of_its_village(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        let reserve = receiver.field.read(|db| db.list_cases(1)).expect("cases");
        let reserve = reserve.iter().find(|case| case.role == langnghe::db::CaseRole::Reserve).expect("there");
        receiver
            .field
            .transaction(|db| db.set_case_status(reserve.id, langnghe::db::CaseStatus::Open))
            .expect("released");
        for n in 0..ALL {
            survey.send(&receiver, n).expect("stored");
        }
        survey.ok(&["wave", "freeze", "1"], HOUSE);
        // 0.5 × 9 of 40 in its village, 0.5 × 8 of 40 elsewhere; the reserve itself was not visited.
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for record in &survey.analysis(None).records {
            *counts.entry(format!("{:.4}", record.probability)).or_default() += 1;
        }
        let expected = BTreeMap::from([("0.1000".to_owned(), ALL - TAKEN), ("0.1125".to_owned(), TAKEN + 1)]);
        assert_eq!(counts, expected);
    }

    fn a_receipt_code_withdraws_one_interview_and_a_restored_backup_does_not_revive_it(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        for n in 0..4 {
            survey.send(&receiver, n).expect("stored");
        }
        let code = withdrawal::receipt(&instance(2));
        assert_eq!(code.len(), 19, "four groups of four: {code}");
        assert!(survey.refused(&["wave", "withdraw", "1", "3f9a"]).contains("16"));
        assert!(survey.refused(&["wave", "withdraw", "1", "0000 0000 0000 0000"]).contains("không có phiếu"));
        survey.ok(&["wave", "withdraw", "1", &code.to_uppercase()], HOUSE);
        let left = || receiver.field.read(|db| db.count_submissions(1)).expect("counted");
        assert_eq!(left(), 3);
        let key = receiver.key(1).expect("the key");
        assert_eq!(receiver.answers.read(|db| db.list_answers(1, &key)).expect("answers").len(), 3);
        // Sent again it is thanked for and not stored.
        assert_eq!(survey.send(&receiver, 2).expect("answered"), Outcome::Withdrawn);
        assert!(survey.refused(&["wave", "withdraw", "1", &code]).contains("không có phiếu"));
        // A backup from before brings it back, for as long as nobody looks into the key folder.
        crate::databases::execute(&place.field_url, "delete from withdrawals");
        assert_eq!(survey.send(&receiver, 2).expect("stored"), Outcome::New);
        withdrawal::repeat(&receiver, &survey.keys(), 1).expect("withdrawn again");
        assert_eq!(left(), 3);
        assert_eq!(survey.send(&receiver, 2).expect("answered"), Outcome::Withdrawn);
    }

    fn what_is_left_after_closing_joins_no_answer_to_a_dwelling(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        for n in 0..ALL {
            survey.send(&receiver, n).expect("stored");
        }
        let key = receiver.key(1).expect("the key is held");
        assert_eq!(joined(&place.field(), &place.answers(), &key), ALL, "the attack works with the wave key");
        let copies = backup(place, survey.folder.path());
        let order: Vec<(String, i64)> = main_cases(&receiver);
        let tokens = receiver.field.read(|db| db.list_submissions(1, &key)).expect("opened");

        let custodian = survey.file("custodian");
        let close = ["wave", "close", "1", "--custodian-key", &custodian, "--confirm"];
        let with = |name: &'static str| close.iter().copied().chain([name]).collect::<Vec<_>>();
        assert!(survey.refused(&with("Khảo sát khác")).contains("nothing was done"));
        let why = survey.refused(&["wave", "close", "1", "--confirm", NAME]);
        assert!(why.contains("--without-sealed"), "sealed answers are not lost by a slip: {why}");
        assert_eq!(survey.state(), ProjectState::Open, "nothing was begun");
        let certificate = survey.ok(&with(NAME), HOUSE);
        for part in ["GIẤY CHỨNG NHẬN", "wave-1.key", "wave-1.escrow", "submissions: 64", "answers: 64", "SHA-256"] {
            assert!(certificate.contains(part), "{part}: {certificate}");
        }
        assert_eq!(survey.state(), ProjectState::Closed);
        assert_eq!(survey.ok(&close[..5], HOUSE), certificate, "closing again says the same");

        // Nothing is left in the vaults, and what comes late is refused and counted.
        let rows = place.field().read(|db| db.count_wave(1)).expect("counted");
        assert!(rows.iter().all(|(_, rows)| *rows == 0), "{rows:?}");
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 0);
        let late = survey.send_after_closing(&receiver);
        assert!(matches!(late, Err(IntakeError::ClosedForm { .. })), "{late:?}");

        // No key that is left opens a backup, and no key of the wave is left.
        let kept = survey.keys();
        assert!(kept.load(1).is_err() && kept.load_tablet(1).is_err());
        let left = kept.installation().expect("the installation's own key");
        if let Some((field, answers)) = copies {
            assert_eq!(joined(&field, &answers, &key), ALL, "with the wave key the copies would open");
            assert_eq!(joined(&field, &answers, &left), 0, "without it they tell nothing");
        }
        for secret in [instance(7), "<c1>".to_owned(), "<ln_sealed>".to_owned()] {
            assert_eq!(files_with(&place.files, secret.as_bytes()), Vec::<String>::new(), "{secret}");
            assert_eq!(files_with(survey.folder.path(), secret.as_bytes()), Vec::<String>::new(), "{secret}");
        }
        if place.field_url.starts_with("sqlite") {
            for submission in &tokens {
                let files = files_with(&place.files, submission.token.to_string().as_bytes());
                assert_eq!(files, Vec::<String>::new(), "free pages and the write-ahead log are empty");
            }
        }

        // The analysis file is all there is. Its order is no better than guessing: of 64 places, one agrees by chance.
        let file = survey.analysis(None);
        let answers = |n: usize| (1 + n % 2, 1 + n / 2 % 2);
        let agrees = file
            .records
            .iter()
            .enumerate()
            .filter(|(n, record)| {
                let given = record.answers.as_ref().expect("an interview");
                (given["b1"].parse(), given["c1"].parse()) == (Ok(answers(*n).0), Ok(answers(*n).1))
            })
            .count();
        // Four kinds of answers: 16 of 64 expected in any order, standard deviation under 4.
        assert!((2..=34).contains(&agrees), "{agrees} of {} rows stand where they were sent", order.len());
        let stays = |name: &str| place.field().read(|db| db.find_document(1, name)).expect("read").expect("it stays");
        let dispositions = text(&stays("closing/dispositions.csv").content);
        assert!(dispositions.contains("01/Mong,11,32"), "{dispositions}");
        assert_eq!(text(&stays("closing/villages.csv").content).lines().count(), 1 + 2 * DRAWN);
        place.field().read(|db| db.verify_audit()).expect("the chain is whole");
    }

    fn a_closing_that_was_interrupted_is_carried_on(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        for n in 0..12 {
            survey.send(&receiver, n).expect("stored");
        }
        // The folder of files cannot be read as one: a file of the same name stands in its way, after the keys went.
        let attached = receiver.field.read(|db| db.list_submissions(1, &receiver.key(1).expect("a key")));
        let new = langnghe::db::NewAttachment {
            submission: attached.expect("opened")[0].id,
            name: "a.txt".to_owned(),
            sha256: [7; 32],
            file: "stuck".to_owned(),
            size: 3,
        };
        let key = receiver.key(1).expect("a key");
        receiver.field.transaction(|db| db.keep_attachment(&new, &key)).expect("kept");
        let stuck = survey.folder.path().join("data/files/stuck/inside");
        fs::create_dir_all(&stuck).expect("a folder where a file should be");
        let arguments = ["wave", "close", "1", "--without-sealed", "--confirm", NAME];
        assert!(survey.refused(&arguments).contains("close again"));
        assert_eq!(survey.state(), ProjectState::Closed);
        assert!(survey.keys().load(1).is_err(), "the key went first");
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 12);
        fs::remove_dir_all(survey.folder.path().join("data/files/stuck")).expect("removed");
        assert!(survey.ok(&["wave", "close", "1"], HOUSE).contains("answers: 12"));
        assert_eq!(place.answers().read(|db| db.count_wave(1)).expect("counted"), 0);
    }

    fn a_plain_block_where_a_sealed_one_is_due_is_sealed_by_the_server_and_flagged(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let receiver = survey.receiver();
        for n in 0..3 {
            survey.send_with(&receiver, n, &format!("<k1>{}</k1>", 1 + n % 2)).expect("accepted");
        }
        assert_eq!(survey.send_with(&receiver, 2, "<k1>1</k1>").expect("known"), Outcome::AlreadyStored);
        survey.send(&receiver, 3).expect("stored");
        let key = receiver.key(1).expect("the key");
        let answers = receiver.answers.read(|db| db.list_answers(1, &key)).expect("opened");
        assert!(answers.iter().all(|answer| !text(&answer.xml).contains("<k1>")), "nobody reads it, with the wave key too");
        let stored = receiver.field.read(|db| db.list_submissions(1, &key)).expect("opened");
        let flagged = |flag: &str| stored.iter().filter(|s| s.flags.iter().any(|f| f == flag)).count();
        assert_eq!(flagged(keys::SEALED_BY_SERVER), 3);
        survey.ok(&["wave", "freeze", "1", "--custodian-key", &survey.file("custodian")], HOUSE);
        let file = survey.analysis(None);
        let interviews: Vec<_> = file.records.iter().filter_map(|r| r.answers.as_ref()).collect();
        assert_eq!(interviews.len(), 4);
        assert!(interviews.iter().all(|answers| answers["k1"] == answers["b1"]));
    }

    fn the_analysts_key_is_kept_until_its_day_and_can_be_destroyed_after_it(place) {
        let survey = Survey::new(place);
        let listed: Value = serde_json::from_str(&survey.ok(&["key", "list", "--format", "json"], HOUSE)).expect("JSON");
        assert_eq!(
            (&listed[0]["wave"], &listed[0]["escrow"], &listed[0]["analysts"], &listed[0]["due"]),
            (&json!(true), &json!(true), &json!(true), &json!(false))
        );
        assert!(listed[0]["retention"].as_str().expect("a day") > "2030-01-01");
        assert!(survey.ok(&["key", "list"], HOUSE).contains(NAME));
        assert!(survey.refused(&["key", "retire", "1"]).contains("is kept until"));
        let folder = survey.keys();
        let past = "2026-01-31".parse().expect("a day");
        folder.keep_until(1, past).expect("brought forward");
        assert_eq!(folder.keep_until(1, "2040-01-01".parse().expect("a day")).expect("not put off"), past);
        assert!(folder.analysts(1).err().expect("its time is over").to_string().contains("key retire 1"));
        assert!(survey.refused(&["key", "retire", "1"]).contains("wave close 1"));
        place.field().transaction(|db| db.set_project_state(1, ProjectState::Closed)).expect("closed");
        assert!(survey.ok(&["key", "retire", "1"], HOUSE).contains("analysts-1.key"));
        assert!(!survey.folder.path().join("data/keys/analysts-1.key").exists());
    }

    fn every_table_of_the_field_vault_goes_or_stays_when_a_wave_closes(place) {
        let tables = place.field().read(|db| db.list_tables()).expect("listed");
        let known: BTreeSet<&str> =
            langnghe::db::GOES.iter().map(|(table, _)| *table).chain(langnghe::db::STAYS).collect();
        let unknown: Vec<&String> = tables.iter().filter(|table| !known.contains(table.as_str())).collect();
        assert!(unknown.is_empty(), "say in src/db/closing.rs whether their rows go: {unknown:?}");
    }
}

impl Survey<'_> {
    /// Works while a supervisor has the questionnaire open once more.
    fn reopened<T>(&self, receiver: &Receiver, work: impl FnOnce(&Self) -> T) -> T {
        let set = |state| {
            receiver.field.transaction(|db| db.set_form_state(1, "hh", state)).expect("the state is set");
        };
        set(langnghe::db::FormState::Open);
        let done = work(self);
        set(langnghe::db::FormState::Closed);
        done
    }

    fn send_after_closing(&self, receiver: &Receiver) -> Result<Outcome, IntakeError> {
        let user: AppUser = receiver.find_app_user(1, "token-1").expect("the device is known");
        let xml = format!(
            "<data id=\"hh\" version=\"1\"><c1>1</c1><meta><instanceID>uuid:{}</instanceID></meta></data>",
            Uuid::new_v4()
        );
        let sender = Sender { app_user: Some(user.id), ..Sender::default() };
        receiver.receive(1, sender, xml.into_bytes(), Utc::now()).map(|stored| stored.outcome)
    }
}

/// The attack: how many answers somebody with both vaults and a key joins to a dwelling.
fn joined(field: &FieldVault, answers: &AnswerVault, key: &WaveKey) -> usize {
    let Ok(submissions) = field.read(|db| db.list_submissions(1, key)) else { return 0 };
    let Ok(answers) = answers.read(|db| db.list_answers(1, key)) else { return 0 };
    let tokens: BTreeSet<Uuid> = answers.iter().map(|answer| answer.token).collect();
    submissions.iter().filter(|s| s.visit.is_some() && tokens.contains(&s.token)).count()
}

/// Copies of both vaults as a thief takes them, log and all; on SQLite, where they are files.
fn backup(place: &Place, folder: &Path) -> Option<(FieldVault, AnswerVault)> {
    let copy = |url: &str, name: &str| -> Option<PathBuf> {
        let from = PathBuf::from(url.strip_prefix("sqlite://")?);
        let to = folder.join(name);
        for ending in ["", "-wal"] {
            let with = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
            if with(&from).exists() {
                fs::copy(with(&from), with(&to)).expect("copied");
            }
        }
        Some(to)
    };
    let field = copy(&place.field_url, "copy-of-field.db")?;
    let answers = copy(&place.answers_url, "copy-of-answers.db")?;
    let url = |path: PathBuf| format!("sqlite://{}", path.display());
    Some((
        FieldVault::open(&url(field)).expect("the copy opens"),
        AnswerVault::open(&url(answers)).expect("the copy opens"),
    ))
}

/// What docs/contracts.md tells designers to write gives the code that the server knows.
#[test]
fn a_form_shows_the_receipt_code_that_the_server_computes() {
    let sheet = "
| survey |             |         |         |                |             |
|        | type        | name    | label   | bind::ln:vault | calculation |
|        | begin group | consent | Consent | field          |             |
|        | calculate   | receipt |         |                | substr(digest(concat('langnghe receipt ', /data/meta/instanceID), 'SHA-256', 'hex'), 0, 16) |
|        | note        | card    | ${receipt} |             |             |
|        | end group   |         |         |                |             |
|        | text        | q1      | Q1      |                |             |
";
    let form = surveys::xlsform::read("form.md", sheet.as_bytes()).expect("a form").questionnaire;
    assert!(surveys::questionnaire::publishing::refusals(&form).is_empty(), "a survey may publish it");
    let form = surveys::form::Compiled::new(&form).expect("it runs");
    let start = surveys::expression::Moment::parse("2026-08-03T08:00:00.000+07:00", 420).expect("a time");
    let options =
        surveys::answer::Options { instance_id: Some(instance(5)), ..surveys::answer::Options::at(start) };
    let xml = surveys::answer::answer(&form, 1, &options).xml;
    let code = withdrawal::receipt(&instance(5)).replace(' ', "");
    assert!(xml.contains(&format!("<receipt>{code}</receipt>")), "{code}: {xml}");
}
