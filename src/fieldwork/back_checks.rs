//! Back-checks: which interviews another person asks about again, and which facts do not agree. Facts only: was somebody
//! asked, how long, how many adults; never an opinion (protection.md rule 16).

use serde::{Deserialize, Serialize};
use surveys::chance::Chance;

/// An enumerator's first interviews, where habits form, are checked twice as often as the share.
const EARLY: usize = 10;
/// Rates are given of enumerators with so many interviews.
pub const FEWEST: usize = 10;

/// Which of an enumerator's interviews are checked, by position from 0 in the order of arrival. `expected`: the cases that
/// the enumerator was given. More interviews later change nothing about the earlier ones.
///
/// A systematic draw with a random start over probabilities that fall after the tenth interview, and add up to the share
/// of the expected ones.
pub fn drawn(share: f64, expected: usize, completed: usize, seed: u64, enumerator: &str) -> Vec<usize> {
    let early = (2.0 * share).min(1.0);
    let rest = expected.saturating_sub(EARLY) as f64;
    let wanted = share * expected as f64 - early * EARLY as f64;
    // Never under half the share: nobody should know that checking is over.
    let late = if rest > 0.0 { (wanted / rest).clamp(share / 2.0, 1.0) } else { share / 2.0 };
    let mut sum = Chance::new(seed, &format!("back-checks/{enumerator}")).unit();
    let mut drawn = Vec::new();
    for position in 0..completed {
        sum += if position < EARLY { early } else { late };
        // What a sum of tenths lacks to a whole number is rounding.
        if sum + 1e-9 >= 1.0 {
            sum -= 1.0;
            drawn.push(position);
        }
    }
    drawn
}

/// What the interview itself reported.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reported {
    pub minutes: Option<f64>,
    pub adults: Option<u32>,
}

/// What the second person found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Somebody of the dwelling was asked at all.
    pub asked: bool,
    /// How long it took, as the household remembers.
    pub minutes: Option<u32>,
    /// People of 18 years and more.
    pub adults: Option<u32>,
}

/// A fact that does not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    NotAsked,
    /// By more than a quarter of an hour and more than half.
    Minutes,
    Adults,
}

pub fn differences(reported: Reported, found: Found) -> Vec<Difference> {
    if !found.asked {
        return vec![Difference::NotAsked];
    }
    let mut all = Vec::new();
    if let (Some(reported), Some(found)) = (reported.minutes, found.minutes) {
        let apart = (reported - f64::from(found)).abs();
        if apart > 15.0 && apart > 0.5 * reported.max(f64::from(found)) {
            all.push(Difference::Minutes);
        }
    }
    if let (Some(reported), Some(found)) = (reported.adults, found.adults)
        && reported != found
    {
        all.push(Difference::Adults);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 48 cases: 20% of the first ten, 7.4% of the rest, 4.8 in all.
    #[test]
    fn a_tenth_is_drawn_and_the_first_ten_twice_as_often() {
        let (mut early, mut all) = (0, 0);
        for seed in 0..200 {
            let drawn = drawn(0.10, 48, 48, seed, "M1");
            assert!((4..=5).contains(&drawn.len()), "{drawn:?}");
            let first = drawn.iter().filter(|position| **position < 10).count();
            assert_eq!(first, 2);
            early += first;
            all += drawn.len();
        }
        assert!((f64::from(all as u32) / 200.0 - 4.8).abs() < 0.1, "{all}");
        assert_eq!(early, 400);
    }

    #[test]
    fn later_interviews_change_nothing_about_earlier_ones() {
        let all = drawn(0.10, 48, 48, 3, "M1");
        for completed in 0..48 {
            let now = drawn(0.10, 48, completed, 3, "M1");
            assert_eq!(now, all.iter().copied().filter(|p| *p < completed).collect::<Vec<_>>());
        }
        assert_ne!(drawn(0.10, 48, 48, 3, "M2"), all);
        assert_eq!(drawn(0.0, 48, 48, 3, "M1"), Vec::<usize>::new());
        assert_eq!(drawn(1.0, 5, 5, 3, "M1").len(), 5);
    }

    #[test]
    fn facts_are_compared_with_the_leave_that_memory_needs() {
        let reported = Reported { minutes: Some(50.0), adults: Some(3) };
        let found = Found { asked: true, minutes: Some(35), adults: Some(3) };
        assert_eq!(differences(reported, found), []);
        let short = Found { minutes: Some(10), adults: Some(2), ..found };
        assert_eq!(differences(reported, short), [Difference::Minutes, Difference::Adults]);
        assert_eq!(differences(reported, Found { asked: false, ..short }), [Difference::NotAsked]);
        assert_eq!(differences(Reported::default(), short), []);
    }
}
