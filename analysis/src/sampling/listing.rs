//! Units counted in the field: the second stage is drawn among the dwellings that were listed.

use std::collections::HashMap;

use super::frame::MOST_UNITS;
use super::plan::Plan;
use super::problem::{Problem, SamplingError, suggestion};
use crate::table::Table;

/// The listed number of units by the path of the unit that holds them.
pub(super) struct Listing {
    /// Path → (units listed, reserves released, line in the file).
    counts: HashMap<String, (usize, usize, usize)>,
    of: String,
}

impl Listing {
    /// Reads a listing for `stage`; all problems at once.
    pub(super) fn read(plan: &Plan, stage: usize, table: &Table) -> Result<Self, SamplingError> {
        let place = "`--stage`";
        let Some(of) = stage.checked_sub(1).and_then(|i| plan.stages.get(i)).and_then(|s| s.of.clone())
        else {
            let what = format!("stage {stage} of the plan does not draw serial numbers");
            return Err(SamplingError::one(place, what, "name the stage that has `of`"));
        };
        let parents = &plan.stages[..stage - 1];
        let mut problems = Vec::new();
        for column in parents.iter().map(|s| &s.unit).chain([&of]) {
            if table.get(column).is_none() {
                let what = format!("there is no column `{column}`");
                problems.push(Problem::new("listing", what, suggestion(column, table.names())));
            }
        }
        if !problems.is_empty() {
            return Err(SamplingError::Problems(problems));
        }
        let whole = |column: &str, row: usize| -> Option<usize> {
            let value = crate::table::parse_number(&table.get(column)?.text(row)?)?;
            (value >= 0.0 && value.fract() == 0.0 && value <= MOST_UNITS).then_some(value as usize)
        };
        let mut counts: HashMap<String, (usize, usize, usize)> = HashMap::new();
        for row in 0..table.height() {
            let line = row + 2;
            let text =
                |column: &str| table.get(column).and_then(|c| c.text(row)).unwrap_or_default().into_owned();
            let path = parents.iter().map(|s| text(&s.unit)).collect::<Vec<_>>().join("/");
            let at = format!("listing, line {line} ({path})");
            let Some(units) = whole(&of, row) else {
                let what = format!("`{of}` is `{}`", text(&of));
                problems.push(Problem::new(at, what, "give the number of listed units, 0 or more"));
                continue;
            };
            let released = if table.get("released").is_some_and(|c| !c.is_missing(row)) {
                whole("released", row)
            } else {
                Some(0)
            };
            let reserve = plan.stages[stage - 1].reserve;
            let Some(released) = released.filter(|r| *r as u64 <= reserve) else {
                let what = format!("`released` is `{}`", text("released"));
                problems.push(Problem::new(
                    at,
                    what,
                    format!("give a whole number up to the reserve, {reserve}"),
                ));
                continue;
            };
            if let Some((.., before)) = counts.insert(path, (units, released, line)) {
                problems.push(Problem::new(
                    at,
                    format!("is on line {before} already"),
                    "list each unit once",
                ));
            }
        }
        if problems.is_empty() { Ok(Self { counts, of }) } else { Err(SamplingError::Problems(problems)) }
    }

    /// Listed units and released reserves below the unit with this path.
    pub(super) fn of(&self, path: &str) -> Option<(usize, usize)> {
        self.counts.get(path).map(|(units, released, _)| (*units, *released))
    }

    /// Units that were listed but not drawn are an error; drawn ones that are not listed yet a warning.
    pub(super) fn compare(&self, drawn: &[String], warnings: &mut Vec<String>) -> Result<(), SamplingError> {
        let mut strange: Vec<(&usize, &String)> = self
            .counts
            .iter()
            .filter(|(path, _)| !drawn.contains(path))
            .map(|(path, (.., line))| (line, path))
            .collect();
        strange.sort();
        if !strange.is_empty() {
            return Err(SamplingError::Problems(
                strange
                    .into_iter()
                    .map(|(line, path)| {
                        Problem::new(
                            format!("listing, line {line} ({path})"),
                            "this unit is not in the sample of the stage before",
                            "check its name, and that plan, frame and seed are those of the draw",
                        )
                    })
                    .collect(),
            ));
        }
        let waiting: Vec<&str> =
            drawn.iter().filter(|p| !self.counts.contains_key(*p)).map(String::as_str).collect();
        if !waiting.is_empty() {
            warnings.push(format!("not listed yet (`{}` unknown): {}", self.of, waiting.join(", ")));
        }
        Ok(())
    }
}
