//! Paper from the printed sheet to the vaults: keyed by two, decided by a third, sent once.

use std::fs;
use std::process::{Command, Output};

use langnghe::db::NewForm;
use surveys::paper::Sheet;

use crate::databases::{Place, TemporaryFolder, morning, on_both_backends};

const FORM: &str = "
| survey |                  |             |             |             |                |             |
|        | type             | name        | label       | relevant    | bind::ln:vault | required    |
|        | begin group      | case        | Case        |             | field          |             |
|        | text             | village     | P1. Village |             |                | yes         |
|        | integer          | household   | P2. Number  |             |                | yes         |
|        | end group        |             |             |             |                |             |
|        | select_one yesno | consent     | Consent?    |             | field          | yes         |
|        | select_one yesno | c1          | C1. Better? | ${consent} = '1' |           | yes         |
|        | text             | c2          | C2. Why?    | ${c1} = '2' |                |             |
| choices |                 |             |             |
|         | list_name       | name        | label       |
|         | yesno           | 1           | Yes         |
|         | yesno           | 2           | No          |
| settings |                |             |             |
|         | form_id         | version     | form_title  |
|         | giay            | 1           | Paper       |
";
const HOUSE: &str = "bốn từ không liền nhau";

struct Office<'p> {
    place: &'p Place,
    folder: TemporaryFolder,
}

impl Office<'_> {
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_langnghe"))
            .args(words)
            .env("LANGNGHE_DATA", self.folder.path().join("data"))
            .env("LANGNGHE_FIELD", &self.place.field_url)
            .env("LANGNGHE_ANSWERS", &self.place.answers_url)
            .env("LANGNGHE_KEY_PASSPHRASE", HOUSE)
            .env("LANGNGHE_CUSTODIAN_PASSPHRASE", HOUSE)
            .output()
            .expect("the program runs")
    }

    fn good(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", told(&output));
        told(&output)
    }

    fn bad(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", told(&output));
        told(&output)
    }

    /// A keyer's file: sheet, field, answer.
    fn key(&self, keyer: &str, said: &[(&str, &str, &str)]) -> String {
        let file = self.file(&format!("{keyer}.csv"));
        self.good(&[
            "paper",
            "entry-template",
            &self.file("form.md"),
            "--sheets",
            &self.file("sheets.sheets.csv"),
            "--keyer",
            keyer,
            "--output",
            &file,
        ]);
        let text = fs::read_to_string(&file).expect("the template");
        let lines = text.lines().map(|line| {
            let own = said.iter().find(|(sheet, field, _)| line.contains(&format!(",{sheet},{field},")));
            own.map_or_else(|| line.to_owned(), |(_, _, answer)| format!("{line}{answer}"))
        });
        fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("keyed");
        file
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

on_both_backends! {
    fn paper_is_keyed_twice_decided_and_stored_once(place) {
        let office = Office { place, folder: TemporaryFolder::new() };
        office.good(&["project", "add", "Đợt giấy"]);
        office.good(&["key", "custodian", "--output", &office.file("custodian")]);
        office.good(&["key", "create", "1", "--custodian", &office.file("custodian.pub")]);
        fs::write(office.file("form.md"), FORM).expect("written");
        let read = surveys::xlsform::read("form.md", FORM.as_bytes()).expect("a form").questionnaire;
        let form = NewForm {
            project: 1,
            form_id: "giay".to_owned(),
            version: "1".to_owned(),
            title: "Paper".to_owned(),
            xml: surveys::xform::write(&read).expect("a form").into_bytes(),
            workbook: None,
            files: Vec::new(),
            confirmation: None,
        };
        place.field().transaction(|db| db.publish_form(form, morning())).expect("published");
        office.good(&["form", "paper", &office.file("form.md"), "--sheets", "3", "--output", &office.file("sheets.html")]);
        let list = fs::read_to_string(office.file("sheets.sheets.csv")).expect("the list");
        let sheets = Sheet::read_list(&list).expect("sheets");
        let page = fs::read_to_string(office.file("sheets.html")).expect("the sheets");
        for sheet in &sheets {
            assert!(page.contains(&sheet.number) && !page.contains(&sheet.instance_id));
        }
        // A second run would tie the paper to other interviews.
        let why = office.bad(&["form", "paper", &office.file("form.md"), "--output", &office.file("sheets.html")]);
        assert!(why.contains("--again"), "{why}");
        office.good(&[
            "form", "paper", &office.file("form.md"), "--again", &office.file("sheets.sheets.csv"), "--output", &office.file("sheets.html"),
        ]);
        assert_eq!(fs::read_to_string(office.file("sheets.html")).expect("again"), page);

        let [one, two, three] = [0, 1, 2].map(|n| sheets[n].number.as_str());
        let all = |sheet: &'static str, c1: &'static str| -> Vec<(&'static str, &'static str, &'static str)> {
            [("@day", "2026-11-05"), ("/data/case/village", "V01"), ("/data/case/household", "7"), ("/data/consent", "1"), ("/data/c1", c1)]
                .into_iter()
                .map(|(field, answer)| (sheet, field, answer))
                .collect()
        };
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let (one, two, three) = (leak(one), leak(two), leak(three));
        // The second sheet differs in one box; the third breaks the form's rules.
        let mut first = [all(one, "1"), all(two, "1"), all(three, "1")].concat();
        let mut second = [all(one, "1"), all(two, "2"), all(three, "1")].concat();
        for keyed in [&mut first, &mut second] {
            keyed.push((three, "/data/c2", "bệnh"));
        }
        let (lan, minh) = (office.key("lan", &first), office.key("minh", &second));
        let sheets_file = office.file("sheets.sheets.csv");
        let differences = office.file("differences.csv");
        assert!(office.bad(&["paper", "compare", &lan, &lan]).contains("another person"));
        let said = office.good(&["paper", "compare", &lan, &minh, "--output", &differences]);
        assert!(said.contains("3 phiếu, 1 chỗ khác nhau"), "{said}");
        let submit = ["paper", "submit", "1", &lan, &minh, "--sheets", &sheets_file];
        let why = office.bad(&submit);
        assert!(why.contains("1 phiếu đã lưu") && why.contains("2 phiếu chưa gửi được"), "{why}");
        assert!(why.contains(&format!("{three}: /data/c2")) && why.contains("relevant"), "{why}");
        assert!(why.contains(&format!("{two}: còn chỗ khác nhau")), "{why}");
        let decided = fs::read_to_string(&differences).expect("read").replace(",,\r\n", ",2,hoa\r\n");
        fs::write(&differences, decided).expect("decided");
        let again = [&submit[..], &["--resolved", &differences]].concat();
        let why = office.bad(&again);
        assert!(why.contains("1 phiếu đã lưu, 1 đã có từ trước") && why.contains("1 phiếu chưa gửi được"), "{why}");
        // Nothing is doubled, and the mode is known in the field vault.
        let receiver = langnghe::intake::Receiver::new(
            place.field(),
            place.answers(),
            Default::default(),
            langnghe::intake::Ties::Random,
        )
        .with_key_folder(
            langnghe::keys::KeyFolder::open(office.folder.path().join("data/keys"))
                .expect("keys")
                .with_passphrase(langnghe::keys::Passphrase::new(HOUSE)),
        );
        let stored = receiver.list_interviews(1).expect("interviews");
        assert_eq!(stored.len(), 2);
        let key = receiver.key(1).expect("the key");
        let rows = place.field().read(|db| db.list_submissions(1, &key)).expect("rows");
        assert!(rows.iter().all(|row| row.device.as_deref() == Some("paper")), "the mode is stored");
        // Whoever holds the slip takes the interview back; keyed again it stays gone.
        let code = langnghe::jobs::withdrawal::receipt(&sheets[0].instance_id);
        assert!(page.contains(&code), "the slip has the code");
        office.good(&["wave", "withdraw", "1", &code]);
        office.bad(&again);
        assert_eq!(receiver.list_interviews(1).expect("interviews").len(), 1);
        assert!(office.good(&["audit", "verify"]).len() > 1);
    }
}
