//! Round tick values for a value axis.

/// A span of values with round ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub step: f64,
}

impl Axis {
    /// Covers `low` … `high` with about `ticks` round steps, inside `bounds` where given.
    pub fn covering(low: f64, high: f64, ticks: usize, bounds: Option<(f64, f64)>) -> Self {
        let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
        let span = if high - low > 1e-9 { high - low } else { low.abs().max(1.0) * 0.2 };
        let raw = span / ticks.max(1) as f64;
        let power = 10_f64.powf(raw.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= raw * 0.999).unwrap_or(10.0);
        let step = factor * power;
        let (mut from, mut to) = ((low / step).floor() * step, (high / step).ceil() * step);
        if to - from < step {
            to = from + step;
        }
        if let Some((least, most)) = bounds {
            from = from.max(least);
            to = to.min(most);
        }
        Self { low: from, high: to, step }
    }

    /// Round values from low to high: where bounds cut the axis, its ends need not be among them.
    pub fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step - 1e-6).ceil();
        let last = (self.high / self.step + 1e-6).floor();
        (0..=(last - first).max(0.0) as usize).map(|i| (first + i as f64) * self.step).collect()
    }

    /// Place of `value` between `from` and `to` pixels; values beyond the axis stay on its edge.
    pub fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        from + share * (to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick between 1.4 and 5.6 that is written `1` stands at 1.4 if it is not round.
    #[test]
    fn ticks_are_round_where_bounds_cut_the_axis() {
        assert_eq!(Axis::covering(1.4, 5.6, 4, Some((1.4, 5.6))).ticks(), [2.0, 4.0]);
        assert_eq!(Axis::covering(1.4, 5.6, 8, Some((1.4, 5.6))).ticks(), [2.0, 3.0, 4.0, 5.0]);
        assert_eq!(Axis::covering(0.0, 100.0, 4, Some((0.0, 100.0))).ticks(), [0.0, 50.0, 100.0]);
        assert_eq!(Axis::covering(-30.0, 20.0, 5, None).ticks(), [-30.0, -20.0, -10.0, 0.0, 10.0, 20.0]);
    }
}
