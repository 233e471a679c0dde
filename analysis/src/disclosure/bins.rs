//! Counts of respondents in classes of one number (weights, durations), each class large enough to show.

use super::Rules;

/// Neighbouring classes, none with fewer respondents than the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeBins(Vec<Bin>);

/// Respondents with a value in [low, high).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    pub low: f64,
    pub high: f64,
    pub n: usize,
}

impl SafeBins {
    /// Sorts `values` into `classes` equal classes and joins neighbours until each holds at least
    /// `rules.min_count`. Empty where all values together are fewer, or where there is no spread.
    pub fn of(values: &[f64], classes: usize, rules: &Rules) -> Self {
        let least = rules.clone().tightened().min_count;
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if finite.len() < least || classes == 0 || low >= high {
            return Self(Vec::new());
        }
        // The ends are rounded outwards: the smallest and the largest value belong to one respondent.
        let step = nice_step((high - low) / classes as f64);
        let (first, last) = ((low / step).floor(), (high / step).floor() + 1.0);
        let mut counts = vec![0_usize; (last - first) as usize];
        let top = counts.len() - 1;
        for v in finite {
            counts[(((v / step).floor() - first) as usize).min(top)] += 1;
        }
        let mut bins: Vec<Bin> = Vec::new();
        let mut open: Option<Bin> = None;
        for (i, n) in counts.into_iter().enumerate() {
            let (from, to) = ((first + i as f64) * step, (first + i as f64 + 1.0) * step);
            let mut bin = open.take().unwrap_or(Bin { low: from, high: to, n: 0 });
            bin.high = to;
            bin.n += n;
            if bin.n >= least {
                bins.push(bin);
            } else {
                open = Some(bin);
            }
        }
        if let (Some(rest), Some(end)) = (open, bins.last_mut()) {
            end.high = rest.high;
            end.n += rest.n;
        }
        Self(bins)
    }

    pub fn bins(&self) -> &[Bin] {
        &self.0
    }

    /// Respondents in all classes.
    pub fn n(&self) -> usize {
        self.0.iter().map(|b| b.n).sum()
    }
}

fn nice_step(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|f| f * power >= raw).unwrap_or(10.0);
    factor * power
}
