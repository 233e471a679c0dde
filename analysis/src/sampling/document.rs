//! A drawn sample and its documentation: `sample.csv` and `sample.csv.design.json`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::coordination::{Coordination, numbers_path};
use super::frame::hex;
use super::joint;
use super::plan::Plan;
use super::problem::SamplingError;
use super::selection::Method;
use crate::table::{Column, Declared, Table, TableError, Types};

/// The result of a draw.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// One row a drawn unit of the last stage, by stratum and order of the draw (contract: "draw writes").
    pub sample: Table,
    pub strata: Vec<StratumSummary>,
    /// Units taken with probability 1.
    pub certainty: Vec<Certain>,
    pub warnings: Vec<String>,
    pub design: DesignDocument,
    /// Permanent numbers of the first stage's units, in a coordinated draw.
    pub numbers: Option<Table>,
    pub(super) first: Vec<FirstStage>,
}

/// What a stratum holds and what was drawn of it, in first-stage units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StratumSummary {
    pub stratum: String,
    /// Units of the frame.
    pub units: usize,
    /// Their total size; the number of units without a size.
    pub size: f64,
    /// The share before rounding.
    pub real: f64,
    pub n: u64,
    pub reserve: u64,
    /// Units taken with certainty, among `n`.
    pub certain: u64,
    /// Names of the strata that were merged into this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<String>,
}

/// A unit that is taken with certainty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certain {
    /// From 1.
    pub stage: usize,
    pub stratum: String,
    pub unit: String,
}

/// What it takes to repeat and to judge a draw: written beside the sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DesignDocument {
    pub program: String,
    pub version: String,
    pub seed: u64,
    pub frame: FrameIdentity,
    pub plan: Plan,
    pub strata: Vec<StratumSummary>,
    pub certainty: Vec<Certain>,
    pub warnings: Vec<String>,
    /// False for life where the plan's `design` is `quota` or `invited`.
    #[serde(default = "yes")]
    pub probability_sample: bool,
    /// What a coordinated draw kept of the earlier sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordination: Option<Coordination>,
    /// Rows of the sample.
    pub rows: usize,
    /// Of `sample.csv`'s bytes.
    pub sample_sha256: String,
}

fn yes() -> bool {
    true
}

/// Which frame it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameIdentity {
    pub file: String,
    pub rows: usize,
    pub sha256: String,
}

/// The first stage of one stratum, for joint probabilities: units in the order of the draw.
#[derive(Clone, Debug)]
pub(super) struct FirstStage {
    pub method: Method,
    pub pi: Vec<f64>,
    /// (position, name) of the drawn units, in the order of the sample.
    pub drawn: Vec<(usize, String)>,
}

impl Drawn {
    /// The sample as CSV text, the same on every machine.
    pub fn to_csv(&self) -> String {
        self.sample.to_csv()
    }

    /// Writes the sample to `output` and its design beside it (`sample.csv`, `sample.csv.design.json`).
    ///
    /// Returns what the user should hear: that the frame is another than at the last draw into this file.
    pub fn write(&self, output: &Path) -> Result<Vec<String>, SamplingError> {
        let mut notes = Vec::new();
        let design = design_path(output);
        let before: Option<DesignDocument> =
            std::fs::read_to_string(&design).ok().and_then(|text| serde_json::from_str(&text).ok());
        if let Some(before) = before.filter(|b| b.frame.sha256 != self.design.frame.sha256) {
            notes.push(format!(
                "{}: the frame has changed since the last draw (SHA-256 {}… then, {}… now): this is another sample",
                self.design.frame.file,
                before.frame.sha256.chars().take(12).collect::<String>(),
                self.design.frame.sha256.chars().take(12).collect::<String>()
            ));
        }
        let unwritable = |file: &Path, reason: String| SamplingError::Unwritable {
            file: file.display().to_string(),
            reason,
        };
        self.sample.write(output).map_err(|e| match e {
            TableError::Unwritable { reason, .. } => unwritable(output, reason),
            other => unwritable(output, other.to_string()),
        })?;
        let text =
            serde_json::to_string_pretty(&self.design).map_err(|e| unwritable(&design, e.to_string()))?;
        std::fs::write(&design, text + "\n").map_err(|e| unwritable(&design, e.to_string()))?;
        if let Some(numbers) = &self.numbers {
            let file = numbers_path(output);
            numbers.write(&file).map_err(|e| unwritable(&file, e.to_string()))?;
        }
        Ok(notes)
    }

    /// Joint inclusion probabilities of the first stage's main units: square, in the order of their first rows in
    /// the sample (reserves left out), one column a unit. Units of different strata are independent.
    ///
    /// Errors: a method that has no closed form for them.
    pub fn joint(&self) -> Result<Table, SamplingError> {
        if !self.design.probability_sample {
            let what = "this is no probability sample: there are no probabilities";
            return Err(SamplingError::one("`--joint`", what, "leave it out"));
        }
        let size: usize = self.first.iter().map(|s| s.drawn.len()).sum();
        let mut matrix = vec![vec![0.0; size]; size];
        let mut names = Vec::with_capacity(size);
        let mut pi = Vec::with_capacity(size);
        let mut blocks = Vec::new();
        for stratum in &self.first {
            let asked: Vec<usize> = stratum.drawn.iter().map(|(i, _)| *i).collect();
            let block = match stratum.method {
                Method::Srs => {
                    let n = stratum.pi.iter().sum::<f64>().round() as usize;
                    joint::simple_random(stratum.pi.len(), n, asked.len())
                }
                Method::Systematic | Method::PpsSystematic => joint::systematic(&stratum.pi, &asked),
                Method::PpsSampford => joint::sampford(&stratum.pi, &asked),
                Method::PpsPoisson => joint::poisson(&stratum.pi, &asked),
                Method::PpsBrewer | Method::PpsCorrelated | Method::LocalPivotal => {
                    return Err(SamplingError::one(
                        "`--joint`",
                        format!("`{}` has no closed form for joint probabilities", stratum.method.name()),
                        "draw by `pps_sampford`, or estimate with `\"pps\": \"brewer\"`",
                    ));
                }
            };
            blocks.push((names.len(), block));
            for (i, name) in &stratum.drawn {
                names.push(name.clone());
                pi.push(stratum.pi[*i]);
            }
        }
        for i in 0..size {
            for j in 0..size {
                matrix[i][j] = pi[i] * pi[j];
            }
        }
        for (start, block) in blocks {
            for (i, row) in block.into_iter().enumerate() {
                matrix[start + i][start..start + row.len()].copy_from_slice(&row);
            }
        }
        let columns = names
            .into_iter()
            .enumerate()
            .map(|(j, name)| (name, Column::Number(matrix.iter().map(|row| row[j]).collect())));
        Table::from_columns(columns)
            .map_err(|e| SamplingError::one("`--joint`", e.to_string(), "rename a unit"))
    }
}

/// `sample.csv` → `sample.csv.design.json`.
pub fn design_path(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".design.json");
    PathBuf::from(name)
}

/// A sample that `draw` wrote, with the design beside it.
///
/// Errors: a file that is not there or is damaged; a sample that was changed after the draw.
pub fn read_drawn(sample: &Path) -> Result<(Table, DesignDocument), SamplingError> {
    let unreadable =
        |file: &Path, reason: String| SamplingError::Unreadable { file: file.display().to_string(), reason };
    let beside = design_path(sample);
    let text = std::fs::read_to_string(&beside).map_err(|e| unreadable(&beside, e.to_string()))?;
    let design: DesignDocument =
        serde_json::from_str(&text).map_err(|e| unreadable(&beside, e.to_string()))?;
    let is_text = sample.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    if is_text {
        let bytes = std::fs::read(sample).map_err(|e| unreadable(sample, e.to_string()))?;
        if hex(&bytes) != design.sample_sha256 {
            return Err(SamplingError::one(
                sample.display().to_string(),
                format!("is not the sample that {} describes", beside.display()),
                "draw it again, or take the file as it was drawn",
            ));
        }
    }
    // Codes keep their zeros: only the design's own columns and coordinates are numbers.
    let read = |types: &Types| Table::read(sample, types).map_err(|e| unreadable(sample, e.to_string()));
    let names: Vec<String> = read(&Types::new())?.names().map(str::to_owned).collect();
    let places: Vec<&String> =
        design.plan.stages.iter().flat_map(|s| s.coordinates.iter().flatten()).collect();
    let is_number = |name: &String| {
        matches!(name.as_str(), "probability" | "weight")
            || ["order_", "p_", "certainty_"].iter().any(|start| name.starts_with(start))
            || places.contains(&name)
    };
    let types = names.into_iter().filter(|n| !is_number(n)).map(|n| (n, Declared::Category)).collect();
    Ok((read(&types)?, design))
}
