//! The sampling plan as people write it (contract: "The sampling plan").

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::allocate::Allocation;
use super::problem::Problem;
use super::selection::Method;
use crate::table::Types;

/// A frame, its strata and the stages of the draw.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// File of the frame, relative to the plan's.
    pub frame: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub types: Types,
    /// Columns computed from the frame's, in order.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub derive: IndexMap<String, String>,
    /// Columns that are crossed; none makes one stratum, `all`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub strata: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
    pub stages: Vec<Stage>,
    #[serde(default)]
    pub seed: Option<u64>,
}

/// Strata with fewer first-stage units than `min_units` join the smallest other one that shares `within`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    pub min_units: usize,
    #[serde(default, deserialize_with = "one_or_many")]
    pub within: Vec<String>,
}

/// One stage. The first has an `allocation` or a `take`, the others a `take`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Column with the unit's name; or the name of a column to make, with `of`.
    pub unit: String,
    /// Column with the number of units that the frame does not list: serial numbers 1 … N are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Column with the measure of size. A unit of several rows has their sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    pub method: Method,
    /// Sorting before a systematic draw (implicit stratification); else the frame's own order.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Reserve units a stratum (first stage) or a unit of the stage before.
    #[serde(default)]
    pub reserve: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u64>,
    /// Fixes the start of a systematic draw, 0–1 of the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    /// Columns with the place, for the local pivotal method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<[String; 2]>,
}

impl Plan {
    /// Reads a plan's JSON. Err: the reason, with line and column.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|e| e.to_string())
    }

    /// Number of stages whose units the frame lists; the rest are serial numbers.
    pub(super) fn listed_stages(&self) -> usize {
        self.stages.iter().take_while(|s| s.of.is_none()).count()
    }

    /// What is wrong with the plan itself, before any frame is read.
    pub(super) fn problems(&self, seed: Option<u64>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong =
            |place: String, what: &str, remedy: &str| problems.push(Problem::new(place, what, remedy));
        if seed.or(self.seed).is_none() {
            wrong("`seed`".into(), "is missing", "give a whole number, so that the draw can be repeated");
        }
        if self.stages.is_empty() {
            wrong("`stages`".into(), "there is none", "describe at least one stage");
        }
        let listed = self.listed_stages();
        for (i, stage) in self.stages.iter().enumerate() {
            let place = |field: &str| format!("stage {}, `{field}`", i + 1);
            if i == 0 && stage.of.is_some() {
                wrong(
                    place("of"),
                    "the first stage's units must be in the frame",
                    "name their column in `unit`",
                );
            }
            if i > 0 && stage.allocation.is_some() {
                wrong(place("allocation"), "only the first stage is allocated", "give a `take`");
            }
            match (stage.take, &stage.allocation) {
                (None, None) if i == 0 => {
                    wrong(place("allocation"), "is missing", "give an `allocation`, or a `take` a stratum");
                }
                (None, None) => wrong(place("take"), "is missing", "give the number of units to draw"),
                (Some(_), Some(_)) => {
                    wrong(place("take"), "stands beside an `allocation`", "give one of the two");
                }
                (Some(0), _) => wrong(place("take"), "is 0", "draw at least one unit"),
                _ => {}
            }
            if i > listed {
                wrong(place("unit"), "comes after a stage of serial numbers", "make that stage the last one");
            }
            if stage.of.is_some() && !matches!(stage.method, Method::Srs | Method::Systematic) {
                wrong(
                    place("method"),
                    "needs sizes of units that the frame does not list",
                    "use `srs` or `systematic`",
                );
            }
            if stage.of.is_none() && stage.method.needs_size() && stage.size.is_none() {
                wrong(place("size"), "is missing", "name the column with the measure of size");
            }
            if stage.method == Method::LocalPivotal && stage.coordinates.is_none() {
                wrong(place("coordinates"), "is missing", "name the two columns with the place");
            }
            if stage.start.is_some_and(|u| !(0.0..=1.0).contains(&u)) {
                wrong(place("start"), "is outside 0 to 1", "give a share of the interval");
            }
            if stage.start.is_some() && !stage.method.is_systematic() {
                wrong(place("start"), "is only for systematic draws", "leave it out or change the method");
            }
            if self.stages[..i].iter().any(|before| before.unit == stage.unit) {
                wrong(place("unit"), "is the unit of an earlier stage too", "give each stage its own unit");
            }
        }
        if let Some(merge) = &self.merge {
            for column in merge.within.iter().filter(|c| !self.strata.contains(c)) {
                wrong(
                    "`merge`, `within`".into(),
                    &format!("`{column}` is not one of `strata`"),
                    "name columns that make the strata",
                );
            }
        }
        problems
    }
}

/// A list, or a single text in place of a list of one.
fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<Either>::deserialize(from)? {
        None => Vec::new(),
        Some(Either::One(text)) => vec![text],
        Some(Either::Many(list)) => list,
    })
}
