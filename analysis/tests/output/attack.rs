//! Attackers against linked table sets. They know what was published, that sums add up and that no count is
//! negative; nothing here uses the code that hides.

use crate::table_sets::{Key, TableSet};
use analysis::disclosure::{Protected, ProtectionPlan, protect};
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const THRESHOLD: f64 = 10.0;

/// Runs both releases of a set in a folder of its own. A release that cannot be protected is not published.
fn publish(set: &TableSet, folder: &str) -> Vec<Protected> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{folder}-{}", set.seed));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    for (file, text) in &set.files {
        std::fs::write(folder.join(file), text).expect("a file for the test");
    }
    let run = |plan: &Value| {
        let plan: ProtectionPlan = serde_json::from_value(plan.clone()).expect("a valid plan");
        protect(&plan, &folder)
    };
    let Ok(first) = run(&set.first) else { return Vec::new() };
    let text = serde_json::to_string(&first).expect("JSON");
    std::fs::write(folder.join("first.json"), text).expect("the first answer");
    std::iter::once(first).chain(run(&set.second).ok()).collect()
}

/// What is published: by cell, its count or the mark that it is hidden; and the sums, total and parts.
struct Published {
    counts: BTreeMap<Key, Option<usize>>,
    sums: BTreeSet<(Key, BTreeSet<Key>)>,
}

impl Published {
    fn of(answers: &[Protected], parents: &BTreeMap<String, BTreeMap<String, String>>) -> Self {
        let (mut counts, mut sums) = (BTreeMap::new(), BTreeSet::new());
        for table in answers.iter().flat_map(Protected::tables) {
            let cells: BTreeMap<Key, Option<usize>> = table
                .cells()
                .iter()
                .map(|c| (c.key().iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect(), c.n()))
                .collect();
            for column in table.cells()[0].key().keys() {
                let mut parts: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
                for key in cells.keys().filter(|k| k.contains_key(column)) {
                    let mut total = key.clone();
                    let code = total.remove(column).unwrap_or_default();
                    if let Some(above) = parents.get(column).and_then(|p| p.get(&code)) {
                        total.insert(column.clone(), above.clone());
                    }
                    parts.entry(total).or_default().insert(key.clone());
                }
                sums.extend(parts);
            }
            for (key, n) in cells {
                let known = counts.entry(key).or_insert(n);
                *known = known.or(n);
            }
        }
        Self { counts, sums }
    }

    fn hidden(&self) -> Vec<&Key> {
        self.counts.iter().filter(|(_, n)| n.is_none()).map(|(key, _)| key).collect()
    }

    /// Differences of sums and parts, again and again: bounds by cell.
    fn differences(&self) -> BTreeMap<&Key, (f64, f64)> {
        let start = |n: &Option<usize>| n.map_or((0.0, 1e6), |n| (n as f64, n as f64));
        let mut bounds: BTreeMap<&Key, (f64, f64)> = self.counts.iter().map(|(k, n)| (k, start(n))).collect();
        for _ in 0..8 {
            for (total, parts) in &self.sums {
                let (low, high) =
                    parts.iter().fold((0.0, 0.0), |(l, h), p| (l + bounds[p].0, h + bounds[p].1));
                let sum = bounds.get_mut(total).expect("totals are published");
                *sum = (sum.0.max(low), sum.1.min(high));
                let sum = *sum;
                for part in parts {
                    let own = bounds.get_mut(part).expect("parts are published");
                    let (others_low, others_high) = (low - own.0, high - own.1);
                    *own = (own.0.max(sum.0 - others_high), own.1.min(sum.1 - others_low));
                }
            }
        }
        bounds
    }

    /// Linear programs: hidden cells with less than the threshold between the least and the most they can be.
    fn bounded(&self) -> Vec<&Key> {
        let hidden = self.hidden();
        let mut least = vec![f64::INFINITY; hidden.len()];
        let mut most = vec![f64::NEG_INFINITY; hidden.len()];
        let place: BTreeMap<&Key, usize> = hidden.iter().enumerate().map(|(i, k)| (*k, i)).collect();
        let mut bounded = Vec::new();
        for (at, key) in hidden.iter().enumerate() {
            for direction in [OptimizationDirection::Maximize, OptimizationDirection::Minimize] {
                if most[at] - least[at] >= THRESHOLD - 1e-6 {
                    break;
                }
                let mut problem = Problem::new(direction);
                let gain = |i: usize| if i == at { 1.0 } else { 0.0 };
                let cells: Vec<Variable> =
                    (0..hidden.len()).map(|i| problem.add_var(gain(i), (0.0, 1e6))).collect();
                for (total, parts) in &self.sums {
                    let shown: usize = parts.iter().filter_map(|p| self.counts[p]).sum();
                    let right = self.counts[total].unwrap_or(0) as f64 - shown as f64;
                    let mut terms: Vec<(Variable, f64)> =
                        parts.iter().filter_map(|p| Some((cells[*place.get(p)?], 1.0))).collect();
                    terms.extend(place.get(total).map(|i| (cells[*i], -1.0)));
                    if !terms.is_empty() {
                        problem.add_constraint(terms, ComparisonOp::Eq, right);
                    }
                }
                let solution = problem.solve().expect("the truth is a solution").into_solution();
                let solution = solution.expect("no limit of time was set");
                for (i, cell) in cells.iter().enumerate() {
                    least[i] = least[i].min(solution.var_value(*cell));
                    most[i] = most[i].max(solution.var_value(*cell));
                }
            }
            if most[at] - least[at] < THRESHOLD - 1e-6 {
                bounded.push(*key);
            }
        }
        bounded
    }
}

#[test]
fn no_hidden_count_of_linked_tables_and_an_earlier_release_can_be_bounded() {
    let (mut attacked, mut published, mut ratios) = (0, 0, Vec::new());
    for set in TableSet::spread(10, 90, 300) {
        let answers = publish(&set, "attack");
        published += answers.len();
        let known = Published::of(&answers, &set.parents);
        let bounds = known.differences();
        for key in known.hidden() {
            let (low, high) = bounds[key];
            assert!(high - low >= THRESHOLD, "set {}: {key:?} lies in [{low}, {high}]", set.seed);
            attacked += 1;
        }
        assert_eq!(known.bounded(), Vec::<&Key>::new(), "set {}", set.seed);
        ratios.extend(answers.iter().filter_map(|a| hidden_for_each_unsafe(&set, a)));
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!(mean <= 2.5, "{mean} hidden for each unsafe");
    assert!(published >= 18 && attacked > 300, "only {published} releases, {attacked} attacked");
}

/// Hidden cells for each that had to be; `None` where none had to.
fn hidden_for_each_unsafe(set: &TableSet, answer: &Protected) -> Option<f64> {
    let known = Published::of(std::slice::from_ref(answer), &set.parents);
    let unsafe_cells = set.unsafe_cells(known.counts.keys()).len();
    (unsafe_cells > 0).then(|| known.hidden().len() as f64 / unsafe_cells as f64)
}

/// Showing any one of the secondary cells lays something bare. A cell that had to be hidden (unsafe by itself) is not
/// tried: `unsafe` are counts under the threshold or from fewer than three clusters.
#[test]
fn no_single_other_cell_could_be_shown_again() {
    let mut tried = 0;
    for set in TableSet::spread(4, 90, 300).filter(|s| s.second["sensitive"] == json!([])) {
        let answers = publish(&set, "again");
        let known = Published::of(&answers, &set.parents);
        let truth = set.counts();
        for key in known.hidden() {
            let (n, clusters) = truth[key];
            if n < 10 || clusters < 3 {
                continue;
            }
            let mut open = Published { counts: known.counts.clone(), sums: known.sums.clone() };
            open.counts.insert(key.clone(), Some(n));
            assert!(!open.bounded().is_empty(), "set {}: {key:?} need not be hidden", set.seed);
            tried += 1;
        }
    }
    assert!(tried > 10, "only {tried} secondary cells were tried");
}

/// More than half of the counts are hidden, most of them zeros.
#[test]
fn a_thousand_cells_with_a_sensitive_column_are_hidden_beside_few_others() {
    let set = TableSet::new(6, 1_200);
    let answers = publish(&set, "sensitive");
    assert_eq!(answers.len(), 2);
    let (hidden, shown) = answers[1].hidden_and_shown();
    assert!(hidden > 700 && shown > 200, "{hidden} hidden, {shown} shown");
    let ratio = hidden_for_each_unsafe(&set, &answers[1]).expect("many are unsafe");
    assert!(ratio < 1.5, "{ratio} hidden for each unsafe");
    let known = Published::of(&answers, &set.parents);
    for (key, (low, high)) in known.differences() {
        assert!(known.counts[key].is_some() || high - low >= THRESHOLD, "{key:?} lies in [{low}, {high}]");
    }
}

/// The attacker of `reference/attack/bounds.py` with HiGHS, a process for each thread.
#[test]
#[ignore = "takes a quarter of an hour; needs Python with HiGHS, which ./dev test --all installs"]
fn a_solver_from_elsewhere_bounds_no_hidden_count_of_a_thousand_sets_up_to_5000_cells() {
    let sets: Vec<TableSet> = TableSet::spread(1_000, 300, 5_000).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut results, mut ratios) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let part = |first: usize| sets.iter().skip(first).step_by(threads).collect::<Vec<_>>();
        let runs: Vec<_> = (0..threads).map(|first| scope.spawn(move || attack(&part(first)))).collect();
        for run in runs {
            let (told, of_sets) = run.join().expect("no panic");
            results.extend(told);
            ratios.extend(of_sets);
        }
    });
    let sum = |name: &str| results.iter().filter_map(|r| r[name].as_u64()).sum::<u64>();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert_eq!(results.len(), sets.len());
    assert_eq!(sum("bounded"), 0, "{results:?}");
    assert!(
        ratios.len() > 1_500 && sum("hidden") > 100_000,
        "{} releases, {} hidden",
        ratios.len(),
        sum("hidden")
    );
    assert!(mean <= 2.5, "{mean} hidden for each unsafe");
}

/// What the attacker tells about each set, and hidden cells for each unsafe one of each release.
fn attack(sets: &[&TableSet]) -> (Vec<Value>, Vec<f64>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/attack/bounds.py");
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/bin/python");
    let mut attacker = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the attacker starts");
    let mut to_attacker = attacker.stdin.take().expect("piped");
    let reader = std::thread::spawn(move || attacker.wait_with_output());
    let mut ratios = Vec::new();
    for set in sets {
        let answers = publish(set, "large");
        ratios.extend(answers.iter().filter_map(|a| hidden_for_each_unsafe(set, a)));
        let line = json!({"seed": set.seed, "answers": answers, "parents": set.parents, "threshold": 10});
        writeln!(to_attacker, "{line}").expect("the attacker reads");
    }
    drop(to_attacker);
    let told = reader.join().expect("no panic").expect("the attacker ends");
    assert!(told.status.success());
    let told = String::from_utf8(told.stdout).expect("text");
    (told.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect(), ratios)
}
