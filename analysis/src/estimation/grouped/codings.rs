//! The values of classifications numbered: by each batch in its own way, then over the whole file.

use std::collections::HashMap;

use super::layout::Key;
use crate::table::parquet::{Number, Values, with_numbers};
use crate::table::{Column, MISSING, number_text};

/// The numberings of the classifications.
pub(super) struct Codings<'a> {
    /// The sampling unit.
    pub base: &'a Key,
    pub of: HashMap<&'a Key, Coding>,
    /// Code of each classification that follows from the sampling unit, by the unit's code.
    pub follows: HashMap<&'a Key, Vec<u32>>,
    /// The numbers that the first pass gave to the rows of every batch; empty where they are not kept.
    pub kept: Vec<HashMap<&'a Key, Numbered>>,
}

/// The different values of a classification, in order.
#[derive(Clone, Debug)]
pub(super) enum Levels {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// Values of one batch numbered in their own way, and what the numbers stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbered {
    /// A code a row, the one after the last level where the value is missing; empty where they are not kept.
    pub codes: Vec<u32>,
    /// A level a code; `None` where no row has the code.
    pub levels: Vec<Option<Level>>,
    pub missing: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Level {
    Number(f64),
    Text(String),
}

/// The numbering of a classification over the whole file.
#[derive(Debug)]
pub(super) struct Coding {
    pub levels: Levels,
    /// Whether a row misses it; such rows have the code after the last level.
    pub missing: bool,
    lookup: Lookup,
}

#[derive(Debug)]
enum Lookup {
    /// Whole numbers from `low` in a narrow range.
    Whole {
        low: i64,
        codes: Vec<u32>,
    },
    Reals(HashMap<u64, u32>),
    Texts(HashMap<String, u32>),
}

/// A number's bits, so that it can be looked up; adding 0 turns -0 into 0.
fn bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// Whole numbers further apart are looked up by hashing.
const SPAN: i64 = 1 << 20;

impl Numbered {
    /// Numbers the values of a batch. `None`: too many different ones to be a classification.
    pub fn of(values: Values<'_>) -> Option<Self> {
        with_numbers!(values, numbers => Self::of_numbers(numbers), codes, levels => {
            let none = levels.len() as u32;
            let missing = codes.contains(&MISSING);
            let mut codes = codes.to_vec();
            if missing {
                codes.iter_mut().filter(|c| **c == MISSING).for_each(|c| *c = none);
            }
            Some(Self { codes, levels: levels.iter().map(|l| Some(Level::Text(l.clone()))).collect(), missing })
        })
    }

    fn of_numbers<T: Number>(numbers: &[T]) -> Option<Self> {
        if let Some((low, high)) = T::bounds(numbers)
            && high.checked_sub(low).is_some_and(|span| span < SPAN)
        {
            let codes: Vec<u32> = numbers.iter().map(|number| number.above(low)).collect();
            let mut seen = vec![false; (high - low) as usize + 1];
            codes.iter().for_each(|code| seen[*code as usize] = true);
            return Some(Self { codes, levels: whole_levels(low, &seen), missing: false });
        }
        let (mut low, mut high, mut whole, mut missing) = (i64::MAX, i64::MIN, true, false);
        for number in numbers {
            let real = number.real();
            let near = real as i64;
            missing |= real.is_nan();
            whole &= near as f64 == real || real.is_nan();
            low = low.min(if real.is_nan() { low } else { near });
            high = high.max(if real.is_nan() { high } else { near });
        }
        if whole && low <= high && high.checked_sub(low).is_some_and(|span| span < SPAN) {
            let none = (high - low) as u32 + 1;
            let mut seen = vec![false; none as usize];
            let codes = numbers
                .iter()
                .map(|number| {
                    if number.real().is_nan() {
                        return none;
                    }
                    let code = number.above(low);
                    seen[code as usize] = true;
                    code
                })
                .collect();
            return Some(Self { codes, levels: whole_levels(low, &seen), missing });
        }
        let mut places: HashMap<u64, u32> = HashMap::new();
        let mut levels = Vec::new();
        let mut codes = Vec::with_capacity(numbers.len());
        for number in numbers {
            let real = number.real();
            codes.push(match real.is_nan() {
                true => MISSING,
                false => *places.entry(bits(real)).or_insert_with(|| {
                    levels.push(Some(Level::Number(real + 0.0)));
                    levels.len() as u32 - 1
                }),
            });
            if levels.len() as i64 > SPAN / 8 {
                return None;
            }
        }
        let none = levels.len() as u32;
        codes.iter_mut().filter(|c| **c == MISSING).for_each(|c| *c = none);
        Some(Self { codes, levels, missing })
    }

    /// The code of each unit, where no unit has two and none is missing.
    pub fn follows(&self, units: &Self) -> Option<Vec<u32>> {
        if self.missing {
            return None;
        }
        let mut follows = vec![MISSING; units.levels.len()];
        for (unit, code) in units.codes.iter().zip(&self.codes) {
            let known = &mut follows[*unit as usize];
            if *known != *code {
                if *known != MISSING {
                    return None;
                }
                *known = *code;
            }
        }
        Some(follows)
    }

    /// How far each code moves a row's cell: the code over the whole file × `stride`. `None`: a level is
    /// of another kind than those of the file.
    pub fn steps(&self, coding: &Coding, stride: u32) -> Option<Vec<u32>> {
        let of = |level: &Option<Level>| match level {
            None => Some(0),
            Some(level) => Some(coding.code_of(level)? * stride),
        };
        self.levels.iter().map(of).chain([Some(coding.count() as u32 * stride)]).collect()
    }
}

/// Sorts numbers and drops the repeated ones. Every batch has seen nearly all of them, so whole numbers in a
/// narrow range are marked, which is quicker.
fn sort_numbers(numbers: &mut Vec<f64>) {
    let first = numbers.first().copied().unwrap_or(0.0);
    let widen = |(low, high): (f64, f64), v: &f64| (low.min(*v), high.max(*v));
    let (low, high) = numbers.iter().fold((first, first), widen);
    if high - low > 4.0 * numbers.len() as f64 || numbers.iter().any(|v| *v as i64 as f64 != *v) {
        numbers.sort_unstable_by(f64::total_cmp);
        numbers.dedup();
        return;
    }
    let mut seen = vec![false; (high - low) as usize + 1];
    numbers.iter().for_each(|v| seen[(v - low) as usize] = true);
    numbers.clear();
    numbers.extend((0_u32..).zip(seen).filter(|(_, s)| *s).map(|(place, _)| low + f64::from(place)));
}

fn whole_levels(low: i64, seen: &[bool]) -> Vec<Option<Level>> {
    let level = |(place, seen): (usize, &bool)| seen.then(|| Level::Number((low + place as i64) as f64));
    seen.iter().enumerate().map(level).collect()
}

impl Coding {
    /// The numbering of all levels seen, in any order, some of them again.
    pub fn new(seen: Vec<Level>, missing: bool) -> Option<Self> {
        let mut numbers = Vec::new();
        let mut texts = Vec::new();
        for level in seen {
            match level {
                Level::Number(number) => numbers.push(number),
                Level::Text(text) => texts.push(text),
            }
        }
        if !texts.is_empty() {
            texts.sort_unstable();
            texts.dedup();
            let lookup = Lookup::Texts(texts.iter().cloned().zip(0..).collect());
            return numbers.is_empty().then_some(Self { levels: Levels::Texts(texts), missing, lookup });
        }
        sort_numbers(&mut numbers);
        let (low, high) = (numbers.first().copied().unwrap_or(0.0), numbers.last().copied().unwrap_or(0.0));
        let whole = numbers.iter().all(|v| *v as i64 as f64 == *v) && high - low < 16.0 * SPAN as f64;
        let lookup = match whole {
            true => {
                let mut codes = vec![MISSING; (high - low) as usize + 1];
                numbers.iter().zip(0..).for_each(|(v, code)| codes[(v - low) as usize] = code);
                Lookup::Whole { low: low as i64, codes }
            }
            false => Lookup::Reals(numbers.iter().map(|v| bits(*v)).zip(0..).collect()),
        };
        Some(Self { levels: Levels::Numbers(numbers), missing, lookup })
    }

    /// Codes there are: the levels, and one more where rows miss the value.
    pub fn size(&self) -> usize {
        self.count() + usize::from(self.missing)
    }

    /// The levels without the missing one.
    pub fn count(&self) -> usize {
        match &self.levels {
            Levels::Numbers(levels) => levels.len(),
            Levels::Texts(levels) => levels.len(),
        }
    }

    /// The code of a level, as a batch named it.
    pub fn code_of(&self, level: &Level) -> Option<u32> {
        match (&self.lookup, level) {
            (Lookup::Whole { low, codes }, Level::Number(v)) => {
                codes.get(usize::try_from(*v as i64 - low).ok()?).copied().filter(|c| *c != MISSING)
            }
            (Lookup::Reals(places), Level::Number(v)) => places.get(&bits(*v)).copied(),
            (Lookup::Texts(places), Level::Text(text)) => places.get(text).copied(),
            _ => None,
        }
    }

    /// The column of these codes. `as_class`: a category whatever the levels are, as the column is nothing but
    /// a classification.
    pub fn column(&self, codes: impl Iterator<Item = u32>, as_class: bool) -> Column {
        let category = |codes: Vec<u32>, levels: Vec<String>| Column::Category { codes, levels };
        match &self.levels {
            Levels::Numbers(levels) if as_class => {
                let texts: Vec<String> = levels.iter().map(|v| number_text(*v)).collect();
                let mut order: Vec<usize> = (0..texts.len()).collect();
                order.sort_unstable_by(|a, b| texts[*a].cmp(&texts[*b]));
                let mut rank = vec![MISSING; texts.len() + 1];
                order.iter().zip(0..).for_each(|(place, code)| rank[*place] = code);
                let sorted = order.into_iter().map(|place| texts[place].clone()).collect();
                category(codes.map(|c| rank[c as usize]).collect(), sorted)
            }
            Levels::Numbers(levels) => {
                Column::Number(codes.map(|c| levels.get(c as usize).copied().unwrap_or(f64::NAN)).collect())
            }
            Levels::Texts(levels) => {
                let count = levels.len() as u32;
                category(codes.map(|c| if c < count { c } else { MISSING }).collect(), levels.clone())
            }
        }
    }
}
