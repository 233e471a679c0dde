//! The visit rule: when a case has come to its end, and what is due where it has not.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::dispositions::Class;
use super::rules::Rules;

/// One attempt that is known: its number, from 1, and its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: i64,
    pub day: NaiveDate,
}

/// Whether the last of these attempts, which had this outcome, ends the case.
///
/// Whoever was met ends it; where nobody was met, the attempts and the days of the rule end it. Earlier attempts that
/// were made without a form (the number says so) count, and their days are believed.
pub fn ends(rules: &Rules, outcome: Class, attempts: &[Attempt]) -> bool {
    if outcome != Class::NonContact {
        return true;
    }
    let made = attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
    made >= i64::from(rules.attempts)
        && (days(attempts) >= rules.days as usize || (attempts.len() as i64) < made)
}

fn days(attempts: &[Attempt]) -> usize {
    attempts.iter().map(|attempt| attempt.day).collect::<BTreeSet<_>>().len()
}

/// The next visit of a case that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// Its number.
    pub attempt: i64,
    /// It is to be on another day than this one.
    pub not_on: Option<NaiveDate>,
}

/// What is due at a case with these attempts so far, which have not ended it.
pub fn due(rules: &Rules, attempts: &[Attempt]) -> Due {
    let made = attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
    let last = attempts.iter().map(|attempt| attempt.day).max();
    // When the visits that are left are as many as the days that are left, each needs a day of its own.
    let visits_left = (i64::from(rules.attempts) - made).max(1);
    let days_left = i64::from(rules.days) - days(attempts) as i64;
    let needs_another = days_left >= visits_left;
    Due { attempt: made + 1, not_on: last.filter(|_| needs_another) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(days: &[u32]) -> Vec<Attempt> {
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 8, day).expect("a day");
        days.iter().zip(1..).map(|(d, number)| Attempt { number, day: day(*d) }).collect()
    }

    #[test]
    fn nobody_met_needs_three_attempts_on_two_days() {
        let rules = Rules::default();
        assert!(!ends(&rules, Class::NonContact, &attempts(&[3, 4])));
        assert!(!ends(&rules, Class::NonContact, &attempts(&[3, 3, 3])), "all on one day");
        assert!(ends(&rules, Class::NonContact, &attempts(&[3, 3, 4])));
        assert!(ends(&rules, Class::Refusal, &attempts(&[3])));
        assert!(ends(&rules, Class::Ineligible, &attempts(&[3])));
        let third_alone = Attempt { number: 3, ..attempts(&[5])[0] };
        assert!(ends(&rules, Class::NonContact, &[third_alone]), "the first two were made without a form");
    }

    #[test]
    fn the_last_visit_must_be_on_another_day_when_all_were_on_one() {
        let rules = Rules::default();
        let third = NaiveDate::from_ymd_opt(2026, 8, 3);
        assert_eq!(due(&rules, &[]), Due { attempt: 1, not_on: None });
        assert_eq!(due(&rules, &attempts(&[3])), Due { attempt: 2, not_on: None });
        assert_eq!(due(&rules, &attempts(&[3, 3])), Due { attempt: 3, not_on: third });
        assert_eq!(due(&rules, &attempts(&[3, 4])), Due { attempt: 3, not_on: None });
        assert_eq!(due(&rules, &attempts(&[3, 3, 3])), Due { attempt: 4, not_on: third });
    }
}
