//! From the drawn sample to the completed interviews, step by step. Counts of fieldwork, not of answers.

use super::canvas::{Align, Area};
use super::page::{EDGE, LABEL, Page, SMALL, VALUE};
use super::palette::{BLUE, GREY, GRID};
use super::{Caption, Chart, Width, numerals, words};
use crate::disclosure::{Cell, SafeTable};

/// Steps of fieldwork, each a part of the one before.
#[derive(Clone, Debug, Default)]
pub struct Funnel {
    pub caption: Caption,
    pub stages: Vec<Stage>,
}

#[derive(Clone, Debug)]
pub struct Stage {
    pub label: String,
    pub cases: u64,
    /// Why cases were lost on the way to this step, for example "132 từ chối, 74 không gặp".
    pub lost: String,
}

impl Chart for Funnel {
    fn caption(&self) -> &Caption {
        &self.caption
    }

    fn svg(&self, width: Width) -> String {
        let mut page = Page::new(&self.caption, width);
        let most = self.stages.iter().map(|s| s.cases).max().unwrap_or(0);
        if most == 0 {
            page.nothing();
            return page.finish(&self.alternative_text());
        }
        let phone = width.is_phone();
        let widest = self.stages.iter().map(|s| LABEL.width(&s.label)).fold(0.0, f64::max) + 1.0;
        let label_width = if phone { page.inner() } else { widest.min(page.inner() * 0.32) };
        let plot_from = if phone { EDGE } else { EDGE + label_width + 12.0 };
        let full = page.right() - plot_from - 112.0;
        let bar = 24.0;
        for (i, stage) in self.stages.iter().enumerate() {
            if i > 0 && !stage.lost.is_empty() {
                let lines = SMALL.wrap(&stage.lost, page.right() - plot_from - 16.0);
                let height = lines.len() as f64 * SMALL.line_height();
                let y = page.y;
                page.canvas.line(
                    &[(plot_from + 6.0, y - 2.0), (plot_from + 6.0, y + height + 2.0)],
                    GRID,
                    2.0,
                );
                page.canvas.lines((plot_from + 16.0, y + height / 2.0), &lines, SMALL, Align::Left);
                page.y += height + 4.0;
            }
            let lines = LABEL.wrap(&stage.label, label_width);
            let text = lines.len() as f64 * LABEL.line_height();
            let height = if phone { text + bar + 8.0 } else { text.max(bar) + 8.0 };
            let middle = if phone { page.y + text + 2.0 + bar / 2.0 } else { page.y + height / 2.0 };
            if phone {
                page.canvas.lines((EDGE, page.y + text / 2.0), &lines, LABEL, Align::Left);
            } else {
                page.canvas.lines((plot_from - 12.0, middle), &lines, LABEL, Align::Right);
            }
            let w = full * stage.cases as f64 / most as f64;
            let color = if i + 1 == self.stages.len() { BLUE } else { GREY };
            page.canvas.rectangle(Area { x: plot_from, y: middle - bar / 2.0, w, h: bar }, color);
            let count = numerals::whole(stage.cases);
            page.canvas.text((plot_from + w + 8.0, middle), &count, VALUE, Align::Left);
            if i > 0 {
                let x = plot_from + w + 14.0 + VALUE.width(&count);
                let share = format!("({})", numerals::percent(stage.cases as f64 / most as f64, 0));
                page.canvas.text((x, middle), &share, SMALL, Align::Left);
            }
            page.y += height;
        }
        page.note("Trong ngoặc: so với bước có nhiều trường hợp nhất.");
        page.finish(&self.alternative_text())
    }

    fn table(&self) -> SafeTable {
        let mut table =
            SafeTable::new(&self.caption.title, ["Bước", "Số trường hợp", "So với đầu", "Hao hụt"])
                .note(&self.caption.source)
                .note(self.caption.synthetic.clone().unwrap_or_default());
        let first = self.stages.iter().map(|s| s.cases).max().unwrap_or(0);
        for stage in &self.stages {
            let share =
                if first == 0 { Cell::Empty } else { Cell::PublicShare(stage.cases as f64 / first as f64) };
            table.push(vec![
                Cell::text(&stage.label),
                Cell::Fieldwork(stage.cases),
                share,
                Cell::text(&stage.lost),
            ]);
        }
        table
    }

    fn spoken(&self) -> String {
        let rows = self.stages.iter().map(|s| (s.label.clone(), numerals::whole(s.cases)));
        words::listed("Số trường hợp qua từng bước", rows)
    }
}
