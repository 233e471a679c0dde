//! Width of text, measured with the font itself, and lines broken by it.

use std::sync::LazyLock;
use ttf_parser::Face;

pub(super) const REGULAR: &[u8] = include_bytes!("../../fonts/BeVietnamPro-Regular.ttf");
pub(super) const SEMIBOLD: &[u8] = include_bytes!("../../fonts/BeVietnamPro-SemiBold.ttf");

static FACES: LazyLock<[Option<Face<'static>>; 2]> =
    LazyLock::new(|| [Face::parse(REGULAR, 0).ok(), Face::parse(SEMIBOLD, 0).ok()]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Width in pixels of one line at `size` pixels.
pub(super) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let face = &FACES[usize::from(weight == Weight::Bold)];
    text.chars().map(|c| advance(face.as_ref(), c)).sum::<f64>() * size
}

/// Share of the size that a letter takes; a letter that the font lacks is taken for a wide one.
fn advance(face: Option<&Face<'static>>, letter: char) -> f64 {
    let measured = face.and_then(|face| {
        let glyph = face.glyph_index(letter)?;
        Some(f64::from(face.glyph_hor_advance(glyph)?) / f64::from(face.units_per_em()))
    });
    measured.unwrap_or(0.7)
}

/// Lines like those of [`wrap`], as few but of more even length, so that no word is left alone.
pub(super) fn wrap_even(text: &str, size: f64, weight: Weight, limit: f64) -> Vec<String> {
    let mut lines = wrap(text, size, weight, limit);
    let count = lines.len();
    if count < 2 {
        return lines;
    }
    // Never so narrow that a word that has room is broken.
    let longest =
        pieces(text).map(|word| width(word, size, weight)).filter(|w| *w <= limit).fold(0.0, f64::max);
    let mut narrower = limit - size / 2.0;
    while narrower >= longest.max(limit / 2.0) {
        let even = wrap(text, size, weight, narrower);
        if even.len() > count {
            break;
        }
        lines = even;
        narrower -= size / 2.0;
    }
    lines
}

/// Parts of a text between which a line may end: words, and parts of a word after a hyphen or a slash.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\n']).flat_map(|word| word.split_inclusive(['-', '/', '–'])).filter(|p| !p.is_empty())
}

/// Lines no wider than `limit`: broken at spaces, a longer word after its hyphens, else between letters. No letter
/// is lost.
pub(super) fn wrap(text: &str, size: f64, weight: Weight, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split([' ', '\n']).filter(|w| !w.is_empty()) {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer, size, weight) <= limit {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for part in pieces(word) {
            if width(&format!("{line}{part}"), size, weight) <= limit {
                line.push_str(part);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in part.chars() {
                let mut longer = line.clone();
                longer.push(letter);
                if width(&longer, size, weight) > limit && !line.is_empty() {
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                } else {
                    line = longer;
                }
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
