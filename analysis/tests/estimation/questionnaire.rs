//! What the questionnaire gives: labels, multiple responses, ranks; indices of items; interviewers.

use std::path::{Path, PathBuf};

use analysis::estimation::{self, format};

use super::{answer, assert_near, figures, refusal};

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("questionnaire").join(name);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for (file, text) in files {
        std::fs::write(folder.join(file), text).expect("the file can be written");
    }
    folder
}

const FORM: &str = "\
| survey  |                   |       |                                  |                    |
|         | type              | name  | label::Tiếng Việt (vi)           | label::English (en) |
|         | select_one sex    | b1    | Giới tính                        | Sex                |
|         | select_multiple n | news  | Ông bà biết tin qua đâu?         | Where from?        |
|         | rank n            | trust | Xếp theo mức tin cậy             | Rank by trust      |
|         | integer           | q1    | Mức hài lòng về đường            | Road               |
| choices |                   |       |                                  |                    |
|         | list_name         | name  | label::Tiếng Việt (vi)           | label::English (en) |
|         | sex               | 1     | Nam                              | Man                |
|         | sex               | 2     | Nữ                               | Woman              |
|         | n                 | tv    | Truyền hình                      | Television         |
|         | n                 | radio | Đài                              | Radio              |
|         | n                 | web   | Mạng                             | Internet           |
|         | n                 | 98    | Không biết                       | Does not know      |
";

const DATA: &str = "\
village,w,b1,news,trust,q1
A,1,1,tv radio,tv radio web,4
A,1,2,tv,radio tv web,5
B,1,2,98,98,2
B,1,1,web,,3
";

/// Television: chosen by two of the three who know; not knowing is one of four; radio is first once in two.
#[test]
fn multiple_responses_and_ranks_become_columns_of_their_own() {
    let folder = folder("responses", &[("form.md", FORM), ("data.csv", DATA)]);
    let plan = super::plan(
        r#"{"data": "data.csv", "codebook": "form.md", "types": {"b1": "category"}, "design": {"clusters": "village", "weights": "w"},
        "requests": [{"id": "n", "statistic": "mean", "of": ["news_tv", "news_radio"], "missing": "drop"},
        {"id": "k", "statistic": "mean", "of": "news_98"},
        {"id": "t", "statistic": "mean", "of": "trust_1", "missing": "drop"},
        {"id": "s", "statistic": "mean", "of": "b1"}]}"#,
    );
    let results = estimation::run(&plan, &folder).expect("the plan is answered");
    let estimates: Vec<f64> = results.results.iter().map(|r| r.estimate.expect("an estimate")).collect();
    let wanted = [2.0 / 3.0, 1.0 / 3.0, 0.25, 0.5, 0.5, 0.0, 0.5, 0.5];
    assert_eq!(estimates.len(), wanted.len());
    estimates.iter().zip(wanted).for_each(|(got, wanted)| assert_near(*got, wanted));
    let book =
        estimation::read_codebook(&plan, &folder).expect("the form can be read").expect("there is one");
    let table = format::table(&results, Some(&book), "vi");
    assert!(table.contains("Ông bà biết tin qua đâu? – Truyền hình"), "{table}");
    assert!(table.contains("Giới tính\n    Nam "), "{table}");
    assert!(format::table(&results, Some(&book), "en").contains("Where from? – Television"));
    // Columns stand under each other whatever marks their letters carry.
    let block: Vec<&str> = table.split("\n\n").last().expect("a block").lines().skip(1).collect();
    let ends: Vec<usize> = block.iter().filter(|l| l.contains("50,0")).map(|l| l.chars().count()).collect();
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[0], ends[1], "{table}");
}

#[test]
fn an_answer_that_is_no_choice_is_named() {
    let folder =
        folder("choice", &[("form.md", FORM), ("data.csv", &DATA.replace("A,1,2,tv,", "A,1,2,tv fax,"))]);
    let plan = super::plan(
        r#"{"data": "data.csv", "codebook": "form.md", "design": {"weights": "w"}, "requests": [{"id": "n", "statistic": "mean", "of": "news_tv"}]}"#,
    );
    let error = estimation::run(&plan, &folder).expect_err("`fax` is no choice").to_string();
    assert!(error.contains("column `news`, row 2: `fax` is no choice"), "{error}");
    let plan = super::plan(r#"{"data": "data.csv", "codebook": "none.xlsx", "requests": []}"#);
    let error = estimation::run(&plan, &folder).expect_err("there is no such form").to_string();
    assert!(error.contains("none.xlsx: cannot be read"), "{error}");
}

/// The same respondents as in the derived index of the contract: means of three 8/3, 7/18 and 4.75; 99 is no
/// answer. The reversed item 3 is 6 − it: respondent 1 has (4 + 5 + 3)/3, 2 has (2 + 2)/2, 4 has (1 + 1 + 5)/3.
#[test]
fn indices_are_named_columns_with_the_errors_of_a_mean() {
    let sample = "village,q1,q2,q3\na,4,5,3\na,2,99,4\nb,5,,\nb,1,1,1\n";
    let index = |measure: &str, more: &str| {
        format!(r#"{{"items": ["q1", "q2", "q3"], "min_answered": 2, "measure": "{measure}"{more}}}"#)
    };
    let results = answer(
        sample,
        &format!(
            r#"{{"indices": {{"trust": {}, "satisfied": {}, "score": {}, "turned": {}}}, "design": {{"clusters": "village"}},
            "requests": [{{"id": "i", "statistic": "mean", "of": ["trust", "satisfied", "score", "turned"], "missing": "drop"}}]}}"#,
            index("mean", ""),
            index("satisfied", ""),
            index("1-10", ""),
            index("mean", r#", "reverse": "q3""#)
        ),
    );
    let (trust, error) = figures(&results.results[0]);
    assert_near(trust, 8.0 / 3.0);
    assert_near(figures(&results.results[1]).0, 7.0 / 18.0);
    assert_near(figures(&results.results[2]).0, 4.75);
    assert_near(figures(&results.results[2]).1, error * 9.0 / 4.0);
    assert_near(error, 10.0 / 9.0);
    assert_near(figures(&results.results[3]).0, (4.0 + 2.0 + 7.0 / 3.0) / 3.0);
    let wrong = refusal(
        sample,
        r#"{"indices": {"i": {"items": ["q1"], "min_answered": 2}}, "requests": [{"id": "m", "statistic": "mean", "of": "i"}]}"#,
    );
    assert!(wrong.contains("index `i`: min_answered is 2"), "{wrong}");
}

/// Workloads 1 2 3, 4 5 6, 7 8 9: mean squares 27 between and 1 within, ρ = (27 − 1)/(27 + 2·1) = 26/29.
/// F is 27 on 2 and 6 degrees of freedom; the effect on a mean is 1 + (3 − 1)·26/29.
#[test]
fn answers_to_one_interviewer_are_alike() {
    let sample = "who,y\na,1\na,2\na,3\nb,4\nb,5\nb,6\nc,7\nc,8\nc,9\n";
    let results = answer(
        sample,
        r#"{"derive": {"w": "1"}, "design": {"weights": "w"}, "requests": [{"id": "i", "statistic": "icc", "of": "y", "groups": "who"}]}"#,
    );
    let row = &results.results[0];
    let rho = 26.0 / 29.0;
    assert_near(figures(row).0, rho);
    // 2·8·(3/29)²·(1 + 2·26/29)²/(9·6·2)
    assert_near(figures(row).1.powi(2), 16.0 * (1.0 - rho).powi(2) * (1.0 + 2.0 * rho).powi(2) / 108.0);
    assert_near(row.deff.expect("an effect"), 1.0 + 2.0 * rho);
    assert_near(row.more["value"].as_f64().expect("F"), 27.0);
    // P(F₂,₆ > 27) = (1 + 2·27/6)^−3
    assert_near(row.more["p_value"].as_f64().expect("p"), 0.001);
    assert_eq!(row.df, serde_json::json!([2.0, 6.0]));
    // F at 2.5% and 97.5% of 2 and 6: 3·(0.975^(−1/3) − 1) and 3·(0.025^(−1/3) − 1).
    let limit = |p: f64| {
        let f = 27.0 / (3.0 * (p.powf(-1.0 / 3.0) - 1.0));
        (f - 1.0) / (f + 2.0)
    };
    assert_near(row.ci_low.expect("a limit"), limit(0.025));
    assert_near(row.ci_high.expect("a limit"), limit(0.975));
}

/// Two areas with two interviewers each. Within areas: mean squares 4 between and 2 within for workloads of
/// 2, ρ = (4 − 2)/(4 + 2) = 1/3. Without areas their difference would pass for the interviewers'.
#[test]
fn interviewers_are_compared_within_their_areas() {
    let sample = "area,who,y\nn,a,1\nn,a,3\nn,b,3\nn,b,5\ns,c,10\ns,c,12\ns,d,12\ns,d,14\n";
    let text = |more: &str| {
        format!(
            r#"{{"derive": {{"w": "1"}}, "design": {{"weights": "w"}}, "requests": [{{"id": "i", "statistic": "icc", "of": "y", "groups": "who"{more}}}]}}"#
        )
    };
    let within = &answer(sample, &text(r#", "within": "area""#)).results[0];
    assert_near(figures(within).0, 1.0 / 3.0);
    assert_eq!(within.df, serde_json::json!([2.0, 4.0]));
    assert!(figures(&answer(sample, &text("")).results[0]).0 > 0.9);
    let error = refusal("area,who,y\nn,a,1\nn,a,3\ns,c,10\n", &text(r#", "within": "area""#));
    assert!(error.contains("no area has two interviewers"), "{error}");
}
