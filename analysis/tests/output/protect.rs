//! Tables of counts against an attacker who knows every shown count and every sum.

use analysis::disclosure::{ProtectError, Protected, ProtectionPlan, protect};
use std::collections::BTreeMap;
use std::path::PathBuf;
use surveys::chance::Chance;

type Key = BTreeMap<String, String>;

/// Writes the files into a folder of their own and runs the plan there.
fn run(name: &str, files: &[(&str, String)], plan: serde_json::Value) -> Result<Protected, ProtectError> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    for (file, text) in files {
        std::fs::write(folder.join(file), text).expect("a file for the test");
    }
    let plan: ProtectionPlan = serde_json::from_value(plan).expect("a valid plan");
    protect(&plan, &folder)
}

fn key(cell: &analysis::disclosure::ProtectedCell) -> Key {
    cell.key().iter().filter_map(|(c, v)| Some((c.clone(), v.clone()?))).collect()
}

/// All cells over all tables.
fn cells(answer: &Protected) -> BTreeMap<Key, Option<usize>> {
    answer.tables().iter().flat_map(|t| t.cells()).map(|c| (key(c), c.n())).collect()
}

fn n(answer: &Protected, of: &[(&str, &str)]) -> Option<usize> {
    cells(answer)[&of.iter().map(|(c, v)| ((*c).to_owned(), (*v).to_owned())).collect::<Key>()]
}

/// A CSV with the given number of respondents in each combination; respondents go round the clusters.
fn people(columns: &str, counts: &[(&str, usize)]) -> String {
    let mut text = format!("{columns},psu\n");
    for (values, count) in counts {
        for i in 0..*count {
            text.push_str(&format!("{values},{}\n", i % 5));
        }
    }
    text
}

/// Row and column of the small cell (4) each need another hidden cell, and those two a fourth.
#[test]
fn a_small_count_in_a_two_way_table_hides_a_rectangle() {
    let data = people("a,b", &[("1,x", 4), ("1,y", 30), ("1,z", 50), ("2,x", 40), ("2,y", 35), ("2,z", 60)]);
    let answer = run(
        "rectangle",
        &[("data.csv", data)],
        serde_json::json!({"data": "data.csv", "cluster": "psu", "tables": [{"id": "t", "by": ["a", "b"]}]}),
    )
    .expect("can be protected");
    assert_eq!(answer.hidden_and_shown(), (4, 8));
    assert_eq!(n(&answer, &[("a", "1"), ("b", "x")]), None);
    assert_eq!(n(&answer, &[("a", "1"), ("b", "y")]), None);
    assert_eq!(n(&answer, &[("a", "1"), ("b", "z")]), Some(50));
    assert_eq!(n(&answer, &[]), Some(219));
}

#[test]
fn a_large_count_from_two_clusters_is_hidden() {
    let mut data = people("a", &[("1", 60), ("2", 70), ("3", 80)]);
    for i in 0..40 {
        data.push_str(&format!("4,{}\n", i % 2));
    }
    let plan =
        serde_json::json!({"data": "data.csv", "cluster": "psu", "tables": [{"id": "t", "by": ["a"]}]});
    let answer = run("clusters", &[("data.csv", data)], plan).expect("can be protected");
    assert_eq!(n(&answer, &[("a", "4")]), None);
    assert_eq!(answer.hidden_and_shown().0, 2);
}

#[test]
fn zero_is_shown_unless_the_column_is_sensitive_and_one_answer_dominates() {
    let data = people("a,o", &[("1,yes", 50), ("2,yes", 60), ("2,no", 60), ("3,yes", 90), ("3,no", 80)]);
    let plan = |sensitive: &[&str]| {
        serde_json::json!({"data": "data.csv", "cluster": "psu", "tables": [{"id": "t", "by": ["a", "o"]}],
                           "sensitive": sensitive})
    };
    let open = run("zero", &[("data.csv", data.clone())], plan(&[])).expect("nothing to hide");
    assert_eq!(n(&open, &[("a", "1"), ("o", "no")]), Some(0));
    assert_eq!(open.hidden_and_shown().0, 0);
    let closed = run("zero-sensitive", &[("data.csv", data)], plan(&["o"])).expect("can be protected");
    assert_eq!(n(&closed, &[("a", "1"), ("o", "no")]), None);
    assert_eq!(n(&closed, &[("a", "1"), ("o", "yes")]), None);
}

#[test]
fn a_table_that_would_vanish_is_an_error_that_names_it() {
    let data = people("a", &[("1", 3), ("2", 4)]);
    let plan = serde_json::json!({"data": "data.csv", "tables": [{"id": "tiny", "by": ["a"]}]});
    let error = run("vanishes", &[("data.csv", data)], plan).expect_err("7 people cannot be shown");
    assert!(matches!(&error, ProtectError::Vanishes { table } if table == "tiny"), "{error}");
}

#[test]
fn an_unknown_column_is_named() {
    let data = people("a", &[("1", 30)]);
    let plan = serde_json::json!({"data": "data.csv", "tables": [{"id": "t", "by": ["ethnic"]}]});
    let error = run("column", &[("data.csv", data)], plan).expect_err("no such column");
    assert!(error.to_string().contains("`ethnic`"));
}

#[test]
fn a_hierarchy_that_turns_in_a_circle_is_refused() {
    let data = people("a", &[("1", 30)]);
    let tree = "code,parent\n1,2\n2,1\n".to_owned();
    let plan = serde_json::json!({"data": "data.csv", "hierarchies": {"a": "tree.csv"},
                                  "tables": [{"id": "t", "by": ["a"]}]});
    let error = run("circle", &[("data.csv", data), ("tree.csv", tree)], plan).expect_err("no tree");
    assert!(matches!(error, ProtectError::Hierarchy { .. }));
}

/// Respondents with skewed categories, so that many cells are small.
fn skewed(seed: u64, rows: usize, columns: &[(&str, usize)]) -> String {
    let mut chance = Chance::new(seed, "protect");
    let names: Vec<&str> = columns.iter().map(|c| c.0).collect();
    let mut text = format!("{},psu\n", names.join(","));
    for _ in 0..rows {
        for (name, levels) in columns {
            let level = chance.below(*levels).min(chance.below(*levels));
            text.push_str(&format!("{name}{level},"));
        }
        text.push_str(&format!("{}\n", chance.below(9)));
    }
    text
}

/// Every way to fill the hidden inner cells of a two-way table with whole numbers, found by trying all.
fn every_filling(
    known: &BTreeMap<Key, Option<usize>>,
    a: &[String],
    b: &[String],
) -> BTreeMap<Key, (usize, usize)> {
    let pair = |i: usize, j: usize| Key::from([("a".into(), a[i].clone()), ("b".into(), b[j].clone())]);
    let row = |i: usize| known[&Key::from([("a".into(), a[i].clone())])];
    let column = |j: usize| known[&Key::from([("b".into(), b[j].clone())])];
    let total = known[&Key::new()];
    let cap = total.expect("the total is shown in these tables");
    let mut ranges: BTreeMap<Key, (usize, usize)> = BTreeMap::new();
    let mut filled = vec![vec![0; b.len()]; a.len()];
    let mut stack = vec![(0_usize, 0_usize)];
    while let Some((at, value)) = stack.pop() {
        let (i, j) = (at / b.len(), at % b.len());
        let value = known[&pair(i, j)].unwrap_or(value);
        filled[i][j] = value;
        let row_sum: usize = filled[i][..=j].iter().sum();
        let column_sum: usize = (0..=i).map(|r| filled[r][j]).sum();
        let so_far: usize = (0..at).map(|k| filled[k / b.len()][k % b.len()]).sum::<usize>() + value;
        let may_grow = known[&pair(i, j)].is_none() && value < cap;
        let fits =
            row_sum <= row(i).unwrap_or(cap) && column_sum <= column(j).unwrap_or(cap) && so_far <= cap;
        if fits && may_grow {
            stack.push((at, value + 1));
        }
        let row_done = j + 1 < b.len() || row(i).is_none_or(|n| n == row_sum);
        let column_done = i + 1 < a.len() || column(j).is_none_or(|n| n == column_sum);
        if !fits || !row_done || !column_done {
            continue;
        }
        if at + 1 < a.len() * b.len() {
            stack.push((at + 1, 0));
        } else if so_far == cap {
            let mut note = |key: Key, n: usize| {
                let range = ranges.entry(key).or_insert((n, n));
                *range = (range.0.min(n), range.1.max(n));
            };
            for (i, a) in a.iter().enumerate() {
                note(Key::from([("a".into(), a.clone())]), filled[i].iter().sum());
                for (j, b) in b.iter().enumerate() {
                    note(Key::from([("a".into(), a.clone()), ("b".into(), b.clone())]), filled[i][j]);
                }
            }
            for (j, b) in b.iter().enumerate() {
                note(Key::from([("b".into(), b.clone())]), filled.iter().map(|r| r[j]).sum());
            }
        }
    }
    ranges
}

/// Threshold 4 on tables small enough to try every filling.
#[test]
fn no_filling_of_the_hidden_cells_narrows_one_below_the_threshold() {
    let mut attacked = 0;
    for seed in 0..40 {
        let data = skewed(seed, 24, &[("a", 3), ("b", 3)]);
        let plan = serde_json::json!({"data": "data.csv", "tables": [{"id": "t", "by": ["a", "b"]}],
                                      "threshold": 4, "min_clusters": 1});
        let Ok(answer) = run(&format!("fillings-{seed}"), &[("data.csv", data)], plan) else { continue };
        let known = cells(&answer);
        if known[&Key::new()].is_none() {
            continue;
        }
        let codes = |column: &str| {
            let found: std::collections::BTreeSet<String> =
                known.keys().filter_map(|k| k.get(column)).cloned().collect();
            found.into_iter().collect::<Vec<_>>()
        };
        let ranges = every_filling(&known, &codes("a"), &codes("b"));
        for (key, _) in known.iter().filter(|(_, n)| n.is_none()) {
            let (low, high) = ranges[key];
            assert!(high - low >= 4, "seed {seed}: {key:?} lies in [{low}, {high}]");
            attacked += 1;
        }
    }
    assert!(attacked > 50, "only {attacked} hidden cells were attacked");
}

/// Sums of the tables as an attacker writes them down: total and parts.
fn sums(answers: &[&Protected], parent: &BTreeMap<String, String>) -> Vec<(Key, Vec<Key>)> {
    let mut found = Vec::new();
    for table in answers.iter().flat_map(|a| a.tables()) {
        let keys: Vec<Key> = table.cells().iter().map(key).collect();
        for column in table.cells()[0].key().keys() {
            for total in &keys {
                let under = |k: &&Key| {
                    let mut upper = (*k).clone();
                    let code = upper.remove(column);
                    if let Some(up) = code.as_ref().and_then(|c| parent.get(c)) {
                        upper.insert(column.clone(), up.clone());
                    }
                    code.is_some() && upper == *total
                };
                let parts: Vec<Key> = keys.iter().filter(under).cloned().collect();
                if !parts.is_empty() {
                    found.push((total.clone(), parts));
                }
            }
        }
    }
    found
}

/// What an attacker learns by going round the sums again and again: bounds of each cell.
fn bounds(answers: &[&Protected], parent: &BTreeMap<String, String>) -> BTreeMap<Key, (f64, f64)> {
    let mut bounds: BTreeMap<Key, (f64, f64)> = BTreeMap::new();
    for (key, n) in answers.iter().flat_map(|a| cells(a)) {
        let range = bounds.entry(key).or_insert((0.0, 1e6));
        if let Some(n) = n {
            *range = (n as f64, n as f64);
        }
    }
    narrow(&mut bounds, &sums(answers, parent));
    bounds
}

fn narrow(bounds: &mut BTreeMap<Key, (f64, f64)>, sums: &[(Key, Vec<Key>)]) {
    for _ in 0..30 {
        for (total, parts) in sums {
            let low: f64 = parts.iter().map(|p| bounds[p].0).sum();
            let high: f64 = parts.iter().map(|p| bounds[p].1).sum();
            let of_total = bounds[total];
            bounds.insert(total.clone(), (of_total.0.max(low), of_total.1.min(high)));
            for part in parts {
                let own = bounds[part];
                let least = of_total.0 - (high - own.1);
                let most = of_total.1 - (low - own.0);
                bounds.insert(part.clone(), (own.0.max(least), own.1.min(most)));
            }
        }
    }
}

#[test]
fn linked_tables_with_a_hierarchy_and_an_earlier_release_stay_closed() {
    for seed in 0..4 {
        let data = skewed(seed, 900, &[("area", 6), ("sex", 2), ("opinion", 4)]);
        let tree = "code,parent\narea0,north\narea1,north\narea2,north\narea3,south\narea4,south\narea5,south\n\
                    north,\nsouth,\n";
        let parent: BTreeMap<String, String> = tree
            .lines()
            .skip(1)
            .filter_map(|l| l.split_once(','))
            .filter(|(_, p)| !p.is_empty())
            .map(|(c, p)| (c.to_owned(), p.to_owned()))
            .collect();
        let name = format!("linked-{seed}");
        let files = [("data.csv", data), ("tree.csv", tree.to_owned())];
        let base = serde_json::json!({"data": "data.csv", "cluster": "psu", "hierarchies": {"area": "tree.csv"},
                                      "tables": [{"id": "first", "by": ["area", "opinion"]}]});
        let first = run(&name, &files, base.clone()).expect("can be protected");
        let released = serde_json::to_string(&first).expect("JSON");
        let mut plan = base;
        plan["tables"] = serde_json::json!([{"id": "second", "by": ["area", "sex", "opinion"]},
                                            {"id": "third", "by": ["sex"]}]);
        plan["released"] = serde_json::json!(["released.json"]);
        let files = [files[0].clone(), files[1].clone(), ("released.json", released)];
        let second = run(&name, &files, plan).expect("can be protected");
        let shown: BTreeMap<Key, usize> =
            [&first, &second].iter().flat_map(|a| cells(a)).filter_map(|(k, n)| Some((k, n?))).collect();
        let bounds = bounds(&[&first, &second], &parent);
        let mut hidden = 0;
        for (key, (low, high)) in bounds.iter().filter(|(k, _)| !shown.contains_key(*k)) {
            assert!(high - low >= 10.0, "seed {seed}: {key:?} lies in [{low}, {high}]");
            hidden += 1;
        }
        assert!(hidden > 20, "seed {seed} hides only {hidden}");
    }
}

/// 900 interviews, and those with `more` that came in later.
fn two_snapshots(seed: u64, more: usize) -> (String, String) {
    let all = skewed(seed, 900 + more, &[("area", 6), ("sex", 2), ("opinion", 4)]);
    let early: Vec<&str> = all.lines().take(901).collect();
    (early.join("\n") + "\n", all)
}

#[test]
fn an_earlier_answer_of_almost_the_same_interviews_is_refused_by_name() {
    let (early, late) = two_snapshots(1, 29);
    let mut plan = serde_json::json!({"data": "early.csv", "cluster": "psu",
                                      "tables": [{"id": "t", "by": ["area", "opinion"]}]});
    let files = [("early.csv", early.clone()), ("late.csv", late)];
    let first = run("near", &files, plan.clone()).expect("can be protected");
    assert!(first.answers_of_other_data().is_empty());
    let released = ("first.json", serde_json::to_string(&first).expect("JSON"));
    plan["released"] = serde_json::json!(["first.json"]);
    let files = [files[0].clone(), files[1].clone(), released];
    let again = run("near", &files, plan.clone()).expect("the same data");
    assert!(again.answers_of_other_data().is_empty());
    plan["data"] = serde_json::json!("late.csv");
    let error = run("near", &files, plan).expect_err("29 interviews would stand out");
    let told = error.to_string();
    assert!(told.contains("`first.json`") && told.contains("29 interviews, fewer than 30"), "{told}");
}

/// Who subtracts an earlier answer from today's has a table of those who came in between: known where both are
/// shown, else at least zero.
#[test]
fn what_two_answers_about_different_data_differ_by_stays_closed() {
    let (mut attacked, mut differing) = (0, 0);
    for (seed, more) in [(0, 60), (1, 150), (2, 400), (3, 900)] {
        let (early, late) = two_snapshots(seed, more);
        let mut plan = serde_json::json!({"data": "early.csv", "cluster": "psu",
                                          "tables": [{"id": "t", "by": ["area", "opinion"]}]});
        let name = format!("between-{seed}");
        let files = [("early.csv", early), ("late.csv", late)];
        let first = run(&name, &files, plan.clone()).expect("can be protected");
        let released = ("first.json", serde_json::to_string(&first).expect("JSON"));
        let files = [files[0].clone(), files[1].clone(), released];
        plan["released"] = serde_json::json!(["first.json"]);
        plan["data"] = serde_json::json!("late.csv");
        let second = match run(&name, &files, plan) {
            Ok(second) => second,
            Err(ProtectError::Vanishes { .. }) => continue,
            Err(e) => panic!("{e}"),
        };
        assert_eq!(second.answers_of_other_data(), [PathBuf::from("first.json")]);
        let (before, today) = (cells(&first), cells(&second));
        let came = |key: &Key| Some(today[key]?.checked_sub(before[key]?).expect("nobody went"));
        let mut bounds: BTreeMap<Key, (f64, f64)> = today
            .keys()
            .map(|key| (key.clone(), came(key).map_or((0.0, 1e6), |n| (n as f64, n as f64))))
            .collect();
        narrow(&mut bounds, &sums(&[&second], &BTreeMap::new()));
        for (key, (low, high)) in &bounds {
            match came(key) {
                Some(n) => assert!(n == 0 || n >= 10, "seed {seed}: {n} came in {key:?}"),
                None => assert!(high - low >= 10.0, "seed {seed}: {key:?} lies in [{low}, {high}]"),
            }
            attacked += usize::from(came(key).is_none());
            differing += usize::from(came(key).is_some_and(|n| n > 0));
        }
    }
    assert!(attacked > 20 && differing > 20, "{attacked} hidden and {differing} shown differences");
}

#[test]
fn the_same_plan_gives_the_same_answer() {
    let data = skewed(7, 500, &[("a", 5), ("b", 4)]);
    let plan =
        serde_json::json!({"data": "data.csv", "cluster": "psu", "tables": [{"id": "t", "by": ["a", "b"]}]});
    let files = [("data.csv", data)];
    let first = run("same", &files, plan.clone()).expect("can be protected");
    assert_eq!(first, run("same", &files, plan).expect("can be protected"));
}
