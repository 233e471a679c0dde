//! Villages that cannot be reached: first postponed, then, if they must be given up, replaced by the reserve that the
//! stratum drew next.

use std::collections::BTreeSet;

use analysis::table::Table;
use anyhow::{Context, anyhow};
use chrono::{DateTime, NaiveDate, Utc};

use super::cases::{SampleColumns, Sampling, cases_of_reserve, design_of};
use crate::db::{self, Case, CaseRole, CaseStatus, FieldVault, Village, VillageState};

fn find(villages: &[Village], name: &str, stratum: &str) -> Village {
    let known = villages.iter().find(|village| village.village == name).cloned();
    known.unwrap_or_else(|| Village {
        village: name.to_owned(),
        stratum: stratum.to_owned(),
        state: VillageState::Open,
        drawn_order: None,
    })
}

fn of_village(field: &FieldVault, project: i64, name: &str) -> anyhow::Result<(Vec<Village>, Vec<Case>)> {
    let (villages, cases) =
        field.read(|db| Ok::<_, db::Error>((db.list_villages(project)?, db.list_cases(project)?)))?;
    anyhow::ensure!(
        cases.iter().any(|case| case.village == name),
        "wave {project} has no case in a village `{name}`; see `langnghe fieldwork teams {project}`"
    );
    Ok((villages, cases))
}

/// Puts a village off until a day: its cases stand on no device until then.
pub fn postpone(
    field: &FieldVault,
    project: i64,
    name: &str,
    (until, reason): (NaiveDate, &str),
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    anyhow::ensure!(!reason.trim().is_empty(), "say why with --reason; the report of the fieldwork names it");
    anyhow::ensure!(until > crate::intake::day_of(now), "{until} is not to come; name a later day");
    let (villages, cases) = of_village(field, project, name)?;
    let stratum = cases.iter().find(|case| case.village == name).map(|case| case.stratum.clone());
    let mut village = find(&villages, name, &stratum.unwrap_or_default());
    if let VillageState::Replaced { by, .. } = &village.state {
        anyhow::bail!("village {name} was replaced by {by}");
    }
    village.state = VillageState::Postponed { until, reason: reason.trim().to_owned() };
    keep(field, project, &village, "village postponed", who, now)
}

/// The village can be reached again.
pub fn reopen(
    field: &FieldVault,
    project: i64,
    name: &str,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (villages, _) = of_village(field, project, name)?;
    let mut village = find(&villages, name, "");
    anyhow::ensure!(
        matches!(village.state, VillageState::Postponed { .. }),
        "village {name} is not postponed; nothing was changed"
    );
    village.state = VillageState::Open;
    keep(field, project, &village, "village open again", who, now)
}

fn keep(
    field: &FieldVault,
    project: i64,
    village: &Village,
    kind: &str,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    field.transaction(|db| {
        db.keep_village(project, village)?;
        db.append_audit(who, kind, &serde_json::json!({ "project": project }).to_string(), now)?;
        Ok::<_, db::Error>(())
    })?;
    Ok(())
}

/// The drawn sample and the frame it comes from, with the reserve village's dwellings.
pub struct Redrawn<'a> {
    pub sample: &'a Table,
    pub frame: &'a Table,
    pub columns: &'a SampleColumns,
}

/// Gives a postponed village up for the reserve that its stratum drew next, and makes the reserve's cases from the sample
/// that was drawn with its listing. Answers the reserve's name.
///
/// A reserve village adds to the take of its stratum, as a reserve dwelling adds to that of its village: the cases of the
/// lost village stay in every response rate, and the probabilities of the stratum are multiplied by
/// (villages + 1) / villages.
///
/// Errors: a village that was not postponed first, one with interviews, one drawn with certainty, a stratum without
/// reserve, a sample without the reserve's dwellings.
pub fn replace(
    field: &FieldVault,
    project: i64,
    name: &str,
    redrawn: &Redrawn<'_>,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let (villages, cases) = of_village(field, project, name)?;
    let lost: Vec<&Case> = cases.iter().filter(|case| case.village == name).collect();
    let mut village = find(&villages, name, "");
    let VillageState::Postponed { reason, .. } = village.state.clone() else {
        anyhow::bail!(
            "village {name} is not postponed; a village is first put off with `langnghe fieldwork postpone`, then replaced"
        )
    };
    anyhow::ensure!(
        lost.iter().all(|case| case.status != CaseStatus::Complete),
        "village {name} has interviews already; it stays in the sample, and its open cases end as not reached"
    );
    let first = lost.first().ok_or_else(|| anyhow!("village {name} has no cases"))?;
    let design = design_of(first)?;
    anyhow::ensure!(
        first.probability_1 < 1.0,
        "village {name} was drawn with certainty: nothing can stand for it; its cases end as not reached"
    );
    let next = villages
        .iter()
        .filter(|village| village.state == VillageState::Reserve && village.stratum == first.stratum)
        .min_by_key(|village| (village.drawn_order, &village.village))
        .ok_or_else(|| anyhow!("stratum {} has no reserve village left", first.stratum))?
        .clone();
    let main = lost.iter().filter(|case| case.role == CaseRole::Main).count();
    let new = cases_of_reserve(redrawn.sample, redrawn.frame, redrawn.columns, &next.village, main)
        .with_context(|| {
            format!(
                "the next reserve of the stratum is village {}; list it, and draw with `langnghe sample draw PLAN --stage 2 \
                 --listing F`",
                next.village
            )
        })?;
    // The villages that share the stratum by chance; certainty villages are strata of their own.
    let shares: Vec<&Case> = cases
        .iter()
        .filter(|case| design_of(case).is_ok_and(|other| other.variance_stratum == design.variance_stratum))
        .collect();
    let taken = shares.iter().map(|case| case.village.as_str()).collect::<BTreeSet<_>>().len();
    let more = (taken + 1) as f64 / taken as f64;
    village.state = VillageState::Replaced { by: next.village.clone(), reason };
    let reserve = Village { state: VillageState::Open, ..next.clone() };
    let detail = serde_json::json!({ "project": project, "cases": new.len() });
    field.transaction(|db| -> anyhow::Result<()> {
        db.keep_village(project, &village)?;
        db.keep_village(project, &reserve)?;
        for case in lost.iter().filter(|case| case.status == CaseStatus::Open) {
            db.set_case_status(case.id, CaseStatus::Ended)?;
        }
        for case in &shares {
            let mut sampling: Sampling = serde_json::from_str(&case.sampling)?;
            sampling.design.before = (sampling.design.before * more).min(1.0);
            let text = serde_json::to_string(&sampling)?;
            db.set_case_sampling(case.id, sampling.design.before, &text)?;
        }
        let scaled = new.into_iter().map(|mut case| {
            let mut sampling: Sampling = serde_json::from_str(&case.sampling)?;
            sampling.design.before = (sampling.design.before * more).min(1.0);
            case.probability_1 = sampling.design.before;
            case.sampling = serde_json::to_string(&sampling)?;
            anyhow::Ok(case)
        });
        let scaled = scaled.collect::<anyhow::Result<Vec<_>>>()?;
        db.create_cases(project, scaled)?;
        db.append_audit(who, "village replaced", &detail.to_string(), now)?;
        Ok(())
    })?;
    Ok(next.village)
}
