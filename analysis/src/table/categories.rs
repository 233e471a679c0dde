//! From values to category codes with sorted levels.

use std::collections::HashMap;

use indexmap::IndexSet;

use super::{Column, MISSING, number_text};

/// Whole numbers in a narrow range (unit numbers, years, answers) need no hashing.
fn categorise_whole_numbers(values: &[f64]) -> Option<(Vec<u32>, Vec<String>)> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.iter().filter(|v| !v.is_nan()) {
        if *value as i64 as f64 != *value {
            return None;
        }
        low = low.min(*value);
        high = high.max(*value);
    }
    let span = high - low;
    if !(span >= 0.0 && span <= 4.0 * values.len() as f64 + 1024.0 && high.abs().max(low.abs()) < 1e15) {
        return None;
    }
    let mut seen = vec![false; span as usize + 1];
    values.iter().filter(|v| !v.is_nan()).for_each(|v| seen[(v - low) as usize] = true);
    let mut levels: Vec<(String, usize)> = seen
        .iter()
        .enumerate()
        .filter(|(_, s)| **s)
        .map(|(place, _)| (number_text(low + place as f64), place))
        .collect();
    levels.sort_unstable();
    let mut rank = vec![MISSING; seen.len()];
    levels.iter().zip(0_u32..).for_each(|((_, place), code)| rank[*place] = code);
    let codes = values.iter().map(|v| if v.is_nan() { MISSING } else { rank[(v - low) as usize] }).collect();
    Some((codes, levels.into_iter().map(|(text, _)| text).collect()))
}

/// One level a value, by code point of its text.
pub(super) fn categorise(values: &[f64]) -> (Vec<u32>, Vec<String>) {
    if let Some(found) = categorise_whole_numbers(values) {
        return found;
    }
    let mut places: HashMap<u64, u32> = HashMap::new();
    let mut builder = CategoryBuilder::default();
    for value in values {
        if value.is_nan() {
            builder.codes.push(MISSING);
            continue;
        }
        // Adding 0 turns -0 into 0, which is the same number.
        let code = *places
            .entry((value + 0.0).to_bits())
            .or_insert_with(|| builder.levels.insert_full(number_text(*value)).0 as u32);
        builder.codes.push(code);
    }
    match builder.finish() {
        Column::Category { codes, levels } => (codes, levels),
        Column::Number(_) => (Vec::new(), Vec::new()),
    }
}

/// Collects texts to codes; levels are sorted at the end.
#[derive(Default)]
pub(super) struct CategoryBuilder {
    levels: IndexSet<String>,
    pub codes: Vec<u32>,
}

impl CategoryBuilder {
    pub fn push(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            self.codes.push(MISSING);
            return;
        };
        let code = match self.levels.get_index_of(text) {
            Some(code) => code,
            None => self.levels.insert_full(text.to_owned()).0,
        };
        self.codes.push(code as u32);
    }

    /// Adds rows by codes of other levels, in the order of the rows.
    pub fn extend(&mut self, codes: &[u32], levels: &[String]) {
        let mut own = vec![MISSING; levels.len()];
        self.codes.reserve(codes.len());
        for code in codes {
            if *code == MISSING {
                self.codes.push(MISSING);
                continue;
            }
            let place = *code as usize;
            if own[place] == MISSING {
                self.push(Some(&levels[place]));
                own[place] = self.codes[self.codes.len() - 1];
            } else {
                self.codes.push(own[place]);
            }
        }
    }

    pub fn finish(mut self) -> Column {
        let mut levels: Vec<String> = self.levels.into_iter().collect();
        // Units are often listed in the order of their codes.
        if levels.is_sorted() {
            return Column::Category { codes: self.codes, levels };
        }
        let mut order: Vec<u32> = (0..levels.len() as u32).collect();
        order.sort_unstable_by(|a, b| levels[*a as usize].cmp(&levels[*b as usize]));
        let mut rank = vec![0_u32; order.len()];
        for (to, from) in order.iter().enumerate() {
            rank[*from as usize] = to as u32;
        }
        for code in &mut self.codes {
            if *code != MISSING {
                *code = rank[*code as usize];
            }
        }
        let levels = order.iter().map(|from| std::mem::take(&mut levels[*from as usize])).collect();
        Column::Category { codes: self.codes, levels }
    }
}
