//! Diverging stacked bars: the answers to scale questions, dissatisfied to the left, satisfied to the right.

use super::canvas::{Align, Area, Type};
use super::page::{EDGE, HEAD, HIDDEN_NOTE, Key, LABEL, Page, SMALL, VALUE};
use super::palette::{GREY, GRID};
use super::{Caption, Chart, Unit, Width, numerals, palette, words};
use crate::disclosure::{Cell, Figure, SafeTable};

/// Items answered on one scale.
#[derive(Clone, Debug, Default)]
pub struct Likert {
    pub caption: Caption,
    /// Steps of the scale from the negative to the positive end; with an odd number the middle one is neutral
    /// and stands astride the zero line.
    pub scale: Vec<String>,
    pub rows: Vec<LikertRow>,
    /// What `LikertRow::aside` counts, for example "Không biết, không trả lời".
    pub aside: Option<String>,
}

/// One item.
#[derive(Clone, Debug)]
pub struct LikertRow {
    pub label: String,
    /// Share of each step, in the order of the scale.
    pub figures: Vec<Figure>,
    /// Share of answers off the scale.
    pub aside: Option<Figure>,
}

impl LikertRow {
    /// Shares of the steps; `None` where one of them is not shown.
    fn shares(&self, steps: usize) -> Option<Vec<f64>> {
        let shares: Vec<f64> =
            self.figures.iter().map(|f| f.estimate().map(|e| e.max(0.0))).collect::<Option<_>>()?;
        (shares.len() == steps).then_some(shares)
    }

    fn is_hidden(&self) -> bool {
        self.figures.iter().any(Figure::is_hidden)
    }

    /// The base; none where a step is held back, because the others would tell it.
    fn base(&self) -> Option<usize> {
        if self.is_hidden() {
            return None;
        }
        self.figures.iter().filter_map(Figure::n).max()
    }
}

/// Shares to the left of zero and in total.
fn extent(shares: &[f64]) -> (f64, f64) {
    let side = shares.len() / 2;
    let mut left: f64 = shares[..side].iter().sum();
    if shares.len() % 2 == 1 {
        left += shares[side] / 2.0;
    }
    (left, shares.iter().sum::<f64>() - left)
}

impl Chart for Likert {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        let steps = self.scale.len();
        if self.rows.is_empty() || steps == 0 {
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        let palette = palette::diverging(steps);
        let keys: Vec<(Key, &str)> =
            palette.iter().zip(&self.scale).map(|(c, l)| (Key::Box(*c), l.as_str())).collect();
        page.legend(&keys);

        let phone = width.is_phone();
        let extents: Vec<(f64, f64)> =
            self.rows.iter().filter_map(|r| r.shares(steps)).map(|s| extent(&s)).collect();
        let reach = |side: fn(&(f64, f64)) -> f64| {
            let most = extents.iter().map(side).fold(0.0, f64::max);
            ((most / 0.25 - 1e-9).ceil() * 0.25).clamp(0.25, 1.0)
        };
        let (left, right) = (reach(|e| e.0), reach(|e| e.1));

        let aside_width = if self.aside.is_some() { 96.0 } else { 0.0 };
        let base_width = 52.0;
        let widest = self.rows.iter().map(|r| LABEL.width(&r.label)).fold(0.0, f64::max);
        let label_width = if phone { page.inner() } else { widest.min(page.inner() * 0.34) };
        let plot_from = if phone { EDGE + 12.0 } else { EDGE + label_width + 12.0 };
        let plot_to = page.right() - base_width - if phone { 0.0 } else { aside_width };
        let per_share = (plot_to - plot_from) / (left + right);
        let zero = plot_from + left * per_share;
        let shows_aside = !phone && self.aside.is_some();

        if shows_aside && let Some(aside) = &self.aside {
            let lines = HEAD.wrap(aside, aside_width - 6.0);
            page.y += (lines.len() as f64 - 1.0) * HEAD.line_height() / 2.0;
            let y = page.y;
            page.canvas.lines((plot_to + aside_width / 2.0, y), &lines, HEAD, Align::Middle);
            page.canvas.text((page.right(), y), "n", HEAD, Align::Right);
            page.y += lines.len() as f64 * HEAD.line_height() / 2.0 + 4.0;
        } else {
            let (at, y) = (page.right(), page.y);
            page.canvas.text((at, y), "n", HEAD, Align::Right);
            page.y += 10.0;
        }

        let bar = 24.0;
        let labels = self.rows.iter().map(|r| LABEL.wrap(&r.label, label_width)).collect();
        let rows = page.place(labels, bar, if phone { 16.0 } else { 14.0 }, phone);
        let spans = page.spans(&rows, phone);
        let bottom = rows.last().map_or(page.y, |r| r.bottom);
        let mut tick = -left;
        while tick <= right + 1e-9 {
            let x = zero + tick * per_share;
            let (color, thickness) = if tick.abs() < 1e-9 { (GREY, 1.4) } else { (GRID, 1.0) };
            for (from, to) in &spans {
                page.canvas.line(&[(x, from - 2.0), (x, to + 2.0)], color, thickness);
            }
            let every = if phone && left + right > 1.25 { 0.5 } else { 0.25 };
            if (tick / every).fract().abs() < 1e-9 {
                let text = numerals::percent(tick.abs(), 0);
                page.canvas.text((x, bottom + 10.0), &text, SMALL, Align::Middle);
            }
            tick += 0.25;
        }

        for (row, place) in self.rows.iter().zip(&rows) {
            let middle = place.middle;
            page.row_label(place, plot_from, phone);
            match row.shares(steps) {
                Some(shares) => {
                    let mut x = zero - extent(&shares).0 * per_share;
                    for (share, color) in shares.iter().zip(&palette) {
                        let w = share * per_share;
                        page.canvas.rectangle(Area { x, y: middle - bar / 2.0, w, h: bar }, *color);
                        let text = Unit::Percent.mark(share * 100.0);
                        if VALUE.width(&text) + 4.0 <= w {
                            let style = Type { color: palette::letters_on(*color), ..VALUE };
                            page.canvas.text((x + w / 2.0, middle), &text, style, Align::Middle);
                        }
                        x += w;
                    }
                }
                None if row.is_hidden() => {
                    let half = (left.min(right) * per_share).min(90.0);
                    page.canvas.hatch(Area { x: zero - half, y: middle - bar / 2.0, w: half * 2.0, h: bar });
                    page.note(HIDDEN_NOTE);
                }
                None => page.canvas.text((zero + 8.0, middle), "không có số liệu", SMALL, Align::Left),
            }
            if let Some(n) = row.base() {
                let right = page.right();
                page.canvas.text((right, middle), &numerals::whole(n as u64), SMALL, Align::Right);
            }
            if shows_aside {
                let text = match &row.aside {
                    Some(f) if f.is_hidden() => "…".to_owned(),
                    Some(f) => f.estimate().map(|e| numerals::percent(e, 0)).unwrap_or_default(),
                    None => String::new(),
                };
                page.canvas.text((plot_to + aside_width / 2.0, middle), &text, SMALL, Align::Middle);
            }
        }
        page.y = bottom + 20.0;
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let mut columns = vec!["Nội dung".to_owned()];
        columns.extend(self.scale.iter().cloned());
        columns.extend(self.aside.iter().cloned());
        columns.push("Số phiếu (n)".to_owned());
        let mut table = SafeTable::new(&self.caption.title, columns)
            .note(&self.caption.subtitle)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        for row in &self.rows {
            let mut cells = vec![Cell::text(&row.label)];
            let figure = |i: usize| row.figures.get(i).cloned().unwrap_or_else(Figure::absent);
            cells.extend((0..self.scale.len()).map(|i| Cell::Share(figure(i))));
            if self.aside.is_some() {
                cells.push(Cell::Share(row.aside.clone().unwrap_or_else(Figure::absent)));
            }
            // The base stands only where the whole row is shown.
            let shown = row.figures.iter().find(|f| f.n().is_some());
            let base = if row.is_hidden() { row.figures.iter().find(|f| f.is_hidden()) } else { shown };
            cells.push(base.map_or(Cell::Empty, |f| Cell::Base(f.clone())));
            table.push(cells);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let steps = self.scale.iter().zip(&row.figures);
            let value = |f: &Figure| f.estimate().map(|e| Unit::Percent.with_sign(e));
            let values = steps.map(|(step, f)| Some(format!("{} {}", step.to_lowercase(), value(f)?)));
            let values: Option<Vec<String>> = values.collect();
            let without = if row.is_hidden() { "không công bố" } else { "không có số liệu" };
            (row.label.clone(), values.map_or(without.to_owned(), |v| v.join(", ")))
        });
        words::listed("Biểu đồ thanh chồng theo mức độ", rows)
    }
}
