//! Cases from a drawn sample: one a dwelling, with everything of the design that the freeze will need, so that it needs
//! no sample file. Rule 6 of protection.md is asked here, before any answer can carry an area.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use analysis::table::{Column, Table};
use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use crate::db::{Case, CaseRole, CaseStatus, NewCase, Village, VillageState};
use crate::fieldwork::reserves;

/// Fewest villages of the frame in an area that answers may carry …
pub const FRAME_VILLAGES: usize = 10;
/// … and fewest of the sample.
pub const SAMPLE_VILLAGES: usize = 3;

/// Which columns of the sample (and the frame) say what.
#[derive(Clone, Debug)]
pub struct SampleColumns {
    pub village: String,
    /// Serial number of the dwelling.
    pub household: String,
    pub commune: String,
    /// The area that results are shown for and that answers may carry.
    pub area: String,
    /// Areas of other years, which trends need; answers carry the combination.
    pub trend_areas: Vec<String>,
    /// The group that most people of the village belong to; without it the largest `share_CODE` column.
    pub majority: Option<String>,
}

/// What is stored with a case: the area that its answers may carry, and its place in the design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    pub reporting_area: String,
    pub design: CaseDesign,
}

/// Where a case lies in the design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseDesign {
    pub stratum: String,
    pub variance_stratum: String,
    pub variance_psu: String,
    pub area: String,
    pub village_majority: String,
    /// Probability of all stages before the dwelling.
    pub before: f64,
    /// Dwellings listed in the village, and those of the main take.
    pub listed: usize,
    pub main: usize,
}

impl CaseDesign {
    /// Probability of the dwelling, when so many reserves of its village were released.
    pub fn probability(&self, released: usize) -> anyhow::Result<f64> {
        let last = reserves::probability(self.main, released, self.listed).ok_or_else(|| {
            anyhow!(
                "a village has {} dwellings on its list, but {} were issued; correct the listing",
                self.listed,
                self.main + released
            )
        })?;
        Ok(self.before * last)
    }
}

/// Column types for reading a sample or a frame: codes with leading zeros stay text.
pub fn types_of<'a>(names: impl IntoIterator<Item = &'a str>) -> analysis::table::Types {
    let is_number = |name: &str| {
        ["p_", "order_", "share_"].iter().any(|head| name.starts_with(head))
            || ["probability", "weight"].contains(&name)
    };
    names
        .into_iter()
        .filter(|name| !is_number(name))
        .map(|name| (name.to_owned(), analysis::table::Declared::Category))
        .collect()
}

/// The cases of a drawn sample, in its order. `frame` is the frame that it was drawn from.
///
/// Errors: columns that are missing, probabilities that do not fit together, areas that break rule 6.
pub fn cases_of(sample: &Table, frame: &Table, columns: &SampleColumns) -> anyhow::Result<Vec<NewCase>> {
    let named = [&columns.village, &columns.household, &columns.commune, &columns.area];
    for name in named.into_iter().chain(&columns.trend_areas).chain(&columns.majority) {
        sample.column(name).context("the sample")?;
    }
    for name in [&columns.village, &columns.area].into_iter().chain(&columns.trend_areas) {
        frame.column(name).context("the frame")?;
    }
    let text = |table: &Table, name: &str, row: usize| -> anyhow::Result<String> {
        Ok(table.column(name)?.text(row).unwrap_or_default().into_owned())
    };
    let issued: Vec<usize> = rows_with_dwelling(sample, columns)?;
    check_areas(sample, frame, columns, &issued)?;

    let stages = stages(sample)?;
    let (last, before) = stages.split_last().ok_or_else(|| {
        anyhow!(
            "the sample has no column p_1; draw it with `langnghe sample draw PLAN --stage 2 --listing F`"
        )
    })?;
    let order = sample.numbers(&format!("order_{}", stages.len()))?;
    let probability = sample.numbers("probability")?;
    let mut main: HashMap<String, usize> = HashMap::new();
    for row in &issued {
        if text(sample, "role", *row)? == CaseRole::Main.name() {
            *main.entry(text(sample, &columns.village, *row)?).or_default() += 1;
        }
    }
    let shares = shares(sample)?;
    issued
        .into_iter()
        .map(|row| {
            let village = text(sample, &columns.village, row)?;
            let here = || format!("sample, line {}, village {village}", row + 2);
            let role = text(sample, "role", row)?;
            let role = CaseRole::from_name(&role)
                .ok_or_else(|| anyhow!("{}: role is `{role}`, not main or reserve", here()))?;
            let household = text(sample, &columns.household, row)?;
            let household: i64 = household.parse().map_err(|_| {
                anyhow!("{}: `{}` is `{household}`, not a serial number", here(), columns.household)
            })?;
            let main = main.get(&village).copied().unwrap_or_default();
            let before: f64 = before.iter().map(|p| p[row]).product();
            let listed = (main as f64 / last[row]).round();
            let fits = reserves::probability(main, 0, listed as usize)
                .is_some_and(|p| (p - last[row]).abs() < 1e-9 && (before * p / probability[row] - 1.0).abs() < 1e-9);
            if !fits && (role == CaseRole::Main || !probability[row].is_nan()) {
                anyhow::bail!(
                    "{}: {main} main dwellings and p_{} = {} give no whole number of listed dwellings, or `probability` \
                     is not the product of the stages; give the sample as `sample draw` wrote it",
                    here(),
                    stages.len(),
                    last[row]
                );
            }
            let place = Place { before, listed: listed as usize, main, last: last[row] };
            let mut case = case_of_row(sample, columns, &shares, row, &place)?;
            (case.household, case.drawn_order, case.role) = (Some(household), order[row] as i64, role);
            Ok(case)
        })
        .collect()
}

/// The villages that the sample drew as reserves, with stratum and order, and that have no dwellings yet.
pub fn reserve_villages(sample: &Table, columns: &SampleColumns) -> anyhow::Result<Vec<Village>> {
    let (villages, strata) = (sample.column(&columns.village)?, sample.column("stratum")?);
    let (households, orders) = (sample.column(&columns.household)?, sample.numbers("order_1")?);
    let text = |column: &Column, row: usize| column.text(row).unwrap_or_default().into_owned();
    Ok((0..sample.height())
        .filter(|row| households.is_missing(*row))
        .map(|row| Village {
            village: text(villages, row),
            stratum: text(strata, row),
            state: VillageState::Reserve,
            drawn_order: Some(orders[row] as i64),
        })
        .collect())
}

/// The cases of a reserve village that takes a lost one's place: of the dwellings drawn in it the first `main` are main
/// ones, as many as the lost village had, the rest reserves.
///
/// `sample` was drawn with the reserve's listing; there all its dwellings are reserves without a probability.
pub fn cases_of_reserve(
    sample: &Table,
    frame: &Table,
    columns: &SampleColumns,
    village: &str,
    main: usize,
) -> anyhow::Result<Vec<NewCase>> {
    let villages = sample.column(&columns.village)?;
    let households = sample.column(&columns.household)?;
    let is_of =
        |row: &usize| villages.text(*row).is_some_and(|name| name == village) && !households.is_missing(*row);
    let mut rows: Vec<usize> = (0..sample.height()).filter(is_of).collect();
    anyhow::ensure!(!rows.is_empty(), "the sample has no dwellings of village {village}");
    let stages = stages(sample)?;
    let (last, before) = stages.split_last().ok_or_else(|| anyhow!("the sample has no column p_1"))?;
    let order = sample.numbers(&format!("order_{}", stages.len()))?;
    rows.sort_by_key(|row| order[*row] as i64);
    let text = |name: &str, row: usize| -> anyhow::Result<String> {
        Ok(sample.column(name)?.text(row).unwrap_or_default().into_owned())
    };
    let p = last[rows[0]];
    // Where fewer are listed than are taken, all are.
    let main = if p >= 1.0 { rows.len() } else { main.min(rows.len()) };
    let listed = (main as f64 / p).round() as usize;
    let fits = reserves::probability(main, 0, listed).is_some_and(|own| (own - p).abs() < 1e-9);
    let before: f64 = before.iter().map(|p| p[rows[0]]).product();
    anyhow::ensure!(
        fits && before > 0.0 && before <= 1.0,
        "village {village}: {main} dwellings and a probability of {p} give no whole number of listed dwellings, or the \
         village has no probability of its own; draw with the plan of the main sample"
    );
    let shares = shares(sample)?;
    check_areas(sample, frame, columns, &rows_with_dwelling(sample, columns)?)?;
    let place = Place { before, listed, main, last: p };
    rows.iter()
        .enumerate()
        .map(|(position, row)| {
            let row = *row;
            let household = text(&columns.household, row)?;
            let household: i64 = household
                .parse()
                .map_err(|_| anyhow!("village {village}: `{household}` is not a serial number"))?;
            let mut case = case_of_row(sample, columns, &shares, row, &place)?;
            (case.household, case.drawn_order) = (Some(household), order[row] as i64);
            case.role = if position < main { CaseRole::Main } else { CaseRole::Reserve };
            Ok(case)
        })
        .collect()
}

/// What the dwellings of a village share in the design.
struct Place {
    before: f64,
    listed: usize,
    main: usize,
    /// Probability of a dwelling of the main take.
    last: f64,
}

/// The case of a row of the sample, as a main one without its number.
fn case_of_row(
    sample: &Table,
    columns: &SampleColumns,
    shares: &[(String, Vec<f64>)],
    row: usize,
    place: &Place,
) -> anyhow::Result<NewCase> {
    let text = |name: &str| -> anyhow::Result<String> {
        Ok(sample.column(name)?.text(row).unwrap_or_default().into_owned())
    };
    let design = CaseDesign {
        stratum: text("stratum")?,
        variance_stratum: text("variance_stratum")?,
        variance_psu: text("variance_psu")?,
        area: text(&columns.area)?,
        village_majority: match &columns.majority {
            Some(column) => text(column)?,
            None => largest(shares, row),
        },
        before: place.before,
        listed: place.listed,
        main: place.main,
    };
    let reporting_area = combination(sample, columns, row)?.join("/");
    Ok(NewCase {
        village: text(&columns.village)?,
        commune: text(&columns.commune)?,
        district: design.area.clone(),
        household: None,
        stratum: design.stratum.clone(),
        drawn_order: 0,
        probability_1: place.before,
        probability_2: Some(place.last),
        role: CaseRole::Main,
        assigned_to: None,
        sampling: serde_json::to_string(&Sampling { reporting_area, design })?,
    })
}

/// Rows with a dwelling. Reserve villages are not listed yet and have none; a main village must have.
fn rows_with_dwelling(sample: &Table, columns: &SampleColumns) -> anyhow::Result<Vec<usize>> {
    let (households, roles) = (sample.column(&columns.household)?, sample.column("role")?);
    let mut rows = Vec::new();
    for row in 0..sample.height() {
        if !households.is_missing(row) {
            rows.push(row);
        } else if roles.text(row).is_some_and(|role| role == CaseRole::Main.name()) {
            anyhow::bail!(
                "sample, line {}: a village without dwellings; list it and draw them with `langnghe sample draw PLAN \
                 --stage 2 --listing F`",
                row + 2
            );
        }
    }
    anyhow::ensure!(!rows.is_empty(), "the sample has no rows");
    Ok(rows)
}

/// The conditional probabilities of each stage.
fn stages(sample: &Table) -> anyhow::Result<Vec<Vec<f64>>> {
    (1..)
        .map(|stage| format!("p_{stage}"))
        .take_while(|name| sample.get(name).is_some())
        .map(|name| Ok(sample.numbers(&name)?.into_owned()))
        .collect()
}

/// Codes and columns of the shares of groups.
fn shares(sample: &Table) -> anyhow::Result<Vec<(String, Vec<f64>)>> {
    let codes: Vec<String> =
        sample.names().filter_map(|name| Some(name.strip_prefix("share_")?.to_owned())).collect();
    codes
        .into_iter()
        .map(|code| {
            let share = sample.numbers(&format!("share_{code}"))?.into_owned();
            Ok((code, share))
        })
        .collect()
}

/// The group with the largest share; of equal ones the first.
fn largest(shares: &[(String, Vec<f64>)], row: usize) -> String {
    let mut best = ("99", f64::NEG_INFINITY);
    for (code, share) in shares {
        if share[row] > best.1 {
            best = (code, share[row]);
        }
    }
    best.0.to_owned()
}

/// The area of a row, and its areas of other years.
fn combination(table: &Table, columns: &SampleColumns, row: usize) -> anyhow::Result<Vec<String>> {
    std::iter::once(&columns.area)
        .chain(&columns.trend_areas)
        .map(|name| Ok(table.column(name)?.text(row).unwrap_or_default().into_owned()))
        .collect()
}

/// Rule 6: enough villages of the frame and of the sample in each area, and in each combination with areas of other
/// years.
fn check_areas(
    sample: &Table,
    frame: &Table,
    columns: &SampleColumns,
    issued: &[usize],
) -> anyhow::Result<()> {
    type Villages = BTreeMap<Vec<String>, BTreeSet<String>>;
    let villages = |table: &Table, rows: &mut dyn Iterator<Item = usize>| -> anyhow::Result<Villages> {
        let column = table.column(&columns.village)?;
        let mut found = Villages::new();
        for row in rows {
            let village = column.text(row).unwrap_or_default().into_owned();
            found.entry(combination(table, columns, row)?).or_default().insert(village);
        }
        Ok(found)
    };
    let in_frame = villages(frame, &mut (0..frame.height()))?;
    let in_sample = villages(sample, &mut issued.iter().copied())?;
    let small: Vec<String> = in_sample
        .iter()
        .filter_map(|(area, drawn)| {
            let (framed, drawn) = (in_frame.get(area).map_or(0, BTreeSet::len), drawn.len());
            (framed < FRAME_VILLAGES || drawn < SAMPLE_VILLAGES)
                .then(|| format!("{}: {framed} villages of the frame, {drawn} of the sample", area.join("/")))
        })
        .collect();
    anyhow::ensure!(
        small.is_empty(),
        "answers may carry only areas with {FRAME_VILLAGES} villages of the frame and {SAMPLE_VILLAGES} of the sample \
         (protection.md rule 6); these are too small:\n  {}\nmerge them with neighbours in a column of the frame, draw \
         again with it, and name it with --area or --trend-area",
        small.join("\n  ")
    );
    Ok(())
}

/// The place of a case in the design, as it was stored with it.
pub fn design_of(case: &Case) -> anyhow::Result<CaseDesign> {
    let stored: Sampling = serde_json::from_str(&case.sampling).map_err(|_| {
        anyhow!("a case was stored without its place in the design; make the cases again with `langnghe wave cases`")
    })?;
    Ok(stored.design)
}

/// Reserves released so far, by village.
pub fn released<'a>(cases: impl IntoIterator<Item = &'a Case>) -> HashMap<String, usize> {
    let mut released: HashMap<String, usize> = HashMap::new();
    for case in cases {
        if case.role == CaseRole::Reserve && case.status != CaseStatus::Waiting {
            *released.entry(case.village.clone()).or_default() += 1;
        }
    }
    released
}
