//! Whether the client would have let an interview be finished, on small forms.

use surveys::expression::{Dialect, Moment};
use surveys::form::Compiled;
use surveys::submission::{Judge, Rule, check_with, read, refusal};
use surveys::xlsform;

const FORM: &str = "\
| survey | | | | | | |
| | type | name | label | required | constraint | repeat_count |
| | start | start | | | | |
| | integer | adults | Số người | yes | . <= 5 | |
| | begin_repeat | adult | Người | | | ${adults} |
| | select_one yn | works | Có việc | yes | | |
| | select_one yn | studies | Có học | | | |
| | end_repeat | | | | | |
| choices | | | | | | |
| | list_name | name | label | | | |
| | yn | 1 | Có | | | |
| | yn | 2 | Không | | | |
";

/// The problems told, and the rule and node for which the interview would not have been finished.
fn judged(answers: &str, dialect: Dialect) -> (Vec<Rule>, Option<(Rule, String)>) {
    let workbook =
        xlsform::read("form.md", FORM.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let form = Compiled::new(&workbook.questionnaire).unwrap_or_else(|errors| panic!("{errors:?}"));
    let submission =
        read(&form, format!("<data id=\"form\">{answers}</data>").as_bytes()).expect("well-formed");
    let judge = Judge { dialect, now: Moment::parse("2026-10-05T08:00:00+07:00", 420), zone: 420 };
    let told = check_with(&form, &submission, judge).into_iter().map(|problem| problem.rule).collect();
    (told, refusal(&form, &submission, judge).map(|problem| (problem.rule, problem.node)))
}

#[test]
fn a_complete_interview_would_have_been_finished() {
    for dialect in [Dialect::JavaRosa, Dialect::WebForms] {
        let (told, refused) = judged("<adults>1</adults><adult><works>1</works></adult>", dialect);
        assert_eq!((told, refused), (Vec::new(), None));
    }
}

#[test]
fn a_required_question_and_a_constraint_stop_it() {
    for dialect in [Dialect::JavaRosa, Dialect::WebForms] {
        let refused = judged("<adults>1</adults><adult><works/></adult>", dialect).1;
        assert_eq!(refused, Some((Rule::Required, "/data/adult[1]/works".to_owned())));
        let six = "<adult><works>1</works></adult>".repeat(6);
        let refused = judged(&format!("<adults>6</adults>{six}"), dialect).1;
        assert_eq!(refused, Some((Rule::Constraint, "/data/adults".to_owned())));
    }
}

/// Collect drops the code and asks again only where an answer is due.
#[test]
fn a_wrong_code_stops_it_in_collect_only_where_the_question_is_required() {
    let required = "<adults>1</adults><adult><works>9</works></adult>";
    let other = "<adults>1</adults><adult><works>1</works><studies>9</studies></adult>";
    for dialect in [Dialect::JavaRosa, Dialect::WebForms] {
        for answers in [required, other] {
            assert_eq!(judged(answers, dialect).0, [Rule::Choice], "it is told in any case");
        }
        assert_eq!(judged(required, dialect).1, Some((Rule::Choice, "/data/adult[1]/works".to_owned())));
    }
    assert_eq!(judged(other, Dialect::JavaRosa).1, None);
    assert!(judged(other, Dialect::WebForms).1.is_some());
}

#[test]
fn a_start_that_cannot_be_read_is_told_and_stops_nothing() {
    let answers = "<start>abc</start><adults>1</adults><adult><works>1</works></adult>";
    assert_eq!(judged(answers, Dialect::JavaRosa), (vec![Rule::Type], None));
}

/// Collect adds the second person, who has not answered yet.
#[test]
fn a_missing_repeat_is_asked_again() {
    let (told, refused) = judged("<adults>2</adults><adult><works>1</works></adult>", Dialect::JavaRosa);
    assert_eq!(told, [Rule::Structure]);
    assert_eq!(refused, Some((Rule::Required, "/data/adult[2]/works".to_owned())));
}
