//! Bars side by side for a few series in each group, with intervals.

use super::axis::Axis;
use super::canvas::{Align, Area};
use super::page::{CAUTION_NOTE, EDGE, HIDDEN_NOTE, Key, LABEL, Page, SMALL, VALUE};
use super::palette::{GREY, GRID, INK, SERIES};
use super::{Caption, Chart, Unit, Width, words};
use crate::disclosure::{Cell, Figure, SafeTable, Standing};

/// Groups of bars. The bars lie, so that long labels find room; they start at zero.
#[derive(Clone, Debug)]
pub struct GroupedBars {
    pub caption: Caption,
    pub unit: Unit,
    /// Names of the bars in a group, at most six.
    pub series: Vec<String>,
    pub groups: Vec<BarGroup>,
}

/// One figure a series.
#[derive(Clone, Debug)]
pub struct BarGroup {
    pub label: String,
    pub figures: Vec<Figure>,
}

impl Chart for GroupedBars {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        if self.groups.is_empty() || self.series.is_empty() {
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        let phone = width.is_phone();
        let color = |i: usize| SERIES[i % SERIES.len()];
        if self.series.len() > 1 {
            let keys: Vec<(Key, &str)> =
                self.series.iter().enumerate().map(|(i, s)| (Key::Box(color(i)), s.as_str())).collect();
            page.legend(&keys);
        }
        let reach = self
            .groups
            .iter()
            .flat_map(|g| &g.figures)
            .filter_map(|f| {
                Some(f.interval().map_or(f.estimate()?, |(_, high)| high.max(f.estimate().unwrap_or(high))))
            })
            .map(|v| self.unit.scale(v))
            .fold(0.0, f64::max);
        let bounds = (self.unit == Unit::Percent).then_some((0.0, 100.0));
        let axis = Axis::covering(0.0, reach, if phone { 4 } else { 5 }, bounds);

        let widest = self.groups.iter().map(|g| LABEL.width(&g.label)).fold(0.0, f64::max) + 1.0;
        let label_width = if phone { page.inner() } else { widest.min(page.inner() * 0.34) };
        let plot_from = if phone { EDGE + 8.0 } else { EDGE + label_width + 12.0 };
        let plot_to = page.right() - 46.0;
        let (bar, gap) = (16.0, 3.0);
        let block = self.series.len() as f64 * (bar + gap) - gap;
        let labels = self.groups.iter().map(|g| LABEL.wrap(&g.label, label_width)).collect();
        let places = page.place(labels, block, if phone { 16.0 } else { 14.0 }, phone);
        let spans = page.spans(&places, phone);
        let bottom = places.last().map_or(page.y, |r| r.bottom);
        for tick in axis.ticks() {
            let x = axis.place(tick, plot_from, plot_to);
            for (from, to) in &spans {
                page.canvas.line(&[(x, *from), (x, *to)], GRID, 1.0);
            }
            page.canvas.text((x, bottom + 10.0), &self.unit.tick(tick, axis.step), SMALL, Align::Middle);
        }
        for (group, place) in self.groups.iter().zip(&places) {
            let mut y = place.middle - block / 2.0;
            page.row_label(place, plot_from, phone);
            for (i, figure) in group.figures.iter().take(self.series.len()).enumerate() {
                let middle = y + bar / 2.0;
                match (figure.standing(), figure.estimate()) {
                    (Standing::Hidden, _) => {
                        let w = (plot_to - plot_from) * 0.3;
                        page.canvas.hatch(Area { x: plot_from, y, w, h: bar });
                        page.note(HIDDEN_NOTE);
                    }
                    (standing, Some(estimate)) => {
                        let place = |v: f64| axis.place(self.unit.scale(v), plot_from, plot_to);
                        let mut end = place(estimate);
                        let area = Area { x: plot_from, y, w: end - plot_from, h: bar };
                        if standing == Standing::Cautious {
                            page.canvas.outline(area, color(i), 1.6);
                            page.note(CAUTION_NOTE.replace("Vòng rỗng, màu xám", "Thanh rỗng"));
                        } else {
                            page.canvas.rectangle(area, color(i));
                        }
                        if let Some((low, high)) = figure.interval() {
                            let (from, to) = (place(low), place(high));
                            page.canvas.line(&[(from, middle), (to, middle)], INK, 1.4);
                            for x in [from, to] {
                                page.canvas.line(&[(x, middle - 3.5), (x, middle + 3.5)], INK, 1.4);
                            }
                            end = end.max(to);
                        }
                        let text = self.unit.mark(self.unit.scale(estimate));
                        page.canvas.text((end + 6.0, middle), &text, VALUE, Align::Left);
                    }
                    (_, None) => page.canvas.text((plot_from + 6.0, middle), "–", SMALL, Align::Left),
                }
                y += bar + gap;
            }
        }
        for (from, to) in &spans {
            page.canvas.line(&[(plot_from, *from), (plot_from, *to)], GREY, 1.2);
        }
        page.y = bottom + 20.0;
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let mut columns = vec!["Nhóm".to_owned()];
        for series in &self.series {
            columns.extend([series.clone(), "KTC 95%".to_owned(), "n".to_owned()]);
        }
        let mut table = SafeTable::new(&self.caption.title, columns)
            .note(&self.caption.subtitle)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        for group in &self.groups {
            let mut cells = vec![Cell::text(&group.label)];
            for figure in group.figures.iter().take(self.series.len()) {
                cells.extend([
                    self.unit.share_cell(figure),
                    self.unit.interval_cell(figure),
                    Cell::Base(figure.clone()),
                ]);
            }
            table.push(cells);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.groups.iter().map(|group| {
            let figures = self.series.iter().zip(&group.figures);
            let values = figures.map(|(series, f)| format!("{series} {}", words::spoken(self.unit, f)));
            (group.label.clone(), values.collect::<Vec<_>>().join(", "))
        });
        words::listed("Biểu đồ cột theo nhóm", rows)
    }
}
