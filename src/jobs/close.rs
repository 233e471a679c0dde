//! Closing a wave (protection.md rule 13): freezes it first, then destroys the keys and everything that could stand in
//! for them, and certifies it. Each step can be repeated; what a crash interrupted is carried on by closing again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use analysis::table::{Column, Table};
use anyhow::{Context, anyhow};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::analysis_files::AnalysisFiles;
use super::freeze::{self, TooNear};
use super::servers::is_running;
use crate::db::{
    Case, ClosingConfirmation, Form, FormState, ProjectKind, ProjectState, Server, Snapshot,
    SnapshotInterview,
};
use crate::intake::Receiver;
use crate::keys::{Bundle, KeyFolder};

/// Final dispositions by stratum: stays.
pub const DISPOSITIONS: &str = "closing/dispositions.csv";
/// The sample of villages: stays.
pub const VILLAGES: &str = "closing/villages.csv";
/// The certificate: stays.
pub const CERTIFICATE: &str = "closing/certificate.txt";
/// What the certificate says, written down before anything is destroyed.
pub(in crate::jobs) const FACTS: &str = "closing/facts.json";

/// How a wave is closed.
pub struct Options<'a> {
    pub custodian: Option<&'a Bundle>,
    /// The answers of sealed blocks are given up, because nobody has the custodian's key any more.
    pub without_sealed: bool,
    pub too_near: TooNear,
    /// How long to wait for running servers to destroy their copies.
    pub wait: TimeDelta,
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
    let before = field.read(|db| db.list_forms(project))?;
    if wave.state != ProjectState::Closed
        && let Err(error) = prepare(receiver, keys, analysis, project, &wave.name, options)
    {
        let state = field.read(|db| db.find_project(project))?.map(|wave| wave.state);
        // Another server may have closed it meanwhile; then what is left is to destroy.
        if state != Some(ProjectState::Closed) {
            resume(receiver, project, wave.state, &before)?;
            return Err(error);
        }
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

    let servers = wait_for_servers(receiver, keys, project, options)?;
    let known = field.read(|db| db.find_document(project, CERTIFICATE))?;
    if let Some(known) = known {
        let text = String::from_utf8(known.content)?;
        // A server that confirmed since is a reason for a new one.
        if servers.lines().iter().all(|line| text.contains(line)) {
            return Ok(text);
        }
    }
    let head = field.read(|db| db.verify_audit())?.last().map(|entry| hex(&entry.hash)).unwrap_or_default();
    let certificate = certificate(&facts, &servers, &head, Utc::now().max(options.now));
    let detail = serde_json::json!({
        "project": project, "interviews": facts.interviews, "cases": facts.cases, "rows": facts.rows,
        "servers": servers.confirmed.len(), "unconfirmed": servers.missing.len(),
        "certificate_sha256": hex(&Sha256::digest(&certificate)),
    });
    field.transaction(|db| {
        db.keep_document(project, CERTIFICATE, certificate.as_bytes(), options.now)?;
        db.append_audit(options.who, "wave closed", &detail.to_string(), options.now)?;
        Ok::<_, crate::db::Error>(())
    })?;
    Ok(certificate)
}

/// What the servers of a wave said about their own copies.
#[derive(Default)]
struct Servers {
    confirmed: Vec<ClosingConfirmation>,
    missing: Vec<Server>,
}

impl Servers {
    /// As the certificate says it.
    fn lines(&self) -> Vec<String> {
        let done = self.confirmed.iter().map(|one| {
            format!("  {}: đã hủy bản của mình (confirmed), {}", one.name, local(one.confirmed_at.and_utc()))
        });
        let missing = self.missing.iter().map(|one| {
            format!(
                "  {}: CHƯA xác nhận, thấy lần cuối {} (not confirmed; start it once, or destroy its key folder by hand, \
                 then close again)",
                one.name,
                local(one.seen_at.and_utc())
            )
        });
        done.chain(missing).collect()
    }
}

/// Waits until every running server has destroyed its copies, as long as the caller wants to.
fn wait_for_servers(
    receiver: &Receiver,
    keys: &KeyFolder,
    project: i64,
    options: &Options<'_>,
) -> anyhow::Result<Servers> {
    let field = &receiver.field;
    let own = keys.id()?;
    let mut waited = TimeDelta::zero();
    loop {
        let now = Utc::now();
        let known = field.read(|db| db.list_servers())?;
        // What lay in this key folder is gone; a server on it that does not run holds nothing in its memory.
        for server in known.iter().filter(|server| server.folder == own && !is_running(server, now)) {
            let place = (server.folder.as_str(), server.name.as_str());
            field.transaction(|db| db.confirm_closing(project, place, &[], now))?;
        }
        let confirmed = field.read(|db| db.list_confirmations(project))?;
        let is_missing = |server: &Server| {
            confirmed.iter().all(|one| (&one.folder, &one.name) != (&server.folder, &server.name))
        };
        let missing: Vec<Server> = known.into_iter().filter(is_missing).collect();
        if waited >= options.wait || !missing.iter().any(|server| is_running(server, now)) {
            return Ok(Servers { confirmed, missing });
        }
        std::thread::sleep(STEP);
        waited += TimeDelta::from_std(STEP)?;
    }
}

const STEP: Duration = Duration::from_millis(500);

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
    end_all_forms(receiver, project)?;
    let unsealed = |unopened: i64| {
        anyhow::ensure!(
            unopened == 0 || options.without_sealed,
            "{unopened} interviews have sealed answers that would be lost for good; give the custodian's key with \
             --custodian-key, or say --without-sealed"
        );
        Ok(())
    };
    let frozen = match field.read(|db| db.count_submissions(project))? {
        // A wave that nothing came for ends without a file.
        0 => None,
        _ => {
            let freezing = freeze::Options {
                custodian: options.custodian,
                early: false,
                now: options.now,
                chance: freeze::real_chance(),
            };
            match freeze::freeze(receiver, project, freezing) {
                Ok(frozen) => Some(frozen),
                Err(error) => match error.downcast::<freeze::NothingToFreeze>() {
                    Ok(nothing) => {
                        unsealed(i64::try_from(nothing.unopened)?)?;
                        None
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    };
    let known = field.read(|db| db.list_snapshots(project, &key))?;
    let (mut unopened, mut interviews) = (0, 0);
    if let Some(frozen) = &frozen {
        let last = known.last().filter(|last| is_final(last, frozen));
        unopened = last.map_or(frozen.snapshot.unopened, |last| last.unopened);
        interviews = last.map_or(frozen.interviews, |last| last.interviews.len());
        unsealed(unopened)?;
        let is_kept =
            last.is_some() || (options.too_near == TooNear::KeepEarlier && !frozen.too_near.is_empty());
        if !is_kept {
            let recipient = keys.analysts(project)?.to_public();
            freeze::keep(receiver, analysis, &recipient, frozen, options.too_near, options.who)?;
        }
    }
    let cases = field.read(|db| db.list_cases(project))?;
    let facts = Facts {
        project,
        wave: name.to_owned(),
        begun: options.now,
        who: options.who.to_owned(),
        cases: frozen.as_ref().map_or(0, |frozen| frozen.file.records.len()),
        interviews,
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
            if let Some(frozen) = &frozen {
                db.keep_document(project, DISPOSITIONS, dispositions(frozen)?.as_bytes(), options.now)?;
            }
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

/// No form of the wave takes anything from here on.
fn end_all_forms(receiver: &Receiver, project: i64) -> anyhow::Result<()> {
    receiver.field.transaction(|db| {
        for form in db.list_forms(project)? {
            db.set_form_state(project, &form.form_id, FormState::Closed)?;
        }
        db.set_project_state(project, ProjectState::Frozen)
    })?;
    Ok(())
}

/// Takes [`end_all_forms`] back, when the closing could not be prepared.
fn resume(receiver: &Receiver, project: i64, state: ProjectState, before: &[Form]) -> anyhow::Result<()> {
    receiver.field.transaction(|db| {
        for form in before {
            db.set_form_state(project, &form.form_id, form.state)?;
        }
        db.set_project_state(project, state)
    })?;
    Ok(())
}

/// Whether a snapshot holds all that this freeze would: the same interviews, or more by those that the device encrypted
/// and that stay closed this time, and no fewer answers.
fn is_final(last: &Snapshot, frozen: &freeze::Frozen) -> bool {
    let ids = |interviews: &[SnapshotInterview]| -> BTreeSet<String> {
        interviews.iter().map(|one| one.id.clone()).collect()
    };
    let (kept, now) = (ids(&last.interviews), ids(&frozen.snapshot.interviews));
    !last.early
        && kept.is_superset(&now)
        && kept.len() - now.len() <= frozen.closed
        && last.unopened <= frozen.snapshot.unopened
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

fn local(at: DateTime<Utc>) -> String {
    match FixedOffset::east_opt(VIETNAM) {
        Some(zone) => at.with_timezone(&zone).format("%H:%M ngày %d/%m/%Y").to_string(),
        None => at.to_rfc3339(),
    }
}

fn certificate(facts: &Facts, servers: &Servers, head: &str, now: DateTime<Utc>) -> String {
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
    let of_servers = servers.lines();
    if !of_servers.is_empty() {
        line(String::new());
        line("Máy chủ của đợt này · Servers of this wave".to_owned());
        of_servers.into_iter().for_each(&mut line);
    }
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
