//! Speed of the headless interview, judged on a form of the annual survey's size.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Instant;

use surveys::answer::{Options, answer};
use surveys::expression::{Dialect, Moment};
use surveys::form::{Compiled, csv_instance};
use surveys::halves::split;
use surveys::submission::{check, read};
use surveys::xlsform;

/// 120 questions in 10 groups: scales with don't know, skips on the one before, calculations, a
/// counted roster.
fn form() -> Compiled {
    let mut text = String::from(
        "| survey | | | | | | | |\n| | type | name | label | relevant | constraint | calculation | repeat_count |\n\
         | | integer | adults | Số người | | . >= 1 and . <= 6 | | |\n\
         | | begin repeat | adult | Người | | | | ${adults} |\n\
         | | select_one yn | sex | Giới | | | | |\n| | integer | age | Tuổi | | . >= 18 and . <= 99 | | |\n\
         | | end repeat | | | | | | |\n| | calculate | draw | | | | once(random()) | |\n\
         | | calculate | chosen | | | | int(${draw} * ${adults}) + 1 | |\n",
    );
    for group in 0..10 {
        let _ = writeln!(text, "| | begin group | g{group} | G | ${{chosen}} > 0 | | | |");
        for question in 0..11 {
            let relevant = if question % 3 == 1 {
                format!("${{q{group}_{}}} != '99'", question - 1)
            } else {
                String::new()
            };
            let _ = writeln!(text, "| | select_one s5 | q{group}_{question} | Q | {relevant} | | | |");
        }
        let _ = writeln!(
            text,
            "| | calculate | n{group} | | | | count-selected(concat(${{q{group}_0}}, ' ', ${{q{group}_2}})) | |"
        );
        text.push_str("| | end group | | | | | | |\n");
    }
    text.push_str(
        "| choices | | | |\n| | list_name | name | label |\n| | yn | 1 | Nam |\n| | yn | 2 | Nữ |\n",
    );
    for code in ["1", "2", "3", "4", "5", "98", "99"] {
        let _ = writeln!(text, "| | s5 | {code} | Mức {code} |");
    }
    let read = xlsform::read("size.md", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    Compiled::new(&read.questionnaire).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Hundreds a second where nothing else runs; the limit leaves room for a busy machine.
#[test]
fn an_interview_of_120_questions_takes_milliseconds() {
    let form = form();
    let options = Options::at(Moment::parse("2026-10-05T08:00:00+07:00", 420).expect("a date"));
    let start = Instant::now();
    let interviews: Vec<String> = (0..100).map(|seed| answer(&form, seed, &options).xml).collect();
    let answered = start.elapsed();
    let start = Instant::now();
    for xml in &interviews {
        let submission = read(&form, xml.as_bytes()).expect("readable");
        assert_eq!(check(&form, &submission, Dialect::JavaRosa), []);
    }
    let checked = start.elapsed();
    let start = Instant::now();
    for xml in &interviews {
        split(&form, xml.as_bytes()).expect("splits");
    }
    let parted = start.elapsed();
    println!(
        "100 interviews: answered in {answered:?}, read and checked in {checked:?}, split in {parted:?}"
    );
    assert!(answered.as_secs_f64() < 5.0, "{answered:?}");
    assert!(checked.as_secs_f64() < 5.0, "{checked:?}");
}

/// A cascade over as many communes as the country had.
#[test]
fn a_submission_with_11_000_communes_in_a_cascade_is_judged_in_milliseconds() {
    let read_form = xlsform::read(
        "cascade.md",
        "
| survey |                                   |          |       |                                                         |
|        | type                              | name     | label | choice_filter                                           |
|        | text                              | district | D     |                                                         |
|        | select_one_from_file communes.csv | commune  | C     | district = ${district} and state != 'gone'               |
"
        .as_bytes(),
    )
    .expect("a form");
    let mut csv = String::from("name,label,district,state\n");
    for i in 0..11_000 {
        let _ = writeln!(csv, "c{i},Xã {i},d{},{}", i / 16, if i % 16 == 3 { "gone" } else { "now" });
    }
    let files = HashMap::from([("communes".to_owned(), csv_instance(&csv))]);
    let form = Compiled::with_instances(&read_form.questionnaire, files).expect("compiles");
    let judge = |commune: &str| {
        let xml = format!("<data id='cascade'><district>d600</district><commune>{commune}</commune></data>");
        check(&form, &read(&form, xml.as_bytes()).expect("readable"), Dialect::WebForms).len()
    };
    let start = Instant::now();
    assert_eq!([judge("c9601"), judge("c9599"), judge("c9603"), judge("c9615")], [0, 1, 1, 0]);
    let each = start.elapsed() / 4;
    println!("one submission: {each:?}");
    assert!(each.as_secs_f64() < 0.1, "{each:?}");
}
