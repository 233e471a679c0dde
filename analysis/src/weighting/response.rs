//! Response rates of a survey, by the classes of AAPOR.
//!
//! Source: AAPOR, *Standard Definitions* (10th edition, 2023), in-person household surveys: I, P, R, NC, O,
//! UH and UO, and the rates RR1–RR6, COOP1–4, REF1–3, CON1–3.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::WeightingError;
use crate::table::{MISSING, Table};

/// Where a plan's data say how each case ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispositionPlan {
    pub column: String,
    /// Class of each code that is not AAPOR's own: `I`, `P`, `R`, `NC`, `O`, `U`, `N`.
    #[serde(default)]
    pub codes: IndexMap<String, Class>,
}

/// Response rates of the issued cases, each counted once and each with its base weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    pub unweighted: Outcomes,
    pub weighted: Outcomes,
    pub rates: Rates,
    pub weighted_rates: Rates,
}

impl Response {
    /// Of a table of cases. Error: a case without a disposition, or with a code of no class.
    pub fn of(table: &Table, plan: &DispositionPlan, base: &[f64]) -> Result<Self, WeightingError> {
        let (codes, levels) = table.categories(&plan.column)?;
        let classes: Vec<Option<Class>> = levels
            .iter()
            .map(|code| plan.codes.get(code).copied().or_else(|| Class::of_code(code)))
            .collect();
        let mut cases = Vec::with_capacity(codes.len());
        for (row, code) in codes.iter().enumerate() {
            if *code == MISSING {
                return Err(WeightingError::Missing { column: plan.column.clone(), row: row + 1 });
            }
            cases.push(classes[*code as usize].ok_or_else(|| WeightingError::Disposition {
                column: plan.column.clone(),
                row: row + 1,
                code: levels[*code as usize].clone(),
            })?);
        }
        let unweighted = Outcomes::tally(cases.iter().map(|class| (*class, 1.0)));
        let weighted = Outcomes::tally(cases.iter().copied().zip(base.iter().copied()));
        Ok(Self { unweighted, weighted, rates: unweighted.rates(), weighted_rates: weighted.rates() })
    }
}

/// The classes that rates count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// I: complete interview.
    #[serde(rename = "I")]
    Interview,
    /// P: partial interview.
    #[serde(rename = "P")]
    Partial,
    /// R: refusal or break-off.
    #[serde(rename = "R")]
    Refusal,
    /// NC: non-contact.
    #[serde(rename = "NC")]
    NonContact,
    /// O: other reasons of an eligible person.
    #[serde(rename = "O")]
    Other,
    /// UH, UO: unknown whether eligible.
    #[serde(rename = "U")]
    Unknown,
    /// Not eligible.
    #[serde(rename = "N")]
    Ineligible,
}

impl Class {
    /// The class of a disposition code: AAPOR's number with or without its dot (`1.1`, `11`, `2.12`, `212`), or
    /// the class's own letter. A second figure says the kind: `21p` and `211` are refusals like `21`.
    pub fn of_code(code: &str) -> Option<Self> {
        let plain: String = code.trim().chars().filter(|letter| *letter != '.').collect();
        let mut letters = plain.chars();
        Some(match (letters.next()?, letters.next()) {
            ('I', None) => Self::Interview,
            ('P', None) => Self::Partial,
            ('R', None) => Self::Refusal,
            ('N', Some('C')) if plain.len() == 2 => Self::NonContact,
            ('O', None) => Self::Other,
            ('U', _) => Self::Unknown,
            ('N', None) => Self::Ineligible,
            ('1', Some('1')) => Self::Interview,
            ('1', Some('2')) => Self::Partial,
            ('2', Some('1')) => Self::Refusal,
            ('2', Some('2')) => Self::NonContact,
            ('2', Some('3'..='9')) => Self::Other,
            ('3', Some('1'..='9')) => Self::Unknown,
            ('4', Some('1'..='9')) => Self::Ineligible,
            _ => return None,
        })
    }
}

/// Cases by class, each counted (weight 1) or weighted by its base weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    pub interviews: f64,
    pub partials: f64,
    pub refusals: f64,
    pub non_contacts: f64,
    pub others: f64,
    pub unknown: f64,
    pub ineligible: f64,
}

/// Shares 0–1; `None` where nothing is in the denominator.
///
/// Partials count as interviews in the rates of even number and not in those of odd number. Cases of unknown
/// eligibility count as eligible in 1 and 2, in the share e in 3 and 4, not at all in 5 and 6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Share of eligible ones among cases of known eligibility, taken over for the unknown ones.
    pub e: Option<f64>,
    pub rr1: Option<f64>,
    pub rr2: Option<f64>,
    pub rr3: Option<f64>,
    pub rr4: Option<f64>,
    pub rr5: Option<f64>,
    pub rr6: Option<f64>,
    /// Interviews among those who were contacted and could have answered: COOP1 with all contacted, COOP3
    /// without those who could not; 2 and 4 with partials.
    pub coop1: Option<f64>,
    pub coop2: Option<f64>,
    pub coop3: Option<f64>,
    pub coop4: Option<f64>,
    pub ref1: Option<f64>,
    pub ref2: Option<f64>,
    pub ref3: Option<f64>,
    pub con1: Option<f64>,
    pub con2: Option<f64>,
    pub con3: Option<f64>,
}

impl Outcomes {
    /// Adds up cases, each with the weight it stands for.
    pub fn tally(cases: impl IntoIterator<Item = (Class, f64)>) -> Self {
        let mut sum = Self::default();
        for (class, weight) in cases {
            *match class {
                Class::Interview => &mut sum.interviews,
                Class::Partial => &mut sum.partials,
                Class::Refusal => &mut sum.refusals,
                Class::NonContact => &mut sum.non_contacts,
                Class::Other => &mut sum.others,
                Class::Unknown => &mut sum.unknown,
                Class::Ineligible => &mut sum.ineligible,
            } += weight;
        }
        sum
    }

    /// e: the share of eligible ones among cases whose eligibility is known (the proportional allocation, or
    /// CASRO, rule). `None` when no case's eligibility is known.
    pub fn eligibility(&self) -> Option<f64> {
        let eligible = self.known_eligible();
        share(eligible, eligible + self.ineligible)
    }

    fn known_eligible(&self) -> f64 {
        self.interviews + self.partials + self.refusals + self.non_contacts + self.others
    }

    /// AAPOR response rate 3: I / (I + P + R + NC + O + e (UH + UO)). Partials do not count as interviews.
    /// `None` without eligible cases.
    pub fn rr3(&self) -> Option<f64> {
        share(self.interviews, self.known_eligible() + self.eligibility()? * self.unknown)
    }

    /// All rates.
    pub fn rates(&self) -> Rates {
        let known = self.known_eligible();
        let e = self.eligibility();
        let all = known + self.unknown;
        let likely = e.map(|e| known + e * self.unknown);
        let of_likely = |part: f64| likely.and_then(|likely| share(part, likely));
        let (i, both) = (self.interviews, self.interviews + self.partials);
        let contacted = both + self.refusals + self.others;
        Rates {
            e,
            rr1: share(i, all),
            rr2: share(both, all),
            rr3: of_likely(i),
            rr4: of_likely(both),
            rr5: share(i, known),
            rr6: share(both, known),
            coop1: share(i, contacted),
            coop2: share(both, contacted),
            coop3: share(i, both + self.refusals),
            coop4: share(both, both + self.refusals),
            ref1: share(self.refusals, all),
            ref2: of_likely(self.refusals),
            ref3: share(self.refusals, known),
            con1: share(contacted, all),
            con2: of_likely(contacted),
            con3: share(contacted, known),
        }
    }
}

impl Rates {
    /// Names and values in AAPOR's order.
    pub fn named(&self) -> [(&'static str, Option<f64>); 17] {
        [
            ("e", self.e),
            ("RR1", self.rr1),
            ("RR2", self.rr2),
            ("RR3", self.rr3),
            ("RR4", self.rr4),
            ("RR5", self.rr5),
            ("RR6", self.rr6),
            ("COOP1", self.coop1),
            ("COOP2", self.coop2),
            ("COOP3", self.coop3),
            ("COOP4", self.coop4),
            ("REF1", self.ref1),
            ("REF2", self.ref2),
            ("REF3", self.ref3),
            ("CON1", self.con1),
            ("CON2", self.con2),
            ("CON3", self.con3),
        ]
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: Option<f64>, wanted: f64) {
        assert!((got.expect("a rate") - wanted).abs() < 1e-12, "{got:?} is not {wanted}");
    }

    /// 600 I, 50 P, 150 R, 80 NC, 20 O, 100 U, 100 not eligible: 900 known eligible, e = 900/1000.
    #[test]
    fn every_rate_of_a_small_survey_by_hand() {
        let outcomes = Outcomes {
            interviews: 600.0,
            partials: 50.0,
            refusals: 150.0,
            non_contacts: 80.0,
            others: 20.0,
            unknown: 100.0,
            ineligible: 100.0,
        };
        let rates = outcomes.rates();
        near(rates.e, 0.9);
        near(rates.rr1, 600.0 / 1000.0);
        near(rates.rr2, 650.0 / 1000.0);
        near(rates.rr3, 600.0 / 990.0);
        near(rates.rr4, 650.0 / 990.0);
        near(rates.rr5, 600.0 / 900.0);
        near(rates.rr6, 650.0 / 900.0);
        near(rates.coop1, 600.0 / 820.0);
        near(rates.coop2, 650.0 / 820.0);
        near(rates.coop3, 600.0 / 800.0);
        near(rates.coop4, 650.0 / 800.0);
        near(rates.ref1, 150.0 / 1000.0);
        near(rates.ref2, 150.0 / 990.0);
        near(rates.ref3, 150.0 / 900.0);
        near(rates.con1, 820.0 / 1000.0);
        near(rates.con2, 820.0 / 990.0);
        near(rates.con3, 820.0 / 900.0);
        near(outcomes.rr3(), 600.0 / 990.0);
    }

    /// 70 I, 10 R, 10 NC, 10 ineligible, 10 unknown: e = 90/100; RR3 = 70 / (90 + 0.9·10) = 70/99.
    #[test]
    fn rr3_counts_the_eligible_part_of_unknown_cases() {
        let cases = [
            (Class::Interview, 70.0),
            (Class::Refusal, 10.0),
            (Class::NonContact, 10.0),
            (Class::Ineligible, 10.0),
            (Class::Unknown, 10.0),
        ];
        near(Outcomes::tally(cases).rr3(), 70.0 / 99.0);
    }

    #[test]
    fn without_a_known_case_there_is_no_rate_that_needs_one() {
        let rates = Outcomes::tally([(Class::Unknown, 1.0)]).rates();
        assert_eq!((rates.rr1, rates.rr3, rates.rr5), (Some(0.0), None, None));
    }

    #[test]
    fn codes_are_read_with_and_without_their_dot() {
        for (code, class) in [
            ("1.1", Some(Class::Interview)),
            ("12", Some(Class::Partial)),
            ("21p", Some(Class::Refusal)),
            ("2.112", Some(Class::Refusal)),
            ("22", Some(Class::NonContact)),
            ("2.3", Some(Class::Other)),
            ("32", Some(Class::Unknown)),
            ("4.7", Some(Class::Ineligible)),
            ("NC", Some(Class::NonContact)),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(Class::of_code(code), class, "{code}");
        }
    }
}
