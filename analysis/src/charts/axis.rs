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

    /// Tick values from low to high.
    pub fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step + 1e-6).floor() as usize;
        (0..=count).map(|i| self.low + self.step * i as f64).collect()
    }

    /// Place of `value` between `from` and `to` pixels; values beyond the axis stay on its edge.
    pub fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        from + share * (to - from)
    }
}
