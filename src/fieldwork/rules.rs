//! The settings of a wave's fieldwork, with their defaults.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Who may release a reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleasedBy {
    /// A supervisor, in the office or by reading out a code.
    #[default]
    Supervisor,
    /// The tablet too, by the rule, while it has no network.
    Tablet,
}

/// How a wave's cases are worked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Attempts before a dwelling where nobody was met is given up …
    pub attempts: u32,
    /// … on at least so many different days.
    pub days: u32,
    pub reserves: ReleasedBy,
    /// First and last day of the fieldwork.
    pub begins: Option<NaiveDate>,
    pub ends: Option<NaiveDate>,
    /// Share of an enumerator's interviews that another person checks.
    pub back_checks: f64,
    /// Likeness of answers inside a village (intraclass correlation) that the precision so far assumes.
    pub likeness: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            attempts: 3,
            days: 2,
            reserves: ReleasedBy::default(),
            begins: None,
            ends: None,
            back_checks: 0.10,
            likeness: 0.05,
        }
    }
}

impl Rules {
    /// Everything that cannot be.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(1..=20).contains(&self.attempts) {
            problems.push(format!("attempts is {}; it lies between 1 and 20", self.attempts));
        }
        if self.days < 1 || self.days > self.attempts {
            problems.push(format!("days is {}; it lies between 1 and the attempts", self.days));
        }
        if !(0.0..=1.0).contains(&self.back_checks) {
            problems.push(format!("back_checks is {}; it is a share between 0 and 1", self.back_checks));
        }
        if !(0.0..1.0).contains(&self.likeness) {
            problems.push(format!("likeness is {}; it lies between 0 and 1", self.likeness));
        }
        if let (Some(begins), Some(ends)) = (self.begins, self.ends)
            && ends < begins
        {
            problems.push(format!("ends {ends} lies before begins {begins}"));
        }
        problems
    }
}
