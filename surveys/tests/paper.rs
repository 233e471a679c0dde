//! The questionnaire on paper, from the printed sheet to the keyed instance.

use indexmap::IndexMap;
use surveys::chance::Chance;
use surveys::expression::Moment;
use surveys::form::Compiled;
use surveys::paper::{
    Differences, Entries, EntryError, Options, ResolveError, Sheet, differences, fill, is_number, numbered,
    page, template,
};
use surveys::questionnaire::Questionnaire;
use surveys::{submission, xlsform};

const FORM: &str = "
| survey |                  |           |                        |                     |                        |                |                 |               |  |
|        | type             | name      | label::Tiếng Việt (vi) | label::English (en) | relevant               | bind::ln:vault | bind::ln:sealed | constraint    | calculation |
|        | begin group      | order     |                        |                     |                        |                |                 |               |
|        | calculate        | drawn     |                        |                     |                        |                |                 |               | once(random()) |
|        | calculate        | direction |                        |                     |                        |                |                 |               | if(${drawn} < 0.5, 'A', 'B') |
|        | end group        |           |                        |                     |                        |                |                 |               |
|        | note             | cards     | Dùng thẻ **${direction}**. | Use card.       |                        |                |                 |               |
|        | integer          | adults_n  | A1. Số người           | A1. Adults          |                        | field          |                 | . >= 1 and . <= 20 |
|        | begin repeat     | adult     | Người                  | Person              |                        | field          |                 |               |
|        | integer          | age       | Tuổi                   | Age                 |                        |                |                 |               |
|        | end repeat       |           |                        |                     |                        |                |                 |               |
|        | select_one yesno | i2        | I2. Có nêu ý kiến?     | I2. Raised one?     |                        |                |                 |               |
|        | text             | i3        | I3. Việc gì?           | I3. What about?     | ${i2} = '1'            |                |                 |               |
|        | select_one yesno | i4        | I4. Hài lòng?          | I4. Satisfied?      | ${i2} = '1'            |                |                 |               |
|        | select_one yesno | i5        | I5. Có tin tưởng?      | I5. Trust?          |                        |                |                 |               |
|        | begin group      | own       | K. Tự điền             | K. Own              |                        |                | yes             |               |
|        | select_one yesno | k1        | K1. Hòa thuận?         | K1. Harmony?        |                        |                |                 |               |
|        | end group        |           |                        |                     |                        |                |                 |               |
| choices |                 |           |                        |                     |
|        | list_name        | name      | label::Tiếng Việt (vi) | label::English (en) |
|        | yesno            | 1         | Có                     | Yes                 |
|        | yesno            | 2         | Không                  | No                  |
| settings |                |           |                        |                     |
|        | form_id          | version   | form_title             | default_language    |
|        | giay             | 1         | Phiếu thử              | Tiếng Việt (vi)     |
";

fn form() -> (Questionnaire, Compiled) {
    let read = xlsform::read("giay.md", FORM.as_bytes()).expect("a form").questionnaire;
    let compiled = Compiled::new(&read).expect("it runs");
    (read, compiled)
}

fn sheets(count: usize) -> Vec<Sheet> {
    Sheet::many(1, count, &mut Chance::new(1, "sheets"))
}

fn now() -> Moment {
    Moment::parse("2026-11-10", 420).expect("a day")
}

fn printed(languages: &[&str], sheets: &[Sheet]) -> String {
    let (questionnaire, compiled) = form();
    let languages = languages.iter().map(|tag| (*tag).to_owned()).collect();
    let options =
        Options { languages, now: now(), receipt: &|sheet: &Sheet| format!("mã của {}", sheet.number) };
    page(&questionnaire, &compiled, sheets, &options)
}

#[test]
fn a_slip_of_the_pencil_in_a_number_is_seen() {
    for serial in [0, 1, 123, 999_999, 1_000_000] {
        let number = numbered(serial);
        assert!(is_number(&number), "{number}");
        let digits: Vec<char> = number.chars().collect();
        for place in (0..digits.len()).filter(|place| digits[*place] != '-') {
            for other in '0'..='9' {
                let mut wrong = digits.clone();
                wrong[place] = other;
                assert_eq!(is_number(&wrong.iter().collect::<String>()), other == digits[place], "{number}");
            }
        }
        for place in 0..5 {
            let mut wrong = digits.clone();
            wrong.swap(place, place + 1);
            assert!(wrong == digits || !is_number(&wrong.iter().collect::<String>()), "{number}");
        }
    }
}

#[test]
fn a_sheet_says_where_to_go_on_whom_to_ask_and_what_to_seal() {
    let sheets = sheets(1);
    let page = printed(&[], &sheets);
    assert!(page.contains("Phiếu số 000001-3"));
    // "No" skips two questions, "yes" none.
    assert_eq!(page.matches("→ chuyển câu I5").count(), 1, "{page}");
    assert!(page.contains("Không <b class=skip>→ chuyển câu I5</b>"), "{page}");
    assert!(page.contains("Chỉ khi: câu I2 = 1 (Có)"));
    let (open, sealed) = page.split_once("Tờ niêm phong</span>").expect("two papers");
    assert!(sealed.contains("K1. Hòa thuận?") && !open.contains("K1. Hòa thuận?"));
    assert!(open.contains("Trao tờ niêm phong số <b>000001-3</b>"));
    assert!(open.contains("mã của 000001-3") && !page.contains(&sheets[0].instance_id));
    assert!(!page.contains("Raised one?"));
    assert!(printed(&["vi", "en"], &sheets).contains("<i class=other>I2. Raised one?</i>"));
}

#[test]
fn what_is_drawn_is_drawn_before_printing_and_the_same_when_it_is_keyed() {
    let (_, compiled) = form();
    let sheets = sheets(12);
    let mut seen = std::collections::BTreeSet::new();
    for sheet in &sheets {
        let page = printed(&[], std::slice::from_ref(sheet));
        let card = ["A", "B"]
            .into_iter()
            .find(|card| page.contains(&format!("Dùng thẻ <b>{card}</b>")))
            .expect("a card");
        seen.insert(card);
        let xml = fill(&compiled, sheet, &IndexMap::new(), now()).xml;
        assert!(xml.contains(&format!("<direction>{card}</direction>")), "{xml}");
        assert!(xml.contains(&format!("<instanceID>{}</instanceID>", sheet.instance_id)), "{xml}");
    }
    assert_eq!(seen.len(), 2, "both directions occur among twelve sheets");
}

#[test]
fn the_list_of_sheets_reads_back() {
    let sheets = sheets(3);
    assert_eq!(Sheet::read_list(&Sheet::list(&sheets)).as_ref(), Ok(&sheets));
    let wrong = Sheet::list(&sheets).replace("000002-1", "000002-2");
    assert!(Sheet::read_list(&wrong).expect_err("a wrong check digit").contains("line 3"));
}

/// Fills the template: field and answer, for the first sheet.
fn keyed(keyer: &str, answers: &[(&str, &str)]) -> String {
    let (questionnaire, compiled) = form();
    let text = template(&questionnaire, &compiled, &sheets(2), keyer);
    let lines = text.lines().map(|line| {
        let own = answers.iter().find(|(field, _)| line.contains(&format!(",000001-3,{field},")));
        own.map_or_else(|| line.to_owned(), |(_, answer)| format!("{line}\"{answer}\""))
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

const SAID: [(&str, &str); 7] = [
    ("@day", "2026-11-05"),
    ("/data/adults_n", "2"),
    ("/data/adult[1]/age", "40"),
    ("/data/adult[2]/age", "19"),
    ("/data/i2", "2"),
    ("/data/i5", "1"),
    ("/data/own/k1", "1"),
];

#[test]
fn two_keyers_who_agree_give_a_valid_instance() {
    let (_, compiled) = form();
    let (first, second) = (keyed("lan", &SAID), keyed("minh", &SAID));
    assert!(first.contains("\"I2. Có nêu ý kiến? [1 Có; 2 Không]\""), "{first}");
    let first = Entries::read(&first).expect("keyed");
    assert_eq!((first.keyer.as_str(), first.sheets.len()), ("lan", 1), "the empty sheet is left out");
    let found = differences(&first, &Entries::read(&second).expect("keyed")).expect("two people");
    assert_eq!(found.differing, []);
    let (agreed, open) = found.settle(None, ["lan", "minh"]).expect("settled");
    assert!(open.is_empty());
    let filled = fill(&compiled, &sheets(1)[0], &agreed["000001-3"], now());
    assert_eq!(filled.problems, []);
    let read = submission::read(&compiled, filled.xml.as_bytes()).expect("an instance");
    let text = |name: &str| {
        let answer = submission::answers(&compiled, &read)
            .into_iter()
            .find(|answer| &*compiled.items[answer.item].name == name);
        format!("{:?}", answer.map(|answer| answer.value))
    };
    assert!(text("i5").contains('1') && text("adults_n").contains('2'), "{}", filled.xml);
    assert_eq!(filled.xml.matches("<age>").count(), 2);
}

#[test]
fn a_difference_is_decided_by_a_third_person_alone() {
    let mut other = SAID;
    other[5].1 = "2";
    let read = |text: String| Entries::read(&text).expect("keyed");
    let compared =
        || differences(&read(keyed("lan", &SAID)), &read(keyed("minh", &other))).expect("two people");
    let csv = compared().to_csv();
    assert!(csv.contains("000001-3,/data/i5,\"1\",\"2\",,"), "{csv}");
    let (agreed, open) = compared().settle(Some(&csv), ["lan", "minh"]).expect("read");
    assert_eq!((agreed.len(), open), (0, vec!["000001-3".to_owned()]), "nothing is sent that is not decided");
    let decide = |resolver: &str, answer: &str| csv.replace("\"2\",,", &format!("\"2\",{answer},{resolver}"));
    let refused = compared().settle(Some(&decide("minh", "1")), ["lan", "minh"]);
    assert!(matches!(refused, Err(ResolveError::Resolver { line: 2, .. })), "{refused:?}");
    let (agreed, open) = compared().settle(Some(&decide("hoa", "1")), ["lan", "minh"]).expect("decided");
    assert!(open.is_empty());
    assert_eq!(agreed["000001-3"]["/data/i5"], "1");
    let (agreed, _) = compared().settle(Some(&decide("hoa", "-")), ["lan", "minh"]).expect("decided");
    assert_eq!(agreed["000001-3"]["/data/i5"], "", "a dash is an empty box");
}

#[test]
fn one_person_is_not_two() {
    let entries = Entries::read(&keyed("lan", &SAID)).expect("keyed");
    assert_eq!(
        differences(&entries, &entries),
        Err::<Differences, _>(EntryError::SameKeyer("lan".to_owned()))
    );
    let two = keyed("lan", &SAID).replacen("\"lan\"", "\"minh\"", 1);
    assert!(matches!(Entries::read(&two), Err(EntryError::Keyers { line: 3, .. })));
    let wrong = keyed("lan", &SAID).replace("000001-3", "000001-4");
    assert!(matches!(Entries::read(&wrong), Err(EntryError::Number { line: 2, .. })));
    assert_eq!(Entries::read("a,b\n"), Err(EntryError::Header));
}

#[test]
fn what_the_form_forbids_is_named_with_its_place() {
    let (_, compiled) = form();
    let mut answers: IndexMap<String, String> =
        SAID.iter().map(|(field, answer)| ((*field).to_owned(), (*answer).to_owned())).collect();
    answers.insert("/data/i4".into(), "1".into()); // Not asked: i2 is no.
    answers.insert("/data/i5".into(), "7".into()); // No such code.
    answers.insert("/data/adults_n".into(), "21".into()); // Against the constraint.
    answers.shift_remove("@day");
    let filled = fill(&compiled, &sheets(1)[0], &answers, now());
    let told: Vec<(&str, &str)> = filled.problems.iter().map(|p| (p.node.as_str(), p.rule.name())).collect();
    for wanted in [
        ("@day", "required"),
        ("/data/i4", "relevant"),
        ("/data/i5", "choice"),
        ("/data/adults_n", "constraint"),
    ] {
        assert!(told.contains(&wanted), "{wanted:?} in {told:?}");
    }
}
