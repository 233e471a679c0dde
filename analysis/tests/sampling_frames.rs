//! What a frame may look like, what is said of it, and samples that are no probability samples.

use std::path::PathBuf;

use analysis::estimation;
use analysis::sampling::{Drawn, Plan, draw, draw_from, draw_listing_from, summarise, summarise_from};
use analysis::table::{Declared, Table, Types};
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

fn plan(json: Value) -> Plan {
    Plan::from_json(&json.to_string()).expect("a plan")
}

/// Codes keep their zeros, as a frame's file has them.
fn table(text: &str) -> Table {
    let types: Types = [("commune_code".to_owned(), Declared::Category)].into_iter().collect();
    Table::parse_csv(text, "frame.csv", &types).expect("a table")
}

fn column(table: &Table, name: &str) -> Vec<String> {
    let column = table.column(name).expect("a column");
    (0..table.height()).map(|row| column.text(row).unwrap_or_default().into_owned()).collect()
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("frames_{name}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the last run's folder");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn refusal(frame: &str, plan: Value) -> String {
    draw_from(&table(frame), &self::plan(plan), Some(1)).expect_err("refused").to_string()
}

/// Writes the cells to a sheet that begins in the given row; numbers as numbers.
fn workbook(path: &std::path::Path, first_row: u32, rows: &[&[&str]]) {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().set_name("Ghi chú").expect("a name");
    let sheet = workbook.add_worksheet().set_name("Khung").expect("a name");
    for (r, cells) in (first_row..).zip(rows) {
        for (c, text) in (0_u16..).zip(*cells) {
            match text.parse::<f64>() {
                _ if text.is_empty() => continue,
                Ok(number) if !text.starts_with('0') => sheet.write_number(r, c, number).map(|_| ()),
                _ => sheet.write_string(r, c, *text).map(|_| ()),
            }
            .expect("a cell");
        }
    }
    workbook.save(path).expect("a workbook");
}

/// The first filled sheet counts, wherever its header stands; the three kinds of file give the same draw.
#[test]
fn a_frame_may_be_csv_a_workbook_or_parquet() {
    let folder = folder("kinds");
    let rows: [&[&str]; 5] = [
        &["village", "code", "size"],
        &["a", "007", "10"],
        &["b", "010", "20"],
        &["c", "011", "30.5"],
        &["d", "012", "5"],
    ];
    let text: String = rows.iter().map(|row| row.join(",") + "\n").collect();
    std::fs::write(folder.join("frame.csv"), &text).expect("written");
    workbook(&folder.join("frame.xlsx"), 2, &rows);
    table(&text).write(&folder.join("frame.parquet")).expect("written");
    let drawn = |file: &str| {
        let stage = json!({"unit": "village", "size": "size", "method": "pps_sampford", "take": 2});
        draw(&plan(json!({"frame": file, "strata": [], "stages": [stage]})), &folder, Some(5))
            .expect("a sample")
    };
    let csv = drawn("frame.csv");
    assert_eq!(csv.to_csv(), drawn("frame.xlsx").to_csv());
    assert_eq!(column(&csv.sample, "village"), column(&drawn("frame.parquet").sample, "village"));
    assert!(column(&csv.sample, "code").iter().all(|code| code.starts_with('0')));
}

#[test]
fn faults_of_a_workbook_are_named_by_the_row_of_the_sheet() {
    let folder = folder("rows");
    // A title above, an empty row inside: the rows are counted as Excel shows them.
    workbook(
        &folder.join("frame.xlsx"),
        3,
        &[&["village", "size"], &["a", "10"], &[], &["a", "-1"], &["b", "x"]],
    );
    let stage = json!({"unit": "village", "size": "size", "method": "pps_brewer", "take": 1});
    let plan = plan(json!({"frame": "frame.xlsx", "seed": 1, "stages": [stage]}));
    let error = draw(&plan, &folder, None).expect_err("faults").to_string();
    for part in [
        "frame.xlsx, line 6, column `village`: is empty",
        "frame.xlsx, line 7: the unit `a` stands on line 5 already",
        "frame.xlsx, line 7 (village a), column `size`: is `-1`",
        "frame.xlsx, line 8 (village b), column `size`: is `x`",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    std::fs::write(folder.join("frame.xlsx"), "village,size\na,1\n").expect("written");
    let error = draw(&plan, &folder, None).expect_err("no workbook").to_string();
    assert!(error.contains("frame.xlsx: cannot be read"), "{error}");
}

/// A letter off, other case, without marks, decomposed letters: each is found.
#[test]
fn a_misspelt_column_is_suggested() {
    let frame = "làng,Số hộ,Dân số\nA,3,9\n";
    let wrong = |strata: &str, size: &str| {
        let stage = json!({"unit": "làng", "size": size, "method": "pps_brewer", "take": 1});
        refusal(frame, json!({"frame": "frame.csv", "strata": strata, "stages": [stage]}))
    };
    assert!(wrong("lang", "Số hộ").contains("did you mean `làng`?"));
    assert!(wrong("làng", "SO HO").contains("did you mean `Số hộ`?"));
    assert!(wrong("làng", "so_ho").contains("did you mean `Số hộ`?"));
    assert!(wrong("làng", "Dân sô").contains("did you mean `Dân số`?"));
    assert!(wrong("làng", "thu nhập").contains("there are `làng`, `Số hộ`, `Dân số`"));
    // `à` as two characters is the same letter.
    let folder = folder("nfd");
    std::fs::write(folder.join("frame.csv"), frame).expect("written");
    let stage = json!({"unit": "la\u{300}ng", "method": "srs", "take": 1});
    let plan = plan(json!({"frame": "frame.csv", "seed": 1, "stages": [stage]}));
    assert_eq!(draw(&plan, &folder, None).expect("a sample").sample.height(), 1);
}

#[test]
fn what_cannot_be_is_named_beside_the_rest() {
    let frame = "village,households,persons,adults\na,5,20,12\nb,30,20,25\nb,1,2,\n,1,2,1\n";
    let stage = json!({"unit": "village", "size": "adults", "method": "pps_brewer", "take": 1});
    let error = refusal(frame, json!({"frame": "frame.csv", "stages": [stage]}));
    for part in [
        "line 3 (village b), column `adults`: is 25, more than the 20 `persons`",
        "line 3 (village b), column `households`: is 30, more than the 20 `persons`",
        "line 4: the unit `b` stands on line 3 already",
        "line 4 (village b), column `adults`: is empty",
        "line 5, column `village`: is empty",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    assert_eq!(error.lines().count(), 5, "{error}");
}

/// 00691 was Phường Trần Phú until 30 June 2025 and is Phường Hà Giang 2 since; 00688 was divided.
const OLD: &str = "village,commune_code,commune_name,size\n\
    v1,00691,Phường Trần Phú,10\nv2,00688,Phường Quang Trung,20\nv3,00688,Phuong Quang Trung,30\nv4,00988,Xã Yên Định,5\n";

fn carried(decisions: Value, strata: &str) -> Value {
    json!({
        "frame": "frame.csv", "strata": strata,
        "areas": {
            "column": "commune_code", "names": "commune_name", "date": "2025-06-30", "to": "2025-07-01",
            "decisions": decisions
        },
        "stages": [{"unit": "village", "method": "srs", "take": 1}]
    })
}

#[test]
fn divided_communes_are_asked_for_by_name_with_their_choices() {
    let error = refusal(OLD, carried(json!({}), "new_commune_code"));
    for part in [
        "`areas`, `decisions`, `00688`: Phường Quang Trung was divided by 2025-07-01 among Phường Hà Giang 2 (00691) or \
         Phường Hà Giang 1 (00694)",
        "(v2, v3)",
        "Xã Yên Định was divided by 2025-07-01 among Xã Ngọc Đường (00700) or Xã Minh Ngọc (00994)",
        "write `\"00988\": \"00700\"`",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn old_communes_are_carried_to_new_ones_as_decided() {
    let decisions = json!({"00688": {"v2": "00691", "v3": "00694"}, "00988": "00994"});
    let drawn =
        draw_from(&table(OLD), &plan(carried(decisions, "new_commune_code")), Some(1)).expect("a sample");
    let sample = &drawn.sample;
    let strata: Vec<&str> = drawn.strata.iter().map(|s| s.stratum.as_str()).collect();
    assert_eq!(strata, ["00691", "00694", "00994"]);
    let new = column(sample, "new_commune_name");
    assert!(
        ["Phường Hà Giang 2", "Phường Hà Giang 1", "Xã Minh Ngọc"]
            .iter()
            .all(|name| new.contains(&(*name).to_owned()))
    );
    assert!(
        column(sample, "commune_code")
            .iter()
            .all(|code| ["00691", "00688", "00988"].contains(&code.as_str()))
    );
    let all = drawn.warnings.join("\n");
    assert!(all.contains("`Phuong Quang Trung` is Phường Quang Trung (00688)"), "{all}");
    assert!(all.contains("3 units of level commune are carried from 2025-06-30 to 2025-07-01"), "{all}");
}

#[test]
fn wrong_decisions_codes_and_names_are_refused_one_by_one() {
    let error = refusal(
        OLD,
        carried(json!({"00688": "00700", "00988": {"v4": "00700", "v9": "00700"}, "00700": "1"}), ""),
    );
    assert!(
        error.contains("`00700` is none of the units that Phường Quang Trung went to; choose"),
        "{error}"
    );
    assert!(error.contains("`v9` is no unit of Xã Yên Định in the frame; did you mean `v4`?"), "{error}");
    assert!(error.contains("`areas`, `decisions`, `00700`: no row of frame.csv lies there"), "{error}");
    let frame = "village,commune_code,commune_name,size\nv1,691,,10\nv2,99999,,1\nv3,00691,Xã Minh Ngọc,1\nv4,00691,,1\n";
    let error = refusal(frame, carried(json!({}), ""));
    assert!(error.contains("`691` is no code of a commune on 2025-06-30; did you mean `00691`"), "{error}");
    assert!(error.contains("line 3 (village v2), column `commune_code`: `99999` is no code"), "{error}");
    assert!(
        error.contains("`00691` on 2025-06-30 is Phường Trần Phú, the frame calls it `Xã Minh Ngọc`"),
        "{error}"
    );
}

/// Without `areas` a frame with old codes is told how to carry them.
#[test]
fn codes_of_the_time_before_are_recognised() {
    let frame = "village,commune_code\nv1,00688\nv2,00691\n";
    let stage = json!({"unit": "village", "method": "srs", "take": 1});
    let error = refusal(frame, json!({"frame": "frame.csv", "stages": [stage]}));
    assert!(error.contains("it was Phường Quang Trung until 2025-06-30"), "{error}");
    assert!(error.contains("`\"areas\": {\"column\": \"commune_code\", \"date\": \"2025-06-30\""), "{error}");
}

/// Hoà/Hòa, no marks, upper case; two communes of one name are told apart by the unit above.
#[test]
fn names_are_found_as_people_write_them() {
    let areas = |within: Value| {
        json!({
            "frame": "frame.csv", "strata": "commune_code",
            "areas": {"names": "xa", "within": within, "date": "2025-06-30"},
            "stages": [{"unit": "village", "method": "srs", "take": 1}]
        })
    };
    let drawn = draw_from(
        &table("village,xa\nv1,XÃ YÊN ĐỊNH\nv2,yen dinh\nv3,Phường Quang Trung\n"),
        &plan(areas(json!("02"))),
        Some(1),
    )
    .expect("a sample");
    assert_eq!(drawn.strata.iter().map(|s| s.stratum.as_str()).collect::<Vec<_>>(), ["00688", "00988"]);
    let all = drawn.warnings.join("\n");
    assert!(all.contains("`XÃ YÊN ĐỊNH` is Xã Yên Định (00988); `yen dinh` is Xã Yên Định (00988)"), "{all}");
    let error = refusal("village,xa\nv1,Quang Trung\n", areas(Value::Null));
    assert!(error.contains("`Quang Trung` may be") && error.contains("give `within`"), "{error}");
    let error = refusal("village,xa\nv1,Yên Đinhh\n", areas(json!("02")));
    assert!(error.contains("no commune is called `Yên Đinhh`"), "{error}");
    let error = refusal("village,xa\nv1,Yên Định\n", {
        let mut plan = areas(json!("02"));
        plan["areas"]["date"] = json!("30/06/2025");
        plan
    });
    assert!(error.contains("`30/06/2025` is no date; write 2025-06-30"), "{error}");
}

#[test]
fn a_frame_is_counted_by_stratum_before_anything_is_drawn() {
    let frame = table("village,area,size,dwellings\na,A,10,3\nb,A,0,4\nc,A,2.5,5\nd,B,7,6\n");
    let stages = json!([
        {"unit": "village", "size": "size", "method": "pps_brewer", "take": 1},
        {"unit": "dwelling", "of": "dwellings", "method": "srs", "take": 2}
    ]);
    let summary =
        summarise_from(&frame, &plan(json!({"frame": "frame.csv", "strata": "area", "stages": stages})))
            .expect("a summary");
    let a = &summary.strata[0];
    assert_eq!(
        (a.units, a.size, a.smallest, a.largest, a.empty, a.below),
        (3, 12.5, 0.0, 10.0, 1, Some(12.0))
    );
    assert_eq!((summary.total.units, summary.total.size, summary.total.below), (4, 19.5, Some(18.0)));
    assert_eq!(
        summary.to_csv(),
        "stratum,units,size,smallest,largest,empty,below\nA,3,12.5,0,10,1,12\nB,1,7,7,7,0,6\ntotal,4,19.5,0,10,1,18\n"
    );
    let lines: Vec<String> = summary.to_text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{lines:?}");
}

#[test]
fn the_frame_of_2026_holds_2058_villages_in_29_strata() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../surveys/instruments/2026");
    let text = std::fs::read_to_string(folder.join("sampling.json")).expect("the plan of 2026");
    let summary = summarise(&Plan::from_json(&text).expect("a plan"), &folder).expect("a summary");
    assert_eq!((summary.total.units, summary.strata.len(), summary.total.empty), (2058, 29, 0));
    assert_eq!(summary.total.below, Some(188_604.0));
    assert_eq!(summary.strata.iter().map(|s| s.units).sum::<usize>(), 2058);
}

fn divided(over: u64) -> Plan {
    plan(json!({
        "frame": "frame.csv", "seed": 4,
        "stages": [
            {"unit": "village", "method": "srs", "take": 2},
            {"unit": "dwelling", "of": "dwellings", "method": "srs", "take": 2, "segments": {"over": over}}
        ]
    }))
}

const TWO: &str = "village,dwellings\na,100\nb,20\n";

/// a: segments with quick counts 60 and 20, of which one is listed later; p = 1 · 60/80 · 2/50, or 1 · 20/80 · 2/10.
#[test]
fn one_segment_of_a_large_village_is_drawn_and_enters_the_probability() {
    let first = draw_from(&table(TWO), &divided(50), None).expect("a sample");
    assert!(
        first.warnings.join("\n").contains("divide them into segments when listing: a (100)"),
        "{:?}",
        first.warnings
    );
    let listed = |rows: &str| {
        let listing = table(&format!("village,segment,estimate,dwellings\n{rows}b,,,20\n"));
        draw_listing_from(&table(TWO), &divided(50), 2, &listing, None).expect("a sample")
    };
    let counted = listed("a,north,60,\na,south,20,\n");
    let all = counted.warnings.join("\n");
    let (name, p, units) = match all.contains("segment `north` is drawn") {
        true => ("north", 0.75, 50.0),
        false => ("south", 0.25, 10.0),
    };
    assert!(all.contains(&format!("segment `{name}` is drawn (p = {p}); list its `dwellings`")), "{all}");
    assert!(column(&counted.sample, "village").iter().all(|village| village == "b"));
    // The segment that was not drawn needs no listing.
    let drawn = listed(match name {
        "north" => "a,north,60,50\na,south,20,\n",
        _ => "a,north,60,\na,south,20,10\n",
    });
    let sample = &drawn.sample;
    let at = column(sample, "village").iter().position(|village| village == "a").expect("a is certain");
    let number = |name: &str| sample.numbers(name).expect("numbers")[at];
    assert_eq!(
        (column(sample, "segment")[at].as_str(), number("p_segment"), number("p_2")),
        (name, p, 2.0 / units)
    );
    assert_eq!(number("probability"), 2.0 / units * p);
    assert_eq!(column(sample, "variance_psu")[at], format!("a/{name}"));
    assert!(drawn.warnings.join("\n").contains("only one of its segments is drawn"), "{:?}", drawn.warnings);
    let b = column(sample, "village").iter().position(|village| village == "b").expect("b is certain");
    assert_eq!(column(sample, "segment")[b], "");
    assert_eq!(sample.numbers("p_segment").expect("numbers")[b], 1.0);
}

#[test]
fn a_wrong_division_is_named_by_line() {
    let listing =
        table("village,segment,estimate,dwellings\na,north,60,\na,north,20,\na,,,5\nb,east,x,3\nb,west,,\n");
    let error =
        draw_listing_from(&table(TWO), &divided(50), 2, &listing, None).expect_err("faults").to_string();
    for part in [
        "line 3 (a, segment north): is on line 2 already",
        "line 4 (a): is divided into segments here or on line 2, but not on both",
        "line 5 (b, segment east): `estimate` is `x`",
        "line 6 (b, segment west): `dwellings` is ``",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    let listing = table("village,segment,estimate,dwellings\na,north,60,\na,south,,20\n");
    let error =
        draw_listing_from(&table(TWO), &divided(50), 2, &listing, None).expect_err("faults").to_string();
    assert!(error.contains("line 3 (a): has no `estimate`, as other segments"), "{error}");
    let listing = table("village,segment,dwellings\na,north,0\na,south,0\n");
    let error =
        draw_listing_from(&table(TWO), &divided(50), 2, &listing, None).expect_err("faults").to_string();
    assert!(error.contains("all its segments are empty"), "{error}");
}

fn quota(frame: bool) -> Plan {
    let mut json = json!({
        "design": "quota",
        "rules": "Adults met at the market, one in each household, until the cell is full",
        "quotas": [{"sex": "female", "age": "18-39", "n": 2}, {"sex": "male", "age": "18-39", "n": 1}]
    });
    if frame {
        json["frame"] = json!("frame.csv");
        json["seed"] = json!(1);
        json["stages"] = json!([{"unit": "village", "method": "srs", "take": 2}]);
    }
    plan(json)
}

fn assert_marked(drawn: &Drawn, mark: &str) {
    let sample = &drawn.sample;
    assert!(column(sample, "design").iter().all(|design| design == mark));
    for empty in ["weight", "probability"] {
        assert!(column(sample, empty).iter().all(String::is_empty), "{empty}");
    }
    assert!(sample.get("p_1").is_none() && sample.get("variance_psu").is_none());
    assert!(!drawn.design.probability_sample);
    let design = serde_json::to_value(&drawn.design).expect("JSON");
    assert_eq!((&design["plan"]["design"], &design["probability_sample"]), (&json!(mark), &json!(false)));
    assert!(design["plan"]["rules"].as_str().is_some_and(|rules| !rules.is_empty()));
    assert!(drawn.joint().expect_err("no probabilities").to_string().contains("no probability sample"));
}

#[test]
fn a_quota_sample_lists_its_interviews_and_is_marked_for_life() {
    let folder = folder("quota");
    let list = draw(&quota(false), &folder, None).expect("a list");
    assert_marked(&list, "quota");
    assert_eq!(
        list.to_csv(),
        "sex,age,quota,role,probability,weight,design\nfemale,18-39,1,main,,,quota\nfemale,18-39,2,main,,,quota\n\
         male,18-39,1,main,,,quota\n"
    );
    list.write(&folder.join("sample.csv")).expect("written");
    let drawn = draw_from(&table("village,size\na,1\nb,2\nc,3\n"), &quota(true), None).expect("a list");
    assert_marked(&drawn, "quota");
    assert_eq!(drawn.sample.height(), 2 * 3, "three interviews in each of two villages");
    let invited = json!({"design": "invited", "rules": "All offices were written to", "frame": "frame.csv"});
    let invited = draw_from(&table("office\na\nb\n"), &plan(invited), None).expect("a list");
    assert_marked(&invited, "invited");
    assert_eq!(column(&invited.sample, "office"), ["a", "b"]);
}

#[test]
fn a_quota_sample_without_rules_or_with_unclear_cells_is_refused() {
    let refused = |json: Value| draw(&plan(json), &folder("refused"), None).expect_err("refused").to_string();
    let error = refused(json!({"design": "quota"}));
    assert!(error.contains("`rules`: is missing") && error.contains("`quotas`: is missing"), "{error}");
    let error = refused(json!({
        "design": "quota", "rules": "at the market",
        "quotas": [{"sex": "f", "n": 1}, {"sex": "f", "n": 2}, {"age": "18", "n": 1}, {"n": 4}, {"sex": [], "n": 1}]
    }));
    for part in [
        "entry 2: is the cell of entry 1",
        "entry 3: has no `sex`",
        "entry 3: has `age`",
        "entry 4: names no cell",
        "entry 5: `sex` is no text",
    ] {
        assert!(error.contains(part), "`{part}` is not in\n{error}");
    }
    let error = refused(json!({"quotas": [{"sex": "f", "n": 1}], "seed": 1}));
    assert!(error.contains("`quotas`: belongs to a sample that is no probability sample"), "{error}");
    assert!(error.contains("`frame`: is missing") && error.contains("`stages`: there is none"), "{error}");
}

const ANSWERED: &str = "sex,quota,design,y,psu\nf,1,quota,3,1\nf,2,quota,5,1\nm,1,quota,4,2\n";

fn estimates(data: &str, more: Value) -> Result<estimation::Results, estimation::EstimationError> {
    let mut json = json!({
        "design": {"clusters": "psu"},
        "requests": [
            {"id": "m", "statistic": "mean", "of": "y", "by": "sex", "covariance": true},
            {"id": "t", "statistic": "ttest", "of": "y", "groups": "sex"}
        ]
    });
    if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
        json.extend(more);
    }
    estimation::estimate(&table(data), &serde_json::from_value(json).expect("a plan"))
}

/// Invariant 2: a quota sample has figures and no margin of error, whatever the plan asks.
#[test]
fn figures_of_a_marked_sample_have_no_margin_of_error() {
    let results = estimates(ANSWERED, json!({})).expect("figures");
    assert!(results.warnings[0].starts_with("not a probability sample"), "{:?}", results.warnings);
    assert!(results.covariances.is_empty());
    for row in &results.results {
        assert_eq!(
            (row.se, row.cv, row.ci_low, row.ci_high, row.deff),
            (None, None, None, None, None),
            "{row:?}"
        );
        assert!(row.df.is_null(), "{row:?}");
        assert_eq!(row.more["reason"], "not a probability sample: no margin of error");
    }
    let means: Vec<_> = results.results.iter().filter(|r| r.id == "m").map(|r| r.estimate).collect();
    assert_eq!(means, [Some(4.0), Some(4.0)]);
    let test = results.results.iter().find(|r| r.id == "t").expect("the test's row");
    assert!(test.more["p_value"].is_null() && test.more["value"].is_null());
    let shown = estimation::format::json(&results);
    assert!(shown.contains("\"se\": null") && !shown.contains("\"se\": 0"), "{shown}");
}

#[test]
fn the_mark_cannot_be_taken_off_by_the_plan() {
    let error = estimates(ANSWERED, json!({"probability_sample": true})).expect_err("refused").to_string();
    assert!(error.contains("holds `quota`: this is no probability sample"), "{error}");
    let unmarked = ANSWERED.replace("quota,", "other,");
    let said = estimates(&unmarked, json!({"probability_sample": false})).expect("figures");
    assert!(said.warnings[0].contains("the plan says so") && said.results.iter().all(|row| row.se.is_none()));
    // Another column of that name is left alone, and a sample of known probabilities keeps its errors.
    let more = "sex,design,y,psu\nf,other,3,1\nf,other,5,2\nm,other,4,3\nm,other,6,4\n";
    let plain = estimates(more, json!({})).expect("figures");
    assert!(plain.results.iter().filter(|row| row.id == "m").all(|row| row.se.is_some()));
}
