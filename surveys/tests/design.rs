//! Hints for designers, on small forms.

use surveys::questionnaire::Questionnaire;
use surveys::questionnaire::design::{hints, length, missing_translations};
use surveys::xlsform;

fn form(markdown: &str) -> Questionnaire {
    xlsform::read("form.md", markdown.as_bytes())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .questionnaire
}

fn told(markdown: &str) -> Vec<String> {
    hints(&form(markdown)).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_hint(markdown: &str, words: &str) {
    let told = told(markdown);
    assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
}

const SURVEY: &str = "| survey | | | | | |\n| | type | name | label | relevant | calculation |\n";
const CHOICES: &str = "| choices | | | |\n| | list_name | name | label |\n";

fn scale(labels: &[(&str, &str)]) -> String {
    let rows: String = labels.iter().map(|(code, label)| format!("| | s | {code} | {label} |\n")).collect();
    format!("{SURVEY}| | select_one s | q | Ông bà có hài lòng không? | | |\n{CHOICES}{rows}")
}

#[test]
fn a_balanced_scale_with_98_and_99_is_fine_and_one_without_is_not() {
    let steps = [("1", "Không hài lòng"), ("2", "Bình thường"), ("3", "Hài lòng")];
    let with = |more: &[(&'static str, &'static str)]| scale(&[&steps[..], more].concat());
    assert_eq!(told(&with(&[("98", "Không biết"), ("99", "Từ chối")])), Vec::<String>::new());
    assert_hint(&with(&[("98", "Không biết")]), "survey sheet, row 2, type: list `s` lacks 99 “refused”");
    assert_hint(&with(&[]), "lacks 98 “don't know” and 99 “refused”");
}

#[test]
fn a_scale_with_more_good_than_bad_steps_is_unbalanced() {
    let form = scale(&[
        ("1", "Không hài lòng"),
        ("2", "Hài lòng"),
        ("3", "Rất hài lòng"),
        ("98", "Không biết"),
        ("99", "Từ chối"),
    ]);
    assert_hint(&form, "unbalanced: 1 negative steps, 2 positive");
}

/// T4 of the questionnaire: “ít tin tưởng” names trust, and is yet on the lower half.
#[test]
fn a_little_of_something_good_is_a_lower_step() {
    let steps = [
        ("1", "Không tin tưởng chút nào"),
        ("2", "Ít tin tưởng"),
        ("3", "Khá tin tưởng"),
        ("4", "Rất tin tưởng"),
        ("98", "Không biết"),
        ("99", "Từ chối"),
    ];
    assert_eq!(told(&scale(&steps)), Vec::<String>::new());
}

#[test]
fn two_things_in_one_question_are_hinted_at_but_not_in_brackets() {
    let asked = |label: &str| format!("{SURVEY}| | text | q | {label} | | |\n");
    assert_hint(&asked("Đường và điện có tốt không?"), "“và”");
    assert_eq!(told(&asked("Đường (nhựa và đất) có tốt không?")), Vec::<String>::new());
    assert_eq!(told(&asked("Xin chào và cảm ơn.")), Vec::<String>::new());
}

#[test]
fn questions_that_nobody_reaches_are_named() {
    let asked = |relevant: &str| {
        format!(
            "{SURVEY}| | select_one yn | a | A | | |\n| | text | b | B | {relevant} | |\n| | text | c | C | | |\n\
             {CHOICES}| | yn | 1 | Có |\n| | yn | 2 | Không |\n"
        )
    };
    assert_eq!(told(&asked("${a} = '1'")), Vec::<String>::new());
    assert_hint(&asked("${a} = 'yes'"), "`a` is never `yes`: list `yn` has no such code");
    assert_hint(&asked("selected(${a}, '3')"), "`a` is never `3`");
    assert_hint(&asked("false()"), "this condition never holds");
    assert_hint(&asked("${a} = '1' and 1 = 2"), "this condition never holds");
    assert_hint(&asked("${c} != ''"), "reads only `c`, which is asked later");
}

/// Each row of the trap table, with what makes it harmless.
#[test]
fn expressions_that_the_engines_read_differently_are_told_with_a_remedy() {
    let computed = |calculation: &str| {
        format!(
            "{SURVEY}| | text | t | T | | |\n| | begin_repeat | r | R | | |\n| | integer | n | N | | |\n\
             | | end_repeat | | | | |\n| | calculate | c | | | {calculation} |\n"
        )
    };
    for (trap, words, harmless) in [
        ("${t} = 'a'", "write if(", "if(${t} = 'a', 1, 0)"),
        ("if(not(${t}), 1, 0)", "compare it with ''", "if(not(${t} = ''), 1, 0)"),
        ("sum(${n})", "[. != '']", "sum(/data/r/n[. != ''])"),
        ("/data/r[2]/n", "position() = 2", "/data/r[position() = 2]/n"),
        ("if(today() > '2026-01-01', 1, 0)", "date('…')", "if(today() > date('2026-01-01'), 1, 0)"),
        ("number('2026-01-02')", "decimal-date-time(", "int(decimal-date-time('2026-01-02'))"),
        ("date('2026-01-31') + 1", "round(…, 0)", "round(date('2026-01-31') + 1, 0)"),
        ("today()", "format-date(", "format-date(today(), '%Y-%m-%d')"),
        (
            "if(/data/r[position() = 9]/n = '', 1, 0)",
            "string-length(",
            "if(string-length(/data/r[position() = 9]/n) = 0, 1, 0)",
        ),
        ("pulldata('list', 'a', 'b', ${t})", "instance('file')", "concat(${t}, 'b')"),
        ("round(1 - ${t})", "negative half", "round(1 + ${t})"),
        ("format-date(today() + 7, '%d')", "format-date(date(", "format-date(date(today()), '%d')"),
        ("format-date(today(), '%a')", "%d, %n", "format-date(today(), '%d')"),
        ("decimal-time(${t})", "hour late", "decimal-date-time(${t})"),
        ("round(${t}, 2)", "halves", "round(${t}, 0)"),
        ("25000000000", "2.5E10", "2500000"),
        ("if(regex(${t}, 'b'), 1, 0)", "^ and $", "if(regex(${t}, '^b$'), 1, 0)"),
        ("if(boolean-from-string(${t}), 1, 0)", "compare the text", "if(${t} = 'TRUE', 1, 0)"),
        ("floor(${t})", "use int()", "int(${t})"),
        ("sum(/data//n[. != ''])", "whole path", "sum(/data/r/n[. != ''])"),
        ("if(${t} = 'a' and 'abc', 1, 0)", "with a text", "if(${t} = 'a' and ${t} = 'abc', 1, 0)"),
    ] {
        let told_of_trap = told(&computed(trap));
        assert!(told_of_trap.len() == 1 && told_of_trap[0].contains(words), "{trap}: {told_of_trap:?}");
        assert_eq!(told(&computed(harmless)), Vec::<String>::new(), "{harmless}");
    }
}

#[test]
fn texts_that_one_language_lacks_are_listed() {
    let form = form(
        "
        | survey  |               |      |             |             |
        |         | type          | name | label::A    | label::B    |
        |         | select_one yn | q    | Có không?   |             |
        | choices |               |      |             |             |
        |         | list_name     | name | label::A    | label::B    |
        |         | yn            | 1    | Có          | Yes         |
        |         | yn            | 2    |             | No          |
        ",
    );
    let missing = missing_translations(&form);
    let found: Vec<_> = missing.iter().map(|m| (m.row, m.name.as_str(), m.language.as_str())).collect();
    assert_eq!(found, [(2, "q", "B"), (3, "yn/2", "A")]);
}

/// Nine syllables at 180 a minute and six seconds for a number: 0.05 + 0.1 minutes; the second
/// question is asked of some.
#[test]
fn the_length_counts_what_everyone_and_what_anyone_is_asked() {
    let asked = "| | integer | a | một hai ba bốn năm sáu bảy tám chín | | |\n";
    let more = "| | integer | b | một hai ba bốn năm sáu bảy tám chín | ${a} > 1 | |\n";
    let length = length(&form(&format!("{SURVEY}{asked}{more}")));
    assert!((length.shortest - 0.15).abs() < 1e-9, "{length:?}");
    assert!((length.longest - 0.30).abs() < 1e-9, "{length:?}");
}
