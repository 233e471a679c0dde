//! The frame of every chart: title, subtitle, legend above; notes, source and the synthetic label below.

use super::canvas::{Align, Area, Canvas, Type};
use super::letters::Weight;
use super::palette::{Color, GREY, INK, RUST};

/// The words around a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caption {
    /// The finding, one sentence.
    pub title: String,
    /// The question and its base.
    pub subtitle: String,
    /// Method and n.
    pub source: String,
    /// Printed on the chart when its data are synthetic.
    pub synthetic: Option<String>,
}

/// Where the chart is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The text width of an A4 page, or a screen.
    Page,
    /// A telephone held upright: labels stand above their marks.
    Phone,
}

impl Width {
    pub(super) fn pixels(self) -> f64 {
        match self {
            Self::Page => 760.0,
            Self::Phone => 380.0,
        }
    }

    pub(super) fn is_phone(self) -> bool {
        self == Self::Phone
    }
}

pub(super) const EDGE: f64 = 16.0;
pub(super) const LABEL: Type = Type { size: 13.0, weight: Weight::Regular, color: INK };
pub(super) const VALUE: Type = Type { size: 12.5, weight: Weight::Bold, color: INK };
pub(super) const SMALL: Type = Type { size: 11.5, weight: Weight::Regular, color: GREY };
pub(super) const HEAD: Type = Type { size: 11.5, weight: Weight::Bold, color: GREY };
const TITLE: Type = Type { size: 18.0, weight: Weight::Bold, color: INK };
const SUBTITLE: Type = Type { size: 13.0, weight: Weight::Regular, color: GREY };
const SYNTHETIC: Type = Type { size: 11.5, weight: Weight::Bold, color: RUST };

/// A mark in the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    Box(Color),
    Dot(Color),
    Ring,
    Diamond(Color),
    Dashes(Color),
    Stroke(Color),
    /// A box without filling.
    Hollow,
    Up,
    Down,
}

/// Where one row of a chart stands.
pub(super) struct RowPlace {
    pub lines: Vec<String>,
    /// Middle height of the label and of the marks.
    pub label: f64,
    pub middle: f64,
    /// Height of the marks.
    pub marks: f64,
    pub bottom: f64,
}

/// A chart while it is drawn, from top to bottom.
pub(super) struct Page<'a> {
    pub canvas: Canvas,
    pub width: f64,
    /// Height reached.
    pub y: f64,
    caption: &'a Caption,
    notes: Vec<String>,
}

impl<'a> Page<'a> {
    pub fn new(caption: &'a Caption, width: Width) -> Self {
        let mut page =
            Self { canvas: Canvas::new(), width: width.pixels(), y: EDGE, caption, notes: Vec::new() };
        let title = Type { size: if width.is_phone() { 16.0 } else { TITLE.size }, ..TITLE };
        page.paragraph(&caption.title, title);
        page.y += 2.0;
        page.paragraph(&caption.subtitle, SUBTITLE);
        page.y += 8.0;
        page
    }

    /// Width between the edges.
    pub fn inner(&self) -> f64 {
        self.width - 2.0 * EDGE
    }

    pub fn right(&self) -> f64 {
        self.width - EDGE
    }

    fn paragraph(&mut self, text: &str, style: Type) {
        for line in style.wrap(text, self.inner()) {
            let step = style.line_height();
            self.canvas.text((EDGE, self.y + step / 2.0), &line, style, Align::Left);
            self.y += step;
        }
    }

    /// Keys in rows from the left edge.
    pub fn legend(&mut self, keys: &[(Key, &str)]) {
        if keys.is_empty() {
            return;
        }
        let mut x = EDGE;
        let step = 20.0;
        for (key, label) in keys {
            let lines = LABEL.wrap(label, self.inner() - 20.0);
            let widest = lines.iter().map(|l| LABEL.width(l)).fold(0.0, f64::max);
            if x > EDGE && x + 20.0 + widest > self.right() {
                x = EDGE;
                self.y += step;
            }
            self.key(*key, (x, self.y + step / 2.0));
            for (i, line) in lines.iter().enumerate() {
                if i > 0 {
                    self.y += LABEL.line_height();
                }
                self.canvas.text((x + 20.0, self.y + step / 2.0), line, LABEL, Align::Left);
            }
            x += 20.0 + widest + 20.0;
        }
        self.y += step + 8.0;
    }

    fn key(&mut self, key: Key, (x, y): (f64, f64)) {
        let square = Area { x, y: y - 6.0, w: 12.0, h: 12.0 };
        match key {
            Key::Box(color) => self.canvas.rectangle(square, color),
            Key::Dot(color) => {
                self.canvas.line(&[(x - 1.0, y), (x + 14.0, y)], color, 2.0);
                self.canvas.disc((x + 6.5, y), 4.5, color);
            }
            Key::Ring => {
                self.canvas.line(&[(x - 1.0, y), (x + 14.0, y)], GREY, 2.0);
                self.canvas.ring((x + 6.5, y), 4.0, GREY, 1.8);
            }
            Key::Diamond(color) => self.canvas.diamond((x + 6.0, y), 5.5, color),
            Key::Stroke(color) => self.canvas.line(&[(x + 6.0, y - 8.0), (x + 6.0, y + 8.0)], color, 2.6),
            Key::Hollow => self.canvas.outline(square, GREY, 1.8),
            Key::Up => self.canvas.triangle((x + 6.0, y), 5.0, true, INK),
            Key::Down => self.canvas.triangle((x + 6.0, y), 5.0, false, INK),
            Key::Dashes(color) => {
                self.canvas.dashed(x + 6.0, y - 8.0, y + 8.0, color, 2.0);
            }
        }
    }

    /// Upright lines behind the rows: through all of them on a page, where labels stand beside; on a telephone
    /// only beside the marks, so that they do not cross the labels above.
    pub fn spans(&self, rows: &[RowPlace], phone: bool) -> Vec<(f64, f64)> {
        if phone {
            return rows.iter().map(|r| (r.middle - r.marks / 2.0, r.middle + r.marks / 2.0)).collect();
        }
        let end = rows.last().map_or(self.y, |r| r.bottom);
        vec![(self.y, end)]
    }

    /// Places rows below each other: labels beside the marks, or above them on a telephone.
    pub fn place(&self, labels: Vec<Vec<String>>, marks: f64, gap: f64, phone: bool) -> Vec<RowPlace> {
        let mut y = self.y;
        let mut rows = Vec::new();
        for lines in labels {
            let text = lines.len() as f64 * LABEL.line_height();
            let top = y;
            let (middle, label) = if phone {
                y += text + marks + gap;
                (top + text + 3.0 + marks / 2.0, top + text / 2.0)
            } else {
                y += text.max(marks) + gap;
                ((top + y) / 2.0, (top + y) / 2.0)
            };
            rows.push(RowPlace { lines, label, middle, marks, bottom: y });
        }
        rows
    }

    /// The label of a row: right-aligned before `plot_from`, or at the left edge on a telephone.
    pub fn row_label(&mut self, row: &RowPlace, plot_from: f64, phone: bool) {
        if phone {
            self.canvas.lines((EDGE, row.label), &row.lines, LABEL, Align::Left);
        } else {
            self.canvas.lines((plot_from - 12.0, row.label), &row.lines, LABEL, Align::Right);
        }
    }

    /// A line above the source, once.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// In place of a chart without data.
    pub fn nothing(&mut self) {
        self.y += 12.0;
        self.canvas.text((EDGE, self.y + 8.0), "Không có số liệu để vẽ.", LABEL, Align::Left);
        self.y += 32.0;
    }

    /// Notes, source and label, then the document.
    pub fn finish(mut self, description: &str) -> String {
        self.y += 8.0;
        let notes = std::mem::take(&mut self.notes);
        for note in notes {
            self.paragraph(&note, SMALL);
        }
        self.paragraph(&self.caption.source, SMALL);
        if let Some(label) = &self.caption.synthetic {
            self.y += 2.0;
            self.paragraph(label, SYNTHETIC);
        }
        let height = (self.y + EDGE * 0.75).ceil();
        self.canvas.svg(self.width, height, &self.caption.title, description)
    }
}

/// What readers are told of hatched marks.
pub(super) const HIDDEN_NOTE: &str = "Ô gạch chéo: số liệu không công bố.";
/// What readers are told of hollow marks.
pub(super) const CAUTION_NOTE: &str = "Vòng rỗng, màu xám: ít phiếu, cần thận trọng khi so sánh.";
