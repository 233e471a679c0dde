//! The draw: frame, strata, allocation, then stage by stage down to the last unit.
//!
//! Chance: every stratum and every drawn unit has its own stream, named `stage 1/STRATUM`, `stage 2/UNIT`, so a
//! change in one stratum or village moves no other, and the tablet can repeat a village's draw alone.

use std::collections::HashMap;
use std::path::Path;

use surveys::chance::Chance;

use super::allocate::{Allocation, Moments, Rule, Stratum, allocate};
use super::coordination::{Coordinate, Earlier, Numbers};
use super::document::{Certain, DesignDocument, Drawn, FirstStage, FrameIdentity, StratumSummary};
use super::frame::{Frame, hex};
use super::listing::Listing;
use super::plan::{Plan, Stage};
use super::probabilities::{equal, proportional_to_size};
use super::problem::{Problem, SamplingError};
use super::quota;
use super::sample::{Row, sample_table};
use super::selection::{
    Method, SAMPFORD_CELLS, STEPWISE_UNITS, select, select_by_numbers, simple_random, successive,
};
use super::strata::{Formed, form};
use super::units::{self, Unit};
use crate::table::Table;

/// Draws a plan whose frame lies in `folder`. `seed` overrides the plan's.
///
/// Errors: [`SamplingError::Problems`] with everything that is wrong in plan and frame.
pub fn draw(plan: &Plan, folder: &Path, seed: Option<u64>) -> Result<Drawn, SamplingError> {
    in_folder(plan, folder, seed, None)
}

/// Draws from a frame in memory.
pub fn draw_from(frame: &Table, plan: &Plan, seed: Option<u64>) -> Result<Drawn, SamplingError> {
    run(Some(Frame::of(frame, &plan.frame)), plan, seed, None, None)
}

/// [`draw_from`] for a plan with `coordinate`, after an earlier sample in memory.
pub fn draw_after(
    earlier: &Earlier,
    frame: &Table,
    plan: &Plan,
    seed: Option<u64>,
) -> Result<Drawn, SamplingError> {
    run(Some(Frame::of(frame, &plan.frame)), plan, seed, None, Some(earlier))
}

/// Repeats the draw of the earlier stages from the same seed, then draws stage `stage` (from 1) among the units
/// that were listed in the field, with p = take / listed.
///
/// `listing`: one row a drawn unit of the stage before, with that unit's column and the `of` column holding the
/// listed number; a column `released` adds that many reserves to the take. A unit that was divided has one row a
/// `segment`, of which one is drawn (see [`super::listing`]). Units not listed yet are left out and named in a
/// warning.
pub fn draw_listing(
    plan: &Plan,
    folder: &Path,
    stage: usize,
    listing: &Table,
    seed: Option<u64>,
) -> Result<Drawn, SamplingError> {
    in_folder(plan, folder, seed, Some((stage, listing)))
}

/// [`draw_listing`] with the frame in memory.
pub fn draw_listing_from(
    frame: &Table,
    plan: &Plan,
    stage: usize,
    listing: &Table,
    seed: Option<u64>,
) -> Result<Drawn, SamplingError> {
    run(Some(Frame::of(frame, &plan.frame)), plan, seed, Some((stage, listing)), None)
}

fn in_folder(
    plan: &Plan,
    folder: &Path,
    seed: Option<u64>,
    listing: Option<(usize, &Table)>,
) -> Result<Drawn, SamplingError> {
    let plan = plan.normalised()?;
    let frame = match plan.frame.as_str() {
        "" => None,
        file => Some(Frame::read(&folder.join(file), file, &plan.types)?),
    };
    let earlier = match plan.stages.first() {
        Some(Stage { unit, coordinate: Some(Coordinate { with: Some(with), .. }), .. }) => {
            Some(Earlier::read(&folder.join(with), with, unit)?)
        }
        _ => None,
    };
    run(frame, &plan, seed, listing, earlier.as_ref())
}

/// Everything from plan and frame to the documented sample. `frame`: none for a list of quotas alone.
fn run(
    frame: Option<Frame>,
    plan: &Plan,
    seed: Option<u64>,
    listing: Option<(usize, &Table)>,
    earlier: Option<&Earlier>,
) -> Result<Drawn, SamplingError> {
    let mut problems = plan.problems(seed);
    let frame = match frame {
        Some(frame) => frame.prepared(plan, &mut problems)?,
        None => Frame::of(&Table::default(), ""),
    };
    if !problems.is_empty() {
        return Err(SamplingError::Problems(problems));
    }
    let listing = listing.map(|(stage, table)| Listing::read(plan, stage, table)).transpose()?;
    let seed = seed.or(plan.seed).unwrap_or_default();
    let nothing = Earlier::default();
    let wish = plan.stages.first().and_then(|stage| stage.coordinate.as_ref());
    if earlier.is_none() && wish.is_some_and(|wish| wish.with.is_some()) {
        return Err(SamplingError::one(
            "`coordinate`",
            "the earlier sample is not at hand",
            "draw from files",
        ));
    }
    let mut draw = Draw {
        frame: &frame,
        plan,
        seed,
        listing: listing.as_ref(),
        numbers: wish.map(|wish| Numbers::new(wish, earlier.unwrap_or(&nothing), seed)),
        rows: Vec::new(),
        warnings: frame.notes.clone(),
        certainty: Vec::new(),
        short: vec![Vec::new(); plan.stages.len()],
        large: Vec::new(),
        first: Vec::new(),
        reached: Vec::new(),
    };
    let strata = if plan.stages.is_empty() { draw.all() } else { draw.first_stage()? };
    draw.say_what_fell_short();
    let Draw { rows, mut warnings, certainty, first, reached, numbers, .. } = draw;
    if let Some(listing) = &listing {
        listing.compare(&reached, &mut warnings)?;
    }
    let (mut kept, mut register) = (None, None);
    if let Some(numbers) = numbers {
        let drawn = first.iter().flat_map(|stratum| &stratum.drawn).map(|(_, name)| name.clone()).collect();
        let (table, coordination) = numbers.finish(&plan.stages[0].unit, &drawn, &mut warnings)?;
        (kept, register) = (Some(coordination), Some(table));
    }
    let sample = sample_table(&frame, plan, &strata, &rows, &mut warnings)?;
    let sample = if plan.design.is_probability() { sample } else { quota::marked(sample, plan)? };
    let design = DesignDocument {
        program: "langnghe".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        seed,
        frame: FrameIdentity {
            file: frame.file.clone(),
            rows: frame.typed().height(),
            sha256: frame.sha256.clone(),
        },
        plan: plan.clone(),
        strata: strata.clone(),
        certainty: certainty.clone(),
        warnings: warnings.clone(),
        probability_sample: plan.design.is_probability(),
        coordination: kept,
        rows: sample.height(),
        sample_sha256: hex(sample.to_csv().as_bytes()),
    };
    Ok(Drawn { sample, strata, certainty, warnings, design, numbers: register, first })
}

/// What a stage drew among the units of one stratum or one unit of the stage before.
struct Picked {
    /// Position among the candidates, inclusion probability of the main take, main or reserve.
    units: Vec<(usize, f64, bool)>,
    /// Probabilities of all candidates.
    pi: Vec<f64>,
}

/// The units among which a stage draws, in their order.
struct Candidates<'a> {
    units: usize,
    /// Empty where the frame does not list them.
    names: &'a [&'a str],
    size: Option<&'a [f64]>,
    places: &'a [(f64, f64)],
}

struct Draw<'a> {
    frame: &'a Frame,
    plan: &'a Plan,
    seed: u64,
    listing: Option<&'a Listing>,
    /// Permanent numbers, in a coordinated draw.
    numbers: Option<Numbers<'a>>,
    rows: Vec<Row>,
    warnings: Vec<String>,
    certainty: Vec<Certain>,
    /// By stage: units with fewer next-stage units than the take.
    short: Vec<Vec<String>>,
    /// Units that should have been divided into segments.
    large: Vec<String>,
    first: Vec<FirstStage>,
    /// Paths of the units whose next-stage units are serial numbers.
    reached: Vec<String>,
}

impl Draw<'_> {
    /// A sample that is no probability sample and has no stages: all of the frame, in one stratum.
    fn all(&mut self) -> Vec<StratumSummary> {
        let units = self.frame.written.height();
        for row in 0..units {
            self.rows.push(Row::first(0, row, &row.to_string(), row + 1, 1.0, true));
        }
        let n = units as u64;
        let (stratum, size) = ("all".into(), units as f64);
        vec![StratumSummary {
            stratum,
            units,
            size,
            real: size,
            n,
            reserve: 0,
            certain: 0,
            merged_from: Vec::new(),
        }]
    }

    fn first_stage(&mut self) -> Result<Vec<StratumSummary>, SamplingError> {
        let (plan, frame) = (self.plan, self.frame);
        let stage = &plan.stages[0];
        let all: Vec<usize> = (0..frame.written.height()).collect();
        let units = units::units(frame, plan, 0, &all);
        let sizes = match &stage.size {
            Some(column) => units::totals(frame, &units, column)?,
            None => vec![1.0; units.len()],
        };
        let cells = units::strata_cells(frame, plan, &units)?;
        let (formed, merged) = form(&plan.strata, cells, plan.merge.as_ref());
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
            let places = units::places(self.frame, stage, order.iter().map(|u| units[*u].rows[0]))?;
            let names: Vec<&str> = order.iter().map(|u| units[*u].name.as_str()).collect();
            let size = by_size.then_some(size.as_slice());
            let candidates = Candidates { units: order.len(), names: &names, size, places: &places };
            let picked = self.pick(stage, candidates, share.n, &label)?;
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
            let (units, released, segment) = match self.listing.map(|l| l.draw(&path, stage, self.seed)) {
                Some(Some(listed)) => listed?,
                Some(None) => return Ok(()),
                None => (Some(self.frame.numbers(of)?[unit.rows[0]] as usize), 0, None),
            };
            if let (Some(units), Some(over), None) = (units, stage.segments.and_then(|s| s.over), &segment)
                && units as u64 > over
            {
                self.large.push(format!("{path} ({units})"));
            }
            let (mut row, mut label) = (row, label);
            if let Some(segment) = segment {
                label.push('/');
                label.push_str(&segment.name);
                let Some(_) = units else {
                    self.warnings.push(format!(
                        "`{path}`: segment `{}` is drawn (p = {}); list its `{of}`, and give the number in the listing",
                        segment.name, segment.p
                    ));
                    return Ok(());
                };
                if row.p[0] >= 1.0 && row.main && depth == 1 {
                    self.warnings.push(format!(
                        "`{path}` is certain and only one of its segments is drawn: its variance cannot be estimated"
                    ));
                }
                row.segment = Some(segment);
            }
            let units = units.unwrap_or_default();
            let take = take.saturating_add(released as u64);
            let reserve = stage.reserve.saturating_sub(released as u64);
            let stage = Stage { reserve, coordinate: None, ..stage.clone() };
            self.remember_short(depth, units, take, &path);
            let candidates = Candidates { units, names: &[], size: None, places: &[] };
            let picked = self.pick(&stage, candidates, take.min(units as u64), &label)?;
            for (rank, (at, p, main)) in picked.units.iter().enumerate() {
                let mut below = row.below(&(at + 1).to_string(), rank + 1, *p, *main);
                below.serial = Some((at + 1) as u64);
                self.rows.push(below);
            }
            return Ok(());
        }
        let units = units::units(self.frame, plan, depth, &unit.rows);
        let by_size =
            stage.size.is_some() && stage.method != Method::Srs && stage.method != Method::Systematic;
        let sizes = match &stage.size {
            Some(column) => units::totals(self.frame, &units, column)?,
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
        let places = units::places(self.frame, stage, order.iter().map(|u| units[*u].rows[0]))?;
        let n = take.min(room as u64);
        let names: Vec<&str> = order.iter().map(|u| units[*u].name.as_str()).collect();
        let size = by_size.then_some(size.as_slice());
        let candidates = Candidates { units: units.len(), names: &names, size, places: &places };
        let picked = self.pick(stage, candidates, n, &label)?;
        for (rank, (at, p, main)) in picked.units.iter().enumerate() {
            let unit = &units[order[*at]];
            let mut below = row.below(&unit.name, rank + 1, *p, *main);
            below.frame_row = unit.rows[0];
            self.descend(depth + 1, below, unit)?;
        }
        Ok(())
    }

    /// Draws `n` main units and the stage's reserves among the candidates.
    fn pick(
        &mut self,
        stage: &Stage,
        Candidates { units, names, size, places }: Candidates<'_>,
        n: u64,
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
        if units > STEPWISE_UNITS && matches!(stage.method, Method::LocalPivotal | Method::PpsCorrelated) {
            return Err(SamplingError::one(
                label,
                format!(
                    "`{}` looks at all units left at every step; {units} would take too long",
                    stage.method.name()
                ),
                format!("form strata of at most {STEPWISE_UNITS} units, or draw by another method"),
            ));
        }
        let mut chance = Chance::new(self.seed, label);
        let numbers = match &mut self.numbers {
            Some(numbers) if stage.coordinate.is_some() => Some(numbers.place(stage.method, names, &pi)),
            _ => None,
        };
        if stage.method == Method::Srs {
            let all = if n == 0 { 0 } else { n.saturating_add(reserve) };
            let drawn = match &numbers {
                Some(numbers) => {
                    let mut drawn = select_by_numbers(stage.method, &pi, numbers);
                    drawn.truncate(all);
                    drawn
                }
                None => simple_random(units, all, &mut chance),
            };
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
        let main = match &numbers {
            Some(numbers) => select_by_numbers(stage.method, &pi, numbers),
            None => select(stage.method, &pi, stage.start, places, &mut chance),
        };
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
            .map(|column| Ok((column.clone(), units::totals(self.frame, units, column)?)))
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
        if !self.large.is_empty() {
            self.warnings.push(format!(
                "above the limit `over`, so divide them into segments when listing: {}",
                self.large.join(", ")
            ));
        }
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
