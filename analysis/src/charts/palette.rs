//! The colours of all charts: apart for the colour-blind, dark enough for letters.

use plotters::style::RGBColor;

pub(super) type Color = RGBColor;

pub(super) const INK: Color = RGBColor(0x21, 0x25, 0x29);
pub(super) const GREY: Color = RGBColor(0x5B, 0x64, 0x6D);
pub(super) const GRID: Color = RGBColor(0xE1, 0xE4, 0xE8);
pub(super) const WHITE: Color = RGBColor(0xFF, 0xFF, 0xFF);
pub(super) const BLUE: Color = RGBColor(0x00, 0x72, 0xB2);
pub(super) const RUST: Color = RGBColor(0xB3, 0x58, 0x06);
/// Ground and lines of what is held back.
pub(super) const HATCH_GROUND: Color = RGBColor(0xF4, 0xF5, 0xF6);
pub(super) const HATCH_LINE: Color = RGBColor(0xAD, 0xB5, 0xBD);
/// Land without a figure, and lines between areas.
pub(super) const LAND: Color = RGBColor(0xE9, 0xEC, 0xEF);
pub(super) const BORDER: Color = RGBColor(0x86, 0x8E, 0x96);

/// Series that stay apart for the colour-blind (after Okabe and Ito).
pub(super) const SERIES: [Color; 6] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x4A, 0x52, 0x5A),
];

/// From few to many.
const RAMP: [Color; 5] = [
    RGBColor(0xDC, 0xEB, 0xF5),
    RGBColor(0xA9, 0xCF, 0xE6),
    RGBColor(0x62, 0xA9, 0xD3),
    RGBColor(0x1F, 0x76, 0xB0),
    RGBColor(0x08, 0x45, 0x7E),
];
const NEGATIVE: [Color; 3] =
    [RGBColor(0xB3, 0x58, 0x06), RGBColor(0xF1, 0xA3, 0x40), RGBColor(0xFB, 0xD6, 0x9E)];
const POSITIVE: [Color; 3] =
    [RGBColor(0x21, 0x66, 0xAC), RGBColor(0x74, 0xAD, 0xD1), RGBColor(0xB8, 0xD7, 0xEC)];
const NEUTRAL: Color = RGBColor(0xDE, 0xDE, 0xDE);

/// A colour for each of so many steps of a scale, from the negative to the positive end.
pub(super) fn diverging(steps: usize) -> Vec<Color> {
    let side = steps / 2;
    // Up to three steps a side take the set colours, more share the way between them.
    let shade = |ramp: [Color; 3], i: usize| {
        if side <= 3 { ramp[i.min(2)] } else { along(&ramp, i as f64 / (side - 1) as f64) }
    };
    let mut all: Vec<Color> = (0..side).map(|i| shade(NEGATIVE, i)).collect();
    if steps % 2 == 1 {
        all.push(NEUTRAL);
    }
    all.extend((0..side).rev().map(|i| shade(POSITIVE, i)));
    all
}

/// Shades for so many classes, the lightest first.
pub(super) fn sequential(classes: usize) -> Vec<Color> {
    match classes {
        0 => Vec::new(),
        1 => vec![RAMP[2]],
        n => (0..n).map(|i| along(&RAMP, i as f64 / (n - 1) as f64)).collect(),
    }
}

/// The colour at `place` (0–1) between the colours of a ramp.
fn along(ramp: &[Color], place: f64) -> Color {
    let at = place.clamp(0.0, 1.0) * (ramp.len() - 1) as f64;
    let (from, share) = (at.floor() as usize, at.fract());
    let (a, b) = (ramp[from], ramp[(from + 1).min(ramp.len() - 1)]);
    let mix = |x: u8, y: u8| (f64::from(x) + (f64::from(y) - f64::from(x)) * share).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Ink or white, and black on the grounds between, where neither is read well.
pub(super) fn letters_on(ground: Color) -> Color {
    const BLACK: Color = RGBColor(0, 0, 0);
    [INK, WHITE].into_iter().find(|letters| contrast(*letters, ground) >= 4.5).unwrap_or(BLACK)
}

/// A series' colour, dark enough for letters on white.
pub(super) fn for_letters(color: Color) -> Color {
    let mut color = color;
    while contrast(color, WHITE) < 4.5 {
        let darker = |part: u8| (f64::from(part) * 0.92) as u8;
        color = RGBColor(darker(color.0), darker(color.1), darker(color.2));
    }
    color
}

/// Contrast of two colours by WCAG 2: 1 (none) to 21; small letters need 4.5.
fn contrast(a: Color, b: Color) -> f64 {
    let luminance = |c: Color| {
        let [r, g, b] = linear(c);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Parts of light, 0–1, without the screen's curve.
fn linear(color: Color) -> [f64; 3] {
    [color.0, color.1, color.2].map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matrix = [[f64; 3]; 3];
    /// What the eye keeps of linear light (Machado, Oliveira and Fernandes 2009, severity 1).
    const SEEN_BY: [(&str, Matrix); 4] = [
        ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "deuteranopes",
            [
                [0.367_322, 0.860_646, -0.227_968],
                [0.280_085, 0.672_501, 0.047_413],
                [-0.011_820, 0.042_940, 0.968_881],
            ],
        ),
        (
            "protanopes",
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
        ),
        (
            "tritanopes",
            [
                [1.255_528, -0.076_749, -0.178_779],
                [-0.078_411, 0.930_809, 0.147_602],
                [0.004_733, 0.691_367, 0.303_900],
            ],
        ),
    ];

    /// CIELAB of a colour as an eye of this kind sees it (white point D65).
    fn lab(color: Color, eye: &Matrix) -> [f64; 3] {
        let light = linear(color);
        let [r, g, b] = eye.map(|row| row.iter().zip(light).map(|(m, l)| m * l).sum::<f64>().clamp(0.0, 1.0));
        let x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505;
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089;
        let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        [116.0 * f(y) - 16.0, 500.0 * (f(x) - f(y)), 200.0 * (f(y) - f(z))]
    }

    /// The least distance (ΔE 1976) between two of the colours; 2.3 is just noticeable.
    fn nearest(colors: &[Color], eye: &Matrix) -> f64 {
        let all: Vec<[f64; 3]> = colors.iter().map(|c| lab(*c, eye)).collect();
        let mut least = f64::INFINITY;
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                least = least.min(a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt());
            }
        }
        least
    }

    /// Red and green are far apart for most, and near for a deuteranope: the measure sees it.
    #[test]
    fn the_measure_knows_what_the_colour_blind_confuse() {
        let pair = [RGBColor(0xB0, 0x7A, 0x20), RGBColor(0x6E, 0x9A, 0x20)];
        assert!(nearest(&pair, &SEEN_BY[0].1) > 30.0);
        assert!(nearest(&pair, &SEEN_BY[1].1) < 12.0);
    }

    #[test]
    fn series_scales_and_shades_stay_apart_for_the_colour_blind() {
        for (eye, matrix) in &SEEN_BY {
            let apart = nearest(&SERIES, matrix);
            assert!(apart >= 11.0, "series for {eye}: {apart:.1}");
            for steps in 2..=7 {
                let apart = nearest(&diverging(steps), matrix);
                assert!(apart >= 11.0, "{steps} steps for {eye}: {apart:.1}");
            }
            for classes in 2..=6 {
                let apart = nearest(&sequential(classes), matrix);
                // Shades are ordered, and every area has its number written: nearer ones will do.
                assert!(apart >= 10.0, "{classes} shades for {eye}: {apart:.1}");
            }
        }
    }

    #[test]
    fn letters_are_read_on_every_ground() {
        let grounds = (1..=11).flat_map(|n| diverging(n).into_iter().chain(sequential(n)));
        for ground in grounds.chain([LAND, HATCH_GROUND, WHITE]) {
            let found = contrast(letters_on(ground), ground);
            assert!(found >= 4.5, "{ground:?}: {found:.1}");
        }
        for color in SERIES.map(for_letters).into_iter().chain([INK, GREY, RUST]) {
            assert!(contrast(color, WHITE) >= 4.5, "{color:?}");
        }
    }

    #[test]
    fn a_longer_scale_has_a_colour_of_its_own_for_each_step() {
        for steps in 1..=11 {
            let mut colors: Vec<_> = diverging(steps).iter().map(|c| (c.0, c.1, c.2)).collect();
            assert_eq!(colors.len(), steps);
            colors.sort_unstable();
            colors.dedup();
            assert_eq!(colors.len(), steps);
        }
    }
}
