//! The sampling plan as people write it (contract: "The sampling plan").

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::allocate::Allocation;
use super::area_history::AreaPlan;
use super::coordination::Coordinate;
use super::problem::{Problem, SamplingError};
use super::quota;
use super::selection::Method;
use crate::table::Types;

/// A frame, its strata and the stages of the draw.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What kind of sample it is; without the field a probability sample.
    #[serde(default, skip_serializing_if = "Design::is_probability")]
    pub design: Design,
    /// Not for probability samples: how people are found, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// Not for probability samples: interviews by cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<Quota>,
    /// File of the frame, relative to the plan's. Only a sample that is no probability sample may have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub frame: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub types: Types,
    /// Columns of the frame with area codes or names, their date, and the day they are carried to.
    #[serde(default, deserialize_with = "one_or_list", skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<AreaPlan>,
    /// Columns computed from the frame's, in order.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub derive: IndexMap<String, String>,
    /// Columns that are crossed; none makes one stratum, `all`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub strata: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
    #[serde(default)]
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

/// Whether the draw is one of known probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    #[default]
    Probability,
    /// Interviewers fill cells as they find people.
    Quota,
    /// People were invited and came, or not.
    Invited,
}

impl Design {
    /// The name in a plan, and the mark in the sample's `design` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Quota => "quota",
            Self::Invited => "invited",
        }
    }

    pub(super) fn is_probability(&self) -> bool {
        *self == Self::Probability
    }
}

/// How many interviews a cell shall have: `{"sex": "female", "age": "18-29", "n": 12}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quota {
    pub n: u64,
    /// Column → value.
    #[serde(flatten)]
    pub cell: IndexMap<String, serde_json::Value>,
}

/// How a unit divided into segments at listing gives one of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Segments {
    /// Units with more than this are to be divided; undivided ones are named in a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
    pub method: SegmentMethod,
}

/// Probabilities of the segments of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentMethod {
    /// Proportional to the quick count (`estimate`), else to the listed number.
    #[default]
    Size,
    Equal,
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
    /// First stage: permanent numbers, so that a chosen share of an earlier sample is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinate: Option<Coordinate>,
    /// With `of`: how a large unit that was divided into segments at listing gives one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<Segments>,
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

    /// The plan with its texts in NFC, the form in which tables are read.
    pub(super) fn normalised(&self) -> Result<Self, SamplingError> {
        let wrong = |e: serde_json::Error| SamplingError::one("the plan", e.to_string(), "correct it");
        let text = serde_json::to_string(self).map_err(wrong)?;
        if is_nfc(&text) {
            return Ok(self.clone());
        }
        serde_json::from_str(&text.nfc().collect::<String>()).map_err(wrong)
    }

    /// What is wrong with the plan itself, before any frame is read.
    pub(super) fn problems(&self, seed: Option<u64>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong =
            |place: String, what: &str, remedy: &str| problems.push(Problem::new(place, what, remedy));
        if seed.or(self.seed).is_none() && (self.design.is_probability() || !self.stages.is_empty()) {
            wrong("`seed`".into(), "is missing", "give a whole number, so that the draw can be repeated");
        }
        if self.stages.is_empty() && self.design.is_probability() {
            wrong("`stages`".into(), "there is none", "describe at least one stage");
        }
        if self.frame.is_empty() && (self.design.is_probability() || !self.stages.is_empty()) {
            wrong("`frame`".into(), "is missing", "name the file with the list of units");
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
            if let Some(coordinate) = &stage.coordinate {
                if i > 0 {
                    wrong(
                        place("coordinate"),
                        "only the first stage's units have permanent numbers",
                        "move it there",
                    );
                } else if !stage.method.takes_numbers() {
                    wrong(
                        place("coordinate"),
                        &format!("`{}` cannot be drawn by permanent numbers", stage.method.name()),
                        "use `srs`, `pps_correlated` or `pps_poisson`",
                    );
                }
                match (&coordinate.with, coordinate.keep) {
                    (Some(_), None) => wrong(place("keep"), "is missing", "give the share to keep, 0 to 1"),
                    (None, Some(_)) => {
                        wrong(place("with"), "is missing", "name the earlier sample, or leave `keep` out")
                    }
                    (_, Some(keep)) if !(0.0..=1.0).contains(&keep) => wrong(
                        place("keep"),
                        "is outside 0 to 1",
                        "give the share of the earlier sample to keep",
                    ),
                    _ => {}
                }
            }
            if stage.segments.is_some() && stage.of.is_none() {
                wrong(place("segments"), "is only for units that are listed in the field", "give `of`");
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
        problems.extend(quota::problems(self));
        problems
    }
}

/// A list, or a single entry in place of a list of one.
fn one_or_list<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let list = match value {
        serde_json::Value::Array(list) => list,
        one => vec![one],
    };
    list.into_iter().map(|one| T::deserialize(one).map_err(serde::de::Error::custom)).collect()
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
