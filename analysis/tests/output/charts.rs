//! Charts: hidden figures hidden, axes honest, maps read from what callers have, the same bytes each time.

use crate::chart_cases::{self, Case, dots, each, likert, trend};
use crate::figures::{figure, row};
use analysis::charts::{
    Break, Caption, Chart, EstimateMap, Likert, LikertRow, MapArea, Outline, Places, Tile, TileError, Trend,
    Unit, Width, numerals, png,
};
use analysis::disclosure::{Rules, SafeBins, gate};
use resvg::usvg::roxmltree;

fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    document
        .descendants()
        .filter(|n| n.has_tag_name("text"))
        .filter_map(|n| n.text().map(|t| t.trim().to_owned()))
        .collect()
}

#[test]
fn the_same_chart_gives_the_same_bytes() {
    for width in [Width::Page, Width::Phone] {
        for ((kind, first), (_, second)) in each(Case::Hidden).iter().zip(each(Case::Hidden)) {
            assert_eq!(first.svg(width), second.svg(width), "{kind}");
        }
    }
}

#[test]
fn an_empty_chart_says_that_it_is_empty() {
    for (kind, chart) in each(Case::Empty) {
        assert!(chart.svg(Width::Page).contains("Không có số liệu"), "{kind}");
        assert!(chart.table().rows().len() <= 1, "{kind}");
    }
}

#[test]
fn a_hidden_row_is_hatched_and_its_number_is_nowhere() {
    let mut chart = dots(Case::Long);
    chart.rows[0].figure = figure(0.7777, 0.1111, 12);
    let svg = chart.svg(Width::Page);
    assert!(svg.contains("Ô gạch chéo"));
    let all = texts(&svg).join(" ");
    assert!(all.contains('…') && !all.contains("78 ["), "{all}");
}

#[test]
fn a_likert_item_with_one_hidden_answer_shows_none_and_no_base() {
    let mut rows = vec![row("a", 0.02, 0.01, 200), row("b", 0.38, 0.02, 200), row("c", 0.6, 0.02, 200)];
    for (row, category) in rows.iter_mut().zip(["1", "2", "3"]) {
        row.id = "item".into();
        row.category = Some(category.into());
    }
    let safe = gate(&rows, &Rules::default()).expect("no crossing");
    let chart = Likert {
        caption: Caption::default(),
        scale: ["Kém đi", "Như cũ", "Tốt lên"].map(String::from).to_vec(),
        rows: vec![LikertRow {
            label: "Mục".into(),
            figures: safe.iter().map(|r| r.figure().clone()).collect(),
            aside: None,
        }],
        aside: None,
    };
    let all = texts(&chart.svg(Width::Page));
    assert!(!all.iter().any(|t| t == "60" || t == "38"), "{all:?}");
}

#[test]
fn a_small_base_is_drawn_hollow_and_said_to_be_small() {
    let svg = dots(Case::Hidden).svg(Width::Page);
    assert!(svg.contains("cần thận trọng"));
    assert!(svg.contains("fill=\"none\" stroke=\"#5B646D\""), "a ring");
}

#[test]
fn an_axis_that_does_not_start_at_zero_says_so() {
    let mut chart = dots(Case::One);
    chart.rows[0].figure = figure(0.82, 0.02, 1900);
    chart.rows[0].truth = None;
    chart.overall = None;
    assert!(chart.svg(Width::Page).contains("Trục bắt đầu từ 80%"));
}

#[test]
fn lines_of_a_trend_stop_at_a_break() {
    let lines = |chart: &Trend| chart.svg(Width::Page).matches("stroke-width=\"26\"").count();
    let mut chart = trend(Case::Long);
    chart.breaks.clear();
    assert_eq!(lines(&chart), 3);
    chart.breaks.push(Break { before: 2, note: "Câu hỏi thay đổi".into() });
    assert_eq!(lines(&chart), 6);
    assert!(chart.svg(Width::Page).contains("Câu hỏi thay đổi"));
}

/// The second series lacks one wave of five: a line to it, none across it, and one after it, beside a break.
#[test]
fn a_wave_held_back_parts_the_line_and_is_hatched_on_the_axis() {
    let mut chart = trend(Case::Hidden);
    chart.breaks.clear();
    chart.series.truncate(2);
    let svg = chart.svg(Width::Page);
    assert_eq!(svg.matches("stroke-width=\"26\"").count(), 3);
    assert!(svg.contains("Ô gạch chéo trên trục: số liệu không công bố."));
}

#[test]
fn more_series_than_colours_get_a_small_plot_each() {
    let svg = trend(Case::Groups).svg(Width::Page);
    assert_eq!(texts(&svg).iter().filter(|t| *t == "2027").count(), 54);
}

/// 100 equal values and 3 far ones: the far ones join a class of at least ten.
#[test]
fn classes_of_a_histogram_hold_at_least_ten_respondents() {
    let mut values: Vec<f64> = (0..100).map(|i| 1.0 + f64::from(i) / 100.0).collect();
    values.extend([9.0, 9.5, 9.9]);
    let bins = SafeBins::of(&values, 20, &Rules::default());
    assert_eq!(bins.n(), 103);
    assert!(bins.bins().iter().all(|b| b.n >= 10), "{bins:?}");
    assert!(bins.bins().windows(2).all(|w| w[0].high == w[1].low));
}

#[test]
fn png_is_rendered_with_the_embedded_font() {
    let svg = dots(Case::Hidden).svg(Width::Page);
    let picture = png(&svg, 2.0).expect("a picture");
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(u32::from_be_bytes(picture[16..20].try_into().expect("four bytes")), 1520);
    let wordless: String = svg.lines().filter(|l| !l.starts_with("<text")).collect::<Vec<_>>().join("\n");
    let wordless = wordless.replace("</text>", "");
    let plain = png(&wordless, 2.0);
    assert!(plain.is_err() || plain.is_ok_and(|p| p.len() * 2 < picture.len()), "letters are drawn");
    assert!(png("<not-svg>", 1.0).is_err());
}

#[test]
fn a_chart_speaks_to_those_who_do_not_see_it() {
    let svg = likert(Case::Long).svg(Width::Page);
    let document = roxmltree::Document::parse(&svg).expect("well-formed");
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    assert!(
        root.children()
            .any(|n| n.has_tag_name("title") && n.text().is_some_and(|t| t.contains(chart_cases::LONG)))
    );
}

#[test]
fn numbers_are_written_the_vietnamese_way() {
    assert_eq!(numerals::decimal(1234567.891, 1), "1.234.567,9");
    assert_eq!(numerals::decimal(-0.04, 1), "0,0");
    assert_eq!(numerals::decimal(-2.5, 1), "−2,5");
    assert_eq!(numerals::whole(854679), "854.679");
    assert_eq!(numerals::percent(0.342, 1), "34,2%");
    assert_eq!(numerals::decimal(f64::NAN, 1), "–");
}

fn area(code: &str, estimate: f64, half: f64) -> MapArea {
    let figure = figure(estimate, half, 600);
    MapArea { code: code.into(), name: format!("Huyện {code} cũ"), figure, units: Vec::new() }
}

fn tiles(csv: &str) -> Result<Vec<Tile>, TileError> {
    Tile::read(csv, "o.csv")
}

/// The whole is 56–60%: 44 [41; 47] is below it, 70 [66; 74] above, 60 [57; 63] is not told apart from it.
#[test]
fn areas_apart_from_the_whole_beyond_their_errors_get_a_triangle() {
    let map = |areas: Vec<MapArea>| EstimateMap {
        caption: Caption::default(),
        unit: Unit::Percent,
        areas,
        places: Places::Tiles(tiles("code,column,row\n01,1,1\n02,2,1\n03,2,2\n").expect("a grid")),
        overall: Some(("toàn tỉnh".into(), figure(0.58, 0.02, 1900))),
    };
    let all = map(vec![area("01", 0.44, 0.03), area("02", 0.70, 0.04), area("03", 0.60, 0.03)]);
    let svg = all.svg(Width::Page);
    let words = texts(&svg).join(" ");
    assert!(words.contains("cao hơn toàn tỉnh (58%) ngoài sai số"), "{words}");
    assert!(words.contains("thấp hơn toàn tỉnh (58%) ngoài sai số"), "{words}");
    assert!(
        words.contains("[41; 47]") && words.contains("[66; 74]") && words.contains("[57; 63]"),
        "{words}"
    );
    // Two of the areas and two keys of the legend.
    let triangles = |svg: &str| svg.matches("<polygon").count() - 3;
    assert_eq!(triangles(&svg), 4);
    let none = map(vec![area("01", 0.57, 0.03), area("02", 0.59, 0.04), area("03", 0.60, 0.03)]);
    assert_eq!(triangles(&none.svg(Width::Page)), 0);
}

#[test]
fn an_area_without_a_place_on_the_map_is_listed_below_it() {
    let map = EstimateMap {
        caption: Caption::default(),
        unit: Unit::Percent,
        areas: vec![area("01", 0.44, 0.03), area("99", 0.71, 0.04)],
        places: Places::Tiles(tiles("code,column,row\n01,1,1\n").expect("a grid")),
        overall: None,
    };
    let words = texts(&map.svg(Width::Phone)).join(" ");
    assert!(words.contains("Huyện 99 cũ") && words.contains("71% [67; 75]"), "{words}");
    assert!(words.contains("không nằm trên bản đồ này"), "{words}");
}

#[test]
fn a_grid_of_tiles_keeps_leading_zeros_and_names_what_is_wrong_with_it() {
    let read = tiles("row,code,column\n2,026,3\n").expect("a grid");
    assert_eq!(read, [Tile { code: "026".into(), column: 2, row: 1 }]);
    let message = |csv: &str| tiles(csv).expect_err("a fault").to_string();
    assert!(
        message("code,column,row\n01,1,1\n02,1,1\n").contains("line 3: the place of `02` is taken by `01`")
    );
    assert!(message("code,column,row\n01,0,1\n").contains("line 2: give a code, and column and row"));
    assert!(message("code,column,row\n01,1.5,1\n").contains("line 2"));
    assert!(message("code,column\n01,1\n").contains("no column `row`"));
}

/// Five areas of two parents in three columns: 3 + 1 of the first, then a new row.
#[test]
fn a_grid_from_the_area_tree_begins_a_row_for_each_parent() {
    let codes = |list: &[&str]| list.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    let (first, second) = (codes(&["1", "2", "3", "4"]), codes(&["5"]));
    let places: Vec<(usize, usize)> =
        Tile::listed([first.as_slice(), &second], 3).iter().map(|t| (t.column, t.row)).collect();
    assert_eq!(places, [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)]);
}

/// A polygon, an area of two islands, and a point, which is no area.
#[test]
fn outlines_are_read_from_polygons_and_areas_of_several_parts() {
    let square = |x: f64| format!("[[{x},0],[{},0],[{},1],[{x},1],[{x},0]]", x + 1.0, x + 1.0);
    let feature = |code: &str, kind: &str, coordinates: &str| {
        format!(
            "{{\"properties\":{{\"code\":\"{code}\",\"name\":\"Xã {code}\"}},\"geometry\":{{\"type\":\"{kind}\",\
             \"coordinates\":{coordinates}}}}}"
        )
    };
    let geojson = format!(
        "{{\"features\":[{},{},{}]}}",
        feature("01", "Polygon", &format!("[{}]", square(0.0))),
        feature("02", "MultiPolygon", &format!("[[{}],[{}]]", square(2.0), square(4.0))),
        feature("03", "Point", "[1,1]"),
    );
    let outlines = Outline::read(&geojson).expect("outlines");
    let codes: Vec<&str> = outlines.iter().map(|o| o.code.as_str()).collect();
    assert_eq!(codes, ["01", "02", "02"]);
    assert_eq!(outlines[2].middle(), (4.5, 0.5));
}

#[test]
fn labels_on_outlines_that_are_too_small_become_numbers_with_a_list() {
    let wide = chart_cases::outline_map(Case::Hidden).svg(Width::Page);
    assert!(!texts(&wide).contains(&"1".to_owned()), "there is room for names");
    let narrow = texts(&chart_cases::outline_map(Case::Groups).svg(Width::Phone));
    for number in 1..=54 {
        assert_eq!(narrow.iter().filter(|t| **t == number.to_string()).count(), 2, "{number}: map and list");
    }
}
