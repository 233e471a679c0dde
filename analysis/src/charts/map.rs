//! An overview map of areas: how many of something lie in each, or points where their places are known.

use super::canvas::{Align, Color, INK, Type, WHITE};
use super::letters::Weight;
use super::page::{EDGE, Key, Page};
use super::{Caption, Chart, Width, numerals};
use crate::disclosure::{Cell, SafeTable};
use plotters::style::RGBColor;
use serde_json::Value;

/// An area with its outer ring, in degrees of longitude and latitude.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    pub code: String,
    pub name: String,
    pub ring: Vec<(f64, f64)>,
}

impl Outline {
    /// Reads a GeoJSON collection of polygons with the properties `code` and `name`; what is no polygon is left out.
    pub fn read(geojson: &str) -> Result<Vec<Self>, serde_json::Error> {
        let collection: Value = serde_json::from_str(geojson)?;
        let features = collection["features"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = |point: &Value| Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()?));
        Ok(features
            .iter()
            .filter(|feature| feature["geometry"]["type"] == "Polygon")
            .map(|feature| Self {
                code: text(&feature["properties"]["code"]),
                name: text(&feature["properties"]["name"]),
                ring: feature["geometry"]["coordinates"][0]
                    .as_array()
                    .map(|ring| ring.iter().filter_map(place).collect())
                    .unwrap_or_default(),
            })
            .filter(|outline| outline.ring.len() >= 3)
            .collect())
    }

    /// The centre of the area's surface.
    pub fn middle(&self) -> (f64, f64) {
        let (mut x, mut y, mut twice) = (0.0, 0.0, 0.0);
        for (a, b) in self.ring.iter().zip(self.ring.iter().cycle().skip(1)) {
            let part = a.0 * b.1 - b.0 * a.1;
            twice += part;
            x += (a.0 + b.0) * part;
            y += (a.1 + b.1) * part;
        }
        if twice == 0.0 { self.ring[0] } else { (x / (3.0 * twice), y / (3.0 * twice)) }
    }
}

/// Areas shaded and numbered by a count; or points at their true places.
#[derive(Clone, Debug)]
pub struct AreaMap {
    pub caption: Caption,
    pub outlines: Vec<Outline>,
    /// Code of an area and its count; an area that is not listed has none.
    pub counts: Vec<(String, u64)>,
    /// In the unit of the outlines; without outlines in any unit that is alike in both directions.
    pub points: Vec<(f64, f64)>,
    /// What is counted: "thôn".
    pub unit: String,
}

const LAND: Color = RGBColor(0xF1, 0xF3, 0xF5);
const BORDER: Color = RGBColor(0xB8, 0xC0, 0xC8);
const SHADES: [Color; 4] = [
    RGBColor(0xC6, 0xDF, 0xEE),
    RGBColor(0x8F, 0xC1, 0xE0),
    RGBColor(0x3F, 0x94, 0xC6),
    RGBColor(0x00, 0x5A, 0x8E),
];
const TALLEST: f64 = 1.25;

/// Places of the map on the paper.
struct Sheet {
    west: f64,
    north: f64,
    /// Pixels per unit, east and north.
    scale: (f64, f64),
    left: f64,
    top: f64,
    bottom: f64,
}

impl Sheet {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.left + (x - self.west) * self.scale.0, self.top + (self.north - y) * self.scale.1)
    }
}

impl AreaMap {
    fn count(&self, code: &str) -> u64 {
        self.counts.iter().filter(|(c, _)| c == code).map(|(_, n)| *n).sum()
    }

    /// The least count of each shade: 1, and equal steps up to the largest count.
    fn steps(&self) -> Vec<u64> {
        let most = self.counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let mut steps: Vec<u64> =
            (0..SHADES.len() as u64).map(|i| 1 + most * i / SHADES.len() as u64).collect();
        steps.retain(|s| *s <= most);
        steps.dedup();
        steps
    }

    fn sheet(&self, page: &Page<'_>) -> Option<Sheet> {
        let all = self.outlines.iter().flat_map(|o| &o.ring).chain(&self.points);
        let (mut west, mut east, mut south, mut north) =
            (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY);
        for (x, y) in all {
            (west, east) = (west.min(*x), east.max(*x));
            (south, north) = (south.min(*y), north.max(*y));
        }
        if !(east > west && north > south) {
            return None;
        }
        // A degree of longitude is shorter than one of latitude.
        let narrow = if self.outlines.is_empty() { 1.0 } else { ((north + south) / 2.0).to_radians().cos() };
        let (wide, tall) = ((east - west) * narrow, north - south);
        let room = (page.inner() - 8.0, (page.inner() * TALLEST).min(540.0));
        let scale = (room.0 / wide).min(room.1 / tall);
        let left = EDGE + (page.inner() - wide * scale) / 2.0;
        let top = page.y + 4.0;
        Some(Sheet { west, north, scale: (scale * narrow, scale), left, top, bottom: top + tall * scale })
    }
}

impl Chart for AreaMap {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        let steps = self.steps();
        let shade = |n: u64| {
            let step = steps.iter().rposition(|s| *s <= n)?;
            // Few steps take the ends of the scale.
            Some(step * (SHADES.len() - 1) / (steps.len() - 1).max(1))
        };
        let labels: Vec<String> = steps
            .iter()
            .enumerate()
            .map(|(i, from)| {
                let to = steps.get(i + 1).map_or_else(
                    || self.counts.iter().map(|(_, n)| *n).max().unwrap_or(*from),
                    |next| next - 1,
                );
                let range = if to > *from { format!("{from}–{to}") } else { from.to_string() };
                format!("{range} {}", self.unit)
            })
            .collect();
        let keys: Vec<(Key, &str)> = steps
            .iter()
            .zip(&labels)
            .map(|(from, label)| (Key::Box(SHADES[shade(*from).unwrap_or(0)]), label.as_str()))
            .collect();
        page.legend(&keys);
        let Some(sheet) = self.sheet(&page) else {
            page.nothing();
            return page.finish(&self.alternative_text());
        };
        for outline in &self.outlines {
            let ring: Vec<(f64, f64)> = outline.ring.iter().map(|p| sheet.at(*p)).collect();
            let color = shade(self.count(&outline.code)).map_or(LAND, |i| SHADES[i]);
            page.canvas.polygon(ring, color, 1.0);
        }
        for outline in &self.outlines {
            let mut ring: Vec<(f64, f64)> = outline.ring.iter().map(|p| sheet.at(*p)).collect();
            ring.extend(ring.first().copied());
            page.canvas.line(&ring, BORDER, 0.7);
        }
        let size = if width.is_phone() { 9.5 } else { 12.5 };
        for outline in &self.outlines {
            let n = self.count(&outline.code);
            let Some(dark) = shade(n) else { continue };
            let color = if dark >= 2 { WHITE } else { INK };
            let style = Type { size, weight: Weight::Bold, color };
            page.canvas.text(sheet.at(outline.middle()), &numerals::whole(n), style, Align::Middle);
        }
        for point in &self.points {
            page.canvas.ring(sheet.at(*point), 2.6, SHADES[3], 1.8);
        }
        page.y = sheet.bottom + 4.0;
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let mut table = SafeTable::new(&self.caption.title, ["Mã", "Xã, phường", self.unit.as_str()])
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        for (code, n) in &self.counts {
            let name = self.outlines.iter().find(|o| o.code == *code).map_or("", |o| o.name.as_str());
            table.push(vec![Cell::text(code), Cell::text(name), Cell::Fieldwork(*n)]);
        }
        table
    }
}
