//! Two years of a questionnaire side by side.

use surveys::questionnaire::Questionnaire;
use surveys::xlsform;
use surveys::years::{Kind, compare, concordance_csv};

fn form(rows: &str, choices: &str) -> Questionnaire {
    let text = format!(
        "| survey  |      |      |                        |                     |          |\n\
         |         | type | name | label::Tiếng Việt (vi) | label::English (en) | relevant |\n{rows}\
         | choices |      |      |                        |                     |\n\
         |         | list_name | name | label::Tiếng Việt (vi) | label::English (en) |\n{choices}"
    );
    xlsform::read("form.md", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}")).questionnaire
}

const YES_NO: &str = "| | yn | 1 | Có | Yes |\n| | yn | 2 | Không | No |\n";

fn kinds(old: &Questionnaire, new: &Questionnaire) -> Vec<(String, Kind)> {
    compare(old, new).changes.into_iter().map(|change| (change.question, change.kind)).collect()
}

/// Code and its successor, and whether the trend may be drawn.
fn codes(old: &Questionnaire, new: &Questionnaire) -> Vec<(String, String, bool)> {
    let code = |code: Option<String>| code.unwrap_or_default();
    let lines = compare(old, new).concordance;
    lines.into_iter().map(|line| (code(line.old_code), code(line.new_code), line.comparable)).collect()
}

#[test]
fn the_same_form_has_no_change_and_all_trends() {
    let year = form("| | select_one yn | a | Họp? | Met? | |\n| | integer | n | Tuổi | Age | |\n", YES_NO);
    let same = compare(&year, &year);
    assert_eq!(same.changes, []);
    assert!(same.concordance.len() == 3 && same.concordance.iter().all(|line| line.comparable));
}

#[test]
fn added_dropped_reworded_retyped_and_other_universe_are_told() {
    let old = form(
        "| | integer | n | Tuổi | Age | |\n| | text | x | X | X | |\n| | text | u | U | U | |\n",
        YES_NO,
    );
    let new = form(
        "| | decimal | n | Tuổi tròn | Age | |\n| | text | y | Y | Y | |\n| | text | u | U | U | ${n} > 17 |\n",
        YES_NO,
    );
    let named = |name: &str, kind| (name.to_owned(), kind);
    assert_eq!(
        kinds(&old, &new),
        [
            named("n", Kind::Reworded),
            named("n", Kind::Retyped),
            named("y", Kind::Added),
            named("u", Kind::Universe),
            named("x", Kind::Dropped),
        ]
    );
    assert!(
        compare(&old, &new).concordance.iter().all(|line| !line.comparable && !line.reason_vi.is_empty())
    );
}

#[test]
fn capitals_spaces_and_a_new_language_are_no_rewording() {
    let old = form("| | integer | n | Tuổi  của ông/bà | | |\n", YES_NO);
    let new = form("| | integer | n | tuổi của ông/bà | Age | |\n", YES_NO);
    assert_eq!(kinds(&old, &new), []);
}

/// Yes 1, no 2 became yes 1, no 0: the trend goes on under the new code.
#[test]
fn a_code_that_moved_keeps_its_trend() {
    let question = "| | select_one yn | a | Họp? | Met? | |\n";
    let old = form(question, YES_NO);
    let new = form(question, "| | yn | 1 | Có | Yes |\n| | yn | 0 | Không | No |\n");
    assert_eq!(kinds(&old, &new), [("a".to_owned(), Kind::Recoded)]);
    let line = |from: &str, to: &str, comparable| (from.to_owned(), to.to_owned(), comparable);
    assert_eq!(codes(&old, &new), [line("1", "1", true), line("2", "0", true)]);
}

/// A new answer takes people from all others, so no share of the question goes on.
#[test]
fn a_new_choice_or_another_meaning_breaks_the_trend_of_all() {
    let question = "| | select_one yn | a | Họp? | Met? | |\n";
    let old = form(question, YES_NO);
    let new = form(question, &format!("{YES_NO}| | yn | 98 | Không biết | Don't know |\n"));
    let line = |from: &str, to: &str, comparable| (from.to_owned(), to.to_owned(), comparable);
    assert_eq!(codes(&old, &new), [line("1", "1", false), line("2", "2", false), line("", "98", false)]);
    let other = form(question, "| | yn | 1 | Có | Yes |\n| | yn | 2 | Chưa | Not yet |\n");
    assert_eq!(codes(&old, &other), [line("1", "1", false), line("2", "", false), line("", "2", false)]);
    let told = compare(&old, &other).changes;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].english, "2: “Không” is now “Chưa”");
}

#[test]
fn the_concordance_is_a_csv_of_eight_columns() {
    let old = form("| | text | a | Nói, kể | Say | |\n", YES_NO);
    let csv = concordance_csv(&compare(&old, &old).concordance);
    assert_eq!(
        csv,
        "question,old_code,new_code,old_label,new_label,comparable,reason_vi,reason_en\n\
         a,,,\"Nói, kể\",\"Nói, kể\",yes,,\n"
    );
}
