//! Units counted in the field: the second stage is drawn among the dwellings that were listed.
//!
//! A listing has the columns of the units above and the `of` column with the listed number; `released`, the number
//! of reserves that were released, may stand beside it. A unit that was divided has one row a `segment`. One segment is
//! drawn, with probability proportional to `estimate` (a quick count) where all segments have one, else to the listed
//! number; or all alike, where the plan says so. With quick counts only the drawn segment has to be listed.

use std::collections::HashMap;

use surveys::chance::Chance;

use super::frame::MOST_UNITS;
use super::plan::{Plan, SegmentMethod, Stage};
use super::problem::{Problem, SamplingError, suggestion};
use super::sample::Segment;
use crate::table::Table;

/// The listed number of units by the path of the unit that holds them.
pub(super) struct Listing {
    parts: HashMap<String, Vec<Part>>,
    of: String,
}

/// One line of the listing: a unit, or a segment of one.
struct Part {
    line: usize,
    segment: Option<String>,
    estimate: Option<f64>,
    /// Not yet known of segments that have an estimate.
    units: Option<usize>,
    released: usize,
}

/// Units listed (if they are yet), reserves released, and the segment they lie in.
pub(super) type Listed = (Option<usize>, usize, Option<Segment>);

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
        let cell = |column: &str, row: usize| table.get(column).and_then(|c| c.text(row));
        let number = |column: &str, row: usize| crate::table::parse_number(&cell(column, row)?);
        let whole = |column: &str, row: usize| -> Option<usize> {
            let value = number(column, row)?;
            (value >= 0.0 && value.fract() == 0.0 && value <= MOST_UNITS).then_some(value as usize)
        };
        let reserve = plan.stages[stage - 1].reserve;
        let mut parts: HashMap<String, Vec<Part>> = HashMap::new();
        for row in 0..table.height() {
            let line = row + 2;
            let text = |column: &str| cell(column, row).unwrap_or_default().trim().to_owned();
            let path = parents.iter().map(|s| text(&s.unit)).collect::<Vec<_>>().join("/");
            let segment = Some(text("segment")).filter(|name| !name.is_empty());
            let name = segment.as_ref().map_or(path.clone(), |segment| format!("{path}, segment {segment}"));
            let at = format!("listing, line {line} ({name})");
            let mut wrong = |what: String, remedy: String| problems.push(Problem::new(&at, what, remedy));
            let estimate = number("estimate", row).filter(|x| *x >= 0.0);
            if estimate.is_none() && !text("estimate").is_empty() {
                wrong(format!("`estimate` is `{}`", text("estimate")), "give a number, 0 or more".into());
                continue;
            }
            let units = whole(&of, row);
            // A segment with a quick count is listed only if it is drawn.
            if units.is_none() && !(segment.is_some() && estimate.is_some() && text(&of).is_empty()) {
                let what = format!("`{of}` is `{}`", text(&of));
                wrong(what, "give the number of listed units, 0 or more".into());
                continue;
            }
            let released = if text("released").is_empty() { Some(0) } else { whole("released", row) };
            let Some(released) = released.filter(|r| *r as u64 <= reserve) else {
                let what = format!("`released` is `{}`", text("released"));
                wrong(what, format!("give a whole number up to the reserve, {reserve}"));
                continue;
            };
            let others = parts.entry(path).or_default();
            if let Some(before) = others.iter().find(|other| other.segment == segment) {
                wrong(format!("is on line {} already", before.line), "list each unit once".into());
                continue;
            }
            if let Some(before) = others.iter().find(|other| other.segment.is_some() != segment.is_some()) {
                let what =
                    format!("is divided into segments here or on line {}, but not on both", before.line);
                wrong(what, "give each of its lines a `segment`, or none".into());
                continue;
            }
            others.push(Part { line, segment, estimate, units, released });
        }
        for (path, segments) in &parts {
            let missing = segments.iter().find(|part| part.estimate.is_none());
            if let (Some(part), true) = (missing, segments.iter().any(|part| part.units.is_none())) {
                problems.push(Problem::new(
                    format!("listing, line {} ({path})", part.line),
                    "has no `estimate`, as other segments of this unit have",
                    "give the quick count of each segment, or list all of them",
                ));
            }
        }
        if problems.is_empty() {
            Ok(Self { parts, of })
        } else {
            problems.sort_by_key(|problem| line_of(&problem.place));
            Err(SamplingError::Problems(problems))
        }
    }

    /// What was listed below the unit with this path; of a divided unit, in the segment that is drawn. `None`: it was not
    /// listed.
    pub(super) fn draw(&self, path: &str, stage: &Stage, seed: u64) -> Option<Result<Listed, SamplingError>> {
        let parts = self.parts.get(path)?;
        if let [Part { segment: None, units, released, .. }] = parts.as_slice() {
            return Some(Ok((*units, *released, None)));
        }
        let estimated = parts.iter().all(|part| part.estimate.is_some());
        let measure = |part: &Part| match (stage.segments.unwrap_or_default().method, estimated) {
            (SegmentMethod::Equal, _) => 1.0,
            (SegmentMethod::Size, true) => part.estimate.unwrap_or_default(),
            (SegmentMethod::Size, false) => part.units.unwrap_or_default() as f64,
        };
        let sizes: Vec<f64> = parts.iter().map(measure).collect();
        let drawn = Chance::new(seed, &format!("segment/{path}")).weighted(&sizes);
        let Some(at) = drawn else {
            return Some(Err(SamplingError::one(
                format!("listing, line {} ({path})", parts[0].line),
                "all its segments are empty",
                "give it one line without `segment` and the number 0",
            )));
        };
        let part = &parts[at];
        let segment = part
            .segment
            .as_ref()
            .map(|name| Segment { name: name.clone(), p: sizes[at] / sizes.iter().sum::<f64>() });
        Some(Ok((part.units, part.released, segment)))
    }

    /// Units that were listed but not drawn are an error; drawn ones that are not listed yet a warning.
    pub(super) fn compare(&self, drawn: &[String], warnings: &mut Vec<String>) -> Result<(), SamplingError> {
        let here: std::collections::HashSet<&str> = drawn.iter().map(String::as_str).collect();
        let mut strange: Vec<(usize, &String)> = self
            .parts
            .iter()
            .filter(|(path, _)| !here.contains(path.as_str()))
            .flat_map(|(path, parts)| parts.iter().map(move |part| (part.line, path)))
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
            drawn.iter().filter(|p| !self.parts.contains_key(*p)).map(String::as_str).collect();
        if !waiting.is_empty() {
            warnings.push(format!("not listed yet (`{}` unknown): {}", self.of, waiting.join(", ")));
        }
        Ok(())
    }
}

/// The line in `listing, line 17 (…)`, for sorting.
fn line_of(place: &str) -> usize {
    let digits: String =
        place.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}
