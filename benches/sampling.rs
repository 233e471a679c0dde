//! Speed and memory of frames, draws and allocations, beside plain work on the same data in the same run.
//!
//! `./dev bench sampling`. Each measurement of memory runs in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use analysis::sampling::allocate::AllocatePlan;
use analysis::sampling::{self, Plan};
use analysis::table::{Column, Table, Types};
use serde_json::json;
use surveys::chance::Chance;

/// Variable that tells a child what to do; its value is the work's name.
const WORK: &str = "LANGNGHE_BENCH_SAMPLING";

const TOWNS: usize = 40;

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench_sampling");
    std::fs::create_dir_all(&folder).expect("a folder for the frames");
    match std::env::var(WORK).as_deref() {
        Err(_) => all(&folder),
        Ok("write") => {
            let rows = std::env::var("ROWS").expect("ROWS").parse().expect("a number");
            frame(rows).write(&folder.join(std::env::var("FILE").expect("FILE"))).expect("a frame");
        }
        Ok("read") => {
            child(|| Table::read(&folder.join("large.parquet"), &Types::new()).expect("the frame").height())
        }
        Ok("check") => {
            child(|| sampling::summarise(&large(), &folder).expect("a frame without faults").total.units)
        }
        Ok("draw") => child(|| sampling::draw(&large(), &folder, Some(1)).expect("a sample").sample.height()),
        Ok(other) => panic!("unknown work `{other}`"),
    }
}

fn all(folder: &Path) {
    draw_of_100_000(folder);
    println!();
    allocations_of_10_000();
    println!();
    frame_of_a_million(folder);
}

fn frame(rows: usize) -> Table {
    let mut chance = Chance::new(7, "frame");
    let names: Vec<String> = (0..rows).map(|i| format!("SYN-{i:07}")).collect();
    let towns: Vec<String> = (0..rows).map(|i| format!("T{:02}", i * TOWNS / rows)).collect();
    let parts: Vec<String> = (0..rows).map(|i| format!("P{:04}", i * 25 * TOWNS / rows)).collect();
    let adults: Vec<f64> = (0..rows).map(|_| 60.0 + chance.below(700) as f64).collect();
    let households = adults.iter().map(|a| (a / 2.5).ceil()).collect();
    let text = |values: &[String]| Column::from_texts(values.iter().map(|v| Some(v.as_str())));
    Table::from_columns([
        ("village_id", text(&names)),
        ("town", text(&towns)),
        ("part", text(&parts)),
        ("adults", Column::Number(adults)),
        ("households", Column::Number(households)),
    ])
    .expect("a frame")
}

fn plan(file: &str, total: u64) -> Plan {
    let plan = json!({
        "frame": file, "strata": "town",
        "stages": [
            {"unit": "village_id", "size": "adults", "method": "pps_systematic", "order": "part",
             "allocation": {"method": "power", "total": total, "min": 2}},
            {"unit": "household", "of": "households", "method": "srs", "take": 16}
        ]
    });
    Plan::from_json(&plan.to_string()).expect("a plan")
}

fn large() -> Plan {
    plan("large.parquet", 2_000)
}

/// Median seconds of three runs.
fn seconds<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..3)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[1]
}

fn verdict(good: bool) -> &'static str {
    if good { "met" } else { "MISSED" }
}

/// 2,000 of 100,000 villages by size in 40 strata, then 16 households in each: from the CSV file to the CSV text.
fn draw_of_100_000(folder: &Path) {
    write(folder, "villages.csv", 100_000);
    let plan = plan("villages.csv", 2_000);
    let file = folder.join("villages.csv");
    let read = seconds(|| Table::read(&file, &Types::new()).expect("the frame"));
    let drawn = sampling::draw(&plan, folder, Some(1)).expect("a sample");
    assert_eq!(drawn.sample.height(), 32_000);
    let from_file = seconds(|| sampling::draw(&plan, folder, Some(1)).expect("a sample").to_csv().len());
    let table = Table::read(&file, &Types::new()).expect("the frame");
    let in_memory =
        seconds(|| sampling::draw_from(&table, &plan, Some(1)).expect("a sample").sample.height());
    println!("2,000 of 100,000 villages, 16 households in each (32,000 rows)");
    println!(
        "  CSV file to sample text   {from_file:.3} s, target 1 s: {}; {:.1} × reading the file once ({read:.3} s)",
        verdict(from_file < 1.0),
        from_file / read
    );
    println!("  frame already in memory   {in_memory:.3} s");
}

/// Every rule on 10,000 strata, bounds of 2 to 50 units; Bethel with four targets. Peer: largest remainders alone.
fn allocations_of_10_000() {
    const STRATA: usize = 10_000;
    let mut chance = Chance::new(3, "strata");
    let strata: Vec<serde_json::Value> = (0..STRATA)
        .map(|i| {
            let (mean, share) = (200.0 + 100.0 * chance.unit(), 0.2 + 0.6 * chance.unit());
            let sd = 40.0 + 60.0 * chance.unit();
            json!({
                "stratum": format!("S{i:05}"), "population": 60 + chance.below(900), "sd": sd, "mean": mean,
                "cost": 1.0 + 4.0 * chance.unit(),
                "variables": {"y": {"mean": mean, "sd": sd}, "z": {"mean": share, "sd": (share * (1.0 - share)).sqrt()}},
                "domains": {"region": format!("R{:02}", i % 20)}
            })
        })
        .collect();
    let weights: Vec<f64> = strata.iter().map(|s| s["population"].as_f64().unwrap_or_default()).collect();
    let peer = seconds(|| {
        let sum: f64 = weights.iter().sum();
        let exact: Vec<f64> = weights.iter().map(|w| 100_000.0 * w / sum).collect();
        let mut order: Vec<usize> = (0..exact.len()).collect();
        order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
        let mut n: Vec<u64> = exact.iter().map(|x| *x as u64).collect();
        let left = 100_000 - n.iter().sum::<u64>();
        order.iter().take(left as usize).for_each(|h| n[*h] += 1);
        n
    });
    println!("allocation of 10,000 strata (rounding alone, without bounds: {:.2} ms)", 1e3 * peer);
    let folder = Path::new(".");
    for method in
        ["equal", "proportional", "neyman", "neyman_exact", "cost", "power", "square_root", "kish", "bethel"]
    {
        let mut plan = json!({"strata": strata, "method": method});
        if method == "bethel" {
            plan["targets"] = json!([
                {"variable": "y", "cv": 0.002}, {"variable": "y", "cv": 0.01, "by": "region"},
                {"variable": "z", "cv": 0.01}, {"variable": "z", "cv": 0.05, "by": "region"}
            ]);
            plan["min"] = json!(2);
        } else {
            plan["total"] = json!(100_000);
            plan["min"] = json!(2);
            plan["max"] = json!(50);
        }
        let plan = AllocatePlan::from_json(&plan.to_string()).expect("a plan");
        let total = plan.answer(folder).unwrap_or_else(|e| panic!("{method}: {e}")).total;
        let time = seconds(|| plan.answer(folder).expect("an allocation").total);
        println!(
            "  {method:<13} {:>7.1} ms, target 1 s: {} (n = {total}; {:.0} × the rounding)",
            1e3 * time,
            verdict(time < 1.0),
            time / peer
        );
    }
}

/// A million villages from Parquet: read; read and checked with a summary by stratum; and the whole draw.
fn frame_of_a_million(folder: &Path) {
    write(folder, "large.parquet", 1_000_000);
    println!("a frame of 1,000,000 rows and 5 columns from Parquet");
    let (peer, _) = run("read", "table read, nothing checked", None);
    run("check", "frame checked, counted by stratum", Some(peer));
    run("draw", "2,000 villages and 32,000 households drawn", Some(peer));
    std::fs::remove_file(folder.join("large.parquet")).expect("the frame was written");
}

fn write(folder: &Path, file: &str, rows: usize) {
    let done = Command::new(std::env::current_exe().expect("this program"))
        .env(WORK, "write")
        .env("FILE", file)
        .env("ROWS", rows.to_string())
        .status()
        .expect("a process");
    assert!(done.success() && folder.join(file).exists(), "{file} could not be written");
}

/// Three children; the median time and the largest memory.
fn run(work: &str, label: &str, peer: Option<f64>) -> (f64, f64) {
    let mut times = Vec::new();
    let mut memory: f64 = 0.0;
    for _ in 0..3 {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .env(WORK, work)
            .output()
            .expect("a process");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{work}: {}", String::from_utf8_lossy(&output.stderr));
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        times.push(numbers[0]);
        memory = memory.max(numbers[1]);
    }
    times.sort_by(f64::total_cmp);
    let time = times[1];
    let ratio = peer.map_or_else(String::new, |peer| format!("; {:.1} × the reading", time / peer));
    println!(
        "  {label:<44} {time:.2} s, target 2 s: {}; peak {memory:.0} MB, target 500 MB: {}{ratio}",
        verdict(time < 2.0),
        verdict(memory < 500.0)
    );
    (time, memory)
}

/// Runs the work, prints seconds and the process's peak memory in MB.
fn child(work: impl FnOnce() -> usize) {
    let start = Instant::now();
    assert!(work() > 0);
    let time = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak memory");
    let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse().expect("a number");
    println!("{time} {}", kilobytes / 1e3);
}
