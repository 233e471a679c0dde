//! The demonstration: the whole annual survey on a simulated population, through the same doors as a real one.
//!
//! Everything here is synthetic: ids, ties and keys come from the seed, so that two runs give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::config::{DEMO_DATA, DataPlace};
use crate::db::{AnswerVault, FieldVault};
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::releases::Releases;
use crate::keys::KeyFolder;
use crate::web::{self, Running, Site};

pub mod coverage;
pub mod enumerators;
pub mod instrument;
pub mod interviewing;
pub mod outputs;
pub mod population;
pub mod simulation;
pub mod summary;
pub mod tablet;
pub mod wave;

/// Seed of the sample and the fieldwork.
pub const SEED: u64 = 2026;

/// What the demo says while it works.
pub trait Progress: Sync {
    fn step(&self, text: &str);
    /// Interviews acknowledged so far, of all.
    fn sent(&self, done: usize, all: usize);
}

/// What is written into the folder when a run is complete.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Finished {
    version: String,
    seed: u64,
    /// SHA-256 of what the run was made from: instrument, frame, plans.
    inputs: String,
}

/// A demonstration that is complete.
pub struct Done {
    pub folder: PathBuf,
    /// The page to print.
    pub summary: String,
    /// The server, still serving.
    pub running: Running,
    /// An address that an enumerator's ODK Collect could be given.
    pub device_address: String,
}

/// Runs the whole survey in the data folder, or finds it complete there, and leaves the server running on `listen`.
pub fn run(place: &DataPlace, listen: &str, seed: u64, progress: &dyn Progress) -> anyhow::Result<Done> {
    let folder = place.folder(DEMO_DATA);
    fs::create_dir_all(&folder).map_err(|e| {
        anyhow!("{}: the folder cannot be made ({e}); choose another with --data", folder.display())
    })?;
    let listener = web::listen(listen)?;
    progress.step("Đọc phiếu hỏi, dàn mẫu và các kế hoạch · Reading questionnaire, frame and plans");
    let instrument = instrument::read()?;
    let field = FieldVault::open(&place.field_url(&folder))?;
    let answers = AnswerVault::open(&place.answers_url(&folder))?;
    let keys = KeyFolder::open(place.keys_folder(&folder))?;
    let wave = wave::prepare(field, answers, &keys, &instrument, seed)?;
    let accounts = Accounts::new(wave.receiver.field.clone(), Arc::new(keys.installation()?));
    let running = web::start(listener, wave.receiver.clone(), accounts, Site(Some(folder.clone())))?;
    let device_address = wave.device_address(running.address);
    let finished =
        Finished { version: env!("CARGO_PKG_VERSION").to_owned(), seed, inputs: instrument::fingerprint() };
    // Files without the interviews they came from are no finished run.
    let stored = wave.receiver.field.read(|db| db.count_submissions(wave.survey))?;
    if stored > 0 && read_finished(&folder).is_some_and(|known| known == finished) {
        let summary = read_summary(&folder)?;
        return Ok(Done { folder, summary, running, device_address });
    }

    progress.step("Dựng dân số mô phỏng · Simulating the population");
    let truth = simulation::Truth::new(&instrument)?;
    progress.step("Chọn mẫu thôn · Drawing the villages");
    let sample = simulation::draw(&instrument, &truth, seed)?;
    progress.step("Lập bảng kê nhà ở, chọn mẫu hộ · Listing dwellings, drawing households");
    wave.list_dwellings(&instrument, &sample, running.address)?;
    wave.create_cases(&instrument, &truth, &sample)?;
    progress.step("Phỏng vấn và gửi phiếu · Interviewing and sending");
    let fieldwork = simulation::work(&instrument, &truth, &sample, seed)?;
    let all = fieldwork.visited.len();
    let sent_so_far = std::sync::atomic::AtomicUsize::new(0);
    let sent = wave.send_interviews(&instrument, &truth, &fieldwork, running.address, &|| {
        progress.sent(sent_so_far.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, all);
    })?;
    progress.step("Khóa sổ, tính quyền số, ước lượng · Freezing, weighting, estimating");
    let mut file = wave.freeze(&instrument, &truth)?;
    file.about = outputs::about(&truth, &fieldwork, wave.survey, wave::WAVE)?;
    let files = AnalysisFiles::open(folder.join("analysis"))?;
    let analysts = keys.analysts(wave.survey)?;
    files.keep(&file, &analysts.to_public())?;
    // All files of this folder are made anew, so nothing else is out.
    let mut releases = Releases::default();
    releases.begin(wave.survey, &analysts);
    let outcome = outputs::write_all(&folder, &fieldwork, &file, &mut releases, sent)?;
    releases.keep(&files)?;
    write(&folder.join(SUMMARY), outcome.as_bytes())?;
    write(&folder.join(FINISHED), serde_json::to_string_pretty(&finished)?.as_bytes())?;
    let summary = read_summary(&folder)?;
    Ok(Done { folder, summary, running, device_address })
}

const FINISHED: &str = "demo.json";
const SUMMARY: &str = "summary.txt";

fn read_finished(folder: &Path) -> Option<Finished> {
    serde_json::from_str(&fs::read_to_string(folder.join(FINISHED)).ok()?).ok()
}

fn read_summary(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join(SUMMARY);
    fs::read_to_string(&file).with_context(|| format!("{}: cannot be read", file.display()))
}

/// Writes a file whole: a run that ends in the middle leaves the earlier file.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unwritable = |e: std::io::Error| {
        anyhow!("{}: cannot be written ({e}); choose another folder with --data", file.display())
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".part");
    fs::write(&unfinished, bytes).map_err(unwritable)?;
    fs::rename(&unfinished, file).map_err(unwritable)
}
