//! `langnghe wave import` and `wave table`: waves before this program.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use chrono::Utc;

use super::key::passphrase;
use super::user::Installation;
use crate::config::{DATA, DataPlace};
use crate::db::{ProjectKind, ProjectState};
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::earlier_waves::{self, ImportPlan, TablePlan};
use crate::jobs::freeze::real_chance;

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// A wave of its own, made with `project add` and `key create`
    #[arg(value_name = "ID")]
    wave: i64,
    /// Which file, which columns, which codes
    plan: PathBuf,
    /// In place of what was imported before
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: DataPlace,
}

#[derive(Debug, clap::Args)]
pub struct TableArgs {
    /// Which file, which columns, which indicators
    plan: PathBuf,
    /// .csv for `report years` (published)
    #[arg(long, value_name = "F.csv")]
    output: Option<PathBuf>,
}

pub fn import(args: &ImportArgs) -> anyhow::Result<()> {
    let plan: ImportPlan = super::read_plan(&args.plan)?;
    let installation = Installation::open(&args.place)?;
    let wave = installation.field.read(|db| db.find_project(args.wave))?;
    let wave = wave.with_context(|| {
        format!("there is no wave {}; make one with `langnghe project add NAME`", args.wave)
    })?;
    ensure!(
        wave.kind == ProjectKind::Survey && wave.state != ProjectState::Closed,
        "wave {} takes no import; make one for it with `langnghe project add NAME`",
        args.wave
    );
    let (forms, cases) = installation
        .field
        .read(|db| Ok::<_, crate::db::Error>((db.list_forms(args.wave)?, db.list_cases(args.wave)?)))?;
    ensure!(
        forms.is_empty() && cases.is_empty(),
        "wave {} has a questionnaire or cases of its own; an earlier wave needs a number of its own: langnghe project add NAME",
        args.wave
    );
    let mut keys = installation.keys.clone();
    if keys.needs_passphrase()
        && let Some(passphrase) = passphrase()?
    {
        keys = keys.with_passphrase(passphrase);
    }
    let recipient = keys.analysts(args.wave)?.to_public();
    let files = AnalysisFiles::open(args.place.folder(DATA).join("analysis"))?;
    let known = files.snapshots(args.wave)?;
    ensure!(
        known.is_empty() || args.replace,
        "wave {} has been imported already; --replace puts this one in its place",
        args.wave
    );
    let snapshot = known.last().map_or(1, |last| last + 1);
    let folder = super::folder_of(&args.plan);
    let imported = earlier_waves::import(&plan, &folder, (args.wave, &wave.name, snapshot), real_chance())
        .with_context(|| args.plan.display().to_string())?;
    let path = files.keep(&imported.file, &recipient)?;
    for earlier in known {
        files.destroy(args.wave, earlier)?;
    }
    let detail = serde_json::json!({
        "project": args.wave, "snapshot": snapshot, "respondents": imported.file.records.len(),
        "sha256": imported.file.sha256()?,
    });
    installation.field.transaction(|db| {
        db.set_project_state(args.wave, ProjectState::Frozen)?;
        db.append_audit(installation.who(), "earlier wave imported", &detail.to_string(), Utc::now())?;
        Ok::<_, crate::db::Error>(())
    })?;
    say!("{}", path.display());
    say!(
        "đợt {} (năm {}): {} phiếu, {} đơn vị cấp một (respondents, primary units)",
        args.wave,
        plan.year,
        imported.file.records.len(),
        imported.file.about.villages
    );
    if imported.left_out > 0 {
        eprintln!(
            "langnghe: warning: {} dòng không có quyền số nên không tính là phiếu (rows without a weight are left out)",
            imported.left_out
        );
    }
    if !imported.without.is_empty() {
        eprintln!(
            "langnghe: warning: không tính được chỉ tiêu: {} (their questions are not in the file)",
            imported.without.join(", ")
        );
    }
    eprintln!(
        "langnghe: sai số tính theo quyền số cuối cùng, không trừ phần nhờ hiệu chỉnh (errors take the final weights as \
         given: they are on the safe side)"
    );
    Ok(())
}

pub fn table(args: &TableArgs) -> anyhow::Result<()> {
    let plan: TablePlan = super::read_plan(&args.plan)?;
    if let Some(output) = &args.output {
        super::keep_inputs(output, &[&args.plan])?;
    }
    let (csv, unnamed) = earlier_waves::published(&plan, &super::folder_of(&args.plan))
        .with_context(|| args.plan.display().to_string())?;
    for words in unnamed {
        eprintln!(
            "langnghe: warning: {words} không có trong kế hoạch nên bỏ qua (not in the plan, left out)"
        );
    }
    super::write_output(args.output.as_deref(), csv.as_bytes())
}
