//! The distribution of one number over the respondents: weights, minutes.

use super::axis::Axis;
use super::canvas::{Align, Area};
use super::page::{EDGE, LABEL, Page, SMALL};
use super::palette::{BLUE, GREY, GRID};
use super::{Caption, Chart, Unit, Width, numerals, words};
use crate::disclosure::{Bin, Cell, SafeBins, SafeTable};

/// Areas are proportional to respondents; joined classes are therefore wide and low.
#[derive(Clone, Debug)]
pub struct Histogram {
    pub caption: Caption,
    pub bins: SafeBins,
    /// What the horizontal axis measures, with its unit.
    pub measure: String,
}

impl Chart for Histogram {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        let bins = self.bins.bins();
        let (Some(first), Some(last)) = (bins.first(), bins.last()) else {
            page.nothing();
            return page.finish(&self.alternative_text());
        };
        let narrowest = bins.iter().map(|b| b.high - b.low).fold(f64::INFINITY, f64::min);
        let height_of = |n: usize, w: f64| n as f64 * narrowest / w;
        let tallest = bins.iter().map(|b| height_of(b.n, b.high - b.low)).fold(0.0, f64::max);
        let axis = Axis::covering(
            first.low,
            last.high,
            if width.is_phone() { 4 } else { 8 },
            Some((first.low, last.high)),
        );
        let ceiling = Axis::covering(0.0, tallest, 4, None);
        let (top, bottom) = (page.y + 20.0, page.y + 220.0);
        let gutter =
            ceiling.ticks().iter().map(|t| SMALL.width(&numerals::decimal(*t, 0))).fold(0.0, f64::max);
        let (from, to) = (EDGE + gutter + 8.0, page.right() - 14.0);
        page.canvas.text((EDGE, page.y + 4.0), "Số phiếu mỗi lớp", SMALL, Align::Left);
        for tick in ceiling.ticks() {
            let y = ceiling.place(tick, bottom, top);
            page.canvas.line(&[(from, y), (to, y)], GRID, 1.0);
            page.canvas.text((from - 6.0, y), &numerals::decimal(tick, 0), SMALL, Align::Right);
        }
        for bin in bins {
            let (x0, x1) = (axis.place(bin.low, from, to), axis.place(bin.high, from, to));
            let y = ceiling.place(height_of(bin.n, bin.high - bin.low), bottom, top);
            page.canvas.rectangle(Area { x: x0 + 0.5, y, w: x1 - x0 - 1.0, h: bottom - y }, BLUE);
        }
        page.canvas.line(&[(from, bottom), (to, bottom)], GREY, 1.2);
        for tick in axis.ticks() {
            let x = axis.place(tick, from, to);
            page.canvas.line(&[(x, bottom), (x, bottom + 4.0)], GREY, 1.0);
            let text = Unit::Number(0).tick(tick, axis.step);
            page.canvas.text((x, bottom + 13.0), &text, SMALL, Align::Middle);
        }
        page.y = bottom + 26.0;
        for line in LABEL.wrap(&self.measure, page.inner()) {
            page.canvas.text(((from + to) / 2.0, page.y + 6.0), &line, LABEL, Align::Middle);
            page.y += LABEL.line_height();
        }
        page.y += 4.0;
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let mut table = SafeTable::new(&self.caption.title, ["Từ", "Đến dưới", "Số phiếu"])
            .note(&self.measure)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        for bin in self.bins.bins() {
            let digits = digits(bin);
            table.push(vec![
                Cell::PublicNumber(bin.low, digits),
                Cell::PublicNumber(bin.high, digits),
                Cell::PublicNumber(bin.n as f64, 0),
            ]);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.bins.bins().iter().map(|bin| {
            let digits = digits(bin);
            let (low, high) = (numerals::decimal(bin.low, digits), numerals::decimal(bin.high, digits));
            (format!("từ {low} đến dưới {high}"), format!("{} phiếu", numerals::whole(bin.n as u64)))
        });
        words::listed(&format!("Biểu đồ phân bố. {}", self.measure), rows)
    }
}

/// Decimals that tell the ends of a class apart.
fn digits(bin: &Bin) -> usize {
    let is_whole = |v: f64| v.fract() == 0.0;
    if is_whole(bin.low) && is_whole(bin.high) { 0 } else { 2 }
}
