//! The drawing surface: shapes in pixels, kept until the height is known, then drawn by plotters' SVG backend.

use super::letters::{self, Weight};
use super::palette::{Color, HATCH_GROUND, HATCH_LINE, WHITE};
use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle};

/// The backend draws on whole numbers: ten to the pixel.
const FINE: f64 = 10.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub size: f64,
    pub weight: Weight,
    pub color: Color,
}

impl Type {
    pub fn line_height(self) -> f64 {
        (self.size * 1.35).round()
    }

    pub fn width(self, text: &str) -> f64 {
        letters::width(text, self.size, self.weight)
    }

    pub fn wrap(self, text: &str, limit: f64) -> Vec<String> {
        letters::wrap_even(text, self.size, self.weight, limit)
    }
}

enum Shape {
    Rectangle(Area, Color, f64),
    Line(Vec<(f64, f64)>, Color, f64),
    Polygon(Vec<(f64, f64)>, Color, f64),
    Circle((f64, f64), f64, Color, Option<f64>),
    Text((f64, f64), String, Type, Align),
}

/// Shapes in the order in which they are drawn.
pub(super) struct Canvas {
    shapes: Vec<Shape>,
}

impl Canvas {
    pub fn new() -> Self {
        Self { shapes: Vec::new() }
    }

    pub fn rectangle(&mut self, area: Area, color: Color) {
        if area.w > 0.0 && area.h > 0.0 {
            self.shapes.push(Shape::Rectangle(area, color, 1.0));
        }
    }

    pub fn outline(&mut self, area: Area, color: Color, thickness: f64) {
        let Area { x, y, w, h } = area;
        self.line(&[(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)], color, thickness);
    }

    pub fn line(&mut self, points: &[(f64, f64)], color: Color, thickness: f64) {
        self.shapes.push(Shape::Line(points.to_vec(), color, thickness));
    }

    pub fn dashed(&mut self, x: f64, from: f64, to: f64, color: Color, thickness: f64) {
        let mut y = from;
        while y < to {
            self.line(&[(x, y), (x, (y + 5.0).min(to))], color, thickness);
            y += 8.0;
        }
    }

    pub fn polygon(&mut self, points: Vec<(f64, f64)>, color: Color, opacity: f64) {
        self.shapes.push(Shape::Polygon(points, color, opacity));
    }

    pub fn disc(&mut self, center: (f64, f64), radius: f64, color: Color) {
        self.shapes.push(Shape::Circle(center, radius, color, None));
    }

    /// A circle filled white.
    pub fn ring(&mut self, center: (f64, f64), radius: f64, color: Color, thickness: f64) {
        self.disc(center, radius, WHITE);
        self.shapes.push(Shape::Circle(center, radius, color, Some(thickness)));
    }

    /// A standing diamond, for values that are not estimates.
    pub fn diamond(&mut self, (x, y): (f64, f64), radius: f64, color: Color) {
        self.polygon(vec![(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)], color, 1.0);
    }

    /// A triangle that points up or down.
    pub fn triangle(&mut self, (x, y): (f64, f64), radius: f64, points_up: bool, color: Color) {
        let tip = if points_up { -radius } else { radius };
        let base = -tip * 0.7;
        self.polygon(vec![(x, y + tip), (x + radius, y + base), (x - radius, y + base)], color, 1.0);
    }

    /// The mark of what is held back: a light box with slanted lines.
    pub fn hatch(&mut self, area: Area) {
        let Area { x, y, w, h } = area;
        if w <= 0.0 || h <= 0.0 {
            return;
        }
        self.rectangle(area, HATCH_GROUND);
        // Lines x + y = c, clipped to the box.
        let mut c = 6.0;
        while c < w + h {
            let start = if c <= h { (x, y + c) } else { (x + c - h, y + h) };
            let end = if c <= w { (x + c, y) } else { (x + w, y + c - w) };
            self.line(&[start, end], HATCH_LINE, 0.8);
            c += 6.0;
        }
        self.outline(area, HATCH_LINE, 0.8);
    }

    /// Its lines in the shape of an area.
    pub fn hatch_ring(&mut self, ring: &[(f64, f64)]) {
        let sums = ring.iter().map(|(x, y)| x + y);
        let (low, high) = sums.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
        let mut c = (low / 6.0).ceil() * 6.0;
        while c < high {
            // Where the line x + y = c enters and leaves.
            let mut cuts: Vec<(f64, f64)> = ring
                .iter()
                .zip(ring.iter().cycle().skip(1))
                .filter_map(|(a, b)| {
                    let (from, to) = (a.0 + a.1 - c, b.0 + b.1 - c);
                    let share = from / (from - to);
                    ((from < 0.0) != (to < 0.0))
                        .then_some((a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share))
                })
                .collect();
            cuts.sort_by(|a, b| a.0.total_cmp(&b.0));
            for pair in cuts.chunks_exact(2) {
                self.line(pair, HATCH_LINE, 0.8);
            }
            c += 6.0;
        }
    }

    /// One line of text, its middle at height `y`.
    pub fn text(&mut self, (x, y): (f64, f64), text: &str, style: Type, align: Align) {
        if !text.is_empty() {
            self.shapes.push(Shape::Text((x, y), text.to_owned(), style, align));
        }
    }

    /// Lines set around the middle height `y`.
    pub fn lines(&mut self, (x, y): (f64, f64), lines: &[String], style: Type, align: Align) {
        let step = style.line_height();
        let first = y - step * (lines.len() as f64 - 1.0) / 2.0;
        for (i, line) in lines.iter().enumerate() {
            self.text((x, first + step * i as f64), line, style, align);
        }
    }

    /// The SVG document; `title` and `description` are read aloud in place of the drawing.
    pub fn svg(&self, width: f64, height: f64, title: &str, description: &str) -> String {
        let mut svg = String::new();
        let size = (fine(width).max(1) as u32, fine(height).max(1) as u32);
        {
            let mut backend = SVGBackend::with_string(&mut svg, size);
            let all = Area { x: 0.0, y: 0.0, w: width, h: height };
            draw(&mut backend, &Shape::Rectangle(all, WHITE, 1.0));
            for shape in &self.shapes {
                draw(&mut backend, shape);
            }
            // Writing into memory cannot fail; a file would be the caller's.
            let _ = backend.present();
        }
        let (w, h) = (size.0, size.1);
        let head_end = svg.find('\n').map_or(0, |i| i + 1);
        let head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n",
            w as f64 / FINE,
            h as f64 / FINE,
            escaped(title),
            escaped(description),
        );
        svg.replace_range(..head_end, &head);
        svg
    }
}

fn fine(value: f64) -> i32 {
    (value * FINE).round() as i32
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn draw(backend: &mut SVGBackend<'_>, shape: &Shape) {
    let style = |color: &Color, opacity: f64, thickness: f64| ShapeStyle {
        color: RGBAColor(color.0, color.1, color.2, opacity),
        filled: true,
        stroke_width: fine(thickness).max(1) as u32,
    };
    let at = |&(x, y): &(f64, f64)| (fine(x), fine(y));
    // The backend writes into memory, so its only error, a full disk, cannot happen here.
    let _ = match shape {
        Shape::Rectangle(a, color, opacity) => {
            let to = (fine(a.x + a.w), fine(a.y + a.h));
            backend.draw_rect((fine(a.x), fine(a.y)), to, &style(color, *opacity, 0.0), true)
        }
        Shape::Line(points, color, thickness) => {
            backend.draw_path(points.iter().map(at), &style(color, 1.0, *thickness))
        }
        Shape::Polygon(points, color, opacity) => {
            backend.fill_polygon(points.iter().map(at), &style(color, *opacity, 0.0))
        }
        Shape::Circle(center, radius, color, thickness) => {
            let radius = fine(*radius).max(1) as u32;
            let style = style(color, 1.0, thickness.unwrap_or(0.0));
            backend.draw_circle(at(center), radius, &style, thickness.is_none())
        }
        Shape::Text(position, text, kind, align) => {
            let weight = if kind.weight == Weight::Bold { FontStyle::Bold } else { FontStyle::Normal };
            // The backend divides sizes by 1.24.
            let font = FontDesc::new(FontFamily::Name(super::FONT_FAMILY), kind.size * FINE * 1.24, weight);
            let h_pos = match align {
                Align::Left => HPos::Left,
                Align::Middle => HPos::Center,
                Align::Right => HPos::Right,
            };
            let style = TextStyle::from(font).color(&kind.color).pos(Pos::new(h_pos, VPos::Center));
            backend.draw_text(text, &style, at(position))
        }
    };
}
