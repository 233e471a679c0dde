//! Charts of every kind, each with what is hard to draw.

use crate::figures::figure;
use analysis::charts::{
    AreaMap, BarGroup, Break, Caption, Chart, DotInterval, DotRow, EstimateMap, Funnel, GroupedBars,
    Histogram, Likert, LikertRow, MapArea, Order, Outline, Places, Pyramid, PyramidBand, Series, Stage, Tile,
    Trend, Unit,
};
use analysis::disclosure::{Figure, Rules, SafeBins};
use std::sync::LazyLock;

/// One label of this length stands for the longest questions of the instrument.
pub const LONG: &str = "Mức độ hài lòng với việc giải quyết thủ tục hành chính, bồi thường, hỗ trợ và bố trí tái \
                        định cư của người dân ở các thôn đặc biệt khó khăn vùng biên giới";

/// Names of the 54 ethnic groups, the longest labels that come in such numbers.
static GROUPS: LazyLock<Vec<String>> = LazyLock::new(|| {
    include_str!("../../../surveys/areas/ethnic_groups.csv")
        .lines()
        .skip(1)
        .take(54)
        .filter_map(|line| line.split(',').nth(1))
        .map(str::to_owned)
        .collect()
});

/// What is hard to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Few rows with labels of many words.
    Long,
    /// Held back, on a small base and absent, beside figures that are shown.
    Hidden,
    /// One row.
    One,
    /// All 54 ethnic groups.
    Groups,
    Empty,
}

impl Case {
    pub const ALL: [Self; 5] = [Self::Long, Self::Hidden, Self::One, Self::Groups, Self::Empty];

    pub fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Hidden => "hidden",
            Self::One => "one",
            Self::Groups => "groups",
            Self::Empty => "empty",
        }
    }

    pub fn rows(self) -> usize {
        match self {
            Self::Long => 3,
            Self::Hidden => 5,
            Self::One => 1,
            Self::Groups => GROUPS.len(),
            Self::Empty => 0,
        }
    }

    /// Labels of the rows, none twice.
    pub fn labels(self) -> Vec<String> {
        match self {
            Self::Long => ["", "trong năm qua", "so với năm trước"]
                .map(|end| format!("{LONG} {end}").trim().to_owned())
                .to_vec(),
            Self::Hidden | Self::Empty => {
                let all =
                    ["Hoàng Su Phì cũ", "Xín Mần cũ", "Thành phố Hà Giang cũ", "Đồng Văn cũ", "Vị Xuyên cũ"];
                all[..self.rows()].iter().map(|l| (*l).to_owned()).collect()
            }
            Self::One => vec!["Thường trú tại tỉnh Hà Giang cũ".into()],
            Self::Groups => GROUPS.clone(),
        }
    }

    /// A share a row: the rows of `Hidden` after the first are held back, cautious, absent and shown.
    pub fn figure(self, row: usize, share: f64) -> Figure {
        match (self, row) {
            (Self::Hidden, 1) => figure(share, 0.1, 12),
            (Self::Hidden, 2) => figure(share, 0.09, 60),
            (Self::Hidden, 3) => Figure::absent(),
            _ => figure(share, 0.03 + 0.001 * row as f64, 1912 - 20 * row),
        }
    }

    fn share(self, row: usize) -> f64 {
        0.35 + 0.45 * ((row * 37 + 11) % 54) as f64 / 54.0
    }

    fn figures(self) -> Vec<Figure> {
        (0..self.rows()).map(|row| self.figure(row, self.share(row))).collect()
    }

    pub fn caption(self) -> Caption {
        Caption {
            title: match self {
                Self::Long => format!("Phát hiện: {LONG}"),
                _ => "62% người dân hài lòng; chưa đủ căn cứ kết luận có khác biệt giữa các nhóm".into(),
            },
            subtitle: "Câu hỏi: “Nhìn chung, Ông/Bà có hài lòng không?”. Người từ 18 tuổi, % người có ý kiến"
                .into(),
            source: "Nguồn: khảo sát năm 2026; mẫu xác suất hai giai đoạn, có trọng số; n = 1.912".into(),
            synthetic: (self == Self::Hidden)
                .then(|| "DỮ LIỆU MÔ PHỎNG – chỉ phạm vi tỉnh Hà Giang cũ".into()),
        }
    }
}

pub fn likert(case: Case) -> Likert {
    let labels = case.labels();
    let row = |(row, label): (usize, &String)| {
        // Five shares that differ from row to row and sum to 1.
        let tilt = 0.12 * ((row % 5) as f64 - 2.0) / 2.0;
        let shares = [0.08 - tilt / 3.0, 0.17 - tilt / 2.0, 0.2, 0.35 + tilt / 2.0, 0.2 + tilt / 3.0];
        LikertRow {
            label: label.clone(),
            figures: shares.map(|share| case.figure(row, share)).to_vec(),
            aside: Some(case.figure(row, 0.07)),
        }
    };
    let scale = ["Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng"];
    Likert {
        caption: case.caption(),
        scale: scale.map(String::from).to_vec(),
        rows: labels.iter().enumerate().map(row).collect(),
        aside: Some("Không biết, không trả lời".into()),
    }
}

pub fn dots(case: Case) -> DotInterval {
    let rows = case.labels().into_iter().zip(case.figures());
    DotInterval {
        caption: case.caption(),
        unit: Unit::Percent,
        rows: rows.map(|(label, figure)| DotRow { label, figure, truth: Some(0.55) }).collect(),
        order: Order::Descending,
        overall: Some(("Toàn địa bàn".into(), figure(0.58, 0.02, 1912))),
        truth_label: Some("Giá trị thật của dân số mô phỏng".into()),
    }
}

pub fn bars(case: Case) -> GroupedBars {
    let group = |(row, label): (usize, String)| BarGroup {
        label,
        figures: vec![case.figure(row, case.share(row)), case.figure(0, case.share(row) * 0.9)],
    };
    GroupedBars {
        caption: case.caption(),
        unit: Unit::Percent,
        series: vec!["Nam".into(), "Nữ".into()],
        groups: case.labels().into_iter().enumerate().map(group).collect(),
    }
}

pub fn trend(case: Case) -> Trend {
    let waves = if case == Case::One { 1 } else { 5 };
    let series = |(row, label): (usize, String)| {
        let figures = (0..waves).map(|wave| {
            let step = 0.012 * wave as f64 * if row % 2 == 0 { 1.0 } else { -1.0 };
            // One wave of the second series is held back, the others are on small bases or absent.
            if case == Case::Hidden && wave != 2 && row == 1 {
                return figure(case.share(row) + step, 0.03, 1900);
            }
            case.figure(row, case.share(row) + step)
        });
        Series { label, figures: figures.collect() }
    };
    Trend {
        caption: case.caption(),
        unit: Unit::Percent,
        waves: (0..waves).map(|i| (2023 + i).to_string()).collect(),
        series: case.labels().into_iter().enumerate().map(series).collect(),
        breaks: vec![Break {
            before: 2, note: "Địa giới hành chính thay đổi từ 01/7/2025".into()
        }],
    }
}

fn areas(case: Case) -> Vec<MapArea> {
    let area = |(i, (name, figure)): (usize, (String, Figure))| MapArea {
        code: format!("{i:03}"),
        name,
        figure,
        units: Vec::new(),
    };
    case.labels().into_iter().zip(case.figures()).enumerate().map(area).collect()
}

fn map(case: Case, places: Places) -> EstimateMap {
    EstimateMap {
        caption: case.caption(),
        unit: Unit::Percent,
        areas: areas(case),
        places,
        overall: Some(("toàn địa bàn".into(), figure(0.58, 0.02, 1912))),
    }
}

pub fn tile_map(case: Case) -> EstimateMap {
    let columns = if case == Case::Groups { 9 } else { 3 };
    let rows = (0..case.rows()).map(|i| format!("{i:03},{},{}", i % columns + 1, i / columns + 1));
    let csv = ["code,column,row".to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n");
    map(case, Places::Tiles(Tile::read(&csv, "tiles.csv").expect("a grid")))
}

/// Squares of the size of a commune with one corner cut, in rows; three of them make one area, a fourth has none.
fn outlines(rows: usize) -> Vec<Outline> {
    let columns = (rows as f64).sqrt().ceil().max(1.0) as usize;
    let mut all = Vec::new();
    for i in 0..rows {
        let (x, y) = (104.0 + 0.1 * (i % columns) as f64, 23.0 - 0.08 * (i / columns) as f64);
        let ring = vec![(x, y), (x + 0.1, y), (x + 0.1, y + 0.06), (x + 0.07, y + 0.08), (x, y + 0.08)];
        all.push(Outline { code: format!("{i:03}"), name: format!("Xã {i}"), ring });
    }
    all
}

pub fn outline_map(case: Case) -> EstimateMap {
    let mut places = outlines(case.rows());
    if case == Case::Hidden {
        // A commune that belongs to the first area, and one without a figure, inside a hole of the fifth.
        let mut joined = map(case, Places::Outlines(Vec::new()));
        joined.areas[0].units = vec!["000".into(), "900".into()];
        let square = |code: &str, x: f64, y: f64, w: f64| Outline {
            code: code.into(),
            name: code.into(),
            ring: vec![(x, y), (x + w, y), (x + w, y + w * 0.8), (x, y + w * 0.8)],
        };
        places.push(square("900", 103.9, 23.0, 0.1));
        places.push(square("901", 104.14, 22.93, 0.02));
        joined.places = Places::Outlines(places);
        return joined;
    }
    map(case, Places::Outlines(places))
}

pub fn listed_map(case: Case) -> EstimateMap {
    let codes: Vec<String> = (0..case.rows()).map(|i| format!("{i:03}")).collect();
    let (first, second) = codes.split_at(case.rows().div_ceil(2));
    map(case, Places::ListedTiles(Tile::listed([first, second], 4)))
}

pub fn counts_map(case: Case) -> AreaMap {
    let counted = (0..case.rows()).filter(|i| case != Case::Hidden || *i != 1);
    AreaMap {
        caption: case.caption(),
        outlines: outlines(case.rows()),
        counts: counted.map(|i| (format!("{i:03}"), 1 + (i as u64 * 7) % 23)).collect(),
        points: Vec::new(),
        unit: "thôn, tổ dân phố".into(),
    }
}

pub fn funnel(case: Case) -> Funnel {
    let stage = |(i, label): (usize, String)| Stage {
        lost: if i == 0 {
            String::new()
        } else {
            format!("{label}: {} từ chối, không gặp sau 3 lần", 30 * i)
        },
        label,
        cases: 1920 - 30 * i as u64,
    };
    Funnel { caption: case.caption(), stages: case.labels().into_iter().enumerate().map(stage).collect() }
}

pub fn histogram(case: Case) -> Histogram {
    let values =
        (0..case.rows() * 60).map(|i| 100.0 + 40.0 * ((i * i) % 977) as f64 / 977.0 * (1 + i % 7) as f64);
    let classes = if case == Case::Groups { 54 } else { 20 };
    Histogram {
        caption: case.caption(),
        bins: SafeBins::of(&values.collect::<Vec<f64>>(), classes, &Rules::default()),
        measure: if case == Case::Long {
            LONG.into()
        } else {
            "Số người mà một người trả lời đại diện".into()
        },
    }
}

pub fn pyramid(case: Case) -> Pyramid {
    let rows = case.rows().max(1) as f64;
    let band = |(row, label): (usize, String)| PyramidBand {
        label,
        sample: [case.figure(row, 0.5 / rows * 1.1), case.figure(0, 0.5 / rows * 0.8)],
        population: [0.5 / rows, 0.52 / rows],
    };
    Pyramid {
        caption: case.caption(),
        sides: ["Nam".into(), "Nữ".into()],
        bands: case.labels().into_iter().enumerate().map(band).collect(),
        sample_label: "Mẫu (chưa có trọng số)".into(),
        population_label: "Dân số".into(),
    }
}

/// One chart of each kind.
pub fn each(case: Case) -> Vec<(&'static str, Box<dyn Chart>)> {
    vec![
        ("likert", Box::new(likert(case))),
        ("dots", Box::new(dots(case))),
        ("bars", Box::new(bars(case))),
        ("trend", Box::new(trend(case))),
        ("tile-map", Box::new(tile_map(case))),
        ("listed-map", Box::new(listed_map(case))),
        ("outline-map", Box::new(outline_map(case))),
        ("counts-map", Box::new(counts_map(case))),
        ("funnel", Box::new(funnel(case))),
        ("histogram", Box::new(histogram(case))),
        ("pyramid", Box::new(pyramid(case))),
    ]
}
