//! Tables and the expressions over them, through their public doors.

use analysis::sql::{Expression, derive};
use analysis::table::{Column, Declared, MISSING, Table, Types};
use indexmap::IndexMap;

fn read(text: &str) -> Table {
    Table::parse_csv(text, "data.csv", &Types::new()).expect("the text is a table")
}

fn refusal(text: &str) -> String {
    Table::parse_csv(text, "data.csv", &Types::new()).expect_err("the text is refused").to_string()
}

#[test]
fn a_declared_category_keeps_the_text_of_the_file() {
    let types = Types::from([("ethnic".to_owned(), Declared::Category)]);
    let table = Table::parse_csv("ethnic,age\n08,30\n10,\n08,41.5\n", "data.csv", &types).expect("a table");
    let (codes, levels) = table.categories("ethnic").expect("a category");
    assert_eq!((&*codes, &*levels), (&[0, 1, 0][..], &["08".to_owned(), "10".to_owned()][..]));
    let ages = table.numbers("age").expect("numbers");
    assert!(ages[0] == 30.0 && ages[1].is_nan() && ages[2] == 41.5);
}

#[test]
fn declared_levels_keep_their_order_and_refuse_others() {
    let levels = |names: &[&str]| Declared::Levels(names.iter().map(|n| (*n).to_owned()).collect());
    let text = "trust\nlow\nhigh\n\n";
    let types = Types::from([("trust".to_owned(), levels(&["low", "middle", "high"]))]);
    let table = Table::parse_csv(text, "data.csv", &types).expect("a table");
    assert_eq!(&*table.categories("trust").expect("a category").0, &[0, 2, MISSING]);
    let types = Types::from([("trust".to_owned(), levels(&["low"]))]);
    let error = Table::parse_csv(text, "data.csv", &types).expect_err("high is unknown").to_string();
    assert!(error.contains("row 2: `high`"), "{error}");
}

#[test]
fn quotes_separators_and_line_ends_are_read_as_written() {
    let table = read("\u{feff}name,place\r\n\"a, \"\"b\"\"\",x\r\n\"two\nlines\",\r\n");
    let text = |name: &str, row: usize| table.get(name).and_then(|c| c.text(row)).map(|t| t.into_owned());
    assert_eq!(text("name", 0).as_deref(), Some("a, \"b\""));
    assert_eq!(text("name", 1).as_deref(), Some("two\nlines"));
    assert_eq!(text("place", 1), None);
    assert_eq!(read(&table.to_csv()), table);
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    assert!(refusal("a,b\n1,2\n3\n").contains("line 3 has 1 fields, the header has 2"));
    assert!(refusal("a,b\n1,\"2\n").contains("opened on line 2 is never closed"));
    assert!(refusal("a,a\n1,2\n").contains("`a` stands there twice"));
    assert!(refusal("").contains("is empty"));
    let table = read("ethnicity\n1\n");
    let error = table.column("etnicity").expect_err("a typing error").to_string();
    assert!(error.contains("did you mean `ethnicity`?"), "{error}");
}

#[test]
fn letters_are_composed_when_read() {
    let table = read("x\nHa\u{300}\n");
    assert_eq!(table.get("x").and_then(|c| c.text(0)).as_deref(), Some("Hà"));
}

#[test]
fn parquet_gives_back_what_was_written() {
    let table = read("ethnic,w,note\nK08,1.5,a\nK10,,\n");
    let path = std::env::temp_dir().join(format!("table-{}.parquet", std::process::id()));
    table.write(&path).expect("the file can be written");
    let again = Table::read(&path, &Types::new());
    std::fs::remove_file(&path).expect("the file can be removed");
    assert_eq!(again.expect("the file can be read").to_csv(), table.to_csv());
}

/// Values of an expression on `x = 4, missing, 0` and `s = ab, missing, c`.
fn value(sql: &str) -> Vec<String> {
    let table = read("x,s\n4,ab\n,\n0,c\n");
    let column = Expression::parse(sql).and_then(|e| e.column(&table)).expect("the expression has a value");
    (0..3).map(|row| column.text(row).map_or("-".to_owned(), |t| t.into_owned())).collect()
}

#[test]
fn arithmetic_is_real_and_division_by_zero_is_missing() {
    assert_eq!(value("x / 8"), ["0.5", "-", "0"]);
    assert_eq!(value("8 / x"), ["2", "-", "-"]);
    assert_eq!(value("ROUND(2.5 + x, 0) + POWER(2, 3)"), ["15", "-", "11"]);
    assert_eq!(value("LN(x)"), ["1.3862943611198906", "-", "-"]);
}

#[test]
fn logic_has_three_values() {
    assert_eq!(value("x > 1"), ["1", "-", "0"]);
    assert_eq!(value("x > 1 OR s IS NULL"), ["1", "1", "0"]);
    assert_eq!(value("x > 1 AND s IS NULL"), ["0", "-", "0"]);
    assert_eq!(value("NOT x IN (0, 7)"), ["1", "-", "0"]);
    assert_eq!(value("x BETWEEN 0 AND 3"), ["0", "-", "1"]);
    assert_eq!(
        value("CASE WHEN x > 1 THEN 'many' WHEN x IS NULL THEN 'unknown' ELSE 'few' END"),
        ["many", "unknown", "few"]
    );
    assert_eq!(value("CASE s WHEN 'ab' THEN 1 END"), ["1", "-", "-"]);
}

#[test]
fn text_functions_work_letter_by_letter() {
    assert_eq!(value("\"s\" || '.' || x"), ["ab.4", "-", "c.0"]);
    assert_eq!(value("UPPER(SUBSTR(s, 2))"), ["B", "-", ""]);
    assert_eq!(value("LENGTH(s) + CAST('3' AS INTEGER)"), ["5", "-", "4"]);
    assert_eq!(value("COALESCE(NULLIF(s, 'c'), 'none')"), ["ab", "none", "none"]);
    assert_eq!(value("GREATEST(x, 1)"), ["4", "1", "1"]);
    assert_eq!(value("s >= 'b'"), ["0", "-", "1"]);
}

#[test]
fn what_the_subset_lacks_is_named() {
    let refused = |sql: &str| Expression::parse(sql).expect_err("the expression is refused").to_string();
    assert!(refused("TRIM(s)").contains("TRIM"), "{}", refused("TRIM(s)"));
    assert!(refused("x % 2").contains("`%` is not offered"));
    assert!(refused("s LIKE 'a%'").contains("LIKE"));
    assert!(refused("(SELECT 1)").contains("not offered"));
    assert!(refused("api.stu > 1").contains("\"api.stu\""));
    assert!(refused("x > 1 x").contains("not expected"));
    assert!(refused("ABS(x, 1)").contains("ABS takes one value, not 2"));
}

#[test]
fn derived_columns_build_on_each_other_in_order() {
    let mut table = read("x\n1\n2\n");
    let derived =
        IndexMap::from([("y".to_owned(), "x * 2".to_owned()), ("z".to_owned(), "y + x".to_owned())]);
    let types = Types::from([("z".to_owned(), Declared::Category)]);
    derive(&mut table, &derived, &types).expect("both can be derived");
    assert_eq!(
        table.get("z"),
        Some(&Column::Category { codes: vec![0, 1], levels: vec!["3".to_owned(), "6".to_owned()] })
    );
    let error = derive(&mut table, &derived, &types).expect_err("y is taken").to_string();
    assert!(error.contains("`y`"), "{error}");
}

/// The file was written by Polars 2.1 for Python: columns Int8, Int16, UInt8 and UInt16 of these values.
#[test]
fn parquet_columns_of_8_and_16_bits_are_numbers() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet/small_numbers.parquet");
    let table = Table::read_parquet(&file, &Types::new()).expect("the file can be read");
    let column = |name: &str| table.numbers(name).expect("a column of numbers").into_owned();
    assert_eq!(column("a")[..2], [1.0, -128.0]);
    assert!(column("a")[2].is_nan() && column("d")[1].is_nan());
    assert_eq!(column("b"), [300.0, -32768.0, 7.0]);
    assert_eq!(column("c"), [255.0, 0.0, 1.0]);
    assert_eq!((column("d")[0], column("d")[2]), (65535.0, 2.0));
}
