//! The thresholds of the gate (protection.md rules 17–19): an installation may tighten them, not loosen them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the gate holds back. The defaults are the loosest that are allowed; [`Rules::tightened`] keeps it so.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Smallest positive count of respondents that may be seen.
    pub min_count: usize,
    /// Fewest primary sampling units behind a figure.
    pub min_clusters: usize,
    /// Smallest base of a percentage, mean or total.
    pub min_base: usize,
    /// Below this base a figure is shown, but marked as unreliable.
    pub cautious_base: usize,
    /// Variables under rule 18.
    pub sensitive: BTreeSet<String>,
    /// Rule 18: the largest share of one answer …
    pub max_share: f64,
    /// … on a base smaller than this.
    pub dominated_base: usize,
    /// Columns that hold the ethnic group.
    pub ethnicity: BTreeSet<String>,
    /// Columns that hold an area smaller than a former district (commune, village, reporting area).
    pub small_areas: BTreeSet<String>,
    /// Codes of ethnic groups that are shown alone for the whole province only.
    pub small_ethnic_groups: BTreeSet<String>,
    /// Smallest base of an ethnic group shown alone.
    pub min_ethnic_base: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            min_count: 10,
            min_clusters: 3,
            min_base: 30,
            cautious_base: 100,
            sensitive: BTreeSet::new(),
            max_share: 0.9,
            dominated_base: 100,
            ethnicity: BTreeSet::new(),
            small_areas: BTreeSet::new(),
            small_ethnic_groups: BTreeSet::new(),
            min_ethnic_base: 50,
        }
    }
}

impl Rules {
    /// These rules, each threshold at least as tight as the default (rule 22).
    #[must_use]
    pub fn tightened(mut self) -> Self {
        let floor = Self::default();
        self.min_count = self.min_count.max(floor.min_count);
        self.min_clusters = self.min_clusters.max(floor.min_clusters);
        self.min_base = self.min_base.max(floor.min_base);
        self.cautious_base = self.cautious_base.max(self.min_base);
        self.max_share =
            if self.max_share.is_nan() { floor.max_share } else { self.max_share.min(floor.max_share) };
        self.dominated_base = self.dominated_base.max(floor.dominated_base);
        self.min_ethnic_base = self.min_ethnic_base.max(floor.min_ethnic_base);
        self
    }
}
