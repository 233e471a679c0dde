//! What `sample draw` promises: probabilities, certainty, reserves, listing, merging, faults, bytes.

use std::path::PathBuf;

use analysis::sampling::{Drawn, Plan, SamplingError, draw, draw_from, draw_listing, draw_listing_from};
use analysis::table::{Table, Types};
use serde_json::{Value, json};

fn table(text: &str) -> Table {
    let csv: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(","))
        .filter(|line| !line.is_empty())
        .collect();
    Table::parse_csv(&csv.join("\n"), "frame.csv", &Types::new()).expect("a table")
}

fn plan(json: Value) -> Plan {
    Plan::from_json(&json.to_string()).expect("a plan")
}

fn column(drawn: &Drawn, name: &str) -> Vec<String> {
    let column = drawn.sample.column(name).expect("a column of the sample");
    (0..drawn.sample.height()).map(|row| column.text(row).unwrap_or_default().into_owned()).collect()
}

fn numbers(drawn: &Drawn, name: &str) -> Vec<f64> {
    drawn.sample.numbers(name).expect("numbers").to_vec()
}

fn said(error: &SamplingError) -> String {
    error.to_string()
}

const FOUR: &str = "
    village size
    a         10
    b         20
    c         30
    d         40
";

/// Σ size = 100, n = 2: π = 0.2, 0.4, 0.6, 0.8; C = 0.2, 0.6, 1.2, 2.0; the points 0.5 and 1.5 fall on b and d.
#[test]
fn systematic_pps_takes_the_units_on_which_the_points_fall() {
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 1,
        "stages": [{"unit": "village", "size": "size", "method": "pps_systematic", "start": 0.5, "take": 2}]
    }));
    let drawn = draw_from(&table(FOUR), &plan, None).expect("a sample");
    assert_eq!(column(&drawn, "village"), ["b", "d"]);
    assert_eq!(column(&drawn, "stratum"), ["all", "all"]);
    assert_eq!(numbers(&drawn, "p_1"), [0.4, 0.8]);
    assert_eq!(numbers(&drawn, "weight"), [2.5, 1.25]);
    assert_eq!(column(&drawn, "order_1"), ["1", "2"]);
    assert_eq!(column(&drawn, "variance_psu"), ["b", "d"]);
}

/// n = 2 of 100, 10, 10, 10: the first would have π = 200/130, so it is certain and one of three is drawn.
#[test]
fn a_certain_unit_is_its_own_stratum_and_its_dwellings_are_the_psus() {
    let frame = table(
        "
        village size dwellings
        big      100  10
        b         10   5
        c         10   5
        d         10   5
    ",
    );
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 7,
        "stages": [
            {"unit": "village", "size": "size", "method": "pps_sampford", "take": 2},
            {"unit": "dwelling", "of": "dwellings", "method": "srs", "take": 5}
        ]
    }));
    let drawn = draw_from(&frame, &plan, None).expect("a sample");
    assert_eq!(drawn.sample.height(), 10);
    let (village, p, stratum) =
        (column(&drawn, "village"), numbers(&drawn, "p_1"), column(&drawn, "variance_stratum"));
    let (psu, dwelling) = (column(&drawn, "variance_psu"), column(&drawn, "dwelling"));
    for row in 0..10 {
        if village[row] == "big" {
            assert_eq!((p[row], stratum[row].as_str()), (1.0, "all/big"));
            assert_eq!(psu[row], format!("big/{}", dwelling[row]));
            assert_eq!(numbers(&drawn, "weight")[row], 2.0);
        } else {
            assert!((p[row] - 1.0 / 3.0).abs() < 1e-15);
            assert_eq!((stratum[row].as_str(), &psu[row]), ("all", &village[row]));
            assert_eq!(column(&drawn, "certainty_2")[row], "1", "5 of 5 dwellings");
        }
    }
    assert_eq!(drawn.certainty.iter().map(|c| c.unit.as_str()).collect::<Vec<_>>(), ["big"]);
    assert!(drawn.warnings.iter().any(|w| w.contains("single drawn unit")), "{:?}", drawn.warnings);
}

fn two_stages(reserve: u64) -> Plan {
    plan(json!({
        "frame": "frame.csv", "strata": ["area"], "seed": 11,
        "stages": [
            {"unit": "village", "size": "size", "method": "pps_systematic", "reserve": reserve, "take": 2},
            {"unit": "dwelling", "of": "dwellings", "method": "srs", "take": 3, "reserve": reserve}
        ]
    }))
}

const AREAS: &str = "
    village area size dwellings
    a1      A     10  8
    a2      A     20  9
    a3      A     15  10
    a4      A     12  11
    b1      B     30  12
    b2      B     25  13
    b3      B     35  14
";

#[test]
fn reserves_have_an_order_but_no_weight_and_move_no_main_unit() {
    let (with, without) = (
        draw_from(&table(AREAS), &two_stages(1), None).expect("a sample"),
        draw_from(&table(AREAS), &two_stages(0), None).expect("a sample"),
    );
    let key = |d: &Drawn| -> Vec<(String, String, String)> {
        let (v, n, w, role) =
            (column(d, "village"), column(d, "dwelling"), column(d, "weight"), column(d, "role"));
        (0..v.len())
            .filter(|i| role[*i] == "main")
            .map(|i| (v[i].clone(), n[i].clone(), w[i].clone()))
            .collect()
    };
    assert_eq!(key(&with), key(&without));
    assert_eq!(key(&with).len(), 12);
    // 2 + 1 villages in each of 2 strata, 3 + 1 dwellings each.
    assert_eq!(with.sample.height(), 24);
    let (role, weight, order) = (column(&with, "role"), column(&with, "weight"), column(&with, "order_1"));
    for row in 0..24 {
        assert_eq!(role[row] == "reserve", weight[row].is_empty());
        assert!(role[row] == "reserve" || order[row] != "3", "the third village of a stratum is its reserve");
    }
}

#[test]
fn strata_have_streams_of_their_own() {
    let all = draw_from(&table(AREAS), &two_stages(1), None).expect("a sample");
    let only: String = AREAS.lines().filter(|l| !l.contains(" A ")).collect::<Vec<_>>().join("\n");
    let alone = draw_from(&table(&only), &two_stages(1), None).expect("a sample");
    let of = |d: &Drawn| -> Vec<(String, String)> {
        let pairs = column(d, "village").into_iter().zip(column(d, "dwelling"));
        pairs.filter(|(village, _)| village.starts_with('b')).collect()
    };
    assert_eq!(of(&all), of(&alone));
}

#[test]
fn a_listing_draws_among_the_listed_dwellings_from_the_same_seed() {
    let plan = two_stages(2);
    let frame = table(AREAS);
    let first = draw_from(&frame, &plan, None).expect("a sample");
    let mut villages = column(&first, "village");
    villages.dedup();
    let same: Vec<String> = villages
        .iter()
        .map(|v| {
            let line = AREAS.lines().find(|l| l.trim().starts_with(v.as_str())).expect("the village");
            format!("{v} {}", line.split_whitespace().last().expect("its dwellings"))
        })
        .collect();
    let listing = table(&format!("village dwellings\n{}", same.join("\n")));
    let again = draw_listing_from(&frame, &plan, 2, &listing, None).expect("a sample");
    assert_eq!(again.to_csv(), first.to_csv(), "as many dwellings as the frame says: the same draw");

    let changed = table(&format!("village dwellings released\n{} 20 1", villages[0]));
    let one = draw_listing_from(&frame, &plan, 2, &changed, None).expect("a sample");
    // Take 3 + 1 released of 20 listed; the other reserve stays one.
    assert_eq!(one.sample.height(), 5);
    assert_eq!(numbers(&one, "p_2"), [0.2; 5]);
    assert_eq!(column(&one, "role").iter().filter(|r| *r == "main").count(), 4);
    assert!(one.warnings.iter().any(|w| w.contains("not listed yet") && w.contains(&villages[1])));
    let few = table(&format!("village dwellings\n{} 2", villages[0]));
    let few = draw_listing_from(&frame, &plan, 2, &few, None).expect("a sample");
    assert_eq!((numbers(&few, "p_2"), few.sample.height()), (vec![1.0, 1.0], 2));
    assert!(few.warnings.iter().any(|w| w.contains("all are taken")), "{:?}", few.warnings);
}

#[test]
fn a_wrong_listing_names_every_line() {
    let listing = table("village dwellings\nzz 4\na1 x\n");
    let error =
        draw_listing_from(&table(AREAS), &two_stages(0), 2, &listing, None).expect_err("a1 has x dwellings");
    assert!(said(&error).contains("line 3 (a1): `dwellings` is `x`"), "{error}");
    let listing = table("village dwellings\nzz 4\n");
    let error =
        draw_listing_from(&table(AREAS), &two_stages(0), 2, &listing, None).expect_err("zz was not drawn");
    assert!(said(&error).contains("line 2 (zz): this unit is not in the sample"), "{error}");
    let listing = table("vilage dwellings\na1 4\n");
    let error =
        draw_listing_from(&table(AREAS), &two_stages(0), 2, &listing, None).expect_err("no such column");
    assert!(said(&error).contains("did you mean `vilage`?"), "{error}");
    let error =
        draw_listing_from(&table(AREAS), &two_stages(0), 1, &listing, None).expect_err("stage 1 is no list");
    assert!(said(&error).contains("does not draw serial numbers"), "{error}");
}

#[test]
fn the_serial_numbers_of_a_village_are_distinct_and_within_its_count() {
    let drawn = draw_from(&table(AREAS), &two_stages(2), None).expect("a sample");
    let (village, dwelling) = (column(&drawn, "village"), numbers(&drawn, "dwelling"));
    let count = drawn.sample.numbers("dwellings").expect("the frame's column").to_vec();
    let mut pairs: Vec<(String, u64)> = village.into_iter().zip(dwelling.iter().map(|d| *d as u64)).collect();
    assert!(dwelling.iter().zip(&count).all(|(d, n)| (1.0..=*n).contains(d)));
    pairs.sort();
    let all = pairs.len();
    pairs.dedup();
    assert_eq!(pairs.len(), all);
}

#[test]
fn reserves_end_where_the_units_end() {
    let drawn = draw_from(&table(AREAS), &two_stages(u64::MAX), None).expect("a sample");
    // Every dwelling of every village is drawn, as main unit or as reserve.
    assert_eq!(drawn.sample.height(), 8 + 9 + 10 + 11 + 12 + 13 + 14);
    assert!(drawn.warnings.iter().any(|w| w.contains("stratum `B` has only 1 of")), "{:?}", drawn.warnings);
    let huge = AREAS.replace("14\n", "99999999999\n");
    let error = said(&draw_from(&table(&huge), &two_stages(0), None).expect_err("too many dwellings"));
    assert!(error.contains("line 8 (village b3), column `dwellings`: is `99999999999`"), "{error}");
}

#[test]
fn small_strata_join_their_smallest_neighbour_and_say_so() {
    let frame = table(
        "
        village district group
        1 X m
        2 X m
        3 X m
        4 X t
        5 X o
        6 X o
        7 Y m
        8 Y t
        9 Y t
        10 Y t
        11 Z m
    ",
    );
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 1, "strata": ["district", "group"],
        "merge": {"min_units": 2, "within": "district"},
        "stages": [{"unit": "village", "method": "srs", "take": 1}]
    }));
    let drawn = draw_from(&frame, &plan, None).expect("a sample");
    let names: Vec<(&str, usize)> = drawn.strata.iter().map(|s| (s.stratum.as_str(), s.units)).collect();
    assert_eq!(names, [("X/m", 3), ("X/o+t", 3), ("Y/m+t", 4), ("Z/m", 1)]);
    let all = drawn.warnings.join("\n");
    assert!(all.contains("strata `X/o`, `X/t` are merged into `X/o+t` (3 units)"), "{all}");
    assert!(all.contains("stratum `Z/m` has 1 units") && all.contains("no neighbour"), "{all}");
}

#[test]
fn codes_keep_their_zeros_and_numbers_their_writing() {
    let folder = folder("codes");
    std::fs::write(folder.join("frame.csv"), "\u{feff}code,size,share\n007,1.50,0.10000\n010,2,0.2\n")
        .expect("written");
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 1, "strata": "code",
        "derive": {"seven": "code = '007'", "half": "size / 2"},
        "stages": [{"unit": "code", "size": "size", "method": "pps_brewer", "take": 1}]
    }));
    let drawn = draw(&plan, &folder, None).expect("a sample");
    assert_eq!(column(&drawn, "code"), ["007", "010"]);
    assert_eq!(column(&drawn, "size"), ["1.50", "2"]);
    assert_eq!(column(&drawn, "seven"), ["1", "0"]);
    assert_eq!(column(&drawn, "half"), ["0.75", "1"]);
}

#[test]
fn all_faults_of_a_frame_come_at_once_with_line_and_remedy() {
    let frame = table(
        "
        village size households area share_01 share_02
        a   10   5   A 0.5 0.5
        a   -3   5   A 0.5 0.5
        b   x    5.5 B 0.9 0.3
    ",
    );
    let faulty = plan(json!({
        "frame": "frame.csv", "strata": ["arae"],
        "stages": [
            {"unit": "village", "size": "size", "method": "pps_systematic", "take": 2},
            {"unit": "household", "of": "households", "method": "srs", "take": 16}
        ]
    }));
    let error = said(&draw_from(&frame, &faulty, None).expect_err("many faults"));
    for part in [
        "`seed`: is missing",
        "there is no column `arae` in frame.csv; did you mean `area`?",
        "frame.csv, line 3: the unit `a` stands on line 2 already",
        "frame.csv, line 3 (village a), column `size`: is `-3`",
        "frame.csv, line 4 (village b), column `size`: is `x`",
        "frame.csv, line 4 (village b), column `households`: is `5.5`",
        "frame.csv, line 4 (village b), column `share_*`: the shares add to 1.2000, not to 1",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    assert_eq!(error.lines().count(), 7, "{error}");
}

#[test]
fn a_sample_larger_than_the_frame_is_refused_and_a_large_minimum_takes_all() {
    let srs = |allocation: Value| {
        plan(json!({
            "frame": "frame.csv", "seed": 1, "strata": ["area"],
            "stages": [{"unit": "village", "method": "srs", "allocation": allocation}]
        }))
    };
    let refused =
        |allocation: Value| said(&draw_from(&table(AREAS), &srs(allocation), None).expect_err("too many"));
    let error = refused(json!({"method": "proportional", "total": 8}));
    assert!(error.contains("8 is more than the 7 units that can be drawn"), "{error}");
    let error = refused(json!({"method": "take", "take": 4}));
    assert!(error.contains("stratum `B`: 4 units are asked for, but it has 3"), "{error}");
    let error = refused(json!({"method": "given", "n": {"A": 5, "C": 1}}));
    assert!(error.contains("`C`: is not a stratum"), "{error}");
    assert!(error.contains("stratum `A`: 5 units are asked for, but it has 4"), "{error}");
    assert!(error.contains("stratum `B`: has no number"), "{error}");
    let error = refused(json!({"method": "equal", "total": 5, "min": 3}));
    assert!(error.contains("5 is less than the minimum of all strata together, 6"), "{error}");
    let all = draw_from(&table(AREAS), &srs(json!({"method": "equal", "total": 7, "min": 4})), None)
        .expect("a sample");
    assert_eq!(all.sample.height(), 7);
    assert!(all.warnings.iter().any(|w| w.contains("stratum `B` has 3 units, fewer than the minimum 4")));
    let error = Plan::from_json(r#"{"frame": "f", "stages": [{"unit": "v", "method": "srs", "takes": 3}]}"#)
        .expect_err("an unknown field");
    assert!(error.contains("takes") && error.contains("line 1"), "{error}");
}

#[test]
fn a_unit_of_size_zero_is_never_drawn_and_named() {
    let frame = table("village size\na 0\nb 1\nc 1\n");
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 3,
        "stages": [{"unit": "village", "size": "size", "method": "pps_sampford", "take": 2, "reserve": 1}]
    }));
    let drawn = draw_from(&frame, &plan, None).expect("a sample");
    assert_eq!(column(&drawn, "village"), ["b", "c"]);
    assert!(drawn.warnings.iter().any(|w| w == "size 0, never drawn: a"), "{:?}", drawn.warnings);
}

#[test]
fn three_stages_multiply_their_probabilities() {
    let mut text = String::from("district village size dwellings\n");
    for d in 0..4 {
        for v in 0..5 {
            text.push_str(&format!("d{d} v{v} {} {}\n", 10 + d * 5 + v, 20 + v));
        }
    }
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 5,
        "stages": [
            {"unit": "district", "size": "size", "method": "pps_systematic", "take": 2},
            {"unit": "village", "size": "size", "method": "pps_sampford", "take": 2},
            {"unit": "dwelling", "of": "dwellings", "method": "systematic", "take": 4}
        ]
    }));
    let drawn = draw_from(&table(&text), &plan, None).expect("a sample");
    assert_eq!(drawn.sample.height(), 16);
    let p: Vec<Vec<f64>> = ["p_1", "p_2", "p_3", "probability"].iter().map(|c| numbers(&drawn, c)).collect();
    let (district, size) = (column(&drawn, "district"), numbers(&drawn, "size"));
    let dwellings = numbers(&drawn, "dwellings");
    let total = |d: &str| 5.0 * (10.0 + 5.0 * d[1..].parse::<f64>().expect("a number")) + 10.0;
    let everything: f64 = ["d0", "d1", "d2", "d3"].iter().map(|d| total(d)).sum();
    for row in 0..16 {
        assert!((p[0][row] - 2.0 * total(&district[row]) / everything).abs() < 1e-12);
        assert!((p[1][row] - 2.0 * size[row] / total(&district[row])).abs() < 1e-12);
        assert!((p[2][row] - 4.0 / dwellings[row]).abs() < 1e-12);
        assert!((p[0][row] * p[1][row] * p[2][row] - p[3][row]).abs() < 1e-15);
    }
}

/// 2 of 4 by srs: π_ij = 2·1/(4·3) = 1/6 within a stratum, π_i π_j across.
#[test]
fn joint_probabilities_are_written_for_the_drawn_units() {
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 1, "strata": ["area"],
        "stages": [{"unit": "village", "method": "srs", "allocation": {"method": "given", "n": {"A": 2, "B": 1}}}]
    }));
    let drawn = draw_from(&table(AREAS), &plan, None).expect("a sample");
    let joint = drawn.joint().expect("srs has joint probabilities");
    assert_eq!(joint.names().collect::<Vec<_>>(), column(&drawn, "village"));
    let columns: Vec<Vec<f64>> = joint.names().map(|n| joint.numbers(n).expect("numbers").to_vec()).collect();
    assert_eq!(columns[0], [0.5, 1.0 / 6.0, 0.5 / 3.0]);
    assert_eq!(columns[2], [0.5 / 3.0, 0.5 / 3.0, 1.0 / 3.0]);
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sampling_{name}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the last run's folder");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn one_changed_row_gives_another_hash_and_a_message() {
    let folder = folder("hash");
    let frame = "village,size\na,1\nb,2\nc,3\n";
    let plan = plan(json!({
        "frame": "frame.csv", "seed": 1,
        "stages": [{"unit": "village", "size": "size", "method": "pps_systematic", "take": 1}]
    }));
    let output = folder.join("sample.csv");
    std::fs::write(folder.join("frame.csv"), frame).expect("written");
    let first = draw(&plan, &folder, None).expect("a sample");
    assert!(first.write(&output).expect("written").is_empty());
    let bytes = std::fs::read(&output).expect("the sample");
    assert!(draw(&plan, &folder, None).expect("a sample").write(&output).expect("written").is_empty());
    assert_eq!(std::fs::read(&output).expect("the sample"), bytes);
    std::fs::write(folder.join("frame.csv"), frame.replace("c,3", "c,4")).expect("written");
    let second = draw(&plan, &folder, None).expect("a sample");
    assert_ne!(first.design.frame.sha256, second.design.frame.sha256);
    let notes = second.write(&output).expect("written");
    assert!(notes[0].contains("the frame has changed since the last draw"), "{notes:?}");
    let design = std::fs::read_to_string(folder.join("sample.csv.design.json")).expect("the design");
    let design: Value = serde_json::from_str(&design).expect("JSON");
    assert_eq!(design["seed"], 1);
    assert_eq!(design["frame"]["sha256"], second.design.frame.sha256.as_str());
}

fn instrument() -> (Plan, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../surveys/instruments/2026");
    let text = std::fs::read_to_string(folder.join("sampling.json")).expect("the plan of 2026");
    (Plan::from_json(&text).expect("a plan"), folder)
}

#[test]
fn the_survey_of_2026_draws_120_villages_of_16_dwellings() {
    let (plan, folder) = instrument();
    let drawn = draw(&plan, &folder, None).expect("a sample");
    let (role, weight) = (column(&drawn, "role"), numbers(&drawn, "weight"));
    assert_eq!(role.iter().filter(|r| *r == "main").count(), 120 * 16);
    let mut strata = column(&drawn, "stratum");
    strata.dedup();
    assert_eq!((strata.len(), drawn.strata.len()), (29, 29));
    assert!(drawn.strata.iter().all(|s| s.n >= 2 && s.reserve == 1));
    // The weights estimate the frame's 188,604 households: within 10% of them.
    let households: f64 = weight.iter().filter(|w| !w.is_nan()).sum();
    assert!((households / 188_604.0 - 1.0).abs() < 0.1, "{households}");
    // Another machine must draw these very bytes.
    assert_eq!(
        drawn.design.sample_sha256,
        "433e762cfef30225b3d0dcb388a4a085fdc23ffa7097940f37bfd7e9856575e6"
    );
    let other = draw(&plan, &folder, Some(2027)).expect("a sample");
    assert_ne!(other.design.sample_sha256, drawn.design.sample_sha256);
}

#[test]
fn the_survey_of_2026_draws_again_from_a_listing() {
    let (plan, folder) = instrument();
    let drawn = draw(&plan, &folder, None).expect("a sample");
    let village = column(&drawn, "village_id");
    let listing = table(&format!("village_id households\n{} 200\n", village[0]));
    let listed = draw_listing(&plan, &folder, 2, &listing, None).expect("a sample");
    assert_eq!(listed.sample.height(), 24);
    assert!(numbers(&listed, "p_2").iter().all(|p| *p == 16.0 / 200.0));
    assert_eq!(numbers(&listed, "p_1")[0], numbers(&drawn, "p_1")[0]);
}
