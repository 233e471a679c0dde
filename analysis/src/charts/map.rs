//! An overview map of areas: how many of something lie in each, or points where their places are known.

use super::canvas::{Align, Area, Type};
use super::letters::Weight;
use super::map_labels::Grid;
use super::outlines::{Outline, Ring, Sheet};
use super::page::{EDGE, Key, Page};
use super::palette::{self, BLUE, BORDER, LAND};
use super::{Caption, Chart, Width, numerals, words};
use crate::disclosure::{Cell, SafeTable};

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

const SHADES: usize = 4;
const TALLEST: f64 = 1.25;

impl AreaMap {
    fn count(&self, code: &str) -> u64 {
        self.counts.iter().filter(|(c, _)| c == code).map(|(_, n)| *n).sum()
    }

    /// The least count of each shade: 1, and equal steps up to the largest count.
    fn steps(&self) -> Vec<u64> {
        let most = self.counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let mut steps: Vec<u64> = (0..SHADES as u64).map(|i| 1 + most * i / SHADES as u64).collect();
        steps.retain(|s| *s <= most);
        steps.dedup();
        steps
    }

    fn sheet(&self, page: &Page<'_>) -> Option<Sheet> {
        let all = self.outlines.iter().flat_map(|o| &o.ring).chain(&self.points);
        let room = (page.inner() - 8.0, (page.inner() * TALLEST).min(540.0));
        Sheet::fit(all, !self.outlines.is_empty(), (EDGE + 4.0, page.y + 4.0), room)
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
            Some(step * (SHADES - 1) / (steps.len() - 1).max(1))
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
        let shades = palette::sequential(SHADES);
        let keys: Vec<(Key, &str)> = steps
            .iter()
            .zip(&labels)
            .map(|(from, label)| (Key::Box(shades[shade(*from).unwrap_or(0)]), label.as_str()))
            .collect();
        page.legend(&keys);
        let Some(sheet) = self.sheet(&page) else {
            page.nothing();
            return page.finish(&self.alternative_text());
        };
        let rings: Vec<Ring> =
            self.outlines.iter().map(|o| o.ring.iter().map(|p| sheet.at(*p)).collect()).collect();
        for (outline, ring) in self.outlines.iter().zip(&rings) {
            let color = shade(self.count(&outline.code)).map_or(LAND, |i| shades[i]);
            page.canvas.polygon(ring.clone(), color, 1.0);
        }
        for ring in &rings {
            let closed: Ring = ring.iter().chain(ring.first()).copied().collect();
            page.canvas.line(&closed, BORDER, 0.7);
        }
        let all = Area { x: EDGE, y: page.y, w: page.inner(), h: sheet.bottom + 4.0 - page.y };
        let places: Vec<(Option<usize>, &Ring)> =
            rings.iter().enumerate().map(|(i, r)| (Some(i), r)).collect();
        let grid = Grid::new(all, self.outlines.len(), &places);
        let mut without_room = false;
        for (i, outline) in self.outlines.iter().enumerate() {
            let n = self.count(&outline.code);
            let Some(dark) = shade(n) else { continue };
            let text = numerals::whole(n);
            let color = palette::letters_on(shades[dark]);
            let sizes = if width.is_phone() { [10.0, 9.0] } else { [12.5, 10.0] };
            let placed = sizes.into_iter().find_map(|size| {
                let style = Type { size, weight: Weight::Bold, color };
                Some((style, grid.inside(i, (style.width(&text), size * 0.8))?))
            });
            match placed {
                Some((style, spot)) => page.canvas.text(spot.at, &text, style, Align::Middle),
                None => without_room = true,
            }
        }
        if without_room {
            page.note("Địa bàn quá nhỏ chỉ tô màu, không ghi số; số ở bảng kèm theo.");
        }
        for point in &self.points {
            page.canvas.ring(sheet.at(*point), 2.6, BLUE, 1.8);
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

    fn spoken(&self) -> String {
        let rows = self.counts.iter().map(|(code, n)| {
            let name = self.outlines.iter().find(|o| o.code == *code).map_or(code, |o| &o.name);
            (name.clone(), format!("{} {}", numerals::whole(*n), self.unit))
        });
        if self.counts.is_empty() && !self.points.is_empty() {
            return format!("Bản đồ: {} điểm", numerals::whole(self.points.len() as u64));
        }
        words::listed("Bản đồ", rows)
    }
}
