//! The log of what was released of one data set and its successors: lines of JSON.

use super::GateError;
use super::questions::Asked;
use super::snapshots::{Interview, SnapshotError, may_follow};
use crate::estimation::EstimationError;
use crate::table::Types;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The data that figures come from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub id: String,
    /// When it was taken, as the caller writes dates.
    pub date: String,
    /// In the order of the data's rows. Ids are the same in every snapshot and go into the log: give marks that tell
    /// nothing, such as keyed hashes whose key is destroyed when the wave closes.
    pub interviews: Vec<Interview>,
}

/// All that went out of one data set and its successors, in order; a line of JSON each.
#[derive(Clone, Debug, Default)]
pub struct ReleaseLog {
    pub(super) lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Snapshot(Taken),
    Release(Release),
    File(ReleasedFile),
}

/// Reduced microdata that are out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReleasedFile {
    pub snapshot: String,
    pub date: String,
    /// SHA-256 of the plan.
    pub plan: String,
    /// Values of the released keys by respondent's mark.
    pub keys: BTreeMap<String, Vec<Option<String>>>,
}

impl ReleasedFile {
    /// Marks of the respondents that can be counted in the file: by the values of up to three keys, and of all.
    pub fn margins(&self) -> BTreeSet<Vec<&str>> {
        let keys = self.keys.values().next().map_or(0, Vec::len).min(16);
        let mut found = BTreeSet::new();
        for chosen in 1_u32..1 << keys {
            if chosen.count_ones() > 3 && chosen.count_ones() as usize != keys {
                continue;
            }
            let mut cells: BTreeMap<Vec<&Option<String>>, Vec<&str>> = BTreeMap::new();
            for (mark, values) in &self.keys {
                let chosen = values.iter().enumerate().filter(|(at, _)| (chosen >> at) & 1 == 1);
                cells.entry(chosen.map(|(_, value)| value).collect()).or_default().push(mark);
            }
            found.extend(cells.into_values());
        }
        found
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    pub id: String,
    pub date: String,
    /// Mark and cluster, sorted: the order of arrival is not kept.
    pub interviews: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Release {
    pub snapshot: String,
    pub date: String,
    /// SHA-256 of what was asked, in its one form.
    pub query: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub types: Types,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub derive: IndexMap<String, String>,
    pub figures: Vec<Logged>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Logged {
    #[serde(flatten)]
    pub asked: Asked,
    /// Respondents; none where they were not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<usize>,
    pub went: Went,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Went {
    Shown,
    /// Shown without the number of its respondents.
    WithoutBase,
    Hidden,
}

/// Why nothing goes out.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    #[error("{0}")]
    Gate(#[from] GateError),
    #[error("snapshot `{snapshot}`: {source}")]
    Snapshot {
        snapshot: String,
        #[source]
        source: SnapshotError,
    },
    #[error("snapshot `{snapshot}` names {interviews} interviews, the data have {rows} rows; name one a row")]
    Rows { snapshot: String, interviews: usize, rows: usize },
    #[error("snapshot `{snapshot}` is in the log with other interviews; give a changed data set a new name")]
    Changed { snapshot: String },
    #[error(
        "the plan has several waves; release the figures of each wave from its own data, so that the log can be asked"
    )]
    Waves,
    #[error("{rows} rows of results do not belong to the plan's requests; give the results of this plan")]
    Foreign { rows: usize },
    #[error("{0}")]
    Estimation(Box<EstimationError>),
    #[error(
        "figures released on {date} cannot be counted again in these data ({source}); give the data with all columns \
         that earlier figures used"
    )]
    Unknown {
        date: String,
        #[source]
        source: Box<EstimationError>,
    },
    #[error(
        "the file would tell {counts} numbers of respondents that earlier releases hid; give coarser steps or fewer keys, \
         or release it before the tables"
    )]
    File { counts: usize },
    #[error("the log of releases, line {line}: {reason}; put back the log as it was written")]
    Log { line: usize, reason: String },
}

impl From<EstimationError> for ReleaseError {
    fn from(source: EstimationError) -> Self {
        Self::Estimation(Box::new(source))
    }
}

impl ReleaseLog {
    /// Reads the log's lines. Errors: [`ReleaseError::Log`].
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let lines = lines.map(|(at, line)| {
            serde_json::from_str(line).map_err(|e| ReleaseError::Log { line: at + 1, reason: e.to_string() })
        });
        Ok(Self { lines: lines.collect::<Result<_, _>>()? })
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines from number `from` (0 is the first) on, to be added to what is stored.
    pub fn lines_from(&self, from: usize) -> String {
        let texts = self.lines.iter().skip(from).filter_map(|line| serde_json::to_string(line).ok());
        texts.map(|text| text + "\n").collect()
    }

    /// Hashes of the queries that were answered, in order.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.releases().map(|release| release.query.as_str())
    }

    /// Cluster by interview's mark, as the snapshots in the log call it.
    pub fn clusters(&self) -> HashMap<&str, &str> {
        let pairs = self.snapshots().flat_map(|taken| &taken.interviews);
        pairs.map(|(mark, cluster)| (mark.as_str(), cluster.as_str())).collect()
    }

    pub(super) fn releases(&self) -> impl Iterator<Item = &Release> {
        self.lines.iter().filter_map(|line| match line {
            Line::Release(release) => Some(release),
            Line::Snapshot(_) | Line::File(_) => None,
        })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &ReleasedFile> {
        self.lines.iter().filter_map(|line| match line {
            Line::File(file) => Some(file),
            Line::Snapshot(_) | Line::Release(_) => None,
        })
    }

    pub(super) fn snapshots(&self) -> impl Iterator<Item = &Taken> {
        self.lines.iter().filter_map(|line| match line {
            Line::Snapshot(taken) => Some(taken),
            Line::Release(_) | Line::File(_) => None,
        })
    }

    /// Rule 20: the snapshot as a line of its own where it is new.
    pub(super) fn admit(&self, snapshot: &Snapshot) -> Result<Option<Taken>, ReleaseError> {
        let interviews: BTreeSet<(String, String)> =
            snapshot.interviews.iter().map(|i| (i.id.clone(), i.cluster.clone())).collect();
        if let Some(known) = self.snapshots().find(|taken| taken.id == snapshot.id) {
            return match known.interviews == interviews {
                true => Ok(None),
                false => Err(ReleaseError::Changed { snapshot: snapshot.id.clone() }),
            };
        }
        let interview =
            |(id, cluster): &(String, String)| Interview { id: id.clone(), cluster: cluster.clone() };
        let released: Vec<Vec<Interview>> =
            self.snapshots().map(|taken| taken.interviews.iter().map(interview).collect()).collect();
        let released: Vec<&[Interview]> = released.iter().map(Vec::as_slice).collect();
        may_follow(&released, &snapshot.interviews)
            .map_err(|source| ReleaseError::Snapshot { snapshot: snapshot.id.clone(), source })?;
        Ok(Some(Taken { id: snapshot.id.clone(), date: snapshot.date.clone(), interviews }))
    }
}
