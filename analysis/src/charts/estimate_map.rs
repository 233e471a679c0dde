//! Estimates of areas on a map: tiles or outlines, shaded in steps, with their intervals written.

use super::axis::Axis;
use super::canvas::{Align, Area, Type};
use super::letters::{self, Weight};
use super::map_labels::{Grid, Spot};
use super::outlines::{Outline, Ring, Sheet, edges, surface};
use super::page::{EDGE, HIDDEN_NOTE, Key, LABEL, Page};
use super::palette::{self, BORDER, Color, GREY, INK, LAND, WHITE};
use super::tiles::Tile;
use super::{Caption, Chart, Unit, Width, words};
use crate::disclosure::{Cell, Figure, SafeTable, Standing};
use std::collections::BTreeSet;

/// Figures of areas at their places.
#[derive(Clone, Debug)]
pub struct EstimateMap {
    pub caption: Caption,
    pub unit: Unit,
    /// In their official order: a map ranks nobody.
    pub areas: Vec<MapArea>,
    pub places: Places,
    /// The figure of all areas together: areas that differ from it beyond their errors get a triangle.
    pub overall: Option<(String, Figure)>,
}

/// One area: a commune, or several that are reported together.
#[derive(Clone, Debug)]
pub struct MapArea {
    pub code: String,
    pub name: String,
    pub figure: Figure,
    /// Codes of the tiles or outlines that it is made of; none: its own code.
    pub units: Vec<String>,
}

/// Where the areas lie.
#[derive(Clone, Debug)]
pub enum Places {
    /// A square each, placed roughly where they lie.
    Tiles(Vec<Tile>),
    /// A square each, in the order of the area tree ([`Tile::listed`]).
    ListedTiles(Vec<Tile>),
    Outlines(Vec<Outline>),
}

/// How a place is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ground {
    Shade(Color),
    Hatched,
    Hollow,
    Land,
}

/// One place on the paper, in pixels, with the index of its area.
struct Place {
    area: Option<usize>,
    ring: Ring,
}

/// Classes of equal width over the figures shown.
struct Shades {
    axis: Axis,
    colors: Vec<Color>,
}

impl Shades {
    fn of(map: &EstimateMap) -> Option<Self> {
        let shown: Vec<f64> = map
            .areas
            .iter()
            .filter(|a| a.figure.standing() == Standing::Shown)
            .filter_map(|a| Some(map.unit.scale(a.figure.estimate()?)))
            .collect();
        let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
        let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bounds = (map.unit == Unit::Percent).then_some((0.0, 100.0));
        let axis = (!shown.is_empty()).then(|| Axis::covering(low, high, 5, bounds))?;
        let classes = ((axis.high - axis.low) / axis.step).round().max(1.0) as usize;
        Some(Self { axis, colors: palette::sequential(classes) })
    }

    fn of_value(&self, value: f64) -> Color {
        let class = ((value - self.axis.low) / self.axis.step + 1e-9).floor().max(0.0) as usize;
        self.colors[class.min(self.colors.len() - 1)]
    }

    fn labels(&self, unit: Unit) -> Vec<String> {
        let step = self.axis.step;
        let tick = |value: f64| unit.tick(value, step);
        (0..self.colors.len())
            .map(|i| {
                let from = self.axis.low + step * i as f64;
                format!("{}–{}", tick(from).trim_end_matches('%'), tick(from + step))
            })
            .collect()
    }
}

/// What is written on an area.
enum Label {
    /// Name, value, interval.
    Whole(Vec<String>),
    /// The area's number in the list below, and its value.
    Number(usize),
    /// The number alone.
    Bare(usize),
}

const NAME: Type = Type { size: 12.0, weight: Weight::Regular, color: INK };
const FIGURE: Type = Type { size: 14.0, weight: Weight::Bold, color: INK };
const RANGE: Type = Type { size: 10.5, weight: Weight::Regular, color: INK };
const KEY: Type = Type { size: 10.0, weight: Weight::Bold, color: INK };
/// Radius of the disc with an area's number.
const DISC: f64 = 8.5;
/// Room for a triangle after a value.
const TRIANGLE: f64 = 13.0;
const TALLEST: f64 = 1.25;

impl EstimateMap {
    fn ground(&self, area: Option<usize>, shades: Option<&Shades>) -> Ground {
        let Some(figure) = area.map(|i| &self.areas[i].figure) else { return Ground::Land };
        match (figure.standing(), figure.estimate(), shades) {
            (Standing::Hidden, _, _) => Ground::Hatched,
            (Standing::Cautious, Some(_), _) => Ground::Hollow,
            (Standing::Shown, Some(value), Some(shades)) => {
                Ground::Shade(shades.of_value(self.unit.scale(value)))
            }
            _ => Ground::Land,
        }
    }

    /// Whether an area lies above (true) or below the whole, its interval apart from that of the whole.
    fn beyond(&self, figure: &Figure) -> Option<bool> {
        let (low, high) = self.overall.as_ref()?.1.interval()?;
        let (from, to) = figure.interval()?;
        if from > high { Some(true) } else { (to < low).then_some(false) }
    }

    fn area_of(&self, code: &str) -> Option<usize> {
        self.areas
            .iter()
            .position(|a| if a.units.is_empty() { a.code == code } else { a.units.iter().any(|u| u == code) })
    }

    /// Lays the places out below `page.y` and moves it down to their end.
    fn lay_out(&self, page: &mut Page<'_>) -> Vec<Place> {
        match &self.places {
            Places::Tiles(tiles) | Places::ListedTiles(tiles) => self.lay_tiles(tiles, page),
            Places::Outlines(outlines) => {
                let points = outlines.iter().flat_map(|o| &o.ring);
                let room = (page.inner() - 8.0, (page.inner() * TALLEST).min(560.0));
                let Some(sheet) = Sheet::fit(points, true, (EDGE + 4.0, page.y + 4.0), room) else {
                    return Vec::new();
                };
                page.y = sheet.bottom + 8.0;
                // What lies in a hole of another is smaller, and drawn after it.
                let mut sorted: Vec<&Outline> = outlines.iter().collect();
                sorted.sort_by(|a, b| surface(&b.ring).total_cmp(&surface(&a.ring)));
                sorted
                    .into_iter()
                    .map(|o| Place {
                        area: self.area_of(&o.code),
                        ring: o.ring.iter().map(|p| sheet.at(*p)).collect(),
                    })
                    .collect()
            }
        }
    }

    fn lay_tiles(&self, tiles: &[Tile], page: &mut Page<'_>) -> Vec<Place> {
        let most = |along: fn(&Tile) -> usize| tiles.iter().map(along).max().map_or(0, |last| last + 1);
        let least = |along: fn(&Tile) -> usize| tiles.iter().map(along).min().unwrap_or(0);
        let (first_column, first_row) = (least(|t| t.column), least(|t| t.row));
        let (columns, rows) = (most(|t| t.column) - first_column, most(|t| t.row) - first_row);
        if columns == 0 {
            return Vec::new();
        }
        let gap = 3.0;
        let w = (page.inner() / columns as f64).min(132.0);
        let h = self.tile_height(w - gap).max(w * 0.62) + gap;
        let (left, top) = (EDGE + (page.inner() - w * columns as f64) / 2.0, page.y + 2.0);
        page.y = top + h * rows as f64 + 8.0;
        tiles
            .iter()
            .map(|tile| {
                let x = left + w * (tile.column - first_column) as f64;
                let y = top + h * (tile.row - first_row) as f64;
                let (x1, y1) = (x + w - gap, y + h - gap);
                Place { area: self.area_of(&tile.code), ring: vec![(x, y), (x1, y), (x1, y1), (x, y1)] }
            })
            .collect()
    }

    /// Tall enough for what stands on the fullest tile: name, value and interval, or number and value.
    fn tile_height(&self, width: f64) -> f64 {
        let room = name_room(width);
        let whole: Option<Vec<f64>> = self
            .areas
            .iter()
            .map(|area| {
                let (w, h) = self.extent(area, &Label::Whole(Self::name_lines(area, room)?));
                (w <= room).then_some(h)
            })
            .collect();
        let numbered = || {
            let sizes = self.areas.iter().map(|area| self.extent(area, &Label::Number(1)));
            let (w, h) = sizes.fold((0.0, 0.0), |(w, h), (x, y)| (f64::max(w, x), f64::max(h, y)));
            if w <= room { h } else { 2.0 * DISC }
        };
        whole.map_or_else(numbered, |heights| heights.into_iter().fold(0.0, f64::max)) + 14.0
    }

    fn legend(&self, page: &mut Page<'_>, shades: Option<&Shades>) {
        let labels = shades.map(|s| s.labels(self.unit)).unwrap_or_default();
        let colors = shades.map(|s| s.colors.as_slice()).unwrap_or_default();
        let mut keys: Vec<(Key, &str)> =
            colors.iter().zip(&labels).map(|(c, l)| (Key::Box(*c), l.as_str())).collect();
        let has = |standing| self.areas.iter().any(|a| a.figure.standing() == standing);
        if has(Standing::Cautious) {
            keys.push((Key::Hollow, "ít phiếu"));
            page.note("Ô rỗng, chữ xám: ít phiếu, cần thận trọng khi so sánh.");
        }
        if has(Standing::Hidden) {
            page.note(HIDDEN_NOTE);
        }
        if has(Standing::Absent) {
            keys.push((Key::Box(LAND), "không có số liệu"));
        }
        let mut above = String::new();
        let mut below = String::new();
        if let Some((label, figure)) = &self.overall
            && let Some(estimate) = figure.estimate()
        {
            let value = format!("{label} ({})", self.unit.with_sign(estimate));
            above = format!("cao hơn {value} ngoài sai số");
            below = format!("thấp hơn {value} ngoài sai số");
        }
        for (is_above, key, text) in [(true, Key::Up, &above), (false, Key::Down, &below)] {
            if self.areas.iter().any(|a| self.beyond(&a.figure) == Some(is_above)) {
                keys.push((key, text));
            }
        }
        page.legend(&keys);
    }

    fn value(&self, figure: &Figure) -> String {
        match figure.estimate() {
            Some(estimate) => self.unit.with_sign(estimate),
            None if figure.is_hidden() => "…".to_owned(),
            None => "–".to_owned(),
        }
    }

    fn range(&self, figure: &Figure) -> String {
        let mark = |v: f64| self.unit.mark(self.unit.scale(v));
        figure.interval().map_or(String::new(), |(low, high)| format!("[{}; {}]", mark(low), mark(high)))
    }

    /// Lines of the name when it is wrapped at `limit` without breaking a word.
    fn name_lines(area: &MapArea, limit: f64) -> Option<Vec<String>> {
        let fits = letters::pieces(&area.name).all(|word| NAME.width(word) <= limit);
        fits.then(|| NAME.wrap(&area.name, limit))
    }

    /// Width and height of what stands on an area.
    fn extent(&self, area: &MapArea, label: &Label) -> (f64, f64) {
        let figure = &area.figure;
        let value = FIGURE.width(&self.value(figure))
            + if self.beyond(figure).is_some() { TRIANGLE * 2.0 } else { 0.0 };
        match label {
            Label::Whole(lines) => {
                let name = lines.iter().map(|l| NAME.width(l)).fold(0.0, f64::max);
                let range = self.range(figure);
                let below = if range.is_empty() { 0.0 } else { RANGE.line_height() };
                let height = lines.len() as f64 * NAME.line_height() + FIGURE.line_height() + below;
                (name.max(value).max(RANGE.width(&range)), height)
            }
            Label::Number(_) => (value.max(2.0 * DISC), 2.0 * DISC + FIGURE.line_height()),
            Label::Bare(_) => (2.0 * DISC, 2.0 * DISC),
        }
    }

    /// For every area its label and where it stands; areas without a place get none.
    fn place_labels(&self, grid: &Grid, places: &[Place]) -> Vec<Option<(Label, Spot)>> {
        // Widths at which names are wrapped: what a tile was made for, else what may fit a shape.
        let limits = match (&self.places, places.first()) {
            (Places::Tiles(_) | Places::ListedTiles(_), Some(tile)) => {
                vec![name_room(tile.ring[1].0 - tile.ring[0].0)]
            }
            _ => vec![200.0, 126.0, 108.0, 92.0, 78.0, 64.0, 52.0],
        };
        let whole: Vec<Option<(Label, Spot)>> = self
            .areas
            .iter()
            .enumerate()
            .map(|(i, area)| {
                limits.iter().find_map(|limit| {
                    let label = Label::Whole(Self::name_lines(area, *limit)?);
                    let spot = grid.inside(i, self.extent(area, &label))?;
                    Some((label, spot))
                })
            })
            .collect();
        if whole.iter().enumerate().all(|(i, label)| label.is_some() || !grid.has(i)) {
            return whole;
        }
        let mut labels: Vec<Option<(Label, Spot)>> = self
            .areas
            .iter()
            .enumerate()
            .map(|(i, area)| {
                [Label::Number(i + 1), Label::Bare(i + 1)].into_iter().find_map(|label| {
                    let spot = grid.inside(i, self.extent(area, &label))?;
                    Some((label, spot))
                })
            })
            .collect();
        // What fits nowhere inside stands beside, with a line to its area.
        let size = (2.0 * DISC, 2.0 * DISC);
        for i in 0..self.areas.len() {
            if labels[i].is_none() && grid.has(i) {
                let taken: Vec<Area> = labels
                    .iter()
                    .zip(&self.areas)
                    .filter_map(|(placed, area)| {
                        let (label, spot) = placed.as_ref()?;
                        Some(spot.area(self.extent(area, label)))
                    })
                    .collect();
                labels[i] = grid.beside(i, size, &taken).map(|spot| (Label::Bare(i + 1), spot));
            }
        }
        labels
    }

    fn draw_label(&self, page: &mut Page<'_>, area: &MapArea, (label, spot): &(Label, Spot), ground: Ground) {
        let color = match ground {
            Ground::Shade(color) => palette::letters_on(color),
            Ground::Hollow => GREY,
            Ground::Hatched | Ground::Land => INK,
        };
        let (x, y) = spot.at;
        let (_, height) = self.extent(area, label);
        let mut top = y - height / 2.0;
        match label {
            Label::Whole(lines) => {
                for line in lines {
                    let style = Type { color, ..NAME };
                    page.canvas.text((x, top + NAME.line_height() / 2.0), line, style, Align::Middle);
                    top += NAME.line_height();
                }
                self.draw_value(page, &area.figure, (x, top + FIGURE.line_height() / 2.0), color);
                top += FIGURE.line_height();
                let style = Type { color, ..RANGE };
                let middle = (x, top + RANGE.line_height() / 2.0);
                page.canvas.text(middle, &self.range(&area.figure), style, Align::Middle);
            }
            Label::Number(number) => {
                draw_number(page, *number, (x, top + DISC));
                let middle = (x, top + 2.0 * DISC + FIGURE.line_height() / 2.0);
                self.draw_value(page, &area.figure, middle, color);
            }
            Label::Bare(number) => {
                if let Some(from) = spot.from {
                    page.canvas.line(&[from, spot.at], INK, 1.0);
                    page.canvas.disc(from, 1.8, INK);
                }
                draw_number(page, *number, spot.at);
            }
        }
    }

    fn draw_value(&self, page: &mut Page<'_>, figure: &Figure, (x, y): (f64, f64), color: Color) {
        let text = self.value(figure);
        page.canvas.text((x, y), &text, Type { color, ..FIGURE }, Align::Middle);
        if let Some(above) = self.beyond(figure) {
            let at = (x + FIGURE.width(&text) / 2.0 + TRIANGLE * 0.6, y);
            page.canvas.triangle(at, 4.5, above, color);
        }
    }

    /// Names and figures below the map: of all areas where they are numbered, else of those without a place.
    fn list(&self, page: &mut Page<'_>, labels: &[Option<(Label, Spot)>], columns: usize) {
        let numbered = labels.iter().flatten().any(|(label, _)| !matches!(label, Label::Whole(_)));
        let listed: Vec<usize> = (0..self.areas.len()).filter(|i| numbered || labels[*i].is_none()).collect();
        if listed.is_empty() {
            return;
        }
        if labels.iter().any(Option::is_none) {
            page.note("Địa bàn không có số trong vòng tròn không nằm trên bản đồ này.");
        }
        let gap = 26.0;
        let width = (page.inner() - gap * (columns - 1) as f64) / columns as f64;
        let rows = listed.len().div_ceil(columns);
        let top = page.y + 6.0;
        let mut bottom = top;
        for (column, group) in listed.chunks(rows).enumerate() {
            let left = EDGE + (width + gap) * column as f64;
            let mut y = top;
            for &i in group {
                let area = &self.areas[i];
                let value = words::spoken(self.unit, &area.figure);
                let triangle = self.beyond(&area.figure);
                let value_width = LABEL.width(&value) + if triangle.is_some() { TRIANGLE } else { 0.0 };
                let room = width - 24.0 - value_width - 12.0;
                let (lines, value_below) = if room >= 110.0 {
                    (LABEL.wrap(&area.name, room), false)
                } else {
                    (LABEL.wrap(&area.name, width - 24.0), true)
                };
                let height = lines.len() as f64 * LABEL.line_height();
                if labels[i].is_some() {
                    draw_number(page, i + 1, (left + DISC, y + 10.0));
                }
                page.canvas.lines((left + 24.0, y + 1.0 + height / 2.0), &lines, LABEL, Align::Left);
                let style = Type {
                    color: if area.figure.standing() == Standing::Shown { INK } else { GREY },
                    ..LABEL
                };
                let (from, middle) = if value_below {
                    (left + 24.0, y + height + 1.0 + LABEL.line_height() / 2.0)
                } else {
                    (left + width - value_width, y + 1.0 + LABEL.line_height() / 2.0)
                };
                if let Some(is_above) = triangle {
                    page.canvas.triangle((from + 4.0, middle), 4.0, is_above, INK);
                }
                let end = from + value_width;
                page.canvas.text((end, middle), &value, style, Align::Right);
                if value_below {
                    y += LABEL.line_height();
                }
                y += height + 5.0;
            }
            bottom = f64::max(bottom, y);
        }
        page.y = bottom + 4.0;
    }
}

/// Width for letters on a tile.
fn name_room(width: f64) -> f64 {
    width - 14.0
}

fn draw_number(page: &mut Page<'_>, number: usize, at: (f64, f64)) {
    page.canvas.ring(at, DISC - 0.5, INK, 1.0);
    page.canvas.text(at, &number.to_string(), KEY, Align::Middle);
}

/// Lines between places: thin and white inside an area, dark around it. A line that two places share is drawn once.
fn draw_borders(page: &mut Page<'_>, places: &[Place], grid: &Grid) {
    /// Pixels beside a line at which is asked who owns the land: neighbours' lines need not agree to the letter.
    const BESIDE: f64 = 2.5;
    let end = |p: (f64, f64)| (p.0.to_bits(), p.1.to_bits());
    let mut seen = BTreeSet::new();
    let mut drawn: [Vec<Vec<(f64, f64)>>; 2] = [Vec::new(), Vec::new()];
    for place in places {
        let mut last: Option<usize> = None;
        for (a, b) in edges(&place.ring) {
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length == 0.0 {
                continue;
            }
            if !seen.insert((end(a).min(end(b)), end(a).max(end(b)))) {
                last = None;
                continue;
            }
            let across = ((b.1 - a.1) / length * BESIDE, (a.0 - b.0) / length * BESIDE);
            let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
            let one = grid.owner((middle.0 + across.0, middle.1 + across.1));
            let other = grid.owner((middle.0 - across.0, middle.1 - across.1));
            let kind = usize::from(one.is_none() || one != other);
            match drawn[kind].last_mut().filter(|_| last == Some(kind)) {
                Some(line) => line.push(b),
                None => drawn[kind].push(vec![a, b]),
            }
            last = Some(kind);
        }
    }
    for (lines, (color, thickness)) in drawn.iter().zip([(WHITE, 0.7), (BORDER, 1.0)]) {
        lines.iter().for_each(|line| page.canvas.line(line, color, thickness));
    }
}

impl Chart for EstimateMap {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        let shades = Shades::of(self);
        if self.areas.is_empty() {
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        self.legend(&mut page, shades.as_ref());
        let top = page.y;
        let places = self.lay_out(&mut page);
        for place in &places {
            let ground = self.ground(place.area, shades.as_ref());
            let fill = match ground {
                Ground::Shade(color) => color,
                Ground::Hatched => palette::HATCH_GROUND,
                Ground::Hollow => WHITE,
                Ground::Land => LAND,
            };
            page.canvas.polygon(place.ring.clone(), fill, 1.0);
            if ground == Ground::Hatched {
                page.canvas.hatch_ring(&place.ring);
            }
        }
        let all = Area { x: EDGE, y: top, w: page.inner(), h: page.y - top };
        let owned: Vec<(Option<usize>, &Ring)> = places.iter().map(|p| (p.area, &p.ring)).collect();
        let grid = Grid::new(all, self.areas.len(), &owned);
        if matches!(self.places, Places::Outlines(_)) {
            draw_borders(&mut page, &places, &grid);
        } else {
            for place in &places {
                let (color, thickness) = match self.ground(place.area, shades.as_ref()) {
                    Ground::Hollow => (GREY, 1.8),
                    Ground::Hatched => (palette::HATCH_LINE, 0.8),
                    Ground::Shade(_) | Ground::Land => continue,
                };
                let closed: Ring = place.ring.iter().chain(place.ring.first()).copied().collect();
                page.canvas.line(&closed, color, thickness);
            }
        }
        let labels = self.place_labels(&grid, &places);
        for (i, area) in self.areas.iter().enumerate() {
            if let Some(placed) = &labels[i] {
                self.draw_label(&mut page, area, placed, self.ground(Some(i), shades.as_ref()));
            }
        }
        self.list(&mut page, &labels, if width.is_phone() { 1 } else { 2 });
        page.note(match self.places {
            Places::Tiles(_) => "Mỗi ô là một địa bàn, đặt gần đúng vị trí; số trong ngoặc vuông: khoảng tin cậy 95%.",
            Places::ListedTiles(_) => {
                "Mỗi ô là một địa bàn, xếp theo danh mục, không theo vị trí; số trong ngoặc vuông: khoảng tin cậy 95%."
            }
            Places::Outlines(_) => {
                "Ranh giới giản lược, không có giá trị pháp lý; số trong ngoặc vuông: khoảng tin cậy 95%."
            }
        });
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let columns = ["Địa bàn", "Ước lượng", "Khoảng tin cậy 95%", "Số phiếu (n)"];
        let mut table = SafeTable::new(&self.caption.title, columns)
            .note(&self.caption.subtitle)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        let overall = self.overall.as_ref().map(|(label, figure)| (label, figure));
        for (label, figure) in self.areas.iter().map(|a| (&a.name, &a.figure)).chain(overall) {
            table.push(vec![
                Cell::text(label),
                self.unit.share_cell(figure),
                self.unit.interval_cell(figure),
                Cell::Base(figure.clone()),
            ]);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.areas.iter().map(|a| (a.name.clone(), words::spoken(self.unit, &a.figure)));
        words::listed("Bản đồ", rows)
    }
}
