//! The rows of one batch: read, numbered, placed in cells and summed.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::codings::{Codings, Numbered};
use super::engine::Source;
use super::grid::points;
use super::layout::Key;
use super::totals::add_products;
use crate::sql::Expression;
use crate::table::parquet::{Chunk, Number, Values, with_numbers};
use crate::table::{Column, MISSING, Table};

/// The values of one batch.
pub(super) struct Batch<'a> {
    pub source: &'a Source<'a>,
    /// Its place among the batches.
    pub number: usize,
    pub rows: usize,
    pub chunks: IndexMap<String, Chunk>,
    /// What expressions read and derive.
    pub table: Table,
}

impl Batch<'_> {
    pub fn values(&self, name: &str) -> Option<Values<'_>> {
        if let Some(column) = self.table.get(name) {
            return Some(match column {
                Column::Number(values) => Values::F64(values),
                Column::Category { codes, levels } => Values::Text { codes, levels },
            });
        }
        let name = self.source.layout.schema.copied(name).unwrap_or(name);
        match self.table.get(name) {
            Some(_) => self.values(name),
            None => self.chunks.get(name).map(Chunk::values),
        }
    }

    fn reals(&self, name: &str) -> Option<Cow<'_, [f64]>> {
        with_numbers!(self.values(name)?,
            numbers => Some(Cow::Owned(numbers.iter().map(|v| v.real()).collect())),
            _codes, _levels => None)
    }

    /// The weights of the rows; `Some(None)` where every row counts 1. `None`: one is no weight.
    pub fn weights(&self) -> Option<Option<Cow<'_, [f64]>>> {
        let design = &self.source.plan.design;
        if let Some(name) = &design.weights {
            let weights = match self.values(name)? {
                Values::F64(values) => Cow::Borrowed(values),
                _ => self.reals(name)?,
            };
            return weights.iter().all(|w| *w >= 0.0).then_some(Some(weights));
        }
        if design.probabilities.is_empty() {
            return Some(None);
        }
        let mut product = vec![1.0; self.rows];
        for name in &design.probabilities {
            let values = self.reals(name)?;
            if !values.iter().all(|p| *p > 0.0 && *p <= 1.0) {
                return None;
            }
            product.iter_mut().zip(values.iter()).for_each(|(p, v)| *p *= v);
        }
        Some(Some(product.into_iter().map(|p| 1.0 / p).collect::<Vec<_>>().into()))
    }

    /// The values of a classification, numbered.
    pub fn numbered(&self, key: &Key) -> Option<Numbered> {
        match key {
            Key::Column(name) => Numbered::of(self.values(name)?),
            _ => None,
        }
    }

    /// As [`Self::numbered`]; from the first pass, where that kept it.
    pub fn numbers_of<'b>(&self, key: &Key, codings: &'b Codings<'_>) -> Option<Cow<'b, Numbered>> {
        match codings.kept.get(self.number).and_then(|kept| kept.get(key)) {
            Some(kept) => Some(Cow::Borrowed(kept)),
            None => self.numbered(key).map(Cow::Owned),
        }
    }

    /// Adds the rows' weights to the categories of their cells. `width`: categories, with the missing one;
    /// `drop`: it is left out, else it ends the grouping.
    pub fn share(
        &self,
        key: &Key,
        (width, drop): (usize, bool),
        codings: &Codings<'_>,
        weights: Option<&[f64]>,
        places: &[u32],
        share: &mut [f64],
    ) -> Option<()> {
        let numbered = self.numbers_of(key, codings)?;
        if numbered.missing && !drop {
            return None;
        }
        let steps = numbered.steps(codings.of.get(key)?, 1)?;
        let rows = places.iter().zip(&numbered.codes);
        match weights {
            None => rows.for_each(|(place, code)| {
                share[*place as usize * width + steps[*code as usize] as usize] += 1.0;
            }),
            Some(weights) => rows.zip(weights).for_each(|((place, code), weight)| {
                share[*place as usize * width + steps[*code as usize] as usize] += weight;
            }),
        }
        Some(())
    }

    /// Adds code × stride of the rows to their cells.
    pub fn place(
        &self,
        key: &Key,
        stride: u32,
        codings: &Codings<'_>,
        weights: Option<&[f64]>,
        cells: &mut [u32],
    ) -> Option<()> {
        let codes: Vec<u8> = match key {
            Key::Row => return None,
            Key::Column(_) => {
                let follows = codings.follows.get(key);
                let numbered =
                    self.numbers_of(if follows.is_some() { codings.base } else { key }, codings)?;
                let steps = match follows {
                    None => numbered.steps(codings.of.get(key)?, stride)?,
                    Some(follows) => {
                        let units = numbered.steps(codings.of.get(codings.base)?, 1)?;
                        units
                            .into_iter()
                            .map(|unit| follows.get(unit as usize).map_or(0, |c| c * stride))
                            .collect()
                    }
                };
                for (cell, code) in cells.iter_mut().zip(&numbered.codes) {
                    *cell += steps[*code as usize];
                }
                return Some(());
            }
            // They are rare.
            Key::Weightless if !weights?.contains(&0.0) => return Some(()),
            Key::Weightless => weights?.iter().map(|w| u8::from(*w == 0.0)).collect(),
            Key::Condition(sql) => {
                let held = Expression::parse(sql).ok()?.condition(&self.table).ok()?;
                held.into_iter().map(|truth| truth.map_or(2, u8::from)).collect()
            }
            Key::Points(request, name) => {
                let points = points(self.source.plan, *request);
                let code = |x: f64| match x.is_nan() {
                    true => points.len(),
                    false => points[..points.len() - 1].partition_point(|point| *point < x),
                };
                self.reals(name)?.iter().map(|x| code(*x) as u8).collect()
            }
            Key::Complete(names) => {
                let mut codes = vec![1_u8; self.rows];
                for name in names {
                    with_numbers!(self.values(name)?,
                    numbers => {
                                    codes.iter_mut().zip(numbers).for_each(|(c, v)| *c &= u8::from(!v.real().is_nan()));
                    },
                    texts, _levels => {
                        codes.iter_mut().zip(texts).for_each(|(c, t)| *c &= u8::from(*t != MISSING));
                    });
                }
                codes
            }
        };
        if codes.len() != self.rows {
            return None;
        }
        cells.iter_mut().zip(&codes).for_each(|(cell, code)| *cell += stride * u32::from(*code));
        Some(())
    }

    pub fn sum(
        &self,
        name: &str,
        other: Option<&str>,
        drop: bool,
        place: &[u32],
        weights: &[f64],
        sum: &mut [f64],
    ) -> Option<()> {
        let multiplied: Vec<f64>;
        let weights = match other {
            None => weights,
            Some(other) => {
                let known = |product: f64| match product.is_nan() {
                    true if drop => Some(0.0),
                    true => None,
                    false => Some(product),
                };
                multiplied = with_numbers!(self.values(other)?,
                    numbers => weights.iter().zip(numbers).map(|(w, v)| known(w * v.real())).collect(),
                    _codes, _levels => None)?;
                &multiplied
            }
        };
        with_numbers!(self.values(name)?,
            numbers => add_products(sum, place, weights, numbers, drop),
            _codes, _levels => None)
    }
}
