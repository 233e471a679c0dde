//! Samples of several years by permanent numbers: probabilities stay as stated, the wished share is kept.

mod sampling_fit;

use std::collections::HashSet;

use analysis::sampling::{Drawn, Earlier, Plan, draw, draw_after, draw_from};
use analysis::table::{Table, Types};
use sampling_fit::Counts;
use serde_json::{Value, json};

const VILLAGES: usize = 40;

/// In the second year three villages have grown, two are gone, and two are new.
fn frame(year: usize) -> Table {
    let mut text = String::from("village,area,size\n");
    for i in 0..VILLAGES {
        let new = i >= VILLAGES - 2;
        if (year == 1 && new) || (year > 1 && (i == 7 || i == 11)) {
            continue;
        }
        let grown = if year > 1 && i % 13 == 2 { 1.5 } else { 1.0 };
        let area = if i % 4 == 0 { "A" } else { "B" };
        text.push_str(&format!("v{i},{area},{}\n", grown * (20 + (i * 37) % 60) as f64));
    }
    Table::parse_csv(&text, "frame.csv", &Types::new()).expect("a frame")
}

fn plan(method: &str, coordinate: Value) -> Plan {
    let plan = json!({
        "frame": "frame.csv", "strata": "area",
        "stages": [{
            "unit": "village", "size": "size", "method": method, "coordinate": coordinate,
            "allocation": {"method": "given", "n": {"A": 3, "B": 6}}
        }]
    });
    Plan::from_json(&plan.to_string()).expect("a plan")
}

fn earlier(drawn: &Drawn) -> Earlier {
    let numbers = drawn.numbers.as_ref().expect("a coordinated draw has numbers");
    Earlier::of(&drawn.sample, numbers, "sample.csv", "village").expect("a sample with its numbers")
}

fn places(drawn: &Drawn) -> Vec<usize> {
    let column = drawn.sample.column("village").expect("the unit");
    let name = |row: usize| column.text(row).expect("a name").into_owned();
    (0..drawn.sample.height()).map(|row| name(row)[1..].parse().expect("a number")).collect()
}

/// Three years: the second keeps `keep` of the first, the third half of the second. In every year each village comes at
/// the probability stated that year, whatever the years before had drawn; and the share kept is the wished one.
fn years_keep_their_probabilities(draws: u64) {
    for method in ["srs", "pps_poisson", "pps_correlated"] {
        for keep in [0.0, 0.5, 0.8, 1.0] {
            let first = plan(method, json!({}));
            let next = |keep: f64| plan(method, json!({"with": "sample.csv", "keep": keep}));
            let (second, third) = (next(keep), next(0.5));
            let (one, two) = (frame(1), frame(2));
            let mut counts = [Counts::new(VILLAGES), Counts::new(VILLAGES), Counts::new(VILLAGES)];
            let mut stated = vec![vec![0.0; VILLAGES]; 3];
            let (mut expected, mut kept, mut had, mut squares) = ([0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]);
            for seed in 0..draws {
                let a = draw_from(&one, &first, Some(seed)).expect("the first year");
                let b = draw_after(&earlier(&a), &two, &second, Some(seed + draws)).expect("the second year");
                let c =
                    draw_after(&earlier(&b), &two, &third, Some(seed + 2 * draws)).expect("the third year");
                for (year, drawn) in [&a, &b, &c].into_iter().enumerate() {
                    let p = drawn.sample.numbers("p_1").expect("numbers");
                    let own = places(drawn);
                    counts[year].add(&own);
                    own.into_iter().zip(p.iter()).for_each(|(place, p)| stated[year][place] = *p);
                    if method != "pps_poisson" {
                        assert_eq!(drawn.sample.height(), 9, "{method}");
                    }
                }
                for (step, (before, now)) in [(&a, &b), (&b, &c)].into_iter().enumerate() {
                    let done = now.design.coordination.as_ref().expect("a coordinated draw");
                    let own: HashSet<usize> = places(before).into_iter().collect();
                    assert_eq!(done.earlier, own.len());
                    assert_eq!(done.kept, places(now).iter().filter(|place| own.contains(place)).count());
                    let off = done.kept as f64 - done.expected;
                    expected[step] += done.expected;
                    kept[step] += done.kept as f64;
                    had[step] += own.len() as f64;
                    squares[step] += off * off;
                }
            }
            for year in 0..3 {
                counts[year].assert_fit(&format!("{method}, keep {keep}, year {}", year + 1), &stated[year]);
            }
            for step in 0..2 {
                let wished = if step == 0 { keep } else { 0.5 };
                let (share, said) = (kept[step] / had[step], expected[step] / had[step]);
                println!("{method}, keep {wished}, year {}: kept {share:.3}, expected {said:.3}", step + 2);
                if method == "pps_poisson" {
                    // Independent draws: what is said is the expectation itself.
                    let room = 4.0 * squares[step].sqrt();
                    assert!(
                        (kept[step] - expected[step]).abs() <= room,
                        "{method} {keep}: {share} for {said}"
                    );
                } else {
                    // Fixed sizes move it; hardly any village of these has a probability above one half.
                    assert!((share - said).abs() < 0.1, "{method} {keep}: {share} for {said}");
                }
                assert!((said - wished).abs() < 0.1, "{method} {keep}: {said}");
            }
        }
    }
}

#[test]
fn every_year_has_its_stated_probabilities_and_keeps_the_wished_share() {
    years_keep_their_probabilities(500);
}

#[test]
#[ignore = "20,000 draws of three years a method: ./dev test --all"]
fn every_year_has_its_stated_probabilities_in_20_000_draws() {
    years_keep_their_probabilities(20_000);
}

/// The same frame, everything kept: the same sample. Nothing kept: another one, as far as probabilities allow.
#[test]
fn all_or_nothing_can_be_kept() {
    for method in ["srs", "pps_poisson", "pps_correlated"] {
        let a = draw_from(&frame(1), &plan(method, json!({})), Some(3)).expect("a sample");
        let again = |keep: f64| {
            let plan = plan(method, json!({"with": "sample.csv", "keep": keep}));
            draw_after(&earlier(&a), &frame(1), &plan, Some(99)).expect("a sample")
        };
        assert_eq!(places(&again(1.0)), places(&a), "{method}");
        let old: HashSet<usize> = places(&a).into_iter().collect();
        let new: HashSet<usize> = places(&again(0.0)).into_iter().collect();
        // Fixed sizes may leave one.
        let left = usize::from(method == "pps_correlated");
        assert!(old.intersection(&new).count() <= left, "{method}: {old:?} {new:?}");
    }
}

/// 100 of 100 + 10 + 10 + 10 is certain for n = 2, so one of two units stays whatever is asked.
#[test]
fn a_share_that_cannot_be_exchanged_is_said_with_its_reason() {
    let mut text = String::from("village,size\n");
    for i in 0..8 {
        text.push_str(&format!("v{i},{}\n", if i < 5 { 1000 } else { 10 }));
    }
    let frame = Table::parse_csv(&text, "frame.csv", &Types::new()).expect("a frame");
    let plan = |coordinate: Value| {
        let stage = json!({"unit": "village", "size": "size", "method": "pps_correlated", "take": 6, "coordinate": coordinate});
        Plan::from_json(&json!({"frame": "frame.csv", "stages": [stage]}).to_string()).expect("a plan")
    };
    let a = draw_from(&frame, &plan(json!({})), Some(1)).expect("a sample");
    let b = draw_after(&earlier(&a), &frame, &plan(json!({"with": "sample.csv", "keep": 0.2})), Some(2))
        .expect("a sample");
    let all = b.warnings.join("\n");
    assert!(all.contains("asks to keep 20% of the 6 units of sample.csv, but 8"), "{all}");
    assert!(all.contains("5 are certain, so they stay"), "{all}");
    let gone = Table::parse_csv(
        "village,size\nv5,10\nv6,10\nn1,10\nn2,10\nn3,10\nn4,10\nn5,10\n",
        "f",
        &Types::new(),
    )
    .expect("a frame");
    let c = draw_after(&earlier(&a), &gone, &plan(json!({"with": "sample.csv", "keep": 1})), Some(2))
        .expect("a sample");
    assert!(c.warnings.join("\n").contains("are not in the frame any more"), "{:?}", c.warnings);
    let numbers = c.numbers.expect("numbers");
    assert_eq!(numbers.height(), 7 + 6, "units that left keep their numbers, should they return");
}

#[test]
fn the_numbers_lie_beside_the_sample_and_the_next_year_reads_them() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sampling_years");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("frame.csv"), frame(1).to_csv()).expect("written");
    let first = draw(&plan("pps_correlated", json!({})), &folder, Some(2025)).expect("2025");
    first.write(&folder.join("sample-2025.csv")).expect("written");
    std::fs::write(folder.join("frame.csv"), frame(2).to_csv()).expect("written");
    let next = plan("pps_correlated", json!({"with": "sample-2025.csv", "keep": 0.5}));
    let second = draw(&next, &folder, Some(2026)).expect("2026");
    let again = draw(&next, &folder, Some(2026)).expect("2026");
    assert_eq!(second.to_csv(), again.to_csv());
    let in_memory = draw_after(&earlier(&first), &frame(2), &next, Some(2026)).expect("2026");
    assert_eq!(second.to_csv(), in_memory.to_csv(), "numbers read back exactly");

    std::fs::remove_file(folder.join("sample-2025.csv.numbers.csv")).expect("it was there");
    let error = draw(&next, &folder, Some(2026)).expect_err("without numbers").to_string();
    assert!(error.contains("sample-2025.csv: has no permanent numbers"), "{error}");
    assert!(error.contains("`\"coordinate\": {}`"), "{error}");
}

#[test]
fn what_cannot_be_coordinated_is_refused_with_what_can() {
    let refused = |method: &str, coordinate: Value| {
        draw_from(&frame(1), &plan(method, coordinate), Some(1)).expect_err("refused").to_string()
    };
    let error = refused("pps_systematic", json!({}));
    assert!(error.contains("`pps_systematic` cannot be drawn by permanent numbers; use `srs`"), "{error}");
    assert!(refused("srs", json!({"with": "a.csv"})).contains("`keep`: is missing"));
    assert!(refused("srs", json!({"keep": 0.5})).contains("`with`: is missing"));
    assert!(refused("srs", json!({"with": "a.csv", "keep": 1.5})).contains("outside 0 to 1"));
}
