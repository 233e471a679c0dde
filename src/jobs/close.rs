//! Closing a wave (protection.md rule 13): freezes it first, then destroys the keys and everything that could stand in
//! for them, and certifies it. Each step can be repeated; what a crash interrupted is carried on by closing again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use analysis::table::{Column, Table};
use anyhow::{Context, anyhow};
use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::analysis_files::AnalysisFiles;
use super::freeze::{self, TooNear};
use crate::db::{Case, FormState, ProjectKind, ProjectState};
use crate::intake::Receiver;
use crate::keys::{Bundle, KeyFolder};

/// Final dispositions by stratum: stays.
pub const DISPOSITIONS: &str = "closing/dispositions.csv";
/// The sample of villages: stays.
pub const VILLAGES: &str = "closing/villages.csv";
/// The certificate: stays.
pub const CERTIFICATE: &str = "closing/certificate.txt";
/// What the certificate says, written down before anything is destroyed.
const FACTS: &str = "closing/facts.json";

/// How a wave is closed.
pub struct Options<'a> {
    pub custodian: Option<&'a Bundle>,
    /// The answers of sealed blocks are given up, because nobody has the custodian's key any more.
    pub without_sealed: bool,
    pub too_near: TooNear,
    pub who: &'a str,
    pub now: DateTime<Utc>,
}

/// What is known before the destruction and said after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    project: i64,
    wave: String,
    begun: DateTime<Utc>,
    who: String,
    cases: usize,
    interviews: usize,
    unopened: i64,
    /// Rows that go, by table.
    rows: Vec<(String, i64)>,
    files: Vec<String>,
    /// Files of the key folder that go.
    keys: Vec<String>,
    /// A name that only the wave key makes, so that a copy that turns up can be recognised.
    fingerprint: String,
    /// File name and SHA-256.
    analysis: Vec<(String, String)>,
}

/// Closes a wave and answers its certificate. A closed wave answers the certificate it has.
///
/// Errors: sealed answers that would be lost, a final file too near to a released one, whatever keeps a key, a file or a
/// row from being destroyed; closing again goes on from there.
pub fn close(
    receiver: &Receiver,
    keys: &KeyFolder,
    analysis: &AnalysisFiles,
    project: i64,
    options: &Options<'_>,
) -> anyhow::Result<String> {
    let field = &receiver.field;
    let wave = field.read(|db| db.find_project(project))?;
    let wave = wave.ok_or_else(|| anyhow!("there is no wave {project}; see `langnghe project list`"))?;
    anyhow::ensure!(
        wave.kind == ProjectKind::Survey,
        "wave {project} has no respondents ({}); only surveys are closed",
        wave.kind.name()
    );
    if wave.state != ProjectState::Closed
        && let Err(error) = prepare(receiver, keys, analysis, project, &wave.name, options)
    {
        if wave.state == ProjectState::Open {
            freeze::resume_fieldwork(receiver, project)?;
        }
        return Err(error);
    }
    let facts = field.read(|db| db.find_document(project, FACTS))?;
    let facts = facts.ok_or_else(|| {
        anyhow!("wave {project} is closed, but nothing says how; restore a backup beside it and compare")
    })?;
    let facts: Facts = serde_json::from_slice(&facts.content)?;

    // The keys first: without them everything else is noise already.
    keys.destroy_wave(project)?;
    receiver.forget_key(project);
    receiver.remove_files(&facts.files).context("close again when the files can be removed")?;
    field.transaction(|db| db.destroy_wave(project))?;
    receiver.answers.transaction(|db| db.destroy_wave(project))?;
    field.clean()?;
    receiver.answers.clean()?;

    if let Some(known) = field.read(|db| db.find_document(project, CERTIFICATE))? {
        return Ok(String::from_utf8(known.content)?);
    }
    let head = field.read(|db| db.verify_audit())?.last().map(|entry| hex(&entry.hash)).unwrap_or_default();
    let certificate = certificate(&facts, &head, options.now);
    let detail = serde_json::json!({
        "project": project, "interviews": facts.interviews, "cases": facts.cases, "rows": facts.rows,
        "certificate_sha256": hex(&Sha256::digest(&certificate)),
    });
    field.transaction(|db| {
        db.keep_document(project, CERTIFICATE, certificate.as_bytes(), options.now)?;
        db.append_audit(options.who, "wave closed", &detail.to_string(), options.now)?;
        Ok::<_, crate::db::Error>(())
    })?;
    Ok(certificate)
}

/// Freezes, and writes down what stays; after this nothing but destruction is left.
fn prepare(
    receiver: &Receiver,
    keys: &KeyFolder,
    analysis: &AnalysisFiles,
    project: i64,
    name: &str,
    options: &Options<'_>,
) -> anyhow::Result<()> {
    let field = &receiver.field;
    let key = receiver.key(project)?;
    // From here on nothing comes in that the final file would miss.
    freeze::end_fieldwork(receiver, project)?;
    let frozen = freeze::freeze(
        receiver,
        project,
        freeze::Options {
            custodian: options.custodian,
            early: false,
            now: options.now,
            chance: freeze::real_chance(),
        },
    )?;
    let known = field.read(|db| db.list_snapshots(project, &key))?;
    let same = |interviews: &[crate::db::SnapshotInterview]| -> BTreeSet<String> {
        interviews.iter().map(|one| one.id.clone()).collect()
    };
    let last = known.last().filter(|last| {
        !last.early
            && same(&last.interviews) == same(&frozen.snapshot.interviews)
            && last.unopened <= frozen.snapshot.unopened
    });
    let unopened = last.map_or(frozen.snapshot.unopened, |last| last.unopened);
    anyhow::ensure!(
        unopened == 0 || options.without_sealed,
        "{unopened} interviews have sealed answers that would be lost for good; give the custodian's key with \
         --custodian-key, or say --without-sealed"
    );
    if last.is_none() {
        let recipient = keys.analysts(project)?.to_public();
        freeze::keep(receiver, analysis, &recipient, &frozen, options.too_near, options.who)?;
    }
    let cases = field.read(|db| db.list_cases(project))?;
    let facts = Facts {
        project,
        wave: name.to_owned(),
        begun: options.now,
        who: options.who.to_owned(),
        cases: frozen.file.records.len(),
        interviews: frozen.interviews,
        unopened,
        rows: field
            .read(|db| db.count_wave(project))?
            .into_iter()
            .chain([("answers".to_owned(), receiver.answers.read(|db| db.count_wave(project))?)])
            .collect(),
        files: field.read(|db| db.list_files_of_wave(project))?,
        keys: keys.files_of_wave(project),
        fingerprint: hex(&key.name("closing certificate", &[])[..8]),
        analysis: analysis.hashes(project)?,
    };
    let forms = field.read(|db| db.list_forms(project))?;
    let detail = serde_json::json!({ "project": project });
    field
        .transaction(|db| {
            db.keep_document(project, DISPOSITIONS, dispositions(&frozen)?.as_bytes(), options.now)?;
            db.keep_document(project, VILLAGES, villages(&cases)?.as_bytes(), options.now)?;
            db.keep_document(project, FACTS, &serde_json::to_vec_pretty(&facts)?, options.now)?;
            for form in &forms {
                db.set_form_state(project, &form.form_id, FormState::Closed)?;
            }
            db.set_project_state(project, ProjectState::Closed)?;
            db.append_audit(options.who, "wave closing", &detail.to_string(), options.now)?;
            Ok::<_, ClosingError>(())
        })
        .map_err(|error| error.0)
}

/// What may fail between the documents of a closing.
struct ClosingError(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for ClosingError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// How many cases ended how, by stratum.
fn dispositions(frozen: &freeze::Frozen) -> anyhow::Result<String> {
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for record in &frozen.file.records {
        *counts.entry((record.stratum.clone(), record.disposition.code())).or_default() += 1;
    }
    let texts = |of: &dyn Fn(&(String, &str)) -> String| {
        let texts: Vec<String> = counts.keys().map(of).collect();
        Column::from_texts(texts.iter().map(|text| Some(text.as_str())))
    };
    let table = Table::from_columns([
        ("stratum", texts(&|key| key.0.clone())),
        ("disposition", texts(&|key| key.1.to_owned())),
        ("cases", Column::Number(counts.values().map(|n| *n as f64).collect())),
    ])?;
    Ok(table.to_csv())
}

/// The villages of the sample, without their dwellings.
fn villages(cases: &[Case]) -> anyhow::Result<String> {
    let drawn: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.village.as_str(), case)).collect();
    let texts = |of: &dyn Fn(&Case) -> String| {
        let texts: Vec<String> = drawn.values().map(|case| of(case)).collect();
        Column::from_texts(texts.iter().map(|text| Some(text.as_str())))
    };
    let table = Table::from_columns([
        ("village", texts(&|case| case.village.clone())),
        ("commune", texts(&|case| case.commune.clone())),
        ("area", texts(&|case| case.district.clone())),
        ("stratum", texts(&|case| case.stratum.clone())),
        ("probability", Column::Number(drawn.values().map(|case| case.probability_1).collect())),
    ])?;
    Ok(table.to_csv())
}

/// Seconds east of UTC.
const VIETNAM: i32 = 7 * 3600;

fn certificate(facts: &Facts, head: &str, now: DateTime<Utc>) -> String {
    let local = |at: DateTime<Utc>| match FixedOffset::east_opt(VIETNAM) {
        Some(zone) => at.with_timezone(&zone).format("%H:%M ngày %d/%m/%Y").to_string(),
        None => at.to_rfc3339(),
    };
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line("GIẤY CHỨNG NHẬN ĐÓNG ĐỢT KHẢO SÁT · Certificate of closing".to_owned());
    line(String::new());
    line(format!("Đợt (wave) {}: {}", facts.project, facts.wave));
    line(format!("Bắt đầu (begun):    {}", local(facts.begun)));
    line(format!("Hoàn tất (done):    {}", local(now)));
    line(format!("Người thực hiện (by): {}", facts.who));
    line(String::new());
    line("Đã hủy trên máy chủ này · Destroyed on this server".to_owned());
    line(format!("  khóa của đợt (wave key), dấu nhận dạng (fingerprint) {}", facts.fingerprint));
    for key in &facts.keys {
        line(format!("  keys/{key}"));
    }
    for (table, rows) in &facts.rows {
        line(format!("  {table}: {rows} dòng (rows)"));
    }
    line(format!("  tệp gửi kèm (files): {}", facts.files.len()));
    line(String::new());
    line("Còn giữ lại · What stays".to_owned());
    line(format!(
        "  kết quả thực địa theo tầng: {} trường hợp, {} phỏng vấn (dispositions by stratum)",
        facts.cases, facts.interviews
    ));
    line("  danh sách thôn, tổ của mẫu (the sample of villages)".to_owned());
    for (name, hash) in &facts.analysis {
        line(format!("  analysis/{name}"));
        line(format!("    SHA-256 {hash}"));
    }
    if facts.unopened > 0 {
        line(format!(
            "  {} phỏng vấn có phần niêm phong không được mở và đã mất (sealed answers that were given up)",
            facts.unopened
        ));
    }
    line(String::new());
    line("Người giữ khóa cam đoan đã hủy · The custodian declares destroyed".to_owned());
    line(format!("  [ ] mọi bản sao của wave-{}.escrow (every copy of the escrow)", facts.project));
    line(
        "  [ ] khóa riêng của người giữ khóa dùng cho đợt này (the custodian's private key of this wave)"
            .to_owned(),
    );
    line("  Máy chủ khác cùng chạy đợt này quên khóa trong một phút và ghi vào nhật ký. (Other servers of this wave forget the key within a minute and enter it in the log.)".to_owned());
    line(String::new());
    line(format!("Đầu nhật ký (head of the log): {head}"));
    line(
        "Họ tên, chữ ký (names, signatures): ........................................................"
            .to_owned(),
    );
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
