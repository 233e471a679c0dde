//! Dots with their intervals, a row a group, against the whole and, in a simulation, against the truth.

use super::axis::Axis;
use super::canvas::{Align, Area, Canvas, Type};
use super::page::{CAUTION_NOTE, EDGE, HEAD, HIDDEN_NOTE, Key, LABEL, Page, SMALL};
use super::palette::{BLUE, Color, GREY, GRID, INK, RUST};
use super::{Caption, Chart, Unit, Width, numerals, words};
use crate::disclosure::{Cell, Figure, SafeTable, Standing};

/// Estimates of groups or of several questions.
#[derive(Clone, Debug)]
pub struct DotInterval {
    pub caption: Caption,
    pub unit: Unit,
    pub rows: Vec<DotRow>,
    pub order: Order,
    /// The figure of all groups together: a dashed line.
    pub overall: Option<(String, Figure)>,
    /// What a row's `truth` is, for the legend.
    pub truth_label: Option<String>,
}

/// One dot.
#[derive(Clone, Debug)]
pub struct DotRow {
    pub label: String,
    pub figure: Figure,
    /// The known value of a simulated population, on the scale of the statistic.
    pub truth: Option<f64>,
}

/// In which order the rows stand. Hidden rows come last when sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Given,
    Descending,
}

impl DotInterval {
    fn ordered(&self) -> Vec<&DotRow> {
        let mut rows: Vec<&DotRow> = self.rows.iter().collect();
        if self.order == Order::Descending {
            let value = |row: &DotRow| row.figure.estimate().unwrap_or(f64::NEG_INFINITY);
            rows.sort_by(|a, b| value(b).total_cmp(&value(a)));
        }
        rows
    }

    fn axis(&self, ticks: usize) -> Axis {
        let ends =
            self.rows.iter().map(|r| &r.figure).chain(self.overall.iter().map(|(_, f)| f)).flat_map(|f| {
                let (low, high) = f.interval().unzip();
                [f.estimate(), low, high]
            });
        let truths = self.rows.iter().filter(|r| r.figure.estimate().is_some()).map(|r| r.truth);
        let values: Vec<f64> = ends.chain(truths).flatten().map(|v| self.unit.scale(v)).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bounds = (self.unit == Unit::Percent).then_some((0.0, 100.0));
        // An axis that nearly reaches zero starts there.
        let low = if low > 0.0 && low < (high - low) * 0.6 { 0.0 } else { low };
        Axis::covering(low, high, ticks, bounds)
    }
}

/// Draws one dot with its interval.
pub(super) fn dot(canvas: &mut Canvas, figure: &Figure, y: f64, place: impl Fn(f64) -> f64, color: Color) {
    let Some(estimate) = figure.estimate() else { return };
    let cautious = figure.standing() == Standing::Cautious;
    let color = if cautious { GREY } else { color };
    if let Some((low, high)) = figure.interval() {
        canvas.line(&[(place(low), y), (place(high), y)], color, 2.4);
    }
    if cautious {
        canvas.ring((place(estimate), y), 5.0, color, 2.0);
    } else {
        canvas.disc((place(estimate), y), 5.5, color);
    }
}

impl Chart for DotInterval {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        if self.rows.is_empty() {
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        let phone = width.is_phone();
        let rows = self.ordered();
        let mut keys = vec![(Key::Dot(BLUE), "Ước lượng và khoảng tin cậy 95%")];
        if let Some(label) = self.truth_label.as_deref().filter(|_| rows.iter().any(|r| r.truth.is_some())) {
            keys.push((Key::Diamond(RUST), label));
        }
        if rows.iter().any(|r| r.figure.standing() == Standing::Cautious) {
            keys.push((Key::Ring, "ít phiếu"));
            page.note(CAUTION_NOTE);
        }
        let overall_text;
        let overall = self.overall.as_ref().and_then(|(label, figure)| Some((label, figure.estimate()?)));
        if let Some((label, value)) = overall {
            overall_text = format!("{label}: {}", self.unit.with_sign(value));
            keys.push((Key::Dashes(INK), &overall_text));
        }
        page.legend(&keys);

        let labels: Vec<String> = rows
            .iter()
            .map(|r| match r.figure.n() {
                Some(n) => format!("{} (n\u{a0}=\u{a0}{})", r.label, numerals::whole(n as u64)),
                None => r.label.clone(),
            })
            .collect();
        let values: Vec<String> = rows.iter().map(|r| words::beside(self.unit, &r.figure)).collect();
        let value_width = values.iter().map(|v| LABEL.width(v)).fold(0.0, f64::max) + 14.0;
        let widest = labels.iter().map(|l| LABEL.width(l)).fold(0.0, f64::max) + 1.0;
        let label_width = if phone { page.inner() } else { widest.min(page.inner() * 0.36) };
        let plot_from = if phone { EDGE + 8.0 } else { EDGE + label_width + 16.0 };
        let plot_to = page.right() - value_width;
        let axis = self.axis(if phone { 4 } else { 6 });
        let place = |value: f64| axis.place(self.unit.scale(value), plot_from, plot_to);

        let head = if self.unit == Unit::Percent { "% [KTC 95%]" } else { "[KTC 95%]" };
        let (right, y) = (page.right(), page.y + 2.0);
        page.canvas.text((right, y), head, HEAD, Align::Right);
        page.y += 14.0;

        let wrapped = labels.iter().map(|l| LABEL.wrap(l, label_width)).collect();
        let places = page.place(wrapped, 18.0, if phone { 10.0 } else { 9.0 }, phone);
        let spans = page.spans(&places, phone);
        let bottom = places.last().map_or(page.y, |r| r.bottom);
        for tick in axis.ticks() {
            let x = axis.place(tick, plot_from, plot_to);
            for (from, to) in &spans {
                page.canvas.line(&[(x, *from), (x, *to)], GRID, 1.0);
            }
            page.canvas.text((x, bottom + 10.0), &self.unit.tick(tick, axis.step), SMALL, Align::Middle);
        }
        if let Some((_, value)) = overall {
            for (from, to) in &spans {
                page.canvas.dashed(place(value), *from, *to, INK, 1.6);
            }
        }
        for ((row, row_place), value) in rows.iter().zip(&places).zip(&values) {
            let middle = row_place.middle;
            page.row_label(row_place, plot_from - 4.0, phone);
            let cautious = row.figure.standing() == Standing::Cautious;
            if row.figure.is_hidden() {
                let w = (plot_to - plot_from) * 0.4;
                page.canvas.hatch(Area { x: plot_from, y: middle - 7.0, w, h: 14.0 });
                page.note(HIDDEN_NOTE);
            }
            dot(&mut page.canvas, &row.figure, middle, place, BLUE);
            if let Some(truth) = row.truth.filter(|_| row.figure.estimate().is_some()) {
                page.canvas.diamond((place(truth), middle), 4.6, RUST);
            }
            let style = Type { color: if cautious { GREY } else { INK }, ..LABEL };
            let right = page.right();
            page.canvas.text((right, middle), value, style, Align::Right);
        }
        page.y = bottom + 20.0;
        if axis.low > 0.0 {
            page.note(format!("Trục bắt đầu từ {}.", self.unit.tick(axis.low, axis.step)));
        }
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let with_truth = self.rows.iter().any(|r| r.truth.is_some());
        let mut columns = vec!["Nhóm", "Ước lượng", "Khoảng tin cậy 95%", "Số phiếu (n)"];
        let truth_label = self.truth_label.as_deref().unwrap_or("Giá trị thật");
        if with_truth {
            columns.push(truth_label);
        }
        let mut table = SafeTable::new(&self.caption.title, columns)
            .note(&self.caption.subtitle)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        let mut push = |label: &str, figure: &Figure, truth: Option<f64>| {
            let mut cells = vec![
                Cell::text(label),
                self.unit.share_cell(figure),
                self.unit.interval_cell(figure),
                Cell::Base(figure.clone()),
            ];
            if with_truth {
                cells.push(match (truth, self.unit) {
                    (None, _) => Cell::Empty,
                    (Some(t), Unit::Percent) => Cell::PublicShare(t),
                    (Some(t), Unit::Number(digits)) => Cell::PublicNumber(t, digits),
                });
            }
            table.push(cells);
        };
        for row in self.ordered() {
            push(&row.label, &row.figure, row.truth);
        }
        if let Some((label, figure)) = &self.overall {
            push(label, figure, None);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.ordered().into_iter().map(|r| (r.label.as_str(), &r.figure));
        let overall = self.overall.iter().map(|(label, figure)| (label.as_str(), figure));
        let rows = overall.filter(|_| !self.rows.is_empty()).chain(rows);
        words::listed(
            "Biểu đồ điểm và khoảng tin cậy",
            rows.map(|(label, figure)| (label.to_owned(), words::spoken(self.unit, figure))),
        )
    }
}
