//! Protection.md rule 8: which forms of a survey are not published.

use surveys::questionnaire::publishing::{confirmations, refusals};
use surveys::xlsform::{self, Problem};

const HEADER: &str = "| survey | | | | | | | |\n\
    | | type | name | label | calculation | relevant | bind::ln:vault | bind::ln:sealed | save_to |\n";

fn check(rows: &str, judge: fn(&surveys::questionnaire::Questionnaire) -> Vec<Problem>) -> Vec<String> {
    let form = format!("{HEADER}{rows}");
    let read = xlsform::read("form.md", form.as_bytes()).expect("the form itself is sound");
    judge(&read.questionnaire).iter().map(ToString::to_string).collect()
}

#[test]
fn a_form_that_keeps_the_halves_apart_is_published() {
    let rows = "
        | | begin_group | visit   | Visit   |             |              | field | | |
        | | integer     | attempt | Attempt |             |              |       | | |
        | | calculate   | late    |         | ${attempt}>2|              |       | | |
        | | end_group   |         |         |             |              |       | | |
        | | text        | opinion | Opinion |             | ${attempt}=1 |       | | |
        | | begin_group | k       | K       |             |              |       | yes | |
        | | text        | k1      | K1      |             |              |       | | |
        | | text        | k2      | K2      |             | ${k1} != ''  |       | | |
        | | end_group   |         |         |             |              |       | | |
        ";
    assert_eq!(check(rows, refusals), Vec::<String>::new());
}

#[test]
fn a_field_fact_must_not_read_an_answer_by_reference_or_path() {
    let rows = "
        | | text        | opinion | Opinion |               | | | | |
        | | begin_group | visit   | Visit   |               | | field | | |
        | | calculate   | copy    |         | ${opinion}    | | | | |
        | | calculate   | path    |         | /data/opinion | | | | |
        | | calculate   | old     |         | ${last-saved#opinion} | | | | |
        | | end_group   |         |         |               | | | | |
        ";
    let expected: Vec<String> = [(4, "copy"), (5, "path"), (6, "old")]
        .iter()
        .map(|(row, name)| {
            format!(
                "survey sheet, row {row}, calculation: `{name}` is a field fact and must not read the answer `opinion`"
            )
        })
        .collect();
    assert_eq!(check(rows, refusals), expected);
}

#[test]
fn the_name_of_a_submission_must_not_carry_an_answer() {
    let form = "| survey | | | |\n| | type | name | label |\n| | text | a | A |\n\
                | settings | |\n| | instance_name |\n| | ${a} |\n";
    let read = xlsform::read("form.md", form.as_bytes()).expect("the form itself is sound");
    let found: Vec<String> = refusals(&read.questionnaire).iter().map(ToString::to_string).collect();
    let expected =
        "settings sheet, instanceName: `instanceName` is a field fact and must not read the answer `a`";
    assert_eq!(found, [expected]);
}

#[test]
fn nothing_outside_a_sealed_block_reads_inside() {
    let rows = "
        | | begin_group | k     | K             |  |              | | yes | |
        | | text        | k1    | K1            |  |              | | | |
        | | end_group   |       |               |  |              | | | |
        | | text        | after | You said ${k1}|  | ${k1} = 'a'  | | | |
        ";
    let message = "`after` must not read `k1` inside a sealed block";
    let expected = [
        format!("survey sheet, row 5, relevant: {message}"),
        format!("survey sheet, row 5, label: {message}"),
    ];
    assert_eq!(check(rows, refusals), expected);
}

#[test]
fn pictures_marks_on_answers_and_lists_of_answers_are_refused() {
    let rows = "
        | | image | face    | Face    | | |       | | |
        | | text  | opinion | Opinion | | | field | | |
        ";
    let found = check(rows, refusals);
    assert!(
        found[0].starts_with("survey sheet, row 2, type: a survey must not collect pictures"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("survey sheet, row 3, bind::ln:vault: `opinion` is no field fact"),
        "{found:?}"
    );
    let with_list = "
        | | text | opinion | Opinion | | | | | what |
        | entities | | |
        | | list_name | label |
        | | people | concat('x', ${opinion}) |
        ";
    let found = check(with_list, refusals);
    assert_eq!(found[0], "survey sheet, row 2, save_to: an answer must not be saved to a list");
    assert_eq!(found[1], "entities sheet, row 2: list `people` must not take the answer `opinion`");
}

#[test]
fn personal_wording_is_a_question_to_a_second_person() {
    let rows = "
        | | text    | a | Số điện thoại của ông/bà? | | | | | |
        | | note    | b | Phiếu không ghi số điện thoại | | | | | |
        | | integer | c | Ông/bà bao nhiêu tuổi? | | | | | |
        ";
    let found = check(rows, confirmations);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("survey sheet, row 2, label: “điện thoại”"), "{found:?}");
    assert!(check(rows, refusals).is_empty());
}
