//! The draw: frame, strata, allocation, then stage by stage down to the last unit.
//!
//! Chance: every stratum and every drawn unit has its own stream, named `stage 1/STRATUM`, `stage 2/UNIT`, so a
//! change in one stratum or village moves no other, and the tablet can repeat a village's draw alone.

use std::collections::HashMap;
use std::path::Path;

use surveys::chance::Chance;

use super::allocate::{Allocation, Moments, Rule, Stratum, allocate};
use super::document::{Certain, DesignDocument, Drawn, FirstStage, FrameIdentity, StratumSummary};
use super::frame::{Frame, hex};
use super::listing::Listing;
use super::plan::{Plan, Stage};
use super::probabilities::{equal, proportional_to_size};
use super::problem::{Problem, SamplingError};
use super::sample::{Row, sample_table};
use super::selection::{Method, PIVOTAL_UNITS, SAMPFORD_CELLS, select, simple_random, successive};
use super::strata::{Formed, form};
use crate::table::{Column, Table};

/// Draws a plan whose frame lies in `folder`. `seed` overrides the plan's.
///
/// Errors: [`SamplingError::Problems`] with everything that is wrong in plan and frame.
pub fn draw(plan: &Plan, folder: &Path, seed: Option<u64>) -> Result<Drawn, SamplingError> {
    run(Frame::read(&folder.join(&plan.frame), &plan.frame, &plan.types)?, plan, seed, None)
}

/// Draws from a frame in memory.
pub fn draw_from(frame: &Table, plan: &Plan, seed: Option<u64>) -> Result<Drawn, SamplingError> {
    run(Frame::of(frame, &plan.frame), plan, seed, None)
}

/// Repeats the draw of the earlier stages from the same seed, then draws stage `stage` (from 1) among the units
/// that were listed in the field, with p = take / listed.
///
/// `listing`: one row a drawn unit of the stage before, with that unit's column and the `of` column holding the
/// listed number; a column `released` adds that many reserves to the take. Units not listed yet are left out and
/// named in a warning.
pub fn draw_listing(
    plan: &Plan,
    folder: &Path,
    stage: usize,
    listing: &Table,
    seed: Option<u64>,
) -> Result<Drawn, SamplingError> {
    let frame = Frame::read(&folder.join(&plan.frame), &plan.frame, &plan.types)?;
    let listing = Listing::read(plan, stage, listing)?;
    run(frame, plan, seed, Some(listing))
}

/// [`draw_listing`] with the frame in memory.
pub fn draw_listing_from(
    frame: &Table,
    plan: &Plan,
    stage: usize,
    listing: &Table,
    seed: Option<u64>,
) -> Result<Drawn, SamplingError> {
    let listing = Listing::read(plan, stage, listing)?;
    run(Frame::of(frame, &plan.frame), plan, seed, Some(listing))
}

fn run(
    mut frame: Frame,
    plan: &Plan,
    seed: Option<u64>,
    listing: Option<Listing>,
) -> Result<Drawn, SamplingError> {
    let mut problems = plan.problems(seed);
    frame.derive(plan)?;
    problems.extend(frame.problems(plan));
    if !problems.is_empty() {
        return Err(SamplingError::Problems(problems));
    }
    let seed = seed.or(plan.seed).unwrap_or_default();
    let mut draw = Draw {
        frame: &frame,
        plan,
        seed,
        listing: listing.as_ref(),
        rows: Vec::new(),
        warnings: Vec::new(),
        certainty: Vec::new(),
        short: vec![Vec::new(); plan.stages.len()],
        first: Vec::new(),
        reached: Vec::new(),
    };
    let strata = draw.first_stage()?;
    draw.say_what_fell_short();
    let Draw { rows, mut warnings, certainty, first, reached, .. } = draw;
    if let Some(listing) = &listing {
        listing.compare(&reached, &mut warnings)?;
    }
    let sample = sample_table(&frame, plan, &strata, &rows, &mut warnings)?;
    let design = DesignDocument {
        program: "langnghe".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        seed,
        frame: FrameIdentity {
            file: frame.file.clone(),
            rows: frame.typed.height(),
            sha256: frame.sha256.clone(),
        },
        plan: plan.clone(),
        strata: strata.clone(),
        certainty: certainty.clone(),
        warnings: warnings.clone(),
        rows: rows.len(),
        sample_sha256: hex(sample.to_csv().as_bytes()),
    };
    Ok(Drawn { sample, strata, certainty, warnings, design, first })
}

/// A unit of a stage: its name and the frame's rows that belong to it.
struct Unit {
    name: String,
    rows: Vec<usize>,
}

/// What a stage drew among the units of one stratum or one unit of the stage before.
struct Picked {
    /// Position among the candidates, inclusion probability of the main take, main or reserve.
    units: Vec<(usize, f64, bool)>,
    /// Probabilities of all candidates.
    pi: Vec<f64>,
}

struct Draw<'a> {
    frame: &'a Frame,
    plan: &'a Plan,
    seed: u64,
    listing: Option<&'a Listing>,
    rows: Vec<Row>,
    warnings: Vec<String>,
    certainty: Vec<Certain>,
    /// By stage: units with fewer next-stage units than the take.
    short: Vec<Vec<String>>,
    first: Vec<FirstStage>,
    /// Paths of the units whose next-stage units are serial numbers.
    reached: Vec<String>,
}

impl Draw<'_> {
    fn first_stage(&mut self) -> Result<Vec<StratumSummary>, SamplingError> {
        let (plan, frame) = (self.plan, self.frame);
        let stage = &plan.stages[0];
        let all: Vec<usize> = (0..frame.written.height()).collect();
        let units = self.units(0, &all);
        let sizes = match &stage.size {
            Some(column) => self.totals(&units, column)?,
            None => vec![1.0; units.len()],
        };
        let (formed, merged) = form(&plan.strata, &self.strata_values(&units)?, plan.merge.as_ref());
        self.warnings.extend(merged);
        let by_size =
            stage.size.is_some() && stage.method != Method::Srs && stage.method != Method::Systematic;
        self.name_empty(&units, &sizes, by_size);
        let formed: Vec<Formed> = formed.into_iter().filter(|f| self.drawable(f, &sizes, by_size)).collect();
        let allocated = self.allocate(stage, &units, &sizes, by_size, &formed)?;
        self.warnings.extend(allocated.warnings);
        let mut summaries = Vec::new();
        for (h, (formed, share)) in formed.iter().zip(&allocated.strata).enumerate() {
            let mut order: Vec<usize> = formed.units.clone();
            if !stage.order.is_empty() {
                let mut firsts: Vec<usize> = order.iter().map(|u| units[*u].rows[0]).collect();
                let unit_of: HashMap<usize, usize> = order.iter().map(|u| (units[*u].rows[0], *u)).collect();
                frame.sort(&mut firsts, stage);
                order = firsts.iter().map(|row| unit_of[row]).collect();
            }
            let size: Vec<f64> = order.iter().map(|u| sizes[*u]).collect();
            let label = format!("stage 1/{}", formed.name);
            let places = self.places(stage, order.iter().map(|u| units[*u].rows[0]))?;
            let picked = self.pick(stage, by_size.then_some(&size), order.len(), share.n, &places, &label)?;
            let main = picked.units.iter().filter(|(_, _, main)| *main).count();
            let reserve = picked.units.len() - main;
            if (reserve as u64) < stage.reserve && share.n > 0 {
                self.warnings.push(format!(
                    "stratum `{}` has only {reserve} of {} reserve units",
                    formed.name, stage.reserve
                ));
            }
            let uncertain = picked.units.iter().filter(|(_, p, main)| *main && *p < 1.0).count();
            if uncertain == 1 && stage.method != Method::PpsPoisson {
                self.warnings.push(format!(
                    "stratum `{}` has a single drawn unit: its variance cannot be estimated; give `min` 2, or merge it",
                    formed.name
                ));
            }
            if share.n == 0 {
                self.warnings.push(format!(
                    "stratum `{}` gets no unit: its {} units are outside the sampled population",
                    formed.name,
                    formed.units.len()
                ));
            }
            let mut certain = 0;
            for (rank, (at, p, is_main)) in picked.units.iter().enumerate() {
                let unit = &units[order[*at]];
                if *p >= 1.0 && *is_main {
                    certain += 1;
                    self.certainty.push(Certain {
                        stage: 1,
                        stratum: formed.name.clone(),
                        unit: unit.name.clone(),
                    });
                }
                let row = Row::first(h, unit.rows[0], &unit.name, rank + 1, *p, *is_main);
                self.descend(1, row, unit)?;
            }
            let named = |(at, _, _): &(usize, f64, bool)| (*at, units[order[*at]].name.clone());
            self.first.push(FirstStage {
                method: stage.method,
                drawn: picked.units.iter().filter(|(_, _, main)| *main).map(named).collect(),
                pi: picked.pi,
            });
            summaries.push(StratumSummary {
                stratum: formed.name.clone(),
                units: formed.units.len(),
                size: formed.units.iter().map(|u| sizes[*u]).sum(),
                real: share.real,
                n: main as u64,
                reserve: reserve as u64,
                certain,
                merged_from: formed.merged_from.clone(),
            });
        }
        Ok(summaries)
    }

    /// Draws the later stages below `unit`, of which `row` says how it was drawn.
    fn descend(&mut self, depth: usize, row: Row, unit: &Unit) -> Result<(), SamplingError> {
        let plan = self.plan;
        let Some(stage) = plan.stages.get(depth) else {
            self.rows.push(row);
            return Ok(());
        };
        let path = row.path();
        let label = format!("stage {}/{path}", depth + 1);
        let take = stage.take.unwrap_or_default();
        if let Some(of) = &stage.of {
            self.reached.push(path.clone());
            let (units, released) = match self.listing.map(|l| l.of(&path)) {
                Some(Some(listed)) => listed,
                Some(None) => return Ok(()),
                None => (self.frame.numbers(of)?[unit.rows[0]] as usize, 0),
            };
            let take = take.saturating_add(released as u64);
            let reserve = stage.reserve.saturating_sub(released as u64);
            let stage = Stage { reserve, ..stage.clone() };
            self.remember_short(depth, units, take, &path);
            let picked = self.pick(&stage, None, units, take.min(units as u64), &[], &label)?;
            for (rank, (at, p, main)) in picked.units.iter().enumerate() {
                let mut below = row.below(&(at + 1).to_string(), rank + 1, *p, *main);
                below.serial = Some((at + 1) as u64);
                self.rows.push(below);
            }
            return Ok(());
        }
        let units = self.units(depth, &unit.rows);
        let by_size =
            stage.size.is_some() && stage.method != Method::Srs && stage.method != Method::Systematic;
        let sizes = match &stage.size {
            Some(column) => self.totals(&units, column)?,
            None => vec![1.0; units.len()],
        };
        let mut order: Vec<usize> = (0..units.len()).collect();
        let mut firsts: Vec<usize> = units.iter().map(|u| u.rows[0]).collect();
        let unit_of: HashMap<usize, usize> = firsts.iter().enumerate().map(|(u, row)| (*row, u)).collect();
        if !stage.order.is_empty() {
            self.frame.sort(&mut firsts, stage);
            order = firsts.iter().map(|row| unit_of[row]).collect();
        }
        let size: Vec<f64> = order.iter().map(|u| sizes[*u]).collect();
        let room = if by_size { size.iter().filter(|x| **x > 0.0).count() } else { units.len() };
        self.remember_short(depth, room, take, &path);
        let places = self.places(stage, order.iter().map(|u| units[*u].rows[0]))?;
        let n = take.min(room as u64);
        let picked = self.pick(stage, by_size.then_some(&size), units.len(), n, &places, &label)?;
        for (rank, (at, p, main)) in picked.units.iter().enumerate() {
            let unit = &units[order[*at]];
            let mut below = row.below(&unit.name, rank + 1, *p, *main);
            below.frame_row = unit.rows[0];
            self.descend(depth + 1, below, unit)?;
        }
        Ok(())
    }

    /// Draws `n` main units and the stage's reserves among `units` candidates.
    fn pick(
        &self,
        stage: &Stage,
        size: Option<&Vec<f64>>,
        units: usize,
        n: u64,
        places: &[(f64, f64)],
        label: &str,
    ) -> Result<Picked, SamplingError> {
        let n = n as usize;
        let reserve = stage.reserve as usize;
        let pi = match size {
            Some(size) => proportional_to_size(size, n),
            None => equal(units, n),
        };
        let pi = pi.ok_or_else(|| {
            let what = format!("{n} units are asked for, but {units} can be drawn");
            SamplingError::one(label, what, "ask for fewer")
        })?;
        let mut chance = Chance::new(self.seed, label);
        if stage.method == Method::Srs {
            let drawn = simple_random(units, if n == 0 { 0 } else { n.saturating_add(reserve) }, &mut chance);
            let units = drawn.iter().enumerate().map(|(k, at)| (*at, pi[*at], k < n)).collect();
            return Ok(Picked { units, pi });
        }
        if stage.method == Method::PpsSampford && units.saturating_mul(n) > SAMPFORD_CELLS {
            return Err(SamplingError::one(
                label,
                format!("Sampford's design of {n} among {units} units needs too large a table"),
                "use `pps_brewer` or `pps_systematic`, or more strata",
            ));
        }
        if stage.method == Method::LocalPivotal && units > PIVOTAL_UNITS {
            return Err(SamplingError::one(
                label,
                format!("looking for the neighbours of {units} units would take too long"),
                format!("form strata of at most {PIVOTAL_UNITS} units, or draw by another method"),
            ));
        }
        let main = select(stage.method, &pi, stage.start, places, &mut chance);
        let mut left = vec![true; units];
        for at in &main {
            left[*at] = false;
        }
        let weight = |at: usize| if left[at] { size.map_or(1.0, |size| size[at]) } else { 0.0 };
        let weights: Vec<f64> = (0..units).map(weight).collect();
        let reserve = if n == 0 { 0 } else { reserve };
        let spare = successive(&weights, reserve, &mut Chance::new(self.seed, &format!("{label}/reserve")));
        let units = main
            .into_iter()
            .map(|at| (at, pi[at], true))
            .chain(spare.into_iter().map(|at| (at, pi[at], false)))
            .collect();
        Ok(Picked { units, pi })
    }

    fn allocate(
        &self,
        stage: &Stage,
        units: &[Unit],
        sizes: &[f64],
        by_size: bool,
        formed: &[Formed],
    ) -> Result<super::allocate::Allocated, SamplingError> {
        let rule = match (&stage.allocation, stage.take) {
            (Some(rule), _) => rule.clone(),
            (None, take) => {
                let json = serde_json::json!({ "method": "take", "take": take });
                serde_json::from_value::<Allocation>(json)
                    .map_err(|e| SamplingError::one("stage 1", e.to_string(), "correct `take`"))?
            }
        };
        let mut problems = Vec::new();
        for (field, map) in [("sd", &rule.sd), ("mean", &rule.mean), ("cost", &rule.cost)] {
            for name in map.keys().filter(|name| !formed.iter().any(|f| f.name == **name)) {
                problems.push(Problem::new(
                    format!("stage 1, `allocation`, `{field}`, `{name}`"),
                    "is not a stratum",
                    super::problem::suggestion(name, formed.iter().map(|f| f.name.as_str())),
                ));
            }
        }
        let values: Vec<(String, Vec<f64>)> = rule
            .variables
            .iter()
            .map(|column| Ok((column.clone(), self.totals(units, column)?)))
            .collect::<Result<_, SamplingError>>()?;
        let mut strata = Vec::new();
        for f in formed {
            let of = |map: &indexmap::IndexMap<String, f64>| map.get(&f.name).copied();
            let moments: indexmap::IndexMap<String, Moments> = values
                .iter()
                .map(|(name, all)| (name.clone(), moments(f.units.iter().map(|u| all[*u]))))
                .collect();
            let single = if moments.len() == 1 { moments.values().next().copied() } else { None };
            let drawable = f.units.iter().filter(|u| !by_size || sizes[**u] > 0.0).count();
            let mut domains = indexmap::IndexMap::new();
            for by in rule.targets.iter().filter_map(|t| t.by.as_ref()) {
                let mut values: Vec<String> =
                    f.units.iter().map(|u| self.frame.text(by, units[*u].rows[0])).collect();
                values.sort_unstable();
                values.dedup();
                match values.as_slice() {
                    [one] if !one.is_empty() => {
                        domains.insert(by.clone(), one.clone());
                    }
                    _ => problems.push(Problem::new(
                        format!("stage 1, `targets`, `by` = `{by}`"),
                        format!("the stratum `{}` does not lie in one domain", f.name),
                        "make the column one of `strata`, and merge `within` it",
                    )),
                }
            }
            strata.push(Stratum {
                stratum: f.name.clone(),
                population: drawable as f64,
                measure: (stage.size.is_some() && values.is_empty())
                    .then(|| f.units.iter().map(|u| sizes[*u]).sum()),
                sd: of(&rule.sd).or(single.map(|m| m.sd)),
                mean: of(&rule.mean).or(single.map(|m| m.mean)),
                cost: of(&rule.cost),
                variables: moments,
                domains,
            });
        }
        if !problems.is_empty() {
            return Err(SamplingError::Problems(problems));
        }
        // Size alone decides a power allocation without a variable.
        if rule.method == Rule::Power
            && rule.variables.is_empty()
            && rule.sd.is_empty()
            && rule.mean.is_empty()
        {
            for stratum in &mut strata {
                (stratum.sd, stratum.mean) = (None, None);
            }
        }
        allocate(&rule, &strata)
    }

    /// Groups rows to units of a stage, in order of appearance; the last listed stage has a unit a row.
    fn units(&self, depth: usize, rows: &[usize]) -> Vec<Unit> {
        let stage = &self.plan.stages[depth];
        let name = |row: usize| self.frame.text(&stage.unit, row);
        if depth + 1 == self.plan.listed_stages() {
            return rows.iter().map(|row| Unit { name: name(*row), rows: vec![*row] }).collect();
        }
        let mut units: Vec<Unit> = Vec::new();
        let mut place: HashMap<String, usize> = HashMap::new();
        for row in rows {
            let at = *place.entry(name(*row)).or_insert_with_key(|name| {
                units.push(Unit { name: name.clone(), rows: Vec::new() });
                units.len() - 1
            });
            units[at].rows.push(*row);
        }
        units
    }

    fn totals(&self, units: &[Unit], column: &str) -> Result<Vec<f64>, SamplingError> {
        let values = self.frame.numbers(column)?;
        Ok(units.iter().map(|u| u.rows.iter().map(|row| values[*row]).sum()).collect())
    }

    fn places(
        &self,
        stage: &Stage,
        rows: impl Iterator<Item = usize>,
    ) -> Result<Vec<(f64, f64)>, SamplingError> {
        let Some([x, y]) = &stage.coordinates else { return Ok(Vec::new()) };
        let (x, y) = (self.frame.numbers(x)?, self.frame.numbers(y)?);
        Ok(rows.map(|row| (x[row], y[row])).collect())
    }

    /// Each unit's strata values; a unit must lie in one stratum.
    fn strata_values(&self, units: &[Unit]) -> Result<Vec<Vec<String>>, SamplingError> {
        let columns: Vec<&Column> =
            self.plan.strata.iter().filter_map(|c| self.frame.written.get(c)).collect();
        let of = |row: usize| -> Vec<String> {
            columns.iter().map(|c| c.text(row).unwrap_or_default().into_owned()).collect()
        };
        let mut problems = Vec::new();
        let mut values = Vec::with_capacity(units.len());
        for unit in units {
            let own = of(unit.rows[0]);
            if let Some(row) = unit.rows.iter().find(|row| of(**row) != own) {
                problems.push(Problem::new(
                    format!("{}, line {}", self.frame.file, row + 2),
                    format!(
                        "the unit `{}` lies in the strata `{}` and `{}`",
                        unit.name,
                        own.join("/"),
                        of(*row).join("/")
                    ),
                    "a first-stage unit belongs to one stratum: correct the row, or give the units other names",
                ));
            }
            values.push(own);
        }
        if problems.is_empty() { Ok(values) } else { Err(SamplingError::Problems(problems)) }
    }

    fn name_empty(&mut self, units: &[Unit], sizes: &[f64], by_size: bool) {
        let empty: Vec<&str> = units
            .iter()
            .zip(sizes)
            .filter(|(_, x)| by_size && **x == 0.0)
            .map(|(u, _)| u.name.as_str())
            .collect();
        if !empty.is_empty() {
            self.warnings.push(format!("size 0, never drawn: {}", empty.join(", ")));
        }
    }

    fn drawable(&mut self, formed: &Formed, sizes: &[f64], by_size: bool) -> bool {
        let some = !by_size || formed.units.iter().any(|u| sizes[*u] > 0.0);
        if !some {
            self.warnings
                .push(format!("stratum `{}` has only units of size 0: nothing is drawn there", formed.name));
        }
        some
    }

    fn remember_short(&mut self, depth: usize, units: usize, take: u64, path: &str) {
        if (units as u64) < take {
            self.short[depth].push(format!("{path} ({units})"));
        }
    }

    fn say_what_fell_short(&mut self) {
        for (stage, short) in self.plan.stages.iter().zip(&self.short).filter(|(_, short)| !short.is_empty())
        {
            self.warnings.push(format!(
                "fewer units of `{}` than the take {}, so all are taken: {}",
                stage.unit,
                stage.take.unwrap_or_default(),
                short.join(", ")
            ));
        }
    }
}

/// Mean and standard deviation (divisor n − 1; 0 for a single unit).
fn moments(values: impl Iterator<Item = f64> + Clone) -> Moments {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let squares: f64 = values.map(|v| (v - mean).powi(2)).sum();
    Moments { mean, sd: if n > 1.0 { (squares / (n - 1.0)).sqrt() } else { 0.0 } }
}
