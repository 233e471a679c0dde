//! Budget and calendar against an example worked by hand; Tết against the moon.

use std::path::{Path, PathBuf};

use analysis::sampling::allocate::AllocatePlan;
use analysis::sampling::cost::{CostPlan, Estimate};
use analysis::sampling::{Plan, budget, calendar, draw};
use serde_json::{Value, json};

fn ask(plan: &Value) -> Result<Estimate, String> {
    let plan: CostPlan = serde_json::from_value(plan.clone()).map_err(|e| e.to_string())?;
    plan.estimate(Path::new(".")).map_err(|e| e.to_string())
}

/// Two villages of 10 households near the road, one of 7 far up; one team of two enumerators and a supervisor.
fn plan() -> Value {
    json!({
        "name": "Khảo sát thử",
        "strata": [
            {"stratum": "A", "villages": 2, "households": 20},
            {"stratum": "B", "villages": 1, "households": 7, "terrain": "high"}
        ],
        "terrain": {"default": "low"},
        "terrains": {
            "low": {"name": "Vùng thấp", "pay": 50000, "interviews_a_day": 5, "travel_days": 0.5, "vehicle": 400000, "guide": 100000},
            "high": {"name": "Vùng cao", "pay": 80000, "interviews_a_day": 2, "travel_days": 2, "vehicle": 600000, "guide": 200000, "interpreter": 150000}
        },
        "norms": {
            "per_diem": 100000, "listing": 300000, "gift": 20000, "printing": 5000, "supervision": 50000,
            "training": {"days": 2, "per_person": 100000, "fixed": 1000000},
            "other": {"Báo cáo": 3000000}, "contingency": 0.1
        },
        "teams": {"count": 1, "enumerators": 2},
        "response_rate": 0.9
    })
}

/// Near: 9 interviews expected, 1 day in the field and half a day of travel a village. Far: 6.3 interviews, 2 days (7
/// households at 4 a day) and 2 of travel.
#[test]
fn the_budget_of_three_villages_by_hand() {
    let estimate = ask(&plan()).expect("an estimate");
    let wanted: [(&str, [f64; 2]); 9] = [
        ("Công phỏng vấn", [18.0 * 50e3, 6.3 * 80e3]),
        ("Lập bảng kê hộ", [2.0 * 300e3, 300e3]),
        ("Người dẫn đường", [2.0 * 100e3, 2.0 * 200e3]),
        ("Người phiên dịch", [0.0, 2.0 * 150e3]),
        ("Công tác phí", [3.0 * 3.0 * 100e3, 4.0 * 3.0 * 100e3]),
        ("Đi lại", [2.0 * 0.5 * 400e3, 2.0 * 600e3]),
        ("Giám sát", [3.0 * 50e3, 4.0 * 50e3]),
        ("Quà", [18.0 * 20e3, 6.3 * 20e3]),
        ("In phiếu", [20.0 * 5e3, 7.0 * 5e3]),
    ];
    for (line, (name, amounts)) in estimate.lines.iter().zip(wanted) {
        assert!(line.line.starts_with(name), "{line:?}");
        assert_eq!(line.by_stratum, amounts, "{name}");
        assert_eq!(line.amount, amounts[0] + amounts[1], "{name}");
    }
    // Three people, two days; then the lines of the whole survey.
    assert_eq!(estimate.lines[9].amount, 3.0 * 2.0 * 100e3 + 1e6);
    assert_eq!((estimate.lines[10].line.as_str(), estimate.lines[10].amount), ("Báo cáo", 3e6));
    assert_eq!(estimate.lines[11].by_stratum, [361_000.0, 426_500.0]);
    assert_eq!(estimate.lines[11].amount, 361_000.0 + 426_500.0 + 460_000.0);
    assert_eq!(estimate.total, 13_722_500.0);
    assert_eq!((estimate.villages, estimate.households), (3, 27));
    assert!((estimate.interviews - 24.3).abs() < 1e-9);
    let near = &estimate.strata[0];
    assert_eq!((near.amount, near.per_village, near.per_household), (3_971_000.0, 1_985_500.0, 198_550.0));
    assert_eq!((near.team_days, near.terrain.as_str()), (3.0, "Vùng thấp"));
    assert_eq!(estimate.strata[1].amount, 4_691_500.0);

    let text = budget::table(&estimate);
    assert!(text.contains("Tổng cộng (total)") && text.contains("13.722.500"), "{text}");
    let sum: f64 = budget::csv(&estimate)
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().expect("an amount").parse::<f64>().expect("a number"))
        .sum();
    assert_eq!(sum, estimate.total);
}

fn with_calendar(calendar: Value) -> Value {
    let mut plan = plan();
    plan["calendar"] = calendar;
    plan
}

/// From Friday 28 August 2026: Sundays, 1 September (given) and 2 September (public) are free of work, so the
/// seven days of the team are 28, 29, 31 August, 3, 4, 5 and 7 September.
#[test]
fn seven_days_of_a_team_by_hand() {
    let calendar = json!({
        "start": "2026-08-28", "rest_days": ["sunday"], "holidays": ["2026-09-01"],
        "blocked": [{"name": "Mưa lũ", "months": [6, 7, 8]}]
    });
    let estimate = ask(&with_calendar(calendar)).expect("an estimate");
    let schedule = estimate.schedule.expect("a schedule");
    assert_eq!((schedule.start.as_str(), schedule.end.as_str()), ("2026-08-28", "2026-09-07"));
    assert_eq!(schedule.working_days, 7);
    let days: Vec<(&str, &str)> = schedule.visits.iter().map(|v| (v.from.as_str(), v.to.as_str())).collect();
    assert_eq!(
        days,
        [("2026-08-28", "2026-08-29"), ("2026-08-29", "2026-08-31"), ("2026-09-03", "2026-09-07")]
    );
    let weeks: Vec<(&str, u64, u64)> =
        schedule.weeks.iter().map(|w| (w.monday.as_str(), w.villages, w.households)).collect();
    assert_eq!(weeks, [("2026-08-24", 1, 10), ("2026-08-31", 1, 10), ("2026-09-07", 1, 7)]);
    let conflict = &schedule.conflicts[0];
    assert_eq!((conflict.season.as_str(), conflict.days), ("Mưa lũ", 3));
    assert_eq!((conflict.from.as_str(), conflict.to.as_str()), ("28/08/2026", "31/08/2026"));
    // The first start without rain is the first working day of September.
    assert_eq!(schedule.free_start.as_deref(), Some("2026-09-03"));
    assert_eq!(estimate.warnings.len(), 2);
    assert!(estimate.warnings[0].contains("3 ngày làm việc rơi vào “Mưa lũ”"), "{:?}", estimate.warnings);
}

#[test]
fn work_around_tet_is_warned_of_and_never_planned_on_the_holidays() {
    let calendar = json!({
        "start": "2027-02-03",
        "blocked": [{"name": "Tết", "tet": {"before": 7, "after": 15}}, {"name": "Gặt", "from": "12-20", "to": "01-10"}]
    });
    let estimate = ask(&with_calendar(calendar)).expect("an estimate");
    let schedule = estimate.schedule.expect("a schedule");
    // Tết is on 6 February 2027: nobody works from the 5th to the 9th.
    assert!(schedule.visits.iter().all(|v| !("2027-02-05".."2027-02-10").contains(&v.to.as_str())));
    assert_eq!(schedule.end, "2027-02-14");
    assert_eq!(schedule.conflicts.len(), 1);
    assert_eq!(schedule.free_start.as_deref(), Some("2027-02-22"));
    let free = ask(&with_calendar(json!({"start": "2027-03-01"}))).expect("an estimate");
    assert!(free.warnings.is_empty() && free.schedule.expect("a schedule").conflicts.is_empty());
    let late = ask(&with_calendar(json!({"start": "2036-03-01"}))).expect("an estimate");
    assert!(late.warnings[0].contains("2024–2035"), "{:?}", late.warnings);
}

#[test]
fn more_teams_end_sooner_and_cost_only_their_training() {
    let mut two = with_calendar(json!({"start": "2026-10-05"}));
    let one = ask(&two).expect("an estimate");
    two["teams"]["count"] = json!(2);
    let two = ask(&two).expect("an estimate");
    let training = 3.0 * 2.0 * 100e3;
    assert_eq!(two.total - one.total, training * 1.1);
    let end = |e: &Estimate| e.schedule.as_ref().expect("a schedule").end.clone();
    assert!(end(&two) < end(&one), "{} {}", end(&two), end(&one));
    let days = |e: &Estimate| -> f64 {
        e.schedule.as_ref().expect("a schedule").teams.iter().map(|t| t.team_days).sum()
    };
    assert_eq!(days(&one), days(&two));
}

#[test]
fn every_fault_of_a_cost_plan_is_named() {
    let mut faulty = plan();
    faulty["terrain"]["default"] = json!("hihg");
    faulty["teams"]["count"] = json!(0);
    faulty["norms"]["gift"] = json!(-1);
    faulty["sampling"] = json!("sampling.json");
    let error = ask(&faulty).expect_err("faults");
    for part in [
        "needs one of `sample`, `sampling`, `strata`",
        "the terrain `hihg` is not in `terrains`; did you mean `high`?",
        "`teams`: are empty",
        "`norms`: have an impossible number",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    let calendar = json!({
        "start": "03/08/2026", "rest_days": ["sundy"], "blocked": [{"name": "Mưa", "months": [13]}]
    });
    let error = ask(&with_calendar(calendar)).expect_err("faults");
    for part in ["is `03/08/2026`", "`sundy` is unknown; did you mean `sunday`?", "has no clear time"] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    let error = ask(&with_calendar(json!({"start": "2026-08-03", "strt": 1}))).expect_err("unknown");
    assert!(error.contains("strt"), "{error}");
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn a_drawn_sample_is_costed_village_by_village() {
    let folder = scratch("sampling_cost");
    let mut text = String::from("village,district,households\n");
    for i in 0..40 {
        text.push_str(&format!("v{i},{},{}\n", ["02", "03"][i % 2], 30 + i));
    }
    std::fs::write(folder.join("frame.csv"), &text).expect("written");
    let sampling = json!({
        "frame": "frame.csv", "strata": ["district"], "seed": 4,
        "stages": [
            {"unit": "village", "method": "srs", "take": 3, "reserve": 2},
            {"unit": "household", "of": "households", "method": "srs", "take": 8, "reserve": 4}
        ]
    });
    std::fs::write(folder.join("sampling.json"), sampling.to_string()).expect("written");
    let sampling = Plan::from_json(&sampling.to_string()).expect("a plan");
    draw(&sampling, &folder, None).expect("a sample").write(&folder.join("sample.csv")).expect("written");

    let mut plan = plan();
    plan.as_object_mut().expect("an object").remove("strata");
    plan["terrain"] = json!({"column": "district", "of": {"03": "high"}, "default": "low"});
    let costed = |source: &str, file: &str| {
        let mut plan = plan.clone();
        plan[source] = json!(file);
        let plan: CostPlan = serde_json::from_value(plan).expect("a plan");
        plan.estimate(&folder).expect("an estimate")
    };
    let estimate = costed("sample", "sample.csv");
    assert_eq!((estimate.villages, estimate.households), (6, 48));
    // 8 households: a day near the road (10 a day), two far up (4 a day).
    assert_eq!(estimate.strata[0].team_days, 3.0 * 1.5);
    assert_eq!(estimate.strata[1].team_days, 3.0 * 4.0);
    let drawn = costed("sampling", "sampling.json");
    assert_eq!(drawn.total, estimate.total);

    let mut file = plan.clone();
    file["sampling"] = json!("sampling.json");
    std::fs::write(folder.join("cost.json"), file.to_string()).expect("written");
    let allocation = json!({
        "strata": [
            {"stratum": "02", "population": 500, "sd": 2},
            {"stratum": "03", "population": 500, "sd": 2}
        ],
        "costs": "cost.json", "method": "cost", "total": 60
    });
    let answer = AllocatePlan::from_json(&allocation.to_string())
        .expect("a plan")
        .answer(&folder)
        .expect("an allocation");
    let root = |h: usize| 1.0 / estimate.strata[h].per_village.sqrt();
    let share = 60.0 * root(0) / (root(0) + root(1));
    assert!((answer.strata[0].real - share).abs() < 1e-9, "{answer:?}");
    assert!(answer.strata[0].n > answer.strata[1].n);
}

/// Instants of new moons (Meeus, Astronomical Algorithms, chapter 49, largest terms), as days after 1 January 2000
/// at UTC+7; good to a few minutes.
fn new_moon(k: f64) -> f64 {
    let t = k / 1236.85;
    let mean = 2_451_550.097_66 + 29.530_588_861 * k + 0.000_154_37 * t * t;
    let e = 1.0 - 0.002_516 * t;
    let sin = |degrees: f64| degrees.to_radians().sin();
    let sun = 2.5534 + 29.105_356_70 * k;
    let moon = 201.5643 + 385.816_935_28 * k + 0.010_758_2 * t * t;
    let node = 160.7108 + 390.670_502_84 * k - 0.001_611_8 * t * t;
    let correction = -0.407_20 * sin(moon)
        + 0.172_41 * e * sin(sun)
        + 0.016_08 * sin(2.0 * moon)
        + 0.010_39 * sin(2.0 * node)
        + 0.007_39 * e * sin(moon - sun)
        - 0.005_14 * e * sin(moon + sun)
        + 0.002_08 * e * e * sin(2.0 * sun)
        - 0.001_11 * sin(moon - 2.0 * node)
        - 0.000_57 * sin(moon + 2.0 * node)
        + 0.000_56 * e * sin(2.0 * moon + sun)
        - 0.000_42 * sin(3.0 * moon)
        + 0.000_42 * e * sin(sun + 2.0 * node)
        + 0.000_38 * e * sin(sun - 2.0 * node)
        - 0.000_24 * e * sin(2.0 * moon - sun);
    // Dynamical time runs about 70 seconds ahead.
    mean + correction - 70.0 / 86_400.0 - 2_451_544.5 + 7.0 / 24.0
}

/// Tết is the day of the new moon that falls between 21 January and 20 February; the third month begins with the
/// second new moon after it (no year of the table has a leap month before the third).
#[test]
fn tet_and_the_hung_kings_day_follow_the_moon() {
    let epoch: chrono::NaiveDate = "2000-01-01".parse().expect("a date");
    let day = |at: f64| epoch + chrono::Days::new(at.floor() as u64);
    for year in calendar::YEARS {
        let first: chrono::NaiveDate = format!("{year}-01-21").parse().expect("a date");
        let last: chrono::NaiveDate = format!("{year}-02-20").parse().expect("a date");
        let near = (f64::from(year - 2000) * 12.368_5).round() as i32;
        let k = (near - 2..near + 4)
            .map(f64::from)
            .find(|k| (first..=last).contains(&day(new_moon(*k))))
            .expect("a new moon");
        assert_eq!(calendar::tet(year), Some(day(new_moon(k))), "{year}");
        assert_eq!(calendar::hung_kings(year), Some(day(new_moon(k + 2.0)) + chrono::Days::new(9)), "{year}");
    }
    assert_eq!(calendar::tet(2036), None);
    let names: Vec<Option<&str>> =
        ["2026-02-15", "2026-02-16", "2026-02-20", "2026-02-21", "2026-04-26", "2026-09-02"]
            .iter()
            .map(|day| calendar::holiday(day.parse().expect("a date")))
            .collect();
    let tet = Some("Tết Nguyên đán");
    assert_eq!(names, [None, tet, tet, None, Some("Giỗ Tổ Hùng Vương"), Some("Quốc khánh")]);
}
