//! Bench of hidden cells: 1,000 linked table sets of 300 to 5,000 cells, attacked with a solver from elsewhere.
//!
//! `./dev bench protect`, or with fewer sets `SETS=100 ./dev bench protect`. Prints what was measured, the target and
//! the verdict, line by line. The attacker (`analysis/tests/reference/attack`, Python with HiGHS) shares no code with
//! the program.

mod python;
#[path = "../analysis/tests/output/table_sets.rs"]
mod table_sets;

use analysis::disclosure::{Protected, ProtectionPlan, protect};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use table_sets::{Key, TableSet};

fn main() {
    let sets: u64 = std::env::var("SETS").ok().and_then(|s| s.parse().ok()).unwrap_or(1_000);
    let folder = std::env::temp_dir().join(format!("bench-protect-{}", std::process::id()));
    let (tables, results) = large(sets, &folder);
    report_large(&tables, &results);
    report_small(&folder);
    let _ = std::fs::remove_dir_all(&folder);
}

/// What one release of a set came to.
struct Release {
    cells: usize,
    unsafe_cells: usize,
    hidden: usize,
    greedy: usize,
    took: Duration,
}

/// Publishes the sets on two threads, and has them attacked.
fn large(sets: u64, folder: &Path) -> (Vec<Result<Release, String>>, Vec<Value>) {
    let mut attacker = attacker("bounds.py");
    let mut input = attacker.stdin.take().expect("piped");
    let reader = std::thread::spawn(move || attacker.wait_with_output());
    let all: Vec<TableSet> = TableSet::spread(sets, 300, 5_000).collect();
    let mut releases = Vec::new();
    let half = |first: usize| {
        let all = &all;
        move || all.iter().skip(first).step_by(2).map(|s| publish(s, folder)).collect::<Vec<_>>()
    };
    let published: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = [0, 1].map(|first| scope.spawn(half(first))).into();
        threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect()
    });
    for (line, of_set) in published {
        writeln!(input, "{line}").expect("the attacker reads");
        releases.extend(of_set);
    }
    drop(input);
    let told = reader.join().expect("no panic").expect("the attacker ends");
    assert!(told.status.success(), "the attacker failed");
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    (releases, text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect())
}

fn publish(set: &TableSet, folder: &Path) -> (Value, Vec<Result<Release, String>>) {
    let folder = folder.join(set.seed.to_string());
    std::fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in &set.files {
        std::fs::write(folder.join(file), text).expect("a file");
    }
    let truth = set.counts();
    let (mut answers, mut releases) = (Vec::new(), Vec::new());
    for plan in [&set.first, &set.second] {
        let plan: ProtectionPlan = serde_json::from_value(plan.clone()).expect("a plan");
        let started = Instant::now();
        match protect(&plan, &folder) {
            Ok(answer) => {
                let took = started.elapsed();
                let value = serde_json::to_value(&answer).expect("JSON");
                std::fs::write(folder.join("first.json"), value.to_string()).expect("a file");
                releases.push(Ok(measure(&answer, set, &truth, took)));
                answers.push(value);
            }
            Err(e) => {
                releases.push(Err(format!("set {}: {e}", set.seed)));
                break;
            }
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    (json!({"seed": set.seed, "answers": answers, "parents": set.parents, "threshold": 10}), releases)
}

fn measure(
    answer: &Protected,
    set: &TableSet,
    truth: &BTreeMap<Key, (usize, usize)>,
    took: Duration,
) -> Release {
    let parents = &set.parents;
    let key = |c: &analysis::disclosure::ProtectedCell| -> Key {
        c.key().iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect()
    };
    let hidden: BTreeMap<Key, bool> =
        answer.tables().iter().flat_map(|t| t.cells()).map(|c| (key(c), c.n().is_none())).collect();
    let of = |k: &Key| truth.get(k).copied().unwrap_or((0, 0));
    let unsafe_cells = set.unsafe_cells(hidden.keys());
    let mut lines: BTreeSet<Vec<Key>> = BTreeSet::new();
    for table in answer.tables() {
        let keys: Vec<Key> = table.cells().iter().map(key).collect();
        for column in table.cells()[0].key().keys() {
            let mut parts: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
            for key in keys.iter().filter(|k| k.contains_key(column)) {
                let mut total = key.clone();
                let code = total.remove(column).unwrap_or_default();
                if let Some(above) = parents.get(column).and_then(|p| p.get(&code)) {
                    total.insert(column.clone(), above.clone());
                }
                parts.entry(total.clone()).or_insert_with(|| vec![total]).push(key.clone());
            }
            lines.extend(parts.into_values());
        }
    }
    Release {
        cells: hidden.len(),
        unsafe_cells: unsafe_cells.len(),
        hidden: hidden.values().filter(|h| **h).count(),
        greedy: greedy(&unsafe_cells, &lines, &of),
        took,
    }
}

/// Line by line, the usual hand rule: where something is hidden, at least two cells and together at least the
/// threshold, the smallest first. (It does not even stop an attacker with a solver.)
fn greedy(
    unsafe_cells: &BTreeSet<Key>,
    lines: &BTreeSet<Vec<Key>>,
    of: &dyn Fn(&Key) -> (usize, usize),
) -> usize {
    let mut hidden = unsafe_cells.clone();
    loop {
        let before = hidden.len();
        for line in lines {
            loop {
                let gone: Vec<&Key> = line.iter().filter(|k| hidden.contains(*k)).collect();
                let together: usize = gone.iter().map(|k| of(k).0).sum();
                if gone.is_empty() || (gone.len() >= 2 && together >= 10) {
                    break;
                }
                let next =
                    line.iter().filter(|k| !hidden.contains(*k) && of(k).0 > 0).min_by_key(|k| of(k).0);
                let Some(next) = next else { break };
                hidden.insert(next.clone());
            }
        }
        if hidden.len() == before {
            return hidden.len();
        }
    }
}

fn report_large(releases: &[Result<Release, String>], attacks: &[Value]) {
    let done: Vec<&Release> = releases.iter().flatten().collect();
    let refused: Vec<&String> = releases.iter().filter_map(|r| r.as_ref().err()).collect();
    let sum = |name: &str| attacks.iter().filter_map(|r| r[name].as_u64()).sum::<u64>();
    println!(
        "attack suite: {} sets, {} releases published, {} refused; {} hidden cells attacked with {} programs",
        attacks.len(),
        done.len(),
        refused.len(),
        sum("hidden"),
        sum("programs")
    );
    refused.iter().take(5).for_each(|r| println!("  refused: {r}"));
    let bounded = sum("bounded");
    println!("bounded tighter than the threshold: {bounded} (target 0): {}", verdict(bounded == 0));
    let with_unsafe = done.iter().filter(|r| r.unsafe_cells > 0);
    let ratios: Vec<f64> = with_unsafe.map(|r| r.hidden as f64 / r.unsafe_cells as f64).collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
    let total = |of: fn(&Release) -> usize| done.iter().map(|r| of(r)).sum::<usize>() as f64;
    println!("hidden for each unsafe, mean over releases: {mean:.2} (target 2.5): {}", verdict(mean <= 2.5));
    println!(
        "hidden for each unsafe, over all cells: {:.3}; line-by-line greedy, which is not safe: {:.3}",
        total(|r| r.hidden) / total(|r| r.unsafe_cells).max(1.0),
        total(|r| r.greedy) / total(|r| r.unsafe_cells).max(1.0)
    );
    if let Some(slowest) = done.iter().max_by_key(|r| r.took) {
        let seconds = slowest.took.as_secs_f64();
        println!(
            "slowest release ({} cells): {seconds:.1} s, two at once (target 60 s): {}",
            slowest.cells,
            verdict(seconds < 60.0)
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown");
    println!("peak memory, the sets included: {}", peak.trim());
}

/// Two-way tables of about 40 cells beside the optimum.
fn report_small(folder: &Path) {
    let mut lines = String::new();
    for seed in 0..12 {
        let set = TableSet::new(1_000_000 + seed * 6 + 1, 90);
        let truth = set.counts();
        let folder = folder.join(format!("small-{seed}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        for (file, text) in &set.files {
            std::fs::write(folder.join(file), text).expect("a file");
        }
        let plan: ProtectionPlan = serde_json::from_value(set.first.clone()).expect("a plan");
        let Ok(answer) = protect(&plan, &folder) else { continue };
        let cells: Vec<Key> = answer.tables()[0]
            .cells()
            .iter()
            .map(|c| c.key().iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect())
            .collect();
        let at: BTreeMap<&Key, usize> = cells.iter().enumerate().map(|(i, k)| (k, i)).collect();
        let n = |k: &Key| truth.get(k).copied().unwrap_or((0, 0));
        let unsafe_cells: Vec<usize> = (0..cells.len())
            .filter(|i| matches!(n(&cells[*i]), (n, clusters) if n > 0 && (n < 10 || clusters < 3)))
            .collect();
        let mut sums: BTreeMap<(String, usize), Vec<usize>> = BTreeMap::new();
        for (key, i) in &at {
            for (column, code) in key.iter() {
                let mut total = (*key).clone();
                total.remove(column);
                if let Some(above) = set.parents.get(column).and_then(|p| p.get(code)) {
                    total.insert(column.clone(), above.clone());
                }
                sums.entry((column.clone(), at[&total])).or_default().push(*i);
            }
        }
        let sums: Vec<Value> = sums.into_iter().map(|((_, total), parts)| json!([total, parts])).collect();
        let counts: Vec<usize> = cells.iter().map(|k| n(k).0).collect();
        let case = json!({"seed": seed, "n": counts, "unsafe": unsafe_cells, "sums": sums, "threshold": 10,
                          "hidden": answer.hidden_and_shown().0});
        lines.push_str(&format!("{case}\n"));
    }
    let mut attacker = attacker("optimum.py");
    attacker.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("read");
    let told = attacker.wait_with_output().expect("the optimum is found");
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let rows: Vec<Value> = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let proven: Vec<&Value> =
        rows.iter().filter(|r| r["proven"] == json!(true) && r["unsafe"] != json!(0)).collect();
    let sum = |name: &str| proven.iter().filter_map(|r| r[name].as_u64()).sum::<u64>();
    println!(
        "small tables with a proven optimum: {}; unsafe {}, hidden {}, fewest possible {}",
        proven.len(),
        sum("unsafe"),
        sum("hidden"),
        sum("optimum")
    );
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "NOT met" }
}

fn attacker(script: &str) -> std::process::Child {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(python::python().expect("./dev bench protect installs it"))
        .arg(root.join("analysis/tests/reference/attack").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts")
}
