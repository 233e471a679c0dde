//! Rules 17 and 20 over all that leaves: attackers who keep every figure of every release. Each attack is first shown to
//! succeed where rows are judged request by request.

use analysis::disclosure::{
    Interview, ReleaseError, ReleaseLog, Rules, SafeRow, Snapshot, SnapshotError, gate, gate_with,
};
use analysis::estimation::{self, Plan};
use analysis::table::{Table, Types};
use microlp::{ComparisonOp, OptimizationDirection, Problem};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use surveys::chance::Chance;

const THRESHOLD: f64 = 10.0;

/// One respondent: cluster, area, sex, age class, opinion.
type Person = [String; 5];

/// Areas A to F; F has 18 respondents. Three clusters and more in each.
fn people(seed: u64) -> Vec<Person> {
    let mut chance = Chance::new(seed, "releases");
    let sizes = [("A", 120), ("B", 95), ("C", 80), ("D", 62), ("E", 41), ("F", 18)];
    let mut people = Vec::new();
    for (area, size) in sizes {
        for i in 0..size {
            let sex = 1 + chance.below(2);
            let age = 1 + chance.below(6);
            let opinion = ["yes", "no", "unsure"][chance.weighted(&[0.6, 0.33, 0.07]).expect("weights")];
            people.push([
                format!("{area}{}", i % 5),
                area.to_owned(),
                sex.to_string(),
                age.to_string(),
                opinion.to_owned(),
            ]);
        }
    }
    chance.shuffle(&mut people);
    people
}

fn table(people: &[Person]) -> Table {
    let mut text = "cluster,area,sex,age,opinion,more,w\n".to_owned();
    for (i, person) in people.iter().enumerate() {
        // Four did not answer the second question.
        let more = if i % 100 == 7 && i < 400 { "" } else { person[4].as_str() };
        text.push_str(&format!("{},{more},{}\n", person.join(","), 1.0 + (i % 7) as f64 / 10.0));
    }
    let types: Types = serde_json::from_value(json!({ "age": "number" })).expect("types");
    Table::parse_csv(&text, "people.csv", &types).expect("a table")
}

fn plan(weights: Option<&str>, requests: Value) -> Plan {
    let design = match weights {
        Some(column) => json!({ "clusters": ["cluster"], "weights": column }),
        None => json!({ "clusters": ["cluster"] }),
    };
    serde_json::from_value(json!({
        "types": { "sex": "category", "age": "number" },
        "design": design, "requests": requests,
    }))
    .expect("a plan")
}

fn snapshot(id: &str, people: &[Person]) -> Snapshot {
    let interview =
        |(i, p): (usize, &Person)| Interview { id: format!("{}-{i}", p.join("/")), cluster: p[0].clone() };
    Snapshot {
        id: id.into(),
        date: "2026-10-01".into(),
        interviews: people.iter().enumerate().map(interview).collect(),
    }
}

/// Answers a request through both doors: row by row, and with the log.
fn ask(log: &mut ReleaseLog, people: &[Person], plan: &Plan) -> (Vec<SafeRow>, Vec<SafeRow>) {
    let data = table(people);
    let results = estimation::estimate(&data, plan).expect("estimates");
    let alone = gate(&results.results, &Rules::default()).expect("nothing refused");
    let logged = gate_with(log, &snapshot("first", people), &data, plan, &results.results, &Rules::default());
    (alone, logged.expect("a release"))
}

fn mean(id: &str, by: &[&str], condition: Option<&str>) -> Value {
    let mut request =
        json!({ "id": id, "statistic": "mean", "of": ["opinion"], "by": by, "missing": "drop" });
    if let Some(condition) = condition {
        request["where"] = json!(condition);
    }
    request
}

/// Respondents behind the first shown figure of a request.
fn base(rows: &[SafeRow], id: &str) -> Option<usize> {
    rows.iter().filter(|r| r.id() == id).find_map(|r| r.figure().n())
}

#[test]
fn a_hidden_group_does_not_come_back_as_the_total_without_the_others() {
    let people = people(1);
    let mut log = ReleaseLog::default();
    let by_area = plan(None, json!([mean("by_area", &["area"], None), mean("all", &[], None)]));
    let (_, first) = ask(&mut log, &people, &by_area);
    let hidden = |rows: &[SafeRow], area: &str| {
        rows.iter()
            .filter(|r| r.group().get("area").is_some_and(|a| a == area))
            .all(|r| r.figure().is_hidden())
    };
    assert!(hidden(&first, "F") && hidden(&first, "E") && !hidden(&first, "A"));
    let others = plan(None, json!([mean("others", &[], Some("area <> 'F'"))]));
    let (alone, logged) = ask(&mut log, &people, &others);
    let total = base(&first, "all").expect("shown");
    assert_eq!(total - base(&alone, "others").expect("shown"), 18, "who judges each request alone tells it");
    assert_eq!(base(&logged, "others"), None);
}

#[test]
fn two_filters_that_differ_by_a_few_people_are_not_both_answered() {
    let people = people(2);
    let few = people.iter().filter(|p| p[1] == "A" && p[3] == "1" && p[2] == "2").count();
    assert!(few > 0 && few < 30, "{few}");
    let mut log = ReleaseLog::default();
    let all = plan(None, json!([mean("a", &[], Some("area = 'A'"))]));
    let fewer = plan(None, json!([mean("b", &[], Some("NOT (age = 1 AND sex = '2') AND area = 'A'"))]));
    let (_, first) = ask(&mut log, &people, &all);
    let (alone, second) = ask(&mut log, &people, &fewer);
    let whole = base(&first, "a").expect("shown");
    assert_eq!(whole - base(&alone, "b").expect("shown"), few);
    assert_eq!(base(&second, "b"), None);
}

/// Everybody − those under 3 in age − those over 3 are the 3s of one sex and area, though no two of the three differ by
/// few.
#[test]
fn a_gap_between_two_filters_is_not_left() {
    let people = people(3);
    let gap = people.iter().filter(|p| p[1] == "C" && p[3] == "3" && p[2] == "1").count();
    assert!(gap > 0 && gap < 10, "{gap}");
    let inside = "(area = 'C' AND age = 3 AND sex = '1')";
    let mut log = ReleaseLog::default();
    let ask_for = |log: &mut ReleaseLog, id: &str, condition: &str| {
        ask(log, &people, &plan(None, json!([mean(id, &[], Some(condition))])))
    };
    let (_, low) = ask_for(&mut log, "low", &format!("age <= 3 AND NOT {inside}"));
    let (alone, high) = ask_for(&mut log, "high", "age > 3");
    let total = people.len();
    assert_eq!(total - base(&low, "low").expect("first asked") - base(&alone, "high").expect("shown"), gap);
    assert_eq!(base(&high, "high"), None);
}

#[test]
fn the_same_question_gets_the_same_answer_whatever_its_words() {
    let people = people(4);
    let mut log = ReleaseLog::default();
    let words = [
        "area IN ('A', 'B') AND age BETWEEN 2 AND 5",
        "NOT (age < 2 OR age > 5) and (area = 'B' OR 'A' = area)",
    ];
    let asked = |log: &mut ReleaseLog, words: &str| {
        ask(log, &people, &plan(None, json!([mean("r", &["sex"], Some(words))]))).1
    };
    let first = asked(&mut log, words[0]);
    let again = asked(&mut log, words[0]);
    let otherwise = asked(&mut log, words[1]);
    assert!(first.iter().any(|r| r.figure().n().is_some()));
    assert_eq!(first, again);
    assert_eq!(first, otherwise);
    let queries: Vec<&str> = log.queries().collect();
    assert!(queries.len() == 3 && queries.iter().all(|q| *q == queries[0]), "{queries:?}");
    let other = asked(&mut log, "area IN ('A', 'C') AND age BETWEEN 2 AND 5");
    assert_ne!(first, other);
    assert_ne!(log.queries().last(), log.queries().next());
}

/// The last counts of four people who skipped a question, by subtraction; the figure itself may stay.
#[test]
fn how_few_did_not_answer_is_not_told_by_the_base() {
    let people = people(5);
    let mut log = ReleaseLog::default();
    let request =
        json!([{ "id": "more", "statistic": "mean", "of": ["more"], "missing": "drop", "deff": true }]);
    let (alone, logged) = ask(&mut log, &people, &plan(Some("w"), request));
    assert_eq!(people.len() - base(&alone, "more").expect("shown"), 4);
    let shown: Vec<_> = logged.iter().filter(|r| !r.figure().is_hidden()).collect();
    assert!(!shown.is_empty());
    for row in shown {
        assert!(row.figure().estimate().is_some() && row.figure().se().is_some());
        assert_eq!((row.figure().n(), row.figure().deff()), (None, None), "{row:?}");
    }
}

/// 7 of 100, weighted to 0.14: the share looks safe, the people are seven.
#[test]
fn a_share_is_judged_by_the_people_behind_it_not_by_their_weights() {
    let line = |i: usize| {
        let (answer, weight) = if i < 7 { ("rare", 2.0) } else { ("common", 1.0) };
        format!("c{},{answer},{weight}\n", i % 10)
    };
    let text = format!("cluster,opinion,w\n{}", (0..100).map(line).collect::<String>());
    let data = Table::parse_csv(&text, "data.csv", &Types::default()).expect("a table");
    let plan = plan_of(
        json!({ "design": { "clusters": ["cluster"], "weights": "w" }, "requests": [mean("r", &[], None)] }),
    );
    let results = estimation::estimate(&data, &plan).expect("estimates");
    let alone = gate(&results.results, &Rules::default()).expect("nothing refused");
    let interview = |i: usize| Interview { id: i.to_string(), cluster: format!("c{}", i % 10) };
    let snapshot =
        Snapshot { id: "s".into(), date: "d".into(), interviews: (0..100).map(interview).collect() };
    let mut log = ReleaseLog::default();
    let logged =
        gate_with(&mut log, &snapshot, &data, &plan, &results.results, &Rules::default()).expect("a release");
    let rare =
        |rows: &[SafeRow]| rows.iter().find(|r| r.category() == Some("rare")).map(|r| r.figure().is_hidden());
    assert_eq!((rare(&alone), rare(&logged)), (Some(false), Some(true)));
}

fn plan_of(plan: Value) -> Plan {
    serde_json::from_value(plan).expect("a plan")
}

#[test]
fn a_filter_on_a_small_area_is_a_crossing_too() {
    let people = people(6);
    let data = table(&people);
    let rules = Rules {
        ethnicity: ["sex".to_owned()].into(),
        small_areas: ["area".to_owned()].into(),
        ..Rules::default()
    };
    let plan = plan(None, json!([mean("r", &["sex"], Some("'A' = area"))]));
    let results = estimation::estimate(&data, &plan).expect("estimates");
    assert!(gate(&results.results, &rules).is_ok(), "the rows do not show the filter");
    let refused = gate_with(
        &mut ReleaseLog::default(),
        &snapshot("s", &people),
        &data,
        &plan,
        &results.results,
        &rules,
    );
    assert!(matches!(refused, Err(ReleaseError::Gate(_))), "{refused:?}");
}

#[test]
fn a_contrast_of_a_hidden_figure_is_hidden() {
    let people = people(6);
    let mut log = ReleaseLog::default();
    let weights = |a: &str, b: &str| json!({ format!("age@area={a}"): 1.0, format!("age@area={b}"): -1.0 });
    let (_, rows) = ask(
        &mut log,
        &people,
        &plan(
            Some("w"),
            json!([
                { "id": "m", "statistic": "mean", "of": ["age"], "by": ["area"] },
                { "id": "ab", "statistic": "contrast", "between": "m", "weights": weights("A", "B") },
                { "id": "ae", "statistic": "contrast", "between": "m", "weights": weights("A", "E") },
            ]),
        ),
    );
    let hidden = |id: &str| rows.iter().find(|r| r.id() == id).map(|r| r.figure().is_hidden());
    assert_eq!((hidden("ab"), hidden("ae")), (Some(false), Some(true)));
}

/// `part` is first everybody but the young, then everybody but the young of F: the name is the same, the people are not.
#[test]
fn a_name_that_means_something_else_is_another_question() {
    let people = people(12);
    let mut log = ReleaseLog::default();
    let of = |condition: &str| {
        plan_of(json!({
            "types": { "sex": "category", "age": "number" },
            "derive": { "part": format!("CASE WHEN {condition} THEN 'out' ELSE 'in' END") },
            "design": { "clusters": ["cluster"] },
            "requests": [mean("r", &[], Some("part = 'in'"))]
        }))
    };
    let (alone, first) = ask(&mut log, &people, &of("age <= 2"));
    assert!(base(&first, "r").is_some() && base(&alone, "r") == base(&first, "r"));
    let (alone, second) = ask(&mut log, &people, &of("age <= 2 AND area = 'F'"));
    let few = people.len() - base(&alone, "r").expect("shown");
    assert!(few > 0 && few < 10, "{few}");
    assert_eq!(base(&second, "r"), None);
}

#[test]
fn the_log_is_read_back_as_it_was_written_and_holds_no_hidden_number() {
    let people = people(7);
    let mut log = ReleaseLog::default();
    let request = plan(None, json!([mean("by_area", &["area"], None)]));
    let (_, first) = ask(&mut log, &people, &request);
    assert_eq!(log.len(), 2, "the snapshot and the release");
    let text = log.lines_from(0);
    for line in text.lines().skip(1) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        for figure in line["release"]["figures"].as_array().expect("figures") {
            assert_eq!(figure["went"] == "shown", figure.get("n").is_some(), "{figure}");
        }
    }
    let mut read = ReleaseLog::parse(&text).expect("the log");
    let (_, again) = ask(&mut read, &people, &request);
    assert_eq!(first, again);
    assert!(read.lines_from(0).starts_with(&text));
    let broken = ReleaseLog::parse(&text.replacen("snapshot", "sn", 1));
    assert!(matches!(broken, Err(ReleaseError::Log { line: 1, .. })), "{broken:?}");
}

fn release(
    log: &mut ReleaseLog,
    id: &str,
    people: &[Person],
    plan: &Plan,
) -> Result<Vec<SafeRow>, ReleaseError> {
    let data = table(people);
    let results = estimation::estimate(&data, plan).expect("estimates");
    gate_with(log, &snapshot(id, people), &data, plan, &results.results, &Rules::default())
}

#[test]
fn a_snapshot_that_differs_by_few_interviews_releases_nothing() {
    let people = people(8);
    let by_sex = plan(None, json!([mean("r", &["sex"], None)]));
    let mut log = ReleaseLog::default();
    release(&mut log, "early", &people[..380], &by_sex).expect("a release");
    let lines = log.len();
    let near = release(&mut log, "next", &people[..400], &by_sex);
    let too_near = |e: &ReleaseError| {
        matches!(e, ReleaseError::Snapshot { source: SnapshotError::TooNear { interviews: 20, .. }, .. })
    };
    assert!(near.as_ref().is_err_and(too_near), "{near:?}");
    assert_eq!(log.len(), lines, "nothing is logged of what did not leave");
    let renamed = release(&mut log, "early", &people[..379], &by_sex);
    assert!(matches!(renamed, Err(ReleaseError::Changed { .. })), "{renamed:?}");
    assert!(release(&mut log, "final", &people, &by_sex).is_ok());
}

/// Between the snapshots 36 interviews came, four of them in one area: its new figures are held back, those of areas with
/// ten new ones or none are not.
#[test]
fn an_area_that_grew_by_four_keeps_its_old_figures() {
    let people = people(9);
    let of = |area: &str, from: usize, to: usize| {
        people.iter().filter(|p| p[1] == area).skip(from).take(to - from).cloned().collect::<Vec<_>>()
    };
    let mut early: Vec<Person> =
        [of("A", 0, 80), of("B", 0, 90), of("C", 0, 80), of("D", 0, 50), of("E", 0, 41)].concat();
    let by_area = plan(None, json!([{ "id": "r", "statistic": "mean", "of": ["age"], "by": ["area"] }]));
    let mut log = ReleaseLog::default();
    let first = release(&mut log, "early", &early, &by_area).expect("a release");
    early.extend([of("A", 80, 110), of("B", 90, 94)].concat());
    early.extend(of("D", 50, 62));
    let second = release(&mut log, "final", &early, &by_area).expect("a release");
    let n = |rows: &[SafeRow], area: &str| {
        rows.iter().find(|r| r.group()["area"] == area).and_then(|r| r.figure().n())
    };
    assert_eq!(n(&first, "B"), Some(90));
    assert_eq!((n(&second, "A"), n(&second, "B"), n(&second, "E")), (Some(110), None, Some(41)));
}

/// Four interviews of B were withdrawn while 40 came in A: a new number of B would tell that of the four.
#[test]
fn an_area_that_lost_four_keeps_its_old_figures() {
    let (b, others): (Vec<Person>, Vec<Person>) = people(10).into_iter().partition(|p| p[1] == "B");
    let stay = [others, b[4..].to_vec()].concat();
    let early = [stay.clone(), b[..4].to_vec()].concat();
    let new: Vec<Person> = people(11).into_iter().filter(|p| p[1] == "A").take(40).collect();
    let by_area = plan(None, json!([{ "id": "r", "statistic": "mean", "of": ["age"], "by": ["area"] }]));
    let mut log = ReleaseLog::default();
    let first = release(&mut log, "early", &early, &by_area).expect("a release");
    let second = release(&mut log, "final", &[stay, new].concat(), &by_area).expect("a release");
    let n = |rows: &[SafeRow], area: &str| {
        rows.iter().find(|r| r.group()["area"] == area).and_then(|r| r.figure().n())
    };
    assert_eq!((n(&first, "A"), n(&first, "B"), n(&first, "C")), (Some(120), Some(95), Some(80)));
    assert_eq!((n(&second, "A"), n(&second, "B"), n(&second, "C")), (Some(160), None, Some(80)));
}

/// A combination of area, sex, age and opinion.
type Atom = [usize; 4];

/// Which combinations a request's filter lets through, by request.
type Filters<'a> = BTreeMap<&'a str, &'a dyn Fn(&Atom) -> bool>;

/// Somebody with all figures of all releases: every count of people with one combination of the four is unknown and not
/// negative; what was shown of a domain is a sum of them.
struct Attacker {
    atoms: Vec<Atom>,
    known: Vec<(Vec<usize>, f64)>,
}

const LEVELS: [&[&str]; 4] =
    [&["A", "B", "C", "D", "E", "F"], &["1", "2"], &["1", "2", "3", "4", "5", "6"], &["no", "unsure", "yes"]];
const COLUMNS: [&str; 4] = ["area", "sex", "age", "opinion"];

impl Attacker {
    fn new(people: usize) -> Self {
        let mut atoms = Vec::new();
        for area in 0..6 {
            for sex in 0..2 {
                for age in 0..6 {
                    atoms.extend((0..3).map(|opinion| [area, sex, age, opinion]));
                }
            }
        }
        let all = (0..atoms.len()).collect();
        Self { atoms, known: vec![(all, people as f64)] }
    }

    fn domain(&self, group: &BTreeMap<String, String>, condition: &dyn Fn(&Atom) -> bool) -> Vec<usize> {
        let fits = |atom: &Atom| {
            condition(atom)
                && group.iter().all(|(column, level)| {
                    let at = COLUMNS.iter().position(|c| c == column).expect("a column");
                    LEVELS[at][atom[at]] == level
                })
        };
        (0..self.atoms.len()).filter(|i| fits(&self.atoms[*i])).collect()
    }

    /// Takes what a release shows; all weights are 1, so shares and weighted totals are counts.
    fn learn(&mut self, rows: &[SafeRow], conditions: &Filters) {
        for row in rows {
            let (Some(n), Some(estimate)) = (row.figure().n(), row.figure().estimate()) else { continue };
            let (base, answer) = self.cells(row, conditions);
            self.known.push((base, n as f64));
            let count = if row.statistic() == "total" { estimate } else { estimate * n as f64 };
            self.known.push((answer, count.round()));
        }
    }

    fn cells(&self, row: &SafeRow, conditions: &Filters) -> (Vec<usize>, Vec<usize>) {
        let mut group: BTreeMap<String, String> =
            row.group().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let condition = conditions[row.id()];
        let base = self.domain(&group, condition);
        group.insert("opinion".into(), row.category().expect("an answer").into());
        (base, self.domain(&group, condition))
    }

    /// Least and most people that a domain can have.
    fn bounds(&self, domain: &[usize]) -> (f64, f64) {
        let one = |direction| {
            let mut problem = Problem::new(direction);
            let count: Vec<_> = (0..self.atoms.len())
                .map(|i| problem.add_var(f64::from(u8::from(domain.contains(&i))), (0.0, f64::INFINITY)))
                .collect();
            for (cells, n) in &self.known {
                let terms: Vec<_> = cells.iter().map(|i| (count[*i], 1.0)).collect();
                problem.add_constraint(terms, ComparisonOp::Eq, *n);
            }
            let mut options = microlp::SolveOptions::default();
            options.presolve = false;
            let solution = problem.solve_with(options).ok().and_then(|o| o.into_solution().ok());
            solution.expect("the truth is a solution").objective()
        };
        (one(OptimizationDirection::Minimize), one(OptimizationDirection::Maximize))
    }
}

/// Linked requests, some released together; returns the narrowest bounds of a count of 1 … 9 people, or of a base under
/// 30, that some request asked for, with rows judged alone and with the log; and how many figures are shown.
fn attack(seed: u64, releases: &[Value]) -> (f64, f64, usize) {
    let people = people(seed);
    let not_f = |a: &Atom| a[0] != 5;
    let young = |a: &Atom| a[2] < 3;
    let all = |_: &Atom| true;
    let conditions: Filters = BTreeMap::from([
        ("area", &all as &dyn Fn(&Atom) -> bool),
        ("all", &all),
        ("not_f", &not_f),
        ("area_sex", &all),
        ("young_area", &young),
        ("young", &young),
        ("total", &all),
        ("total_sex", &all),
    ]);
    let mut log = ReleaseLog::default();
    let (mut alone, mut logged) = (Attacker::new(people.len()), Attacker::new(people.len()));
    let (mut hidden, mut shown) = (Vec::new(), 0);
    for requests in releases {
        let (a, b) = ask(&mut log, &people, &plan(None, requests.clone()));
        alone.learn(&a, &conditions);
        logged.learn(&b, &conditions);
        shown += b.iter().filter(|r| !r.figure().is_hidden()).count();
        for row in &b {
            let (base, answer) = logged.cells(row, &conditions);
            let count = |cells: &[usize]| {
                let is_in = |p: &&Person| {
                    let at = |i: usize| LEVELS[i].iter().position(|l| *l == p[i + 1]).expect("a level");
                    cells.iter().any(|c| logged.atoms[*c] == [at(0), at(1), at(2), at(3)])
                };
                people.iter().filter(is_in).count()
            };
            if (1..30).contains(&count(&base)) {
                hidden.push(base);
            }
            if (1..10).contains(&count(&answer)) {
                hidden.push(answer);
            }
        }
    }
    hidden.sort();
    hidden.dedup();
    let narrowest = |attacker: &Attacker| {
        let widths = hidden.iter().map(|cells| attacker.bounds(cells)).map(|(low, high)| high - low);
        widths.fold(f64::INFINITY, f64::min)
    };
    (narrowest(&alone), narrowest(&logged), shown)
}

fn is_broken(width: f64) -> bool {
    width < THRESHOLD - 1e-6
}

#[test]
fn nobody_with_all_figures_bounds_a_hidden_count() {
    let releases = [
        json!([mean("area", &["area"], None), mean("all", &[], None)]),
        json!([mean("not_f", &["sex"], Some("NOT area = 'F'")), mean("area_sex", &["area", "sex"], None)]),
        json!([mean("young_area", &["area"], Some("age <= 3")), mean("young", &["sex"], Some("age < 4"))]),
    ];
    for seed in 20..26 {
        let (alone, logged, shown) = attack(seed, &releases);
        assert!(is_broken(alone), "seed {seed}: judged request by request it should break: {alone}");
        assert!(!is_broken(logged), "seed {seed}: {logged}");
        assert!(shown >= 12, "seed {seed}: only {shown} figures are left");
    }
}

/// Shares, bases and weighted totals of one answer, with margins that only together tell what is hidden.
#[test]
fn nobody_with_the_figures_of_one_answer_bounds_a_hidden_count() {
    let total = |id: &str, by: &[&str]| json!({ "id": id, "statistic": "total", "of": ["opinion"], "by": by, "missing": "drop", "deff": true });
    let together = [json!([
        mean("area", &["area"], None),
        mean("all", &[], None),
        mean("not_f", &[], Some("area <> 'F'")),
        total("total", &["area"]),
        total("total_sex", &["sex"]),
        mean("area_sex", &["area", "sex"], None),
    ])];
    for seed in 30..36 {
        let (alone, logged, shown) = attack(seed, &together);
        assert!(is_broken(alone), "seed {seed}: judged request by request it should break: {alone}");
        assert!(!is_broken(logged), "seed {seed}: {logged}");
        assert!(shown >= 12, "seed {seed}: only {shown} figures are left");
    }
}
