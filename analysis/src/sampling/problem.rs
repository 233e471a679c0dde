//! What can be wrong with a plan or a frame: each problem says where, what, and what now.

use std::fmt;

use surveys::areas::search_key;

use crate::table::nearest;

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, row and column, or the plan's field: `frame.csv, row 17`.
    pub place: String,
    pub what: String,
    /// What to do now.
    pub remedy: String,
}

impl Problem {
    pub fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum SamplingError {
    /// Everything that is wrong, at once.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    #[error("{file}: cannot be read: {reason}; check the path and that the file is UTF-8 text")]
    Unreadable { file: String, reason: String },
    #[error("{file}: cannot be written: {reason}; check that the folder exists and may be written to")]
    Unwritable { file: String, reason: String },
    #[error("{file}: is not a valid plan: {reason}")]
    PlanSyntax { file: String, reason: String },
}

impl SamplingError {
    /// A single problem.
    pub fn one(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Problems(vec![Problem::new(place, what, remedy)])
    }
}

impl From<Problem> for SamplingError {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}

/// Most problems that are written out; whoever has more corrects by rule, not by line.
const SHOWN: usize = 500;

fn lines(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(SHOWN).map(Problem::to_string).collect();
    if problems.len() > SHOWN {
        lines.push(format!("and {} more", problems.len() - SHOWN));
    }
    lines.join("\n")
}

/// "did you mean `adults`?" for a name that is nearly one of `known`, else the list of what there is.
pub(crate) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    // Before counting letters: the same name without marks, in other case, with other signs between words.
    let key = search_key(name);
    let same = known.iter().copied().find(|k| search_key(k) == key && !key.is_empty());
    match same.or_else(|| nearest(name, known.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("there are {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "))
        }
    }
}
