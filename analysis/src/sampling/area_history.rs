//! Area codes and names of a frame at their date, and carried to the units of a later day.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use surveys::areas::{Area, AreaTree, Carried, NaiveDate, same_name, search_key};

use super::frame::Frame;
use super::plan::Plan;
use super::problem::{Problem, SamplingError, suggestion};
use crate::table::{Column, nearest};

/// Which units a column of the frame names, and to which day they are carried.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaPlan {
    /// Column with codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Column with names as people write them. Without `column` they give the codes, else they are held against them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    /// Where the named units lie: a column with codes of a unit above them, or the code itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    #[serde(default = "commune")]
    pub level: String,
    /// The day at which codes and names hold, 2025-06-30.
    pub date: String,
    /// The day to whose units the rows are carried; adds `new_commune_code` and `new_commune_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// For units that were divided: old code → new code.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub decisions: IndexMap<String, Decision>,
}

/// Where the rows of a divided unit belong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Decision {
    /// All of them in one new unit.
    All(String),
    /// By name of the frame's unit.
    Each(IndexMap<String, String>),
}

fn commune() -> String {
    "commune".into()
}

/// Most spellings that are shown; the rest is counted.
const SHOWN: usize = 10;

/// Resolves every entry of the plan's `areas` and adds its columns. All problems of all entries at once.
pub(super) fn resolve(frame: &mut Frame, plan: &Plan) -> Result<(), SamplingError> {
    let mut problems = Vec::new();
    for areas in &plan.areas {
        let resolved = Resolver::new(areas, frame, plan).and_then(Resolver::run);
        match resolved {
            Ok(Resolved { columns, notes }) => {
                for (name, column) in columns {
                    frame.add(&name, column)?;
                }
                frame.notes.extend(notes);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(SamplingError::Problems(problems)) }
}

/// Whether the plan's `areas` make a column of this name.
pub(super) fn adds(plan: &Plan, column: &str) -> bool {
    plan.areas.iter().any(|areas| {
        let level = &areas.level;
        column == format!("new_{level}_code")
            || column == format!("new_{level}_name")
            || (areas.column.is_none() && column == format!("{level}_code"))
    })
}

struct Resolved {
    columns: Vec<(String, Column)>,
    notes: Vec<String>,
}

struct Resolver<'a> {
    areas: &'a AreaPlan,
    frame: &'a Frame,
    plan: &'a Plan,
    tree: &'static AreaTree,
    date: NaiveDate,
    to: Option<NaiveDate>,
}

impl<'a> Resolver<'a> {
    fn new(areas: &'a AreaPlan, frame: &'a Frame, plan: &'a Plan) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut day = |field: &str, text: &str| -> Option<NaiveDate> {
            let day = text.parse().ok();
            if day.is_none() {
                let what = format!("`{text}` is no date");
                problems.push(Problem::new(format!("`areas`, `{field}`"), what, "write 2025-06-30"));
            }
            day
        };
        let date = day("date", &areas.date);
        let to = areas.to.as_deref().map(|to| day("to", to));
        if let (Some(date), Some(Some(to))) = (date, to)
            && to < date
        {
            problems.push(Problem::new(
                "`areas`, `to`",
                "lies before `date`",
                "people are carried forward only: exchange the two, or leave `to` out",
            ));
        }
        if areas.column.is_none() && areas.names.is_none() {
            problems.push(Problem::new("`areas`", "names no column", "give `column` (codes) or `names`"));
        }
        for column in [&areas.column, &areas.names].into_iter().flatten() {
            if frame.written.get(column).is_none() {
                let what = format!("there is no column `{column}` in {}", frame.file);
                problems.push(Problem::new("`areas`", what, suggestion(column, frame.written.names())));
            }
        }
        if !AreaTree::bundled().areas().iter().any(|area| area.level == areas.level) {
            let what = format!("there is no level `{}`", areas.level);
            let remedy = suggestion(&areas.level, ["commune", "district", "province"]);
            problems.push(Problem::new("`areas`, `level`", what, remedy));
        }
        match (date, problems.is_empty()) {
            (Some(date), true) => {
                Ok(Self { areas, frame, plan, tree: AreaTree::bundled(), date, to: to.flatten() })
            }
            _ => Err(problems),
        }
    }

    fn run(self) -> Result<Resolved, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut notes = Vec::new();
        let rows = self.frame.written.height();
        let units: Vec<Option<&Area>> = match &self.areas.column {
            Some(column) => self.by_code(column, &mut problems, &mut notes),
            None => self.by_name(&mut problems, &mut notes),
        };
        let mut columns = Vec::new();
        let level = &self.areas.level;
        if self.areas.column.is_none() {
            let codes = units.iter().map(|u| u.map(|area| area.code.as_str()));
            columns.push((format!("{level}_code"), Column::from_texts(codes)));
        }
        if let Some(to) = self.to {
            let new = self.carry(&units, to, &mut problems, &mut notes);
            let text = |f: fn(&Area) -> &str| Column::from_texts((0..rows).map(|row| new[row].map(f)));
            columns.push((format!("new_{level}_code"), text(|area| &area.code)));
            columns.push((format!("new_{level}_name"), text(|area| &area.full_name)));
        }
        if problems.is_empty() { Ok(Resolved { columns, notes }) } else { Err(problems) }
    }

    /// Rows by the text of a cell, in order of the text; empty cells are problems.
    fn rows_by_text(&self, column: &str, problems: &mut Vec<Problem>) -> BTreeMap<String, Vec<usize>> {
        let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let Some(cells) = self.frame.written.get(column) else { return rows };
        for row in 0..cells.len() {
            match cells.text(row) {
                Some(text) => rows.entry(text.trim().to_owned()).or_default().push(row),
                None => problems.push(Problem::new(
                    format!("{}, column `{column}`", self.frame.place(row, self.plan)),
                    "is empty",
                    "every row needs its area: fill it in",
                )),
            }
        }
        rows
    }

    fn place(&self, rows: &[usize], column: &str) -> String {
        let more = match rows.len() {
            1 => String::new(),
            n => format!(" (and {} more lines)", n - 1),
        };
        format!("{}{more}, column `{column}`", self.frame.place(rows[0], self.plan))
    }

    fn by_code(
        &self,
        column: &str,
        problems: &mut Vec<Problem>,
        notes: &mut Vec<String>,
    ) -> Vec<Option<&'static Area>> {
        let (level, date) = (&self.areas.level, self.date);
        let mut units = vec![None; self.frame.written.height()];
        let mut spelt = Vec::new();
        for (code, rows) in self.rows_by_text(column, problems) {
            let Some(area) = self.tree.find(level, &code, date) else {
                let what = format!("`{code}` is no code of a {level} on {date}");
                problems.push(Problem::new(self.place(&rows, column), what, self.meant(&code)));
                continue;
            };
            let names = self.areas.names.as_ref().and_then(|names| self.frame.written.get(names));
            let mut seen: Vec<String> = Vec::new();
            for row in rows {
                units[row] = Some(area);
                let Some(text) = names.and_then(|names| names.text(row)) else { continue };
                if seen.iter().any(|s| *s == text) {
                    continue;
                }
                seen.push(text.to_string());
                match spelling(&text, area) {
                    Spelling::Same => {}
                    Spelling::Form | Spelling::ByKey => {
                        spelt.push(format!("`{text}` is {} ({code})", area.full_name))
                    }
                    Spelling::Other => problems.push(Problem::new(
                        self.frame.place(row, self.plan),
                        format!("`{code}` on {date} is {}, the frame calls it `{text}`", area.full_name),
                        "correct the code, the name, or `date`",
                    )),
                }
            }
        }
        show(spelt, notes);
        units
    }

    /// What a code may have been meant for.
    fn meant(&self, code: &str) -> String {
        let (level, date) = (self.areas.level.as_str(), self.date);
        let digits = match level {
            "province" => 2,
            "district" => 3,
            _ => 5,
        };
        let padded = format!("{code:0>digits$}");
        if let Some(area) = self.tree.find(level, &padded, date) {
            return format!(
                "did you mean `{padded}` ({})? Codes keep their leading zeros; save the column as text",
                area.full_name
            );
        }
        let other = self.tree.areas().iter().find(|area| area.level == level && area.code == code);
        if let Some(area) = other {
            let from = area.valid_from.map_or_else(String::new, |day| format!(" from {day}"));
            let to = area.valid_to.map_or_else(String::new, |day| format!(" to {day}"));
            return format!("it was the code of {}{from}{to}: correct `date`, or the code", area.full_name);
        }
        let known: Vec<&str> = self
            .tree
            .areas()
            .iter()
            .filter(|area| area.level == level && area.is_valid(date))
            .map(|area| area.code.as_str())
            .collect();
        match nearest(code, known).and_then(|near| self.tree.find(level, near, date)) {
            Some(area) => format!("did you mean `{}` ({})?", area.code, area.full_name),
            None => "look the code up in the list of administrative units".into(),
        }
    }

    fn by_name(&self, problems: &mut Vec<Problem>, notes: &mut Vec<String>) -> Vec<Option<&'static Area>> {
        let mut units = vec![None; self.frame.written.height()];
        let Some(names) = &self.areas.names else { return units };
        let within = self.areas.within.as_ref();
        let column = within.and_then(|within| self.frame.written.get(within));
        let mut spelt = Vec::new();
        for (name, rows) in self.rows_by_text(names, problems) {
            let mut by_parent: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
            for row in rows {
                let parent = match column {
                    Some(cells) => cells.text(row).map(|text| text.trim().to_owned()),
                    None => within.cloned(),
                };
                by_parent.entry(parent).or_default().push(row);
            }
            for (parent, rows) in by_parent {
                let found = self.called(&name, parent.as_deref());
                match found.as_slice() {
                    [area] => {
                        if spelling(&name, area) != Spelling::Same {
                            spelt.push(format!("`{name}` is {} ({})", area.full_name, area.code));
                        }
                        rows.iter().for_each(|row| units[*row] = Some(*area));
                    }
                    [] => problems.push(Problem::new(
                        self.place(&rows, names),
                        format!("no {} is called `{name}` on {}", self.areas.level, self.date),
                        self.similar(&name, parent.as_deref()),
                    )),
                    several => problems.push(Problem::new(
                        self.place(&rows, names),
                        format!("`{name}` may be {}", listed(several)),
                        "give `within`, a column with the code of the unit above, or correct the name",
                    )),
                }
            }
        }
        show(spelt, notes);
        units
    }

    /// Units below `parent` whose name has the same key; of these the best spelt.
    fn called(&self, name: &str, parent: Option<&str>) -> Vec<&'static Area> {
        let key = search_key(name);
        let below = |area: &&Area| {
            area.level == self.areas.level
                && area.is_valid(self.date)
                && parent.is_none_or(|code| {
                    self.tree.ancestors(area, self.date).iter().any(|above| above.code == code)
                })
        };
        let areas = self.tree.areas().iter();
        let mut found: Vec<&Area> = areas
            .filter(|area| area.search_key == key || search_key(&area.full_name) == key)
            .filter(below)
            .collect();
        if let Some(best) = found.iter().map(|area| spelling(name, area)).min() {
            found.retain(|area| spelling(name, area) == best);
        }
        found
    }

    fn similar(&self, name: &str, parent: Option<&str>) -> String {
        let key = search_key(name);
        let units: Vec<&Area> = self
            .tree
            .areas()
            .iter()
            .filter(|area| area.level == self.areas.level && area.is_valid(self.date))
            .filter(|area| parent.is_none_or(|code| area.parent_code.as_deref() == Some(code)))
            .collect();
        let full: Vec<String> = units.iter().map(|area| search_key(&area.full_name)).collect();
        let keys = units.iter().map(|area| area.search_key.as_str()).chain(full.iter().map(String::as_str));
        let near = nearest(&key, keys);
        let near = near.and_then(|near| {
            let named = |(area, full): &(&&Area, &String)| area.search_key == near || *full == near;
            units.iter().zip(&full).find(named).map(|(area, _)| area)
        });
        match near {
            Some(area) => format!("did you mean `{}` ({})?", area.full_name, area.code),
            None => "correct the name, or give codes".into(),
        }
    }

    /// Each row's unit on the day `to`.
    fn carry(
        &self,
        units: &[Option<&'static Area>],
        to: NaiveDate,
        problems: &mut Vec<Problem>,
        notes: &mut Vec<String>,
    ) -> Vec<Option<&'static Area>> {
        let level = &self.areas.level;
        let mut rows_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (row, area) in units.iter().enumerate() {
            if let Some(area) = area {
                rows_of.entry(area.code.as_str()).or_default().push(row);
            }
        }
        let mut new = vec![None; units.len()];
        let mut changed = 0;
        for (code, rows) in &rows_of {
            let old = units[rows[0]].map_or("", |area| area.full_name.as_str());
            match self.tree.carry(level, code, self.date, to) {
                Carried::Whole(area) => {
                    changed += usize::from(area.code != *code || area.full_name != old);
                    rows.iter().for_each(|row| new[*row] = Some(area));
                }
                Carried::Divided(choices) => {
                    changed += 1;
                    self.decide(code, old, rows, &choices, to, &mut new, problems);
                }
                Carried::Unknown | Carried::Gone => problems.push(Problem::new(
                    format!("{}, {level} `{code}`", self.frame.file),
                    format!("{old} has no {level} that took its place by {to}"),
                    "carry another level, or leave `to` out",
                )),
            }
        }
        for code in self.areas.decisions.keys().filter(|code| !rows_of.contains_key(code.as_str())) {
            problems.push(Problem::new(
                format!("`areas`, `decisions`, `{code}`"),
                format!("no row of {} lies there", self.frame.file),
                suggestion(code, rows_of.keys().copied()),
            ));
        }
        notes.push(format!(
            "{} units of level {level} are carried from {} to {to}; {changed} of them changed name, code or borders",
            rows_of.len(),
            self.date
        ));
        new
    }

    /// A divided unit: each row goes where the plan says.
    #[allow(clippy::too_many_arguments)]
    fn decide(
        &self,
        code: &str,
        old: &str,
        rows: &[usize],
        choices: &[&'static Area],
        to: NaiveDate,
        new: &mut [Option<&'static Area>],
        problems: &mut Vec<Problem>,
    ) {
        let place = format!("`areas`, `decisions`, `{code}`");
        let unit = |row: usize| -> String {
            let stage = self.plan.listed_stages().checked_sub(1).and_then(|i| self.plan.stages.get(i));
            stage.map_or_else(
                || format!("line {}", self.frame.line(row)),
                |stage| self.frame.text(&stage.unit, row),
            )
        };
        let names = |rows: &[usize]| {
            let mut names: Vec<String> = rows.iter().take(SHOWN).map(|row| unit(*row)).collect();
            if rows.len() > SHOWN {
                names.push(format!("… {} in all", rows.len()));
            }
            names.join(", ")
        };
        let example = choices.first().map_or("", |area| area.code.as_str());
        let chosen = |text: &str| choices.iter().find(|area| area.code == text).copied();
        let wrong = |text: &str| {
            Problem::new(
                &place,
                format!("`{text}` is none of the units that {old} went to"),
                format!("choose {}", listed(choices)),
            )
        };
        match self.areas.decisions.get(code) {
            None => problems.push(Problem::new(
                place.clone(),
                format!(
                    "{old} was divided by {to} among {}; the list does not say which village went where ({})",
                    listed(choices),
                    names(rows)
                ),
                format!(
                    "write `\"{code}\": \"{example}\"`, or one by one `\"{code}\": {{\"{}\": \"{example}\", …}}`",
                    unit(rows[0])
                ),
            )),
            Some(Decision::All(text)) => match chosen(text) {
                Some(area) => rows.iter().for_each(|row| new[*row] = Some(area)),
                None => problems.push(wrong(text)),
            },
            Some(Decision::Each(each)) => {
                let mut missing = Vec::new();
                for row in rows {
                    match each.get(&unit(*row)) {
                        None => missing.push(*row),
                        Some(text) => match chosen(text) {
                            Some(area) => new[*row] = Some(area),
                            None => problems.push(wrong(text)),
                        },
                    }
                }
                if !missing.is_empty() {
                    let what = format!("{} of {old} are not decided", names(&missing));
                    problems.push(Problem::new(&place, what, format!("choose {}", listed(choices))));
                }
                let known: Vec<String> = rows.iter().map(|row| unit(*row)).collect();
                for name in each.keys().filter(|name| !known.contains(name)) {
                    let what = format!("`{name}` is no unit of {old} in the frame");
                    let remedy = suggestion(name, known.iter().map(String::as_str));
                    problems.push(Problem::new(&place, what, remedy));
                }
            }
        }
    }
}

/// How a name in the frame relates to the list's, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spelling {
    /// The name or the full name.
    Same,
    /// Case and the place of a tone mark apart: `Hoà` for `Hòa`.
    Form,
    /// The same letters, other or no marks: `Hoa`.
    ByKey,
    Other,
}

pub(super) fn spelling(text: &str, area: &Area) -> Spelling {
    let (text, names) = (text.trim(), [area.name.as_str(), area.full_name.as_str()]);
    let key = search_key(text);
    if names.contains(&text) {
        Spelling::Same
    } else if names.iter().any(|name| same_name(name, text)) {
        Spelling::Form
    } else if key == area.search_key || key == search_key(&area.full_name) {
        Spelling::ByKey
    } else {
        Spelling::Other
    }
}

fn listed(areas: &[&Area]) -> String {
    let names: Vec<String> = areas.iter().map(|area| format!("{} ({})", area.full_name, area.code)).collect();
    names.join(" or ")
}

/// One note of all spellings that were matched by key.
fn show(mut spelt: Vec<String>, notes: &mut Vec<String>) {
    if spelt.is_empty() {
        return;
    }
    let all = spelt.len();
    spelt.truncate(SHOWN);
    let more = if all > SHOWN { format!(" … {all} in all") } else { String::new() };
    notes.push(format!("spellings matched with the list of units: {}{more}", spelt.join("; ")));
}
