//! Every kind of chart with every case that is hard to draw: kept as SVG, and judged by its geometry.
//!
//! The drawings stand in `pictures/`; with `LANGNGHE_RENEW=1` in the environment they are written anew. Look at the
//! difference before it is committed.

use crate::chart_cases::{Case, LONG, each};
use analysis::charts::{Width, png};
use rayon::prelude::*;
use resvg::usvg::{self, roxmltree};
use std::path::PathBuf;
use std::sync::LazyLock;

const REGULAR: &[u8] = include_bytes!("../../fonts/BeVietnamPro-Regular.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../../fonts/BeVietnamPro-SemiBold.ttf");
const WIDTHS: [Width; 2] = [Width::Page, Width::Phone];

static OPTIONS: LazyLock<usvg::Options<'static>> = LazyLock::new(|| {
    let mut options = usvg::Options { font_family: "Be Vietnam Pro".into(), ..Default::default() };
    options.fontdb_mut().load_font_data(REGULAR.to_vec());
    options.fontdb_mut().load_font_data(SEMIBOLD.to_vec());
    options
});

/// Name and SVG of every kind, case and width.
static PICTURES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for case in Case::ALL {
        for (kind, chart) in each(case) {
            for width in WIDTHS {
                let name = format!("{kind}-{}-{}", case.name(), format!("{width:?}").to_lowercase());
                all.push((name, chart.svg(width)));
            }
        }
    }
    all
});

/// Where the texts of each picture stand: setting them is what takes time, so it is done once.
static SET: LazyLock<Vec<(String, Page)>> =
    LazyLock::new(|| PICTURES.par_iter().map(|(name, svg)| (name.clone(), set(svg))).collect());

/// The problems that `find` has with the pictures, all at once.
fn judge<P>(pictures: &[(String, P)], find: impl Fn(&P) -> Vec<String>) {
    let problems: Vec<String> = pictures
        .iter()
        .flat_map(|(name, picture)| {
            find(picture).into_iter().map(move |problem| format!("{name}: {problem}"))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A drawing's size and texts.
struct Page {
    size: usvg::Size,
    texts: Vec<Ink>,
}

/// A text as another program than ours sets it: words, and the box of its ink in pixels.
struct Ink {
    words: String,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

fn set(svg: &str) -> Page {
    fn gather(group: &usvg::Group, all: &mut Vec<Ink>) {
        for node in group.children() {
            match node {
                usvg::Node::Group(inner) => gather(inner, all),
                usvg::Node::Text(text) => {
                    let place = text.flattened().abs_bounding_box();
                    all.push(Ink {
                        words: text.chunks().iter().map(|c| c.text()).collect(),
                        left: place.left(),
                        top: place.top(),
                        right: place.right(),
                        bottom: place.bottom(),
                    });
                }
                _ => {}
            }
        }
    }
    let tree = usvg::Tree::from_str(svg, &OPTIONS).expect("an SVG");
    let mut all = Vec::new();
    gather(tree.root(), &mut all);
    Page { size: tree.size(), texts: all }
}

fn overlaps(page: &Page) -> Vec<String> {
    let all = &page.texts;
    let mut found = Vec::new();
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            let wide = a.right.min(b.right) - a.left.max(b.left);
            let high = a.bottom.min(b.bottom) - a.top.max(b.top);
            if wide > 0.5 && high > 0.5 {
                found.push(format!("“{}” lies on “{}”", a.words, b.words));
            }
        }
    }
    found
}

fn beyond_the_edge(page: &Page) -> Vec<String> {
    let (width, height) = (page.size.width(), page.size.height());
    page.texts
        .iter()
        .filter(|t| t.left < 0.0 || t.top < 0.0 || t.right > width || t.bottom > height)
        .map(|t| format!("“{}” reaches beyond the edge", t.words))
        .collect()
}

type Point = (f64, f64);

/// A filled shape: its corners (a circle as a square within it), and its colour with how much of it covers.
struct Ground {
    corners: Vec<Point>,
    color: [f64; 3],
    covers: f64,
}

fn color_of(text: &str) -> Option<[f64; 3]> {
    let hex = text.strip_prefix('#')?;
    let part = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok().map(f64::from);
    Some([part(0)?, part(2)?, part(4)?])
}

fn luminance(color: [f64; 3]) -> f64 {
    let [r, g, b] = color.map(|v| {
        let v = v / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contains(corners: &[Point], (x, y): Point) -> bool {
    let mut inside = false;
    for (a, b) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        if (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0) {
            inside = !inside;
        }
    }
    inside
}

/// Texts whose middle stands on a colour from which they cannot be told (WCAG 2: less than 4.5 to 1).
fn faint(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let mut grounds: Vec<Ground> = Vec::new();
    let mut found = Vec::new();
    for node in document.root_element().children().filter(roxmltree::Node::is_element) {
        let number = |name: &str| node.attribute(name).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
        let fill = node.attribute("fill").and_then(color_of);
        let corners = match node.tag_name().name() {
            "rect" => {
                let (x, y, w, h) = (number("x"), number("y"), number("width"), number("height"));
                vec![(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
            }
            "polygon" => {
                let points = node.attribute("points").unwrap_or_default().split_whitespace();
                let point = |p: &str| {
                    let (x, y) = p.split_once(',')?;
                    Some((x.parse().ok()?, y.parse().ok()?))
                };
                points.filter_map(point).collect()
            }
            "circle" => {
                let (x, y, r) = (number("cx"), number("cy"), number("r") * 0.7);
                vec![(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
            }
            "text" => {
                let (Some(color), words) = (fill, node.text().unwrap_or_default().trim()) else {
                    found.push(format!("a text without colour: {node:?}"));
                    continue;
                };
                let at = (number("x"), number("y"));
                let mut under = [255.0; 3];
                for ground in grounds.iter().filter(|g| contains(&g.corners, at)) {
                    for (part, new) in under.iter_mut().zip(ground.color) {
                        *part += (new - *part) * ground.covers;
                    }
                }
                let (a, b) = (luminance(color), luminance(under));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                if contrast < 4.5 {
                    found.push(format!("“{words}” stands on a ground too much like it ({contrast:.1})"));
                }
                continue;
            }
            _ => continue,
        };
        if let Some(color) = fill {
            let covers = node.attribute("opacity").and_then(|o| o.parse().ok()).unwrap_or(1.0);
            grounds.push(Ground { corners, color, covers });
        }
    }
    found
}

fn texts(svg: &str) -> String {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let all = document.descendants().filter(|n| n.has_tag_name("text"));
    all.filter_map(|n| n.text()).map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_picture_is_the_one_that_was_looked_at() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/output/pictures");
    let renew = std::env::var_os("LANGNGHE_RENEW").is_some();
    if renew {
        std::fs::create_dir_all(&folder).expect("a folder");
    }
    let mut changed = Vec::new();
    for (name, svg) in PICTURES.iter() {
        let file = folder.join(format!("{name}.svg"));
        if renew {
            std::fs::write(&file, svg).expect("a file");
        } else if std::fs::read_to_string(&file).ok().as_deref() != Some(svg) {
            changed.push(name.as_str());
        }
    }
    assert!(
        changed.is_empty(),
        "these pictures are not those in {}: {}; look at them, then run again with LANGNGHE_RENEW=1",
        folder.display(),
        changed.join(", ")
    );
    let kept = std::fs::read_dir(&folder).expect("the folder").count();
    assert_eq!(kept, PICTURES.len(), "a picture is kept that is no longer drawn");
}

#[test]
fn no_two_texts_overlap() {
    // The subtitle on the height of the title.
    let svg = each(Case::Hidden)[1].1.svg(Width::Page);
    let heights: Vec<&str> =
        svg.split("<text x=\"160\" y=\"").skip(1).take(2).filter_map(|rest| rest.split('"').next()).collect();
    let line = |height: &str| format!("<text x=\"160\" y=\"{height}\"");
    let wrong = svg.replacen(&line(heights[1]), &line(heights[0]), 1);
    assert!(!overlaps(&set(&wrong)).is_empty(), "a text that is moved onto another is found");
    judge(&SET, overlaps);
}

#[test]
fn no_text_reaches_beyond_the_edge() {
    let moved = each(Case::One)[1].1.svg(Width::Page).replacen("<text x=\"160\"", "<text x=\"7000\"", 1);
    assert!(!beyond_the_edge(&set(&moved)).is_empty(), "a text that is moved out is found");
    judge(&SET, beyond_the_edge);
}

#[test]
fn every_text_stands_out_from_its_ground() {
    let grey = each(Case::One)[0].1.svg(Width::Page).replacen("fill=\"#212529\"", "fill=\"#AAAAAA\"", 1);
    assert!(!faint(&grey).is_empty(), "letters that are too light are found");
    judge(&PICTURES, |svg| faint(svg));
}

#[test]
fn every_label_is_there_with_all_its_words() {
    for case in Case::ALL {
        for (kind, chart) in each(case) {
            for width in WIDTHS {
                let words = texts(&chart.svg(width));
                // A hyphenated word may be parted after its hyphen.
                let whole = |label: &str| words.contains(label) || words.replace("- ", "-").contains(label);
                assert!(whole(&case.caption().title), "{kind} {case:?} {width:?} lost words of its title");
                if ["counts-map", "histogram"].contains(&kind) {
                    continue;
                }
                for label in case.labels() {
                    assert!(whole(&label), "{kind} {case:?} {width:?} lost words of “{label}”: {words}");
                }
            }
        }
    }
    assert!(LONG.split(' ').count() > 30);
}

#[test]
fn what_is_held_back_is_hatched_and_said() {
    for (kind, chart) in each(Case::Hidden) {
        if ["funnel", "histogram", "counts-map"].contains(&kind) {
            continue;
        }
        for width in WIDTHS {
            let svg = chart.svg(width);
            assert!(svg.contains("#ADB5BD"), "{kind} {width:?} has no hatching");
            assert!(texts(&svg).contains("số liệu không công bố"), "{kind} {width:?}");
        }
        assert!(chart.table().has_hidden(), "{kind}");
        assert!(chart.alternative_text().contains("không công bố"), "{kind}");
    }
}

#[test]
fn every_chart_has_a_table_and_words_for_those_who_do_not_see_it() {
    for case in Case::ALL {
        for (kind, chart) in each(case) {
            let (table, spoken) = (chart.table(), chart.alternative_text());
            assert_eq!(table.title, case.caption().title);
            assert!(spoken.starts_with(&case.caption().title) && spoken.ends_with('.'), "{kind}: {spoken}");
            if case == Case::Empty {
                assert!(spoken.contains("không có số liệu"), "{kind}: {spoken}");
                continue;
            }
            if !["counts-map", "histogram"].contains(&kind) {
                assert!(table.rows().len() >= case.rows(), "{kind} {case:?}");
            }
            assert!(spoken.contains(|c: char| c.is_ascii_digit()), "{kind}: {spoken}");
            if !["counts-map", "histogram"].contains(&kind) {
                assert!(spoken.contains(&case.labels()[0]) || case == Case::Groups, "{kind}: {spoken}");
            }
            let svg = chart.svg(Width::Page);
            let document = roxmltree::Document::parse(&svg).expect("well-formed");
            let told = document.root_element().children().find(|n| n.has_tag_name("desc"));
            assert_eq!(told.and_then(|n| n.text()), Some(spoken.as_str()), "{kind}");
        }
    }
}

#[test]
fn every_kind_can_be_rendered() {
    let kinds: Vec<_> = PICTURES.iter().filter(|(name, _)| name.ends_with("hidden-phone")).collect();
    assert_eq!(kinds.len(), each(Case::Hidden).len());
    kinds.par_iter().for_each(|(name, svg)| {
        let picture = png(svg, 0.5).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n", "{name}");
    });
}
