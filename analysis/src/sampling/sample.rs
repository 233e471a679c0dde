//! The rows of a sample and the table they make.

use super::document::StratumSummary;
use super::frame::Frame;
use super::plan::Plan;
use super::problem::SamplingError;
use crate::table::{Column, Table};

/// One drawn unit of the last stage.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Position of the stratum.
    pub stratum: usize,
    pub frame_row: usize,
    /// Names of the units down to here, first stage first.
    pub units: Vec<String>,
    /// Number of the unit where the frame does not list it.
    pub serial: Option<u64>,
    /// The segment that was drawn of a unit that was divided at listing.
    pub segment: Option<Segment>,
    /// By stage, from 1.
    pub order: Vec<usize>,
    /// By stage: conditional inclusion probability of the main take.
    pub p: Vec<f64>,
    /// Of the main take at every stage.
    pub main: bool,
}

impl Row {
    pub(super) fn first(
        stratum: usize,
        frame_row: usize,
        psu: &str,
        order: usize,
        p: f64,
        main: bool,
    ) -> Self {
        Self {
            stratum,
            frame_row,
            units: vec![psu.into()],
            serial: None,
            segment: None,
            order: vec![order],
            p: vec![p],
            main,
        }
    }

    pub(super) fn below(&self, name: &str, order: usize, p: f64, main: bool) -> Self {
        let mut row = self.clone();
        row.units.push(name.into());
        row.order.push(order);
        row.p.push(p);
        row.main &= main;
        row
    }

    /// The units down to here as one name.
    pub(super) fn path(&self) -> String {
        self.units.join("/")
    }

    /// Inclusion probability over all stages.
    fn probability(&self) -> f64 {
        self.p.iter().product::<f64>() * self.segment.as_ref().map_or(1.0, |segment| segment.p)
    }

    /// Drawn with certainty at the first stage: a stratum of its own.
    fn certain(&self) -> bool {
        self.p[0] >= 1.0
    }
}

/// A part of a unit, drawn with the conditional probability `p`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    pub name: String,
    pub p: f64,
}

/// The table that `sample draw` writes: the frame's columns, serial numbers, then the design's columns.
pub(super) fn sample_table(
    frame: &Frame,
    plan: &Plan,
    strata: &[StratumSummary],
    rows: &[Row],
    warnings: &mut Vec<String>,
) -> Result<Table, SamplingError> {
    let mut made: Vec<(String, Column)> = Vec::new();
    for stage in plan.stages.iter().filter(|s| s.of.is_some()) {
        let serials = rows.iter().map(|r| r.serial.map_or(f64::NAN, |n| n as f64)).collect();
        made.push((stage.unit.clone(), Column::Number(serials)));
    }
    let name = |row: &Row| strata[row.stratum].stratum.as_str();
    made.push(("stratum".into(), Column::from_texts(rows.iter().map(|r| Some(name(r))))));
    let number = |f: &dyn Fn(&Row) -> f64| Column::Number(rows.iter().map(f).collect());
    for k in 0..plan.stages.len() {
        made.push((format!("order_{}", k + 1), number(&|r| r.order[k] as f64)));
        made.push((format!("p_{}", k + 1), number(&|r| r.p[k])));
        made.push((format!("certainty_{}", k + 1), number(&|r| f64::from(u8::from(r.p[k] >= 1.0)))));
    }
    if rows.iter().any(|r| r.segment.is_some()) {
        let names = rows.iter().map(|r| r.segment.as_ref().map(|segment| segment.name.as_str()));
        made.push(("segment".into(), Column::from_texts(names)));
        made.push(("p_segment".into(), number(&|r| r.segment.as_ref().map_or(1.0, |segment| segment.p))));
    }
    let probability = |r: &Row| if r.main { r.probability() } else { f64::NAN };
    made.push(("probability".into(), number(&probability)));
    made.push(("weight".into(), number(&|r| 1.0 / probability(r))));
    let role = |r: &Row| if r.main { "main" } else { "reserve" };
    made.push(("role".into(), Column::from_texts(rows.iter().map(|r| Some(role(r))))));
    let stratum: Vec<String> = rows
        .iter()
        .map(|r| if r.certain() { format!("{}/{}", name(r), r.units[0]) } else { name(r).to_owned() })
        .collect();
    made.push(("variance_stratum".into(), Column::from_texts(stratum.iter().map(|s| Some(s.as_str())))));
    // Below a certainty unit the next stage's units are the PSUs; a segment is such a unit.
    let psu: Vec<String> = rows
        .iter()
        .map(|r| match &r.segment {
            Some(segment) if r.certain() && r.units.len() == 2 => format!("{}/{}", r.units[0], segment.name),
            _ => {
                let depth = if r.certain() { 2 } else { 1 };
                r.units[..depth.min(r.units.len())].join("/")
            }
        })
        .collect();
    made.push(("variance_psu".into(), Column::from_texts(psu.iter().map(|s| Some(s.as_str())))));

    let wrong =
        |e: crate::table::TableError| SamplingError::one(&frame.file, e.to_string(), "rename the column");
    let places: Vec<usize> = rows.iter().map(|r| r.frame_row).collect();
    let mut sample = Table::default();
    for (name, column) in frame.written.columns() {
        match made.iter().find(|(made, _)| made == name) {
            None => sample.push(name, column.take(&places)).map_err(wrong)?,
            Some((_, new)) => {
                let old = column.take(&places);
                if (0..rows.len()).any(|i| old.text(i) != new.text(i)) {
                    warnings.push(format!(
                        "{}: the column `{name}` gives way to the sample's own `{name}`; rename it to keep it",
                        frame.file
                    ));
                }
            }
        }
    }
    for (name, column) in made {
        sample.push(name, column).map_err(wrong)?;
    }
    Ok(sample)
}
