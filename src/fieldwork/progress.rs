//! How far the fieldwork is: cases against the plan by stratum, area and enumerator, AAPOR rates, the likely end, and the
//! precision so far. Counts of cases only; no answer is read.

use std::collections::{BTreeMap, BTreeSet};

use analysis::estimation::distributions::t_quantile;
use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::dispositions::{Class, Disposition, Outcomes};
use super::rules::Rules;

/// Fewest ended cases of one enumerator that a rate is given of (protection.md rule 16).
pub const FEWEST: u64 = 10;
/// Days whose pace tells the end.
const PACE_DAYS: u64 = 7;
/// Decimal places of shares in what is told.
const PLACES: f64 = 1e4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A reserve that was not released.
    Waiting,
    Open,
    Ended(Disposition),
}

/// One drawn dwelling, as far as progress is concerned.
#[derive(Clone, Debug)]
pub struct Case {
    pub stratum: String,
    pub area: String,
    pub village: String,
    pub enumerator: Option<String>,
    pub is_main: bool,
    pub standing: Standing,
    /// Nobody was met so far, though somebody went.
    pub is_begun: bool,
    /// Day of the last visit.
    pub last_day: Option<NaiveDate>,
    /// Probability of the dwelling, released reserves included.
    pub probability: f64,
    pub variance_stratum: String,
    pub variance_psu: String,
}

/// Counts of one stratum, area, enumerator, or all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    /// Main cases: what the plan asks for.
    pub planned: u64,
    /// Of them due by today, where the wave has a first and a last day.
    pub due_by_now: Option<u64>,
    /// Reserves that were released.
    pub released: u64,
    /// Reserves that are left.
    pub reserves: u64,
    pub not_begun: u64,
    /// Somebody went, nobody was met, and the rule asks for another visit.
    pub begun: u64,
    pub interviews: u64,
    pub partials: u64,
    pub refusals: u64,
    pub non_contacts: u64,
    pub others: u64,
    pub unknown: u64,
    pub ineligible: u64,
    /// AAPOR response rates 1 and 3 of the cases that have ended; of an enumerator from ten of them on.
    pub rr1: Option<f64>,
    pub rr3: Option<f64>,
    /// Released reserves among the issued cases.
    pub substitution: Option<f64>,
}

impl Group {
    fn ended(&self) -> u64 {
        self.interviews
            + self.partials
            + self.refusals
            + self.non_contacts
            + self.others
            + self.unknown
            + self.ineligible
    }

    pub fn open(&self) -> u64 {
        self.not_begun + self.begun
    }
}

/// When the open cases will have ended at the pace of the last days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Projection {
    pub open: u64,
    /// Cases a day that ended in the last seven days.
    pub a_day: f64,
    pub ends: Option<NaiveDate>,
    /// The calendar's last day.
    pub planned_end: Option<NaiveDate>,
    pub how: String,
}

/// What the interviews so far can tell about a share of 50%.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Precision {
    pub domain: String,
    pub n: u64,
    pub villages: u64,
    /// Degrees of freedom: villages − strata.
    pub df: i64,
    /// From unequal probabilities (Kish).
    pub deff_weights: Option<f64>,
    /// From several interviews a village, with the likeness assumed.
    pub deff_villages: Option<f64>,
    pub deff: Option<f64>,
    /// Half of the 95% interval of a share of 50%.
    pub half_width: Option<f64>,
    /// Why there is none.
    pub reason: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    pub on: NaiveDate,
    pub total: Group,
    pub strata: Vec<Group>,
    pub areas: Vec<Group>,
    pub enumerators: Vec<Group>,
    /// Villages given up for a reserve, of all villages in the field.
    pub villages_replaced: u64,
    pub villages_postponed: u64,
    pub villages: u64,
    pub projection: Projection,
    pub precision: Vec<Precision>,
    /// The likeness inside a village that the precision assumes.
    pub likeness: f64,
}

/// Villages that do not simply go on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Villages {
    pub replaced: u64,
    pub postponed: u64,
}

/// The progress of these cases on a day. Cases without an enumerator stand under the name `–`.
pub fn progress(cases: &[Case], villages: Villages, rules: &Rules, today: NaiveDate) -> Progress {
    let by = |key: &dyn Fn(&Case) -> String| -> Vec<Group> {
        let mut groups: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
        for case in cases {
            groups.entry(key(case)).or_default().push(case);
        }
        groups.into_iter().map(|(name, cases)| group(name, &cases, rules, today)).collect()
    };
    let all: Vec<&Case> = cases.iter().collect();
    let total = group("tất cả".to_owned(), &all, rules, today);
    let mut enumerators = by(&|case| case.enumerator.clone().unwrap_or_else(|| "–".to_owned()));
    for one in &mut enumerators {
        if one.ended() < FEWEST {
            (one.rr1, one.rr3) = (None, None);
        }
    }
    let in_field: BTreeSet<&str> =
        all.iter().filter(|case| case.standing != Standing::Waiting).map(|case| &*case.village).collect();
    let mut areas: Vec<&str> = all.iter().map(|case| &*case.area).collect();
    areas.sort_unstable();
    areas.dedup();
    let mut precision = vec![precise("tất cả", &all, rules.likeness)];
    precision.extend(areas.into_iter().map(|area| {
        let of_area: Vec<&Case> = all.iter().copied().filter(|case| case.area == area).collect();
        precise(area, &of_area, rules.likeness)
    }));
    Progress {
        on: today,
        projection: projection(&all, total.open(), rules, today),
        strata: by(&|case| case.stratum.clone()),
        areas: by(&|case| case.area.clone()),
        total,
        enumerators,
        villages_replaced: villages.replaced,
        villages_postponed: villages.postponed,
        villages: in_field.len() as u64,
        precision,
        likeness: rules.likeness,
    }
}

fn group(name: String, cases: &[&Case], rules: &Rules, today: NaiveDate) -> Group {
    let mut found = Group { name, ..Group::default() };
    let mut classes = Vec::new();
    for case in cases {
        found.planned += u64::from(case.is_main);
        match case.standing {
            Standing::Waiting => found.reserves += 1,
            _ => found.released += u64::from(!case.is_main),
        }
        match case.standing {
            Standing::Waiting => {}
            Standing::Open if case.is_begun => found.begun += 1,
            Standing::Open => found.not_begun += 1,
            Standing::Ended(disposition) => {
                let class = disposition.class();
                classes.push((class, 1.0));
                *match class {
                    Class::Interview => &mut found.interviews,
                    Class::Partial => &mut found.partials,
                    Class::Refusal => &mut found.refusals,
                    Class::NonContact => &mut found.non_contacts,
                    Class::Other => &mut found.others,
                    Class::Unknown => &mut found.unknown,
                    Class::Ineligible => &mut found.ineligible,
                } += 1;
            }
        }
    }
    let rates = Outcomes::tally(classes).rates();
    (found.rr1, found.rr3) = (rates.rr1.map(rounded), rates.rr3.map(rounded));
    let issued = found.planned + found.released;
    found.substitution = (issued > 0).then(|| rounded(found.released as f64 / issued as f64));
    found.due_by_now =
        share_of_calendar(rules, today).map(|share| (share * found.planned as f64).round() as u64);
    found
}

/// How much of the calendar has gone by at the end of this day.
fn share_of_calendar(rules: &Rules, today: NaiveDate) -> Option<f64> {
    let (begins, ends) = (rules.begins?, rules.ends?);
    let all = (ends - begins).num_days() + 1;
    let gone = ((today - begins).num_days() + 1).clamp(0, all);
    (all > 0).then(|| gone as f64 / all as f64)
}

fn projection(cases: &[&Case], open: u64, rules: &Rules, today: NaiveDate) -> Projection {
    let ended: Vec<NaiveDate> = cases
        .iter()
        .filter(|case| matches!(case.standing, Standing::Ended(_)))
        .filter_map(|case| case.last_day)
        .collect();
    let first = ended.iter().min().copied();
    // Of a wave that is younger than a week, the days since its first ended case.
    let days = first.map_or(PACE_DAYS, |first| {
        u64::try_from((today - first).num_days() + 1).unwrap_or(1).clamp(1, PACE_DAYS)
    });
    let since = today.checked_sub_days(Days::new(days - 1)).unwrap_or(today);
    let recent = ended.iter().filter(|day| (since..=today).contains(day)).count();
    let a_day = recent as f64 / days as f64;
    let needed = if open == 0 { Some(0) } else { (a_day > 0.0).then(|| (open as f64 / a_day).ceil() as u64) };
    let ends = needed.and_then(|needed| today.checked_add_days(Days::new(needed)));
    let how = match (open, ends) {
        (0, _) => "không còn hộ nào phải đến (no case is open)".to_owned(),
        (_, Some(_)) => format!(
            "{open} hộ còn lại ÷ {} hộ xong một ngày trong {days} ngày gần nhất (open cases ÷ those that ended a day)",
            format!("{a_day:.1}").replace('.', ",")
        ),
        (_, None) => format!(
            "{days} ngày gần nhất chưa có hộ nào xong, chưa tính được (no case ended in the last days)"
        ),
    };
    Projection { open, a_day: rounded(a_day), ends, planned_end: rules.ends, how }
}

/// Kish: deff = (1 + cv² of the weights) · (1 + (m − 1) · likeness), m = Σ mᵢ² / Σ mᵢ over the villages.
fn precise(domain: &str, cases: &[&Case], likeness: f64) -> Precision {
    let interviews: Vec<&&Case> = cases
        .iter()
        .filter(
            |case| matches!(case.standing, Standing::Ended(disposition) if disposition.class() == Class::Interview),
        )
        .collect();
    let n = interviews.len();
    let mut units: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let (mut sum, mut squares) = (0.0, 0.0);
    for case in &interviews {
        *units.entry((&case.variance_stratum, &case.variance_psu)).or_default() += 1.0;
        let weight = 1.0 / case.probability;
        sum += weight;
        squares += weight * weight;
    }
    let strata: BTreeSet<&str> = units.keys().map(|(stratum, _)| *stratum).collect();
    let df = units.len() as i64 - strata.len() as i64;
    let mut told = Precision {
        domain: domain.to_owned(),
        n: n as u64,
        villages: units.len() as u64,
        df,
        deff_weights: None,
        deff_villages: None,
        deff: None,
        half_width: None,
        reason: None,
    };
    if n == 0 {
        told.reason = Some("chưa có phỏng vấn (no interview yet)");
        return told;
    }
    let weights = n as f64 * squares / (sum * sum);
    let a_village = units.values().map(|m| m * m).sum::<f64>() / n as f64;
    let villages = 1.0 + (a_village - 1.0) * likeness;
    let deff = weights * villages;
    told.deff_weights = Some(rounded(weights));
    told.deff_villages = Some(rounded(villages));
    told.deff = Some(rounded(deff));
    if df < 1 {
        told.reason = Some("chưa đủ thôn ở mỗi tầng (too few villages a stratum)");
    } else {
        told.half_width = Some(rounded(t_quantile(0.975, df as f64) * (0.25 * deff / n as f64).sqrt()));
    }
    told
}

fn rounded(value: f64) -> f64 {
    (value * PLACES).round() / PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 8, day).expect("a day")
    }

    fn case(village: &str, standing: Standing, last: Option<u32>) -> Case {
        Case {
            stratum: "024/Mong".to_owned(),
            area: "024".to_owned(),
            village: village.to_owned(),
            enumerator: Some("M1".to_owned()),
            is_main: true,
            standing,
            is_begun: false,
            last_day: last.map(day),
            probability: 0.1,
            variance_stratum: "024/Mong".to_owned(),
            variance_psu: village.to_owned(),
        }
    }

    /// Four villages with 8 interviews, 1 refusal, 1 open each; one reserve released in the first, one waiting.
    fn wave() -> Vec<Case> {
        let mut cases = Vec::new();
        for village in ["A", "B", "C", "D"] {
            for _ in 0..8 {
                cases.push(case(village, Standing::Ended(Disposition::Complete), Some(5)));
            }
            cases.push(case(village, Standing::Ended(Disposition::RefusedHousehold), Some(6)));
            cases.push(case(village, Standing::Open, None));
        }
        let reserve = |standing| Case { is_main: false, ..case("A", standing, None) };
        cases.push(reserve(Standing::Open));
        cases.push(reserve(Standing::Waiting));
        cases
    }

    #[test]
    fn counts_rates_and_substitution_by_hand() {
        let rules = Rules { begins: Some(day(3)), ends: Some(day(12)), ..Rules::default() };
        let told = progress(&wave(), Villages::default(), &rules, day(7));
        let all = &told.total;
        assert_eq!((all.planned, all.released, all.reserves, all.not_begun), (40, 1, 1, 5));
        assert_eq!((all.interviews, all.refusals, all.due_by_now), (32, 4, Some(20)));
        assert_eq!((all.rr1, all.rr3), (Some(0.8889), Some(0.8889)));
        assert_eq!(all.substitution, Some(0.0244), "1 of 41");
        assert_eq!((told.villages, told.areas.len(), told.strata.len()), (4, 1, 1));
        assert_eq!(told.enumerators[0].rr1, Some(0.8889));
    }

    /// 36 cases ended in the three days since the first: 12 a day; 5 are open.
    #[test]
    fn the_end_follows_from_the_pace_of_the_last_days() {
        let told = progress(&wave(), Villages::default(), &Rules::default(), day(7)).projection;
        assert_eq!((told.open, told.a_day, told.ends), (5, 12.0, Some(day(8))));
        let later = progress(&wave(), Villages::default(), &Rules::default(), day(20)).projection;
        assert_eq!((later.a_day, later.ends), (0.0, None));
        assert!(later.how.contains("chưa tính được"));
    }

    /// m = 4·64/32 = 8, deff = 1 + 7·0.05 = 1.35; half-width t(3)·√(0.25·1.35/32) = 3.1824·0.10270 = 0.3268.
    #[test]
    fn precision_by_hand() {
        let told = progress(&wave(), Villages::default(), &Rules::default(), day(7)).precision;
        assert_eq!(told.len(), 2);
        let all = &told[0];
        assert_eq!((all.n, all.villages, all.df), (32, 4, 3));
        assert_eq!((all.deff_weights, all.deff_villages), (Some(1.0), Some(1.35)));
        assert_eq!(all.half_width, Some(0.3268));
        let none = progress(&[], Villages::default(), &Rules::default(), day(7)).precision;
        assert!(none[0].half_width.is_none() && none[0].reason.is_some());
    }

    #[test]
    fn no_rate_of_an_enumerator_with_fewer_than_ten_ended_cases() {
        let few: Vec<Case> =
            (0..9).map(|_| case("A", Standing::Ended(Disposition::Complete), Some(5))).collect();
        let told = progress(&few, Villages::default(), &Rules::default(), day(7));
        assert_eq!((told.enumerators[0].rr1, told.enumerators[0].interviews), (None, 9));
        assert_eq!(told.areas[0].rr1, Some(1.0));
    }
}
