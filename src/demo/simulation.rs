//! One simulated wave without a server: the draw, the listing, the fieldwork, and the population's true values.

use std::collections::HashMap;

use analysis::sampling::{self, Drawn};
use analysis::table::{Column, Table};
use anyhow::{Context, anyhow};

use crate::demo::enumerators::{VillageTask, Visited, work_village};
use crate::demo::instrument::{Instrument, villages};
use crate::demo::population::{ITEMS, Population, large_group};
use crate::jobs::analysis_file::CaseRecord;
use crate::jobs::weights::Margin;

/// Seed of the simulated population; the demo's own seed draws the sample and the fieldwork, so that many samples
/// can be taken from one population.
const POPULATION_SEED: u64 = 19_450_902;

/// Codes of the large groups in raking margins, in the order of `large_group`.
const LARGE_GROUPS: [&str; 6] = ["01", "02", "09", "08", "07", "khác"];

/// The population with its true values and adult margins.
#[derive(Debug)]
pub struct Truth {
    pub population: Population,
    /// True share of each headline item among all adults with an opinion on it.
    pub shares: Vec<f64>,
    pub margins: Vec<Margin>,
    /// Position of each village by its id.
    pub village: HashMap<String, usize>,
}

impl Truth {
    pub fn new(instrument: &Instrument) -> anyhow::Result<Self> {
        let population = Population::simulate(villages(&instrument.frame)?, POPULATION_SEED);
        let shares = (0..ITEMS.len())
            .map(|item| population.truth(item, |_, _| true).ok_or_else(|| anyhow!("nobody has item {item}")))
            .collect::<anyhow::Result<_>>()?;
        let village = population.villages.iter().enumerate().map(|(i, v)| (v.id.clone(), i)).collect();
        let margins = margins(&population);
        Ok(Self { population, shares, margins, village })
    }
}

/// Adults by ethnic group, sex, age and former district: what a population register would give.
fn margins(population: &Population) -> Vec<Margin> {
    let mut groups = [0.0; 6];
    let mut sexes = [0.0; 2];
    let mut ages = [0.0; 6];
    let mut areas: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for (village, person) in population.people() {
        groups[large_group(population.ethnic(person))] += 1.0;
        sexes[usize::from(person.sex - 1)] += 1.0;
        ages[usize::from(person.age - 1)] += 1.0;
        *areas.entry(&village.district).or_default() += 1.0;
    }
    let numbered =
        |counts: &[f64]| counts.iter().enumerate().map(|(i, n)| ((i + 1).to_string(), *n)).collect();
    vec![
        Margin {
            by: "rake_ethnic".to_owned(),
            totals: LARGE_GROUPS.iter().zip(groups).map(|(code, n)| ((*code).to_owned(), n)).collect(),
        },
        Margin { by: "rake_sex".to_owned(), totals: numbered(&sexes) },
        Margin { by: "rake_age".to_owned(), totals: numbered(&ages) },
        Margin {
            by: "rake_area".to_owned(),
            totals: areas.into_iter().map(|(area, n)| (area.to_owned(), n)).collect(),
        },
    ]
}

/// A drawn and listed sample.
#[derive(Debug)]
pub struct Sample {
    pub villages: Drawn,
    /// Listed dwellings by village id, in order of the villages' first rows.
    pub listing: Vec<(String, usize)>,
    pub tasks: Vec<VillageTask>,
}

/// Draws villages, lets them be listed, draws dwellings among the listed ones.
pub fn draw(instrument: &Instrument, truth: &Truth, seed: u64) -> anyhow::Result<Sample> {
    let villages = sampling::draw_from(&instrument.frame, &instrument.sampling, Some(seed))
        .context("drawing the villages")?;
    let listing = main_villages(&villages.sample)?
        .into_iter()
        .map(|id| {
            let place =
                truth.village.get(&id).ok_or_else(|| anyhow!("village {id} is not in the population"))?;
            let listed = truth.population.dwellings(*place);
            Ok((id, listed))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let dwellings = draw_dwellings(instrument, &listing, &HashMap::new(), seed)?;
    let tasks = tasks(&dwellings, truth)?;
    Ok(Sample { villages, listing, tasks })
}

/// The second stage among the listed dwellings; `released` reserves by village add to the take.
pub fn draw_dwellings(
    instrument: &Instrument,
    listing: &[(String, usize)],
    released: &HashMap<String, usize>,
    seed: u64,
) -> anyhow::Result<Drawn> {
    let table = Table::from_columns([
        ("village_id", Column::from_texts(listing.iter().map(|(id, _)| Some(id.as_str())))),
        ("households", Column::Number(listing.iter().map(|(_, n)| *n as f64).collect())),
        (
            "released",
            Column::Number(
                listing.iter().map(|(id, _)| released.get(id).copied().unwrap_or(0) as f64).collect(),
            ),
        ),
    ])?;
    sampling::draw_listing_from(&instrument.frame, &instrument.sampling, 2, &table, Some(seed))
        .context("drawing the dwellings")
}

/// Villages of the main sample in the order of their first rows.
fn main_villages(sample: &Table) -> anyhow::Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for row in 0..sample.height() {
        let text = |name: &str| -> anyhow::Result<String> {
            Ok(sample.column(name)?.text(row).unwrap_or_default().into_owned())
        };
        if text("role")? == "main" {
            let id = text("village_id")?;
            if found.last() != Some(&id) {
                found.push(id);
            }
        }
    }
    Ok(found)
}

/// One row of the sample of dwellings.
#[derive(Clone, Debug)]
pub struct DrawnDwelling {
    pub village: String,
    pub serial: usize,
    pub main: bool,
    pub order: usize,
    pub place: Place,
}

/// Where a dwelling lies in the design.
#[derive(Clone, Debug)]
pub struct Place {
    pub stratum: String,
    pub variance_stratum: String,
    pub variance_psu: String,
    pub area: String,
    pub village_majority: String,
    /// Of the dwelling, released reserves included.
    pub probability: f64,
}

/// The sample's rows; reserve villages are left out, their dwellings are not listed.
pub fn dwellings(drawn: &Drawn, truth: &Truth) -> anyhow::Result<Vec<DrawnDwelling>> {
    let sample = &drawn.sample;
    let text = |name: &str, row: usize| -> anyhow::Result<String> {
        Ok(sample.column(name)?.text(row).unwrap_or_default().into_owned())
    };
    let (serial, p_1, p_2) = (sample.numbers("household")?, sample.numbers("p_1")?, sample.numbers("p_2")?);
    let order = sample.numbers("order_2")?;
    (0..sample.height())
        .map(|row| {
            let village = text("village_id", row)?;
            let place = truth.village.get(&village).ok_or_else(|| anyhow!("village {village} is unknown"))?;
            let place = &truth.population.villages[*place];
            Ok(DrawnDwelling {
                serial: serial[row] as usize,
                main: text("role", row)? == "main",
                order: order[row] as usize,
                place: Place {
                    stratum: text("stratum", row)?,
                    variance_stratum: text("variance_stratum", row)?,
                    variance_psu: text("variance_psu", row)?,
                    area: place.district.clone(),
                    village_majority: place.majority().to_owned(),
                    probability: p_1[row] * p_2[row],
                },
                village,
            })
        })
        .collect()
}

fn tasks(drawn: &Drawn, truth: &Truth) -> anyhow::Result<Vec<VillageTask>> {
    let mut tasks: Vec<VillageTask> = Vec::new();
    let mut rows = dwellings(drawn, truth)?;
    rows.sort_by(|a, b| (&a.village, !a.main, a.order).cmp(&(&b.village, !b.main, b.order)));
    for row in rows {
        let village = truth.village[&row.village];
        if tasks.last().is_none_or(|task| task.village != village) {
            tasks.push(VillageTask { village, main: Vec::new(), reserve: Vec::new() });
        }
        if let Some(task) = tasks.last_mut() {
            if row.main { task.main.push(row.serial) } else { task.reserve.push(row.serial) }
        }
    }
    Ok(tasks)
}

/// What the fieldwork brings.
#[derive(Debug)]
pub struct Fieldwork {
    pub visited: Vec<Visited>,
    /// The sample with its final probabilities: released reserves add to the take.
    pub sample: Drawn,
    /// Rows of `sample` by village and serial number.
    pub dwellings: HashMap<(String, usize), DrawnDwelling>,
}

/// Works through all villages, then draws again with the released reserves, which changes nobody's place and only
/// the probabilities.
pub fn work(instrument: &Instrument, truth: &Truth, sample: &Sample, seed: u64) -> anyhow::Result<Fieldwork> {
    let visited: Vec<Visited> =
        sample.tasks.iter().flat_map(|task| work_village(&truth.population, task, seed)).collect();
    let mut released: HashMap<String, usize> = HashMap::new();
    for visit in visited.iter().filter(|v| v.released) {
        *released.entry(truth.population.villages[visit.village].id.clone()).or_default() += 1;
    }
    let drawn = draw_dwellings(instrument, &sample.listing, &released, seed)?;
    let dwellings = dwellings(&drawn, truth)?
        .into_iter()
        .map(|dwelling| ((dwelling.village.clone(), dwelling.serial), dwelling))
        .collect();
    Ok(Fieldwork { visited, sample: drawn, dwellings })
}

/// What the freeze would read from the vaults, straight from the simulated visits: for the coverage bench, and to
/// hold the whole road of the data against.
pub fn records(truth: &Truth, fieldwork: &Fieldwork) -> anyhow::Result<Vec<CaseRecord>> {
    fieldwork
        .visited
        .iter()
        .map(|visit| {
            let village = &truth.population.villages[visit.village].id;
            let dwelling = fieldwork
                .dwellings
                .get(&(village.clone(), visit.serial))
                .ok_or_else(|| anyhow!("dwelling {} of {village} was visited but not drawn", visit.serial))?;
            let design = dwelling.place.clone();
            Ok(CaseRecord {
                stratum: design.stratum,
                variance_stratum: design.variance_stratum,
                variance_psu: design.variance_psu,
                area: design.area,
                village_majority: design.village_majority,
                enumerator: None,
                probability: design.probability,
                disposition: visit.disposition,
                adults: (!visit.roster.is_empty()).then_some(visit.roster.len()),
                answers: visit.interview.as_ref().map(|interview| {
                    interview
                        .answers
                        .iter()
                        .map(|(question, code)| ((*question).to_owned(), code.clone()))
                        .collect()
                }),
            })
        })
        .collect()
}
