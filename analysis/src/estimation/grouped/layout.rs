//! What the query groups by and sums, part by part, for every request of a plan.

use std::path::Path;

use indexmap::IndexMap;

use crate::estimation::formula::Formula;
use crate::estimation::plan::{
    Adjustment, ColumnOrNumber, Deff, Distance, Family, MissingRule, Pps, ReplicateMethod,
};
use crate::estimation::{EstimationError, Plan, Request, Statistic, read_data};
use crate::sql::Expression;
use crate::sql::dialect::Sort;
use crate::table::parquet::ParquetFile;
use crate::table::{Column, Declared, is_parquet};

/// Who groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    /// Another engine: a missing value that must not be is marked, and found at the finish.
    Elsewhere,
    /// This program, which sees a missing value itself.
    Here,
}

/// The parts of a plan's query; the same for the one who writes it and the one who finishes.
pub(super) struct Layout {
    pub parts: Vec<Part>,
    /// The classes of the adjustments, which every part has among its keys.
    pub adjusting: Vec<Key>,
    pub left_out: Vec<String>,
    pub schema: Schema,
}

/// Requests answered from one grouping.
#[derive(Default)]
pub(super) struct Part {
    /// Places in the plan's list.
    pub requests: Vec<usize>,
    pub keys: Vec<Key>,
    /// The keys that the requests and the plan's domain ask for.
    pub own: Vec<Key>,
    /// Columns summed as Σwy.
    pub sums: Vec<String>,
    /// Pairs summed as Σwyz, each in the order of the alphabet.
    pub products: Vec<(String, String)>,
    /// Columns whose categories each have a Σw of their own, where this program groups.
    pub shares: Vec<Key>,
}

impl Part {
    /// Whether the column is a classification wherever the plan and the requests of this part name it, so
    /// that its values need not be numbers.
    pub fn only_classifies(&self, name: &str, plan: &Plan) -> bool {
        let is = |other: &String| other == name;
        let number = |fpc: &ColumnOrNumber| matches!(fpc, ColumnOrNumber::Column(column) if column == name);
        let calibrates = |adjustment: &Adjustment| match adjustment {
            Adjustment::Calibrate { terms, .. } => terms.iter().any(is),
            Adjustment::Nonresponse { responded, .. } => is(responded),
            _ => false,
        };
        let computes = |place: &usize| {
            let request = &plan.requests[*place];
            let columns = request.of.iter().chain(&request.numerator).chain(&request.denominator);
            request.formula.is_some() || columns.chain(&request.groups).any(is)
        };
        plan.types.contains_key(name)
            || !(plan.design.fpc.iter().any(number)
                || plan.adjust.iter().any(calibrates)
                || self.requests.iter().any(computes))
    }
}

/// One classification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    /// Every row is its own unit.
    Row,
    /// Whether the weight is 0: such rows are in the design and in no domain.
    Weightless,
    Column(String),
    /// A condition with its three values, under its text.
    Condition(String),
    /// The first of the request's points not below a number: request and column.
    Points(usize, String),
    /// Whether none of these columns is missing.
    Complete(Vec<String>),
}

/// What is known of the columns before the data are seen.
pub(super) struct Schema {
    file: Option<IndexMap<String, Sort>>,
    derived: IndexMap<String, Sort>,
    types: IndexMap<String, Declared>,
}

impl Schema {
    fn of(plan: &Plan, folder: &Path) -> Result<Self, EstimationError> {
        let there = plan.data.as_ref().is_some_and(|data| folder.join(data).exists());
        let file = match there {
            false => None,
            true => {
                let sort = |column: &Column| match column {
                    Column::Number(_) => Sort::Number,
                    Column::Category { .. } => Sort::Text,
                };
                let path = plan.data.as_ref().map(|data| folder.join(data));
                match path.filter(|path| is_parquet(path)) {
                    Some(path) => {
                        let file = ParquetFile::open(&path)?;
                        let sort = |is_text: bool| if is_text { Sort::Text } else { Sort::Number };
                        let known = file.columns().map(|(name, is_text)| (name.to_owned(), sort(is_text)));
                        Some(known.collect())
                    }
                    None => {
                        let table = read_data(plan, folder)?;
                        Some(table.columns().map(|(name, column)| (name.to_owned(), sort(column))).collect())
                    }
                }
            }
        };
        let mut schema = Self { file, derived: IndexMap::new(), types: plan.types.clone() };
        for (name, sql) in &plan.derive {
            let written =
                Expression::parse(sql)?.written(crate::sql::Dialect::DuckDb, &|n| schema.sort(n))?.sort;
            let sort = match (schema.declared(name), written) {
                (Some(declared), _) => declared,
                (None, Sort::Truth | Sort::Null) => Sort::Number,
                (None, sort) => sort,
            };
            schema.derived.insert(name.clone(), sort);
        }
        Ok(schema)
    }

    fn declared(&self, name: &str) -> Option<Sort> {
        self.types.get(name).map(|declared| match declared {
            Declared::Category | Declared::Levels(_) => Sort::Text,
            Declared::Number => Sort::Number,
        })
    }

    pub fn sort(&self, name: &str) -> Sort {
        if let Some(sort) = self.derived.get(name).copied().or_else(|| self.declared(name)) {
            return sort;
        }
        self.file.as_ref().and_then(|file| file.get(name).copied()).unwrap_or(Sort::Native)
    }

    /// A column whose name differs from this one by case alone.
    pub fn twin<'a>(&'a self, name: &str) -> Option<&'a str> {
        let known = self.file.iter().flat_map(IndexMap::keys).chain(self.derived.keys());
        known.map(String::as_str).find(|other| *other != name && other.to_lowercase() == name.to_lowercase())
    }

    pub fn is_text(&self, name: &str) -> bool {
        self.sort(name) == Sort::Text
    }

    /// The column of the data that a category declared as `name_cat` copies.
    pub fn copied<'a>(&self, name: &'a str) -> Option<&'a str> {
        let file = self.file.as_ref()?;
        let base = name.strip_suffix("_cat")?;
        (self.types.contains_key(name)
            && !self.derived.contains_key(name)
            && !file.contains_key(name)
            && (file.contains_key(base) || self.derived.contains_key(base)))
        .then_some(base)
    }

    fn is_column(&self, name: &str) -> bool {
        match &self.file {
            _ if self.derived.contains_key(name) || self.types.contains_key(name) => true,
            Some(file) => file.contains_key(name),
            None => Expression::parse(name).is_ok_and(|e| e.columns() == [name]),
        }
    }
}

/// The requirements of one request.
#[derive(Default)]
struct Needs {
    keys: Vec<Key>,
    sums: Vec<String>,
    products: Vec<(String, String)>,
    shares: Vec<Key>,
}

impl Needs {
    fn column(&mut self, name: &str) {
        self.keys.push(Key::Column(name.into()));
    }

    fn product(&mut self, a: &str, b: &str) {
        let pair = if a <= b { (a, b) } else { (b, a) };
        self.products.push((pair.0.into(), pair.1.into()));
    }
}

impl Layout {
    pub fn of(
        plan: &Plan,
        folder: &Path,
        skip_unsupported: bool,
        grouping: Grouping,
    ) -> Result<Self, EstimationError> {
        let schema = Schema::of(plan, folder)?;
        let (common, adjusting) = common(plan, &schema)?;
        let mut parts: Vec<Part> = Vec::new();
        let mut left_out = Vec::new();
        // The part of every request, for the contrasts that build on it.
        let mut place: IndexMap<&str, Option<usize>> = IndexMap::new();
        for (i, request) in plan.requests.iter().enumerate() {
            let refused = |reason: String| EstimationError::NotFromTotals {
                what: format!("request `{}`", request.id),
                reason,
            };
            if request.statistic == Statistic::Contrast {
                let id = request.between.as_deref().unwrap_or_default();
                match place.get(id) {
                    Some(Some(part)) => {
                        parts[*part].requests.push(i);
                        let part = Some(*part);
                        place.insert(&request.id, part);
                    }
                    Some(None) => {
                        left_out.push(format!("request `{}`: it builds on `{id}`", request.id));
                        place.insert(&request.id, None);
                    }
                    None => return Err(EstimationError::UnknownRequest { id: id.into() }),
                }
                continue;
            }
            match needs(request, i, plan, &schema, grouping)? {
                Err(reason) if skip_unsupported => {
                    left_out.push(refused(reason).to_string());
                    place.insert(&request.id, None);
                }
                Err(reason) => return Err(refused(reason)),
                Ok(own) => {
                    let part = join(&mut parts, i, &common, own, grouping);
                    place.insert(&request.id, Some(part));
                }
            }
        }
        if parts.is_empty() && !left_out.is_empty() {
            return Err(EstimationError::NotFromTotals {
                what: "every request of this plan".into(),
                reason: left_out.join("; "),
            });
        }
        if parts.is_empty() {
            join(&mut parts, 0, &common, Needs::default(), grouping);
            parts[0].requests.clear();
        }
        Ok(Self { parts, adjusting, left_out, schema })
    }
}

/// Puts a request to a part that groups alike, or opens one.
fn join(parts: &mut Vec<Part>, request: usize, common: &[Key], own: Needs, grouping: Grouping) -> usize {
    let mut keys: Vec<Key> = common.iter().cloned().chain(own.keys.iter().cloned()).collect();
    keys.sort();
    keys.dedup();
    // A classification is exact by itself; only other columns need sums.
    let is_key = |name: &String| keys.contains(&Key::Column(name.clone()));
    let sums: Vec<String> = own.sums.into_iter().filter(|name| !is_key(name)).collect();
    let products: Vec<(String, String)> =
        own.products.into_iter().filter(|(a, b)| !is_key(a) && !is_key(b)).collect();
    let (keyed, shares): (Vec<Key>, Vec<Key>) = own.shares.into_iter().partition(|key| keys.contains(key));
    let domain = common.iter().filter(|key| matches!(key, Key::Condition(_))).cloned();
    let asked: Vec<Key> = own.keys.into_iter().chain(keyed).chain(domain).collect();
    // Marks of a single column cost nothing where no value is missing, so they may stand together; one
    // more query over the rows would cost more.
    let stands_together =
        |key: &Key| grouping == Grouping::Elsewhere && matches!(key, Key::Complete(v) if v.len() == 1);
    let lasting = |keys: &[Key]| -> Vec<Key> {
        let mut lasting: Vec<Key> = keys.iter().filter(|k| !stands_together(k)).cloned().collect();
        lasting.sort();
        lasting
    };
    let place = parts.iter().position(|part| lasting(&part.keys) == lasting(&keys)).unwrap_or_else(|| {
        parts.push(Part::default());
        parts.len() - 1
    });
    let part = &mut parts[place];
    part.requests.push(request);
    let add = |list: &mut Vec<Key>, key: Key| {
        if !list.contains(&key) {
            list.push(key);
        }
    };
    keys.into_iter().for_each(|key| add(&mut part.keys, key));
    asked.into_iter().for_each(|key| add(&mut part.own, key));
    for name in sums {
        if !part.sums.contains(&name) {
            part.sums.push(name);
        }
    }
    for pair in products {
        if !part.products.contains(&pair) {
            part.products.push(pair);
        }
    }
    shares.into_iter().for_each(|key| add(&mut part.shares, key));
    place
}

/// Number of cluster stages that enter the variance.
pub(super) fn stages(plan: &Plan) -> usize {
    plan.design.fpc.len().max(1).min(plan.design.clusters.len())
}

/// What every part groups by: units, strata, corrections and the classes of the adjustments; and these alone.
fn common(plan: &Plan, schema: &Schema) -> Result<(Vec<Key>, Vec<Key>), EstimationError> {
    let refused = |reason: &str| {
        Err(EstimationError::NotFromTotals { what: "this plan".into(), reason: reason.into() })
    };
    let design = &plan.design;
    let mut needs = Needs::default();
    let unclustered = design.clusters.is_empty();
    if unclustered {
        needs.keys.push(Key::Row);
    }
    design.clusters.iter().take(stages(plan)).for_each(|name| needs.column(name));
    design.strata.iter().for_each(|name| needs.column(name));
    for fpc in &design.fpc {
        if let ColumnOrNumber::Column(name) = fpc {
            needs.column(name);
        }
    }
    if design.weights.is_some() {
        needs.keys.push(Key::Weightless);
    }
    if matches!(design.pps, Some(Pps::Joint(_))) {
        return refused("the matrix of joint probabilities is in the order of the rows, which totals lose");
    }
    if let Some(replicates) = &plan.replicates {
        match replicates.method {
            ReplicateMethod::Given => return refused("each given replicate weight is a column of the rows"),
            ReplicateMethod::Jk1 | ReplicateMethod::Jkn => {}
            _ if unclustered => {
                return refused("replicates by chance follow the order of the rows, which totals lose");
            }
            _ => {}
        }
    }
    let before = needs.keys.len();
    for adjustment in &plan.adjust {
        match adjustment {
            Adjustment::Nonresponse { responded, classes, .. } => {
                needs.column(responded);
                classes.iter().for_each(|name| needs.column(name));
            }
            Adjustment::Poststratify { by, .. } => by.iter().for_each(|name| needs.column(name)),
            Adjustment::Rake { margins, .. } => {
                margins.iter().flat_map(|m| &m.by).for_each(|name| needs.column(name));
            }
            Adjustment::Calibrate { distance, terms, same_within_stage, variance_by, .. } => {
                if same_within_stage.is_some() || variance_by.is_some() {
                    return refused("the calibration uses single rows (same_within_stage, variance_by)");
                }
                for term in terms.iter().filter(|t| *t != "1") {
                    if *distance != Distance::Linear && !schema.is_text(term) {
                        return refused("a calibration other than linear has a numeric term");
                    }
                    needs.column(term);
                }
            }
            Adjustment::Trim { .. } => return refused("trimming looks at single weights"),
        }
    }
    let mut adjusting = needs.keys[before..].to_vec();
    adjusting.sort();
    adjusting.dedup();
    if let Some(condition) = &plan.r#where {
        needs.keys.push(Key::Condition(condition.clone()));
    }
    Ok((needs.keys, adjusting))
}

/// The needs of a request, or why it is no function of totals.
fn needs(
    request: &Request,
    place: usize,
    plan: &Plan,
    schema: &Schema,
    grouping: Grouping,
) -> Result<Result<Needs, String>, EstimationError> {
    let mut needs = Needs::default();
    request.by.iter().for_each(|name| needs.column(name));
    if let Some(condition) = &request.r#where {
        needs.keys.push(Key::Condition(condition.clone()));
    }
    let mut numbers: Vec<String> = Vec::new();
    match request.statistic {
        Statistic::Mean | Statistic::Total => {
            for name in &request.of {
                if schema.is_text(name) {
                    match grouping {
                        Grouping::Here => needs.shares.push(Key::Column(name.clone())),
                        Grouping::Elsewhere => needs.column(name),
                    }
                } else {
                    numbers.push(name.clone());
                    if request.deff != Deff::No {
                        needs.product(name, name);
                    }
                }
            }
        }
        Statistic::Proportion => {
            for name in &request.of {
                match schema.is_column(name) {
                    true => needs.column(name),
                    false => needs.keys.push(Key::Condition(name.clone())),
                }
            }
        }
        Statistic::Ratio => {
            numbers.extend(request.numerator.iter().chain(&request.denominator).cloned());
            if request.deff != Deff::No {
                for a in &numbers {
                    numbers.iter().for_each(|b| needs.product(a, b));
                }
            }
        }
        Statistic::Variance => {
            numbers.extend(request.of.iter().cloned());
            for a in &numbers {
                numbers.iter().for_each(|b| needs.product(a, b));
            }
        }
        Statistic::Cdf => {
            request.of.iter().for_each(|name| needs.keys.push(Key::Points(place, name.clone())));
        }
        Statistic::Table | Statistic::Independence => {
            request.rows.iter().chain(&request.cols).for_each(|name| needs.column(name));
        }
        Statistic::Ttest => {
            request.groups.iter().for_each(|name| needs.column(name));
            numbers.extend(request.of.iter().cloned());
        }
        Statistic::Regression => {
            let linear = match &request.family {
                None => true,
                Some(Family::Name(name)) => name == "gaussian",
                Some(Family::Linked { name, link }) => name == "gaussian" && link == "identity",
            };
            if !linear {
                return Ok(Err("a regression other than linear looks at single rows".into()));
            }
            if let Some(formula) = &request.formula {
                let formula = Formula::parse(formula)?;
                let columns = formula.columns()?;
                // The coefficients are linear in the outcome itself, not in a function of it.
                let plain = |name: &String| *name == formula.response.name && !schema.is_text(name);
                for (i, name) in columns.into_iter().enumerate() {
                    if i == 0 && plain(&name) {
                        numbers.push(name);
                    } else {
                        needs.column(&name);
                    }
                }
            }
        }
        Statistic::Quantile => return Ok(Err("a quantile needs the order of the rows".into())),
        Statistic::Ranktest => return Ok(Err("a rank test needs the order of the rows".into())),
        Statistic::Icc => return Ok(Err("an interviewer's correlation needs single rows".into())),
        Statistic::Contrast => {}
    }
    let mut missing = numbers.clone();
    missing.extend(needs.shares.iter().filter_map(|key| match key {
        Key::Column(name) => Some(name.clone()),
        _ => None,
    }));
    missing.sort();
    missing.dedup();
    match request.missing {
        MissingRule::Error if grouping == Grouping::Here => {}
        MissingRule::Error => missing.into_iter().for_each(|n| needs.keys.push(Key::Complete(vec![n]))),
        MissingRule::Drop if missing.is_empty() => {}
        MissingRule::Drop => needs.keys.push(Key::Complete(missing)),
    }
    if request.separate {
        plan.design.strata.iter().for_each(|name| needs.column(name));
    }
    needs.sums = numbers;
    Ok(Ok(needs))
}
