//! Every function and operator of the form language with its edge cases, beside what the tablet's
//! engine and JavaRosa store for it (`expression_table/answers.json`, made by `make.py` there).

use std::collections::HashMap;

use surveys::chance::Chance;
use surveys::expression::{Dialect, Expression, Found, Function, Moment, Purpose, Reference, Standing};
use surveys::form::{Compiled, Interview, Setup};
use surveys::question_type::{QuestionType, Stored};
use surveys::questionnaire::design::hints;
use surveys::questionnaire::{Body, Node, Questionnaire};
use surveys::{submission, xlsform};

/// One row: where the expression stands, the node's type, the expression, what the tablet's engine
/// stores, what JavaRosa stores. `!` begins an error; ` | ` parts the repeats.
struct Row {
    place: String,
    kind: String,
    expression: String,
    web_forms: String,
    javarosa: String,
}

fn rows() -> Vec<Row> {
    let rows: Vec<[String; 5]> =
        serde_json::from_str(include_str!("expression_table/answers.json")).expect("the table is JSON");
    let row = |[place, kind, expression, web_forms, javarosa]: [String; 5]| Row {
        place,
        kind,
        expression,
        web_forms,
        javarosa,
    };
    rows.into_iter().map(row).collect()
}

fn base() -> Questionnaire {
    let form = include_bytes!("expression_table/form.md");
    xlsform::read("form.md", form).unwrap_or_else(|problems| panic!("{problems:?}")).questionnaire
}

fn find<'n>(nodes: &'n mut [Node], name: &str) -> Option<&'n mut Node> {
    for node in nodes {
        if node.name == name {
            return Some(node);
        }
        if let Some(found) = find(node.children_mut(), name) {
            return Some(found);
        }
    }
    None
}

/// The base form with the row's expression as the calculation of its node.
fn form(base: &Questionnaire, row: &Row) -> Questionnaire {
    let mut form = base.clone();
    let node = find(&mut form.nodes, &row.place).expect("the form has the place");
    node.logic.calculation = Some(row.expression.clone());
    if let Body::Question(question) = &mut node.body {
        question.kind = match row.kind.as_str() {
            "int" => QuestionType::Integer,
            "decimal" => QuestionType::Decimal,
            "date" => QuestionType::Date,
            "dateTime" => QuestionType::DateTime,
            "time" => QuestionType::Time,
            "geopoint" => QuestionType::Geopoint,
            _ => QuestionType::Text,
        };
    }
    form
}

/// What our evaluator stores for the row.
fn ours(base: &Questionnaire, row: &Row, dialect: Dialect) -> String {
    let form = match Compiled::new(&form(base, row)) {
        Ok(form) => form,
        Err(problems) => return format!("!{}", problems[0]),
    };
    let data = submission::read(&form, include_bytes!("expression_table/data.xml")).expect("well-formed");
    let now = Moment::parse("2026-11-23T08:15:30.250+07:00", 420).expect("a moment");
    let setup = Setup { dialect, now, zone: 420, chance: Chance::new(1, "table") };
    let (interview, _) = Interview::restore(&form, setup, &data.tree);
    let item = form.named(&row.place)[0];
    let mut found = Vec::new();
    for node in interview.nodes_of(item) {
        match interview.errors().get(node) {
            Some(error) => return format!("!{error}"),
            None => found.push(interview.tree.text(*node).into_owned()),
        }
    }
    found.join(" | ")
}

/// Rows of a part of `mended.md`: as they are written there, with what ours stores.
fn mended(part: &str) -> HashMap<String, String> {
    let text = include_str!("expression_table/mended.md");
    let part = text.split("\n# ").find(|chapter| chapter.lines().next() == Some(part)).expect("the chapter");
    let rows = part.lines().filter_map(|line| line.strip_prefix("    ")?.split_once("  →"));
    rows.map(|(row, ours)| (row.to_owned(), ours.strip_prefix("  ").unwrap_or("").to_owned())).collect()
}

impl Row {
    /// As in `rows.txt`.
    fn written(&self) -> String {
        match (self.place.as_str(), self.kind.as_str()) {
            ("out", "string") => self.expression.clone(),
            (place, "string") => format!("@{place} {}", self.expression),
            (place, kind) => format!("@{place}:{kind} {}", self.expression),
        }
    }
}

/// Equal, errors among themselves.
fn same(ours: &str, theirs: &str) -> bool {
    ours == theirs || (ours.starts_with('!') && theirs.starts_with('!'))
}

/// Every row is as the engine has it, or as `mended.md` says with a reason.
fn compare(dialect: Dialect, part: &str, theirs: impl Fn(&Row) -> &str) {
    let (base, rows, mut mended) = (base(), rows(), mended(part));
    let listed = mended.len();
    let mut wrong = Vec::new();
    for row in &rows {
        let got = ours(&base, row, dialect);
        let due = match mended.remove(&row.written()) {
            Some(due) if same(&due, theirs(row)) => panic!("{}: nothing is mended any more", row.written()),
            Some(due) => due,
            None => theirs(row).to_owned(),
        };
        if !same(&got, &due) {
            wrong.push(format!("{}: `{got}`, due `{due}`", row.written()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(mended.is_empty(), "not in the table: {:?}", mended.keys());
    println!("{} rows: {} as the engine, {listed} mended for a reason", rows.len(), rows.len() - listed);
}

#[test]
fn the_table_has_every_function() {
    let rows = rows();
    assert!(rows.len() >= 600, "{}", rows.len());
    for name in Function::names().filter(|name| !["version", "property"].contains(name)) {
        let called = rows.iter().filter(|row| row.expression.contains(&format!("{name}("))).count();
        assert!(called > 0, "{name}() has no row");
    }
}

#[test]
fn javarosas_dialect_stores_what_javarosa_stores() {
    compare(Dialect::JavaRosa, "JavaRosa", |row| &row.javarosa);
}

#[test]
fn the_tablets_dialect_stores_what_its_engine_stores_with_its_bugs_mended() {
    compare(Dialect::WebForms, "Tablet", |row| &row.web_forms);
}

/// How far the two engines are apart in a row.
#[derive(PartialEq)]
enum Apart {
    Not,
    /// The same truth, stored as `1` and as `true`.
    Written,
    Really,
}

fn apart(row: &Row) -> Apart {
    let (a, b) = (&row.web_forms, &row.javarosa);
    let number = |text: &str| text.parse::<f64>().ok();
    let as_number = row.kind == "decimal" && number(a).is_some() && number(a) == number(b);
    if same(a, b) || as_number {
        return Apart::Not;
    }
    let truth = |text: &str| text.replace("true", "1").replace("false", "0");
    if truth(a) == *b { Apart::Written } else { Apart::Really }
}

#[test]
fn the_checker_warns_where_the_engines_differ() {
    let (base, rows, mut unwarned) = (base(), rows(), mended("Without a warning"));
    let (mut warned, mut refused, mut listed, mut missed) = (0, 0, 0, Vec::new());
    for row in rows.iter().filter(|row| apart(row) != Apart::Not) {
        let form = form(&base, row);
        if Compiled::new(&form).is_err() {
            refused += 1;
            continue;
        }
        let hints: Vec<String> = hints(&form).iter().map(ToString::to_string).collect();
        let told = hints.iter().any(|hint| {
            hint.contains("calculation")
                && (apart(row) == Apart::Written || !hint.contains("a stored true or false"))
        });
        if told {
            warned += 1;
        } else if unwarned.remove(&row.written()).is_some() {
            listed += 1;
        } else {
            let (tablet, collect) = (&row.web_forms, &row.javarosa);
            missed.push(format!("{}: `{tablet}` on the tablet, `{collect}` in Collect", row.written()));
        }
    }
    println!("{warned} rows warned of, {refused} refused, {listed} without a warning for a reason");
    assert!(missed.is_empty(), "{} rows without a warning:\n{}", missed.len(), missed.join("\n"));
    assert!(unwarned.is_empty(), "warned of, or not in the table: {:?}", unwarned.keys());
}

/// The questionnaires of the survey hold no expression that the engines read differently.
#[test]
fn the_checker_is_silent_about_the_surveys_own_forms() {
    for (name, bytes) in [
        ("questionnaire.xlsx", &include_bytes!("../instruments/2026/questionnaire.xlsx")[..]),
        ("listing.xlsx", &include_bytes!("../instruments/2026/listing.xlsx")[..]),
    ] {
        let form = xlsform::read(name, bytes).unwrap_or_else(|problems| panic!("{problems:?}")).questionnaire;
        let told: Vec<String> = hints(&form).iter().map(ToString::to_string).collect();
        let about_engines = |hint: &&String| hint.contains("Collect") || hint.contains("tablet");
        let told: Vec<&String> = told.iter().filter(about_engines).collect();
        assert!(told.is_empty(), "{name}: {told:#?}");
    }
}

/// Any text that parses is looked through without a panic.
#[test]
fn mangled_expressions_do_not_stop_the_checker() {
    let look_up = |_: &Reference| Found::Something;
    let mut chance = Chance::new(1, "mangled");
    let mut parsed = 0;
    for row in rows() {
        for purpose in [Purpose::Condition, Purpose::Other, Purpose::Answer(Stored::Date)] {
            let mut text: Vec<char> = row.expression.chars().collect();
            text[chance.below(row.expression.chars().count())] =
                ['(', '/', '\'', '.', '1', '[', '|', 'đ'][chance.below(8)];
            let text: String = text.into_iter().collect();
            if let Ok(expression) = Expression::parse(&text) {
                parsed += 1;
                expression.traps(&Standing { path: "/data/r/o", purpose, look_up: &look_up });
            }
        }
    }
    assert!(parsed > 500, "{parsed}");
}

/// Long conditions are looked through without running out of stack.
#[test]
fn the_checker_looks_through_long_conditions() {
    let mut form = base();
    let node = find(&mut form.nodes, "out").expect("the form has the place");
    node.logic.relevant = Some(format!("/data/age = 0{}", " or /data/e".repeat(900)));
    let told = hints(&form).iter().filter(|hint| hint.to_string().contains("blank question")).count();
    assert_eq!(told, 1);
}

/// Expressions that every form uses and both engines read alike.
#[test]
fn the_checker_is_silent_about_ordinary_expressions() {
    let base = base();
    let before = hints(&base);
    for expression in [
        "/data/age >= 18 and /data/age <= 110",
        "selected(/data/code, 'a') or /data/pick = 'b'",
        "not(selected(/data/code, 'a'))",
        "/data/d <= today()",
        "/data/e = '' or string-length(/data/e) < 10",
        "if(/data/age > 18, 'x', 'y') = 'x'",
        "count-selected(/data/code) < 3",
        "regex(/data/word, '^[A-Z][a-z]*$')",
        "int((today() - /data/d) div 365.25) >= 18",
        "instance('commune')/root/item[name = /data/pick]/label != ''",
        "jr:choice-name(/data/pick, '/data/pick') = 'Ba'",
        "count(/data/r) > 0",
        "sum(/data/r/x[. != '']) > 3",
        "/data/r[position() = 1]/x > 2",
        "indexed-repeat(/data/r/x, /data/r, 1) = 10",
        "round(/data/n * 100) > 3",
        "format-date(/data/d, '%Y-%m') = '2026-01'",
    ] {
        let mut form = base.clone();
        let node = find(&mut form.nodes, "out").expect("the form has the place");
        node.logic.relevant = Some(expression.to_owned());
        let told: Vec<String> =
            hints(&form).iter().filter(|hint| !before.contains(hint)).map(ToString::to_string).collect();
        assert!(told.is_empty(), "{expression}: {told:?}");
    }
}
