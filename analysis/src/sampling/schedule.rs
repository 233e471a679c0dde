//! Who is where when: villages shared among teams, day by day, and what speaks against these days.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};
use serde::Serialize;

use super::calendar::{Calendar, WorkingDays, written};
use super::cost::{Teams, Village};
use super::problem::SamplingError;

/// The calendar of the fieldwork. Dates are `2026-08-03`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schedule {
    pub start: String,
    pub end: String,
    /// Days on which somebody works.
    pub working_days: u64,
    pub teams: Vec<TeamPlan>,
    /// By team and week.
    pub weeks: Vec<Week>,
    pub visits: Vec<Visit>,
    /// Seasons that the work falls in.
    pub conflicts: Vec<Conflict>,
    /// With conflicts: the first later start, within a year, that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_start: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TeamPlan {
    pub team: u64,
    pub villages: u64,
    pub households: u64,
    pub team_days: f64,
    pub end: String,
}

/// What a team finishes in a week (Monday to Sunday).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Week {
    pub team: u64,
    pub monday: String,
    pub villages: u64,
    pub households: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Visit {
    pub team: u64,
    pub stratum: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub village: String,
    pub from: String,
    pub to: String,
    pub households: u64,
}

/// Working days that fall in a season to keep clear of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict {
    pub season: String,
    pub days: u64,
    pub from: String,
    pub to: String,
}

/// Longest fieldwork that is planned, in working days.
const LONGEST: usize = 2_000;
/// How far a better start is looked for, in days.
const LOOK_AHEAD: u64 = 366;

/// Gives each village, in order, to the team that is free first (equal ones to the lower number); a team goes on
/// in the middle of a day where the norms have half days.
pub(super) fn plan(
    calendar: &Calendar,
    villages: &[Village],
    teams: Teams,
    warnings: &mut Vec<String>,
) -> Result<Schedule, SamplingError> {
    let days = WorkingDays::of(calendar).map_err(SamplingError::Problems)?;
    let mut load = vec![0.0_f64; teams.count.min(villages.len().max(1) as u64) as usize];
    let mut slots = Vec::with_capacity(villages.len());
    for village in villages {
        let free = load.iter().copied().fold(f64::INFINITY, f64::min);
        let team = load.iter().position(|l| *l == free).unwrap_or_default();
        let end = free + village.team_days();
        slots.push((team, free, end));
        load[team] = end;
    }
    let length = load.iter().copied().fold(0.0, f64::max);
    let needed = (length - 1e-9).ceil().max(1.0) as usize;
    if needed > LONGEST {
        return Err(SamplingError::one(
            "`teams`",
            format!("{needed} working days are needed"),
            format!("give more teams: at most {LONGEST} days are planned"),
        ));
    }
    let dates: Vec<NaiveDate> = days.from(days.start).take(needed).collect();
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else {
        return Err(SamplingError::one(
            "`calendar`, `start`",
            "is too far off",
            "give a date such as 2026-08-03",
        ));
    };
    let first_day = |at: f64| dates[((at + 1e-9).floor() as usize).min(needed - 1)];
    let last_day = |at: f64| dates[((at - 1e-9).ceil() as usize).clamp(1, needed) - 1];

    let mut weeks: BTreeMap<(usize, NaiveDate), (u64, u64)> = BTreeMap::new();
    let mut by_team = vec![(0_u64, 0_u64); load.len()];
    let mut visits = Vec::with_capacity(villages.len());
    for (village, (team, from, to)) in villages.iter().zip(&slots) {
        let (from, to) = (first_day(*from), last_day(*to));
        let week = weeks.entry((*team, monday(to))).or_default();
        *week = (week.0 + 1, week.1 + village.households);
        by_team[*team] = (by_team[*team].0 + 1, by_team[*team].1 + village.households);
        visits.push(Visit {
            team: *team as u64 + 1,
            stratum: village.stratum.clone(),
            village: village.name.clone(),
            from: from.to_string(),
            to: to.to_string(),
            households: village.households,
        });
    }
    let conflicts = conflicts(&days, &dates);
    for conflict in &conflicts {
        warnings.push(format!(
            "{} ngày làm việc rơi vào “{}” (season), từ {} đến {}",
            conflict.days, conflict.season, conflict.from, conflict.to
        ));
    }
    let free_start = if conflicts.is_empty() { None } else { free_start(&days, needed) };
    if let Some(day) = free_start {
        warnings.push(format!("bắt đầu từ {} thì không vướng (first free start)", written(day)));
    }
    if days.lacks_tet(*first) || days.lacks_tet(*last) {
        warnings
            .push("năm này chưa có trong bảng ngày Tết 2024–2035 (Tết dates): tự thêm vào `holidays`".into());
    }
    Ok(Schedule {
        start: first.to_string(),
        end: last.to_string(),
        working_days: needed as u64,
        teams: load
            .iter()
            .zip(&by_team)
            .enumerate()
            .map(|(team, (load, (villages, households)))| TeamPlan {
                team: team as u64 + 1,
                villages: *villages,
                households: *households,
                team_days: *load,
                end: last_day(*load).to_string(),
            })
            .collect(),
        weeks: weeks
            .into_iter()
            .map(|((team, monday), (villages, households))| Week {
                team: team as u64 + 1,
                monday: monday.to_string(),
                villages,
                households,
            })
            .collect(),
        visits,
        conflicts,
        free_start: free_start.map(|day| day.to_string()),
    })
}

fn monday(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday()))).unwrap_or(day)
}

/// Working days by season, with the first and the last of them.
fn conflicts(days: &WorkingDays, dates: &[NaiveDate]) -> Vec<Conflict> {
    let mut found: Vec<(String, BTreeSet<NaiveDate>)> = Vec::new();
    for day in dates {
        for season in days.seasons(*day) {
            match found.iter_mut().find(|(name, _)| name == season) {
                Some((_, own)) => {
                    own.insert(*day);
                }
                None => found.push((season.to_owned(), BTreeSet::from([*day]))),
            }
        }
    }
    found
        .into_iter()
        .filter_map(|(season, own)| {
            let (from, to) = (written(*own.first()?), written(*own.last()?));
            Some(Conflict { season, days: own.len() as u64, from, to })
        })
        .collect()
}

/// The first working day after the start from which the same number of working days is free of seasons.
fn free_start(days: &WorkingDays, needed: usize) -> Option<NaiveDate> {
    let horizon = days.start.checked_add_days(Days::new(LOOK_AHEAD))?;
    let mut run: Option<(NaiveDate, usize)> = None;
    for day in days.from(days.start) {
        if days.seasons(day).next().is_some() {
            if day > horizon {
                return None;
            }
            run = None;
            continue;
        }
        let (start, length) = run.map_or((day, 1), |(start, length)| (start, length + 1));
        if start > horizon {
            return None;
        }
        if length >= needed {
            return Some(start);
        }
        run = Some((start, length));
    }
    None
}
