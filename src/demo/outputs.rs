//! What the demo writes: sample, weights, tables, charts, report, workbook, and the pages that it serves.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, anyhow};
use chrono::NaiveDate;
use surveys::areas::AreaTree;
use surveys::chance::Chance;

use crate::demo::instrument::{self, Instrument};
use crate::demo::population::ITEMS;
use crate::demo::simulation::{Fieldwork, Truth};
use crate::demo::summary;
use crate::demo::tablet::Sent;
use crate::demo::write;
use crate::jobs::analysis_file::{About, AnalysisFile, CaseRecord, shuffle_and_scramble};
use crate::jobs::assessment::{self, Assessment};
use crate::jobs::design;
use crate::jobs::releases::Releases;
use crate::jobs::template::Template;
use crate::jobs::weights::Weighting;

/// Stands on every page and file.
pub const LABEL: &str = "DỮ LIỆU MÔ PHỎNG – chỉ phạm vi tỉnh Hà Giang cũ";

const TEMPLATE: &str = include_str!("../../surveys/instruments/2026/report.json");

/// The documents that the wave is analysed by, as an official gives them.
pub fn design(instrument: &Instrument, truth: &Truth) -> anyhow::Result<design::Files> {
    Ok(design::Files::from([
        (design::FORM, instrument.questionnaire.questionnaire.settings.form_id.clone().into_bytes()),
        (design::PLAN, serde_json::to_vec_pretty(&instrument.analysis)?),
        (design::WEIGHTING, serde_json::to_vec_pretty(&weighting(instrument, truth))?),
        (design::TEMPLATE, TEMPLATE.as_bytes().to_vec()),
        (design::AREAS, serde_json::to_vec_pretty(&former_districts()?)?),
    ]))
}

fn weighting(instrument: &Instrument, truth: &Truth) -> Weighting {
    Weighting { margins: truth.margins.clone(), ..instrument.weighting.clone() }
}

/// What is known of the simulated wave: the label, the true values, the day that it is always taken on.
pub fn about(truth: &Truth, fieldwork: &Fieldwork, project: i64, wave: &str) -> anyhow::Result<About> {
    Ok(About {
        project,
        wave: wave.to_owned(),
        snapshot: 1,
        // The same files have the same bytes on every day.
        taken: NaiveDate::from_ymd_opt(2026, 11, 1).ok_or_else(|| anyhow!("no such day"))?,
        label: Some(LABEL.to_owned()),
        villages: fieldwork.visited.iter().map(|v| v.village).collect::<BTreeSet<_>>().len() as u64,
        areas: former_districts()?,
        truth: ITEMS.iter().zip(&truth.shares).map(|(item, share)| (item.name.to_owned(), *share)).collect(),
        provenance: vec![
            ("Phiếu hỏi, dàn mẫu, kế hoạch".to_owned(), instrument::fingerprint()),
            ("sample.csv".to_owned(), fieldwork.sample.design.sample_sha256.clone()),
        ],
        imported: false,
    })
}

/// The analysis file of simulated records, without a server: what the freeze makes of the vaults.
pub fn analysis_file(
    instrument: &Instrument,
    truth: &Truth,
    fieldwork: &Fieldwork,
    project: i64,
    wave: &str,
    records: Vec<CaseRecord>,
    seed: u64,
) -> anyhow::Result<AnalysisFile> {
    Ok(AnalysisFile {
        about: about(truth, fieldwork, project, wave)?,
        records: shuffle_and_scramble(records, &mut Chance::new(seed, "freeze")),
        questionnaire: ("questionnaire.xlsx".to_owned(), instrument.questionnaire.workbook.to_vec()),
        plan: instrument.analysis.clone(),
        weighting: weighting(instrument, truth),
        template: serde_json::from_str(TEMPLATE).context("report.json")?,
    })
}

/// Assesses the wave and writes all files. Returns the page to print.
pub fn write_all(
    folder: &Path,
    fieldwork: &Fieldwork,
    file: &AnalysisFile,
    releases: &mut Releases,
    sent: Sent,
) -> anyhow::Result<String> {
    let assessment = assessment::assess(file, releases)?;
    for note in fieldwork.sample.write(&folder.join("sample.csv"))? {
        eprintln!("langnghe: {note}");
    }
    write(&folder.join("weights.csv"), assessment.weights.to_csv().as_bytes())?;
    for (name, table) in &assessment.tables {
        write(
            &folder.join("tables").join(format!("{name}.csv")),
            analysis::export::csv(table, Some(LABEL)).as_bytes(),
        )?;
    }
    for (name, chart) in &assessment.charts {
        write(
            &folder.join("charts").join(format!("{name}.svg")),
            assessment::svg(chart.as_ref()).as_bytes(),
        )?;
    }
    write(&folder.join("report.docx"), &assessment.docx)?;
    write(&folder.join("report.html"), assessment.html.as_bytes())?;
    write(&folder.join("tables.xlsx"), &assessment.xlsx)?;
    write(&folder.join("index.html"), index(&file.template, &assessment).as_bytes())?;
    Ok(summary::page(folder, &summary::Facts { file, assessment: &assessment, sent }))
}

/// Codes and names of Hà Giang's former districts, in the office's order.
fn former_districts() -> anyhow::Result<Vec<(String, String)>> {
    let last_day = NaiveDate::from_ymd_opt(2025, 6, 30).ok_or_else(|| anyhow!("no such day"))?;
    let tree = AreaTree::bundled();
    let province = tree
        .find("province", "02", last_day)
        .ok_or_else(|| anyhow!("the former province is not in the area tree"))?;
    let mut districts: Vec<(String, String)> = tree
        .children(province, last_day)
        .into_iter()
        .map(|district| (district.code.clone(), district.full_name.clone()))
        .collect();
    districts.sort();
    Ok(districts)
}

/// The first page of what is served.
fn index(template: &Template, assessment: &Assessment) -> String {
    let charts: String = assessment
        .charts
        .iter()
        .map(|(name, chart)| {
            format!(
                "<figure><a href=\"charts/{name}.svg\"><img src=\"charts/{name}.svg\" alt=\"{}\" loading=\"lazy\"></a><figcaption>{} · <a href=\"tables/{name}.csv\">số liệu</a></figcaption></figure>\n",
                escape(&chart.alternative_text()),
                escape(&chart.caption().title),
            )
        })
        .collect();
    let breakdowns: String = template
        .breakdowns
        .iter()
        .map(|b| {
            format!(
                "<li><a href=\"tables/chi-tieu-theo-{}.csv\">Các chỉ tiêu theo {}</a></li>\n",
                b.file,
                escape(&b.name)
            )
        })
        .collect();
    format!(
        r#"<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lắng Nghe – khảo sát nắm tình hình Nhân dân {year}</title>
<style>
body{{font:1.05rem/1.55 "Be Vietnam Pro","Noto Sans",system-ui,sans-serif;color:#1b2733;background:#f6f7f9;margin:0}}
main{{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 3rem}}
.label{{background:#9a4a00;color:#fff;text-align:center;padding:.45rem 1rem;font-weight:600}}
h1{{font-size:1.7rem;line-height:1.25;margin:.8rem 0 .3rem}} h2{{font-size:1.2rem;margin:2rem 0 .6rem}}
.files{{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.8rem;padding:0;list-style:none}}
.files a{{display:block;background:#fff;border:1px solid #d5dbe1;border-radius:.5rem;padding:.8rem 1rem;text-decoration:none;color:#0b5394;font-weight:600}}
.files small{{display:block;color:#5b646d;font-weight:400}}
.charts{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(27rem,100%),1fr));gap:1rem}}
figure{{margin:0;background:#fff;border:1px solid #d5dbe1;border-radius:.5rem;padding:.6rem}} img{{width:100%;height:auto}}
figcaption{{font-size:.9rem;color:#5b646d}} a:focus-visible{{outline:3px solid #0b5394;outline-offset:2px}}
</style></head><body>
<div class="label" role="note">{label}</div>
<main>
<h1>Khảo sát nắm tình hình Nhân dân năm {year}</h1>
<p>{population}. Không dùng để xếp hạng xã, cán bộ.<br><span lang="en">The annual survey of {year}, simulated; not for ranking communes or officials.</span></p>
<ul class="files">
<li><a href="report.html">Báo cáo năm<small>Đọc trên trình duyệt, in được</small></a></li>
<li><a href="report.docx">Báo cáo năm, DOCX<small>Để sửa và trình ký</small></a></li>
<li><a href="tables.xlsx">Bảng số liệu, XLSX<small>Mỗi bảng một trang tính</small></a></li>
<li><a href="tables/chi-tieu-chinh.csv">Các chỉ tiêu chính, CSV<small>Kèm khoảng tin cậy và n</small></a></li>
</ul>
<h2>Bảng theo nhóm</h2><ul>{breakdowns}</ul>
<h2>Biểu đồ</h2><div class="charts">{charts}</div>
</main></body></html>
"#,
        year = template.year,
        label = escape(LABEL),
        population = escape(&template.population),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
