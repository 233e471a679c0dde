//! Generalised variances: sampling errors of a released file without its clusters and replicates.
//!
//! The relative variance of an estimated total x is close to a + b/x, with a and b of one group of readers' interest. The
//! curve is fitted to the totals of the wave itself, those that passed the gate.
//!
//! Source: Wolter (2007), Introduction to Variance Estimation, chapter 7: the model, and weighting by the fitted values.

use super::{Cell, SafeRow, SafeTable};
use crate::charts::numerals;
use serde::Serialize;
use std::collections::BTreeMap;

/// Fewest totals that a curve of its own is fitted to.
const POINTS: usize = 5;
const ROUNDS: usize = 30;

/// Standard errors of one domain's totals and shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VarianceCurve {
    /// `column=level`, parted by commas; empty for all.
    pub domain: String,
    pub a: f64,
    pub b: f64,
    /// Totals that it was fitted to.
    pub points: usize,
    /// The least and the largest of them: the curve says nothing beyond.
    pub range: (f64, f64),
    /// Geometric mean of their design effects, where they were asked for.
    pub deff: Option<f64>,
    /// Half of the totals have standard errors closer than this to the curve's, as a share of them.
    pub typical_miss: f64,
    /// The domain had too few totals: a and b are those of all domains.
    pub pooled: bool,
}

struct Point {
    total: f64,
    relative_variance: f64,
    deff: Option<f64>,
}

impl VarianceCurve {
    /// Standard error of an estimated total, in its unit; 0 where the curve has none.
    pub fn standard_error(&self, total: f64) -> f64 {
        total.abs() * (self.a + self.b / total.abs()).max(0.0).sqrt()
    }

    /// Standard error of a share (0–1) of a group whose estimated size is `size`.
    pub fn standard_error_of_share(&self, share: f64, size: f64) -> f64 {
        (self.b / size * share * (1.0 - share)).max(0.0).sqrt()
    }
}

/// A curve for each domain among the rows of totals (statistic `total`), and one for all of them first. Hidden rows and
/// totals without an error take no part. Empty where fewer than five totals are left.
pub fn variance_curves(rows: &[SafeRow]) -> Vec<VarianceCurve> {
    let mut domains: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.statistic() == "total") {
        let figure = row.figure();
        let (Some(total), Some(se)) = (figure.estimate(), figure.se()) else { continue };
        if total > 0.0 && se > 0.0 {
            let domain: Vec<String> = row.group().iter().map(|(c, level)| format!("{c}={level}")).collect();
            let point = Point { total, relative_variance: (se / total).powi(2), deff: figure.deff() };
            domains.entry(domain.join(",")).or_default().push(point);
        }
    }
    let all: Vec<&Point> = domains.values().flatten().collect();
    if all.len() < POINTS {
        return Vec::new();
    }
    let pooled = fit(&all);
    let mut curves = Vec::with_capacity(domains.len() + 1);
    if !domains.contains_key("") {
        curves.push(curve(String::new(), &all, pooled, false));
    }
    for (domain, points) in &domains {
        let points: Vec<&Point> = points.iter().collect();
        let own = points.len() >= POINTS;
        curves.push(curve(domain.clone(), &points, if own { fit(&points) } else { pooled }, !own));
    }
    curves
}

fn curve(domain: String, points: &[&Point], (a, b): (f64, f64), pooled: bool) -> VarianceCurve {
    let totals = points.iter().map(|p| p.total);
    let effects: Vec<f64> = points.iter().filter_map(|p| p.deff).filter(|d| *d > 0.0).collect();
    let deff = (!effects.is_empty())
        .then(|| (effects.iter().map(|d| d.ln()).sum::<f64>() / effects.len() as f64).exp());
    let range = (totals.clone().fold(f64::INFINITY, f64::min), totals.fold(0.0, f64::max));
    let mut curve =
        VarianceCurve { domain, a, b, points: points.len(), range, deff, typical_miss: 0.0, pooled };
    let miss = |p: &&Point| {
        let se = p.total * p.relative_variance.sqrt();
        (curve.standard_error(p.total) / se - 1.0).abs()
    };
    let mut misses: Vec<f64> = points.iter().map(miss).collect();
    misses.sort_by(f64::total_cmp);
    curve.typical_miss = misses[misses.len() / 2];
    curve
}

/// a and b by least squares of the relative variances on 1/x, weighted by the squares of the fitted values, in rounds.
fn fit(points: &[&Point]) -> (f64, f64) {
    let mut fitted: Vec<f64> = points.iter().map(|p| p.relative_variance).collect();
    let mut found = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (point, fitted) in points.iter().zip(&fitted) {
            let (weight, x, y) = (1.0 / (fitted * fitted), 1.0 / point.total, point.relative_variance);
            w += weight;
            wx += weight * x;
            wy += weight * y;
            wxx += weight * x * x;
            wxy += weight * x * y;
        }
        let determinant = w * wxx - wx * wx;
        let b = (w * wxy - wx * wy) / determinant;
        let a = (wy - b * wx) / w;
        let next: Vec<f64> = points.iter().map(|p| a + b / p.total).collect();
        // Totals of one size, or a curve that is no variance within its points: through the origin.
        if determinant <= 1e-12 * w * wxx || b <= 0.0 || next.iter().any(|v| !v.is_finite() || *v <= 0.0) {
            return (
                0.0,
                points.iter().map(|p| p.relative_variance * p.total).sum::<f64>() / points.len() as f64,
            );
        }
        found = (a, b);
        fitted = next;
    }
    found
}

/// The curves as a table for whoever uses the file, with the formulas and an example.
pub fn variance_table(curves: &[VarianceCurve]) -> SafeTable {
    let mut table = SafeTable::new(
        "Sai số chuẩn tổng quát theo nhóm",
        ["Nhóm", "a", "b", "Hiệu ứng thiết kế", "Từ", "Đến", "Số ước lượng"],
    );
    for curve in curves {
        let name = match (curve.domain.as_str(), curve.pooled) {
            ("", _) => "Toàn bộ".to_owned(),
            (domain, true) => format!("{domain} (theo toàn bộ)"),
            (domain, false) => domain.to_owned(),
        };
        table.push(vec![
            Cell::text(name),
            Cell::PublicNumber(curve.a, 6),
            Cell::PublicNumber(curve.b, 1),
            curve.deff.map_or(Cell::Empty, |deff| Cell::PublicNumber(deff, 2)),
            Cell::PublicNumber(curve.range.0, 0),
            Cell::PublicNumber(curve.range.1, 0),
            Cell::PublicNumber(curve.points as f64, 0),
        ]);
    }
    let mut table = table
        .note("Tổng x: sai số chuẩn = x × √(a + b/x). Tỷ lệ p trong nhóm có N người: sai số chuẩn = √(b/N × p × (1 − p)).")
        .note("Chỉ dùng trong khoảng từ – đến của nhóm; khoảng tin cậy 95%: ước lượng ± 1,96 × sai số chuẩn.");
    if let Some(curve) = curves.first() {
        let total = (curve.range.0 * curve.range.1).sqrt().round();
        table = table.note(format!(
            "Ví dụ: x = {} thì sai số chuẩn là {}.",
            numerals::whole(total as u64),
            numerals::whole(curve.standard_error(total).round() as u64),
        ));
    }
    table
}
