//! Charts: whole labels, nothing beyond the edge, hidden figures hidden, the same bytes each time.

use crate::figures::{figure, figures, row};
use analysis::charts::{
    BarGroup, Break, Caption, Chart, DotInterval, DotRow, Funnel, GroupedBars, Histogram, Likert, LikertRow,
    Order, Pyramid, PyramidBand, Series, Stage, Trend, Unit, Width, numerals, png,
};
use analysis::disclosure::{Figure, Rules, SafeBins, gate};
use resvg::usvg::{self, roxmltree};
use std::sync::LazyLock;

const LONG: &str = "Mức độ hài lòng với việc giải quyết thủ tục hành chính, bồi thường, hỗ trợ và bố trí tái định cư \
                    của người dân ở các thôn đặc biệt khó khăn vùng biên giới";
const REGULAR: &[u8] = include_bytes!("../../fonts/BeVietnamPro-Regular.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../../fonts/BeVietnamPro-SemiBold.ttf");

static OPTIONS: LazyLock<usvg::Options<'static>> = LazyLock::new(|| {
    let mut options = usvg::Options { font_family: "Be Vietnam Pro".into(), ..Default::default() };
    options.fontdb_mut().load_font_data(REGULAR.to_vec());
    options.fontdb_mut().load_font_data(SEMIBOLD.to_vec());
    options
});

fn caption() -> Caption {
    Caption {
        title: format!("Phát hiện: {LONG}"),
        subtitle: "Câu hỏi và đối tượng".into(),
        source: "Nguồn: khảo sát; n = 1.912".into(),
        synthetic: Some("DỮ LIỆU MÔ PHỎNG – chỉ phạm vi tỉnh Hà Giang cũ".into()),
    }
}

/// A long label; where there are very many rows, one of a few words, to be quick.
fn label(rows: usize, i: usize) -> String {
    if rows > 10 { format!("Dân tộc thiểu số rất ít người {i}") } else { format!("{LONG} {i}") }
}

fn hidden() -> Figure {
    figure(0.5, 0.1, 12)
}

fn likert(rows: usize) -> Likert {
    Likert {
        caption: caption(),
        scale: ["Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng"]
            .map(String::from)
            .to_vec(),
        rows: (0..rows)
            .map(|i| LikertRow {
                label: label(rows, i),
                figures: figures(&[0.1, 0.2, 0.2, 0.3, 0.15], 1912),
                aside: Some(figure(0.05, 0.01, 1912)),
            })
            .collect(),
        aside: Some("Không biết, không trả lời".into()),
    }
}

fn dots(rows: usize) -> DotInterval {
    DotInterval {
        caption: caption(),
        unit: Unit::Percent,
        rows: (0..rows)
            .map(|i| DotRow {
                label: label(rows, i),
                figure: if i == 2 { hidden() } else { figure(0.3 + 0.01 * i as f64, 0.05, 40 + 20 * i) },
                truth: Some(0.4),
            })
            .collect(),
        order: Order::Descending,
        overall: Some(("Toàn địa bàn".into(), figure(0.5, 0.02, 1912))),
        truth_label: Some("Giá trị thật".into()),
    }
}

fn bars(groups: usize) -> GroupedBars {
    GroupedBars {
        caption: caption(),
        unit: Unit::Percent,
        series: vec!["Nam".into(), "Nữ".into()],
        groups: (0..groups)
            .map(|i| BarGroup { label: label(groups, i), figures: vec![figure(0.4, 0.1, 60), hidden()] })
            .collect(),
    }
}

fn funnel(stages: usize) -> Funnel {
    let stage =
        |i: usize| Stage { label: label(stages, i), cases: 1920 - 30 * i as u64, lost: label(stages, i) };
    Funnel { caption: caption(), stages: (0..stages).map(stage).collect() }
}

fn pyramid(bands: usize) -> Pyramid {
    let band = |i: usize| PyramidBand {
        label: format!("{}–{}", 18 + i, 19 + i),
        sample: [figure(0.1, 0.01, 1912), hidden()],
        population: [0.09, 0.12],
    };
    Pyramid {
        caption: caption(),
        sides: ["Nam".into(), "Nữ".into()],
        bands: (0..bands).map(band).collect(),
        sample_label: "Mẫu".into(),
        population_label: "Dân số".into(),
    }
}

fn trend(waves: usize) -> Trend {
    let line = |level: f64| (0..waves).map(|i| figure(level + 0.002 * i as f64, 0.02, 1900)).collect();
    Trend {
        caption: caption(),
        unit: Unit::Percent,
        waves: (0..waves).map(|i| (2023 + i).to_string()).collect(),
        series: vec![
            Series { label: LONG.into(), figures: line(0.70) },
            Series { label: "Công an xã".into(), figures: line(0.705) },
        ],
        breaks: vec![Break { before: 1, note: "Địa giới thay đổi".into() }],
    }
}

fn histogram(values: usize) -> Histogram {
    let values: Vec<f64> = (0..values).map(|i| 100.0 + (i * i % 977) as f64).collect();
    Histogram { caption: caption(), bins: SafeBins::of(&values, 20, &Rules::default()), measure: LONG.into() }
}

/// One chart of each kind with so many rows.
fn each(rows: usize) -> Vec<(&'static str, Box<dyn Chart>)> {
    vec![
        ("likert", Box::new(likert(rows))),
        ("dots", Box::new(dots(rows))),
        ("bars", Box::new(bars(rows))),
        ("funnel", Box::new(funnel(rows))),
        ("pyramid", Box::new(pyramid(rows))),
        ("trend", Box::new(trend(rows))),
        ("histogram", Box::new(histogram(rows * 60))),
    ]
}

fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    document
        .descendants()
        .filter(|n| n.has_tag_name("text"))
        .filter_map(|n| n.text().map(|t| t.trim().to_owned()))
        .collect()
}

/// Names of what reaches beyond the drawing, measured by another program than the one that placed it.
fn beyond_the_edge(svg: &str) -> Vec<String> {
    let tree = usvg::Tree::from_str(svg, &OPTIONS).expect("an SVG");
    let mut found = Vec::new();
    for node in tree.root().children().iter().flat_map(|n| match n {
        usvg::Node::Group(group) => group.children().to_vec(),
        other => vec![other.clone()],
    }) {
        let place = node.abs_bounding_box();
        let text = if let usvg::Node::Text(text) = &node {
            text.chunks().iter().map(|c| c.text().to_owned()).collect()
        } else {
            format!("{place:?}")
        };
        let (width, height) = (tree.size().width() + 0.5, tree.size().height() + 0.5);
        if place.left() < -0.5 || place.top() < -0.5 || place.right() > width || place.bottom() > height {
            found.push(text);
        }
    }
    found
}

#[test]
fn the_same_chart_gives_the_same_bytes() {
    for width in [Width::Page, Width::Phone] {
        for ((kind, first), (_, second)) in each(4).iter().zip(each(4)) {
            assert_eq!(first.svg(width), second.svg(width), "{kind}");
        }
    }
}

#[test]
fn nothing_reaches_beyond_the_edge_with_none_one_and_54_rows() {
    let moved = dots(1).svg(Width::Page).replacen("<text x=\"160\"", "<text x=\"7000\"", 1);
    assert!(!beyond_the_edge(&moved).is_empty(), "a text that is moved out is found");
    for rows in [0, 1, 54] {
        for (kind, chart) in each(rows) {
            for width in [Width::Page, Width::Phone] {
                let beyond = beyond_the_edge(&chart.svg(width));
                assert!(beyond.is_empty(), "{kind}, {rows} rows, {width:?}: {beyond:?}");
            }
        }
    }
}

#[test]
fn long_labels_are_wrapped_and_no_word_is_lost() {
    for (kind, chart) in each(3) {
        for width in [Width::Page, Width::Phone] {
            let all = texts(&chart.svg(width)).join(" ");
            if kind != "pyramid" {
                assert!(all.contains(LONG), "{kind} {width:?}: {all}");
            }
            assert!(all.contains(&format!("Phát hiện: {LONG}")), "{kind} {width:?} lost words of its title");
        }
    }
}

#[test]
fn an_empty_chart_says_that_it_is_empty() {
    for (kind, chart) in each(0) {
        assert!(chart.svg(Width::Page).contains("Không có số liệu"), "{kind}");
        assert!(chart.table().rows().len() <= 1, "{kind}");
    }
}

#[test]
fn a_hidden_row_is_hatched_and_its_number_is_nowhere() {
    let mut chart = dots(2);
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
    let svg = dots(1).svg(Width::Page);
    assert!(svg.contains("cần thận trọng"));
    assert!(svg.contains("fill=\"none\" stroke=\"#5B646D\""), "a ring");
}

#[test]
fn an_axis_that_does_not_start_at_zero_says_so() {
    let mut chart = dots(1);
    chart.rows[0].figure = figure(0.82, 0.02, 1900);
    chart.rows[0].truth = None;
    chart.overall = None;
    assert!(chart.svg(Width::Page).contains("Trục bắt đầu từ 80%"));
}

#[test]
fn lines_of_a_trend_stop_at_a_break() {
    let lines = |chart: &Trend| chart.svg(Width::Page).matches("stroke-width=\"26\"").count();
    let mut chart = trend(4);
    chart.breaks.clear();
    assert_eq!(lines(&chart), 2);
    chart.breaks.push(Break { before: 2, note: "Câu hỏi thay đổi".into() });
    assert_eq!(lines(&chart), 4);
    assert!(chart.svg(Width::Page).contains("Câu hỏi thay đổi"));
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
    let chart = dots(3);
    let svg = chart.svg(Width::Page);
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
    let svg = likert(1).svg(Width::Page);
    let document = roxmltree::Document::parse(&svg).expect("well-formed");
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    assert!(root.children().any(|n| n.has_tag_name("title") && n.text().is_some_and(|t| t.contains(LONG))));
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
