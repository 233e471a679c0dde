//! What expressions come to, in the tablet's engine (with its bugs mended) and in JavaRosa.
//!
//! The rows follow the trap table of the form language; where one column is given, both agree. The
//! column of JavaRosa was compared with the JavaRosa in ODK Validate (pyxform 4.5.0), row by row, in
//! the zone Asia/Ho_Chi_Minh; it does not itself know `pulldata`, which its host adds, `intersects`,
//! and `geofence` and `area` of anything but a node.

use std::cell::RefCell;
use std::collections::HashMap;

use surveys::chance::Chance;
use surveys::expression::{
    Dialect, Environment, Expression, Function, Kind, Lookups, Moment, NodeId, Reference, Scope, Tree,
};

/// `/data`: a questionnaire's instance with blanks, dates and nested repeats.
///
/// e = "", age = 30, n = 2.5, code = "1 3 98", d = 2026-01-31, t = 2026-03-08T14:30:00.000+07:00,
/// off (not relevant) = 5, r × 3 with x = 10, "", 30 and s × 2 with y = 1, 2 · 3, 4 · 5, 6.
fn instance() -> (Tree, HashMap<&'static str, NodeId>) {
    let (mut tree, root) = Tree::new("data");
    let mut nodes = HashMap::new();
    for (name, text, kind) in [
        ("e", "", Kind::Text),
        ("age", "30", Kind::Number),
        ("n", "2.5", Kind::Number),
        ("code", "1 3 98", Kind::Text),
        ("d", "2026-01-31", Kind::Date),
        ("t", "2026-03-08T14:30:00.000+07:00", Kind::DateTime),
        ("off", "5", Kind::Number),
        ("word", "Hà Giang", Kind::Text),
        ("clock", "06:00:00.000+07:00", Kind::Time),
        ("filled", "kept", Kind::Text),
    ] {
        let node = tree.add_text(root, name, text);
        tree.get_mut(node).kind = kind;
        nodes.insert(name, node);
    }
    let off = nodes["off"];
    tree.get_mut(off).relevant = false;
    let mut y = 0;
    for (i, x) in ["10", "", "30"].iter().enumerate() {
        let r = tree.add(root, "r".into());
        let node = tree.add_text(r, "x", x);
        tree.get_mut(node).kind = Kind::Number;
        nodes.insert(["x1", "x2", "x3"][i], node);
        for _ in 0..2 {
            y += 1;
            let s = tree.add(r, "s".into());
            let node = tree.add_text(s, "y", &y.to_string());
            tree.get_mut(node).kind = Kind::Number;
            nodes.insert(["", "y1", "y2", "y3", "y4", "y5", "y6"][y], node);
        }
    }
    (tree, nodes)
}

/// A list of communes, and the labels of `/data/code`.
struct Lists(Tree);

impl Lists {
    fn new() -> Self {
        let (mut tree, root) = Tree::new("root");
        for (name, label, district) in
            [("a", "An", "1"), ("b", "Ba", "1"), ("c", "Ca", "2"), ("d", "Đa", "2")]
        {
            let item = tree.add(root, "item".into());
            tree.add_text(item, "name", name);
            tree.add_text(item, "label", label);
            tree.add_text(item, "district", district);
        }
        Self(tree)
    }
}

impl Lookups for Lists {
    fn instance(&self, id: &str) -> Option<&Tree> {
        (id == "commune").then_some(&self.0)
    }

    fn choice_label(&self, path: &str, value: &str) -> Option<String> {
        (path == "/data/code" && value == "3").then(|| "Ba".to_owned())
    }

    fn text(&self, id: &str) -> Option<String> {
        (id == "L-0").then(|| "Xin chào".to_owned())
    }

    fn property(&self, _: &str) -> Option<String> {
        None
    }
}

/// The value as text at a node, `!` before an error.
fn value(expression: &str, at: &str, dialect: Dialect) -> String {
    let (tree, nodes) = instance();
    let lists = Lists::new();
    let chance = RefCell::new(Chance::new(1, "test"));
    let now = Moment::parse("2026-11-23T08:15:30.250+07:00", 420).expect("a moment");
    let environment = Environment { dialect, now, zone: 420, chance: &chance, lookups: &lists };
    let node = nodes.get(at).copied().unwrap_or(tree.root());
    let scope = Scope { main: &tree, node, environment: &environment };
    let parsed = match Expression::parse(expression) {
        Ok(parsed) => parsed,
        Err(error) => return format!("!{error}"),
    };
    // As text, not as stored: `concat` turns any value into its text.
    match Expression::parse(&format!("string({expression})")).ok().map(|text| text.evaluate_stored(&scope)) {
        // What is no number is stored as a blank, and turned into text as NaN.
        Some(Ok(text)) if text == "NaN" => String::new(),
        Some(Ok(text)) => text,
        _ => match parsed.evaluate_stored(&scope) {
            Ok(text) => text,
            Err(error) => format!("!{error}"),
        },
    }
}

fn table(rows: &[(&str, &str, &str)]) {
    let mut wrong = String::new();
    for (expression, web_forms, javarosa) in rows {
        for (dialect, due) in [(Dialect::WebForms, web_forms), (Dialect::JavaRosa, javarosa)] {
            let got = value(expression, "", dialect);
            let same = if *due == "!" { got.starts_with('!') } else { got == **due };
            if !same {
                wrong.push_str(&format!("{dialect:?} {expression}: got `{got}`, due `{due}`\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn both(rows: &[(&str, &str)]) {
    table(&rows.iter().map(|(expression, due)| (*expression, *due, *due)).collect::<Vec<_>>());
}

#[test]
fn texts() {
    both(&[
        ("concat('a', 1, true())", "a1true"),
        ("concat()", ""),
        ("concat(/data/r/s/y)", "123456"),
        ("join(', ', 'a', 'b', '')", "a, b, "),
        ("join('-', /data/r/s/y)", "1-2-3-4-5-6"),
        ("join('-')", ""),
        ("substr('hello', 1)", "ello"),
        ("substr('hello', 1, 3)", "el"),
        ("substr('hello', -3)", "llo"),
        ("substr('hello', -3, -1)", "ll"),
        ("substr('hello', 4, 2)", ""),
        ("substr('hello', 0, 99)", "hello"),
        ("substr('', 0, 1)", ""),
        ("substring-before('2026-11', '-')", "2026"),
        ("substring-before('2026', '-')", ""),
        ("substring-after('2026-11', '-')", "11"),
        ("substring-after('2026', '-')", ""),
        ("translate('Hà Nội', 'àộN', 'aoM')", "Ha Moi"),
        ("translate('abc', 'b', '')", "ac"),
        ("string-length('Hà Giang')", "8"),
        ("string-length('😀')", "2"),
        ("string-length('')", "0"),
        ("normalize-space('  a \t b ')", "a b"),
        ("contains('abc', 'b')", "true"),
        ("contains('abc', '')", "true"),
        ("starts-with('abc', 'ab')", "true"),
        ("starts-with('abc', 'b')", "false"),
        ("ends-with('abc', 'bc')", "true"),
        ("string(1 = 1)", "true"),
        ("string(0.1 + 0.2)", "0.30000000000000004"),
        ("string(-0.5)", "-0.5"),
        ("string(100)", "100"),
        ("string-length(uuid())", "36"),
        ("substr(uuid(), 14, 15)", "4"),
        ("string-length(uuid(12))", "12"),
        ("base64-decode('SMOgIEdpYW5n')", "Hà Giang"),
        ("base64-decode('%%')", ""),
        ("digest('', 'MD5')", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("digest('abc', 'MD5', 'hex')", "900150983cd24fb0d6963f7d28e17f72"),
        ("digest('abc', 'SHA-1', 'hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "digest('abc', 'SHA-256', 'hex')",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("digest('abc', 'SHA-256')", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
        ("string-length(digest('abc', 'SHA-384', 'hex'))", "96"),
        ("string-length(digest('abc', 'SHA-512', 'hex'))", "128"),
        (
            "digest('abc', 'CRC', 'hex')",
            "!`digest()` knows MD5, SHA-1, SHA-256, SHA-384 and SHA-512, not `CRC`",
        ),
    ]);
    table(&[("substring('hello', 2, 3)", "ell", "!"), ("substring('12345', 1.5, 2.6)", "234", "!")]);
}

#[test]
fn truth() {
    both(&[
        ("if(1 < 2, 'yes', 'no')", "yes"),
        ("if('', 'yes', 'no')", "no"),
        ("coalesce('', 'b')", "b"),
        ("coalesce(/data/e, /data/age)", "30"),
        ("coalesce(/data/age, 1)", "30"),
        ("boolean('false')", "true"),
        ("boolean('')", "false"),
        ("boolean(0)", "false"),
        ("boolean(number(''))", "false"),
        ("boolean-from-string('1')", "true"),
        ("boolean-from-string('true')", "true"),
        ("boolean-from-string('yes')", "false"),
        ("not(true())", "false"),
        ("not('')", "true"),
        ("true() and false()", "false"),
        ("true() or false()", "true"),
        ("checklist(2, 3, true(), true(), false())", "true"),
        ("checklist(-1, 1, true(), true())", "false"),
        ("checklist(-1, -1)", "true"),
        ("weighted-checklist(3, 5, true(), 2, true(), 1.5, false(), 9)", "true"),
        ("weighted-checklist(3, 5, true(), 2)", "false"),
        ("regex('0912345678', '^0[0-9]{9}$')", "true"),
        ("regex('', '^$')", "true"),
        ("regex('Hà', 'H.')", "true"),
        ("regex('a', '(')", "!`(` is not a regular expression that can be read"),
    ]);
    table(&[
        // expression, tablet, JavaRosa
        ("boolean-from-string('TRUE')", "false", "true"),
        ("regex('abc', 'b')", "true", "false"),
        ("not(/data/e)", "false", "true"),
        ("if(/data/e, 'a', 'b')", "a", "b"),
        ("boolean(/data/nowhere)", "false", "false"),
        ("/data/nowhere = ''", "false", "true"),
        ("/data/e = ''", "true", "true"),
        ("/data/off = ''", "true", "true"),
        ("'2026-01-31' > '2026-01-01'", "true", "false"),
        ("today() > '2026-01-01'", "true", "false"),
        ("today() > date('2026-01-01')", "true", "true"),
        ("/data/d > '2026-01-01'", "true", "false"),
    ]);
}

#[test]
fn once_keeps_a_value_that_is_not_blank() {
    for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
        assert_eq!(value("once('new')", "filled", dialect), "kept");
        assert_eq!(value("once('new')", "e", dialect), "new");
    }
}

#[test]
fn numbers() {
    both(&[
        ("1 + 2 * 3 - 4 div 2", "5"),
        ("7 mod 3", "1"),
        ("-7 mod 3", "-1"),
        ("--1", "1"),
        ("1 div 0", "Infinity"),
        ("-1 div 0", "-Infinity"),
        // Blank and NaN are stored as blank.
        ("/data/e + 1", ""),
        ("0 div 0", ""),
        ("/data/e < 1", "false"),
        ("/data/age >= 18 and /data/age <= 110", "true"),
        ("number('1e3')", ""),
        ("number(' 12 ')", "12"),
        ("number('+1')", ""),
        ("number('1.2.3')", ""),
        ("number('.5')", "0.5"),
        ("number('-')", ""),
        ("number(true())", "1"),
        ("int(2.9)", "2"),
        ("int(-2.9)", "-2"),
        ("int('x')", ""),
        ("sum(/data/r/x)", "40"),
        ("sum(/data/nowhere)", "0"),
        ("sum(/data/r/s/y)", "21"),
        ("max(/data/r/s/y)", "6"),
        ("min(/data/r/s/y)", "1"),
        ("max(1, 7, 3)", "7"),
        ("min(4, 2)", "2"),
        ("max(/data/nowhere)", ""),
        ("round(1.5)", "2"),
        ("round(-1.5)", "-1"),
        ("round(-1.6)", "-2"),
        ("round(1.255, 2)", "1.26"),
        ("round(1234, -2)", "1200"),
        ("round(9.995, 2)", "10"),
        ("round('x')", ""),
        ("pow(2, 10)", "1024"),
        ("log10(1000)", "3"),
        ("round(log(2.718281828459045), 6)", "1"),
        ("abs(-3)", "3"),
        ("sqrt(16)", "4"),
        ("sqrt(-1)", ""),
        ("exp(0)", "1"),
        ("exp10(2)", "100"),
        ("round(pi(), 5)", "3.14159"),
        ("round(sin(pi() div 2), 6)", "1"),
        ("cos(0)", "1"),
        ("tan(0)", "0"),
        ("round(asin(1), 4)", "1.5708"),
        ("acos(1)", "0"),
        ("round(atan(1) * 4, 4)", "3.1416"),
        ("round(atan2(1, 1) * 4, 4)", "3.1416"),
        ("random() < 1 and random() >= 0", "true"),
        ("2147483647", "2147483647"),
    ]);
    table(&[
        ("2147483648", "2147483648", "2.147483648E9"),
        ("25000000000", "25000000000", "2.5E10"),
        ("0.0001", "0.0001", "1.0E-4"),
        ("12345678.5", "12345678.5", "1.23456785E7"),
        ("max(/data/r/x)", "", "30"),
        ("min(/data/r/x)", "", "10"),
        ("max(/data/r/x[. != ''])", "30", "30"),
        ("max(-5, -2)", "-2", "0"),
        ("number('2026-01-02') = decimal-date-time('2026-01-02')", "true", "false"),
        ("number('2026-01-02')", "20454.708333333332", ""),
        ("floor(2.5)", "2", "!"),
        ("ceiling(2.5)", "3", "!"),
        ("number('1,5')", "", "1.5"),
    ]);
}

#[test]
fn dates() {
    both(&[
        ("today()", "2026-11-23"),
        ("format-date(today(), '%e/%n/%Y')", "23/11/2026"),
        ("format-date('2026-03-08', '%d-%m-%y %b')", "08-03-26 Mar"),
        // A Sunday.
        ("format-date('2026-03-08', '%a')", "Sun"),
        ("format-date('', '%Y')", ""),
        ("format-date(date('2026-01-31') + 7, '%Y-%m-%d')", "2026-02-07"),
        ("format-date(date(date('2026-01-31') + 7), '%Y-%m-%d')", "2026-02-07"),
        ("format-date-time('2026-03-08T14:05:09.007+07:00', '%H:%M:%S.%3 %h')", "14:05:09.007 14"),
        ("format-date-time('2026-03-08T20:00:00.000Z', '%Y-%m-%d %H:%M')", "2026-03-09 03:00"),
        ("format-date-time(/data/t, '%H:%M')", "14:30"),
        ("decimal-date-time('1970-01-01T07:00:00.000+07:00')", "0"),
        ("decimal-date-time('2026-01-02')", "20454.708333333332"),
        ("decimal-date-time('')", ""),
        ("date('2026-01-31')", "2026-01-31"),
        ("date('2026-1-5')", "2026-01-05"),
        ("date('')", ""),
        ("date('2024-02-29') = date('2024-02-29')", "true"),
        ("date('2026-02-01') > date('2026-01-31')", "true"),
        ("date(20484)", "2026-01-31"),
        ("int((today() - date('2000-11-24')) div 365.25)", "25"),
    ]);
    table(&[
        ("date('2026-01-31') + 1", "20484.708333333332", "20485"),
        ("decimal-time('12:00')", "0.5", "!"),
        ("decimal-time('18:00:00.000+07:00')", "0.75", "!"),
        ("decimal-time(/data/clock)", "0.25", "0.25"),
        ("now()", "2026-11-23T08:15:30.250+07:00", "2026-11-23"),
        ("date('2026-02-30')", "", "!"),
        ("format-date('x', '%Y')", "", "!"),
    ]);
}

#[test]
fn nodes_and_repeats() {
    both(&[
        ("count(/data/r)", "3"),
        ("count(/data/r/s)", "6"),
        ("count(/data/nowhere)", "0"),
        ("count-non-empty(/data/r/x)", "2"),
        ("/data/r[position() = 2]/s[position() = 2]/y", "4"),
        ("/data/r[position() = 9]/x", ""),
        ("count(/data/r[x = ''])", "1"),
        ("count(/data/r[x > 5])", "2"),
        ("sum(/data/r[x = 30]/s/y)", "11"),
        ("indexed-repeat(/data/r/x, /data/r, 3)", "30"),
        ("indexed-repeat(/data/r/s/y, /data/r, 2, /data/r/s, 1)", "3"),
        ("indexed-repeat(/data/r/s/y, /data/r/s, 1, /data/r, 2)", "3"),
        ("indexed-repeat(/data/r/x, /data/r, 9)", ""),
        ("count(instance('commune')/root/item)", "4"),
        ("instance('commune')/root/item[name = 'c']/label", "Ca"),
        ("count(instance('commune')/root/item[district = '2'])", "2"),
        ("instance('commune')/root/item[name = 'z']/label", ""),
        ("pulldata('commune', 'label', 'name', 'b')", "Ba"),
        ("pulldata('commune', 'label', 'name', 'z')", ""),
        ("pulldata('commune', 'nowhere', 'name', 'b')", ""),
        ("string(/data/child::age)", "30"),
        ("string(/data/age/self::node())", "30"),
        ("jr:choice-name('3', '/data/code')", "Ba"),
        ("jr:choice-name('9', '/data/code')", ""),
        ("jr:itext('L-0')", "Xin chào"),
    ]);
    table(&[
        ("/data/r[2]/s[1]/y", "3", ""),
        ("/data/r[last()]/x", "30", "!"),
        ("count(//y)", "6", "!"),
        ("/data/age | /data/nowhere", "30", "!"),
        ("string(/data/age/parent::data/n)", "2.5", "!"),
        ("string(/data/r/x)", "10", "!"),
        ("/data/r/s/y = 5", "true", "!"),
        ("count(/data/off)", "1", "0"),
        ("count(instance('nothing')/root/item)", "0", "!"),
        ("local-name(/data/age)", "age", "!"),
    ]);
}

#[test]
fn paths_start_at_the_node_at_hand() {
    for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
        let at = |expression: &str, node: &str| value(expression, node, dialect);
        assert_eq!(at(". + 1", "age"), "31");
        assert_eq!(at("../x", "x3"), "30");
        assert_eq!(at("sum(../s/y)", "x2"), "7", "this repeat's own");
        assert_eq!(at("position(..)", "x3"), "3");
        assert_eq!(at("position(../..)", "y4"), "2");
        assert_eq!(at("position(..)", "y4"), "2");
        assert_eq!(at("../../../age", "y4"), "30");
        assert_eq!(at("count(/data/r[position() < position(current()/..)])", "x3"), "2");
        assert_eq!(
            at("instance('commune')/root/item[district = current()/../x div 10][position() = 1]/name", "x1"),
            "a"
        );
        assert_eq!(at("indexed-repeat(/data/r/x, /data/r, position(..) - 2)", "x3"), "10");
        assert_eq!(at("string-length()", "filled"), "4");
        assert_eq!(at("normalize-space()", "filled"), "kept");
    }
    assert_eq!(value("count(/data/r)", "x2", Dialect::WebForms), "3");
    assert_eq!(value("count(/data/r)", "x2", Dialect::JavaRosa), "1", "JavaRosa means the same instance");
    assert_eq!(value("/data/r/x", "x3", Dialect::JavaRosa), "30", "JavaRosa means the same instance");
    assert_eq!(value("/data/r/x", "x3", Dialect::WebForms), "10");
}

/// JavaRosa breaks down on it ("Unexpected multiplicity mismatch").
#[test]
fn a_star_stands_for_any_child() {
    assert_eq!(value("count(/data/r/*)", "", Dialect::WebForms), "9");
}

#[test]
fn selections() {
    both(&[
        ("selected(/data/code, '3')", "true"),
        ("selected(/data/code, '9')", "false"),
        ("selected('', '')", "true"),
        ("selected('a b', '')", "false"),
        ("selected('abc', 'b')", "false"),
        ("selected-at(/data/code, 0)", "1"),
        ("selected-at(/data/code, 2)", "98"),
        ("selected-at(/data/code, 3)", ""),
        ("selected-at(/data/code, -1)", ""),
        ("count-selected(/data/code)", "3"),
        ("count-selected('')", "0"),
    ]);
    table(&[("selected(/data/code, 3)", "true", "!")]);
}

#[test]
fn places() {
    table(&[
        ("distance('0 0; 0 1')", "111318.85", "111318.84502143922"),
        ("distance('north')", "", "!"),
        ("round(area('0 0; 0 1; 1 1; 1 0; 0 0') div 1000000)", "12391", "!"),
        ("geofence('0.5 0.5', '0 0; 0 1; 1 1; 1 0; 0 0')", "true", "!"),
        ("geofence('1.5 0.5', '0 0; 0 1; 1 1; 1 0; 0 0')", "false", "!"),
        ("intersects('0 0; 1 1; 0 1; 1 0')", "!", "true"),
        ("intersects('0 0; 0 1; 1 1; 1 0; 0 0')", "!", "false"),
    ]);
    both(&[("distance('0 0', '0 0')", "0")]);
}

/// Seed 42 draws 0.0003, 0.5246, 0.7354, 0.2633 (Park–Miller), so `a`; `b` stays second; `c` third; `d`
/// takes the second place and `b` moves to the end.
#[test]
fn a_seeded_shuffle_is_the_same_everywhere() {
    let order = |seed: &str, dialect| {
        value(&format!("join('', randomize(instance('commune')/root/item/name, {seed}))"), "", dialect)
    };
    for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
        let first = order("42", dialect);
        assert_eq!(first, "adcb");
        assert_eq!(first, order("42.9", dialect), "a seed is truncated");
        assert_eq!(order("''", dialect), order("0", dialect), "blank is 0");
        assert_ne!(order("'respondent'", dialect), order("'other'", dialect));
        let mut letters: Vec<char> = first.chars().collect();
        letters.sort_unstable();
        assert_eq!(letters, ['a', 'b', 'c', 'd']);
    }
    let different: std::collections::HashSet<String> =
        (1..200).map(|seed| order(&(seed * 7_919_573).to_string(), Dialect::WebForms)).collect();
    assert!(different.len() > 15, "{different:?}");
}

#[test]
fn stored_booleans_differ() {
    let stored = |dialect| {
        let (tree, nodes) = instance();
        let chance = RefCell::new(Chance::new(1, "test"));
        let now = Moment::parse("2026-11-23", 420).expect("a date");
        let lists = Lists::new();
        let environment = Environment { dialect, now, zone: 420, chance: &chance, lookups: &lists };
        let scope = Scope { main: &tree, node: nodes["e"], environment: &environment };
        Expression::parse("1 = 1 and 'abc'").expect("parses").evaluate_stored(&scope).expect("has a value")
    };
    assert_eq!(stored(Dialect::WebForms), "true");
    assert_eq!(stored(Dialect::JavaRosa), "1");
}

#[test]
fn what_is_no_expression_says_where_and_why() {
    let message = |text: &str| Expression::parse(text).expect_err(text).to_string();
    assert!(message("").contains("empty"));
    assert!(message("1 +").contains("ends where a value is due"), "{}", message("1 +"));
    assert!(message("slected(a, 'b')").contains("did you mean `selected()`?"));
    assert!(message("if(a, b)").contains("takes 3 arguments, not 2"));
    assert!(message("'open").contains("has no end"));
    assert!(message("a[1").contains("`]` is missing"));
    assert!(message("${a").contains("no closing"));
    assert!(message("a b").contains("not expected"));
    assert!(message("following::a").contains("axis"));
    assert!(message("a # b").contains("character 3"));
    assert!(
        message("indexed-repeat(/a/b, /a)").contains("at least 3")
            || message("indexed-repeat(/a/b, /a)").contains("pairs")
    );
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(message(&deep).contains("too deeply"));
    let minus = format!("{}1", "-".repeat(5_000));
    assert!(message(&minus).contains("too deeply"));
    let long = format!("1{}", " + 1".repeat(50_000));
    assert!(message(&long).contains("too long"));
    let fair = format!("1{}", " + 1".repeat(1_900));
    assert_eq!(value(&fair, "", Dialect::WebForms), "1901");
}

/// Any text gives an expression or an error, and never a panic or an endless loop.
#[test]
fn mangled_expressions_never_panic() {
    let good = [
        "if(selected(/data/code, '3'), ../r[position() = 2]/x * 2, coalesce(${a}, 'x'))",
        "instance('commune')/root/item[name = current()/../code and contains(., 'a')]/label | //b",
        "regex(., '^[a-z]+$') and not(. > 1.5e or @id != \"q\") mod -3 div round(1.255, 2)",
        "format-date-time('2026-03-08T14:05:09.007+07:00', '%H:%M') < substr(uuid(), -3, 5)",
    ];
    let mut chance = Chance::new(1, "mangled");
    let mut parsed = 0;
    for _ in 0..5_000 {
        let mut text: Vec<char> = good[chance.below(good.len())].chars().collect();
        for _ in 0..=chance.below(4) {
            let at = chance.below(text.len());
            match chance.below(3) {
                0 => {
                    text[at] = ['(', ')', '[', ']', '/', '\'', '-', '*', '.', ',', 'đ', '😀', '$', '{']
                        [chance.below(14)]
                }
                1 => {
                    text.remove(at);
                }
                _ => text.insert(at, ['(', '/', '.', '1', ' '][chance.below(5)]),
            }
        }
        let text: String = text.into_iter().collect();
        parsed += u32::from(Expression::parse(&text).is_ok());
        for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
            value(&text, "x2", dialect);
        }
    }
    assert!(parsed > 200, "{parsed}");
}

#[test]
fn an_expression_lists_what_it_reads() {
    let read = |text: &str| Expression::parse(text).expect(text).references("/data/r/x");
    let path = |p: &str| Reference::Path(p.to_owned());
    assert_eq!(read("../s/y + /data/age"), [path("/data/r/s/y"), path("/data/age")]);
    assert_eq!(
        read("/data/r[x > current()/../../age]/s"),
        [path("/data/r/x"), path("/data/age"), path("/data/r/s")]
    );
    let instance = |path: &str| Reference::Instance("c".to_owned(), path.to_owned());
    assert_eq!(
        read("instance('c')/root/item[d = ${q}]/name"),
        [instance("root/item/d"), Reference::Question("q".to_owned()), instance("root/item/name")]
    );
    assert_eq!(read(". >= 18"), [path("/data/r/x")]);
}

#[test]
fn names_with_operators_inside_are_names() {
    both(&[
        ("/data/age -1", "29"),
        ("/data/age*2", "60"),
        ("/data/age mod 7", "2"),
        ("/data/age div 2", "15"),
    ]);
    assert_eq!(Function::named("count-selected"), Some(Function::CountSelected));
    for name in Function::names() {
        assert_eq!(Function::named(name).map(Function::name), Some(name));
    }
}

#[test]
fn bounds_and_patterns_are_seen_in_a_constraint() {
    let bounds = |text: &str| Expression::parse(text).expect(text).bounds();
    assert_eq!(bounds(". >= 18 and . <= 110"), (Some(18.0), Some(110.0)));
    assert_eq!(bounds("0 <= . and . < 5 and . > -2"), (Some(0.0), Some(5.0)));
    assert_eq!(bounds(". > /data/age"), (None, None));
    assert_eq!(bounds(". > 1 or . < 0"), (None, None));
    let pattern = Expression::parse("regex(., '^[a-z]$') and . != 'q'").expect("parses");
    assert_eq!(pattern.pattern(), Some("^[a-z]$"));
}
