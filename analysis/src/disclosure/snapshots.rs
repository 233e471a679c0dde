//! Snapshots (protection.md rule 20): figures come from them, and two released ones never differ by a few people.
//!
//! Someone who has two releases can subtract them: what is left is the people who came between. So these must be
//! many enough, as if they were a table of their own; and so must those be who come after the last early release,
//! else the final figures could never follow it.

use std::collections::BTreeSet;

/// Fewest interviews between two released snapshots …
pub(super) const INTERVIEWS: usize = 30;
/// … and clusters that they come from.
const CLUSTERS: usize = 3;

/// The second snapshot tells too much about too few.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error(
        "the snapshots differ by {interviews} interviews from {clusters} clusters, fewer than {INTERVIEWS} from \
         {CLUSTERS}; wait for more interviews, or release figures of the earlier snapshot"
    )]
    TooNear { interviews: usize, clusters: usize },
    #[error(
        "only {received} interviews have come in, too few to hold back the last {INTERVIEWS} from {CLUSTERS} \
         clusters; wait for more"
    )]
    TooEarly { received: usize },
}

/// An interview in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interview {
    /// The same in every snapshot.
    pub id: String,
    pub cluster: String,
}

/// How many interviews an early snapshot takes: all but the last that are together at least 30 from 3 clusters, so
/// that the final snapshot can always follow it.
///
/// `received`: all interviews, in the order of arrival.
///
/// Errors: [`SnapshotError::TooEarly`] where nothing would be left.
pub fn early_snapshot(received: &[Interview]) -> Result<usize, SnapshotError> {
    let mut clusters = BTreeSet::new();
    for (held_back, interview) in received.iter().rev().enumerate() {
        if held_back >= INTERVIEWS && clusters.len() >= CLUSTERS {
            return Ok(received.len() - held_back);
        }
        clusters.insert(&interview.cluster);
    }
    Err(SnapshotError::TooEarly { received: received.len() })
}

/// Whether figures of `next` may be released when those of `released` are out: it differs from each of them by
/// nothing, or by at least 30 interviews from 3 clusters. Interviews that came and interviews that went (withdrawn)
/// both count.
///
/// An edited interview has another id, or the caller counts it twice: as gone and as come.
///
/// Errors: [`SnapshotError::TooNear`], with the narrowest difference.
pub fn may_follow(released: &[&[Interview]], next: &[Interview]) -> Result<(), SnapshotError> {
    let next: BTreeSet<&Interview> = next.iter().collect();
    let apart = released.iter().map(|earlier| {
        let earlier: BTreeSet<&Interview> = earlier.iter().collect();
        let between: Vec<&Interview> = earlier.symmetric_difference(&next).copied().collect();
        let clusters: BTreeSet<&String> = between.iter().map(|i| &i.cluster).collect();
        (between.len(), clusters.len())
    });
    let too_near = |(interviews, clusters): &(usize, usize)| {
        *interviews > 0 && (*interviews < INTERVIEWS || *clusters < CLUSTERS)
    };
    match apart.filter(too_near).min() {
        Some((interviews, clusters)) => Err(SnapshotError::TooNear { interviews, clusters }),
        None => Ok(()),
    }
}
