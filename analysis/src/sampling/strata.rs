//! Strata: values joined by `/`, small ones merged with the smallest neighbour.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Merge;

/// A stratum and its first-stage units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formed {
    /// Values joined by `/`; of a merged stratum `024/Mong+Tay`.
    pub name: String,
    /// Positions of the units, ascending.
    pub units: Vec<usize>,
    /// Names of the strata that were joined; empty if none was.
    pub merged_from: Vec<String>,
}

/// Forms strata from the units by their values of the strata columns. Sorted by name; warnings say what was merged.
pub fn form(
    columns: &[String],
    cells: BTreeMap<Vec<String>, Vec<usize>>,
    merge: Option<&Merge>,
) -> (Vec<Formed>, Vec<String>) {
    let name = |values: &[String]| if values.is_empty() { "all".to_owned() } else { values.join("/") };
    let Some(merge) = merge else {
        let formed = cells.into_iter().map(|(values, units)| Formed {
            name: name(&values),
            units,
            merged_from: Vec::new(),
        });
        return (sorted(formed.collect()), Vec::new());
    };
    let within: Vec<usize> = (0..columns.len()).filter(|c| merge.within.contains(&columns[*c])).collect();
    let mut neighbours: BTreeMap<Vec<String>, Vec<Group>> = BTreeMap::new();
    for (values, units) in cells {
        let shared = within.iter().map(|c| values[*c].clone()).collect();
        neighbours.entry(shared).or_default().push(Group { cells: vec![values], units });
    }
    let mut formed = Vec::new();
    let mut warnings = Vec::new();
    for mut groups in neighbours.into_values() {
        // Smallest first, equal ones by name: the position after sorting by name.
        let mut by_size: BTreeSet<(usize, usize)> =
            groups.iter().enumerate().map(|(i, g)| (g.units.len(), i)).collect();
        while let Some((size, small)) = by_size.pop_first() {
            if size >= merge.min_units {
                break;
            }
            let Some((_, other)) = by_size.pop_first() else {
                let names: Vec<String> = groups[small].cells.iter().map(|v| name(v)).collect();
                warnings.push(format!(
                    "stratum `{}` has {size} units, fewer than `min_units` {}, and no neighbour to merge with",
                    names.join("+"),
                    merge.min_units
                ));
                break;
            };
            let from = std::mem::take(&mut groups[small]);
            groups[other].cells.extend(from.cells);
            groups[other].units.extend(from.units);
            by_size.insert((groups[other].units.len(), other));
        }
        for mut group in groups.into_iter().filter(|g| !g.cells.is_empty()) {
            group.cells.sort();
            group.units.sort_unstable();
            let mut from: Vec<String> = group.cells.iter().map(|v| name(v)).collect();
            let joined = merged_name(&group.cells);
            if from.len() > 1 {
                warnings.push(format!(
                    "strata {} are merged into `{joined}` ({} units)",
                    from.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", "),
                    group.units.len()
                ));
            } else {
                from.clear();
            }
            formed.push(Formed { name: joined, units: group.units, merged_from: from });
        }
    }
    (sorted(formed), warnings)
}

#[derive(Default)]
struct Group {
    cells: Vec<Vec<String>>,
    units: Vec<usize>,
}

fn sorted(mut formed: Vec<Formed>) -> Vec<Formed> {
    formed.sort_by(|a, b| a.name.cmp(&b.name));
    formed
}

/// `024/Mong+Tay` where one column differs; else the full names joined by `+`, which no other stratum can have.
fn merged_name(cells: &[Vec<String>]) -> String {
    if cells[0].is_empty() {
        return "all".into();
    }
    let values: Vec<Vec<&str>> = (0..cells[0].len())
        .map(|c| {
            let mut values: Vec<&str> = cells.iter().map(|v| v[c].as_str()).collect();
            values.sort_unstable();
            values.dedup();
            values
        })
        .collect();
    if values.iter().filter(|v| v.len() > 1).count() <= 1 {
        values.iter().map(|v| v.join("+")).collect::<Vec<_>>().join("/")
    } else {
        cells.iter().map(|v| v.join("/")).collect::<Vec<_>>().join("+")
    }
}
