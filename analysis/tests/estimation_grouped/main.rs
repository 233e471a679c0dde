//! Grouping, here or by another engine, gives the figures of the rows: batch by batch from a Parquet file,
//! the printed query run by other engines on every shared plan, and what must be refused.

mod engines;
mod figures;
#[allow(dead_code, reason = "the program's own tests use the rest of it")]
#[path = "../../../tests/it/postgres.rs"]
mod postgres;

use std::path::{Path, PathBuf};

use analysis::estimation::grouped::{self, Dialect};
use analysis::estimation::{self, Plan, Results, Row, format};
use analysis::table::{Column, Table};

use figures::differences;

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
    println!(
        "plans grouped: {grouped_plans} of {plans}; requests that agree to 1e-10: {agreed} of {requests}"
    );
    assert!(disagreed.is_empty(), "{disagreed:#?}");
    assert!(grouped_plans >= 25 && agreed >= 80, "only {grouped_plans} plans were grouped");
}

/// 600,000 rows are three row groups; the figures are also those of the rows.
#[test]
fn a_file_of_several_batches_gives_the_same_bytes_at_any_number_of_threads() {
    const ROWS: u64 = 600_000;
    let chance = |row: u64, salt: u64| (row * 2_654_435_761 + salt * 97_003).wrapping_mul(0x9e37_79b9) >> 17;
    let of = |salt: u64, choices: u64| -> Column {
        Column::Number((0..ROWS).map(|row| (chance(row, salt) % choices) as f64).collect())
    };
    let names = ["Hmông", "Kinh", "Tày"];
    let texts = (0..ROWS).map(|row| Some(names[(chance(row, 5) % 3) as usize]));
    let weights = (0..ROWS).map(|row| 1.0 + (chance(row, 3) % 1000) as f64 / 7.0).collect();
    let table = Table::from_columns([
        ("village", of(1, 200)),
        ("district", Column::Number((0..ROWS).map(|row| (chance(row, 1) % 200 % 8) as f64).collect())),
        ("weight", Column::Number(weights)),
        ("q1", of(4, 5)),
        ("ethnic", Column::from_texts(texts)),
        ("unused", of(6, 3)),
    ])
    .expect("the columns are of one height");
    let folder = scratch("batches");
    table.write_parquet(&folder.join("large.parquet")).expect("the file can be written");
    let plan = plan(
        r#"{"data": "large.parquet", "derive": {"high": "q1 >= 3"},
            "design": {"clusters": "village", "strata": "district", "weights": "weight"},
            "requests": [{"id": "m", "statistic": "mean", "of": ["q1", "high"], "by": "ethnic", "deff": true},
                         {"id": "t", "statistic": "independence", "rows": "ethnic", "cols": "q1"}]}"#,
    );
    let under = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| grouped::from_file(&plan, &folder)).expect("grouping pays")
    };
    let (one, three) = (under(1), under(3));
    assert_eq!(format::json(&one), format::json(&three));
    let rows = estimation::estimate(&table, &plan).expect("the plan is right");
    let (a, b): (Vec<&Row>, Vec<&Row>) = (rows.results.iter().collect(), one.results.iter().collect());
    let found = differences(&a, &b);
    assert!(found.is_empty(), "{found:#?}");
}

/// 200 villages × 10,560 classes are more cells than the 600,000 rows are worth: the weights are adjusted on the
/// classes alone, and the figures and their errors are still those of the rows.
#[test]
fn adjustments_with_more_classes_than_can_be_crossed_with_villages_give_the_figures_of_the_rows() {
    const ROWS: u64 = 600_000;
    let chance = |row: u64, salt: u64| (row * 2_654_435_761 + salt * 97_003).wrapping_mul(0x9e37_79b9) >> 17;
    let number = |f: &dyn Fn(u64) -> u64| Column::Number((0..ROWS).map(|row| f(row) as f64).collect());
    let village = |row: u64| chance(row, 1) % 200;
    let names = ["Dao", "Hmông", "Kinh", "Tày"];
    let texts = (0..ROWS).map(|row| Some(names[(chance(row, 5) % 4) as usize]));
    // A few rows have no weight.
    let weight =
        |row: u64| if chance(row, 3) % 997 == 0 { 0.0 } else { 1.0 + (chance(row, 3) % 1000) as f64 / 7.0 };
    let table = Table::from_columns([
        ("village", number(&village)),
        ("district", number(&|row| village(row) % 8)),
        ("weight", Column::Number((0..ROWS).map(weight).collect())),
        ("came", number(&|row| u64::from(chance(row, 7) % 5 > 0))),
        ("area", number(&|row| chance(row, 8) % 12)),
        ("ethnic", Column::from_texts(texts)),
        ("commune", number(&|row| chance(row, 9) % 110)),
        ("q1", number(&|row| (chance(row, 4) % 5 + village(row) % 3) % 5 + 1)),
        ("q2", number(&|row| chance(row, 6) % 7 + village(row) % 2)),
    ])
    .expect("the columns are of one height");
    let folder = scratch("batches");
    table.write_parquet(&folder.join("classes.parquet")).expect("the file can be written");
    let totals = |column: &str, names: &mut dyn Iterator<Item = (String, f64)>| -> Vec<serde_json::Value> {
        names.map(|(name, total)| serde_json::json!({column: name, "total": total})).collect()
    };
    let steps =
        |levels: usize| (0..levels).map(move |level| (level.to_string(), (levels + level) as f64 * 1e6));
    let sum: f64 = steps(12).map(|(_, total)| total).sum();
    let shared = |levels: usize| {
        let all: f64 = steps(levels).map(|(_, total)| total).sum();
        steps(levels).map(move |(name, total)| (name, total / all * sum))
    };
    let ethnic =
        names.iter().zip([0.1, 0.2, 0.3, 0.4]).map(|(name, share)| ((*name).to_owned(), share * sum));
    let plan = serde_json::json!({
        "data": "classes.parquet",
        "types": {"q2": "category"},
        "design": {"clusters": "village", "strata": "district", "weights": "weight"},
        "adjust": [
            {"method": "nonresponse", "responded": "came", "classes": ["area"]},
            {"method": "poststratify", "by": ["area"], "totals": totals("area", &mut steps(12))},
            {"method": "rake", "margins": [
                {"by": "ethnic", "totals": totals("ethnic", &mut ethnic.clone())},
                {"by": "commune", "totals": totals("commune", &mut shared(110))}]}],
        "where": "q1 <= 4",
        "requests": [
            {"id": "m", "statistic": "mean", "of": ["q1", "q2"], "by": "ethnic", "covariance": true},
            {"id": "all", "statistic": "total", "of": ["q1", "commune"]},
            {"id": "r", "statistic": "ratio", "numerator": "q1", "denominator": "area", "where": "q2 > 2"},
            {"id": "p", "statistic": "proportion", "of": "q1 >= 3", "by": "district"},
            {"id": "t", "statistic": "table", "rows": "ethnic", "cols": "q1"},
            {"id": "i", "statistic": "independence", "rows": "area", "cols": "q2", "test": "lincom"},
            {"id": "c", "statistic": "contrast", "between": "m", "weights": {"q1@ethnic=Dao": 1, "q1@ethnic=Kinh": -1}}],
    });
    let plan = estimation::read_plan(&plan.to_string(), Path::new("plan.json")).expect("the plan is right");
    let under = |threads: usize, plan: &Plan| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| grouped::from_file(plan, &folder))
    };
    // `commune` and `area` are classes, whose values are no sums; those requests are asked of the rows.
    let classes = Plan {
        requests: plan.requests.iter().filter(|r| r.id != "all" && r.id != "r").cloned().collect(),
        ..plan.clone()
    };
    for plan in [&classes, &plan] {
        let rows = estimation::estimate(&table, plan).expect("the plan is right");
        let results = estimation::run(plan, &folder).expect("the plan is right");
        let (a, b): (Vec<&Row>, Vec<&Row>) =
            (rows.results.iter().collect(), results.results.iter().collect());
        let found = differences(&a, &b);
        assert!(found.is_empty(), "{found:#?}");
        assert_eq!((rows.design.n, rows.design.df), (results.design.n, results.design.df));
    }
    let (one, three) =
        (under(1, &classes).expect("grouping pays"), under(3, &classes).expect("grouping pays"));
    assert_eq!(format::json(&one), format::json(&three));
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
