//! What a frame holds, stratum by stratum, before anything is drawn.

use std::path::Path;

use serde::Serialize;

use super::document::FrameIdentity;
use super::frame::Frame;
use super::plan::Plan;
use super::problem::{Problem, SamplingError};
use super::strata::form;
use super::units;
use crate::table::{Table, number_text};

/// A frame under a plan.
#[derive(Clone, Debug, Serialize)]
pub struct FrameSummary {
    pub frame: FrameIdentity,
    /// Name of the first stage's unit.
    pub unit: String,
    /// Column of the measure of size; without one every unit counts 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Sorted by name, after merging.
    pub strata: Vec<StratumContent>,
    /// The sum of all, under the name `total`.
    pub total: StratumContent,
    /// Spellings matched, codes carried, strata merged.
    pub notes: Vec<String>,
}

/// The first-stage units of one stratum.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StratumContent {
    pub stratum: String,
    pub units: usize,
    /// Sum of the measure of size.
    pub size: f64,
    pub smallest: f64,
    pub largest: f64,
    /// Units of size 0, which are never drawn by size.
    pub empty: usize,
    /// Sum of the next stage's units (`of`), if the frame has only their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

/// Reads, checks and counts the frame of a plan in `folder`.
///
/// Errors: everything that is wrong with the frame; the plan's allocation and seed are not looked at.
pub fn summarise(plan: &Plan, folder: &Path) -> Result<FrameSummary, SamplingError> {
    let plan = plan.normalised()?;
    if plan.frame.is_empty() || plan.stages.is_empty() {
        let what = "names no frame, or no stage whose units it lists";
        return Err(SamplingError::one("the plan", what, "give `frame` and `stages`"));
    }
    summary_of(Frame::read(&folder.join(&plan.frame), &plan.frame, &plan.types)?, &plan)
}

/// [`summarise`] for a frame in memory.
pub fn summarise_from(frame: &Table, plan: &Plan) -> Result<FrameSummary, SamplingError> {
    summary_of(Frame::of(frame, &plan.frame), plan)
}

fn summary_of(frame: Frame, plan: &Plan) -> Result<FrameSummary, SamplingError> {
    let mut problems: Vec<Problem> = Vec::new();
    let frame = frame.prepared(plan, &mut problems)?;
    if !problems.is_empty() {
        return Err(SamplingError::Problems(problems));
    }
    let stage = &plan.stages[0];
    let all: Vec<usize> = (0..frame.written.height()).collect();
    let units = units::units(&frame, plan, 0, &all);
    let sizes = match &stage.size {
        Some(column) => units::totals(&frame, &units, column)?,
        None => vec![1.0; units.len()],
    };
    let below = match plan.stages.iter().find_map(|stage| stage.of.as_ref()) {
        Some(of) => Some(units::totals(&frame, &units, of)?),
        None => None,
    };
    let content = |name: &str, members: &[usize]| {
        let of = members.iter().map(|u| sizes[*u]);
        StratumContent {
            stratum: name.to_owned(),
            units: members.len(),
            size: of.clone().sum(),
            smallest: of.clone().fold(f64::INFINITY, f64::min),
            largest: of.clone().fold(f64::NEG_INFINITY, f64::max),
            empty: of.filter(|x| *x == 0.0).count(),
            below: below.as_ref().map(|below| members.iter().map(|u| below[*u]).sum()),
        }
    };
    let (formed, merged) =
        form(&plan.strata, units::strata_cells(&frame, plan, &units)?, plan.merge.as_ref());
    let everything: Vec<usize> = (0..units.len()).collect();
    Ok(FrameSummary {
        frame: FrameIdentity {
            file: frame.file.clone(),
            rows: frame.typed().height(),
            sha256: frame.sha256.clone(),
        },
        unit: stage.unit.clone(),
        size: stage.size.clone(),
        strata: formed.iter().map(|f| content(&f.name, &f.units)).collect(),
        total: content("total", &everything),
        notes: frame.notes.iter().cloned().chain(merged).collect(),
    })
}

impl FrameSummary {
    /// One line a stratum and one for all, for people: columns of equal width.
    pub fn to_text(&self) -> String {
        let mut lines = vec![self.header()];
        lines.extend(self.strata.iter().chain([&self.total]).map(|s| self.cells(s)));
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|c| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or_default())
            .collect();
        let mut text = String::new();
        for line in &lines {
            for (c, cell) in line.iter().enumerate() {
                let gap = " ".repeat(widths[c] - cell.chars().count());
                // Names to the left, numbers to the right.
                text.push_str(&if c == 0 { format!("{cell}{gap}") } else { format!("  {gap}{cell}") });
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }

    /// The same as CSV.
    pub fn to_csv(&self) -> String {
        let mut text = self.header().join(",") + "\n";
        for stratum in self.strata.iter().chain([&self.total]) {
            let cells: Vec<String> = self.cells(stratum).iter().map(|c| crate::table::quote(c)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    fn header(&self) -> Vec<String> {
        let below = self.total.below.map(|_| "below");
        let names = ["stratum", "units", "size", "smallest", "largest", "empty"];
        names.into_iter().chain(below).map(str::to_owned).collect()
    }

    fn cells(&self, s: &StratumContent) -> Vec<String> {
        let numbers = [s.units as f64, s.size, s.smallest, s.largest, s.empty as f64];
        let numbers = numbers.into_iter().chain(s.below).map(number_text);
        [s.stratum.clone()].into_iter().chain(numbers).collect()
    }
}
