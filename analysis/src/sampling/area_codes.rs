//! Area codes of a frame are held against the list of administrative units.
//!
//! Checked are columns with the frame's usual names: `commune_code`, `district_code`, `province_code` hold units in
//! force since 1 July 2025 (districts: until then), `old_…` the units before it. A column with codes of somebody's
//! own (none of them official, none of the official length) is left alone.

use std::collections::{BTreeMap, BTreeSet};

use surveys::areas::{Area, AreaTree, search_key};

use super::area_history::{self, AreaPlan, Spelling, spelling};
use super::frame::Frame;
use super::plan::Plan;
use super::problem::Problem;
use crate::table::nearest;

/// Column of codes, column with the names beside it, level, digits of a code, whether the units are those before
/// 1 July 2025.
const COLUMNS: [(&str, &str, &str, usize, bool); 6] = [
    ("commune_code", "commune_name", "commune", 5, false),
    ("district_code", "district_name", "district", 3, true),
    ("province_code", "province_name", "province", 2, false),
    ("old_commune_code", "old_commune_name", "commune", 5, true),
    ("old_district_code", "old_district_name", "district", 3, true),
    ("old_province_code", "old_province_name", "province", 2, true),
];

/// One problem for each code that is in no list, with the first line it stands on.
pub(super) fn problems(frame: &Frame, plan: &Plan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (column, names, level, digits, old) in COLUMNS {
        // What the plan's `areas` names has its own date.
        let own = |areas: &AreaPlan| areas.column.as_deref() == Some(column);
        let made = plan.derive.contains_key(column) || area_history::adds(plan, column);
        if made || plan.areas.iter().any(own) {
            continue;
        }
        let Some(cells) = frame.written.get(column) else { continue };
        let mut lines: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..cells.len() {
            if let Some(code) = cells.text(row) {
                lines.entry(code.trim().to_owned()).or_default().push(row);
            }
        }
        let units = units(level, old);
        let known: Vec<&Area> = lines.keys().filter_map(|code| units.get(code.as_str()).copied()).collect();
        let official = |code: &String| code.len() == digits && code.bytes().all(|b| b.is_ascii_digit());
        if known.is_empty() && !lines.keys().any(official) {
            continue;
        }
        let parents: BTreeSet<Option<&str>> = known.iter().map(|area| area.parent_code.as_deref()).collect();
        for (code, rows) in lines.iter().filter(|(code, _)| !units.contains_key(code.as_str())) {
            let name = frame.written.get(names).and_then(|cells| cells.text(rows[0]));
            let more = match rows.len() {
                1 => String::new(),
                n => format!(" (and {} more lines)", n - 1),
            };
            let when = if old { "before 1 July 2025" } else { "since 1 July 2025" };
            problems.push(Problem::new(
                format!("{}, column `{column}`", frame.place(rows[0], plan)),
                format!("`{code}`{more} is no code of a {level} {when}"),
                remedy(code, name.as_deref(), (column, level, digits, old), &units, &parents),
            ));
        }
    }
    problems
}

/// The units of a level by code, before or since the units of 1 July 2025.
fn units(level: &str, old: bool) -> BTreeMap<&'static str, &'static Area> {
    let (Ok(last_day), Ok(first_day)) = ("2025-06-30".parse(), "2025-07-01".parse()) else {
        return BTreeMap::new();
    };
    let areas = AreaTree::bundled().areas().iter().filter(|area| area.level == level);
    areas
        .filter(|area| match old {
            true => area.is_valid(last_day),
            false => area.is_valid(first_day) || area.valid_to.is_none(),
        })
        .map(|area| (area.code.as_str(), area))
        .collect()
}

/// The code that was probably meant: with its zeros, the one with the name that stands beside it, or the nearest
/// one under the same units as the frame's other codes.
fn remedy(
    code: &str,
    name: Option<&str>,
    (column, level, digits, old): (&str, &str, usize, bool),
    units: &BTreeMap<&'static str, &'static Area>,
    parents: &BTreeSet<Option<&str>>,
) -> String {
    let meant = |area: &Area| format!("did you mean `{}` ({})?", area.code, area.full_name);
    let padded = format!("{code:0>digits$}");
    if let Some(area) = units.get(padded.as_str()) {
        return format!("{} Codes keep their leading zeros; save the column as text", meant(area));
    }
    // A code of the time before, with its own name or none beside it.
    let before = "2025-06-30".parse().ok().and_then(|day| AreaTree::bundled().find(level, code, day));
    if let Some(area) =
        before.filter(|area| !old && name.is_none_or(|n| spelling(n, area) != Spelling::Other))
    {
        return format!(
            "it was {} until 2025-06-30: carry the codes with \
             `\"areas\": {{\"column\": \"{column}\", \"date\": \"2025-06-30\", \"to\": \"2025-07-01\"}}`",
            area.full_name
        );
    }
    let beside: Vec<&&Area> =
        units.values().filter(|area| parents.contains(&area.parent_code.as_deref())).collect();
    if let Some(name) = name {
        let key = search_key(name);
        let mut called =
            beside.iter().filter(|area| search_key(&area.full_name) == key || area.search_key == key);
        if let (Some(area), None) = (called.next(), called.next()) {
            return meant(area);
        }
    }
    match nearest(code, beside.iter().map(|area| area.code.as_str())).and_then(|near| units.get(near)) {
        Some(area) => meant(area),
        None => "look the code up in the list of administrative units, and correct it".to_owned(),
    }
}
