//! The bundled 2026 instrument: workbooks, plans and the synthetic frame, as the program ships them.

use analysis::sampling;
use analysis::table::{Declared, Table, Types};
use anyhow::{Context, anyhow};
use sha2::{Digest, Sha256};
use surveys::codebook::Codebook;
use surveys::questionnaire::Questionnaire;
use surveys::{xform, xlsform};

use crate::demo::population::Village;
use crate::jobs::weights::Weighting;

const QUESTIONNAIRE: &[u8] = include_bytes!("../../surveys/instruments/2026/questionnaire.xlsx");
const LISTING: &[u8] = include_bytes!("../../surveys/instruments/2026/listing.xlsx");
const FRAME: &str = include_str!("../../surveys/instruments/2026/frame.csv");
const SAMPLING: &str = include_str!("../../surveys/instruments/2026/sampling.json");
const ANALYSIS: &str = include_str!("../../surveys/instruments/2026/analysis.json");
const WEIGHTING: &str = include_str!("../../surveys/instruments/2026/weighting.json");

/// A form as it is published: its model, its XForm, its workbook.
#[derive(Debug)]
pub struct PublishedForm {
    pub questionnaire: Questionnaire,
    pub xform: String,
    pub workbook: &'static [u8],
}

#[derive(Debug)]
pub struct Instrument {
    pub questionnaire: PublishedForm,
    pub listing: PublishedForm,
    pub codebook: Codebook,
    pub frame: Table,
    pub sampling: sampling::Plan,
    pub analysis: serde_json::Value,
    /// Without margins, which come from the population.
    pub weighting: Weighting,
}

/// Reads what is bundled; each part through the same door as an official's own file.
pub fn read() -> anyhow::Result<Instrument> {
    let questionnaire = publish("questionnaire.xlsx", QUESTIONNAIRE)?;
    // Codes have leading zeros and stay text.
    let types: Types = ["commune_code", "old_commune_code", "old_district_code"]
        .into_iter()
        .map(|column| (column.to_owned(), Declared::Category))
        .collect();
    Ok(Instrument {
        codebook: Codebook::of(&questionnaire.questionnaire),
        questionnaire,
        listing: publish("listing.xlsx", LISTING)?,
        frame: Table::parse_csv(FRAME, "frame.csv", &types)?,
        sampling: sampling::Plan::from_json(SAMPLING).map_err(|e| anyhow!("sampling.json: {e}"))?,
        analysis: serde_json::from_str(ANALYSIS).context("analysis.json")?,
        weighting: serde_json::from_str(WEIGHTING).context("weighting.json")?,
    })
}

fn publish(name: &str, workbook: &'static [u8]) -> anyhow::Result<PublishedForm> {
    let all = |problems: Vec<xlsform::Problem>| {
        anyhow!("{name}: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let read = xlsform::read(name, workbook).map_err(all)?;
    let xform = xform::write(&read.questionnaire).map_err(all)?;
    Ok(PublishedForm { questionnaire: read.questionnaire, xform, workbook })
}

/// SHA-256 of everything that is bundled, in hexadecimal.
pub fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for part in [QUESTIONNAIRE, LISTING, FRAME.as_bytes(), SAMPLING.as_bytes(), ANALYSIS.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The frame's villages, in frame order.
pub fn villages(frame: &Table) -> anyhow::Result<Vec<Village>> {
    let text = |name: &str, row: usize| -> anyhow::Result<String> {
        let value = frame.column(name)?.text(row);
        Ok(value.ok_or_else(|| anyhow!("frame, row {}: `{name}` is empty", row + 2))?.into_owned())
    };
    let shares: Vec<(String, Vec<f64>)> = frame
        .names()
        .filter_map(|name| Some((name.to_owned(), name.strip_prefix("share_")?.to_owned())))
        .map(|(name, code)| Ok((code, frame.numbers(&name)?.into_owned())))
        .collect::<anyhow::Result<_>>()?;
    let households = frame.numbers("households")?;
    let adults = frame.numbers("adults")?;
    let urban = frame.numbers("urban")?;
    (0..frame.height())
        .map(|row| {
            Ok(Village {
                id: text("village_id", row)?,
                commune: text("commune_code", row)?,
                district: text("old_district_code", row)?,
                urban: urban[row] > 0.0,
                households: households[row] as usize,
                adults: adults[row] as usize,
                shares: shares.iter().map(|(code, share)| (code.clone(), share[row])).collect(),
            })
        })
        .collect()
}

impl Village {
    /// The group that most people of the village belong to on the frame.
    pub fn majority(&self) -> &str {
        let mut best = ("99", f64::NEG_INFINITY);
        for (code, share) in &self.shares {
            if *share > best.1 {
                best = (code, *share);
            }
        }
        best.0
    }
}
