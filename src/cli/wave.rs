//! `langnghe wave`: a wave from its design to its closing.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use analysis::table::{Table, Types};
use anyhow::Context;
use chrono::{NaiveDate, TimeDelta, Utc};
use surveys::areas::AreaTree;
use surveys::codebook::Codebook;

use super::key::passphrase;
use super::progress;
use super::user::{Installation, ask, secret_of};
use crate::config::{DATA, DataPlace};
use crate::db::{AnswerVault, Project, ProjectKind, ProjectState};
use crate::files::FileStore;
use crate::intake::{Receiver, Ties};
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::cases::{SampleColumns, cases_of, reserve_villages, types_of};
use crate::jobs::freeze::{self, TooNear};
use crate::jobs::withdrawal::{self, Withdrawn};
use crate::jobs::{close, design};
use crate::keys::{Bundle, KeyFolder, Passphrase, load_custodian};

/// Đợt khảo sát: thiết kế, mẫu, khóa sổ, đóng · A wave from its design to its closing
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Nạp kế hoạch phân tích · Give a wave its analysis.json, weighting.json, report.json and areas; each is checked
    /// against the published questionnaire
    #[command(after_help = "Example: langnghe wave design 1 instrument-2026 --areas province:02@2025-06-30")]
    Design(DesignArgs),
    /// Tạo danh sách hộ từ mẫu · Make the cases of a drawn sample (rule 6 is checked)
    #[command(
        after_help = "Example: langnghe wave cases 1 sample.csv --frame frame.csv --area old_district_code"
    )]
    Cases(CasesArgs),
    /// Tiến độ · How far the fieldwork is: counts against the plan, response rates, likely end, precision so far
    #[command(after_help = "Example: langnghe wave progress 1 --format json")]
    Progress(progress::Args),
    /// Khóa sổ thành tệp phân tích · Freeze the interviews to an analysis file, sealed to the analysts' key
    #[command(after_help = "Example: langnghe wave freeze 1 --custodian-key custodian-2026")]
    Freeze(FreezeArgs),
    /// Đóng đợt, hủy khóa · Freeze, then destroy the keys and everything that ties answers to dwellings
    #[command(after_help = "Example: langnghe wave close 1 --custodian-key custodian-2026")]
    Close(CloseArgs),
    /// Ngày tự đóng · The day on which the server closes the wave by itself; it can be brought forward, never put off
    #[command(after_help = "Example: langnghe wave close-on 1 2027-03-31")]
    CloseOn {
        #[arg(value_name = "ID")]
        wave: i64,
        #[arg(value_name = "DATE")]
        day: NaiveDate,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Nhập dữ liệu gốc của năm trước (SPSS, Stata, CSV, Excel) · Bring in the microdata of an earlier wave
    #[command(after_help = "Example: langnghe wave import 3 ks2024.json")]
    Import(super::wave_import::ImportArgs),
    /// Nhập bảng đã công bố của năm trước · Bring in the printed tables of an earlier wave, for `report years`
    #[command(after_help = "Example: langnghe wave table bang2023.json --output 2023.csv")]
    Table(super::wave_import::TableArgs),
    /// Rút phiếu · Withdraw the interview that a receipt code belongs to, while the wave is open
    #[command(after_help = "Example: langnghe wave withdraw 1 \"3f9a 07c2 b16d e840\"")]
    Withdraw {
        #[arg(value_name = "ID")]
        wave: i64,
        /// As on the consent card
        code: String,
        #[command(flatten)]
        place: DataPlace,
    },
}

#[derive(Debug, clap::Args)]
pub struct DesignArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    /// Holds analysis.json, weighting.json (with margins), report.json; areas.csv (code,name) without --areas
    folder: PathBuf,
    /// The units right below this one are the areas that results are shown for
    #[arg(long, value_name = "LEVEL:CODE[@DATE]")]
    areas: Option<String>,
    /// The questionnaire's form, where the wave has several
    #[arg(long, value_name = "FORM")]
    form: Option<String>,
    #[command(flatten)]
    place: DataPlace,
}

#[derive(Debug, clap::Args)]
pub struct CasesArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    /// What `sample draw --stage 2` wrote
    sample: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    #[command(flatten)]
    place: DataPlace,
}

/// The frame, and which columns of frame and sample say what.
#[derive(Debug, clap::Args)]
pub(super) struct ColumnArgs {
    /// The frame that it was drawn from
    #[arg(long, value_name = "F")]
    pub(super) frame: PathBuf,
    /// Column of the area that results are shown for; answers may carry it
    #[arg(long, value_name = "COLUMN")]
    area: String,
    /// Column of an area of another year, for trends (may be given several times)
    #[arg(long, value_name = "COLUMN")]
    trend_area: Vec<String>,
    /// Column of the group that most people of the village belong to; default: the largest share_CODE
    #[arg(long, value_name = "COLUMN")]
    majority: Option<String>,
    #[arg(long, value_name = "COLUMN", default_value = "village_id")]
    village: String,
    #[arg(long, value_name = "COLUMN", default_value = "household")]
    household: String,
    #[arg(long, value_name = "COLUMN", default_value = "commune_code")]
    commune: String,
}

impl ColumnArgs {
    pub(super) fn columns(&self) -> SampleColumns {
        SampleColumns {
            village: self.village.clone(),
            household: self.household.clone(),
            commune: self.commune.clone(),
            area: self.area.clone(),
            trend_areas: self.trend_area.clone(),
            majority: self.majority.clone(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct FreezeArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    /// Private half of the custodian's key, for sealed questions; its passphrase is asked, or taken from
    /// LANGNGHE_CUSTODIAN_PASSPHRASE
    #[arg(long, env = "LANGNGHE_CUSTODIAN_KEY", value_name = "F")]
    custodian_key: Option<PathBuf>,
    /// Before the last interview: holds back the last 30 from 3 villages, and the wave goes on
    #[arg(long)]
    early: bool,
    /// Destroys an earlier snapshot that is too near to this one (no figure of it was released)
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: DataPlace,
}

#[derive(Debug, clap::Args)]
pub struct CloseArgs {
    #[arg(value_name = "ID")]
    wave: i64,
    /// Private half of the custodian's key; see `wave freeze`
    #[arg(long, env = "LANGNGHE_CUSTODIAN_KEY", value_name = "F")]
    custodian_key: Option<PathBuf>,
    /// Gives up the answers of sealed blocks, because the custodian's key is lost
    #[arg(long)]
    without_sealed: bool,
    /// Destroys an earlier snapshot that is too near to the final one (no figure of it was released)
    #[arg(long)]
    replace: bool,
    /// The wave's name, as the confirmation that nothing can be undone; asked where it is not given
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Where the certificate goes; default: wave-ID-closing.txt in the data folder
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: DataPlace,
}

/// An installation with both vaults and its keys.
pub(super) struct House {
    pub(super) installation: Installation,
    pub(super) receiver: Receiver,
    keys: KeyFolder,
    folder: PathBuf,
}

impl House {
    pub(super) fn open(place: &DataPlace) -> anyhow::Result<Self> {
        let folder = place.folder(DATA);
        let installation = Installation::open(place)?;
        let answers = AnswerVault::open(&place.answers_url(&folder))?;
        let mut keys = installation.keys.clone();
        if keys.needs_passphrase()
            && let Some(passphrase) = passphrase()?
        {
            keys = keys.with_passphrase(passphrase);
        }
        let files = FileStore::open(&place.files_url(&folder))?;
        let receiver = Receiver::new(installation.field.clone(), answers, HashMap::new(), Ties::Random)
            .with_key_folder(keys.clone())
            .with_files(files);
        Ok(Self { installation, receiver, keys, folder })
    }

    fn analysis(&self) -> anyhow::Result<AnalysisFiles> {
        AnalysisFiles::open(self.folder.join("analysis"))
    }
}

/// How long `wave close` waits for running servers to destroy their copies and confirm it.
const WAIT: TimeDelta = TimeDelta::seconds(30);

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Design(args) => give_design(args),
        Command::Cases(args) => make_cases(args),
        Command::Progress(args) => progress::run(args),
        Command::Freeze(args) => freeze_wave(args),
        Command::Close(args) => close_wave(args),
        Command::CloseOn { wave, day, place } => close_on(*wave, *day, place),
        Command::Import(args) => super::wave_import::import(args),
        Command::Table(args) => super::wave_import::table(args),
        Command::Withdraw { wave, code, place } => withdraw(*wave, code, place),
    }
}

pub(super) fn survey(installation: &Installation, wave: i64) -> anyhow::Result<Project> {
    let found = installation.field.read(|db| db.find_project(wave))?;
    let found = found.with_context(|| format!("there is no wave {wave}; see `langnghe project list`"))?;
    anyhow::ensure!(
        found.kind == ProjectKind::Survey,
        "wave {wave} has no respondents ({}); this is for surveys",
        found.kind.name()
    );
    Ok(found)
}

pub(super) fn open_survey(installation: &Installation, wave: i64) -> anyhow::Result<Project> {
    let found = survey(installation, wave)?;
    anyhow::ensure!(
        found.state != ProjectState::Closed,
        "wave {wave} is closed; nothing of it can be changed"
    );
    Ok(found)
}

fn give_design(args: &DesignArgs) -> anyhow::Result<()> {
    let installation = Installation::open(&args.place)?;
    open_survey(&installation, args.wave)?;
    let answers = AnswerVault::open(&args.place.answers_url(&args.place.folder(DATA)))?;
    let receiver = Receiver::new(installation.field.clone(), answers, HashMap::new(), Ties::Random);
    let form_id = match &args.form {
        Some(form) => form.clone(),
        None => {
            let forms = installation.field.read(|db| db.list_forms(args.wave))?;
            let [form] = forms.as_slice() else {
                anyhow::bail!(
                    "wave {} has {} published forms; publish its questionnaire or name it with --form",
                    args.wave,
                    forms.len()
                )
            };
            form.form_id.clone()
        }
    };
    let form = receiver.find_form(args.wave, &form_id, None)?;
    let form = receiver.read_form(args.wave, &form_id, &form.version)?;
    let mut files = design::Files::from([(design::FORM, form_id.into_bytes())]);
    for name in [design::PLAN, design::WEIGHTING, design::TEMPLATE] {
        files.insert(name, super::read_bytes(&args.folder.join(name))?);
    }
    let areas = match &args.areas {
        Some(unit) => units_below(unit)?,
        None => listed_areas(&args.folder.join("areas.csv"))?,
    };
    files.insert(design::AREAS, serde_json::to_vec_pretty(&areas)?);
    let wave = design::read_files(&files).with_context(|| args.folder.display().to_string())?;
    let problems = wave.problems(&Codebook::of(&form.questionnaire));
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    let now = Utc::now();
    let detail = serde_json::json!({ "project": args.wave, "areas": areas.len() });
    installation.field.transaction(|db| {
        design::keep(db, args.wave, &files, now)?;
        db.append_audit(installation.who(), "design given", &detail.to_string(), now)?;
        Ok::<_, crate::db::Error>(())
    })?;
    say!(
        "đợt {}: kế hoạch phân tích khớp với phiếu {}, {} địa bàn, {} biên cân (the design fits the questionnaire)",
        args.wave,
        wave.form_id,
        areas.len(),
        wave.weighting.margins.len()
    );
    Ok(())
}

/// Codes and names of the units right below `LEVEL:CODE[@DATE]`.
fn units_below(unit: &str) -> anyhow::Result<Vec<(String, String)>> {
    let today = Utc::now().date_naive();
    let area = crate::people::AreaRef::read(unit, today).map_err(|why| anyhow::anyhow!("--areas: {why}"))?;
    let on: NaiveDate = area.date;
    let tree = AreaTree::bundled();
    let found = tree.find(&area.level, &area.code, on).context("--areas: there is no such unit")?;
    let mut below: Vec<(String, String)> = tree
        .children(found, on)
        .into_iter()
        .map(|unit| (unit.code.clone(), unit.full_name.clone()))
        .collect();
    below.sort();
    anyhow::ensure!(!below.is_empty(), "--areas {unit}: no units lie below it; give areas.csv in the folder");
    Ok(below)
}

fn listed_areas(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let types: Types = types_of(["code", "name"]);
    let table = Table::read(file, &types).with_context(|| {
        format!("{}: give the areas in this file (code,name) or with --areas", file.display())
    })?;
    let text = |name: &str, row: usize| -> anyhow::Result<String> {
        Ok(table.column(name)?.text(row).unwrap_or_default().into_owned())
    };
    (0..table.height()).map(|row| Ok((text("code", row)?, text("name", row)?))).collect()
}

/// A table with its codes as text.
pub(super) fn table(file: &Path) -> anyhow::Result<Table> {
    let plain = Table::read(file, &Types::default())?;
    Ok(Table::read(file, &types_of(plain.names()))?)
}

fn make_cases(args: &CasesArgs) -> anyhow::Result<()> {
    let installation = Installation::open(&args.place)?;
    open_survey(&installation, args.wave)?;
    let known = installation.field.read(|db| db.list_cases(args.wave))?;
    anyhow::ensure!(
        known.is_empty(),
        "wave {} has {} cases already; they are made once, because interviews point to them",
        args.wave,
        known.len()
    );
    let (columns, sample) = (args.columns.columns(), table(&args.sample)?);
    let named = || args.sample.display().to_string();
    let new = cases_of(&sample, &table(&args.columns.frame)?, &columns).with_context(named)?;
    let reserves = reserve_villages(&sample, &columns).with_context(named)?;
    let main = new.iter().filter(|case| case.role == crate::db::CaseRole::Main).count();
    let (all, now) = (new.len(), Utc::now());
    let villages: std::collections::BTreeSet<String> = new.iter().map(|case| case.village.clone()).collect();
    let detail = serde_json::json!({ "project": args.wave, "cases": all, "villages": villages.len() });
    installation.field.transaction(|db| {
        db.create_cases(args.wave, new)?;
        for village in &reserves {
            db.keep_village(args.wave, village)?;
        }
        db.append_audit(installation.who(), "cases made", &detail.to_string(), now)?;
        Ok::<_, crate::db::Error>(())
    })?;
    say!(
        "đợt {}: {main} hộ chính, {} hộ dự phòng, {} thôn (main, reserves, villages)",
        args.wave,
        all - main,
        villages.len()
    );
    Ok(())
}

pub(super) fn custodian(file: Option<&Path>) -> anyhow::Result<Option<Bundle>> {
    const OWN: &str = "LANGNGHE_CUSTODIAN_PASSPHRASE";
    let Some(file) = file else { return Ok(None) };
    let own = match secret_of(OWN) {
        Some(own) => own,
        None => ask("Mật khẩu của người giữ khóa (the custodian's passphrase): ", OWN)?,
    };
    Ok(Some(load_custodian(file, &Passphrase::new(own))?))
}

fn too_near(replace: bool) -> TooNear {
    if replace { TooNear::Replace } else { TooNear::Refuse }
}

fn freeze_wave(args: &FreezeArgs) -> anyhow::Result<()> {
    let house = House::open(&args.place)?;
    let wave = open_survey(&house.installation, args.wave)?;
    anyhow::ensure!(
        !(args.early && wave.state == ProjectState::Frozen),
        "wave {} is frozen: no interview comes any more, so a snapshot is final; leave --early out",
        args.wave
    );
    let custodian = custodian(args.custodian_key.as_deref())?;
    let recipient = house.keys.analysts(args.wave)?.to_public();
    let options = freeze::Options {
        custodian: custodian.as_ref(),
        early: args.early,
        now: Utc::now(),
        chance: freeze::real_chance(),
    };
    if !args.early {
        // First, so that no acknowledged interview comes after the file was made.
        freeze::end_fieldwork(&house.receiver, args.wave)?;
    }
    let made = freeze::freeze(&house.receiver, args.wave, options).and_then(|frozen| {
        let path = freeze::keep(
            &house.receiver,
            &house.analysis()?,
            &recipient,
            &frozen,
            too_near(args.replace),
            house.installation.who(),
        )?;
        Ok((frozen, path))
    });
    if made.is_err() && !args.early && wave.state == ProjectState::Open {
        freeze::resume_fieldwork(&house.receiver, args.wave)?;
    }
    let (frozen, path) = made?;
    say!("{}", path.display());
    say!(
        "ảnh chụp {}: {} trường hợp, {} phỏng vấn (snapshot: cases, interviews)",
        frozen.snapshot.number,
        frozen.file.records.len(),
        frozen.interviews
    );
    if args.early {
        say!("giữ lại {} phỏng vấn gần nhất (the latest are held back)", frozen.held_back);
    }
    for left in &frozen.left_out {
        eprintln!(
            "langnghe: warning: {}: không mở được, không có trong tệp (left out): {}",
            left.instance_id, left.why
        );
    }
    if !frozen.left_out.is_empty() {
        eprintln!(
            "langnghe: warning: bỏ ra {} phỏng vấn không mở được (interviews left out)",
            frozen.left_out.len()
        );
    }
    let closed = frozen.unopened - frozen.left_out.len();
    if closed > 0 {
        eprintln!(
            "langnghe: warning: {closed} phỏng vấn có phần niêm phong chưa mở, câu trả lời ở đó để trống; thêm \
             --custodian-key (their sealed answers are missing)"
        );
    }
    if frozen.unworked > 0 {
        eprintln!(
            "langnghe: warning: {} hộ đã giao mà chưa ai đến; tính là không rõ có thuộc diện hay không (issued cases that \
             nobody visited count as of unknown eligibility)",
            frozen.unworked
        );
    }
    Ok(())
}

fn close_wave(args: &CloseArgs) -> anyhow::Result<()> {
    let house = House::open(&args.place)?;
    let wave = survey(&house.installation, args.wave)?;
    if wave.state != ProjectState::Closed {
        let typed = match &args.confirm {
            Some(name) => name.clone(),
            None if std::io::stdin().is_terminal() => {
                eprint!(
                    "Không thể hoàn tác. Gõ lại tên đợt để đóng (type the wave's name) «{}»: ",
                    wave.name
                );
                let mut line = String::new();
                std::io::stdin().read_line(&mut line)?;
                line
            }
            None => anyhow::bail!("closing cannot be undone; give the wave's name with --confirm"),
        };
        anyhow::ensure!(
            typed.trim() == wave.name,
            "--confirm: `{}` is not the name of wave {} (`{}`); nothing was done",
            typed.trim(),
            args.wave,
            wave.name
        );
    }
    let custodian = custodian(args.custodian_key.as_deref())?;
    let options = close::Options {
        custodian: custodian.as_ref(),
        without_sealed: args.without_sealed,
        wait: WAIT,
        too_near: too_near(args.replace),
        who: house.installation.who(),
        now: Utc::now(),
    };
    let certificate = close::close(&house.receiver, &house.keys, &house.analysis()?, args.wave, &options)?;
    let output =
        args.output.clone().unwrap_or_else(|| house.folder.join(format!("wave-{}-closing.txt", args.wave)));
    super::write_output(Some(&output), certificate.as_bytes())?;
    super::write_output(None, certificate.as_bytes())?;
    eprintln!("langnghe: {}", output.display());
    Ok(())
}

fn close_on(wave: i64, day: NaiveDate, place: &DataPlace) -> anyhow::Result<()> {
    let installation = Installation::open(place)?;
    open_survey(&installation, wave)?;
    let now = Utc::now();
    anyhow::ensure!(
        day > now.date_naive(),
        "{day} is past; give a day to come, or close now: langnghe wave close {wave}"
    );
    let holds = installation.field.transaction(|db| db.close_on(wave, day, now))?;
    installation.log("closing day set", serde_json::json!({ "project": wave, "close_on": holds }))?;
    anyhow::ensure!(
        holds == day,
        "ngày đóng vẫn là {holds}: chỉ có thể đưa sớm lên (the closing day stays {holds}: it can only be brought forward)"
    );
    say!("đợt {wave} tự đóng ngày {holds} (the server closes the wave on this day)");
    Ok(())
}

fn withdraw(wave: i64, code: &str, place: &DataPlace) -> anyhow::Result<()> {
    let house = House::open(place)?;
    let who = house.installation.who();
    match withdrawal::withdraw(&house.receiver, &house.keys, wave, code, who, Utc::now())? {
        Withdrawn::Gone { files } => {
            house.receiver.remove_files(&files)?;
            say!(
                "Đã rút phiếu và xóa mọi câu trả lời. (The interview is withdrawn and its answers are deleted.)"
            );
            Ok(())
        }
        Withdrawn::NotHere => anyhow::bail!(
            "không có phiếu nào mang mã này: xem lại mã, hoặc phiếu chưa được gửi về, hoặc đã rút trước đó (no interview here \
             has this code: mistyped, not sent yet, or withdrawn before)"
        ),
    }
}
