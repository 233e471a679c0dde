//! Figures over waves with their bands, broken where wording or areas changed.

use super::axis::Axis;
use super::canvas::{Align, Area, Canvas, Type};
use super::letters::Weight;
use super::page::{CAUTION_NOTE, EDGE, HIDDEN_NOTE, Key, LABEL, Page, SMALL};
use super::palette::{BLUE, Color, GREY, GRID, SERIES, for_letters};
use super::{Caption, Chart, Unit, Width, words};
use crate::disclosure::{Cell, Figure, SafeTable, Standing};

/// Series over the same waves: in one plot up to six, beyond that in a small plot each.
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

/// Where the waves and values of one plot stand, in pixels.
struct Plot<'a> {
    axis: &'a Axis,
    unit: Unit,
    waves: usize,
    /// First and last wave.
    across: (f64, f64),
    top: f64,
    bottom: f64,
}

impl Plot<'_> {
    fn x(&self, wave: usize) -> f64 {
        let (from, to) = self.across;
        if self.waves == 1 {
            (from + to) / 2.0
        } else {
            from + (to - from) * wave as f64 / (self.waves - 1) as f64
        }
    }

    fn y(&self, value: f64) -> f64 {
        self.axis.place(self.unit.scale(value), self.bottom, self.top)
    }

    fn band(&self, canvas: &mut Canvas, run: &[(usize, &Figure)], color: Color) {
        let upper = run.iter().filter_map(|(w, f)| Some((self.x(*w), self.y(f.interval()?.1))));
        let lower = run.iter().rev().filter_map(|(w, f)| Some((self.x(*w), self.y(f.interval()?.0))));
        let band: Vec<(f64, f64)> = upper.chain(lower).collect();
        if run.len() > 1 && band.len() == run.len() * 2 {
            canvas.polygon(band, color, 0.16);
        } else if let [(wave, figure)] = *run
            && let Some((low, high)) = figure.interval()
        {
            canvas.line(&[(self.x(wave), self.y(low)), (self.x(wave), self.y(high))], color, 2.0);
        }
    }

    fn line(&self, canvas: &mut Canvas, run: &[(usize, &Figure)], color: Color, thickness: f64) {
        let points: Vec<(f64, f64)> =
            run.iter().filter_map(|(w, f)| Some((self.x(*w), self.y(f.estimate()?)))).collect();
        if points.len() > 1 {
            canvas.line(&points, color, thickness);
        }
        for (point, (_, figure)) in points.into_iter().zip(run) {
            let radius = thickness * 1.6;
            if figure.standing() == Standing::Cautious {
                canvas.ring(point, radius, color, thickness * 0.7);
            } else {
                canvas.disc(point, radius, color);
            }
        }
    }

    /// Waves held back: a hatched box on the axis, one above the other where several series lack the wave.
    fn hidden(&self, canvas: &mut Canvas, series: &Series, color: Color, below: &mut [usize]) {
        for (wave, figure) in series.figures.iter().enumerate().take(self.waves) {
            if figure.is_hidden() {
                let y = self.bottom - 12.0 * (below[wave] + 1) as f64;
                let area = Area { x: self.x(wave) - 7.0, y, w: 14.0, h: 10.0 };
                canvas.hatch(area);
                canvas.outline(area, color, 1.2);
                below[wave] += 1;
            }
        }
    }

    fn breaks(&self, canvas: &mut Canvas, breaks: &[Break]) {
        for change in breaks.iter().filter(|b| b.before > 0 && b.before < self.waves) {
            let x = (self.x(change.before - 1) + self.x(change.before)) / 2.0;
            canvas.dashed(x, self.top, self.bottom, GREY, 1.4);
        }
    }
}

const END: Type = Type { weight: Weight::Bold, ..LABEL };
/// Height of the plot where all series share one, and of a small one.
const TALL: f64 = 260.0;
const LOW: f64 = 76.0;

impl Trend {
    fn color(i: usize) -> Color {
        SERIES[i % SERIES.len()]
    }

    fn last(series: &Series) -> Option<f64> {
        series.figures.iter().rev().find_map(Figure::estimate)
    }

    fn notes(&self, page: &mut Page<'_>, axis: &Axis) {
        let standings = || self.series.iter().flat_map(|s| &s.figures).map(Figure::standing);
        if standings().any(|s| s == Standing::Hidden) {
            page.note(HIDDEN_NOTE.replace("Ô gạch chéo", "Ô gạch chéo trên trục"));
        }
        if standings().any(|s| s == Standing::Cautious) {
            page.note(CAUTION_NOTE.replace("Vòng rỗng, màu xám", "Vòng rỗng"));
        }
        let without: Vec<&str> = self
            .series
            .iter()
            .filter(|s| s.figures.iter().all(|f| f.standing() == Standing::Absent))
            .map(|s| s.label.as_str())
            .collect();
        if !without.is_empty() {
            page.note(format!("Không có số liệu: {}.", without.join("; ")));
        }
        for change in self.breaks.iter().filter(|b| b.before > 0 && b.before < self.waves.len()) {
            let note = change.note.trim_end_matches('.');
            page.note(format!("Vạch đứt trước {}: {note}.", self.waves[change.before]));
        }
        if axis.low > 0.0 {
            page.note(format!("Trục đứng bắt đầu từ {}.", self.unit.tick(axis.low, axis.step)));
        }
    }

    /// All series in one plot, named at their ends; in a legend where there is no room for that.
    fn draw_together(&self, page: &mut Page<'_>, axis: &Axis, is_phone: bool) {
        let ends = |named: bool| -> Vec<(usize, f64, Vec<String>)> {
            let end = |(i, s): (usize, &Series)| {
                let last = Self::last(s)?;
                let value = self.unit.mark(self.unit.scale(last));
                let text = if named { format!("{} {value}", s.label) } else { value };
                Some((i, last, END.wrap(&text, 170.0)))
            };
            self.series.iter().enumerate().filter_map(end).collect()
        };
        let height = |lines: &[String]| lines.len() as f64 * END.line_height();
        let named = ends(true);
        let is_named = !is_phone
            && named.iter().map(|(_, _, lines)| height(lines)).sum::<f64>() <= TALL
            && named.iter().all(|(_, _, lines)| lines.len() <= 4);
        if !is_named {
            let keys: Vec<(Key, &str)> = self
                .series
                .iter()
                .enumerate()
                .map(|(i, s)| (Key::Dot(Self::color(i)), s.label.as_str()))
                .collect();
            page.legend(&keys);
        }
        let ends = if is_named { named } else { ends(false) };
        let end_width = ends.iter().flat_map(|e| &e.2).map(|l| END.width(l)).fold(0.0, f64::max) + 14.0;
        let ticks = axis.ticks();
        let tick_text: Vec<String> = ticks.iter().map(|t| self.unit.tick(*t, axis.step)).collect();
        let gutter = tick_text.iter().map(|t| SMALL.width(t)).fold(0.0, f64::max);
        let left = EDGE + gutter + 8.0;
        let plot = Plot {
            axis,
            unit: self.unit,
            waves: self.waves.len(),
            across: (left + 14.0, page.right() - end_width),
            top: page.y + 8.0,
            bottom: page.y + 8.0 + TALL,
        };
        let (from, to) = plot.across;
        for (tick, text) in ticks.iter().zip(&tick_text) {
            let y = axis.place(*tick, plot.bottom, plot.top);
            page.canvas.line(&[(left, y), (to, y)], GRID, 1.0);
            page.canvas.text((EDGE + gutter, y), text, SMALL, Align::Right);
        }
        let runs: Vec<_> = self.series.iter().map(|s| self.runs(s)).collect();
        for (i, runs) in runs.iter().enumerate() {
            runs.iter().for_each(|run| plot.band(&mut page.canvas, run, Self::color(i)));
        }
        let mut below = vec![0; self.waves.len()];
        for (i, (runs, series)) in runs.iter().zip(&self.series).enumerate() {
            runs.iter().for_each(|run| plot.line(&mut page.canvas, run, Self::color(i), 2.6));
            plot.hidden(&mut page.canvas, series, Self::color(i), &mut below);
        }
        plot.breaks(&mut page.canvas, &self.breaks);
        // End labels keep apart, in the order of their values, and above the axis.
        let mut labels: Vec<(f64, usize, &Vec<String>)> =
            ends.iter().map(|(i, value, lines)| (plot.y(*value), *i, lines)).collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = plot.top - 8.0;
        for (y, _, lines) in &mut labels {
            *y = y.max(free + height(lines) / 2.0);
            free = *y + height(lines) / 2.0;
        }
        let mut free = plot.bottom + 6.0;
        for (y, i, lines) in labels.into_iter().rev() {
            let y = y.min(free - height(lines) / 2.0);
            free = y - height(lines) / 2.0;
            let style = Type { color: for_letters(Self::color(i)), ..END };
            page.canvas.lines((to + 10.0, y), lines, style, Align::Left);
        }
        let steps = (self.waves.len() - 1).max(1) as f64;
        let room = if self.waves.len() > 1 { (to - from) / steps } else { to - from };
        let widest = self.waves.iter().map(|w| SMALL.width(w)).fold(0.0, f64::max) + 8.0;
        let every = (widest / room).ceil().max(1.0) as usize;
        for (wave, name) in self.waves.iter().enumerate().filter(|(w, _)| w % every == 0) {
            page.canvas.text((plot.x(wave), plot.bottom + 14.0), name, SMALL, Align::Middle);
        }
        page.canvas.line(&[(left, plot.bottom), (to, plot.bottom)], GREY, 1.2);
        page.y = plot.bottom + 28.0;
    }

    /// More series than colours: a small plot each, all on the same axis.
    fn draw_apart(&self, page: &mut Page<'_>, axis: &Axis, is_phone: bool) {
        let columns = if is_phone { 2 } else { 4 };
        let gap = 16.0;
        let width = (page.inner() - gap * (columns - 1) as f64) / columns as f64;
        let ends = [axis.low, axis.high].map(|v| self.unit.tick(v, axis.step));
        let gutter = ends.iter().map(|t| SMALL.width(t)).fold(0.0, f64::max) + 6.0;
        for row in self.series.chunks(columns) {
            let names: Vec<Vec<String>> = row.iter().map(|s| END.wrap(&s.label, width)).collect();
            let tallest = names.iter().map(Vec::len).max().unwrap_or(1) as f64 * END.line_height();
            for (i, (series, name)) in row.iter().zip(&names).enumerate() {
                let left = EDGE + (width + gap) * i as f64;
                let top = page.y + tallest + 6.0;
                let value =
                    Self::last(series).map(|v| self.unit.mark(self.unit.scale(v))).unwrap_or_default();
                let value_width = END.width(&value) + 8.0;
                let plot = Plot {
                    axis,
                    unit: self.unit,
                    waves: self.waves.len(),
                    across: (left + gutter + 6.0, left + width - value_width),
                    top,
                    bottom: top + LOW,
                };
                let lines = name.len() as f64 * END.line_height();
                page.canvas.lines((left, page.y + tallest - lines / 2.0), name, END, Align::Left);
                for (y, text) in [(plot.bottom, &ends[0]), (plot.top, &ends[1])] {
                    page.canvas.line(&[(left + gutter, y), (left + width - value_width + 4.0, y)], GRID, 1.0);
                    page.canvas.text((left + gutter - 5.0, y), text, SMALL, Align::Right);
                }
                for run in self.runs(series) {
                    plot.band(&mut page.canvas, &run, BLUE);
                    plot.line(&mut page.canvas, &run, BLUE, 2.0);
                }
                plot.hidden(&mut page.canvas, series, GREY, &mut vec![0; self.waves.len()]);
                plot.breaks(&mut page.canvas, &self.breaks);
                if let Some(last) = Self::last(series) {
                    let at = (left + width, plot.y(last).clamp(plot.top, plot.bottom));
                    page.canvas.text(at, &value, END, Align::Right);
                } else {
                    let middle = ((plot.across.0 + plot.across.1) / 2.0, (plot.top + plot.bottom) / 2.0);
                    page.canvas.text(middle, "–", SMALL, Align::Middle);
                }
                self.name_ends(page, &plot);
            }
            page.y += tallest + 6.0 + LOW + 34.0;
        }
    }

    /// First and last wave under a small plot.
    fn name_ends(&self, page: &mut Page<'_>, plot: &Plot<'_>) {
        let y = plot.bottom + 11.0;
        let (Some(first), Some(last)) = (self.waves.first(), self.waves.last()) else { return };
        let (from, to) = plot.across;
        if self.waves.len() == 1 {
            page.canvas.text(((from + to) / 2.0, y), first, SMALL, Align::Middle);
        } else if SMALL.width(first) + SMALL.width(last) + 8.0 <= to - from + 12.0 {
            page.canvas.text((from - 6.0, y), first, SMALL, Align::Left);
            page.canvas.text((to + 6.0, y), last, SMALL, Align::Right);
        } else {
            page.canvas.text((to + 6.0, y), last, SMALL, Align::Right);
        }
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
        let axis = self.axis();
        if self.series.len() > SERIES.len() {
            self.draw_apart(&mut page, &axis, width.is_phone());
        } else {
            self.draw_together(&mut page, &axis, width.is_phone());
        }
        self.notes(&mut page, &axis);
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

    fn spoken(&self) -> String {
        let rows = self.series.iter().map(|series| {
            let waves = self.waves.iter().zip(&series.figures);
            let values = waves.map(|(wave, f)| format!("{wave} {}", words::spoken(self.unit, f)));
            (series.label.clone(), values.collect::<Vec<_>>().join(", "))
        });
        let breaks: String =
            self.breaks.iter().map(|b| format!(". {}", b.note.trim_end_matches('.'))).collect();
        words::listed("Biểu đồ đường qua các đợt", rows) + &breaks
    }
}
