//! Earlier answers: what they tell about today's counts, and about the people who came or went in between.
//!
//! An answer about the same data tells counts. One about other data (an earlier snapshot) tells, beside today's, how
//! many came or went: that difference is a table nobody asked for, and must be as safe as one (protection.md rule 20).

use super::counts::{Counts, Key};
use super::protection::ProtectError;
use super::snapshots::INTERVIEWS;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An earlier answer of the command.
#[derive(Clone, Debug)]
pub(super) struct Released {
    file: PathBuf,
    tables: Vec<ReleasedTable>,
    rounded: Option<RoundedTo>,
}

/// How the counts of an answer were rounded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RoundedTo {
    pub base: usize,
    /// Of the data and the seed; tells nothing to who does not have both.
    pub fingerprint: String,
}

/// As it was written.
#[derive(Clone, Debug, Deserialize)]
struct Answer {
    tables: Vec<ReleasedTable>,
    #[serde(default)]
    rounded: Option<RoundedTo>,
}

#[derive(Clone, Debug, Deserialize)]
struct ReleasedTable {
    cells: Vec<ReleasedCell>,
}

#[derive(Clone, Debug, Deserialize)]
struct ReleasedCell {
    key: IndexMap<String, Option<String>>,
    n: Option<usize>,
}

impl ReleasedCell {
    fn key(&self) -> Key {
        self.key.iter().filter_map(|(column, code)| Some((column.clone(), code.clone()?))).collect()
    }
}

impl Released {
    /// `file`: as the plan names it, relative to `folder`.
    pub fn read(file: &Path, folder: &Path) -> Result<Self, ProtectError> {
        let path = folder.join(file);
        let error = |message: String| ProtectError::File {
            file: path.clone(),
            what: "an earlier answer (JSON)",
            message,
        };
        let text = std::fs::read_to_string(&path).map_err(|e| error(e.to_string()))?;
        let answer: Answer = serde_json::from_str(&text).map_err(|e| error(e.to_string()))?;
        Ok(Self { file: file.to_owned(), tables: answer.tables, rounded: answer.rounded })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// `None` where its counts are exact or hidden.
    pub fn rounded(&self) -> Option<&RoundedTo> {
        self.rounded.as_ref()
    }

    /// The columns of each table.
    pub fn tables(&self) -> Vec<Vec<String>> {
        let columns = |t: &ReleasedTable| t.cells.first().map(|c| c.key.keys().cloned().collect());
        self.tables.iter().filter_map(columns).collect()
    }

    /// Every cell; `None` was hidden.
    pub fn cells(&self) -> impl Iterator<Item = (Key, Option<usize>)> {
        self.tables.iter().flat_map(|t| &t.cells).map(|c| (c.key(), c.n))
    }

    /// Cells whose count was shown.
    pub fn shown(&self) -> impl Iterator<Item = (Key, usize)> {
        self.cells().filter_map(|(key, n)| Some((key, n?)))
    }

    /// True where a shown count is not today's.
    pub fn is_of_other_data(&self, counts: &Counts) -> bool {
        self.shown().any(|(key, n)| counts.today(&key) != n)
    }

    /// Refuses an answer about other data that came or went by too few interviews.
    ///
    /// Counted are the interviews that must have come or gone for the shown counts to differ as they do: over cells
    /// that nobody is in twice, all rises and falls.
    pub fn refuse_if_too_near(&self, counts: &Counts) -> Result<(), ProtectError> {
        let mut apart: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        let cells: BTreeMap<Key, usize> = self.shown().collect();
        for (key, n) in &cells {
            if key.keys().any(|column| counts.is_sum(column, key)) {
                continue;
            }
            *apart.entry(key.keys().cloned().collect()).or_default() += counts.today(key).abs_diff(*n);
        }
        match apart.into_values().max() {
            Some(interviews) if interviews > 0 && interviews < INTERVIEWS => {
                Err(ProtectError::TooNear { file: self.file.clone(), interviews, least: INTERVIEWS })
            }
            _ => Ok(()),
        }
    }
}
