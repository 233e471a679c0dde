//! What a survey costs: norms by terrain × a drawn sample, or numbers by stratum, to a budget by line and stratum
//! (requirement R37). All money is in VND; each cell is rounded to the dong, sums are sums of the cells.

use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::document::read_drawn;
use super::draw::draw;
use super::plan::Plan;
use super::problem::{Problem, SamplingError, suggestion};
use super::schedule::{self, Schedule};
use crate::table::Table;

/// Norms and the work they are applied to. One of `sample`, `sampling`, `strata` says what the work is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostPlan {
    #[serde(default)]
    pub name: String,
    /// A drawn sample with its design beside it, relative to the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// A sampling plan: the sample is drawn in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
    /// Numbers by stratum, before any draw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strata: Vec<StratumWork>,
    /// Which terrain a village lies in.
    pub terrain: TerrainOf,
    pub terrains: IndexMap<String, Terrain>,
    pub norms: Norms,
    pub teams: Teams,
    /// Share of the drawn households that answer: pay and gifts follow it, time does not (visits are made anyway).
    #[serde(default = "all")]
    pub response_rate: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
}

fn all() -> f64 {
    1.0
}

/// A stratum's work: its villages share the households as evenly as whole numbers allow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumWork {
    pub stratum: String,
    pub villages: u64,
    /// Drawn households of all villages together.
    pub households: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terrain: Option<String>,
}

/// A column of the sample and the terrain of its values; `default` for all others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerrainOf {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub of: IndexMap<String, String>,
    pub default: String,
}

/// What differs by terrain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terrain {
    /// Shown name.
    pub name: String,
    /// An interview.
    pub pay: f64,
    /// Households that one enumerator visits a day.
    pub interviews_a_day: f64,
    /// Days of travel of a team, there and back, for each village.
    pub travel_days: f64,
    /// A day of travel of a team.
    #[serde(default)]
    pub vehicle: f64,
    /// A day in the village.
    #[serde(default)]
    pub guide: f64,
    #[serde(default)]
    pub interpreter: f64,
}

/// What is the same everywhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Norms {
    /// A person and day in the field or on the way.
    #[serde(default)]
    pub per_diem: f64,
    /// The list of dwellings of a village.
    #[serde(default)]
    pub listing: f64,
    /// A respondent.
    #[serde(default)]
    pub gift: f64,
    /// A drawn household.
    #[serde(default)]
    pub printing: f64,
    /// A day of a team's supervisor.
    #[serde(default)]
    pub supervision: f64,
    #[serde(default)]
    pub training: Training,
    /// Further lines of the whole survey.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub other: IndexMap<String, f64>,
    /// Share of everything else.
    #[serde(default)]
    pub contingency: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    #[serde(default)]
    pub days: f64,
    /// A person and day.
    #[serde(default)]
    pub per_person: f64,
    /// Hall, trainers, material.
    #[serde(default)]
    pub fixed: f64,
}

/// Each team has so many enumerators and one supervisor.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teams {
    pub count: u64,
    pub enumerators: u64,
}

impl Teams {
    /// People of one team.
    pub fn people(self) -> f64 {
        (self.enumerators + 1) as f64
    }
}

/// A village's work.
#[derive(Clone, Debug, PartialEq)]
pub struct Village {
    pub stratum: String,
    /// Empty where nothing is drawn yet.
    pub name: String,
    pub terrain: String,
    pub households: u64,
    /// Households that are expected to answer, not rounded.
    pub interviews: f64,
    /// Whole days.
    pub field_days: f64,
    pub travel_days: f64,
}

impl Village {
    /// Days of a team.
    pub fn team_days(&self) -> f64 {
        self.field_days + self.travel_days
    }
}

/// The answer of `sample cost`.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    pub name: String,
    pub currency: &'static str,
    pub total: f64,
    /// In the order of a budget.
    pub lines: Vec<Line>,
    pub strata: Vec<StratumCost>,
    pub villages: u64,
    pub households: u64,
    pub interviews: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A line of the budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub line: String,
    pub amount: f64,
    /// In the order of the strata; empty for a line of the whole survey.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_stratum: Vec<f64>,
}

/// A stratum's part of the lines that belong to strata, contingency included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StratumCost {
    pub stratum: String,
    /// Names of its terrains.
    pub terrain: String,
    pub villages: u64,
    pub households: u64,
    pub interviews: f64,
    pub team_days: f64,
    pub amount: f64,
    /// Of one more village or household: `cost` of an allocation.
    pub per_village: f64,
    pub per_household: f64,
}

/// What a village costs in each stratum of a cost plan: the `cost` of an allocation. `file` lies in `folder`.
pub fn per_village(folder: &Path, file: &str) -> Result<IndexMap<String, f64>, SamplingError> {
    let path = folder.join(file);
    let unreadable = |reason: String| SamplingError::Unreadable { file: file.to_owned(), reason };
    let text = std::fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?;
    let plan: CostPlan = serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
    let estimate = plan.estimate(path.parent().unwrap_or(folder))?;
    Ok(estimate.strata.into_iter().map(|s| (s.stratum, s.per_village)).collect())
}

const CONTINGENCY: &str = "Dự phòng (contingency)";

impl CostPlan {
    /// Budget and schedule. `folder`: what the plan's paths are relative to. All problems of the plan at once.
    pub fn estimate(&self, folder: &Path) -> Result<Estimate, SamplingError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(SamplingError::Problems(problems));
        }
        let villages = self.villages(folder)?;
        let mut strata: IndexMap<&str, Vec<&Village>> = IndexMap::new();
        for village in &villages {
            strata.entry(&village.stratum).or_default().push(village);
        }
        let mut lines: Vec<Line> = self.by_stratum(&strata);
        let plain = |line: &str, amount: f64| Line {
            line: line.to_owned(),
            amount: amount.round(),
            by_stratum: Vec::new(),
        };
        let norms = &self.norms;
        let people = self.teams.count as f64 * self.teams.people();
        let training = people * norms.training.days * norms.training.per_person + norms.training.fixed;
        lines.push(plain("Tập huấn (training)", training));
        lines.extend(norms.other.iter().map(|(name, amount)| plain(name, *amount)));
        let whole: f64 = lines.iter().filter(|l| l.by_stratum.is_empty()).map(|l| l.amount).sum();
        let mut spare: Vec<f64> = (0..strata.len())
            .map(|h| lines.iter().filter_map(|l| l.by_stratum.get(h)).sum::<f64>() * norms.contingency)
            .map(f64::round)
            .collect();
        let costs: Vec<f64> = (0..strata.len())
            .map(|h| lines.iter().filter_map(|l| l.by_stratum.get(h)).sum::<f64>() + spare[h])
            .collect();
        let common = (whole * norms.contingency).round();
        let amount = spare.iter().sum::<f64>() + common;
        lines.push(Line { line: CONTINGENCY.into(), amount, by_stratum: std::mem::take(&mut spare) });
        let costs =
            strata.iter().zip(costs).map(|((name, own), amount)| self.cost_of(name, own, amount)).collect();
        let mut warnings = Vec::new();
        let schedule = match &self.calendar {
            Some(calendar) => Some(schedule::plan(calendar, &villages, self.teams, &mut warnings)?),
            None => None,
        };
        Ok(Estimate {
            name: self.name.clone(),
            currency: "VND",
            total: lines.iter().map(|l| l.amount).sum(),
            lines,
            strata: costs,
            villages: villages.len() as u64,
            households: villages.iter().map(|v| v.households).sum(),
            interviews: villages.iter().map(|v| v.interviews).sum(),
            schedule,
            warnings,
        })
    }

    fn by_stratum(&self, strata: &IndexMap<&str, Vec<&Village>>) -> Vec<Line> {
        let norms = &self.norms;
        let people = self.teams.people();
        let of = |village: &Village| &self.terrains[&village.terrain];
        type Price<'a> = Box<dyn Fn(&Village) -> f64 + 'a>;
        let prices: [(&str, Price<'_>); 9] = [
            ("Công phỏng vấn (interviews)", Box::new(|v| v.interviews * of(v).pay)),
            ("Lập bảng kê hộ (listing)", Box::new(|_| norms.listing)),
            ("Người dẫn đường (guides)", Box::new(|v| v.field_days * of(v).guide)),
            ("Người phiên dịch (interpreters)", Box::new(|v| v.field_days * of(v).interpreter)),
            ("Công tác phí (per diem)", Box::new(move |v| v.team_days() * people * norms.per_diem)),
            ("Đi lại (travel)", Box::new(|v| v.travel_days * of(v).vehicle)),
            ("Giám sát (supervision)", Box::new(|v| v.team_days() * norms.supervision)),
            ("Quà cho người trả lời (gifts)", Box::new(|v| v.interviews * norms.gift)),
            ("In phiếu, thẻ (printing)", Box::new(|v| v.households as f64 * norms.printing)),
        ];
        prices
            .iter()
            .map(|(line, price)| {
                let by_stratum: Vec<f64> =
                    strata.values().map(|own| own.iter().map(|v| price(v)).sum::<f64>().round()).collect();
                Line { line: (*line).to_owned(), amount: by_stratum.iter().sum(), by_stratum }
            })
            .collect()
    }

    fn cost_of(&self, name: &str, own: &[&Village], amount: f64) -> StratumCost {
        let mut terrains: Vec<&str> = own.iter().map(|v| self.terrains[&v.terrain].name.as_str()).collect();
        terrains.sort_unstable();
        terrains.dedup();
        let households: u64 = own.iter().map(|v| v.households).sum();
        StratumCost {
            stratum: name.to_owned(),
            terrain: terrains.join(", "),
            villages: own.len() as u64,
            households,
            interviews: own.iter().map(|v| v.interviews).sum(),
            team_days: own.iter().map(|v| v.team_days()).sum(),
            amount,
            per_village: amount / own.len() as f64,
            per_household: amount / households as f64,
        }
    }

    /// The work, village by village, in the order of the strata.
    fn villages(&self, folder: &Path) -> Result<Vec<Village>, SamplingError> {
        if let Some(file) = &self.sample {
            let (sample, design) = read_drawn(&folder.join(file))?;
            return self.drawn(&sample, &design.plan, file);
        }
        if let Some(file) = &self.sampling {
            let path = folder.join(file);
            let unreadable = |reason: String| SamplingError::Unreadable { file: file.clone(), reason };
            let text = std::fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?;
            let plan = Plan::from_json(&text).map_err(unreadable)?;
            let drawn = draw(&plan, path.parent().unwrap_or(folder), None)?;
            return self.drawn(&drawn.sample, &plan, file);
        }
        let mut villages = Vec::new();
        for work in &self.strata {
            let terrain = work.terrain.as_ref().unwrap_or(&self.terrain.default);
            for i in 0..work.villages {
                let households =
                    work.households / work.villages + u64::from(i < work.households % work.villages);
                villages.push(self.village(&work.stratum, "", terrain, households));
            }
        }
        Ok(villages)
    }

    /// The main villages of a sample with their main households.
    fn drawn(&self, sample: &Table, plan: &Plan, file: &str) -> Result<Vec<Village>, SamplingError> {
        let unit = plan.stages[0].unit.as_str();
        for column in [Some(unit), self.terrain.column.as_deref()].into_iter().flatten() {
            if sample.get(column).is_none() {
                let what = format!("there is no column `{column}`");
                return Err(SamplingError::one(file, what, suggestion(column, sample.names())));
            }
        }
        let text = |column: &str, row: usize| {
            sample.get(column).and_then(|c| c.text(row)).unwrap_or_default().into_owned()
        };
        let mut counts: IndexMap<(String, String), (usize, u64)> = IndexMap::new();
        for row in (0..sample.height()).filter(|row| text("role", *row) == "main") {
            counts.entry((text("stratum", row), text(unit, row))).or_insert((row, 0)).1 += 1;
        }
        Ok(counts
            .into_iter()
            .map(|((stratum, name), (row, households))| {
                let value = self.terrain.column.as_ref().map(|column| text(column, row)).unwrap_or_default();
                let terrain = self.terrain.of.get(&value).unwrap_or(&self.terrain.default);
                self.village(&stratum, &name, terrain, households)
            })
            .collect())
    }

    fn village(&self, stratum: &str, name: &str, terrain: &str, households: u64) -> Village {
        let norm = &self.terrains[terrain];
        let a_day = norm.interviews_a_day * self.teams.enumerators as f64;
        Village {
            stratum: stratum.into(),
            name: name.into(),
            terrain: terrain.into(),
            households,
            interviews: households as f64 * self.response_rate,
            field_days: (households as f64 / a_day - 1e-9).ceil(),
            travel_days: norm.travel_days,
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong =
            |place: String, what: &str, remedy: &str| problems.push(Problem::new(place, what, remedy));
        let given = [self.sample.is_some(), self.sampling.is_some(), !self.strata.is_empty()]
            .iter()
            .filter(|g| **g)
            .count();
        if given != 1 {
            wrong("plan".into(), "needs one of `sample`, `sampling`, `strata`", "give exactly one of them");
        }
        if self.teams.count == 0 || self.teams.enumerators == 0 {
            wrong("`teams`".into(), "are empty", "give `count` and `enumerators`, 1 or more each");
        }
        if !(self.response_rate > 0.0 && self.response_rate <= 1.0) {
            wrong("`response_rate`".into(), "is not a share above 0", "give a number such as 0.9");
        }
        let named = std::iter::once(("`terrain`, `default`".to_owned(), &self.terrain.default))
            .chain(self.terrain.of.iter().map(|(v, t)| (format!("`terrain`, `of`, `{v}`"), t)))
            .chain(
                self.strata
                    .iter()
                    .filter_map(|s| Some((format!("stratum `{}`", s.stratum), s.terrain.as_ref()?))),
            );
        for (place, terrain) in named.filter(|(_, terrain)| !self.terrains.contains_key(*terrain)) {
            let remedy = suggestion(terrain, self.terrains.keys().map(String::as_str));
            wrong(place, &format!("the terrain `{terrain}` is not in `terrains`"), &remedy);
        }
        for work in &self.strata {
            if work.villages == 0 || work.households < work.villages || work.villages > 1_000_000 {
                let remedy = "give at least one village, and a household or more for each";
                wrong(format!("stratum `{}`", work.stratum), "has no villages, or fewer households", remedy);
            }
        }
        let good = |v: f64| v.is_finite() && v >= 0.0;
        for (name, t) in &self.terrains {
            let numbers = [t.pay, t.travel_days, t.vehicle, t.guide, t.interpreter];
            let fast = t.interviews_a_day.is_finite() && t.interviews_a_day > 0.0;
            if !(numbers.into_iter().all(good) && fast) {
                let remedy = "give amounts of 0 or more, and `interviews_a_day` above 0";
                wrong(format!("terrain `{name}`"), "has an impossible number", remedy);
            }
        }
        let n = &self.norms;
        let numbers = [
            n.per_diem,
            n.listing,
            n.gift,
            n.printing,
            n.supervision,
            n.contingency,
            n.training.days,
            n.training.per_person,
            n.training.fixed,
        ];
        if !numbers.into_iter().chain(n.other.values().copied()).all(good) {
            wrong("`norms`".into(), "have an impossible number", "give amounts of 0 or more");
        }
        problems
    }
}
