//! The documentation of a drawn sample and the printed Kish grid: what they say, and what they must not say.

use std::io::Read;
use std::path::PathBuf;

use analysis::charts::{AreaMap, Caption, Chart, Outline, Width};
use analysis::report::{docx, html};
use analysis::sampling::design_page::{DesignPage, INTERNAL};
use analysis::sampling::document::read_drawn;
use analysis::sampling::kish_page::kish_page;
use analysis::sampling::precision::{Assumptions, DrawnUnit, expected};
use analysis::sampling::{Plan, draw_from};
use analysis::table::{Table, Types};
use serde_json::json;

const ASSUMED: Assumptions = Assumptions { icc: 0.05, response: 0.8, level: 0.95 };

/// Four villages of 10 households drawn with weight 2, 8 of which answer: deff 1 + 7 · 0.05, t with 3 degrees.
#[test]
fn expected_precision_by_hand() {
    let psu = ["a", "b", "c", "d"];
    let units = (0..40).map(|i| DrawnUnit { weight: 2.0, stratum: "s", psu: psu[i / 10] });
    let got = expected(units, &ASSUMED);
    assert_eq!((got.psus, got.drawn, got.df), (4, 40, 3));
    assert!((got.interviews - 32.0).abs() < 1e-9 && (got.deff - 1.35).abs() < 1e-9, "{got:?}");
    // t(0.975; 3) = 3.182446.
    let margin = 3.182_446 * (1.35 * 0.25 / 32.0_f64).sqrt();
    assert!((got.margin.expect("a margin") - margin).abs() < 1e-6, "{got:?}");
}

/// Weights 1 and 3 in equal numbers: 1 + cv² = 2 (1 + 9) / (1 + 3)² = 1.25. One village says nothing of itself.
#[test]
fn unequal_weights_cost_precision_and_one_village_has_none() {
    let units = |weights: [f64; 2]| {
        (0..400_usize).map(move |i| DrawnUnit {
            weight: weights[i % 2],
            stratum: "s",
            psu: ["a", "b", "c", "d", "e", "f", "g", "h"][i / 50],
        })
    };
    let (even, uneven) = (expected(units([2.0, 2.0]), &ASSUMED), expected(units([1.0, 3.0]), &ASSUMED));
    assert!((uneven.deff / even.deff - 1.25).abs() < 1e-12);
    let ratio = uneven.margin.expect("a margin") / even.margin.expect("a margin");
    assert!((ratio - 1.25_f64.sqrt()).abs() < 1e-12);
    let alone = expected((0..16).map(|_| DrawnUnit { weight: 1.0, stratum: "s", psu: "a" }), &ASSUMED);
    assert_eq!((alone.df, alone.margin), (0, None));
    let none = expected(std::iter::empty(), &ASSUMED);
    assert_eq!((none.drawn, none.margin), (0, None));
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// 60 villages in two communes that are on the map and one that is not; one village so large that it is certain.
fn drawn(name: &str) -> PathBuf {
    let mut text = String::from("village_id,commune_code,group,adults,households\n");
    for i in 0..60 {
        let commune = ["00691", "00694", "00004"][i % 3];
        let adults = if i == 7 { 90_000 } else { 100 + i };
        text.push_str(&format!(
            "T-{i:02},{commune},{},{adults},{}\n",
            ["x", "y", "tiny"][(i % 20).div_euclid(9)],
            40 + i
        ));
    }
    let frame = Table::parse_csv(
        &text,
        "frame.csv",
        &Types::from_iter([("commune_code".to_owned(), analysis::table::Declared::Category)]),
    )
    .expect("a frame");
    let plan = json!({
        "frame": "frame.csv", "seed": 12, "strata": ["group"], "merge": {"min_units": 7},
        "stages": [
            {"unit": "village_id", "size": "adults", "method": "pps_systematic", "reserve": 1,
             "allocation": {"method": "proportional", "total": 20, "min": 4}},
            {"unit": "household", "of": "households", "method": "srs", "take": 10, "reserve": 5}
        ]
    });
    let plan = Plan::from_json(&plan.to_string()).expect("a plan");
    let file = scratch(name).join("sample.csv");
    draw_from(&frame, &plan, None).expect("a sample").write(&file).expect("written");
    file
}

fn words(xml: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in xml.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_tells_how_the_sample_was_drawn_and_names_no_household() {
    let file = drawn("sampling_page");
    let (sample, design) = read_drawn(&file).expect("the sample and its design");
    let outlines = Outline::read(surveys::outlines::COMMUNES_TUYEN_QUANG).expect("outlines");
    let page = DesignPage {
        design: &design,
        sample: &sample,
        file: "sample.csv",
        assumptions: ASSUMED,
        outlines: &outlines,
    };
    let report = page.report();
    let page = words(&html(&report));
    let sha: String = design.frame.sha256.chars().take(8).collect();
    for part in [
        INTERNAL,
        "Hạt giống (seed) 12",
        sha.as_str(),
        "Phân tầng theo (strata): group.",
        "quy mô là adults; phân bổ tỷ lệ (proportional), tổng 20, ít nhất 4; dự phòng 1 mỗi tầng.",
        "chọn household bằng cách ngẫu nhiên đơn giản (srs), đánh số thứ tự 1 … households",
        "Đơn vị chọn chắc chắn (certainty units): T-07",
        "Tầng gộp (merged strata): tiny + ",
        "80% đơn vị được chọn trả lời",
        "Cả mẫu (total) 60",
        "11. Giới hạn (limitations)",
        "2. Ai đặt hàng, ai thực hiện (sponsor, conductor) (điền tay)",
        "20 đơn vị giai đoạn 1 nằm ở đâu",
    ] {
        assert!(page.contains(part), "`{part}` is not on the page:\n{page}");
    }
    // Every village has its households' numbers in the sample; none stands on the page with its village.
    assert!(sample.get("household").is_some() && !page.contains("T-07/"));
    assert_eq!(html(&report), html(&report));

    let bytes = docx(&report).expect("a document");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a package");
    let mut part = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).expect("a part").read_to_string(&mut text).expect("it is text");
        words(&text)
    };
    assert!(part("word/footer.xml").contains("NỘI BỘ"));
    let body = part("word/document.xml");
    assert!(body.contains("THIẾT KẾ MẪU") && !body.contains("ĐẢNG CỘNG SẢN"), "{body}");
}

#[test]
fn a_sample_that_was_changed_is_not_documented() {
    let file = drawn("sampling_page_changed");
    let folder = scratch("sampling_page_copy");
    let copy = folder.join("sample.csv");
    std::fs::copy(file.with_file_name("sample.csv.design.json"), folder.join("sample.csv.design.json"))
        .expect("copied");
    let text = std::fs::read_to_string(&file).expect("the sample");
    std::fs::write(&copy, text.replacen("main", "reserve", 1)).expect("written");
    let error = read_drawn(&copy).expect_err("changed").to_string();
    assert!(error.contains("is not the sample that"), "{error}");
    let error = read_drawn(&folder.join("other.csv")).expect_err("no design").to_string();
    assert!(error.contains("other.csv.design.json"), "{error}");
}

#[test]
fn the_map_shades_and_numbers_the_areas_that_have_something() {
    let square = |code: &str, x: f64| Outline {
        code: code.into(),
        name: code.into(),
        ring: vec![(x, 22.0), (x + 1.0, 22.0), (x + 1.0, 23.0), (x, 23.0)],
    };
    let caption = Caption { title: "Ba xã".into(), ..Caption::default() };
    let map = AreaMap {
        caption,
        outlines: vec![square("a", 104.0), square("b", 105.0), square("c", 106.0)],
        counts: vec![("a".into(), 1), ("b".into(), 4)],
        points: Vec::new(),
        unit: "thôn".into(),
    };
    let svg = map.svg(Width::Page);
    assert_eq!(svg.matches("<polygon").count(), 3);
    assert!(svg.contains(">\n1\n<") && svg.contains(">\n4\n<"), "{svg}");
    assert_eq!(map.table().rows().len(), 2);
    let nothing = AreaMap { outlines: Vec::new(), counts: Vec::new(), ..map };
    assert!(nothing.svg(Width::Phone).contains("Không có số liệu để vẽ."));
    let outlines = Outline::read(surveys::outlines::COMMUNES_TUYEN_QUANG).expect("outlines");
    assert_eq!(outlines.len(), 124);
    assert!(Outline::read("{").is_err());
}

/// Table A is on 2 of 12 forms; in a home of five the third person has 3/12, so the weight 4.
#[test]
fn the_printed_grid_carries_its_weights_and_the_letters_of_its_forms() {
    let page = words(&html(&kish_page(24, 2026)));
    for part in
        ["24 phiếu, hạt giống 2026", "A 2/12 1 1 1 1 1 1", "E2 1/12 1 2 3 4 5 5", "3/12 → 4", "6/12 → 2"]
    {
        assert!(page.contains(part), "`{part}` is not on the page:\n{page}");
    }
    let letters = analysis::sampling::household::grid_letters(24, 2026);
    assert!(page.contains(&format!("0 {}", letters[..10].join(" "))), "{page}");
    assert!(page.contains(&format!("20 {}", letters[20..].join(" "))), "{page}");
}
