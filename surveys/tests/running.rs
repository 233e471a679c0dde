//! Forms that can be read but not run: where, what and what now, in both languages.

use surveys::questionnaire::running;
use surveys::xlsform;

/// The one problem of a calculation, in Vietnamese and English.
fn told(calculation: &str) -> (String, String) {
    let calculation = calculation.replace('|', "\\|");
    let sheet = format!(
        "| survey | | | | |\n| | type | name | label | calculation |\n| | integer | age | Age | |\n\
         | | calculate | c | | {calculation} |\n"
    );
    let form = xlsform::read("form.md", sheet.as_bytes()).expect("it can be read").questionnaire;
    let problems = running::compile(&form).err().unwrap_or_default();
    let [problem] = &problems[..] else { panic!("{calculation}: {problems:?}") };
    (problem.vietnamese(), problem.to_string())
}

#[test]
fn every_kind_of_syntax_error_is_told_in_vietnamese_with_its_place() {
    let prefix = "trang survey, dòng 3, cột calculation: biểu thức `";
    for (calculation, words) in [
        ("${age} +", "thiếu một giá trị ở cuối"),
        ("(${age} + 1", "thiếu `)` ở cuối"),
        ("${age} + )", "thiếu một giá trị trước `)`"),
        ("if(1 > 0, 2)", "hàm `if()` cần 3 tham số, ở đây có 2"),
        ("cout(1)", "không có hàm `cout()`; có phải ý bạn là `count()`?"),
        ("concat('a", "đoạn chữ mở ra chưa được đóng bằng '"),
        ("1 2", "`2` không được đứng ở đây"),
        ("${age} # 1", "`#` không có nghĩa ở đây"),
        ("/data/following::age", "không dùng được trong phiếu"),
        ("substr('a')", "hàm `substr()` cần 2 đến 3 tham số, ở đây có 1"),
        ("/data/age[1", "thiếu `]` ở cuối"),
    ] {
        let (vietnamese, english) = told(calculation);
        assert!(vietnamese.starts_with(prefix) && vietnamese.contains(words), "{vietnamese} · {english}");
        assert!(english.starts_with("survey sheet, row 3, calculation: `"), "{english}");
    }
}

const SURVEY: &str =
    "| survey | | | | | | |\n| | type | name | label | calculation | relevant | required |\n";

fn circles(rows: &str) -> Vec<String> {
    let form = xlsform::read("form.md", format!("{SURVEY}{rows}").as_bytes()).expect("a form").questionnaire;
    running::cycles(&form).iter().map(ToString::to_string).collect()
}

/// ODK Validate says "Cycle detected" of each of these, and of none of those in the next test.
#[test]
fn expressions_that_read_themselves_are_told_with_their_circle() {
    for (rows, words) in [
        (
            "| | calculate | a | | ${b} + 1 | | |\n| | calculate | b | | ${a} | | |\n",
            "row 2, calculation: the expressions read each other in a circle (a → b → a)",
        ),
        (
            "| | text | x | X | | | |\n| | calculate | a | | ${a} + 1 | | |\n",
            "row 3, calculation: the expressions read each other in a circle (a → a)",
        ),
        ("| | text | a | A | | ${b} = '' | |\n| | calculate | b | | ${a} | | |\n", "row 2, relevant"),
        ("| | text | a | A | | | ${b} = '' |\n| | text | b | B | | | ${a} = '' |\n", "row 2, required"),
        (
            "| | begin_group | g | G | | ${a} = '' | |\n| | text | a | A | | | |\n| | end_group | | | | | |\n",
            "row 2, relevant: the expressions read each other in a circle (g → a → g)",
        ),
        (
            "| | begin_repeat | r | R | | | |\n| | text | t | T | | | |\n| | calculate | a | | sum(${a}) | | |\n| | end_repeat | | | | | |\n",
            "row 4, calculation",
        ),
    ] {
        let told = circles(rows);
        assert!(told.len() == 1 && told[0].contains(words), "{rows}: {told:?}");
    }
}

#[test]
fn constraints_counts_and_triggers_make_no_circle() {
    for rows in [
        "| | begin_repeat | r | R | | | |\n| | text | t | T | | count(${r}) > 1 | |\n| | calculate | a | | count(${r}) + position(..) | | |\n| | end_repeat | | | | | |\n",
        "| | text | x | X | | | |\n| | calculate | a | | once(random()) | | |\n",
        "| | text | a | A | | | |\n| | text | b | B | | ${a} = '' | ${a} = 'x' |\n| | calculate | c | | concat(${a}, ${b}) | ${b} = '' | |\n",
    ] {
        assert_eq!(circles(rows), Vec::<String>::new());
    }
}

#[test]
fn the_bundled_forms_have_no_circle() {
    for (name, bytes) in [
        ("questionnaire.xlsx", &include_bytes!("../instruments/2026/questionnaire.xlsx")[..]),
        ("listing.xlsx", &include_bytes!("../instruments/2026/listing.xlsx")[..]),
    ] {
        let form = xlsform::read(name, bytes).expect("a form").questionnaire;
        assert_eq!(running::cycles(&form), Vec::new(), "{name}");
    }
}
