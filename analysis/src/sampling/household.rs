//! Which adult of a household is asked: a seeded draw on the tablet, or the printed Kish grid.
//!
//! Adults are numbered from 1 in the order of the list: oldest first, men then women. The respondent's weight is
//! 1/p of the method used; in the grid p is not always 1/adults.

use surveys::chance::Chance;

/// One table of the grid: its letter, its share of the printed forms in twelfths, and the adult to ask with
/// 1, 2, … 5, and 6 or more adults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridTable {
    pub letter: &'static str,
    pub twelfths: u32,
    pub ask: [usize; 6],
}

/// The eight tables of the grid. Source: Kish (1949), as printed in the questionnaire.
pub const KISH_GRID: [GridTable; 8] = [
    GridTable { letter: "A", twelfths: 2, ask: [1, 1, 1, 1, 1, 1] },
    GridTable { letter: "B1", twelfths: 1, ask: [1, 1, 1, 1, 2, 2] },
    GridTable { letter: "B2", twelfths: 1, ask: [1, 1, 1, 2, 2, 2] },
    GridTable { letter: "C", twelfths: 2, ask: [1, 1, 2, 2, 3, 3] },
    GridTable { letter: "D", twelfths: 2, ask: [1, 2, 2, 3, 4, 4] },
    GridTable { letter: "E1", twelfths: 1, ask: [1, 2, 3, 3, 3, 5] },
    GridTable { letter: "E2", twelfths: 1, ask: [1, 2, 3, 4, 5, 5] },
    GridTable { letter: "F", twelfths: 2, ask: [1, 2, 3, 4, 5, 6] },
];

/// The adult that `table` asks among `adults`; `None` without adults or for an unknown letter.
pub fn grid_respondent(letter: &str, adults: usize) -> Option<usize> {
    let table = KISH_GRID.iter().find(|t| t.letter == letter)?;
    (adults > 0).then(|| table.ask[adults.min(6) - 1])
}

/// Probability that the grid asks the adult with this number (from 1); 0 for a seventh adult, who is not covered.
pub fn grid_probability(person: usize, adults: usize) -> f64 {
    if person == 0 || person > adults {
        return 0.0;
    }
    let column = adults.min(6) - 1;
    let twelfths: u32 = KISH_GRID.iter().filter(|t| t.ask[column] == person).map(|t| t.twelfths).sum();
    f64::from(twelfths) / 12.0
}

/// The table letters for `forms` printed forms: each dozen holds every table in its proportion, in random order,
/// so that the proportions hold in any run of forms.
pub fn grid_letters(forms: usize, seed: u64) -> Vec<&'static str> {
    let mut chance = Chance::new(seed, "kish grid");
    let mut letters = Vec::with_capacity(forms + 12);
    while letters.len() < forms {
        let mut dozen: Vec<&str> =
            KISH_GRID.iter().flat_map(|t| (0..t.twelfths).map(move |_| t.letter)).collect();
        chance.shuffle(&mut dozen);
        letters.extend(dozen);
    }
    letters.truncate(forms);
    letters
}

/// The tablet's draw: each adult with p = 1/adults, a function of the seed and the case. From 1; `None` without
/// adults.
pub fn drawn_respondent(seed: u64, case: &str, adults: usize) -> Option<usize> {
    (adults > 0).then(|| Chance::new(seed, &format!("respondent/{case}")).below(adults) + 1)
}

/// Within-household weight of a respondent: 1/p. `None` where p is 0.
pub fn respondent_weight(probability: f64) -> Option<f64> {
    (probability > 0.0).then(|| 1.0 / probability)
}
