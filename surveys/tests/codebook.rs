//! What a codebook says of a questionnaire's variables.

use surveys::codebook::{Codebook, Measure, Missing};
use surveys::xlsform;

fn codebook(markdown: &str) -> Codebook {
    Codebook::of(&xlsform::read("form.md", markdown.as_bytes()).expect("a form").questionnaire)
}

fn example() -> Codebook {
    codebook(
        "
        | survey   |                    |        |                        |                     |              |
        |          | type               | name   | label::Tiếng Việt (vi) | label::English (en) | relevant     |
        |          | start              | start  |                        |                     |              |
        |          | integer            | age    | Tuổi                   | Age                 |              |
        |          | begin_group        | work   | Việc                   | Work                | ${age} >= 18 |
        |          | select_one scale   | happy  | Hài lòng               | Satisfied           | ${age} < 90  |
        |          | select_multiple l  | lang   | Tiếng nói              | Languages           |              |
        |          | rank l             | order  | Thứ tự                 | Order               |              |
        |          | note               | thanks | Cảm ơn                 | Thanks              |              |
        |          | end_group          |        |                        |                     |              |
        |          | begin_repeat       | person | Người                  | Person              |              |
        |          | integer            | years  | Số năm                 | Years               |              |
        |          | end_repeat         |        |                        |                     |              |
        | choices  |                    |        |                        |                     |
        |          | list_name          | name   | label::Tiếng Việt (vi) | label::English (en) |
        |          | scale              | 1      | Kém                    | Bad                 |
        |          | scale              | 2      | Tốt                    | Good                |
        |          | scale              | 2      | Tốt                    | Good                |
        |          | scale              | 1      | Kém                    | Bad                 |
        |          | scale              | 98     | Không biết             | Don't know          |
        |          | scale              | 99     | Không trả lời          | Refused             |
        |          | l                  | 1      | Mông                   | Mong                |
        |          | l                  | 2      | Tày                    | Tay                 |
        |          | l                  | 99     | Không trả lời          | Refused             |
        | settings |                    |        |                        |                     |
        |          | default_language   | allow_choice_duplicates         | form_id | version |
        |          | Tiếng Việt (vi)    | yes                             | ks      | 7       |
        ",
    )
}

#[test]
fn variables_are_named_as_the_questions_with_indicators_and_ranks() {
    let book = example();
    let names: Vec<&str> = book.variables.keys().map(String::as_str).collect();
    let expected = [
        "start",
        "age",
        "happy",
        "lang",
        "lang_1",
        "lang_2",
        "lang_99",
        "order",
        "order_1",
        "order_2",
        "instanceID",
    ];
    assert_eq!(names, expected);
    assert_eq!(book.variables["lang_2"].measure, Measure::Indicator);
    assert_eq!(book.label("lang_2", "vi"), "Tiếng nói – Tày");
    assert_eq!(book.languages, ["vi", "en"]);
    assert_eq!((book.form_id.as_str(), book.version.as_str()), ("ks", "7"));
}

#[test]
fn a_scale_in_both_directions_is_ordinal_and_gives_each_code_once() {
    let book = example();
    let happy = &book.variables["happy"];
    let codes: Vec<(&str, Option<Missing>)> =
        happy.values.iter().map(|value| (value.code.as_str(), value.missing)).collect();
    let expected =
        [("1", None), ("2", None), ("98", Some(Missing::DontKnow)), ("99", Some(Missing::Refused))];
    assert_eq!(codes, expected);
    assert_eq!(happy.measure, Measure::Ordinal);
    assert_eq!(book.variables["lang"].measure, Measure::Nominal);
    assert_eq!(book.value_label("happy", "2", "en"), "Good");
}

#[test]
fn the_universe_is_the_conditions_from_the_outside_in() {
    let book = example();
    assert_eq!(book.variables["happy"].universe, ["${age} >= 18", "${age} < 90"]);
    assert_eq!(book.variables["lang"].universe, ["${age} >= 18"]);
    assert!(book.variables["age"].universe.is_empty());
}

#[test]
fn field_facts_are_marked() {
    let book = example();
    assert!(book.variables["start"].field);
    assert!(book.variables["instanceID"].field);
    assert!(!book.variables["happy"].field);
    assert_eq!(book.variables["happy"].path, "/data/work/happy");
}
