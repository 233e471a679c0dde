//! Which small groups are shown together (protection.md rule 19), decided before estimation.

use super::Rules;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// Where each group goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// Group code → code under which it is shown.
    pub shown_as: IndexMap<String, String>,
    /// Groups that are shown together.
    pub together: BTreeSet<String>,
}

/// Puts the ethnic groups that may not be shown alone under one code, `other`.
///
/// `counts`: respondents by group code. A group goes to `other` when it is named in
/// `rules.small_ethnic_groups` or has fewer than `rules.min_ethnic_base` respondents; when `other` would itself
/// stay below that base, the smallest remaining groups join it, so that it is no disguise for one group.
pub fn merge_small_groups(counts: &IndexMap<String, usize>, rules: &Rules, other: &str) -> Merged {
    let rules = rules.clone().tightened();
    let mut together: BTreeSet<String> = counts
        .iter()
        .filter(|(code, n)| {
            rules.small_ethnic_groups.contains(*code) || **n < rules.min_ethnic_base || *code == other
        })
        .map(|(code, _)| code.clone())
        .collect();
    let mut rest: Vec<(usize, &String)> =
        counts.iter().filter(|(code, _)| !together.contains(*code)).map(|(code, n)| (*n, code)).collect();
    rest.sort();
    let mut rest = rest.into_iter();
    let size = |together: &BTreeSet<String>| -> usize { together.iter().filter_map(|c| counts.get(c)).sum() };
    while !together.is_empty() && (size(&together) < rules.min_ethnic_base || together.len() < 2) {
        let Some((_, next)) = rest.next() else { break };
        together.insert(next.clone());
    }
    let shown_as = counts
        .keys()
        .map(|code| (code.clone(), if together.contains(code) { other.to_owned() } else { code.clone() }))
        .collect();
    Merged { shown_as, together }
}
