//! Gated figures dressed for readers: charts, tables and statements of an assessment, in the template's words.

use std::collections::HashMap;

use analysis::charts::{
    Caption, DotInterval, DotRow, Funnel, Histogram, Likert, LikertRow, Order, Pyramid, PyramidBand, Stage,
    Unit, numerals,
};
use analysis::disclosure::{Cell, Figure, Rules, SafeBins, SafeRow, SafeTable};
use analysis::estimation::DesignSummary;
use analysis::report::{self, Authority, Statement};
use analysis::table::Table;
use anyhow::anyhow;

use super::pictures::finding;
use super::{Input, interviewers, priority_column};
use crate::fieldwork::dispositions::{Disposition, Outcomes};
use crate::jobs::template::{Battery, Breakdown, Headline};

/// Looks up gated figures and dresses them.
pub(super) struct View<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) safe: &'a [SafeRow],
    pub(super) probability: bool,
}

impl View<'_> {
    pub(super) fn row(&self, id: &str) -> anyhow::Result<&SafeRow> {
        self.safe.iter().find(|row| row.id() == id && row.group().is_empty()).ok_or_else(|| {
            anyhow!("the analysis plan has no request `{id}`, which the report's template names")
        })
    }

    pub(super) fn figure(&self, id: &str) -> Figure {
        self.row(id).map_or_else(|_| Figure::absent(), |row| row.figure().clone())
    }

    /// The large areas of a headline: code and figure, in their official order.
    pub(super) fn area_figures(&self, id: &str) -> Vec<(String, Figure)> {
        self.figures_by(id, "area_large")
    }

    /// The groups of a headline: label and figure, areas in their official order.
    pub(super) fn groups(&self, id: &str, by: &str) -> Vec<(String, Figure)> {
        let found = self.figures_by(id, by).into_iter();
        found.map(|(code, figure)| (self.group_label(&code), figure)).collect()
    }

    fn figures_by(&self, id: &str, by: &str) -> Vec<(String, Figure)> {
        let request = format!("{id}_by_{by}");
        let mut found: Vec<(String, Figure)> = self
            .safe
            .iter()
            .filter(|row| row.id() == request)
            .filter_map(|row| Some((row.group().get(by)?.clone(), row.figure().clone())))
            .collect();
        found.sort_by_key(|(code, _)| self.input.areas.iter().position(|(area, _)| area == code));
        found
    }

    pub(super) fn group_label(&self, code: &str) -> String {
        let name = self.input.areas.iter().find(|(area, _)| area == code).map(|(_, name)| name.clone());
        name.unwrap_or_else(|| if code == "khác" { "Dân tộc khác".to_owned() } else { code.to_owned() })
    }

    pub(super) fn breakdown(&self, by: &str) -> anyhow::Result<&Breakdown> {
        let found = self.input.template.breakdowns.iter().find(|b| b.by == by);
        found.ok_or_else(|| anyhow!("the report's template has no breakdown `{by}`"))
    }

    pub(super) fn headline(&self, id: &str) -> anyhow::Result<&Headline> {
        let found = self.input.template.headlines.iter().find(|h| h.id == id);
        found.ok_or_else(|| anyhow!("the report's template has no headline `{id}`"))
    }

    pub(super) fn caption(&self, title: String, subtitle: String, n: Option<usize>) -> Caption {
        let source = match n {
            Some(n) => self.source(n),
            None => self.source_line(),
        };
        Caption { title, subtitle, source, synthetic: self.input.label.clone() }
    }

    fn source_line(&self) -> String {
        format!("Nguồn: khảo sát nắm tình hình Nhân dân {}", self.input.template.year)
    }

    pub(super) fn source(&self, n: usize) -> String {
        let sample = if self.probability {
            "mẫu xác suất hai giai đoạn, có trọng số; khoảng tin cậy 95%"
        } else {
            "không phải mẫu xác suất, không có sai số chọn mẫu"
        };
        format!("{}; {sample}; n\u{a0}=\u{a0}{}", self.source_line(), numerals::whole(n as u64))
    }

    pub(super) fn headline_chart(&self) -> DotInterval {
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

    pub(super) fn dots(&self, id: &str, breakdown: &Breakdown) -> anyhow::Result<DotInterval> {
        let headline = self.headline(id)?;
        let overall = self.figure(id);
        let rows: Vec<DotRow> = self
            .groups(id, &breakdown.by)
            .into_iter()
            .map(|(label, figure)| DotRow { label, figure, truth: None })
            .collect();
        let finding = finding(&overall, rows.iter().map(|row| &row.figure));
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

    pub(super) fn likert(&self, battery: &Battery) -> Likert {
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

    pub(super) fn funnel(&self, counts: &Outcomes) -> Funnel {
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
            .filter(|_| self.probability)
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

    pub(super) fn weights(&self, rules: &Rules) -> anyhow::Result<Histogram> {
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

    pub(super) fn pyramid(&self, shape: &[SafeRow]) -> anyhow::Result<Pyramid> {
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

    pub(super) fn statement(&self, id: &str, change: Option<report::Change>) -> anyhow::Result<Statement> {
        let headline = self.headline(id)?;
        Ok(Statement {
            subject: headline.subject.clone(),
            figure: self.row(id)?.figure().clone(),
            change,
            areas: self.groups(id, "area_large"),
            higher_is_better: headline.higher_is_better,
        })
    }

    pub(super) fn fieldwork(&self, unweighted: &Outcomes, weighted: &Outcomes) -> report::Fieldwork {
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

    /// Matters by competent authority, most named first; what the gate holds back stands last.
    pub(super) fn priorities(&self) -> Vec<Authority> {
        let Some(priorities) = &self.input.template.priorities else { return Vec::new() };
        let list = priorities.columns.first().map_or("", String::as_str);
        let matter = |code: &String| {
            let label = self.input.codebook.value_label(list, code, "vi").to_owned();
            (label, self.figure(&priority_column(code)))
        };
        priorities
            .authorities
            .iter()
            .map(|(name, codes)| {
                let mut matters: Vec<(String, Figure)> = codes.iter().map(matter).collect();
                matters.sort_by(|a, b| {
                    let share = |figure: &Figure| figure.estimate().unwrap_or(-1.0);
                    share(&b.1).total_cmp(&share(&a.1))
                });
                Authority { name: name.clone(), matters }
            })
            .collect()
    }

    /// What became of the last recommendations, as the register was typed in.
    pub(super) fn recommendations(&self) -> Vec<String> {
        let Some(typed) = &self.input.template.recommendations else { return Vec::new() };
        let mut told = vec![format!(
            "Kiến nghị {}: {} kiến nghị, đã trả lời {}, quá hạn {}.",
            typed.of, typed.made, typed.answered, typed.overdue
        )];
        told.extend(typed.indicators.iter().map(|(name, value)| format!("{name}: {value} (mục tiêu 100%).")));
        told
    }

    pub(super) fn decisions(&self) -> Vec<String> {
        let line = |decision: &crate::jobs::template::Decision| {
            format!("{} – {}, trước {}", decision.what, decision.owner, decision.by)
        };
        self.input.template.decisions.iter().map(line).collect()
    }

    /// AAPOR's items: what the template says, then what the program knows.
    pub(super) fn transparency(
        &self,
        counts: &Outcomes,
        design: &DesignSummary,
        rules: &Rules,
    ) -> anyhow::Result<Vec<(String, String)>> {
        let template = self.input.template;
        let mut items: Vec<(String, String)> =
            template.transparency.iter().map(|(item, text)| (item.clone(), text.clone())).collect();
        let mut add = |item: &str, text: String| items.push((item.to_owned(), text));
        add("Đối tượng", template.population.clone());
        add("Thời gian phỏng vấn", template.period.clone());
        add(
            "Cỡ mẫu",
            format!(
                "{} phiếu hoàn thành trên {} trường hợp, tại {} thôn, tổ dân phố",
                numerals::whole(design.n as u64),
                numerals::whole(self.input.records.len() as u64),
                numerals::whole(self.input.villages)
            ),
        );
        if self.probability {
            let rates = counts.rates();
            let rate = |rate: Option<f64>| rate.map_or("–".to_owned(), |rate| numerals::percent(rate, 1));
            add(
                "Tỷ lệ trả lời, hợp tác, từ chối, liên hệ được (AAPOR)",
                format!(
                    "RR1 {}; RR3 {}; COOP1 {}; REF1 {}; CON1 {}",
                    rate(rates.rr1),
                    rate(rates.rr3),
                    rate(rates.coop1),
                    rate(rates.ref1),
                    rate(rates.con1)
                ),
            );
            let widest = template
                .headlines
                .iter()
                .filter_map(|h| self.figure(&h.id).interval())
                .map(|(low, high)| (high - low) / 2.0)
                .fold(0.0, f64::max);
            add(
                "Sai số chọn mẫu",
                format!(
                    "Các chỉ tiêu chính: tối đa ±{} điểm phần trăm ở mức tin cậy 95%, đã kể đến thiết kế mẫu và \
                     quyền số; chưa kể sai số do không trả lời, do đo lường",
                    numerals::decimal(widest * 100.0, 1)
                ),
            );
        } else {
            add("Sai số chọn mẫu", report::NOT_A_PROBABILITY_SAMPLE.to_owned());
        }
        let diagnosis = &self.input.weighted.diagnosis;
        add(
            "Quyền số",
            format!(
                "Phương sai tăng {} lần do quyền số không đều (Kish); cỡ mẫu hiệu quả {}",
                numerals::decimal(diagnosis.kish_effect, 2),
                numerals::decimal(diagnosis.effective_n, 0)
            ),
        );
        add("Ảnh hưởng của điều tra viên", interviewers::effects(self.input, rules)?);
        add("Lời hỏi", "Xem phụ lục phiếu hỏi".to_owned());
        Ok(items)
    }

    /// Analysed questions in the form's order, with their choices.
    pub(super) fn questionnaire(&self) -> Vec<(String, String)> {
        let book = &self.input.codebook;
        crate::jobs::analysis_file::questions(book)
            .into_iter()
            .filter_map(|name| book.variables.get(name))
            .map(|variable| {
                let choices: Vec<String> = variable
                    .values
                    .iter()
                    .map(|v| format!("{} {}", v.code, book.value_label(&variable.name, &v.code, "vi")))
                    .collect();
                let choices = if choices.is_empty() { "(ghi số)".to_owned() } else { choices.join("; ") };
                (book.label(&variable.name, "vi").replace("**", ""), choices)
            })
            .collect()
    }

    /// What headlines and areas are called, for tables of several waves.
    pub(super) fn names(&self) -> Names {
        Names {
            headlines: self
                .input
                .template
                .headlines
                .iter()
                .map(|h| (h.id.clone(), h.short.clone()))
                .collect(),
            areas: self.input.areas.to_vec(),
        }
    }

    pub(super) fn headline_table(&self) -> SafeTable {
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

    pub(super) fn breakdown_table(&self, breakdown: &Breakdown) -> SafeTable {
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
        report::plain(table, self.probability)
            .note(self.source_line())
            .note(self.input.label.clone().unwrap_or_default())
    }
}

/// Names for readers by id and code.
pub(super) struct Names {
    pub(super) headlines: Vec<(String, String)>,
    pub(super) areas: Vec<(String, String)>,
}

impl Names {
    pub(super) fn headline<'a>(&'a self, id: &'a str) -> &'a str {
        self.headlines.iter().find(|(known, _)| known == id).map_or(id, |(_, name)| name)
    }

    pub(super) fn area<'a>(&'a self, code: &'a str) -> &'a str {
        self.areas.iter().find(|(known, _)| known == code).map_or(code, |(_, name)| name)
    }
}
