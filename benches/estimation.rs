//! `./dev bench estimation`: estimates with their errors against a plain Polars group-by.
//!
//! The peer groups the same file by stratum, unit and domain and makes the same weighted sums of the same
//! columns, with as many threads, in the same run, in turns; it makes no estimate and no error. Both read
//! the Parquet file from the page cache. Times are the least of all turns, inside the processes.

mod python;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use analysis::estimation::{self, Plan};

struct Scenario {
    letter: &'static str,
    what: &'static str,
    target: f64,
    aim: Option<f64>,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario { letter: "a", what: "30 means", target: 0.6, aim: None },
    Scenario { letter: "b", what: "an item (5 answers) by 22 groups", target: 0.5, aim: Some(0.25) },
    Scenario { letter: "c", what: "raking on 3 margins (12, 22, 200), a mean", target: 1.5, aim: None },
    Scenario { letter: "d", what: "crosstab 12 × 5 with Rao–Scott", target: 0.5, aim: Some(0.25) },
    Scenario { letter: "e", what: "500 bootstrap replicates of 30 means", target: 2.0, aim: None },
];

/// Many where they are short: on a machine that others use, too, the least of a few is chance.
fn turns(rows: usize) -> usize {
    if rows > 2_000_000 { 9 } else { 31 }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|a| a == name)?;
        arguments.get(place + 1).cloned()
    };
    let rows: usize = option("--rows").map_or(Ok(1_000_000), |r| r.parse())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let file = folder.join(format!("survey-{rows}.parquet"));
    if arguments.iter().any(|a| a == "--worker") {
        return work(&file, rows);
    }
    let threads = match option("--threads") {
        Some(threads) => threads.parse()?,
        None => std::thread::available_parallelism()?.get(),
    };
    let python = python::python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/estimation.py");
    fs::create_dir_all(&folder)?;
    if !file.exists() {
        let unfinished = file.with_extension("unfinished");
        let made = Command::new(&python)
            .arg(&script)
            .args(["generate", &rows.to_string()])
            .arg(&unfinished)
            .status()?;
        if !made.success() {
            return Err("the data could not be made".into());
        }
        fs::rename(&unfinished, &file)?;
    }
    fs::read(&file)?; // into the page cache
    let worker = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", "--rows", &rows.to_string()]);
        Ok::<_, std::io::Error>(command)
    };
    let mut peer = Speaker::start(Command::new(&python).arg(&script).arg("peer").arg(&file), threads)?;
    let mut ours = Speaker::start(&mut worker()?, threads)?;
    let turns = turns(rows);
    println!("{rows} rows, {threads} threads, least of {turns} turns; ratio = ours / Polars group-by");
    println!(
        "{:<3} {:<42} {:>9} {:>9} {:>6}  {:<18} {:>9} {:>9}  memory",
        "", "", "ours", "Polars", "ratio", "target", "peak", "columns"
    );
    let mut missed = 0;
    for scenario in &SCENARIOS {
        let letter = scenario.letter;
        let (mut our_time, mut peer_time) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..turns {
            peer_time = peer_time.min(peer.ask(&format!("time {letter}"))?[0]);
            our_time = our_time.min(ours.ask(&format!("time {letter}"))?[0]);
        }
        let columns = peer.ask(&format!("size {letter}"))?[0];
        // In a process of its own: what it took at most, less what it had before.
        let mut fresh = Speaker::start(&mut worker()?, threads)?;
        let before = fresh.ask("peak none")?[0];
        let peak = fresh.ask(&format!("peak {letter}"))?[0] - before;
        let ratio = our_time / peer_time;
        let verdict = |met: bool| if met { "met" } else { "MISSED" };
        let small = peak < 2.0 * columns;
        missed += usize::from(ratio >= scenario.target) + usize::from(!small);
        let aim = scenario.aim.map_or(String::new(), |aim| {
            format!(", aim {aim} {}", if ratio < aim { "met" } else { "not met" })
        });
        println!(
            "({letter}) {:<42} {:>6.1} ms {:>6.1} ms {ratio:>6.2}  < {} {}{aim} {:>6.1} MB {:>6.1} MB  < 2 × columns {}",
            scenario.what,
            our_time * 1e3,
            peer_time * 1e3,
            scenario.target,
            verdict(ratio < scenario.target),
            peak / 1e6,
            columns / 1e6,
            verdict(small),
        );
    }
    println!("{}", if missed == 0 { "all targets met".into() } else { format!("{missed} targets missed") });
    Ok(())
}

/// A process that answers a line with a line of numbers.
struct Speaker {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Speaker {
    fn start(command: &mut Command, threads: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let threads = threads.to_string();
        let mut child = command
            .env("POLARS_MAX_THREADS", &threads)
            .env("RAYON_NUM_THREADS", &threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("its input is a pipe")?;
        let from = BufReader::new(child.stdout.take().ok_or("its output is a pipe")?);
        Ok(Self { child, to, from })
    }

    fn ask(&mut self, question: &str) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
        writeln!(self.to, "{question}")?;
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(format!("no answer to `{question}`: {}", self.child.wait()?).into());
        }
        Ok(line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our side: answers `time LETTER` with seconds and `peak LETTER` with the process' greatest memory in bytes.
fn work(file: &Path, rows: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = file.parent().ok_or("the file lies in a folder")?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (word, letter) = line.split_once(' ').ok_or("a word and a letter")?;
        let start = Instant::now();
        if letter != "none" {
            let results = estimation::run(&plan(letter, file, rows)?, folder)?;
            let errors =
                results.results.iter().filter(|row| row.se.is_some() || row.more.contains_key("p_value"));
            if errors.count() != results.results.len() {
                return Err("an estimate came without its error".into());
            }
        }
        match word {
            "time" => println!("{}", start.elapsed().as_secs_f64()),
            _ => println!("{}", peak()?),
        }
    }
    Ok(())
}

/// The most memory this process had at any time (Linux).
fn peak() -> Result<f64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("VmHWM is there")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}

fn plan(letter: &str, file: &Path, rows: usize) -> Result<Plan, Box<dyn std::error::Error>> {
    let items: Vec<String> = (1..=30).map(|item| format!("q{item}")).collect();
    let means = serde_json::json!([{"id": "means", "statistic": "mean", "of": items}]);
    let mut plan = serde_json::json!({
        "data": file.file_name().and_then(|n| n.to_str()),
        "design": {"strata": "stratum", "clusters": "psu", "weights": "weight"},
    });
    match letter {
        "a" => plan["requests"] = means,
        "b" => {
            plan["types"] = serde_json::json!({"q1": "category"});
            plan["requests"] =
                serde_json::json!([{"id": "shares", "statistic": "mean", "of": "q1", "by": "ethnic"}]);
        }
        "c" => {
            let margin = |column: &str, levels: usize, wide: bool| {
                let totals: Vec<serde_json::Value> = (1..=levels)
                    .map(|level| {
                        let name = if wide { format!("{level:02}") } else { level.to_string() };
                        // The population leans to the later levels.
                        let share = (levels + level) as f64 / ((3 * levels + 1) * levels) as f64 * 2.0;
                        serde_json::json!({column: name, "total": 70.0 * rows as f64 * share})
                    })
                    .collect();
                serde_json::json!({"by": column, "totals": totals})
            };
            plan["adjust"] = serde_json::json!([{"method": "rake", "margins": [
                margin("area", 12, false), margin("ethnic", 22, true), margin("commune", 200, false)]}]);
            plan["requests"] = serde_json::json!([{"id": "mean", "statistic": "mean", "of": "q1"}]);
        }
        "d" => {
            plan["requests"] = serde_json::json!([
                {"id": "table", "statistic": "table", "rows": "area", "cols": "q1"},
                {"id": "test", "statistic": "independence", "rows": "area", "cols": "q1", "test": "F"}]);
        }
        _ => {
            plan["replicates"] = serde_json::json!({"method": "bootstrap", "count": 500, "seed": 1});
            plan["requests"] = means;
        }
    }
    Ok(estimation::read_plan(&plan.to_string(), file)?)
}
