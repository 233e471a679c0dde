//! Sample against population by age and sex.

use super::axis::Axis;
use super::canvas::{Align, Area};
use super::page::{CAUTION_NOTE, EDGE, HIDDEN_NOTE, Key, LABEL, Page, SMALL};
use super::palette::{BLUE, GREY, GRID, INK};
use super::{Caption, Chart, Unit, Width, words};
use crate::disclosure::{Cell, Figure, SafeTable, Standing};

/// Two sides, a band a row, the oldest band first.
#[derive(Clone, Debug)]
pub struct Pyramid {
    pub caption: Caption,
    /// Heads of the two sides, for example "Nam" and "Nữ".
    pub sides: [String; 2],
    pub bands: Vec<PyramidBand>,
    /// Names of the bars and of the strokes.
    pub sample_label: String,
    pub population_label: String,
}

#[derive(Clone, Debug)]
pub struct PyramidBand {
    pub label: String,
    /// Share of the sample (0–1 of both sides together).
    pub sample: [Figure; 2],
    /// Published share of the population.
    pub population: [f64; 2],
}

impl Chart for Pyramid {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        if self.bands.is_empty() {
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        page.legend(&[
            (Key::Box(BLUE), self.sample_label.as_str()),
            (Key::Stroke(INK), self.population_label.as_str()),
        ]);
        let reach = self
            .bands
            .iter()
            .flat_map(|b| b.population.into_iter().chain(b.sample.iter().filter_map(Figure::estimate)))
            .fold(0.0, f64::max)
            * 100.0;
        let axis = Axis::covering(0.0, reach, if width.is_phone() { 2 } else { 4 }, Some((0.0, 100.0)));
        let middle_width =
            self.bands.iter().map(|b| LABEL.width(&b.label)).fold(40.0, f64::max).min(page.inner() * 0.25)
                + 16.0;
        let half = (page.inner() - middle_width) / 2.0 - 8.0;
        let starts = [EDGE + 8.0 + half, page.right() - 8.0 - half];
        let toward = [-1.0, 1.0];
        for side in 0..2 {
            let (x, y) = (starts[side] + toward[side] * half / 2.0, page.y + 4.0);
            page.canvas.text((x, y), &self.sides[side], LABEL, Align::Middle);
        }
        page.y += 18.0;
        let wrapped: Vec<Vec<String>> =
            self.bands.iter().map(|b| LABEL.wrap(&b.label, middle_width - 12.0)).collect();
        let heights: Vec<f64> =
            wrapped.iter().map(|l| (l.len() as f64 * LABEL.line_height() + 6.0).max(30.0)).collect();
        let (top, bottom) = (page.y, page.y + heights.iter().sum::<f64>());
        let place =
            |side: usize, share: f64| starts[side] + toward[side] * axis.place(share * 100.0, 0.0, half);
        for side in 0..2 {
            for tick in axis.ticks() {
                let x = place(side, tick / 100.0);
                page.canvas.line(&[(x, top), (x, bottom)], GRID, 1.0);
                let text = Unit::Percent.tick(tick, axis.step);
                page.canvas.text((x, bottom + 10.0), &text, SMALL, Align::Middle);
            }
        }
        for ((band, lines), height) in self.bands.iter().zip(&wrapped).zip(&heights) {
            let middle = page.y + height / 2.0;
            let center = (starts[0] + starts[1]) / 2.0;
            page.canvas.lines((center, middle), lines, LABEL, Align::Middle);
            let bar = (height - 8.0).min(30.0);
            for (side, from) in starts.into_iter().enumerate() {
                let figure = &band.sample[side];
                let y = middle - bar / 2.0;
                if figure.is_hidden() {
                    let x = if side == 0 { from - half * 0.4 } else { from };
                    page.canvas.hatch(Area { x, y, w: half * 0.4, h: bar });
                    page.note(HIDDEN_NOTE);
                } else if let Some(share) = figure.estimate() {
                    let to = place(side, share);
                    let area = Area { x: from.min(to), y, w: (to - from).abs(), h: bar };
                    if figure.standing() == Standing::Cautious {
                        page.canvas.outline(area, BLUE, 1.6);
                        page.note(CAUTION_NOTE.replace("Vòng rỗng, màu xám", "Thanh rỗng"));
                    } else {
                        page.canvas.rectangle(area, BLUE);
                    }
                }
                let x = place(side, band.population[side]);
                page.canvas.line(&[(x, y - 3.0), (x, y + bar + 3.0)], INK, 2.6);
            }
            page.y += height;
        }
        for from in starts {
            page.canvas.line(&[(from, top), (from, bottom)], GREY, 1.2);
        }
        page.y = bottom + 20.0;
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let mut columns = vec!["Nhóm tuổi".to_owned()];
        for side in &self.sides {
            columns.push(format!("{side}: {}", self.sample_label));
            columns.push(format!("{side}: {}", self.population_label));
        }
        let mut table = SafeTable::new(&self.caption.title, columns)
            .note(&self.caption.source)
            .note(self.caption.synthetic.clone().unwrap_or_default());
        for band in &self.bands {
            table.push(vec![
                Cell::text(&band.label),
                Cell::Share(band.sample[0].clone()),
                Cell::PublicShare(band.population[0]),
                Cell::Share(band.sample[1].clone()),
                Cell::PublicShare(band.population[1]),
            ]);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.bands.iter().map(|band| {
            let side = |i: usize| {
                let sample = words::spoken(Unit::Percent, &band.sample[i]);
                let population = Unit::Percent.with_sign(band.population[i]);
                format!("{}: {sample} (dân số {population})", self.sides[i])
            };
            (band.label.clone(), format!("{}, {}", side(0), side(1)))
        });
        words::listed("Tháp tuổi", rows)
    }
}
