//! A wave's records as files for other programs: the whole analysis file for the analysts' room, reduced ones for anybody.

use analysis::disclosure::SafeMicrodata;
use analysis::estimation::{self, Plan};
use analysis::export::records::{self, Analysts, Audience, Design, Notes, Public, Records};
use analysis::table::Table;
use anyhow::{Context, bail};
use chrono::Datelike;
use indexmap::IndexMap;
use surveys::codebook::{Codebook, Measure, Text, Value, Variable};

use super::analysis_file::{AnalysisFile, CaseRecord, weighting_table};
use super::weights::weight;

/// The kinds of files, by the end of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
    Spss,
    Stata,
    Parquet,
    Ddi,
    R,
    StataScript,
}

impl Format {
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Csv, ".csv"),
        (Self::Xlsx, ".xlsx"),
        (Self::Spss, ".sav"),
        (Self::Stata, ".dta"),
        (Self::Parquet, ".parquet"),
        (Self::Ddi, ".ddi.xml"),
        (Self::R, ".R"),
        (Self::StataScript, ".do"),
    ];

    /// The format of a file's name, and the name without its ending.
    pub fn of(name: &str) -> Option<(Self, &str)> {
        let lower = name.to_lowercase();
        Self::ALL.iter().find_map(|(format, ending)| {
            let stem = lower.strip_suffix(&ending.to_lowercase())?;
            Some((*format, name.get(..stem.len())?))
        })
    }
}

/// The file's bytes. `stem`: what the files of one export share; the scripts read `STEM.csv` and `STEM.dta`, and
/// the documentation describes `STEM.csv`. `mark`: a byte-order mark before a CSV.
pub fn write(records: &Records<Analysts>, format: Format, stem: &str, mark: bool) -> anyhow::Result<Vec<u8>> {
    Ok(match format {
        Format::R => records::r_script(records, &format!("{stem}.csv"))?.into_bytes(),
        Format::StataScript => records::stata_script(records, &format!("{stem}.dta"))?.into_bytes(),
        _ => write_plain(records, format, stem, mark)?,
    })
}

/// The bytes of a file without a design, for anybody.
pub fn write_public(
    records: &Records<Public>,
    format: Format,
    stem: &str,
    mark: bool,
) -> anyhow::Result<Vec<u8>> {
    write_plain(records, format, stem, mark)
}

fn write_plain<A: Audience>(
    records: &Records<A>,
    format: Format,
    stem: &str,
    mark: bool,
) -> anyhow::Result<Vec<u8>> {
    Ok(match format {
        Format::Csv => records::csv(records, mark),
        Format::Xlsx => records::xlsx(records)?,
        Format::Spss => records::sav(records)?,
        Format::Stata => records::dta(records)?,
        Format::Parquet => records::parquet(records)?,
        Format::Ddi => records::ddi(records, &format!("{stem}.csv")).into_bytes(),
        Format::R | Format::StataScript => bail!(
            "bộ số liệu công bố không có thiết kế mẫu để khai báo (released microdata have no design to declare); name \
             a .csv, .xlsx, .sav, .dta, .parquet or .ddi.xml, and use the table of generalised variances beside it"
        ),
    })
}

/// Reduced respondents with the codebook's words, for anybody.
pub(super) fn public(
    file: &AnalysisFile,
    reduced: &SafeMicrodata,
    plan: &Plan,
) -> anyhow::Result<Records<Public>> {
    let mut codebook = Codebook::of(&file.read_questionnaire()?);
    name_areas(&mut codebook, &file.about.areas);
    let notes = Notes {
        licence: "Bộ số liệu rút gọn để công bố: không có thôn, đơn vị chọn mẫu; không được tìm cách nhận ra người trả lời"
            .to_owned(),
        ..notes(file, labels(file, plan))?
    };
    Ok(Records::released(reduced, &codebook, notes)?)
}

/// Weights the wave and gives its respondents with all answers, their place in the design, and what the plan derives.
pub fn analysts(file: &AnalysisFile) -> anyhow::Result<Records<Analysts>> {
    anyhow::ensure!(
        !file.about.imported,
        "an imported wave has no files of its own; use the file that it came from"
    );
    let questionnaire = file.read_questionnaire()?;
    let mut codebook = Codebook::of(&questionnaire);
    let cases = weighting_table(&file.records, &exported(&codebook, &file.records))?;
    let weighted = weight(&cases, &file.weighting)?;
    let mut plan = weighted.plan(&file.plan)?;
    let headlines: Vec<&str> = file.template.headlines.iter().map(|h| h.id.as_str()).collect();
    plan.requests.retain(|request| headlines.contains(&request.id.as_str()));
    if plan.requests.is_empty() {
        bail!("the analysis plan answers none of the report's headlines; their ids must be the same in both");
    }
    let answers = estimation::estimate(&weighted.respondents, &plan).context("the headline estimates")?;
    let labels = labels(file, &plan);
    name_areas(&mut codebook, &file.about.areas);
    let design = Design { plan, weight: "weight".to_owned(), answers: answers.results };
    let respondents = without(weighted.respondents, &["disposition", "responded"])?;
    Ok(Records::new(&respondents, &codebook, notes(file, labels)?, design)?)
}

/// Questions that were answered, and closed ones and numbers that nobody answered. What only parts another question's
/// answer (a choice, a rank) is made from that answer later.
fn exported<'a>(codebook: &'a Codebook, records: &[CaseRecord]) -> Vec<&'a str> {
    let answered =
        |name: &str| records.iter().filter_map(|r| r.answers.as_ref()).any(|a| a.contains_key(name));
    let is_part = |variable: &Variable| {
        codebook.variables.values().any(|whole| {
            whole.path == variable.path
                && whole.name != variable.name
                && variable.name.starts_with(&whole.name)
        })
    };
    codebook
        .variables
        .values()
        .filter(|variable| !variable.field)
        .filter(|variable| {
            let closed = matches!(variable.measure, Measure::Nominal | Measure::Ordinal | Measure::Number);
            answered(&variable.name) || closed && !is_part(variable)
        })
        .map(|variable| variable.name.as_str())
        .collect()
}

fn without(table: Table, dropped: &[&str]) -> anyhow::Result<Table> {
    let kept = table.into_columns().filter(|(name, _)| !dropped.contains(&name.as_str()));
    Ok(Table::from_columns(kept)?)
}

/// What stands in the columns of the design and of the plan, as officials say it.
fn labels(file: &AnalysisFile, plan: &Plan) -> IndexMap<String, Text> {
    let both = |vi: &str, en: &str| {
        [("vi".to_owned(), vi.to_owned()), ("en".to_owned(), en.to_owned())].into_iter().collect::<Text>()
    };
    let mut labels: IndexMap<String, Text> = [
        ("design_stratum", "Tầng chọn mẫu", "Stratum of the draw"),
        ("stratum", "Tầng để tính phương sai", "Stratum for variances"),
        ("psu", "Đơn vị chọn mẫu cấp một (mã xáo trộn)", "Primary sampling unit (scrambled)"),
        (
            "village_majority",
            "Dân tộc đông nhất của thôn theo dàn mẫu",
            "Largest group of the village on the frame",
        ),
        ("adults", "Số người từ 18 tuổi trong hộ", "Adults of the household"),
        ("base", "Quyền số gốc của nơi ở", "Base weight of the dwelling"),
        ("person_weight", "Quyền số của người, trước khi hiệu chỉnh", "Weight of the person before raking"),
        ("weight", "Quyền số cuối cùng", "Final weight"),
    ]
    .into_iter()
    .map(|(name, vi, en)| (name.to_owned(), both(vi, en)))
    .collect();
    for headline in &file.template.headlines {
        let text = format!("{}: {}", headline.question, headline.short);
        labels.insert(headline.id.clone(), [("vi".to_owned(), text)].into_iter().collect());
    }
    for breakdown in &file.template.breakdowns {
        if plan.derive.contains_key(&breakdown.by) {
            labels.insert(
                breakdown.by.clone(),
                [("vi".to_owned(), breakdown.name.clone())].into_iter().collect(),
            );
        }
    }
    labels
}

/// The areas that results are shown for, as a variable with their names.
fn name_areas(codebook: &mut Codebook, areas: &[(String, String)]) {
    let text = |vi: &str| [("vi".to_owned(), vi.to_owned())].into_iter().collect::<Text>();
    let values =
        areas.iter().map(|(code, name)| Value { code: code.clone(), label: text(name), missing: None });
    let variable = Variable {
        name: "area_large".to_owned(),
        path: String::new(),
        label: text("Địa bàn (huyện cũ)"),
        measure: Measure::Nominal,
        values: values.collect(),
        universe: Vec::new(),
        sealed: false,
        field: false,
    };
    codebook.variables.entry(variable.name.clone()).or_insert(variable);
}

fn notes(file: &AnalysisFile, labels: IndexMap<String, Text>) -> anyhow::Result<Notes> {
    let (about, template) = (&file.about, &file.template);
    let mut sources = about.provenance.clone();
    sources.push((format!("wave-{}-snapshot-{}", about.project, about.snapshot), file.sha256()?));
    Ok(Notes {
        title: about.wave.clone(),
        producer: template.front.issuing_body.clone(),
        summary: template.purpose.clone(),
        population: template.population.clone(),
        period: template.period.clone(),
        method: template.method.clone(),
        licence: "Chỉ người được giao phân tích sử dụng; kết quả đưa ra ngoài phải qua kiểm soát công bố"
            .to_owned(),
        label: about.label.clone(),
        sources,
        program: format!("langnghe {}", env!("CARGO_PKG_VERSION")),
        labels,
        created: (about.taken.year() as u16, about.taken.month() as u8, about.taken.day() as u8),
    })
}
