//! Reviews over several years (sơ kết, tổng kết): trends on common areas, changes with their errors, what cannot be
//! compared and why.

use std::path::{Path, PathBuf};

use analysis::charts::numerals;
use analysis::disclosure::{Cell, SafeTable};
use analysis::estimation::years::Comparison;
use analysis::report::{self, Block, Drawing, Report, Statement, sentences};
use anyhow::anyhow;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::provenance::{PLAN, PROGRAM, Provenance, Snapshot, json_sha256, program};
use super::view::Names;
use super::years::{self, Compared, Line, YearWave};
use super::{Input, created, front, pictures, sha256};
use crate::jobs::analysis_file::AnalysisFile;
use crate::jobs::releases::Releases;
use crate::jobs::template::Letterhead;

/// Name of the kind in a report's table of sources.
pub const KIND: &str = "review";

/// What officials write to ask for a review.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewPlan {
    pub front: Letterhead,
    /// Purpose and grounds, a paragraph each.
    #[serde(default)]
    pub purpose: Vec<String>,
    /// In order of time.
    pub waves: Vec<ReviewWave>,
    #[serde(default)]
    pub comparison: Comparison,
    /// Headlines of the last wave's template; all of them where none is named.
    #[serde(default)]
    pub headlines: Vec<String>,
    /// Indicators of the plan's carrying-out by year, typed from the register: name, then year and value.
    #[serde(default)]
    pub indicators: IndexMap<String, IndexMap<String, String>>,
    /// Parts that officials write (limits and causes, lessons, tasks): title and paragraphs.
    #[serde(default)]
    pub parts: IndexMap<String, Vec<String>>,
}

/// One wave: a project with an analysis file, or a table that was published.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewWave {
    /// `năm 2025`.
    pub name: String,
    #[serde(default)]
    pub project: Option<i64>,
    /// The latest where none is named.
    #[serde(default)]
    pub snapshot: Option<u32>,
    /// CSV with `id`, `variable`, `common_area`, `estimate`, `se`, `n`.
    #[serde(default)]
    pub published: Option<PathBuf>,
    /// CSV with `area_large` and `common_area`, where this wave's areas are not the common ones.
    #[serde(default)]
    pub areas: Option<PathBuf>,
    /// False: the published table is of a quota or convenience sample.
    #[serde(default = "yes")]
    pub probability_sample: bool,
}

fn yes() -> bool {
    true
}

/// Builds the review. `files`: the analysis files of the waves with a project, in the plan's order. `folder`: where the
/// plan lies. `releases`: the logs of those waves. `warn` hears what an analyst must know of the comparison.
pub fn review(
    plan: &ReviewPlan,
    folder: &Path,
    files: &[AnalysisFile],
    releases: &mut Releases,
    warn: &mut dyn FnMut(&str),
) -> anyhow::Result<Report> {
    let inputs: Vec<Input<'_>> =
        files.iter().map(|file| Input::of(file, &file.template)).collect::<anyhow::Result<_>>()?;
    let mut next = inputs.iter();
    let mut others: Vec<(String, String)> = Vec::new();
    let mut waves: Vec<YearWave<'_>> = Vec::new();
    let mut note = |file: &Path| -> anyhow::Result<PathBuf> {
        let path = folder.join(file);
        let bytes = std::fs::read(&path)
            .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path in the plan", path.display()))?;
        others.push((file.display().to_string(), sha256(&bytes)));
        Ok(path)
    };
    for wave in &plan.waves {
        let name = wave.name.clone();
        waves.push(match (&wave.published, wave.project) {
            (Some(file), None) => {
                let probability = wave.probability_sample;
                YearWave::Published { name, file: note(file)?, probability }
            }
            (None, Some(_)) => YearWave::Rows {
                name,
                input: next.next().ok_or_else(|| anyhow!("{}: its analysis file is missing", wave.name))?,
                areas: wave.areas.as_deref().map(&mut note).transpose()?,
            },
            _ => return Err(anyhow!("wave “{}” needs either \"project\" or \"published\"", wave.name)),
        });
    }
    let last = inputs.last().ok_or_else(|| anyhow!("a review needs at least one wave with a \"project\""))?;
    let headlines: Vec<&str> = match plan.headlines.is_empty() {
        true => last.template.headlines.iter().map(|h| h.id.as_str()).collect(),
        false => plan.headlines.iter().map(String::as_str).collect(),
    };
    let compared = years::compare(&waves, &headlines, &plan.comparison, releases)?;
    compared.warnings.iter().for_each(|line| warn(line));
    others.push((PLAN.to_owned(), json_sha256(plan)?));
    others.push((PROGRAM.to_owned(), program()));
    let snapshots = files.iter().map(Snapshot::of).collect::<anyhow::Result<_>>()?;
    let provenance = Provenance { kind: KIND.to_owned(), snapshots, others };
    let names = Names {
        headlines: last.template.headlines.iter().map(|h| (h.id.clone(), h.short.clone())).collect(),
        areas: last.areas.to_vec(),
    };
    let label = inputs.iter().find_map(|input| input.label.clone());
    let page = Page { plan, compared: &compared, names: &names, last, label: label.as_deref() };
    let front = front(&plan.front, label.as_deref(), created(last.file));
    Ok(Report { front, blocks: page.blocks(&provenance) })
}

struct Page<'a> {
    plan: &'a ReviewPlan,
    compared: &'a Compared,
    names: &'a Names,
    last: &'a Input<'a>,
    label: Option<&'a str>,
}

impl Page<'_> {
    fn blocks(&self, provenance: &Provenance) -> Vec<Block> {
        let wholes: Vec<&Line> = self.compared.lines.iter().filter(|line| line.area.is_none()).collect();
        let mut blocks = self.page_one(&wholes);
        blocks.extend([Block::PageBreak, Block::Contents, Block::PageBreak]);
        let mut number = report::Numbers::default();
        blocks.push(number.part("MỤC ĐÍCH, CĂN CỨ"));
        blocks.extend(report::typed(&self.plan.purpose).into_iter().map(Block::Paragraph));
        blocks.push(number.part("CÁC ĐỢT KHẢO SÁT"));
        blocks.push(Block::Table(self.waves()));
        blocks.push(number.part("KẾT QUẢ QUA CÁC NĂM"));
        blocks.push(Block::Paragraph(
            "Mỗi đợt được ước lượng theo thiết kế mẫu của đợt đó. Chỉ so sánh khi lời hỏi, phương án và đối tượng hỏi \
             giống nhau; đường bị ngắt ở chỗ không so sánh được. Thay đổi được coi là có khi còn giữ được sau khi xét \
             đồng thời mọi so sánh."
                .to_owned(),
        ));
        for line in &wholes {
            blocks.push(Block::Heading(2, self.names.headline(&line.id).to_owned()));
            let told = line.steps.iter().map(|step| {
                format!("{}: {}", self.wave(step.to), sentences::change(&self.compared.change(step)))
            });
            blocks.push(Block::Items(told.collect()));
            let trend = pictures::trend(self.compared, line, self.names.headline(&line.id), self.label);
            blocks.push(Block::Figure(Drawing::of(&trend)));
        }
        for missing in &self.compared.missing {
            blocks.push(Block::Paragraph(format!(
                "{}: có đợt không hỏi hoặc không tính chỉ tiêu này nên không so sánh.",
                self.names.headline(missing)
            )));
        }
        blocks.push(number.part("THEO ĐỊA BÀN CHUNG"));
        blocks.push(Block::Paragraph(
            "Địa bàn lớn, ranh giới chung cho mọi đợt; không dùng để xếp hạng.".to_owned(),
        ));
        blocks.extend(wholes.iter().map(|line| Block::Table(self.areas(&line.id))));
        if !self.plan.indicators.is_empty() {
            blocks.push(number.part("CHỈ TIÊU TỔ CHỨC THỰC HIỆN"));
            blocks.push(Block::Table(self.indicators()));
        }
        for (title, paragraphs) in &self.plan.parts {
            blocks.push(number.part(&title.to_uppercase()));
            blocks.extend(report::typed(paragraphs).into_iter().map(Block::Paragraph));
        }
        blocks.extend([
            Block::PageBreak,
            Block::Heading(1, "PHỤ LỤC 1. PHƯƠNG PHÁP".to_owned()),
            Block::Paragraph(
                "Phương sai của thay đổi là V₁ + V₂ − 2C: V là phương sai của mỗi đợt theo thiết kế, C đến từ các thôn \
                 có mặt ở cả hai đợt (bằng 0 khi hai mẫu độc lập). Khoảng tin cậy 95% theo phân phối t. Các giá trị p \
                 của thay đổi chung và của thay đổi theo địa bàn được hiệu chỉnh theo hai nhóm."
                    .to_owned(),
            ),
        ]);
        blocks.extend(report::provenance(&provenance.rows()));
        blocks.push(Block::Heading(1, "PHỤ LỤC 2. BẢNG SỐ LIỆU".to_owned()));
        blocks.push(Block::Table(self.compared.table(self.names)));
        blocks
    }

    fn wave(&self, place: usize) -> &str {
        self.compared.waves.get(place).map_or("", |wave| wave.wave.as_str())
    }

    fn page_one(&self, wholes: &[&Line]) -> Vec<Block> {
        let last = self.compared.waves.len().saturating_sub(1);
        let statements: Vec<Statement> = wholes
            .iter()
            .map(|line| {
                let headline = self.last.template.headlines.iter().find(|h| h.id == line.id);
                let areas = self.compared.lines.iter().filter(|other| other.id == line.id);
                let step = line.steps.iter().filter(|step| step.to == last).min_by_key(|step| step.from);
                Statement {
                    subject: headline.map_or(line.id.clone(), |h| h.subject.clone()),
                    figure: line.figures[last].clone(),
                    change: step.map(|step| self.compared.change(step)),
                    areas: areas
                        .filter_map(|other| {
                            let name = self.names.area(other.area.as_deref()?).to_owned();
                            Some((name, other.figures[last].clone()))
                        })
                        .collect(),
                    higher_is_better: headline.is_none_or(|h| h.higher_is_better),
                }
            })
            .collect();
        let probability = self.compared.waves.get(last).is_none_or(|wave| wave.probability);
        let n: usize =
            self.compared.waves.iter().filter_map(|wave| wave.design.as_ref()).map(|design| design.n).sum();
        let mut blocks = vec![
            Block::Paragraph(format!(
                "{} đợt, từ {} đến {}; {} phiếu trong các đợt có tệp phân tích. Đối tượng: {}.",
                self.compared.waves.len(),
                self.wave(0),
                self.wave(last),
                numerals::whole(n as u64),
                self.last.template.population.trim_end_matches('.'),
            )),
            Block::Findings(report::findings(&statements, probability)),
        ];
        let alerts = self.compared.alerts(self.names);
        blocks.push(Block::Paragraph(if alerts.is_empty() {
            format!(
                "Đến {}: {} ở chỉ tiêu và địa bàn nào.",
                self.wave(last),
                sentences::NO_EVIDENCE_OF_CHANGE
            )
        } else {
            format!("{} thay đổi ngoài sai số đến {} (xem Phụ lục 2).", alerts.len(), self.wave(last))
        }));
        if !probability {
            blocks.push(Block::Notice(report::NOT_A_PROBABILITY_SAMPLE.to_owned()));
        }
        blocks.push(Block::Notice(report::NOT_FOR_RANKING.to_owned()));
        blocks
    }

    fn waves(&self) -> SafeTable {
        let columns = ["Đợt", "Số phiếu", "Đơn vị cấp một", "Nguồn"];
        let mut table = SafeTable::new("Các đợt khảo sát trong báo cáo", columns);
        for wave in &self.compared.waves {
            let source = match (&wave.design, wave.probability) {
                (None, true) => "bảng đã công bố",
                (None, false) => "bảng đã công bố, không phải mẫu xác suất: không so sánh",
                (Some(_), true) => "tệp phân tích, mẫu xác suất",
                (Some(_), false) => "tệp phân tích, không phải mẫu xác suất: không so sánh",
            };
            let count = |n: Option<usize>| n.map_or(Cell::Empty, |n| Cell::Fieldwork(n as u64));
            table.push(vec![
                Cell::text(&wave.wave),
                count(wave.design.as_ref().map(|design| design.n)),
                count(wave.design.as_ref().map(|design| design.psus)),
                Cell::text(source),
            ]);
        }
        table
    }

    fn areas(&self, id: &str) -> SafeTable {
        let mut columns = vec!["Địa bàn".to_owned()];
        for wave in &self.compared.waves {
            columns.extend([wave.wave.clone(), format!("KTC 95% {}", wave.wave)]);
        }
        let mut table =
            SafeTable::new(format!("{} theo địa bàn, qua các đợt", self.names.headline(id)), columns);
        for line in self.compared.lines.iter().filter(|line| line.id == id) {
            let mut row =
                vec![Cell::text(line.area.as_deref().map_or("Toàn bộ", |area| self.names.area(area)))];
            for figure in &line.figures {
                row.extend([Cell::Share(figure.clone()), Cell::ShareInterval(figure.clone())]);
            }
            table.push(row);
        }
        table.note(self.label.unwrap_or_default())
    }

    /// Typed from the register, in the years' order of their first appearance.
    fn indicators(&self) -> SafeTable {
        let mut years: Vec<&String> = Vec::new();
        for year in self.plan.indicators.values().flat_map(IndexMap::keys) {
            if !years.contains(&year) {
                years.push(year);
            }
        }
        let columns = std::iter::once("Chỉ tiêu".to_owned()).chain(years.iter().map(|year| (*year).clone()));
        let mut table = SafeTable::new("Chỉ tiêu tổ chức thực hiện theo năm", columns.collect::<Vec<_>>());
        for (name, values) in &self.plan.indicators {
            let mut row = vec![Cell::text(name)];
            row.extend(years.iter().map(|year| values.get(*year).map_or(Cell::Empty, Cell::text)));
            table.push(row);
        }
        table
    }
}
