//! Reads how far a wave is and hands it to the rules; counts of cases only.

use std::collections::HashMap;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::assignment::name_of;
use super::cases::{design_of, released};
use crate::db::{self, CaseRole, CaseStatus, FieldVault, VillageState, Visit};
use crate::fieldwork::dispositions::Disposition;
use crate::fieldwork::progress::{Case, Progress, Standing, Villages, progress};
use crate::intake::day_of;

/// The progress of a wave; with `areas` of the cases in these alone (area or commune codes), for whoever is in charge of
/// no more.
pub fn of_wave(
    field: &FieldVault,
    project: i64,
    is_seen: impl Fn(&db::Case) -> bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Progress> {
    let (rules, cases, visits, devices, villages) = field.read(|db| {
        Ok::<_, db::Error>((
            db.fieldwork_rules(project)?,
            db.list_cases(project)?,
            db.list_visits(project)?,
            db.list_app_users(project)?,
            db.list_villages(project)?,
        ))
    })?;
    let released = released(&cases);
    // By attempt: the last one stands.
    let last: HashMap<Uuid, Visit> = visits.into_iter().map(|visit| (visit.case, visit)).collect();
    let names: HashMap<Uuid, String> = devices.iter().map(|device| (device.id, name_of(device))).collect();
    let seen: Vec<db::Case> = cases.into_iter().filter(|case| is_seen(case)).collect();
    let told = seen
        .iter()
        .map(|case| {
            let visit = last.get(&case.id);
            let design = design_of(case)?;
            let disposition = visit.map(|visit| {
                Disposition::from_code(&visit.disposition)
                    .ok_or_else(|| anyhow!("the disposition `{}` is unknown", visit.disposition))
            });
            let standing = match case.status {
                CaseStatus::Waiting => Standing::Waiting,
                CaseStatus::Open => Standing::Open,
                // Ended from the office, in a village that was given up: nothing is known of the dwelling.
                CaseStatus::Complete | CaseStatus::Ended => {
                    Standing::Ended(disposition.transpose()?.unwrap_or(Disposition::UnknownHousehold))
                }
            };
            anyhow::Ok(Case {
                probability: design.probability(released.get(&case.village).copied().unwrap_or_default())?,
                stratum: design.stratum,
                area: case.district.clone(),
                village: case.village.clone(),
                enumerator: case.assigned_to.and_then(|id| names.get(&id).cloned()),
                is_main: case.role == CaseRole::Main,
                standing,
                is_begun: visit.is_some(),
                last_day: visit.map(|visit| day_of(visit.visited_at)),
                variance_stratum: design.variance_stratum,
                variance_psu: design.variance_psu,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let is_here = |name: &str| seen.iter().any(|case| case.village == name);
    let count = |wanted: fn(&VillageState) -> bool| {
        villages.iter().filter(|village| wanted(&village.state) && is_here(&village.village)).count() as u64
    };
    let villages = Villages {
        replaced: count(|state| matches!(state, VillageState::Replaced { .. })),
        postponed: count(|state| matches!(state, VillageState::Postponed { .. })),
    };
    Ok(progress(&told, villages, &rules, day_of(now)))
}
