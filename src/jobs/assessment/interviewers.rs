//! How much more alike answers to one interviewer are: one number a battery, never one of an interviewer.

use std::collections::BTreeSet;

use analysis::charts::numerals;
use analysis::disclosure::{Rules, gate};
use analysis::estimation::{self, Plan};
use analysis::table::{Column, Table};
use anyhow::Context;
use indexmap::IndexMap;
use serde_json::json;

use super::{Input, scale_of};
use crate::jobs::analysis_file::CaseRecord;
use crate::jobs::template::Battery;

/// With fewer interviewers the number would tell about one of them.
const FEWEST: usize = 5;
/// The battery's mean over its items.
const INDEX: &str = "battery";

/// A line for the annex on method.
pub(super) fn effects(input: &Input<'_>, rules: &Rules) -> anyhow::Result<String> {
    let answered: Vec<(&CaseRecord, &IndexMap<String, String>)> =
        input.records.iter().filter_map(|r| Some((r, r.answers.as_ref()?))).collect();
    let known: BTreeSet<&String> = answered.iter().filter_map(|(r, _)| r.enumerator.as_ref()).collect();
    if known.is_empty() {
        return Ok("Chưa tính: tệp phân tích không ghi mã điều tra viên".to_owned());
    }
    if known.len() < FEWEST {
        return Ok(format!("Chưa tính: có dưới {FEWEST} điều tra viên, số này sẽ nói về từng người"));
    }
    let mut told = Vec::new();
    for battery in input.template.sections.iter().flat_map(|section| &section.likert) {
        told.push(format!("{}: {}", battery.name, of_battery(input, rules, battery, &answered)?));
    }
    if told.is_empty() {
        return Ok("Chưa tính: mẫu báo cáo không có nhóm câu hỏi cùng thang".to_owned());
    }
    Ok(format!(
        "Hệ số tương quan trong cùng điều tra viên, so trong cùng địa bàn, không trọng số, KTC 95% (0: không có ảnh \
         hưởng; gồm cả khác biệt giữa các thôn mà họ phụ trách). {}",
        told.join("; ")
    ))
}

fn of_battery(
    input: &Input<'_>,
    rules: &Rules,
    battery: &Battery,
    answered: &[(&CaseRecord, &IndexMap<String, String>)],
) -> anyhow::Result<String> {
    let items: Vec<&String> = battery.items.keys().collect();
    let mut highest = 1;
    for item in &items {
        highest = highest.max(scale_of(&input.codebook, item)?.0.len());
    }
    let text = |of: &dyn Fn(&CaseRecord) -> Option<String>| {
        let texts: Vec<Option<String>> = answered.iter().map(|(record, _)| of(record)).collect();
        Column::from_texts(texts.iter().map(Option::as_deref))
    };
    let mut table = Table::from_columns([
        ("area", text(&|r| Some(r.area.clone()))),
        ("stratum", text(&|r| Some(r.variance_stratum.clone()))),
        ("psu", text(&|r| Some(r.variance_psu.clone()))),
        ("enumerator", text(&|r| r.enumerator.clone())),
        ("each", Column::Number(vec![1.0; answered.len()])),
    ])?;
    for item in &items {
        let codes = scale_of(&input.codebook, item)?.0;
        // The place on the scale, whatever the codes are.
        let place = |answers: &IndexMap<String, String>| {
            let at = codes.iter().position(|code| Some(code) == answers.get(*item));
            at.map_or(f64::NAN, |at| at as f64 + 1.0)
        };
        table.push(
            item.as_str(),
            Column::Number(answered.iter().map(|(_, answers)| place(answers)).collect()),
        )?;
    }
    let plan: Plan = serde_json::from_value(json!({
        "indices": { INDEX: { "items": items, "scale": [1, highest] } },
        "design": { "clusters": ["psu"], "strata": ["stratum"], "weights": "each", "single_psu": "adjust" },
        "requests": [{
            "id": INDEX, "statistic": "icc", "of": [INDEX], "groups": "enumerator", "within": ["area"], "missing": "drop"
        }]
    }))?;
    let results = match estimation::estimate(&table, &plan) {
        Ok(results) => results,
        Err(estimation::EstimationError::Workloads) => {
            return Ok("chưa tính được vì mỗi địa bàn chỉ có một điều tra viên".to_owned());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("interviewer effects of `{}`", battery.file));
        }
    };
    let safe = gate(&results.results, rules)?;
    let figure = safe.first().map(|row| row.figure());
    Ok(match figure.and_then(|figure| Some((figure.estimate()?, figure.interval()))) {
        Some((rho, Some((low, high)))) => {
            let [rho, low, high] = [rho, low, high].map(|value| numerals::decimal(value, 3));
            format!("{rho} ({low} đến {high})")
        }
        Some((rho, None)) => format!("{} (không tính được khoảng tin cậy)", numerals::decimal(rho, 3)),
        None => "không công bố vì ít phiếu hoặc ít thôn".to_owned(),
    })
}
