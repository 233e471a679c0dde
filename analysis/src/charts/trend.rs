//! Figures over waves with their bands, broken where wording or areas changed.

use super::axis::Axis;
use super::canvas::{Align, Color, GREY, GRID, SERIES, Type, for_letters};
use super::letters::Weight;
use super::page::{EDGE, HIDDEN_NOTE, Key, LABEL, Page, SMALL};
use super::{Caption, Chart, Unit, Width};
use crate::disclosure::{Cell, Figure, SafeTable};

/// Series over the same waves.
#[derive(Clone, Debug)]
pub struct Trend {
    pub caption: Caption,
    pub unit: Unit,
    /// Names of the waves in order, usually years; they stand at equal distances.
    pub waves: Vec<String>,
    pub series: Vec<Series>,
    pub breaks: Vec<Break>,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub label: String,
    /// One a wave.
    pub figures: Vec<Figure>,
}

/// Before this wave the question, the area or the method changed: lines are not drawn across.
#[derive(Clone, Debug)]
pub struct Break {
    /// Index of the first wave after the change.
    pub before: usize,
    pub note: String,
}

impl Trend {
    fn axis(&self) -> Axis {
        let values: Vec<f64> = self
            .series
            .iter()
            .flat_map(|s| &s.figures)
            .flat_map(|f| {
                let (low, high) = f.interval().unzip();
                [f.estimate(), low, high]
            })
            .flatten()
            .map(|v| self.unit.scale(v))
            .collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = if low > 0.0 && low < high * 0.5 { 0.0 } else { low };
        Axis::covering(low, high, 5, (self.unit == Unit::Percent).then_some((0.0, 100.0)))
    }

    /// Runs of neighbouring waves with figures, not across a break.
    fn runs<'a>(&self, series: &'a Series) -> Vec<Vec<(usize, &'a Figure)>> {
        let mut runs: Vec<Vec<(usize, &Figure)>> = vec![Vec::new()];
        for (wave, figure) in series.figures.iter().enumerate().take(self.waves.len()) {
            let broken = self.breaks.iter().any(|b| b.before == wave);
            if (broken || figure.estimate().is_none()) && runs.last().is_some_and(|r| !r.is_empty()) {
                runs.push(Vec::new());
            }
            if figure.estimate().is_some()
                && let Some(run) = runs.last_mut()
            {
                run.push((wave, figure));
            }
        }
        runs.retain(|r| !r.is_empty());
        runs
    }
}

impl Chart for Trend {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        let any = self.series.iter().flat_map(|s| &s.figures).any(|f| f.estimate().is_some());
        if self.waves.is_empty() || !any {
            if self.series.iter().flat_map(|s| &s.figures).any(Figure::is_hidden) {
                page.note("Số liệu không công bố.");
            }
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        let phone = width.is_phone();
        let color = |i: usize| -> Color { SERIES[i % SERIES.len()] };
        if phone {
            let keys: Vec<(Key, &str)> =
                self.series.iter().enumerate().map(|(i, s)| (Key::Dot(color(i)), s.label.as_str())).collect();
            page.legend(&keys);
        }
        let axis = self.axis();
        let tick_text: Vec<String> = axis.ticks().iter().map(|t| self.unit.tick(*t, axis.step)).collect();
        let gutter = tick_text.iter().map(|t| SMALL.width(t)).fold(0.0, f64::max);
        let end_style = Type { weight: Weight::Bold, ..LABEL };
        let ends: Vec<(usize, f64, Vec<String>)> = self
            .series
            .iter()
            .enumerate()
            .filter_map(|(i, s)| {
                let last = s.figures.iter().rev().find_map(Figure::estimate)?;
                let value = self.unit.mark(self.unit.scale(last));
                let text = if phone { value } else { format!("{} {value}", s.label) };
                Some((i, last, end_style.wrap(&text, 170.0)))
            })
            .collect();
        let end_width = ends.iter().flat_map(|e| &e.2).map(|l| end_style.width(l)).fold(0.0, f64::max) + 14.0;
        let (from, to) = (EDGE + gutter + 22.0, page.right() - end_width);
        let (top, bottom) = (page.y + 8.0, page.y + 268.0);
        for (tick, text) in axis.ticks().iter().zip(&tick_text) {
            let y = axis.place(*tick, bottom, top);
            page.canvas.line(&[(EDGE + gutter + 8.0, y), (to, y)], GRID, 1.0);
            page.canvas.text((EDGE + gutter, y), text, SMALL, Align::Right);
        }
        let steps = (self.waves.len() - 1).max(1) as f64;
        let x_of = |wave: usize| {
            if self.waves.len() == 1 { (from + to) / 2.0 } else { from + (to - from) * wave as f64 / steps }
        };
        let y_of = |value: f64| axis.place(self.unit.scale(value), bottom, top);
        for (i, series) in self.series.iter().enumerate() {
            for run in self.runs(series) {
                let upper = run.iter().filter_map(|(w, f)| Some((x_of(*w), y_of(f.interval()?.1))));
                let lower = run.iter().rev().filter_map(|(w, f)| Some((x_of(*w), y_of(f.interval()?.0))));
                let band: Vec<(f64, f64)> = upper.chain(lower).collect();
                if run.len() > 1 && band.len() == run.len() * 2 {
                    page.canvas.polygon(band, color(i), 0.16);
                } else if let [(wave, figure)] = run[..]
                    && let Some((low, high)) = figure.interval()
                {
                    page.canvas.line(&[(x_of(wave), y_of(low)), (x_of(wave), y_of(high))], color(i), 2.0);
                }
            }
        }
        for (i, series) in self.series.iter().enumerate() {
            for run in self.runs(series) {
                let points: Vec<(f64, f64)> =
                    run.iter().filter_map(|(w, f)| Some((x_of(*w), y_of(f.estimate()?)))).collect();
                if points.len() > 1 {
                    page.canvas.line(&points, color(i), 2.6);
                }
                for point in points {
                    page.canvas.disc(point, 4.2, color(i));
                }
            }
            if series.figures.iter().any(Figure::is_hidden) {
                page.note(HIDDEN_NOTE.replace("Ô gạch chéo", "Chỗ ngắt của đường"));
            }
        }
        for change in self.breaks.iter().filter(|b| b.before > 0 && b.before < self.waves.len()) {
            let x = (x_of(change.before - 1) + x_of(change.before)) / 2.0;
            page.canvas.dashed(x, top, bottom, GREY, 1.4);
            page.note(format!(
                "Vạch đứt trước {}: {}.",
                self.waves[change.before],
                change.note.trim_end_matches('.')
            ));
        }
        // End labels keep apart, in the order of their values.
        let mut labels: Vec<(f64, usize, &Vec<String>)> =
            ends.iter().map(|(i, value, lines)| (y_of(*value), *i, lines)).collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = top - 8.0;
        for (y, i, lines) in labels {
            let height = lines.len() as f64 * end_style.line_height();
            let middle = (y).max(free + height / 2.0);
            free = middle + height / 2.0;
            let style = Type { color: for_letters(color(i)), ..end_style };
            page.canvas.lines((to + 10.0, middle), lines, style, Align::Left);
        }
        let room = if self.waves.len() > 1 { (to - from) / steps } else { to - from };
        let widest = self.waves.iter().map(|w| SMALL.width(w)).fold(0.0, f64::max) + 8.0;
        let every = (widest / room).ceil().max(1.0) as usize;
        for (wave, name) in self.waves.iter().enumerate().filter(|(w, _)| w % every == 0) {
            page.canvas.text((x_of(wave), bottom + 14.0), name, SMALL, Align::Middle);
        }
        page.canvas.line(&[(EDGE + gutter + 8.0, bottom), (to, bottom)], GREY, 1.2);
        page.y = (bottom + 28.0).max(free);
        if axis.low > 0.0 {
            page.note(format!("Trục đứng bắt đầu từ {}.", self.unit.tick(axis.low, axis.step)));
        }
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let columns = ["Chỉ tiêu", "Đợt khảo sát", "Ước lượng", "KTC 95%", "Số phiếu (n)"];
        let mut table = SafeTable::new(&self.caption.title, columns)
            .note(&self.caption.subtitle)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        for series in &self.series {
            for (wave, figure) in self.waves.iter().zip(&series.figures) {
                table.push(vec![
                    Cell::text(&series.label),
                    Cell::text(wave),
                    self.unit.share_cell(figure),
                    self.unit.interval_cell(figure),
                    Cell::Base(figure.clone()),
                ]);
            }
        }
        for change in &self.breaks {
            table.notes.push(change.note.clone());
        }
        table
    }
}
