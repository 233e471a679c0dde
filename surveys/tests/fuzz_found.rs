//! What random input found, or would have: inputs of a few lines that once took the stack, the memory
//! or the afternoon. `./dev fuzz` looks for more.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use surveys::answer::{Options, answer};
use surveys::expression::{Dialect, Expression, Moment};
use surveys::form::Compiled;
use surveys::submission::{self, Rule};
use surveys::xform;
use surveys::xlsform::{self, Problem};
use zip::write::SimpleFileOptions;

/// The time that no input here comes near; a hang would go on for ever.
const LONG: Duration = Duration::from_secs(60);

fn compile(form: &str) -> Compiled {
    let read = xlsform::read("form.md", form.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    Compiled::new(&read.questionnaire).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn refusal(name: &str, bytes: &[u8]) -> String {
    let problems = xlsform::read(name, bytes).expect_err("refused");
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

fn interview(form: &Compiled) -> String {
    let start = Moment::parse("2026-08-03T08:00:00+07:00", 420).expect("a moment");
    answer(form, 1, &Options::at(start)).xml
}

/// Rules that a submission breaks.
fn broken(form: &Compiled, xml: &str) -> Vec<Rule> {
    let submission = submission::read(form, xml.as_bytes()).expect("readable");
    submission::check(form, &submission, Dialect::WebForms).iter().map(|problem| problem.rule).collect()
}

/// An .xlsx of these parts.
fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a part");
        writer.write_all(content).expect("written");
    }
    writer.finish().expect("a zip").into_inner()
}

#[test]
fn a_workbook_that_claims_more_texts_than_it_holds_is_refused() {
    for claim in ["99999999999", "999999999999999999"] {
        let texts = format!("<sst uniqueCount=\"{claim}\"><si><t>a</t></si></sst>");
        let workbook =
            zipped(&[("xl/workbook.xml", b"<workbook/>"), ("xl/sharedStrings.xml", texts.as_bytes())]);
        assert!(refusal("form.xlsx", &workbook).contains("more texts than it holds"));
    }
}

#[test]
fn a_workbook_that_unpacks_to_too_much_is_refused() {
    let zeros = vec![0; 65 << 20];
    let workbook = zipped(&[("xl/worksheets/sheet1.xml", &zeros)]);
    assert!(workbook.len() < 1 << 20, "{}", workbook.len());
    assert!(refusal("form.xlsx", &workbook).contains("unpacks to more than"));
}

/// Excel and LibreOffice claim a million rows for a column that was once coloured; what is there is read all the same,
/// and what a false claim would reserve is not.
#[test]
fn an_old_workbook_is_read_whatever_size_it_claims() {
    let bytes = include_bytes!("fuzz_found/listing.xls");
    let whole = xlsform::read("listing.xls", bytes).expect("a form").questionnaire;
    let record = bytes.windows(4).position(|four| four == [0x00, 0x02, 0x0e, 0x00]).expect("a size");
    for (first, end) in [(0, u32::MAX), (u32::MAX, 0), (5, 4), (0, 70_000), (0, 1_048_576)] {
        let mut changed = bytes.to_vec();
        changed[record + 4..record + 8].copy_from_slice(&u32::to_le_bytes(first));
        changed[record + 8..record + 12].copy_from_slice(&u32::to_le_bytes(end));
        changed[record + 14..record + 16].copy_from_slice(&256_u16.to_le_bytes());
        let read =
            xlsform::read("listing.xls", &changed).unwrap_or_else(|p| panic!("{first} to {end}: {p:?}"));
        assert_eq!(read.questionnaire, whole, "{first} to {end}");
    }
}

#[test]
fn a_damaged_workbook_is_a_problem_and_no_panic() {
    let bytes = include_bytes!("fuzz_found/listing.xls");
    for cut in (0..bytes.len()).step_by(97) {
        let _ = xlsform::read("listing.xls", &bytes[..cut]);
    }
    for at in (512..bytes.len()).step_by(61) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 0xff;
        let _ = xlsform::read("listing.xls", &changed);
    }
}

#[test]
fn groups_are_not_nested_without_end() {
    let mut form = String::from("| survey |\n| | type | name | label |\n");
    for depth in 0..20_000 {
        let _ = writeln!(form, "| | begin group | g{depth} | G |");
    }
    form.push_str(&"| | end group | | |\n".repeat(20_000));
    assert!(refusal("form.md", form.as_bytes()).contains("nested deeper than"));
}

#[test]
fn loops_in_loops_do_not_multiply_without_end() {
    let mut form = String::from("| survey |\n| | type | name | label |\n");
    for depth in 0..10 {
        let _ = writeln!(form, "| | begin loop over l | g{depth} | %(label)s%(label)s |");
    }
    form.push_str("| | text | q | Q |\n");
    form.push_str(&"| | end loop | | |\n".repeat(10));
    form.push_str("| choices |\n| | list_name | name | label |\n");
    for choice in 0..20 {
        let _ = writeln!(form, "| | l | c{choice} | %(label)s%(label)s |");
    }
    assert!(refusal("form.md", form.as_bytes()).contains("this loop makes more than"));
}

#[test]
fn names_and_languages_have_limits() {
    let form = format!("| survey |\n| | type | name | label |\n| | text | {} | A |\n", "n".repeat(40_000));
    assert!(refusal("form.md", form.as_bytes()).contains("the name is longer than"));
    let languages = 0..150;
    let header: String = languages.clone().map(|n| format!(" label::L{n} |")).collect();
    let row: String = languages.map(|_| " A |").collect();
    let form = format!("| survey |\n| | type | name |{header}\n| | text | a |{row}\n");
    assert!(refusal("form.md", form.as_bytes()).contains("languages"));
}

/// Each wrong name was compared with each question.
#[test]
fn thousands_of_unknown_names_are_told_at_once() {
    let mut form = String::from("| survey |\n| | type | name | label |\n");
    for row in 0..3_000 {
        let _ = writeln!(form, "| | text | question_{row} | ${{querstion_{row}}} |");
    }
    let start = Instant::now();
    assert_eq!(refusal("form.md", form.as_bytes()).lines().count(), 3_000);
    assert!(start.elapsed() < LONG);
}

#[test]
fn an_expression_has_so_many_operators_at_most_wherever_they_stand() {
    let mut text = "1".to_owned();
    for _ in 0..30 {
        text = format!("({text}{})", " + 1".repeat(1_500));
    }
    assert!(Expression::parse(&text).is_err());
    assert!(Expression::parse(&format!("1{}", " or 1".repeat(1_500))).is_ok());
    assert!(Expression::parse(&"(".repeat(100_000)).is_err());
}

#[test]
fn an_expression_that_asks_for_every_node_of_every_node_is_an_error() {
    let mut form = String::from("| survey |\n| | type | name | label | calculation |\n");
    for row in 0..2_000 {
        let _ = writeln!(form, "| | text | q{row} | Q | |");
    }
    form.push_str("| | calculate | all | | count(//*[count(//*[count(//*) > 1]) > 1]) |\n");
    form.push_str("| | calculate | equal | | //* != //* |\n");
    let form = compile(&form);
    let start = Instant::now();
    let rules = broken(&form, "<data id='form'><q1>x</q1><all>1</all></data>");
    assert!(rules.contains(&Rule::Calculation), "{rules:?}");
    assert!(start.elapsed() < LONG);
}

#[test]
fn texts_that_double_at_every_step_end_in_an_error() {
    let mut form =
        String::from("| survey |\n| | type | name | label | calculation |\n| | text | t0 | T | |\n");
    for step in 1..60 {
        let before = step - 1;
        let _ = writeln!(form, "| | calculate | t{step} | | concat(${{t{before}}}, ${{t{before}}}) |");
    }
    let rules = broken(&compile(&form), "<data id='form'><t0>ab</t0></data>");
    assert!(rules.contains(&Rule::Calculation));
}

#[test]
fn questions_that_trigger_each_other_come_to_rest() {
    let form = compile(
        "
| survey |           |      |       |             |         |
|        | type      | name | label | calculation | trigger |
|        | integer   | a    | A     | ${b} + 1    | ${b}    |
|        | integer   | b    | B     | ${a} + 1    | ${a}    |
|        | integer   | c    | C     | ${a} + ${d} |         |
|        | integer   | d    | D     | ${c} + 1    |         |
",
    );
    let start = Instant::now();
    let xml = interview(&form);
    broken(&form, &xml);
    broken(&form, "<data id='form'><a>1</a><b>2</b><c>3</c><d>4</d></data>");
    assert!(start.elapsed() < LONG);
}

#[test]
fn repeats_in_repeats_do_not_fill_the_memory() {
    let mut form = String::from("| survey |\n| | type | name | label | repeat_count |\n");
    for depth in 0..4 {
        let _ = writeln!(form, "| | begin repeat | r{depth} | R | 1000000000 |");
    }
    form.push_str("| | text | q | Q | |\n");
    form.push_str(&"| | end repeat | | | |\n".repeat(4));
    let start = Instant::now();
    interview(&compile(&form));
    assert!(start.elapsed() < LONG);
    let deeper: String = (4..30).map(|depth| format!("| | begin repeat | r{depth} | R | |\n")).collect();
    let ends = "| | end repeat | | | |\n".repeat(26);
    let question = "| | text | q | Q | |\n";
    let free = form.replace("1000000000", "").replace(question, &format!("{deeper}{question}{ends}"));
    interview(&compile(&free));
    assert!(start.elapsed() < LONG);
}

/// Each attribute was compared with all before it, each instance of a repeat counted from the first.
#[test]
fn submissions_of_many_attributes_or_repeats_are_read_at_once() {
    let form = compile(
        "
| survey |              |      |       |             |
|        | type         | name | label | calculation |
|        | begin repeat | r    | R     |             |
|        | integer      | n    | N     |             |
|        | calculate    | all  |       | sum(${n})   |
|        | end repeat   |      |       |             |
",
    );
    let start = Instant::now();
    let attributes: String = (0..200_000).map(|n| format!(" a{n}=''")).collect();
    assert!(submission::head(format!("<data{attributes}/>").as_bytes()).is_err());
    assert!(xform::read(format!("<data{attributes}/>").as_bytes()).is_err());
    let repeats = "<r><n>x</n></r>".repeat(100_000);
    let xml = format!("<data id='form'>{repeats}</data>");
    assert_eq!(broken(&form, &xml), [Rule::Structure]);
    let submission = submission::read(&form, xml.as_bytes()).expect("readable");
    let answers = submission::answers(&form, &submission);
    assert_eq!(answers[199_998].path, "/data/r[100000]/n");
    assert!(start.elapsed() < LONG);
}

#[test]
fn ranges_and_patterns_of_any_size_are_answered_or_left() {
    let form = compile(
        "
| survey |         |      |       |                                            |                                  |
|        | type    | name | label | constraint                                 | parameters                       |
|        | range   | a    | A     |                                            | start=0 end=1e300 step=1e-300    |
|        | range   | b    | B     |                                            | start=1 end=0 step=-0.0000000001 |
|        | text    | c    | C     | regex(., '(((a{999}){999}){999}){999}')    |                                  |
|        | text    | d    | D     | regex(., '((((){999}){999}){999}){999}')   |                                  |
|        | integer | e    | E     | . > 999999999999999999999999 and . < -5    |                                  |
",
    );
    let start = Instant::now();
    let xml = interview(&form);
    broken(&form, &xml);
    broken(&form, "<data id='form'><a>0.5</a><c>aaa</c><d>a</d></data>");
    assert!(start.elapsed() < LONG);
}
