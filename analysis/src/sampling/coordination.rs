//! Permanent random numbers: samples of different years that keep a chosen share of their first-stage units.
//!
//! Every first-stage unit has a number u, uniform on 0–1, for ever, and a place a where its interval begins. A sample is
//! drawn by v = (u − a) modulo 1: with Poisson sampling a unit is taken if v < π. As u is uniform and a depends on no
//! number, v is uniform too, so the inclusion probabilities are exactly those of the plan, in every year. To keep the
//! share k of a sample, each a moves by (1 − k) p, p being that sample's probability of the unit: the old and the new
//! interval then share k p of their length. `srs` and `pps_correlated` bring the size back to a fixed number, so that small
//! strata keep a little more or less; where little is to stay, a moves further, by an amount that follows from k, n and N. What had a probability above one half cannot leave with certainty, what is certain never does.
//!
//! The numbers stand beside the sample, `sample.csv.numbers.csv`, one line a unit of the frame; the next year's plan
//! names the sample. Sources: Brewer, Early and Joyce (1972); Ohlsson (1995); Grafström and Matei (2018) for fixed sizes
//! with exact probabilities. Evidence: `analysis/tests/sampling_coordination.rs`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use surveys::chance::Chance;

use super::problem::SamplingError;
use super::selection::Method;
use crate::table::{Column, Table, Types};

/// A plan's wish: with which sample, and how much of it to keep. Empty for the first year.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinate {
    /// The earlier sample's file, relative to the plan's. Its numbers lie beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Share of its first-stage units to keep, 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<f64>,
}

/// What came of it: stands in the design document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coordination {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<f64>,
    /// Main first-stage units of the earlier sample.
    pub earlier: usize,
    /// Of these, the number that the intervals let expect in this sample.
    pub expected: f64,
    /// Of these, the number that is in this sample.
    pub kept: usize,
    /// Of these, the number that is no longer in the frame.
    pub gone: usize,
}

/// An earlier sample's numbers and main units.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    numbers: HashMap<String, Place>,
    /// In the file's order, for units that are not in the frame now.
    names: Vec<String>,
    drawn: HashSet<String>,
}

/// A unit's permanent number, where its interval begins, and the interval's length.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    number: f64,
    start: f64,
    p: f64,
}

impl Earlier {
    /// Reads the sample and the numbers beside it. `unit`: column of the first stage's units.
    pub(super) fn read(sample: &Path, shown: &str, unit: &str) -> Result<Self, SamplingError> {
        let unreadable = |e: crate::table::TableError| SamplingError::Unreadable {
            file: shown.into(),
            reason: e.to_string(),
        };
        let numbers = numbers_path(sample);
        if sample.exists() && !numbers.exists() {
            return Err(SamplingError::one(
                shown,
                format!(
                    "has no permanent numbers ({}): units kept from it would have other probabilities than stated",
                    numbers.display()
                ),
                "draw this year's sample with `\"coordinate\": {}`, and coordinate with it from next year on",
            ));
        }
        let text: Types = [(unit.to_owned(), crate::table::Declared::Category)].into_iter().collect();
        let sample = Table::read(sample, &text).map_err(unreadable)?;
        let numbers = Table::read(&numbers, &text).map_err(unreadable)?;
        Self::of(&sample, &numbers, shown, unit)
    }

    /// From tables in memory: a sample with `role`, and its numbers.
    pub fn of(sample: &Table, numbers: &Table, shown: &str, unit: &str) -> Result<Self, SamplingError> {
        let wrong = |e: crate::table::TableError| {
            SamplingError::one(
                shown,
                e.to_string(),
                "give a sample of this program whose units have the same column",
            )
        };
        let names = numbers.column(unit).map_err(wrong)?;
        let number = numbers.numbers("number").map_err(wrong)?;
        let start = numbers.numbers("start").map_err(wrong)?;
        let p = numbers.numbers("p").map_err(wrong)?;
        let mut earlier = Self::default();
        for row in 0..numbers.height() {
            let name = names.text(row).unwrap_or_default().into_owned();
            let place = Place {
                number: number[row],
                start: start[row],
                p: if p[row].is_nan() { 0.0 } else { p[row] },
            };
            let share = |x: f64| (0.0..=1.0).contains(&x);
            if !(share(place.number) && share(place.start) && share(place.p)) {
                let what = format!("the numbers of `{name}` (line {}) are no shares of 1", row + 2);
                return Err(SamplingError::one(shown, what, "restore the file as it was written"));
            }
            if earlier.numbers.insert(name.clone(), place).is_some() {
                let what = format!("the numbers of `{name}` stand there twice (line {})", row + 2);
                return Err(SamplingError::one(shown, what, "leave one"));
            }
            earlier.names.push(name);
        }
        let (units, role) = (sample.column(unit).map_err(wrong)?, sample.column("role").map_err(wrong)?);
        earlier.drawn = (0..sample.height())
            .filter(|row| role.text(*row).is_some_and(|role| role == "main"))
            .filter_map(|row| Some(units.text(row)?.into_owned()))
            .collect();
        Ok(earlier)
    }
}

/// The numbers of this year's draw, filled while strata are drawn.
pub(super) struct Numbers<'a> {
    wish: &'a Coordinate,
    earlier: &'a Earlier,
    seed: u64,
    now: Vec<(String, Place)>,
    expected: f64,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(wish: &'a Coordinate, earlier: &'a Earlier, seed: u64) -> Self {
        Self { wish, earlier, seed, now: Vec::new(), expected: 0.0 }
    }

    /// v of each unit of a stratum, in their order; remembers the units with their probabilities.
    pub(super) fn place(&mut self, method: Method, units: &[&str], pi: &[f64]) -> Vec<f64> {
        let keep = self.wish.keep.unwrap_or(1.0);
        let open = || pi.iter().filter(|p| **p > 0.0 && **p < 1.0);
        let stretched = match method {
            Method::PpsPoisson => 1.0 - keep,
            _ => stretch(keep, open().sum(), open().count() as f64),
        };
        let mut numbers = Vec::with_capacity(units.len());
        for (unit, p) in units.iter().zip(pi) {
            let place = match self.earlier.numbers.get(*unit) {
                Some(before) => {
                    let wished = (1.0 - keep) * before.p;
                    // Not so far round the circle that the old interval comes back from the other side.
                    let shift = (stretched * before.p).min(1.0 - before.p).max(wished);
                    if self.earlier.drawn.contains(*unit) && before.p > 0.0 {
                        self.expected += shared(before.p, wished, *p) / before.p;
                    }
                    Place { number: before.number, start: (before.start + shift).fract(), p: *p }
                }
                None => {
                    let number = Chance::new(self.seed, &format!("permanent number/{unit}")).unit();
                    Place { number, start: 0.0, p: *p }
                }
            };
            self.now.push(((*unit).to_owned(), place));
            numbers.push((place.number - place.start).rem_euclid(1.0));
        }
        numbers
    }

    /// The table of numbers (those of units that left the frame stay, without a probability), what was kept, and a
    /// warning where the plan's share cannot be reached.
    pub(super) fn finish(
        self,
        unit: &str,
        main: &HashSet<String>,
        warnings: &mut Vec<String>,
    ) -> Result<(Table, Coordination), SamplingError> {
        let here: HashSet<&str> = self.now.iter().map(|(name, _)| name.as_str()).collect();
        let absent = self.earlier.names.iter().filter(|name| !here.contains(name.as_str()));
        let left: Vec<(String, Place)> =
            absent.map(|name| (name.clone(), Place { p: f64::NAN, ..self.earlier.numbers[name] })).collect();
        let drawn = &self.earlier.drawn;
        let done = Coordination {
            with: self.wish.with.clone(),
            keep: self.wish.keep,
            earlier: drawn.len(),
            expected: self.expected,
            kept: drawn.intersection(main).count(),
            gone: drawn.iter().filter(|name| !here.contains(name.as_str())).count(),
        };
        let certain = self.now.iter().filter(|(name, place)| place.p >= 1.0 && drawn.contains(name)).count();
        if let Some(message) = done.message(certain) {
            warnings.push(message);
        }
        let all: Vec<&(String, Place)> = self.now.iter().chain(&left).collect();
        let number = |f: fn(&Place) -> f64| Column::Number(all.iter().map(|(_, place)| f(place)).collect());
        let table = Table::from_columns([
            (unit, Column::from_texts(all.iter().map(|(name, _)| Some(name.as_str())))),
            ("number", number(|place| place.number)),
            ("start", number(|place| place.start)),
            ("p", number(|place| place.p)),
        ]);
        let table = table
            .map_err(|e| SamplingError::one("`coordinate`", e.to_string(), "rename the unit's column"))?;
        Ok((table, done))
    }
}

impl Coordination {
    /// That the wished share cannot be met, and why.
    fn message(&self, certain: usize) -> Option<String> {
        let (with, keep) = (self.with.as_ref()?, self.keep?);
        let wished = keep * self.earlier as f64;
        // A unit and a twentieth: less is chance.
        if self.earlier == 0 || (self.expected - wished).abs() <= 1.0 + 0.05 * self.earlier as f64 {
            return None;
        }
        let mut why = Vec::new();
        if self.expected < wished {
            if self.gone > 0 {
                why.push(format!("{} of them are not in the frame any more", self.gone));
            }
            why.push("others have a smaller probability now".to_owned());
        } else {
            if certain > 0 {
                why.push(format!("{certain} are certain, so they stay"));
            }
            why.push("units with large probabilities cannot all be exchanged".to_owned());
        }
        Some(format!(
            "`coordinate`: the plan asks to keep {:.0}% of the {} units of {with}, but {:.0}% are to be expected: {}; \
             the probabilities are as stated all the same",
            100.0 * keep,
            self.earlier,
            100.0 * self.expected / self.earlier as f64,
            why.join(", ")
        ))
    }
}

/// By how many of its probabilities an interval moves so that the share `keep` of `n` of `units` stays on average, where
/// the size is fixed. The sample reaches then as far as the n-th number, not to n / N; in small strata a share would stay
/// that nobody asked for. With the movement m the first sample loses the numbers below m n / N, binomially many.
fn stretch(keep: f64, n: f64, units: f64) -> f64 {
    /// Above this the numbers are as good as even.
    const MANY: f64 = 200.0;
    /// Nothing at all cannot be had on average.
    const LEAST: f64 = 0.02;
    let most = (units - n) / n;
    if keep >= 1.0 || !(1.0..=MANY).contains(&n) || most.is_nan() || most <= 1.0 - keep {
        return 1.0 - keep;
    }
    let (mut low, mut high) = (0.0, most);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if kept_share(middle, n, units) > keep.max(LEAST) { low = middle } else { high = middle }
    }
    low
}

/// E[max(0, n − K)] / n, K binomial of `units` with probability m n / units.
fn kept_share(m: f64, n: f64, units: f64) -> f64 {
    let f = (m * n / units).min(1.0 - 1e-12);
    let mut mass = (units * (1.0 - f).ln()).exp();
    let mut sum = 0.0;
    for k in 0..n as u64 {
        let k = k as f64;
        sum += (n - k) * mass;
        mass *= (units - k) / (k + 1.0) * f / (1.0 - f);
    }
    sum / n
}

/// Length that [0, before) and [shift, shift + now) share on a circle of length 1.
fn shared(before: f64, shift: f64, now: f64) -> f64 {
    let end = shift + now;
    (before.min(end) - shift).max(0.0) + (before.min(end - 1.0)).max(0.0)
}

/// `sample.csv` → `sample.csv.numbers.csv`.
pub fn numbers_path(sample: &Path) -> PathBuf {
    let mut name = sample.as_os_str().to_owned();
    name.push(".numbers.csv");
    PathBuf::from(name)
}
