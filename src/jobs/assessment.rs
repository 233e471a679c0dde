//! The annual assessment: from weighted interviews through the gate to charts, tables and the report.

use std::collections::{BTreeSet, HashMap};

use analysis::charts::{
    Caption, Chart, DotInterval, DotRow, Funnel, Histogram, Likert, LikertRow, Order, Pyramid, PyramidBand,
    Stage, Unit, Width, numerals,
};
use analysis::disclosure::{self, Cell, Figure, Rules, SafeBins, SafeRow, SafeTable};
use analysis::estimation::{self, Results};
use analysis::report::{self, AnnualInput, Front, Layout, Section, Statement};
use analysis::table::Table;
use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use surveys::codebook::{Codebook, Missing};

use super::analysis_file::{CaseRecord, outcomes};
use super::template::{Battery, Breakdown, LayoutName, Template};
use super::weights::{Margin, Weighted, estimation_plan};
use crate::fieldwork::dispositions::{Disposition, Outcomes};

/// What an assessment is made from.
pub struct Input<'a> {
    pub template: &'a Template,
    pub codebook: &'a Codebook,
    /// The instrument's estimation plan.
    pub plan: &'a Value,
    pub weighted: &'a Weighted,
    pub records: &'a [CaseRecord],
    pub margins: &'a [Margin],
    /// Questions whose answers are sensitive (protection.md rule 18).
    pub sensitive: &'a BTreeSet<String>,
    /// Names of areas by code, in their official order.
    pub areas: &'a [(String, String)],
    /// On every page and file, when the data are synthetic.
    pub label: Option<String>,
    /// The known values of a simulated population, by headline.
    pub truth: &'a HashMap<String, f64>,
    pub villages: u64,
    /// Name and hash of what the numbers come from.
    pub provenance: Vec<(String, String)>,
    /// Date of the files' properties: year, month, day.
    pub created: (u16, u8, u8),
}

/// Everything that leaves: all of it passed the gate.
pub struct Assessment {
    /// File name without ending, and chart.
    pub charts: Vec<(String, Box<dyn Chart>)>,
    /// File name without ending, and table.
    pub tables: Vec<(String, SafeTable)>,
    pub docx: Vec<u8>,
    pub html: String,
    pub xlsx: Vec<u8>,
    /// The headline figures in the template's order.
    pub headlines: Vec<SafeRow>,
    /// The sample without weights: the headlines and `sex_age`.
    pub sample: Vec<SafeRow>,
    pub results: Results,
    pub unweighted: Outcomes,
    pub weighted: Outcomes,
}

pub fn assess(input: &Input<'_>) -> anyhow::Result<Assessment> {
    let plan = full_plan(input)?;
    let results = estimation::estimate(&input.weighted.respondents, &plan).context("estimates")?;
    let rules = rules(input);
    let safe = disclosure::gate(&results.results, &rules)?;
    let sample = sample_as_it_is(input, &rules)?;
    let view = View { input, safe: &safe };
    let (unweighted, weighted) = outcomes(input.records);

    let mut charts: Vec<(String, Box<dyn Chart>)> = Vec::new();
    charts.push(("chi-tieu-chinh".into(), Box::new(view.headline_chart())));
    let mut section_charts: Vec<Vec<usize>> = Vec::new();
    for section in &input.template.sections {
        let mut own = Vec::new();
        for dots in &section.dots {
            let breakdown = view.breakdown(&dots.by)?;
            own.push(charts.len());
            charts.push((
                format!("{}-{}", dots.id.replace('_', "-"), breakdown.file),
                Box::new(view.dots(&dots.id, breakdown)?),
            ));
        }
        for battery in &section.likert {
            own.push(charts.len());
            charts.push((battery.file.clone(), Box::new(view.likert(battery))));
        }
        section_charts.push(own);
    }
    let method_from = charts.len();
    charts.push(("tiep-xuc".into(), Box::new(view.funnel(&unweighted))));
    charts.push(("quyen-so".into(), Box::new(view.weights(&rules)?)));
    charts.push(("thap-tuoi".into(), Box::new(view.pyramid(&sample)?)));

    let mut tables: Vec<(String, SafeTable)> = vec![("chi-tieu-chinh".into(), view.headline_table())];
    for breakdown in &input.template.breakdowns {
        tables.push((format!("chi-tieu-theo-{}", breakdown.file), view.breakdown_table(breakdown)));
    }
    for (name, chart) in charts.iter().skip(1) {
        tables.push((name.clone(), chart.table()));
    }

    let sections = input
        .template
        .sections
        .iter()
        .zip(&section_charts)
        .map(|(section, own)| {
            Ok(Section {
                title: section.title.clone(),
                comments: Vec::new(),
                statements: section
                    .statements
                    .iter()
                    .map(|id| view.statement(id))
                    .collect::<anyhow::Result<_>>()?,
                charts: own.iter().map(|i| charts[*i].1.as_ref()).collect(),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let annual = report::annual(&AnnualInput {
        front: front(input),
        year: input.template.year,
        population: input.template.population.clone(),
        purpose: input.template.purpose.clone(),
        headlines: input
            .template
            .headlines
            .iter()
            .map(|h| view.statement(&h.id))
            .collect::<anyhow::Result<_>>()?,
        sections,
        fieldwork: view.fieldwork(&unweighted, &weighted),
        design: results.design.clone(),
        method: input.template.method.clone(),
        method_charts: charts[method_from..].iter().map(|(_, chart)| chart.as_ref()).collect(),
        proposals: Vec::new(),
        tables: tables[1..=input.template.breakdowns.len()].iter().map(|(_, table)| table.clone()).collect(),
        provenance: input.provenance.clone(),
    });
    let docx = report::docx(&annual)?;
    let html = report::html(&annual);
    let all: Vec<SafeTable> = tables.iter().map(|(_, table)| table.clone()).collect();
    let xlsx = analysis::export::xlsx(
        &all,
        &analysis::export::About {
            title: format!("Bảng số liệu: {}", input.template.front.about),
            author: input.template.front.issuing_body.clone(),
            notes: vec![view.source(results.design.n)],
            label: input.label.clone(),
            created: input.created,
        },
    )?;
    let headlines =
        input.template.headlines.iter().map(|h| view.row(&h.id).cloned()).collect::<anyhow::Result<_>>()?;
    drop(annual);
    Ok(Assessment { charts, tables, docx, html, xlsx, headlines, sample, results, unweighted, weighted })
}

/// The instrument's plan with the batteries of the template: shares on the scale alone, and the share off it.
fn full_plan(input: &Input<'_>) -> anyhow::Result<estimation::Plan> {
    let mut plan = input.plan.clone();
    let batteries: Vec<&Battery> = input.template.sections.iter().flat_map(|s| &s.likert).collect();
    for question in batteries.iter().flat_map(|b| b.items.keys()) {
        let (scale, silent) = scale_of(input.codebook, question)?;
        let quoted = |codes: &[String]| codes.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
        plan["types"][format!("{question}_scale")] = json!(scale);
        plan["derive"][format!("{question}_scale")] =
            json!(format!("CASE WHEN {question} IN ({}) THEN {question} END", quoted(&scale)));
        plan["derive"][format!("{question}_silent")] = json!(format!(
            "CASE WHEN {question} IN ({}) THEN 1 WHEN {question} IS NOT NULL THEN 0 END",
            quoted(&silent)
        ));
        let requests =
            plan["requests"].as_array_mut().ok_or_else(|| anyhow!("the plan has no `requests`"))?;
        for column in ["scale", "silent"] {
            let column = format!("{question}_{column}");
            requests.push(json!({ "id": column, "statistic": "mean", "of": [column], "missing": "drop" }));
        }
    }
    estimation_plan(&plan, &input.weighted.adjust)
}

/// Codes on the scale of a question, and those of don't know and refused. 95–97 (does not apply, other) are neither.
fn scale_of(codebook: &Codebook, question: &str) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let variable =
        codebook.variables.get(question).ok_or_else(|| anyhow!("there is no question `{question}`"))?;
    let mut scale = Vec::new();
    let mut silent = Vec::new();
    for value in &variable.values {
        match value.missing {
            Some(Missing::DontKnow | Missing::Refused) => silent.push(value.code.clone()),
            None if matches!(value.code.as_str(), "95" | "96" | "97") => {}
            None => scale.push(value.code.clone()),
        }
    }
    scale.sort_by_key(|code| code.parse::<u32>().unwrap_or(u32::MAX));
    scale.dedup();
    Ok((scale, silent))
}

fn rules(input: &Input<'_>) -> Rules {
    let mut sensitive = input.sensitive.clone();
    // A derived column is as sensitive as what it is made of.
    if let Some(derive) = input.plan["derive"].as_object() {
        for (name, expression) in derive {
            let expression = expression.as_str().unwrap_or_default();
            let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.into_iter().any(|word| input.sensitive.contains(word)) {
                sensitive.insert(name.clone());
            }
        }
    }
    for question in input.sensitive {
        sensitive.extend([format!("{question}_scale"), format!("{question}_silent")]);
    }
    Rules {
        sensitive,
        ethnicity: ["ethnic_large", "b3"].into_iter().map(str::to_owned).collect(),
        ..Rules::default()
    }
}

/// The sample as it is, each respondent counting once, through the gate: its sex and age, and the headlines as
/// somebody would count them who knows nothing of the design.
fn sample_as_it_is(input: &Input<'_>, rules: &Rules) -> anyhow::Result<Vec<SafeRow>> {
    let mut plan = input.plan.clone();
    plan["derive"]["sex_age"] =
        json!("CASE WHEN b1 IN ('1','2') AND b2 IN ('1','2','3','4','5','6') THEN b1 || '/' || b2 END");
    plan["derive"]["each"] = json!("1");
    plan["design"] =
        json!({ "clusters": ["psu"], "strata": ["stratum"], "weights": "each", "single_psu": "adjust" });
    let requests = input.template.headlines.iter().map(|h| h.id.as_str()).chain(["sex_age"]);
    plan["requests"] =
        requests.map(|id| json!({ "id": id, "statistic": "mean", "of": [id], "missing": "drop" })).collect();
    let plan: estimation::Plan = serde_json::from_value(plan)?;
    let results =
        estimation::estimate(&input.weighted.respondents, &plan).context("the sample without weights")?;
    Ok(disclosure::gate(&results.results, rules)?)
}

fn front(input: &Input<'_>) -> Front {
    let head = &input.template.front;
    let (year, month, day) = input.created;
    Front {
        layout: match head.layout {
            LayoutName::Party => Layout::Party,
            LayoutName::State => Layout::State,
        },
        parent_body: head.parent_body.clone(),
        issuing_body: head.issuing_body.clone(),
        number: head.number.clone(),
        place_and_date: head.place_and_date.clone(),
        kind: head.kind.clone(),
        about: head.about.clone(),
        label: input.label.clone(),
        signature: None,
        recipients: head.recipients.clone(),
        created: format!("{year:04}-{month:02}-{day:02}T00:00:00Z"),
    }
}

/// Looks up gated figures and dresses them.
struct View<'a> {
    input: &'a Input<'a>,
    safe: &'a [SafeRow],
}

impl View<'_> {
    fn row(&self, id: &str) -> anyhow::Result<&SafeRow> {
        self.safe.iter().find(|row| row.id() == id && row.group().is_empty()).ok_or_else(|| {
            anyhow!("the analysis plan has no request `{id}`, which the report's template names")
        })
    }

    fn figure(&self, id: &str) -> Figure {
        self.row(id).map_or_else(|_| Figure::absent(), |row| row.figure().clone())
    }

    /// The groups of a headline: code and figure, areas in their official order.
    fn groups(&self, id: &str, by: &str) -> Vec<(String, Figure)> {
        let request = format!("{id}_by_{by}");
        let mut found: Vec<(String, Figure)> = self
            .safe
            .iter()
            .filter(|row| row.id() == request)
            .filter_map(|row| Some((row.group().get(by)?.clone(), row.figure().clone())))
            .collect();
        found.sort_by_key(|(code, _)| self.input.areas.iter().position(|(area, _)| area == code));
        found.into_iter().map(|(code, figure)| (self.group_label(&code), figure)).collect()
    }

    fn group_label(&self, code: &str) -> String {
        let name = self.input.areas.iter().find(|(area, _)| area == code).map(|(_, name)| name.clone());
        name.unwrap_or_else(|| if code == "khác" { "Dân tộc khác".to_owned() } else { code.to_owned() })
    }

    fn breakdown(&self, by: &str) -> anyhow::Result<&Breakdown> {
        let found = self.input.template.breakdowns.iter().find(|b| b.by == by);
        found.ok_or_else(|| anyhow!("the report's template has no breakdown `{by}`"))
    }

    fn headline(&self, id: &str) -> anyhow::Result<&super::template::Headline> {
        let found = self.input.template.headlines.iter().find(|h| h.id == id);
        found.ok_or_else(|| anyhow!("the report's template has no headline `{id}`"))
    }

    fn caption(&self, title: String, subtitle: String, n: Option<usize>) -> Caption {
        let source = match n {
            Some(n) => self.source(n),
            None => self.source_line(),
        };
        Caption { title, subtitle, source, synthetic: self.input.label.clone() }
    }

    fn source_line(&self) -> String {
        format!("Nguồn: khảo sát nắm tình hình Nhân dân {}", self.input.template.year)
    }

    fn source(&self, n: usize) -> String {
        format!(
            "{}; mẫu xác suất hai giai đoạn, có trọng số; khoảng tin cậy 95%; n\u{a0}=\u{a0}{}",
            self.source_line(),
            numerals::whole(n as u64)
        )
    }

    fn headline_chart(&self) -> DotInterval {
        let simulated = !self.input.truth.is_empty();
        let rows: Vec<DotRow> = self
            .input
            .template
            .headlines
            .iter()
            .map(|h| DotRow {
                label: h.short.clone(),
                figure: self.figure(&h.id),
                truth: self.input.truth.get(&h.id).copied(),
            })
            .collect();
        let first = self.input.template.headlines.first();
        let title = first.map_or_else(String::new, |h| {
            format!("{}: {}", h.short, report::sentences::share(&self.figure(&h.id)))
        });
        let n = rows.iter().filter_map(|row| row.figure.n()).max();
        DotInterval {
            caption: self.caption(title, "Mười chỉ tiêu chính, % người có ý kiến".into(), n),
            unit: Unit::Percent,
            rows,
            order: Order::Given,
            overall: None,
            truth_label: simulated.then(|| "Giá trị thật của dân số mô phỏng".to_owned()),
        }
    }

    fn dots(&self, id: &str, breakdown: &Breakdown) -> anyhow::Result<DotInterval> {
        let headline = self.headline(id)?;
        let overall = self.figure(id);
        let rows: Vec<DotRow> = self
            .groups(id, &breakdown.by)
            .into_iter()
            .map(|(label, figure)| DotRow { label, figure, truth: None })
            .collect();
        let (low, high) = overall.interval().unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let apart =
            rows.iter().filter(|row| row.figure.interval().is_some_and(|(l, h)| h < low || l > high)).count();
        let finding = match apart {
            0 => "chưa đủ căn cứ kết luận có khác biệt".to_owned(),
            n => format!("{n} nhóm khác mức chung ngoài sai số"),
        };
        let n = overall.n();
        Ok(DotInterval {
            caption: self.caption(
                format!("{} theo {}: {finding}", headline.short, breakdown.name),
                format!("{}. % người có ý kiến", headline.question),
                n,
            ),
            unit: Unit::Percent,
            rows,
            order: if breakdown.by == "area_large" { Order::Given } else { Order::Descending },
            overall: Some(("Toàn bộ địa bàn".to_owned(), overall)),
            truth_label: None,
        })
    }

    fn likert(&self, battery: &Battery) -> Likert {
        let mut scale = Vec::new();
        let mut best: Option<(f64, &str)> = None;
        let mut worst: Option<(f64, &str)> = None;
        let mut largest = None;
        let rows = battery
            .items
            .iter()
            .map(|(question, label)| {
                let id = format!("{question}_scale");
                let steps: Vec<&SafeRow> = self.safe.iter().filter(|row| row.id() == id).collect();
                if scale.is_empty() {
                    let text = |row: &&SafeRow| {
                        self.input
                            .codebook
                            .value_label(question, row.category().unwrap_or_default(), "vi")
                            .to_owned()
                    };
                    scale = steps.iter().map(text).collect();
                }
                let figures: Vec<Figure> = steps.iter().map(|row| row.figure().clone()).collect();
                largest = largest.max(figures.iter().filter_map(Figure::n).max());
                let top: Option<f64> = figures.iter().rev().take(2).map(Figure::estimate).sum();
                if let Some(top) = top {
                    if best.is_none_or(|(most, _)| top > most) {
                        best = Some((top, label));
                    }
                    if worst.is_none_or(|(least, _)| top < least) {
                        worst = Some((top, label));
                    }
                }
                LikertRow {
                    label: label.clone(),
                    figures,
                    aside: Some(self.figure(&format!("{question}_silent"))),
                }
            })
            .collect();
        let title = match (best, worst) {
            (Some((most, best)), Some((least, worst))) if best != worst => format!(
                "{}: từ {} ({worst}) đến {} ({best}) {}",
                battery.name,
                numerals::percent(least, 0),
                numerals::percent(most, 0),
                battery.top
            ),
            _ => battery.name.clone(),
        };
        Likert {
            caption: self.caption(title, format!("{} % người có ý kiến", battery.question), largest),
            scale,
            rows,
            aside: Some("Không biết, không trả lời".to_owned()),
        }
    }

    fn funnel(&self, counts: &Outcomes) -> Funnel {
        let whole = |n: f64| n.round() as u64;
        let drawn = whole(
            counts.interviews
                + counts.partials
                + counts.refusals
                + counts.non_contacts
                + counts.others
                + counts.unknown
                + counts.ineligible,
        );
        let eligible = drawn - whole(counts.unknown) - whole(counts.ineligible);
        let met = eligible - whole(counts.non_contacts);
        let agreed = met - whole(counts.refusals) - whole(counts.others);
        let stage =
            |label: &str, cases: u64, lost: &str| Stage { label: label.into(), cases, lost: lost.into() };
        let rate = counts
            .rr3()
            .map_or(String::new(), |rate| format!(" (AAPOR RR3: {})", numerals::percent(rate, 1)));
        Funnel {
            caption: self.caption(
                format!(
                    "{} phiếu hoàn thành trong {} trường hợp{rate}",
                    numerals::whole(agreed),
                    numerals::whole(drawn)
                ),
                "Số trường hợp qua từng bước tiếp xúc".into(),
                None,
            ),
            stages: vec![
                stage("Đã giao cho điều tra viên", drawn, ""),
                stage("Xác định được và đúng đối tượng", eligible, "ngoài phạm vi hoặc không xác định được"),
                stage("Gặp được người trong hộ", met, "không gặp sau 3 lần"),
                stage("Hoàn thành phỏng vấn", agreed, "từ chối, đi vắng, ốm"),
            ],
        }
    }

    fn weights(&self, rules: &Rules) -> anyhow::Result<Histogram> {
        let respondents: &Table = &self.input.weighted.respondents;
        let weights = respondents.numbers("weight")?;
        let diagnosis = &self.input.weighted.diagnosis;
        Ok(Histogram {
            caption: self.caption(
                format!(
                    "Quyền số không đều làm phương sai tăng {} lần (Kish); cỡ mẫu hiệu quả {}",
                    numerals::decimal(diagnosis.kish_effect, 2),
                    numerals::decimal(diagnosis.effective_n, 0)
                ),
                "Quyền số cuối cùng của người trả lời".into(),
                Some(respondents.height()),
            ),
            bins: SafeBins::of(&weights, 24, rules),
            measure: "Số người mà một người trả lời đại diện".into(),
        })
    }

    fn pyramid(&self, shape: &[SafeRow]) -> anyhow::Result<Pyramid> {
        let margin = |by: &str| {
            let found = self.input.margins.iter().find(|m| m.by == by);
            found.ok_or_else(|| anyhow!("there is no margin `{by}`"))
        };
        let (sexes, ages) = (margin("rake_sex")?, margin("rake_age")?);
        let all: f64 = sexes.totals.iter().map(|(_, n)| n).sum();
        let sample = |sex: &str, age: &str| {
            let category = format!("{sex}/{age}");
            shape
                .iter()
                .find(|row| row.category() == Some(category.as_str()))
                .map_or_else(Figure::absent, |row| row.figure().clone())
        };
        let bands = ages
            .totals
            .iter()
            .rev()
            .map(|(age, of_age)| PyramidBand {
                label: self.input.codebook.value_label("b2", age, "vi").to_owned(),
                sample: [sample("1", age), sample("2", age)],
                // The register gives sex and age apart; their product stands for the cross table.
                population: [0, 1]
                    .map(|i| sexes.totals.get(i).map_or(0.0, |(_, of_sex)| of_sex * of_age / (all * all))),
            })
            .collect();
        Ok(Pyramid {
            caption: self.caption(
                "Mẫu trước khi tính quyền số so với dân số".into(),
                "% người lớn theo giới tính và nhóm tuổi".into(),
                Some(self.input.weighted.respondents.height()),
            ),
            sides: ["Nam".into(), "Nữ".into()],
            bands,
            sample_label: "Mẫu (chưa có trọng số)".into(),
            population_label: "Dân số".into(),
        })
    }

    fn statement(&self, id: &str) -> anyhow::Result<Statement> {
        let headline = self.headline(id)?;
        Ok(Statement {
            subject: headline.subject.clone(),
            figure: self.row(id)?.figure().clone(),
            before: None,
            areas: self.groups(id, "area_large"),
            higher_is_better: headline.higher_is_better,
        })
    }

    fn fieldwork(&self, unweighted: &Outcomes, weighted: &Outcomes) -> report::Fieldwork {
        let count = |d: Disposition| self.input.records.iter().filter(|r| r.disposition == d).count() as u64;
        report::Fieldwork {
            period: self.input.template.period.clone(),
            drawn: self.input.records.len() as u64,
            completed: count(Disposition::Complete),
            villages: self.input.villages,
            dispositions: Disposition::all()
                .filter(|d| count(*d) > 0)
                .map(|d| report::Disposition {
                    code: d.aapor().to_owned(),
                    label: d.label_vi().to_owned(),
                    cases: count(d),
                })
                .collect(),
            response_rate: unweighted.rr3().unwrap_or(f64::NAN),
            response_rate_weighted: weighted.rr3(),
        }
    }

    fn headline_table(&self) -> SafeTable {
        let columns = ["Chỉ tiêu", "Câu", "Ước lượng", "KTC 95%", "n"];
        let mut table =
            SafeTable::new(format!("Các chỉ tiêu chính năm {}", self.input.template.year), columns);
        for headline in &self.input.template.headlines {
            let figure = self.figure(&headline.id);
            table.push(vec![
                Cell::text(&headline.subject),
                Cell::text(&headline.question),
                Cell::Share(figure.clone()),
                Cell::ShareInterval(figure.clone()),
                Cell::Base(figure),
            ]);
        }
        self.dress(table)
    }

    fn breakdown_table(&self, breakdown: &Breakdown) -> SafeTable {
        let labels: Vec<String> = self
            .input
            .template
            .headlines
            .first()
            .map(|h| self.groups(&h.id, &breakdown.by).into_iter().map(|(label, _)| label).collect())
            .unwrap_or_default();
        let mut table = SafeTable::new(
            format!("Các chỉ tiêu chính theo {}", breakdown.name),
            [
                "Chỉ tiêu".to_owned(),
                "Nhóm".to_owned(),
                "Ước lượng".to_owned(),
                "KTC 95%".to_owned(),
                "n".to_owned(),
            ],
        );
        for headline in &self.input.template.headlines {
            let groups: HashMap<String, Figure> =
                self.groups(&headline.id, &breakdown.by).into_iter().collect();
            for label in &labels {
                let figure = groups.get(label).cloned().unwrap_or_else(Figure::absent);
                table.push(vec![
                    Cell::text(&headline.short),
                    Cell::text(label),
                    Cell::Share(figure.clone()),
                    Cell::ShareInterval(figure.clone()),
                    Cell::Base(figure),
                ]);
            }
        }
        self.dress(table)
    }

    fn dress(&self, table: SafeTable) -> SafeTable {
        table.note(self.source_line()).note(self.input.label.clone().unwrap_or_default())
    }
}

/// The SVG of a chart for a page.
pub fn svg(chart: &dyn Chart) -> String {
    chart.svg(Width::Page)
}
