//! What a drawn sample is expected to tell: margins of error of a share, from stated assumptions.

use std::collections::{BTreeMap, BTreeSet};

use statrs::distribution::{ContinuousCDF, StudentsT};

/// What is assumed before the first interview.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Intra-cluster correlation of the answers within a first-stage unit.
    pub icc: f64,
    /// Share of the drawn units that answer, above 0 to 1.
    pub response: f64,
    /// Of the interval.
    pub level: f64,
}

/// A drawn unit of the main take, as far as precision goes.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnUnit<'a> {
    pub weight: f64,
    /// Of the variance: `variance_stratum`, `variance_psu` of the sample.
    pub stratum: &'a str,
    pub psu: &'a str,
}

/// What a domain is expected to give.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    pub psus: usize,
    pub drawn: usize,
    /// Drawn × response.
    pub interviews: f64,
    /// (1 + cv² of the weights) · (1 + (b − 1) · icc), b = interviews in the unit of a typical interview.
    pub deff: f64,
    /// Primary units less strata.
    pub df: usize,
    /// Half-width of the interval of a share of 50 %; none without degrees of freedom, or when it says nothing
    /// (half or more).
    pub margin: Option<f64>,
}

/// Expected precision of a share of one half. The finite population is left out, so margins are a little wide.
///
/// Source: Kish (1965) for the parts of the design effect; the interval has t with PSUs − strata degrees of
/// freedom, as the estimates will.
pub fn expected<'a>(units: impl IntoIterator<Item = DrawnUnit<'a>>, assume: &Assumptions) -> Expected {
    let mut clusters: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut strata: BTreeSet<&str> = BTreeSet::new();
    let (mut drawn, mut sum, mut squares) = (0_usize, 0.0, 0.0);
    for unit in units {
        drawn += 1;
        sum += unit.weight;
        squares += unit.weight * unit.weight;
        strata.insert(unit.stratum);
        *clusters.entry((unit.stratum, unit.psu)).or_default() += assume.response;
    }
    let interviews = drawn as f64 * assume.response;
    let weighting = if sum > 0.0 { drawn as f64 * squares / (sum * sum) } else { 1.0 };
    let typical = clusters.values().map(|b| b * b).sum::<f64>() / interviews.max(f64::MIN_POSITIVE);
    let deff = weighting * (1.0 + (typical - 1.0).max(0.0) * assume.icc);
    let df = clusters.len().saturating_sub(strata.len());
    let margin = StudentsT::new(0.0, 1.0, df as f64)
        .ok()
        .filter(|_| df > 0 && interviews > 0.0)
        .map(|t| t.inverse_cdf(0.5 + assume.level / 2.0) * (deff * 0.25 / interviews).sqrt())
        .filter(|margin| *margin < 0.5);
    Expected { psus: clusters.len(), drawn, interviews, deff, df, margin }
}
