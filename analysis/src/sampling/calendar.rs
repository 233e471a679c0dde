//! Days on which fieldwork can go on: rest days, public holidays, and the seasons to keep clear of.
//!
//! The first day of Tết and the Hùng kings' day are those of the Vietnamese calendar: new moons at UTC+7
//! (Quyết định 121-CP of 1967). Table computed after Meeus, *Astronomical Algorithms*, chapter 49; in 2030 the
//! Vietnamese Tết is a day before the Chinese new year. The test computes the new moons again.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

use super::problem::{Problem, suggestion};

/// Month and day, from 1.
type MonthDay = (u32, u32);

/// Year, first day of Tết, Hùng kings' day (10th of the third month).
const LUNAR: [(i32, MonthDay, MonthDay); 12] = [
    (2024, (2, 10), (4, 18)),
    (2025, (1, 29), (4, 7)),
    (2026, (2, 17), (4, 26)),
    (2027, (2, 6), (4, 16)),
    (2028, (1, 26), (4, 4)),
    (2029, (2, 13), (4, 23)),
    (2030, (2, 2), (4, 12)),
    (2031, (1, 23), (4, 1)),
    (2032, (2, 11), (4, 19)),
    (2033, (1, 31), (4, 9)),
    (2034, (2, 19), (4, 28)),
    (2035, (2, 8), (4, 17)),
];

/// Years of the table.
pub const YEARS: std::ops::RangeInclusive<i32> = 2024..=2035;

/// First day of Tết; none outside [`YEARS`].
pub fn tet(year: i32) -> Option<NaiveDate> {
    let (year, (month, day), _) = LUNAR.iter().find(|(y, ..)| *y == year)?;
    NaiveDate::from_ymd_opt(*year, *month, *day)
}

/// The Hùng kings' day; none outside [`YEARS`].
pub fn hung_kings(year: i32) -> Option<NaiveDate> {
    let (year, _, (month, day)) = LUNAR.iter().find(|(y, ..)| *y == year)?;
    NaiveDate::from_ymd_opt(*year, *month, *day)
}

/// The name of the public holiday on this day. Fixed days, the Hùng kings' day, and Tết from its eve to the
/// fourth day; days that are settled year by year (beside 2 September, in place of a Sunday) belong in the plan.
///
/// Source: Bộ luật Lao động 2019, article 112.
pub fn holiday(day: NaiveDate) -> Option<&'static str> {
    match (day.month(), day.day()) {
        (1, 1) => return Some("Tết Dương lịch"),
        (4, 30) => return Some("Ngày Chiến thắng"),
        (5, 1) => return Some("Quốc tế Lao động"),
        (9, 2) => return Some("Quốc khánh"),
        _ => {}
    }
    if hung_kings(day.year()) == Some(day) {
        return Some("Giỗ Tổ Hùng Vương");
    }
    let after = day.signed_duration_since(tet(day.year())?).num_days();
    (-1..=3).contains(&after).then_some("Tết Nguyên đán")
}

/// The calendar of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// First day in the field, `2026-08-03`.
    pub start: String,
    /// Days of the week without work: `sunday`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest_days: Vec<String>,
    /// Holidays beyond the public ones, `2026-09-01`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// Seasons to keep clear of; work in them is warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Season>,
}

/// A season that comes back every year: by months, by days, or around Tết.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    pub name: String,
    /// 1–12.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<u32>,
    /// `MM-DD`, with `to`; may run over the end of the year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Days before and after the first day of Tết.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tet: Option<Around>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Around {
    pub before: u32,
    pub after: u32,
}

enum Rule {
    Months(Vec<u32>),
    Days(MonthDay, MonthDay),
    Tet(Around),
}

/// A checked calendar.
pub struct WorkingDays {
    pub start: NaiveDate,
    rest: Vec<Weekday>,
    holidays: Vec<NaiveDate>,
    seasons: Vec<(String, Rule)>,
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

fn month_day(text: &str) -> Option<MonthDay> {
    let (month, day) = text.split_once('-')?;
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    // A leap year has every day that a year can have.
    NaiveDate::from_ymd_opt(2024, month, day).map(|_| (month, day))
}

impl WorkingDays {
    /// Checks a plan's calendar; all problems at once.
    pub fn of(plan: &Calendar) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut date = |place: &str, text: &str| {
            let read = text.parse::<NaiveDate>().ok();
            if read.is_none() {
                problems.push(Problem::new(place, format!("is `{text}`"), "give a date such as 2026-08-03"));
            }
            read
        };
        let start = date("`calendar`, `start`", &plan.start).unwrap_or_default();
        let holidays = plan.holidays.iter().filter_map(|t| date("`calendar`, `holidays`", t)).collect();
        let mut rest = Vec::new();
        for name in &plan.rest_days {
            match WEEKDAYS.iter().find(|(known, _)| known == name) {
                Some((_, day)) => rest.push(*day),
                None => problems.push(Problem::new(
                    "`calendar`, `rest_days`",
                    format!("`{name}` is unknown"),
                    suggestion(name, WEEKDAYS.map(|(known, _)| known)),
                )),
            }
        }
        rest.sort_by_key(Weekday::num_days_from_monday);
        rest.dedup();
        if rest.len() == 7 {
            problems.push(Problem::new("`calendar`, `rest_days`", "leave no day for work", "leave one out"));
        }
        let mut seasons = Vec::new();
        for season in &plan.blocked {
            let place = format!("`calendar`, `blocked`, `{}`", season.name);
            let days = season.from.as_deref().map(month_day).zip(season.to.as_deref().map(month_day));
            let rule =
                match (&season.months[..], &days, season.from.is_some() || season.to.is_some(), season.tet) {
                    ([], None, false, Some(around)) => Some(Rule::Tet(around)),
                    ([], Some((Some(from), Some(to))), _, None) => Some(Rule::Days(*from, *to)),
                    ([_, ..], None, false, None) if season.months.iter().all(|m| (1..=12).contains(m)) => {
                        Some(Rule::Months(season.months.clone()))
                    }
                    _ => None,
                };
            match rule {
                Some(rule) => seasons.push((season.name.clone(), rule)),
                None => problems.push(Problem::new(
                    place,
                    "has no clear time",
                    "give one of `months` (1–12), `from` and `to` (MM-DD), `tet` with `before` and `after`",
                )),
            }
        }
        if problems.is_empty() { Ok(Self { start, rest, holidays, seasons }) } else { Err(problems) }
    }

    /// Whether people work on this day.
    pub fn works(&self, day: NaiveDate) -> bool {
        !self.rest.contains(&day.weekday()) && !self.holidays.contains(&day) && holiday(day).is_none()
    }

    /// The working days from `start` on, without end.
    pub fn from(&self, start: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        start.iter_days().filter(|day| self.works(*day))
    }

    /// Names of the seasons that this day lies in.
    pub fn seasons(&self, day: NaiveDate) -> impl Iterator<Item = &str> {
        self.seasons.iter().filter(move |(_, rule)| lies_in(rule, day)).map(|(name, _)| name.as_str())
    }

    /// Whether Tết matters for these days but is not in the table.
    pub fn lacks_tet(&self, day: NaiveDate) -> bool {
        !YEARS.contains(&day.year())
    }
}

fn lies_in(rule: &Rule, day: NaiveDate) -> bool {
    match rule {
        Rule::Months(months) => months.contains(&day.month()),
        Rule::Days(from, to) => {
            let at = (day.month(), day.day());
            if from <= to { *from <= at && at <= *to } else { *from <= at || at <= *to }
        }
        // Days before Tết may lie in the old year.
        Rule::Tet(around) => [day.year(), day.year() + 1].into_iter().filter_map(tet).any(|first| {
            let from = first.checked_sub_days(Days::new(u64::from(around.before)));
            let to = first.checked_add_days(Days::new(u64::from(around.after)));
            from.zip(to).is_some_and(|(from, to)| from <= day && day <= to)
        }),
    }
}

/// `03/08/2026`.
pub fn written(day: NaiveDate) -> String {
    format!("{:02}/{:02}/{}", day.day(), day.month(), day.year())
}
