//! Another engine's grouping gives the figures of the rows: the printed query run by DuckDB on every
//! shared plan, and what must be refused.

use std::path::{Path, PathBuf};
use std::process::Command;

use analysis::estimation::grouped::{self, Dialect};
use analysis::estimation::{self, EstimationError, Plan, Results, Row};

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/plans")
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("the scratch folder can be made");
    folder
}

fn plan(text: &str) -> Plan {
    estimation::read_plan(text, Path::new("plan.json")).expect("the plan is right")
}

fn numbers(row: &Row) -> Vec<(String, f64)> {
    let mut all: Vec<(String, Option<f64>)> = [
        ("estimate", row.estimate),
        ("se", row.se),
        ("cv", row.cv),
        ("ci_low", row.ci_low),
        ("ci_high", row.ci_high),
        ("deff", row.deff),
        ("n", row.n.map(|n| n as f64)),
        ("answered", row.answered.map(|n| n as f64)),
        ("psus", row.psus.map(|n| n as f64)),
        ("value", row.more.get("value").and_then(serde_json::Value::as_f64)),
        ("p_value", row.more.get("p_value").and_then(serde_json::Value::as_f64)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let df = match &row.df {
        serde_json::Value::Array(items) => items.iter().map(serde_json::Value::as_f64).collect(),
        other => vec![other.as_f64()],
    };
    all.extend(df.into_iter().map(|value| ("df".to_owned(), value)));
    all.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect()
}

/// Differences above 1e-10 of the figure (or of the estimate, for what is an error of rounding).
fn differences(rows: &[&Row], from_totals: &[&Row]) -> Vec<String> {
    if rows.len() != from_totals.len() {
        return vec![format!("{} rows are not {}", from_totals.len(), rows.len())];
    }
    let mut found = Vec::new();
    for (row, other) in rows.iter().zip(from_totals) {
        if row.key() != other.key() || row.more.get("at") != other.more.get("at") {
            found.push(format!("{} is not {}", other.key(), row.key()));
        }
        let scale = row.estimate.unwrap_or(0.0).abs();
        for ((name, a), (_, b)) in numbers(row).into_iter().zip(numbers(other)) {
            let near = (a - b).abs() <= 1e-10 * a.abs() || (a - b).abs() <= 1e-13 * scale.max(1e-300);
            // The error of what has none is rounding; so is all that is made from it.
            let rounding = row.se.is_some_and(|se| se.abs() <= 1e-7 * scale.max(1e-300));
            if !(near || a.is_nan() && b.is_nan() || rounding && (a - b).abs() <= 1e-7 * scale.max(1.0)) {
                found.push(format!("{}: {name} {b:?} is not {a:?}", row.key()));
            }
        }
    }
    found
}

/// The Python of a virtual environment with DuckDB.
fn duckdb() -> PathBuf {
    let folder = scratch("duckdb");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        Command::new(python).args(["-c", "import duckdb"]).output().is_ok_and(|o| o.status.success())
    };
    if !has(&python) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
        assert!(made.is_ok_and(|s| s.success()), "python3 -m venv works (Debian: python3-venv)");
        let installed = Command::new(&python).args(["-m", "pip", "install", "--quiet", "duckdb"]).status();
        assert!(installed.is_ok_and(|s| s.success()), "pip installs duckdb");
    }
    python
}

const RUNNER: &str = "
import sys, duckdb
for line in open(sys.argv[1], encoding='utf-8'):
    data, query, result = line.rstrip('\\n').split('\\t')
    connection = duckdb.connect()
    connection.execute(f\"create view data as select * from read_parquet('{data}')\")
    kind = 'format parquet' if result.endswith('parquet') else 'format csv, header'
    connection.execute(f\"copy ({open(query, encoding='utf-8').read()}) to '{result}' ({kind})\")
";

/// The shared plans, by name.
fn shared_plans() -> Vec<(String, Plan)> {
    let mut plans: Vec<(String, Plan)> = std::fs::read_dir(reference())
        .expect("the folder is there")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter_map(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).expect("the name is UTF-8");
            let name = name.strip_suffix(".json").filter(|n| !n.ends_with(".expected"))?.to_owned();
            Some((name, estimation::load_plan(&path).expect("every plan can be read")))
        })
        .collect();
    plans.sort_by(|a, b| a.0.cmp(&b.0));
    plans
}

struct Case {
    name: String,
    plan: Plan,
    rows: Results,
    totals: PathBuf,
}

#[test]
#[ignore = "installs DuckDB from PyPI"]
fn duckdb_groups_every_shared_plan_that_is_a_function_of_totals() {
    let python = duckdb();
    let folder = scratch("grouped");
    let mut names: Vec<PathBuf> = std::fs::read_dir(reference())
        .expect("the folder is there")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.ends_with(".json") && !name.ends_with(".expected.json")
        })
        .collect();
    names.sort();
    let mut cases = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    let (mut plans, mut requests) = (0, 0);
    let mut list = String::new();
    for path in &names {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("the name is UTF-8").to_owned();
        let plan = estimation::load_plan(path).expect("every plan can be read");
        // A plan that fails from the rows has no figures to compare.
        let Ok(rows) = estimation::run(&plan, &reference()) else { continue };
        plans += 1;
        requests += plan.requests.len();
        let query = match grouped::query(&plan, &reference(), Dialect::DuckDb, true) {
            Ok(query) => query,
            Err(error @ EstimationError::NotFromTotals { .. }) => {
                refused.push(format!("{name}: {error}"));
                continue;
            }
            Err(other) => panic!("{name}: {other}"),
        };
        refused.extend(query.left_out.iter().map(|line| format!("{name}: {line}")));
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let data = estimation::read_data(&plan, &reference()).expect("the data can be read");
        data.write_parquet(&file("parquet")).expect("the data can be written");
        std::fs::write(file("sql"), &query.sql).expect("the query can be written");
        let totals = file(if cases.len() % 2 == 0 { "totals.parquet" } else { "totals.csv" });
        list.push_str(&format!(
            "{}\t{}\t{}\n",
            file("parquet").display(),
            file("sql").display(),
            totals.display()
        ));
        cases.push(Case { name, plan, rows, totals });
    }
    std::fs::write(folder.join("list"), list).expect("the list can be written");
    let ran = Command::new(python).args(["-c", RUNNER]).arg(folder.join("list")).output();
    let ran = ran.expect("python starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut disagreed = Vec::new();
    let (mut agreed_plans, mut agreed) = (0, 0);
    for case in &cases {
        let results = match grouped::finish(&case.plan, &reference(), &case.totals, true) {
            Ok(results) => results,
            Err(error) => {
                disagreed.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let (a, b) = (&case.rows.design, &results.design);
        let same = (a.n, a.psus, a.strata, a.df) == (b.n, b.psus, b.strata, b.df)
            && (a.sum_of_weights - b.sum_of_weights).abs() <= 1e-10 * a.sum_of_weights;
        if !same {
            disagreed.push(format!("{}: {b:?} is not {a:?}", case.name));
        }
        agreed_plans += 1;
        for request in &case.plan.requests {
            let of = |results: &'_ Results| -> Vec<Row> {
                results.results.iter().filter(|r| r.id == request.id).cloned().collect()
            };
            let (rows, totals) = (of(&case.rows), of(&results));
            let left_out = |line: &String| line.contains(&format!("`{}`", request.id));
            if totals.is_empty() && results.warnings.iter().any(left_out) {
                continue;
            }
            let found = differences(&rows.iter().collect::<Vec<_>>(), &totals.iter().collect::<Vec<_>>());
            match found.first() {
                None => agreed += 1,
                Some(first) => {
                    disagreed.push(format!("{} {}: {first} ({} in all)", case.name, request.id, found.len()));
                }
            }
        }
    }
    println!(
        "plans from totals: {agreed_plans} of {plans}; requests that agree to 1e-10: {agreed} of {requests}"
    );
    println!("no function of the totals:");
    refused.iter().for_each(|line| println!("    {line}"));
    assert!(disagreed.is_empty(), "{disagreed:#?}");
    assert!(agreed >= 300, "only {agreed} requests came from totals");
}

#[test]
fn a_parquet_file_grouped_batch_by_batch_gives_the_figures_of_the_rows() {
    let folder = scratch("batches");
    let (mut plans, mut grouped_plans, mut requests, mut agreed) = (0, 0, 0, 0);
    let mut disagreed = Vec::new();
    for (name, plan) in shared_plans() {
        let Ok(rows) = estimation::run(&plan, &reference()) else { continue };
        plans += 1;
        let file = folder.join(format!("{name}.parquet"));
        let data = estimation::read_data(&plan, &reference()).expect("the data can be read");
        data.write_parquet(&file).expect("the data can be written");
        let plan = Plan { data: Some(file.display().to_string()), ..plan };
        let Some(results) = grouped::from_file(&plan, &reference()) else { continue };
        grouped_plans += 1;
        let (a, b) = (&rows.design, &results.design);
        if (a.n, a.psus, a.strata, a.df) != (b.n, b.psus, b.strata, b.df) {
            disagreed.push(format!("{name}: {b:?} is not {a:?}"));
        }
        for request in &plan.requests {
            requests += 1;
            let of = |results: &'_ Results| -> Vec<Row> {
                results.results.iter().filter(|r| r.id == request.id).cloned().collect()
            };
            let (rows, totals) = (of(&rows), of(&results));
            let found = differences(&rows.iter().collect::<Vec<_>>(), &totals.iter().collect::<Vec<_>>());
            match found.first() {
                None => agreed += 1,
                Some(first) => {
                    disagreed.push(format!("{name} {}: {first} ({} in all)", request.id, found.len()));
                }
            }
        }
    }
    println!("plans grouped: {grouped_plans} of {plans}; requests that agree to 1e-10: {agreed} of {requests}");
    assert!(disagreed.is_empty(), "{disagreed:#?}");
    assert!(grouped_plans >= 30 && agreed >= 150, "only {grouped_plans} plans were grouped");
}

/// Two villages, three rows; the totals are written by hand: Σw = 5, 4 and Σwy = 16, 12.
/// Mean (16 + 12) / 9; scores (16 − 5·28/9)/9 = 4/81 and −4/81, so se² = 2·(4/81)²·2/1.
#[test]
fn a_mean_is_finished_from_two_totals() {
    let folder = scratch("by_hand");
    let plan = plan(
        r#"{"design": {"clusters": "village", "weights": "w"},
            "requests": [{"id": "m", "statistic": "mean", "of": "y"}]}"#,
    );
    let query = grouped::query(&plan, &folder, Dialect::Postgres, false).expect("a mean is from totals");
    assert!(query.sql.contains("group by"), "{}", query.sql);
    let totals = folder.join("totals.csv");
    // Units, marks of zero weights and of complete values, rows, bad weights, Σw, Σwy.
    std::fs::write(&totals, "part,k1,k2,k3,n,bad_weights,w,s1\n1,0,a,1,2,0,5,16\n1,0,b,1,1,0,4,12\n")
        .expect("the totals can be written");
    let results = grouped::finish(&plan, &folder, &totals, false).expect("the totals are whole");
    let row = &results.results[0];
    assert!((row.estimate.expect("a mean") - 28.0 / 9.0).abs() < 1e-14);
    assert!((row.se.expect("its error") - 2.0 * (4.0 / 81.0)).abs() < 1e-14, "{row:?}");
    assert_eq!((row.n, results.design.n, results.design.psus), (Some(3), 3, 2));
}

#[test]
fn columns_that_differ_by_case_alone_are_refused_where_the_engine_folds_case() {
    let folder = scratch("by_hand");
    std::fs::write(folder.join("twins.csv"), "village,y,Y\na,1,2\nb,3,4\n").expect("the data can be written");
    let plan = plan(
        r#"{"data": "twins.csv", "design": {"clusters": "village"},
            "requests": [{"id": "m", "statistic": "mean", "of": "y"}]}"#,
    );
    let error = grouped::query(&plan, &folder, Dialect::DuckDb, false).expect_err("y or Y?");
    assert!(error.to_string().contains("rename or drop one"), "{error}");
    grouped::query(&plan, &folder, Dialect::Postgres, false).expect("PostgreSQL tells them apart");
}

#[test]
fn a_quantile_is_named_or_left_out() {
    let folder = scratch("by_hand");
    let plan = plan(
        r#"{"design": {"clusters": "village", "weights": "w"},
            "requests": [{"id": "m", "statistic": "mean", "of": "y"},
                         {"id": "q", "statistic": "quantile", "of": "y", "probs": [0.5]}]}"#,
    );
    let error = grouped::query(&plan, &folder, Dialect::Spark, false).expect_err("a quantile needs rows");
    assert!(error.to_string().contains("request `q`"), "{error}");
    let query = grouped::query(&plan, &folder, Dialect::Spark, true).expect("the mean is left");
    assert_eq!(query.left_out.len(), 1);
}

#[test]
fn totals_of_another_plan_are_refused() {
    let folder = scratch("by_hand");
    let plan = plan(
        r#"{"design": {"clusters": "village", "weights": "w"},
            "requests": [{"id": "m", "statistic": "mean", "of": ["y", "z"]}]}"#,
    );
    let totals = folder.join("other.csv");
    std::fs::write(&totals, "part,k1,n,w\n1,a,2,5\n").expect("the totals can be written");
    let error = grouped::finish(&plan, &folder, &totals, false).expect_err("columns are missing");
    assert!(error.to_string().contains("query of this plan"), "{error}");
}

#[test]
fn a_missing_weight_counted_by_the_engine_is_an_error() {
    let folder = scratch("by_hand");
    let plan = plan(
        r#"{"design": {"clusters": "village", "weights": "w"},
            "requests": [{"id": "m", "statistic": "mean", "of": "y"}]}"#,
    );
    let totals = folder.join("bad.csv");
    std::fs::write(&totals, "part,k1,k2,k3,n,bad_weights,w,s1\n1,0,a,1,2,1,5,16\n1,0,b,1,1,0,4,12\n")
        .expect("the totals can be written");
    let error = grouped::finish(&plan, &folder, &totals, false).expect_err("a weight is missing");
    assert!(error.to_string().contains("missing or impossible weight"), "{error}");
}
