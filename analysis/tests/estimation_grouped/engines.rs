//! The printed query run by DuckDB, PostgreSQL and Spark on every shared plan, finished from its totals.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use analysis::estimation::grouped::{self, Dialect};
use analysis::estimation::{self, EstimationError, Plan, Results, Row};
use analysis::table::{Column, Table};

use super::figures::differences;
use super::{postgres, reference, scratch, shared_plans};

/// One plan whose totals an engine makes.
struct Case {
    name: String,
    plan: Plan,
    data: Table,
    rows: Results,
    query: String,
    totals: PathBuf,
}

/// The Python that `./dev test --all` prepares, with DuckDB and PySpark.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/bin/python");
    assert!(python.exists(), "{} is missing; ./dev test --all installs it", python.display());
    python
}

/// Lets an engine group every shared plan that is a function of totals, finishes and compares.
fn every_shared_plan(engine: &str, dialect: Dialect, run: impl FnOnce(&Path, &[Case])) {
    let folder = scratch(engine);
    let mut cases = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    let (mut plans, mut requests) = (0, 0);
    for (name, plan) in shared_plans() {
        // A plan that fails from the rows has no figures to compare.
        let Ok(rows) = estimation::run(&plan, &reference()) else { continue };
        plans += 1;
        requests += plan.requests.len();
        let query = match grouped::query(&plan, &reference(), dialect, true) {
            Ok(query) => query,
            Err(error @ EstimationError::NotFromTotals { .. }) => {
                refused.push(format!("{name}: {error}"));
                continue;
            }
            Err(other) => panic!("{name}: {other}"),
        };
        refused.extend(query.left_out.iter().map(|line| format!("{name}: {line}")));
        let data = estimation::read_data(&plan, &reference()).expect("the data can be read");
        // PostgreSQL writes CSV alone; the others write either.
        let is_parquet = dialect != Dialect::Postgres && cases.len() % 2 == 0;
        let totals = folder.join(format!("{name}.totals.{}", if is_parquet { "parquet" } else { "csv" }));
        let _ = fs::remove_file(&totals);
        cases.push(Case { name, plan, data, rows, query: query.sql, totals });
    }
    run(&folder, &cases);
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
        "{engine}: plans from totals: {agreed_plans} of {plans}; requests that agree to 1e-10: {agreed} of {requests}"
    );
    println!("no function of the totals:");
    refused.iter().for_each(|line| println!("    {line}"));
    assert!(disagreed.is_empty(), "{disagreed:#?}");
    assert!(agreed >= 300, "only {agreed} requests came from totals");
}

/// Writes data and queries to files and gives the list of them to a Python script.
fn through_python(script: &str, folder: &Path, cases: &[Case]) {
    let mut list = String::new();
    for case in cases {
        let (data, query) = (folder.join(format!("{}.parquet", case.name)), folder.join(&case.name));
        case.data.write(&data).expect("the data can be written");
        fs::write(&query, &case.query).expect("the query can be written");
        list.push_str(&format!("{}\t{}\t{}\n", data.display(), query.display(), case.totals.display()));
    }
    fs::write(folder.join("list"), list).expect("the list can be written");
    let ran = Command::new(python()).args(["-c", script]).arg(folder.join("list")).output();
    let ran = ran.expect("python starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

const DUCKDB: &str = "
import sys, duckdb
for line in open(sys.argv[1], encoding='utf-8'):
    data, query, result = line.rstrip('\\n').split('\\t')
    connection = duckdb.connect()
    connection.execute(f\"create view data as select * from read_parquet('{data}')\")
    kind = 'format parquet' if result.endswith('parquet') else 'format csv, header'
    connection.execute(f\"copy ({open(query, encoding='utf-8').read()}) to '{result}' ({kind})\")
";

#[test]
#[ignore = "needs DuckDB; ./dev test --all installs it"]
fn duckdb_groups_every_shared_plan_that_is_a_function_of_totals() {
    every_shared_plan("duckdb", Dialect::DuckDb, |folder, cases| through_python(DUCKDB, folder, cases));
}

/// Two workers, each a process of its own.
const SPARK: &str = "
import glob, os, shutil, sys
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master('local-cluster[2,1,1024]')
    .config('spark.ui.enabled', 'false').config('spark.sql.shuffle.partitions', '2')
    .config('spark.sql.caseSensitive', 'true')
    .config('spark.driver.bindAddress', '127.0.0.1').config('spark.driver.host', '127.0.0.1')
    .getOrCreate())
spark.sparkContext.setLogLevel('ERROR')
for line in open(sys.argv[1], encoding='utf-8'):
    data, query, result = line.rstrip('\\n').split('\\t')
    spark.read.parquet(data).createOrReplaceTempView('data')
    totals = spark.sql(open(query, encoding='utf-8').read()).coalesce(1)
    parts = result + '.parts'
    shutil.rmtree(parts, ignore_errors=True)
    if result.endswith('parquet'):
        totals.write.parquet(parts)
    else:
        totals.write.option('header', True).csv(parts)
    os.replace(glob.glob(parts + '/part-*')[0], result)
    shutil.rmtree(parts)
spark.stop()
";

#[test]
#[ignore = "needs Java and PySpark; ./dev test --all installs them"]
fn two_workers_of_spark_group_every_shared_plan_that_is_a_function_of_totals() {
    every_shared_plan("spark", Dialect::Spark, |folder, cases| through_python(SPARK, folder, cases));
}

#[test]
#[ignore = "takes long; needs PostgreSQL"]
fn postgresql_groups_every_shared_plan_that_is_a_function_of_totals() {
    let Some(server) = postgres::Server::get() else { return };
    every_shared_plan("postgresql", Dialect::Postgres, |_, cases| {
        for case in cases {
            let mut script = String::from("\\set ON_ERROR_STOP on\ndrop table if exists data;\n");
            let name = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let columns: Vec<String> = case
                .data
                .columns()
                .map(|(column, values)| match values {
                    Column::Number(_) => format!("{} double precision", name(column)),
                    Column::Category { .. } => format!("{} text", name(column)),
                })
                .collect();
            script.push_str(&format!("create table data ({});\n", columns.join(", ")));
            script.push_str("copy data from stdin (format csv, header);\n");
            script.push_str(&case.data.to_csv());
            script.push_str(&format!("\\.\ncopy (\n{}\n) to stdout (format csv, header);\n", case.query));
            let totals = fs::File::create(&case.totals).expect("the totals can be written");
            let mut psql = Command::new("psql")
                .args(["--quiet", "--no-psqlrc", "--username=langnghe", "--dbname=postgres", "--host"])
                .arg(server.folder())
                .stdin(Stdio::piped())
                .stdout(totals)
                .stderr(Stdio::piped())
                .spawn()
                .expect("psql starts");
            let sent = psql.stdin.take().expect("its input is a pipe").write_all(script.as_bytes());
            let ended = psql.wait_with_output().expect("psql ends");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(sent.is_ok() && ended.status.success(), "{}: {said}", case.name);
        }
    });
}
