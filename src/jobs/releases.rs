//! What was released of each wave: the gate that remembers (protection.md rules 17 and 20), over a log a wave that lies
//! in `DATA/analysis/` beside the analysis files and goes into the backup with them.
//!
//! The log holds marks of interviews and what was asked with which outcome. It is sealed to the wave's analysts' key as
//! the analysis file itself, so it tells nothing to anybody who could not read the answers; and it lasts as long as they.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};
use analysis::disclosure::{self, Interview, ReleaseLog, Rules, SafeMicrodata, SafeRow, Snapshot};
use analysis::estimation::{Plan, Row};
use analysis::table::Table;
use anyhow::{Context, anyhow};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};
use surveys::codebook::Codebook;

use super::analysis_file::{AnalysisFile, CaseRecord};
use super::analysis_files::AnalysisFiles;

/// The logs of the waves that one output needs. Nothing is written before [`Self::keep`].
#[derive(Default)]
pub struct Releases {
    waves: BTreeMap<i64, Wave>,
    /// While it is held no other output of this installation is judged.
    _alone: Option<File>,
}

struct Wave {
    log: ReleaseLog,
    /// Lines that are on the disk.
    kept: usize,
    recipient: Recipient,
    secret: [u8; 32],
}

/// The state of a wave's log, for the entry in the installation's log.
#[derive(Debug, Serialize)]
pub struct LogHead {
    pub wave: i64,
    pub lines: usize,
    pub sha256: String,
}

impl Releases {
    /// For an output that will leave: no other one is judged meanwhile.
    pub fn alone(files: &AnalysisFiles) -> anyhow::Result<Self> {
        Ok(Self { waves: BTreeMap::new(), _alone: Some(files.lock()?) })
    }

    /// Takes the log of a wave, an empty one where nothing was released yet.
    pub fn load(&mut self, files: &AnalysisFiles, wave: i64, identity: &Identity) -> anyhow::Result<()> {
        if let Entry::Vacant(place) = self.waves.entry(wave) {
            let log = match files.read_releases(wave, identity)? {
                Some(text) => ReleaseLog::parse(&text)?,
                None => ReleaseLog::default(),
            };
            place.insert(Wave::new(log, identity));
        }
        Ok(())
    }

    /// Begins the log of a wave of which nothing can be out yet.
    pub fn begin(&mut self, wave: i64, identity: &Identity) {
        self.waves.insert(wave, Wave::new(ReleaseLog::default(), identity));
    }

    /// What may leave of estimates from the wave's respondents; from then on it counts as known.
    ///
    /// `respondents`: the rows that `plan` was answered from, in the order of the file's interviews. Returned in the order
    /// of `rows`.
    pub(super) fn gate(
        &mut self,
        file: &AnalysisFile,
        respondents: &Table,
        plan: &Plan,
        rows: &[Row],
        rules: &Rules,
    ) -> anyhow::Result<Vec<SafeRow>> {
        let wave = self.wave(file)?;
        let snapshot = wave.snapshot(file)?;
        disclosure::gate_with(&mut wave.log, &snapshot, respondents, plan, rows, rules)
            .with_context(|| format!("wave {}", file.about.project))
    }

    /// Enters a file of microdata in the wave's log; see [`disclosure::add_file`].
    pub(super) fn add_file(
        &mut self,
        file: &AnalysisFile,
        respondents: &Table,
        plan: &Plan,
        reduced: &SafeMicrodata,
        named: &str,
        rules: &Rules,
    ) -> anyhow::Result<()> {
        let wave = self.wave(file)?;
        let snapshot = wave.snapshot(file)?;
        Ok(disclosure::add_file(&mut wave.log, &snapshot, respondents, plan, reduced, named, rules)?)
    }

    fn wave(&mut self, file: &AnalysisFile) -> anyhow::Result<&mut Wave> {
        let wave = file.about.project;
        self.waves.get_mut(&wave).ok_or_else(|| anyhow!("the log of releases of wave {wave} was not opened"))
    }

    /// Writes what was added, before anything leaves. It is on the disk when this returns.
    pub fn keep(&mut self, files: &AnalysisFiles) -> anyhow::Result<Vec<LogHead>> {
        for (number, wave) in &mut self.waves {
            if wave.log.len() > wave.kept {
                files.keep_releases(*number, &wave.log.lines_from(0), &wave.recipient)?;
                wave.kept = wave.log.len();
            }
        }
        Ok(self.heads())
    }

    fn heads(&self) -> Vec<LogHead> {
        let head = |(wave, kept): (&i64, &Wave)| {
            let text = kept.log.lines_from(0);
            let sha256 = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            LogHead { wave: *wave, lines: kept.log.len(), sha256 }
        };
        self.waves.iter().map(head).collect()
    }
}

impl Wave {
    fn new(log: ReleaseLog, identity: &Identity) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"langnghe marks of interviews\n");
        hash.update(identity.to_string().expose_secret());
        Self { kept: log.len(), log, recipient: identity.to_public(), secret: hash.finalize().into() }
    }

    /// The file's interviews by marks that are the same in every snapshot of the wave. PSUs have new numbers in each: one
    /// that shares interviews with an earlier snapshot is called as it was there.
    fn snapshot(&self, file: &AnalysisFile) -> anyhow::Result<Snapshot> {
        let codebook = Codebook::of(&file.read_questionnaire()?);
        // A snapshot without the custodian's key lacks the sealed answers; the interview is the same.
        let sealed: BTreeSet<&str> =
            codebook.variables.values().filter(|v| v.sealed).map(|v| v.name.as_str()).collect();
        let respondents = || file.records.iter().filter(|record| record.answers.is_some());
        let mut seen: HashMap<String, usize> = HashMap::new();
        let marks: Vec<String> = respondents()
            .map(|record| {
                let mark = self.mark(record, &sealed);
                let times = seen.entry(mark.clone()).or_default();
                *times += 1;
                if *times == 1 { mark } else { format!("{mark}-{times}") }
            })
            .collect();
        let known = self.log.clusters();
        let mut called: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (record, mark) in respondents().zip(&marks) {
            let names = called.entry(&record.variance_psu).or_default();
            if let Some(name) = known.get(mark.as_str()) {
                *names.entry(name).or_default() += 1;
            }
        }
        let number = file.about.snapshot;
        let name_of = |psu: &str| {
            let known = called.get(psu).and_then(|names| names.iter().max_by_key(|(_, times)| **times));
            known.map_or_else(|| format!("{number}:{psu}"), |(name, _)| (*name).to_owned())
        };
        let names: BTreeMap<&str, String> = called.keys().map(|psu| (*psu, name_of(psu))).collect();
        let interviews = respondents()
            .zip(&marks)
            .map(|(record, mark)| Interview {
                id: mark.clone(),
                cluster: names.get(record.variance_psu.as_str()).cloned().unwrap_or_default(),
            })
            .collect();
        Ok(Snapshot { id: number.to_string(), date: file.about.taken.to_string(), interviews })
    }

    /// A keyed hash of what an interview says and where it stands in the design, in hexadecimal.
    fn mark(&self, record: &CaseRecord, sealed: &BTreeSet<&str>) -> String {
        let adults = record.adults.map(|n| n.to_string()).unwrap_or_default();
        let place =
            [&record.stratum, &record.variance_stratum, &record.area, &record.village_majority, &adults];
        let answers: BTreeMap<&String, &String> = record.answers.iter().flatten().collect();
        let said = answers
            .into_iter()
            .filter(|(name, answer)| !sealed.contains(name.as_str()) && !answer.is_empty())
            .flat_map(|(name, answer)| [name, answer]);
        // A whole block of HMAC as the key: its constructor cannot fail then.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.secret);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        for text in place.into_iter().chain(said) {
            mac.update(&(text.len() as u64).to_le_bytes());
            mac.update(text.as_bytes());
        }
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
