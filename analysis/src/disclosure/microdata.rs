//! The reduced file of respondents (protection.md rule 21): banded, grouped, without PSU, with weights that tell no
//! village, and with what it risks.
//!
//! Only the columns that the plan names go in. Keys are what somebody may know of a person; rows that agree in all of
//! them are a class. A class is safe with k respondents from three clusters, none of which has more than half of them,
//! and a small individual risk. Keys are made coarser step by step, then left out in single rows, until all classes are
//! safe; where a class tells a sensitive answer, that answer is left out in the class.

use super::Rules;
use super::risk::{Class, Diversity, FileRisk};
use crate::export::records::Released;
use crate::table::{Column, MISSING, Table, TableError, number_text};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Share of one cluster in a class above which the class tells the cluster.
const MOST_OF_ONE_CLUSTER: f64 = 0.5;
/// A column of numbers with more values than this must be banded.
const MOST_VALUES: usize = 30;
/// Significant digits of the released weights.
const WEIGHT_DIGITS: i32 = 3;

/// What goes into the file and how coarse it gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MicrodataPlan {
    /// What somebody may know of a person, the most important for readers first: the last is left out first.
    pub keys: Vec<Variable>,
    /// Answers that must not come out through the keys.
    #[serde(default)]
    pub sensitive: Vec<Variable>,
    /// Other answers.
    #[serde(default)]
    pub others: Vec<Variable>,
    pub weight: String,
    /// The PSU. It is needed to judge and never goes in.
    pub cluster: String,
    /// Columns of the design; they never go in.
    #[serde(default)]
    pub strata: Vec<String>,
    /// Weights are averaged within the combinations of these keys (large area, sex, age).
    pub weight_cells: Vec<String>,
    /// Smallest class; at least 10.
    #[serde(default = "ten")]
    pub k: usize,
    /// Fewest different answers of a class to a sensitive question, and fewest by entropy; at least 2 and 1.3.
    #[serde(default = "two")]
    pub distinct: usize,
    #[serde(default = "some_entropy")]
    pub entropy: f64,
    /// Largest individual risk; at most 0.05.
    #[serde(default = "five_percent")]
    pub risk: f64,
    /// A key gets coarser while more than this share of the rows is in unsafe classes.
    #[serde(default = "five_percent")]
    pub left_out: f64,
}

impl MicrodataPlan {
    /// With the strictest limits, nothing but keys, and no strata.
    pub fn new(keys: Vec<Variable>, weight: &str, cluster: &str, weight_cells: Vec<String>) -> Self {
        Self {
            keys,
            sensitive: Vec::new(),
            others: Vec::new(),
            weight: weight.to_owned(),
            cluster: cluster.to_owned(),
            strata: Vec::new(),
            weight_cells,
            k: ten(),
            distinct: two(),
            entropy: some_entropy(),
            risk: five_percent(),
            left_out: five_percent(),
        }
    }
}

fn ten() -> usize {
    10
}

fn two() -> usize {
    2
}

fn some_entropy() -> f64 {
    1.3
}

fn five_percent() -> f64 {
    0.05
}

/// A column with its steps, each on what the one before made. The first is always taken, the others where needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    pub column: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Lower ends of bands of numbers: `[18, 30, 60]` makes `18–29`, `30–59`, `60+`; what is lower is `<18`.
    Bands(Vec<f64>),
    /// New code and the codes that it takes; the others stay.
    Groups(IndexMap<String, Vec<String>>),
    /// Every code becomes this one: nothing is told any more.
    All(String),
}

/// Respondents that may leave. Only [`microdata`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeMicrodata {
    table: Table,
    /// Released keys by row of the data, for the log of releases; never in a file.
    keys: Vec<Vec<Option<String>>>,
}

impl SafeMicrodata {
    /// The rows, in the order of their values, so that their order tells nothing: keys, sensitive answers, others, and
    /// `weight`.
    pub fn to_table(&self) -> Table {
        self.table.clone()
    }

    /// The released keys of a row of the data.
    pub(super) fn keys_of(&self, row: usize) -> Vec<Option<String>> {
        self.keys.iter().map(|key| key[row].clone()).collect()
    }
}

impl crate::export::records::sealed::Released for SafeMicrodata {}

impl Released for SafeMicrodata {
    fn rows(&self) -> Table {
        self.to_table()
    }
}

/// What was done and what is left to find. It names no class: it is for the second person who approves the release, and
/// may be printed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RiskReport {
    pub k: usize,
    /// Of the keys after their first steps.
    pub before: FileRisk,
    /// Of the file.
    pub after: FileRisk,
    /// By key, steps taken.
    pub steps: IndexMap<String, usize>,
    /// By column, values left out.
    pub left_out: IndexMap<String, usize>,
    /// By sensitive question, the least diverse class that still has its answers.
    pub diversity: IndexMap<String, Diversity>,
    pub weights: WeightReport,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeightReport {
    /// Different weights.
    pub distinct_before: usize,
    pub distinct_after: usize,
    /// n Σw² / (Σw)².
    pub kish_before: f64,
    pub kish_after: f64,
    /// Sum after over sum before: 1 but for rounding.
    pub total_ratio: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum MicrodataError {
    #[error("{0}")]
    Table(#[from] TableError),
    #[error(
        "`{column}` tells the place of an interview (PSU, stratum or weight) and never leaves; take it out of the plan"
    )]
    Place { column: String },
    #[error("`{column}` stands in the plan twice; name it once")]
    Twice { column: String },
    #[error("the plan has no keys; name what somebody may know of a person, such as area, sex and age")]
    NoKeys,
    #[error("`{cell}` in `weight_cells` is no key of the plan; weights are averaged over keys alone")]
    WeightCell { cell: String },
    #[error("`{column}` has {values} different values, more than {MOST_VALUES}; give it a step with bands")]
    TooFine { column: String, values: usize },
    #[error("`{column}`: bands need ends in rising order, and numbers; `{value}` is none")]
    Bands { column: String, value: String },
    #[error("row {row} of the data has no {what}; leave it out or complete it")]
    Missing { row: usize, what: &'static str },
    #[error(
        "with {rows} respondents no file keeps classes of {k} from {clusters} clusters; give coarser steps or release tables"
    )]
    Vanishes { rows: usize, k: usize, clusters: usize },
}

/// The reduced file and its risk.
///
/// Errors: [`MicrodataError`], for plans that would let a place out and for data of which nothing safe is left.
pub fn microdata(data: &Table, plan: &MicrodataPlan) -> Result<(SafeMicrodata, RiskReport), MicrodataError> {
    check(plan)?;
    let mut file = File::read(data, plan)?;
    let before = FileRisk::of(file.classes().values(), file.limits.k);
    file.coarsen();
    file.leave_out_keys()?;
    file.leave_out_rare_values();
    let diversity = file.protect_sensitive(plan);
    let after = FileRisk::of(file.classes().values(), file.limits.k);
    let weights = file.average_weights(plan);
    let report = RiskReport {
        k: file.limits.k,
        before,
        after,
        steps: file.keys.iter().map(|k| (k.name.clone(), k.step)).collect(),
        left_out: file.left_out(),
        diversity,
        weights: file.weight_report(&weights),
    };
    let keys = file.keys.iter().map(|key| key.values.clone()).collect();
    Ok((SafeMicrodata { table: file.table(&weights)?, keys }, report))
}

fn check(plan: &MicrodataPlan) -> Result<(), MicrodataError> {
    let place: BTreeSet<&String> = plan.strata.iter().chain([&plan.cluster, &plan.weight]).collect();
    let mut seen = BTreeSet::new();
    for variable in plan.keys.iter().chain(&plan.sensitive).chain(&plan.others) {
        let column = variable.column.clone();
        if place.contains(&column) || column == "weight" {
            return Err(MicrodataError::Place { column });
        }
        if !seen.insert(column.clone()) {
            return Err(MicrodataError::Twice { column });
        }
    }
    if plan.keys.is_empty() {
        return Err(MicrodataError::NoKeys);
    }
    match plan.weight_cells.iter().find(|cell| plan.keys.iter().all(|k| k.column != **cell)) {
        Some(cell) => Err(MicrodataError::WeightCell { cell: cell.clone() }),
        None => Ok(()),
    }
}

/// A column on its way into the file.
struct Field {
    name: String,
    /// None where it is missing or left out.
    values: Vec<Option<String>>,
    /// Had a value before anything was left out.
    given: usize,
    steps: Vec<Step>,
    /// Steps taken.
    step: usize,
}

impl Field {
    fn read(data: &Table, variable: &Variable) -> Result<Self, MicrodataError> {
        let column = data.column(&variable.column)?;
        let text = |row: usize| column.text(row).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        let values: Vec<Option<String>> = (0..column.len()).map(text).collect();
        let given = values.iter().flatten().count();
        let mut field =
            Self { name: variable.column.clone(), values, given, steps: variable.steps.clone(), step: 0 };
        field.check_bands()?;
        field.coarser();
        let distinct: BTreeSet<&String> = field.values.iter().flatten().collect();
        if distinct.len() > MOST_VALUES {
            return Err(MicrodataError::TooFine { column: field.name, values: distinct.len() });
        }
        Ok(field)
    }

    /// Bands are for numbers, so they stand first.
    fn check_bands(&self) -> Result<(), MicrodataError> {
        for (at, step) in self.steps.iter().enumerate() {
            let Step::Bands(ends) = step else { continue };
            let wrong = |value: String| MicrodataError::Bands { column: self.name.clone(), value };
            if ends.is_empty() || ends.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(wrong(format!("{ends:?}")));
            }
            if at > 0 {
                return Err(wrong(format!("step {}", at + 1)));
            }
            if let Some(text) = self.values.iter().flatten().find(|text| text.parse::<f64>().is_err()) {
                return Err(wrong(text.clone()));
            }
        }
        Ok(())
    }

    /// Takes the next step.
    fn coarser(&mut self) {
        if let Some(step) = self.steps.get(self.step).cloned() {
            self.values.iter_mut().flatten().for_each(|value| *value = step.of(value));
            self.step += 1;
        }
    }
}

impl Step {
    fn of(&self, value: &str) -> String {
        match self {
            Self::All(code) => code.clone(),
            Self::Groups(groups) => {
                let found = groups.iter().find(|(_, codes)| codes.iter().any(|c| c == value));
                found.map_or_else(|| value.to_owned(), |(code, _)| code.clone())
            }
            Self::Bands(ends) => {
                let number: f64 = value.parse().unwrap_or(f64::NAN);
                match ends.iter().rposition(|low| number >= *low) {
                    None => format!("<{}", number_text(ends[0])),
                    Some(at) if at + 1 == ends.len() => format!("{}+", number_text(ends[at])),
                    Some(at) => band(ends[at], ends[at + 1]),
                }
            }
        }
    }
}

/// `18–29` where both ends are whole, else `[0.5, 1.5)`.
fn band(low: f64, next: f64) -> String {
    match low.fract() == 0.0 && next.fract() == 0.0 {
        true => format!("{}–{}", number_text(low), number_text(next - 1.0)),
        false => format!("[{}, {})", number_text(low), number_text(next)),
    }
}

struct Safe {
    k: usize,
    clusters: usize,
    risk: f64,
    left_out: f64,
}

struct File {
    keys: Vec<Field>,
    sensitive: Vec<Field>,
    others: Vec<Field>,
    weights: Vec<f64>,
    clusters: Vec<String>,
    limits: Safe,
}

impl File {
    fn read(data: &Table, plan: &MicrodataPlan) -> Result<Self, MicrodataError> {
        let read = |variables: &[Variable]| -> Result<Vec<Field>, MicrodataError> {
            variables.iter().map(|v| Field::read(data, v)).collect()
        };
        let weights = data.numbers(&plan.weight)?.into_owned();
        let known = |what: &'static str| move |row: usize| MicrodataError::Missing { row: row + 1, what };
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w > 0.0)) {
            return Err(known("weight above 0")(row));
        }
        let cluster = data.column(&plan.cluster)?;
        let clusters = (0..data.height())
            .map(|row| cluster.text(row).map(|t| t.into_owned()).ok_or_else(|| known("cluster")(row)))
            .collect::<Result<_, _>>()?;
        let rules = Rules::default();
        for column in &plan.strata {
            data.column(column)?;
        }
        Ok(Self {
            keys: read(&plan.keys)?,
            sensitive: read(&plan.sensitive)?,
            others: read(&plan.others)?,
            weights,
            clusters,
            limits: Safe {
                k: plan.k.max(rules.min_count),
                clusters: rules.min_clusters,
                risk: if plan.risk.is_nan() { five_percent() } else { plan.risk.min(five_percent()) },
                left_out: plan.left_out.clamp(0.0, 1.0),
            },
        })
    }

    fn class_of(&self, row: usize) -> Vec<Option<&str>> {
        self.keys.iter().map(|key| key.values[row].as_deref()).collect()
    }

    fn classes(&self) -> BTreeMap<Vec<Option<&str>>, Class> {
        let mut classes: BTreeMap<Vec<Option<&str>>, Class> = BTreeMap::new();
        for (row, (weight, cluster)) in self.weights.iter().zip(&self.clusters).enumerate() {
            let class = classes.entry(self.class_of(row)).or_default();
            class.rows.push(row);
            class.weight += weight;
            *class.clusters.entry(cluster.clone()).or_default() += 1;
        }
        classes
    }

    fn is_safe(&self, class: &Class) -> bool {
        let n = class.rows.len();
        n >= self.limits.k
            && class.clusters.len() >= self.limits.clusters
            && class.largest_cluster() as f64 <= MOST_OF_ONE_CLUSTER * n as f64
            && class.risk() <= self.limits.risk
    }

    fn unsafe_rows(&self) -> Vec<usize> {
        let mut rows: Vec<usize> =
            self.classes().into_values().filter(|c| !self.is_safe(c)).flat_map(|c| c.rows).collect();
        rows.sort_unstable();
        rows
    }

    /// Takes the step that leaves the fewest rows in unsafe classes, until few are left or no step is.
    fn coarsen(&mut self) {
        let most = self.limits.left_out * self.weights.len() as f64;
        while self.unsafe_rows().len() as f64 > most {
            let mut best: Option<(usize, usize)> = None;
            // From the last key on: among equals the least important gets coarser.
            for at in (0..self.keys.len()).rev() {
                if self.keys[at].step == self.keys[at].steps.len() {
                    continue;
                }
                let (values, step) = (self.keys[at].values.clone(), self.keys[at].step);
                self.keys[at].coarser();
                let left = self.unsafe_rows().len();
                (self.keys[at].values, self.keys[at].step) = (values, step);
                if best.is_none_or(|(_, fewest)| left < fewest) {
                    best = Some((at, left));
                }
            }
            let Some((at, _)) = best else { return };
            self.keys[at].coarser();
        }
    }

    /// Leaves out keys in the rows of unsafe classes, the last key first. A class of rows without a key is a class like
    /// others; where it stays unsafe at the end, rows of the largest class join it.
    fn leave_out_keys(&mut self) -> Result<(), MicrodataError> {
        for at in (0..self.keys.len()).rev() {
            for row in self.unsafe_rows() {
                self.keys[at].values[row] = None;
            }
        }
        // All keys of the rows that are left are out: one class, too small.
        loop {
            let left: BTreeSet<usize> = self.unsafe_rows().into_iter().collect();
            if left.is_empty() {
                return Ok(());
            }
            let classes = self.classes();
            let donor = classes
                .iter()
                .filter(|(key, class)| self.is_safe(class) && key.iter().any(Option::is_some))
                .max_by_key(|(_, class)| class.rows.len());
            let Some((_, donor)) = donor else {
                let (rows, k, clusters) = (self.weights.len(), self.limits.k, self.limits.clusters);
                return Err(MicrodataError::Vanishes { rows, k, clusters });
            };
            // The whole class: what stays of it could be unsafe, and which of its rows joined would tell of them.
            let rows: Vec<usize> = donor.rows.iter().chain(&left).copied().collect();
            for row in rows {
                self.keys.iter_mut().for_each(|key| key.values[row] = None);
            }
        }
    }

    /// Values of single columns that stand for too few people or places.
    fn leave_out_rare_values(&mut self) {
        let Self { sensitive, others, clusters, limits, .. } = self;
        for field in sensitive.iter_mut().chain(others) {
            let mut found: BTreeMap<String, (usize, BTreeSet<&String>)> = BTreeMap::new();
            for (value, cluster) in field.values.iter().zip(clusters.iter()) {
                let Some(value) = value else { continue };
                let entry = found.entry(value.clone()).or_default();
                entry.0 += 1;
                entry.1.insert(cluster);
            }
            let is_rare = |value: &String| {
                found.get(value).is_some_and(|(n, places)| *n < limits.k || places.len() < limits.clusters)
            };
            field.values.iter_mut().filter(|v| v.as_ref().is_some_and(is_rare)).for_each(|v| *v = None);
        }
    }

    /// Leaves out a sensitive answer in the classes that tell it. Returns the least diverse class that keeps it.
    fn protect_sensitive(&mut self, plan: &MicrodataPlan) -> IndexMap<String, Diversity> {
        let classes: Vec<Vec<usize>> = self.classes().into_values().map(|class| class.rows).collect();
        let most = Rules::default().max_share;
        let mut least = IndexMap::new();
        for field in &mut self.sensitive {
            for rows in &classes {
                let found = Diversity::of(rows.iter().filter_map(|row| field.values[*row].as_ref()));
                if found.distinct == 0 {
                    continue;
                }
                let told = found.distinct < plan.distinct.max(two())
                    || found.entropy < plan.entropy.max(some_entropy())
                    || found.largest_share > most;
                if told {
                    rows.iter().for_each(|row| field.values[*row] = None);
                    continue;
                }
                let so_far = least.entry(field.name.clone()).or_insert(found);
                so_far.distinct = so_far.distinct.min(found.distinct);
                so_far.entropy = so_far.entropy.min(found.entropy);
                so_far.largest_share = so_far.largest_share.max(found.largest_share);
            }
        }
        least
    }

    fn left_out(&self) -> IndexMap<String, usize> {
        let fields = self.keys.iter().chain(&self.sensitive).chain(&self.others);
        fields.map(|f| (f.name.clone(), f.given - f.values.iter().flatten().count())).collect()
    }

    /// The mean weight of the cell that a row's released keys name: whoever knows the keys learns nothing more from it.
    /// Cells are combinations of `weight_cells`; one that is no safe class takes the mean of fewer of them.
    fn average_weights(&self, plan: &MicrodataPlan) -> Vec<f64> {
        let cells: Vec<&Field> =
            plan.weight_cells.iter().filter_map(|c| self.keys.iter().find(|k| k.name == *c)).collect();
        let everybody = self.weights.iter().sum::<f64>() / self.weights.len().max(1) as f64;
        let mut weights = vec![0.0; self.weights.len()];
        let mut open: Vec<usize> = (0..weights.len()).collect();
        for depth in (0..=cells.len()).rev() {
            let mut groups: BTreeMap<Vec<Option<&str>>, Class> = BTreeMap::new();
            for row in &open {
                let class = groups.entry(cells[..depth].iter().map(|c| c.values[*row].as_deref()).collect());
                let class = class.or_default();
                class.rows.push(*row);
                class.weight += self.weights[*row];
                *class.clusters.entry(self.clusters[*row].clone()).or_default() += 1;
            }
            open.clear();
            for class in groups.into_values() {
                let is_safe = self.is_safe(&class);
                if depth > 0 && !is_safe {
                    open.extend(class.rows);
                    continue;
                }
                // What is left of all cells may be too few: then the mean of everybody.
                let mean = if is_safe { class.weight / class.rows.len() as f64 } else { everybody };
                let mean = rounded(mean);
                class.rows.iter().for_each(|row| weights[*row] = mean);
            }
        }
        weights
    }

    fn weight_report(&self, released: &[f64]) -> WeightReport {
        let distinct = |weights: &[f64]| weights.iter().map(|w| w.to_bits()).collect::<BTreeSet<_>>().len();
        let sum = |weights: &[f64]| weights.iter().sum::<f64>();
        let kish = |weights: &[f64]| {
            weights.len() as f64 * weights.iter().map(|w| w * w).sum::<f64>() / sum(weights).powi(2)
        };
        WeightReport {
            distinct_before: distinct(&self.weights),
            distinct_after: distinct(released),
            kish_before: kish(&self.weights),
            kish_after: kish(released),
            total_ratio: sum(released) / sum(&self.weights),
        }
    }

    fn table(&self, weights: &[f64]) -> Result<Table, MicrodataError> {
        let fields: Vec<&Field> = self.keys.iter().chain(&self.sensitive).chain(&self.others).collect();
        let line = |row: usize| fields.iter().map(|f| f.values[row].as_deref()).collect::<Vec<_>>();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|a, b| line(*a).cmp(&line(*b)).then(weights[*a].total_cmp(&weights[*b])));
        let column = |field: &Field| {
            let levels: Vec<String> =
                field.values.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            let code = |value: &Option<String>| {
                value.as_ref().and_then(|v| levels.binary_search(v).ok()).map_or(MISSING, |at| at as u32)
            };
            let codes = order.iter().map(|row| code(&field.values[*row])).collect();
            Column::Category { codes, levels }
        };
        let mut table = Table::default();
        for field in fields.iter().copied() {
            table.push(field.name.clone(), column(field))?;
        }
        table.push("weight", Column::Number(order.iter().map(|row| weights[*row]).collect()))?;
        Ok(table)
    }
}

fn rounded(weight: f64) -> f64 {
    let power = 10_f64.powi(WEIGHT_DIGITS - 1 - weight.log10().floor() as i32);
    (weight * power).round() / power
}
