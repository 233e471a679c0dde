//! Safe tables of counts (contract: "The protection plan").

use super::counts::{Columns, Counts, Tree};
use super::earlier::{Released, RoundedTo};
use super::rounding::round;
use super::suppression::Suppression;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::table::{Declared, Table, TableError, Types, nearest};

/// Letters that a seed has at least.
const SEED_LETTERS: usize = 16;

/// Which tables are wanted and what protects them. Paths are relative to the plan's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectionPlan {
    pub data: PathBuf,
    /// Column of the clusters; without one each respondent is its own.
    #[serde(default)]
    pub cluster: Option<String>,
    /// By column, a CSV with the columns `code` and `parent`.
    #[serde(default)]
    pub hierarchies: IndexMap<String, PathBuf>,
    pub tables: Vec<TableRequest>,
    /// Earlier answers of this command, which the attacker knows too.
    #[serde(default)]
    pub released: Vec<PathBuf>,
    #[serde(default = "ten")]
    pub threshold: usize,
    #[serde(default = "three")]
    pub min_clusters: usize,
    /// Columns under rule 18.
    #[serde(default)]
    pub sensitive: Vec<String>,
    #[serde(default)]
    pub method: ProtectionMethod,
    /// With `round`: every count becomes a multiple of it; without one, of the threshold.
    #[serde(default)]
    pub base: Option<usize>,
    /// With `round`: any text of at least 16 letters, which stays as secret as the data.
    #[serde(default)]
    pub seed: Option<String>,
}

/// What is done about counts that may not be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectionMethod {
    #[default]
    Hide,
    Round,
}

fn ten() -> usize {
    10
}

fn three() -> usize {
    3
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRequest {
    pub id: String,
    pub by: Vec<String>,
}

/// The tables with hidden counts left out. Nothing says why one is hidden.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Protected {
    tables: Vec<ProtectedTable>,
    hidden: usize,
    shown: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounded: Option<RoundedTo>,
    #[serde(skip)]
    of_other_data: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtectedTable {
    id: String,
    cells: Vec<ProtectedCell>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtectedCell {
    key: IndexMap<String, Option<String>>,
    n: Option<usize>,
}

impl Protected {
    pub fn tables(&self) -> &[ProtectedTable] {
        &self.tables
    }

    /// Hidden and shown cells over all tables; a cell of two tables counts once.
    pub fn hidden_and_shown(&self) -> (usize, usize) {
        (self.hidden, self.shown)
    }

    /// The base that every count is a multiple of, where counts were rounded.
    pub fn base(&self) -> Option<usize> {
        self.rounded.as_ref().map(|r| r.base)
    }

    /// Earlier answers that were made from other data, and the people between whom and today are protected too.
    pub fn answers_of_other_data(&self) -> &[PathBuf] {
        &self.of_other_data
    }
}

impl ProtectedTable {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn cells(&self) -> &[ProtectedCell] {
        &self.cells
    }
}

impl ProtectedCell {
    /// Code by column; `None` is the margin.
    pub fn key(&self) -> &IndexMap<String, Option<String>> {
        &self.key
    }

    /// `None` is hidden.
    pub fn n(&self) -> Option<usize> {
        self.n
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ProtectError {
    #[error("`{file}` cannot be read as {what}: {message}")]
    File { file: PathBuf, what: &'static str, message: String },
    #[error("column `{column}` is not in the data; {hint}")]
    Column { column: String, hint: String },
    #[error("{0}")]
    Data(#[from] TableError),
    #[error("hierarchy of `{column}`: code `{code}` stands twice or below itself; each code has one parent")]
    Hierarchy { column: String, code: String },
    #[error(
        "column `{column}`: code `{code}` has answers of its own and codes below it; give those answers a code \
         at the lowest level"
    )]
    MixedLevels { column: String, code: String },
    #[error("table `{table}` names no column, or one column twice")]
    Table { table: String },
    #[error("the plan has no tables, or two with one id")]
    NoTables,
    #[error("the threshold must be at least 1")]
    Threshold,
    #[error(
        "table `{table}` cannot be protected: all its counts would vanish; use fewer columns, broader groups \
         or more respondents"
    )]
    Vanishes { table: String },
    #[error(
        "`{file}` was made from data that differ from today's by {interviews} interviews, fewer than {least}: the two \
         answers together would tell about those few; wait for more interviews, or ask again on the earlier data"
    )]
    TooNear { file: PathBuf, interviews: usize, least: usize },
    #[error(
        "the tables have {cells} linked cells, more than {limit}; ask for fewer or smaller tables at once"
    )]
    TooLarge { cells: usize, limit: usize },
    #[error("`base` and `seed` belong to the method `round`; leave them out, or set `\"method\": \"round\"`")]
    NotRounding,
    #[error(
        "the base of the rounding is {base}; it must be at least 2 and at least the threshold, {threshold}: a count \
         published as 0 stands for 0 to {base}"
    )]
    Base { base: usize, threshold: usize },
    #[error(
        "the method `round` needs a `seed`: any text of at least {SEED_LETTERS} letters that nobody can guess, kept as \
         secret as the data; the same seed gives the same counts again"
    )]
    Seed,
    #[error(
        "column `{column}` is sensitive: rounded counts would still tell that nearly all of a small group answered \
         alike; ask for the tables with it by the method `hide`"
    )]
    SensitiveRounded { column: String },
    #[error(
        "`{file}` is an earlier answer that cannot be joined with rounding: only one with the same data, the same \
         seed and the same base can, because exact counts, or two ways of rounding one count, tell more than either; \
         use the method of the earlier answer"
    )]
    OtherRounding { file: PathBuf },
    #[error(
        "table `{table}` cannot be rounded to multiples of {base}: some count could be bounded whatever is rounded \
         up; use a larger base, fewer columns or the method `hide`"
    )]
    NotRounded { table: String, base: usize },
}

/// Counts the respondents for each table with all its margins and hides what must be hidden.
///
/// Hidden are the counts 1 … `threshold` − 1, counts from fewer than `min_clusters` clusters, whole
/// distributions of `sensitive` columns where one answer holds more than 90% of a base under 100 (zeros
/// included), and others, so that nobody who knows all tables, margins and earlier answers can bound a
/// hidden count to an interval shorter than `threshold`. No other cell could be shown again.
///
/// An earlier answer about other data (rule 20) must be at least 30 interviews away. What the two answers differ by is
/// protected like a table: a difference of 1 … `threshold` − 1 hides today's count, what the earlier answer hid stays
/// hidden, and the fillings that keep a hidden count open let nobody of the earlier answer go.
///
/// Errors: [`ProtectError`], for input that cannot be read, for tables that would vanish, and for an earlier answer
/// that is too near.
///
/// With the method `round` nothing is hidden: every count becomes a multiple of the base within one base of the true
/// one, by chance, so that the counts hiding would hide cannot be bounded to an interval shorter than `threshold`
/// either. Sums of rounded counts are not rounded sums. Sensitive columns, and earlier answers that were not rounded
/// alike, are refused.
pub fn protect(plan: &ProtectionPlan, folder: &Path) -> Result<Protected, ProtectError> {
    check(plan)?;
    let data = read_columns(&folder.join(&plan.data))?;
    let mut trees = IndexMap::new();
    for (column, file) in &plan.hierarchies {
        trees.insert(column.clone(), read_tree(column, &folder.join(file))?);
    }
    let released: Vec<Released> =
        plan.released.iter().map(|file| Released::read(file, folder)).collect::<Result<_, _>>()?;
    if plan.method == ProtectionMethod::Round {
        let fingerprint = fingerprint(plan, folder)?;
        return rounded(plan, &data, &trees, &released, fingerprint);
    }
    if let Some(answer) = released.iter().find(|answer| answer.rounded().is_some()) {
        return Err(ProtectError::OtherRounding { file: answer.file().to_owned() });
    }
    let counts = Counts::of(plan, &data, &trees, &released)?;
    let hidden = Suppression::new(&counts, &trees, plan, &released).run(plan)?;
    let mut answer = answer(plan, &counts, |cell| (!hidden[cell]).then_some(counts.cells[cell].n));
    let of_other_data = released.iter().filter(|r| r.is_of_other_data(&counts));
    answer.of_other_data = of_other_data.map(|r| r.file().to_owned()).collect();
    Ok(answer)
}

fn check(plan: &ProtectionPlan) -> Result<(), ProtectError> {
    let ids: BTreeSet<&String> = plan.tables.iter().map(|t| &t.id).collect();
    if ids.is_empty() || ids.len() < plan.tables.len() {
        return Err(ProtectError::NoTables);
    }
    if plan.threshold == 0 {
        return Err(ProtectError::Threshold);
    }
    check_rounding(plan)?;
    for table in &plan.tables {
        let columns: BTreeSet<&String> = table.by.iter().collect();
        if columns.is_empty() || columns.len() < table.by.len() {
            return Err(ProtectError::Table { table: table.id.clone() });
        }
    }
    Ok(())
}

fn check_rounding(plan: &ProtectionPlan) -> Result<(), ProtectError> {
    let base = plan.base.unwrap_or(plan.threshold);
    match plan.method {
        ProtectionMethod::Hide if plan.base.is_some() || plan.seed.is_some() => {
            Err(ProtectError::NotRounding)
        }
        ProtectionMethod::Hide => Ok(()),
        ProtectionMethod::Round if base < plan.threshold.max(2) => {
            Err(ProtectError::Base { base, threshold: plan.threshold })
        }
        ProtectionMethod::Round => match plan.sensitive.first() {
            Some(column) => Err(ProtectError::SensitiveRounded { column: column.clone() }),
            None if seed(plan).chars().count() < SEED_LETTERS => Err(ProtectError::Seed),
            None => Ok(()),
        },
    }
}

fn seed(plan: &ProtectionPlan) -> &str {
    plan.seed.as_deref().unwrap_or_default()
}

/// Tells whether an earlier answer rounded the same data with the same seed.
fn fingerprint(plan: &ProtectionPlan, folder: &Path) -> Result<String, ProtectError> {
    let file = folder.join(&plan.data);
    let bytes = std::fs::read(&file).map_err(|e| ProtectError::File {
        file,
        what: "the data",
        message: e.to_string(),
    })?;
    let mut hash = Sha256::new();
    for part in [b"fingerprint of rounded data".as_slice(), seed(plan).as_bytes(), &bytes] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn rounded(
    plan: &ProtectionPlan,
    data: &Columns,
    trees: &IndexMap<String, Tree>,
    released: &[Released],
    fingerprint: String,
) -> Result<Protected, ProtectError> {
    let rounded = RoundedTo { base: plan.base.unwrap_or(plan.threshold), fingerprint };
    if let Some(answer) = released.iter().find(|answer| answer.rounded() != Some(&rounded)) {
        return Err(ProtectError::OtherRounding { file: answer.file().to_owned() });
    }
    // What an earlier answer told is protected together with what is asked for now.
    let mut linked = plan.clone();
    let earlier = released.iter().flat_map(|a| a.tables().into_iter().map(|by| (a.file(), by)));
    linked.tables.extend(earlier.map(|(file, by)| TableRequest { id: file.display().to_string(), by }));
    let counts = Counts::of(&linked, data, trees, &[])?;
    let published = round(&linked, &counts, data, trees, released, seed(plan))?;
    let mut answer = answer(plan, &counts, |cell| published.get(&cell).copied());
    answer.rounded = Some(rounded);
    Ok(answer)
}

/// `shown`: by cell, what is told of its count.
fn answer(plan: &ProtectionPlan, counts: &Counts, shown: impl Fn(usize) -> Option<usize>) -> Protected {
    let requested = plan.tables.iter().zip(&counts.tables);
    let own: BTreeSet<usize> = requested.clone().flat_map(|(_, cells)| cells).copied().collect();
    let how_many_shown = own.iter().filter(|i| shown(**i).is_some()).count();
    let tables = requested
        .map(|(request, cells)| ProtectedTable {
            id: request.id.clone(),
            cells: cells
                .iter()
                .filter_map(|i| {
                    let (key, _) = counts.cells.get_index(*i)?;
                    let key = request.by.iter().map(|c| (c.clone(), key.get(c).cloned())).collect();
                    Some(ProtectedCell { key, n: shown(*i) })
                })
                .collect(),
        })
        .collect();
    Protected {
        tables,
        hidden: own.len() - how_many_shown,
        shown: how_many_shown,
        rounded: None,
        of_other_data: Vec::new(),
    }
}

/// All columns as text; an empty answer is a category of its own, the empty text.
fn read_columns(file: &Path) -> Result<Columns, ProtectError> {
    // Once for the names; then each column as its own text, so that `1` and `1.0` stay what they are.
    let text: Types = Table::read(file, &Types::default())?
        .names()
        .map(|name| (name.to_owned(), Declared::Category))
        .collect();
    let table = Table::read(file, &text)?;
    Ok(table
        .columns()
        .map(|(name, column)| {
            let values = (0..column.len()).map(|row| column.text(row).unwrap_or_default().trim().to_owned());
            (name.to_owned(), values.collect())
        })
        .collect())
}

/// The error for a column that is not there, with the nearest one that is.
pub(super) fn no_column(column: &str, data: &Columns) -> ProtectError {
    let hint = match nearest(column, data.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "check its name in the plan's tables, cluster and hierarchies".to_owned(),
    };
    ProtectError::Column { column: column.to_owned(), hint }
}

fn read_tree(column: &str, file: &Path) -> Result<Tree, ProtectError> {
    let columns = read_columns(file)?;
    let take = |name: &str| columns.get(name).ok_or_else(|| no_column(name, &columns));
    let (codes, parents) = (take("code")?, take("parent")?);
    let mut tree = Tree::default();
    for (code, parent) in codes.iter().zip(parents) {
        let parent = (!parent.is_empty()).then(|| parent.clone());
        if tree.parent.insert(code.clone(), parent).is_some() {
            return Err(ProtectError::Hierarchy { column: column.to_owned(), code: code.clone() });
        }
    }
    for code in tree.parent.keys() {
        let mut at = code;
        for _ in 0..=tree.parent.len() {
            match tree.parent.get(at) {
                Some(Some(parent)) if parent == code => {
                    return Err(ProtectError::Hierarchy { column: column.to_owned(), code: code.clone() });
                }
                Some(Some(parent)) => at = parent,
                _ => break,
            }
        }
    }
    Ok(tree)
}
