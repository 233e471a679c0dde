//! `./dev bench engines`: other engines do the grouping of 5, 10 and 20 million rows, this program finishes.
//!
//! DuckDB and Spark (two workers, each a process) run the query that `langnghe estimate --emit-sql` prints;
//! the figures are finished from their totals as under `--totals`, in a process of its own.

mod python;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use analysis::estimation::grouped::{self, Dialect};
use analysis::estimation::{self, Plan};

const MILLIONS: [usize; 3] = [5, 10, 20];

/// Ten means with design effects' sums, shares by group, a crosstab with its test.
const PLAN: &str = r#"{
  "types": {"ethnic": "category", "area": "number"},
  "design": {"strata": "stratum", "clusters": "psu", "weights": "weight"},
  "requests": [
    {"id": "means", "statistic": "mean", "of": ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10"]},
    {"id": "groups", "statistic": "mean", "of": "q1", "by": "ethnic", "covariance": true},
    {"id": "test", "statistic": "independence", "rows": "area", "cols": "q2"}
  ]
}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let plan: Plan = estimation::read_plan(PLAN, Path::new("plan.json"))?;
    if let [word, totals] = arguments.as_slice()
        && word == "--finish"
    {
        return finish(&plan, Path::new(totals));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engines");
    fs::create_dir_all(&folder)?;
    let python = python::python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/engines.py");
    let most = MILLIONS[MILLIONS.len() - 1] * 1_000_000;
    let made =
        Command::new(&python).arg(&script).args(["generate", &most.to_string()]).arg(&folder).status()?;
    if !made.success() {
        return Err("the data could not be made".into());
    }
    let threads = std::thread::available_parallelism()?.get();
    println!("{:<8} {:>10} {:>10} {:>14}   finish from its totals", "", "rows", "grouping", "a million rows");
    let mut missed = 0;
    for (engine, dialect) in [("duckdb", Dialect::DuckDb), ("spark", Dialect::Spark)] {
        let (query, totals) =
            (folder.join(format!("{engine}.sql")), folder.join(format!("{engine}.parquet")));
        fs::write(&query, grouped::query(&plan, &folder, dialect, false)?.sql)?;
        let mut child = Command::new(&python)
            .arg(&script)
            .args([Path::new(engine), &folder, &query, &totals])
            .env("POLARS_MAX_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut to = child.stdin.take().ok_or("its input is a pipe")?;
        let mut from = BufReader::new(child.stdout.take().ok_or("its output is a pipe")?);
        let mut ask = |rows: usize| -> Result<f64, Box<dyn std::error::Error>> {
            writeln!(to, "{rows}")?;
            let mut line = String::new();
            from.read_line(&mut line)?;
            line.trim().parse().map_err(|_| format!("{engine} gave no answer").into())
        };
        // The first run starts the workers.
        ask(MILLIONS[0] * 1_000_000)?;
        let mut rates = Vec::new();
        for millions in MILLIONS {
            let seconds = ask(millions * 1_000_000)?;
            rates.push(seconds / millions as f64);
            let finish = Command::new(std::env::current_exe()?).arg("--finish").arg(&totals).output()?;
            let said = String::from_utf8(finish.stdout)?;
            let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            let [took, peak, respondents] = numbers.as_slice() else {
                return Err(format!("the finish failed: {}", String::from_utf8_lossy(&finish.stderr)).into());
            };
            if *respondents != (millions * 1_000_000) as f64 {
                return Err(format!("{respondents} rows came back").into());
            }
            let met = *took < 1.0 && *peak < 500e6;
            missed += usize::from(!met);
            println!(
                "{engine:<8} {:>10} {seconds:>8.2} s {:>12.3} s   {took:.3} s, {:.0} MB at most: under 1 s and 500 MB {}",
                millions * 1_000_000,
                seconds / millions as f64,
                peak / 1e6,
                if met { "met" } else { "MISSED" }
            );
        }
        let growth = rates[rates.len() - 1] / rates[0];
        let linear = growth < 1.25;
        missed += usize::from(!linear);
        println!(
            "{engine:<8} a row costs {growth:.2} times as much at {} as at {} million: linear {}",
            MILLIONS[MILLIONS.len() - 1],
            MILLIONS[0],
            if linear { "met" } else { "MISSED" }
        );
        drop(to);
        child.wait()?;
    }
    // The data take a gigabyte or two.
    fs::remove_dir_all(&folder)?;
    println!("{}", if missed == 0 { "all targets met".into() } else { format!("{missed} targets missed") });
    Ok(())
}

/// Finishes, and prints seconds, the process' greatest memory in bytes (Linux), and the rows behind.
fn finish(plan: &Plan, totals: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let results = grouped::finish(plan, totals.parent().ok_or("it lies in a folder")?, totals, false)?;
    let seconds = start.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("VmHWM is there")?;
    let peak = line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0;
    println!("{seconds} {peak} {}", results.design.n);
    Ok(())
}
