//! Which respondents a figure counts: sets of rows of the data.

use crate::estimation::{EstimationError, Plan, prepare};
use crate::sql::Expression;
use crate::table::{Column, MISSING, Table, Types};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// Rows of the data, a bit each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Respondents(Vec<u64>);

impl Respondents {
    pub fn of(rows: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let mut words = vec![0; rows.div_ceil(64)];
        (0..rows).filter(|row| is_in(*row)).for_each(|row| words[row / 64] |= 1 << (row % 64));
        Self(words)
    }

    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// Drops who is not in the other set.
    fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }

    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    pub fn count(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            (0..64).filter(move |bit| (word >> bit) & 1 == 1).map(move |bit| at * 64 + bit)
        })
    }

    /// Clusters of the rows, counted up to `enough`.
    pub fn clusters(&self, cluster_of: &[usize], enough: usize) -> usize {
        let mut seen = BTreeSet::new();
        for row in self.rows() {
            seen.insert(cluster_of[row]);
            if seen.len() >= enough {
                break;
            }
        }
        seen.len()
    }
}

/// Whom a figure counts: the respondents of a condition and a group who answered, or those of them with one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Domain {
    /// In its one form; empty for all.
    #[serde(default, rename = "where", skip_serializing_if = "String::is_empty")]
    pub condition: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub group: BTreeMap<String, String>,
    /// Columns or conditions that have a value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub answered: BTreeSet<String>,
    /// Variable and answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<(String, String)>,
}

impl Domain {
    /// All who could have given the answer.
    pub fn base(&self) -> Self {
        Self { answer: None, ..self.clone() }
    }

    pub fn without(&self, column: &str) -> Self {
        let mut wider = self.clone();
        wider.group.remove(column);
        wider
    }
}

/// Respondents by the level of a column.
pub(super) type Levels = IndexMap<String, Respondents>;

/// The data with the derived columns of one plan.
pub(super) struct Answers {
    table: Table,
    /// With a weight.
    respond: Respondents,
    levels: RefCell<HashMap<String, Rc<Levels>>>,
    conditions: RefCell<HashMap<String, Respondents>>,
    answering: RefCell<HashMap<String, Rc<Respondents>>>,
    found: RefCell<HashMap<Domain, Rc<Respondents>>>,
}

impl Answers {
    pub fn of(
        data: &Table,
        types: &Types,
        derive: &IndexMap<String, String>,
        respond: &Respondents,
    ) -> Result<Self, EstimationError> {
        let plan = Plan { types: types.clone(), derive: derive.clone(), ..Plan::default() };
        Ok(Self {
            table: prepare(Cow::Borrowed(data), &plan)?,
            respond: respond.clone(),
            levels: RefCell::default(),
            conditions: RefCell::default(),
            answering: RefCell::default(),
            found: RefCell::default(),
        })
    }

    /// The domain's respondents among all of the data.
    pub fn respondents(&self, domain: &Domain) -> Result<Rc<Respondents>, EstimationError> {
        if let Some(known) = self.found.borrow().get(domain) {
            return Ok(Rc::clone(known));
        }
        let mut found = self.respond.clone();
        let keep = |found: &mut Respondents, levels: &Levels, level: &str| match levels.get(level) {
            Some(rows) => found.keep(rows),
            None => *found = Respondents::of(self.table.height(), |_| false),
        };
        if !domain.condition.is_empty() {
            found.keep(&self.holding(&domain.condition)?);
        }
        for (column, level) in &domain.group {
            let levels = self.levels(column)?;
            keep(&mut found, &levels, level);
        }
        for name in &domain.answered {
            let answering = self.answering(name)?;
            found.keep(&answering);
        }
        if let Some((variable, answer)) = &domain.answer {
            let parts = self.parts(variable, answer)?;
            keep(&mut found, &parts, answer);
        }
        let found = Rc::new(found);
        self.found.borrow_mut().insert(domain.clone(), Rc::clone(&found));
        Ok(found)
    }

    fn holding(&self, condition: &str) -> Result<Respondents, EstimationError> {
        if condition.is_empty() {
            return Ok(self.respond.clone());
        }
        if let Some(known) = self.conditions.borrow().get(condition) {
            return Ok(known.clone());
        }
        let holds = Expression::parse(condition)?.holds(&self.table)?;
        let found = Respondents::of(holds.len(), |row| holds[row]);
        self.conditions.borrow_mut().insert(condition.to_owned(), found.clone());
        Ok(found)
    }

    pub fn levels(&self, column: &str) -> Result<Rc<Levels>, EstimationError> {
        if let Some(known) = self.levels.borrow().get(column) {
            return Ok(Rc::clone(known));
        }
        let (codes, levels) = self.table.categories(column)?;
        let mut rows: Vec<Vec<u64>> = vec![vec![0; codes.len().div_ceil(64)]; levels.len()];
        for (row, code) in codes.iter().enumerate().filter(|(_, code)| **code != MISSING) {
            rows[*code as usize][row / 64] |= 1 << (row % 64);
        }
        let found: Levels = levels.iter().cloned().zip(rows.into_iter().map(Respondents)).collect();
        let found = Rc::new(found);
        self.levels.borrow_mut().insert(column.to_owned(), Rc::clone(&found));
        Ok(found)
    }

    fn answering(&self, name: &str) -> Result<Rc<Respondents>, EstimationError> {
        if let Some(known) = self.answering.borrow().get(name) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(match self.table.get(name) {
            Some(column) => Respondents::of(self.table.height(), |row| !column.is_missing(row)),
            None => {
                let values = Expression::parse(name)?.condition(&self.table)?;
                Respondents::of(values.len(), |row| values[row].is_some())
            }
        });
        self.answering.borrow_mut().insert(name.to_owned(), Rc::clone(&found));
        Ok(found)
    }

    /// The answers among which `answer` stands. `≤ x` parts the numbers of a column.
    pub fn parts(&self, variable: &str, answer: &str) -> Result<Rc<Levels>, EstimationError> {
        if let Some(limit) = answer.strip_prefix('≤').or_else(|| answer.strip_prefix('>'))
            && let Ok(limit) = limit.trim().parse::<f64>()
        {
            let values = self.table.numbers(variable)?;
            let below = Respondents::of(values.len(), |row| values[row] <= limit);
            let above = Respondents::of(values.len(), |row| values[row] > limit);
            let text = crate::table::number_text(limit);
            return Ok(Rc::new(Levels::from([(format!("≤ {text}"), below), (format!("> {text}"), above)])));
        }
        if self.table.get(variable).is_some() {
            return self.levels(variable);
        }
        let values = Expression::parse(variable)?.condition(&self.table)?;
        let of = |wanted: bool| Respondents::of(values.len(), |row| values[row] == Some(wanted));
        Ok(Rc::new(Levels::from([("0".to_owned(), of(false)), ("1".to_owned(), of(true))])))
    }

    /// True for conditions and columns of zeros and ones: their means are shares.
    pub fn is_indicator(&self, name: &str) -> bool {
        match self.table.get(name) {
            None => true,
            Some(Column::Number(values)) => values.iter().all(|v| v.is_nan() || *v == 0.0 || *v == 1.0),
            Some(Column::Category { .. }) => false,
        }
    }

    pub fn has_level(&self, column: &str, level: &str) -> bool {
        self.table.get(column).is_some() && self.levels(column).is_ok_and(|levels| levels.contains_key(level))
    }
}
