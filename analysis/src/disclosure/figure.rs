//! One figure that passed the gate.

/// A figure that may be shown, or the mark that it may not. Only the gate makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    standing: Standing,
    estimate: Option<f64>,
    se: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    deff: Option<f64>,
    n: Option<usize>,
}

/// How a figure stands before the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Shown,
    /// Shown, but on a small base: drawn hollow and grey.
    Cautious,
    /// Held back; nothing says why.
    Hidden,
    /// Does not exist (nobody was asked, no estimate).
    Absent,
}

impl Figure {
    pub(super) fn hidden() -> Self {
        Self::empty(Standing::Hidden)
    }

    fn empty(standing: Standing) -> Self {
        Self { standing, estimate: None, se: None, low: None, high: None, deff: None, n: None }
    }

    pub(super) fn of(row: &crate::estimation::result::Row, cautious_base: usize) -> Self {
        let Some(estimate) = row.estimate.filter(|e| e.is_finite()) else {
            return Self::absent();
        };
        let cautious = row.base().is_none_or(|n| n < cautious_base);
        Self {
            standing: if cautious { Standing::Cautious } else { Standing::Shown },
            estimate: Some(estimate),
            se: row.se,
            low: row.ci_low,
            high: row.ci_high,
            deff: row.deff,
            n: row.base(),
        }
    }

    /// The figure without what tells how many respondents are behind it.
    pub(super) fn without_base(self) -> Self {
        Self { n: None, deff: None, ..self }
    }

    /// A place in a table or chart where no figure exists.
    pub fn absent() -> Self {
        Self::empty(Standing::Absent)
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    pub fn is_hidden(&self) -> bool {
        self.standing == Standing::Hidden
    }

    /// On the scale of the statistic: a share is 0–1.
    pub fn estimate(&self) -> Option<f64> {
        self.estimate
    }

    pub fn se(&self) -> Option<f64> {
        self.se
    }

    /// Lower and upper end of the interval.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.low.zip(self.high)
    }

    pub fn deff(&self) -> Option<f64> {
        self.deff
    }

    /// Respondents behind the figure; `None` where it is hidden, or shown without their number because that would tell
    /// how few did not answer.
    pub fn n(&self) -> Option<usize> {
        self.n
    }
}
