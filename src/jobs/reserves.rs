//! Releases reserves in their hidden order, and tells a device its cases: those to visit, and the reserves behind codes.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::anyhow;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::assignment::name_of;
use crate::db::{self, AppUser, Case, CaseRole, CaseStatus, FieldDb, FieldVault, VillageState, Visit};
use crate::fieldwork::release_codes::{self, Lock};
use crate::fieldwork::reserves;
use crate::fieldwork::rules::{ReleasedBy, Rules};
use crate::fieldwork::visits::{self, Attempt};
use crate::intake::day_of;
use crate::keys::WaveKey;

/// What a supervisor asks for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// As many as the rule gives, in every village.
    ByRule,
    /// So many in one village, whatever the rule says.
    In { village: &'a str, count: usize },
}

/// A reserve that is to be visited from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Released {
    pub village: String,
    /// Place among the reserves of the village, from 1.
    pub place: usize,
    pub household: Option<i64>,
    pub enumerator: Option<String>,
    /// For the enumerator who has no network: typed on the tablet it shows the dwelling.
    pub code: String,
}

/// The code of a reserve.
fn code_of(key: &WaveKey, case: &Case) -> String {
    release_codes::code(&key.name("release code", &[case.id.as_bytes()]))
}

/// The reserves of each village in their order.
fn by_village(cases: &[Case]) -> BTreeMap<&str, Vec<&Case>> {
    let mut villages: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.role == CaseRole::Reserve) {
        villages.entry(&case.village).or_default().push(case);
    }
    villages
        .values_mut()
        .for_each(|reserves| reserves.sort_by_key(|case| (case.drawn_order, case.household)));
    villages
}

/// Releases reserves; answers those of this call.
///
/// Errors: a village without reserves, or with fewer than were asked for.
pub fn release(
    field: &FieldVault,
    key: &WaveKey,
    project: i64,
    asked: Asked<'_>,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Released>> {
    field.transaction(|db| {
        // Read where it is written, so that two supervisors do not release the same place twice.
        let cases = db.list_cases(project)?;
        let devices = db.list_app_users(project)?;
        let out: HashSet<String> = db
            .list_villages(project)?
            .into_iter()
            .filter(|village| {
                matches!(village.state, VillageState::Replaced { .. } | VillageState::Postponed { .. })
            })
            .map(|village| village.village)
            .collect();
        let mut released = Vec::new();
        for (village, places) in by_village(&cases) {
            let waiting: Vec<(usize, &Case)> = (1..)
                .zip(places.iter().copied())
                .filter(|(_, case)| case.status == CaseStatus::Waiting)
                .collect();
            let count = match asked {
                Asked::In { village: only, count } if only == village => {
                    anyhow::ensure!(
                        count <= waiting.len(),
                        "village {village} has {} reserves left, not {count}",
                        waiting.len()
                    );
                    count
                }
                Asked::In { .. } => 0,
                Asked::ByRule if out.contains(village) => 0,
                Asked::ByRule => {
                    let of_village = cases.iter().filter(|case| case.village == village);
                    let lost = of_village.filter(|case| case.status == CaseStatus::Ended).count();
                    let so_far = places.len() - waiting.len();
                    reserves::to_release(lost.saturating_sub(so_far), waiting.len())
                }
            };
            for (place, case) in waiting.into_iter().take(count) {
                db.set_case_status(case.id, CaseStatus::Open)?;
                let device = devices.iter().find(|device| Some(device.id) == case.assigned_to);
                released.push(Released {
                    village: village.to_owned(),
                    place,
                    household: case.household,
                    enumerator: device.map(name_of),
                    code: code_of(key, case),
                });
            }
        }
        if let Asked::In { village, count } = asked
            && released.len() < count
        {
            return Err(anyhow!("wave {project} has no village `{village}` with reserves"));
        }
        if !released.is_empty() {
            let by = matches!(asked, Asked::ByRule);
            let detail = serde_json::json!({ "project": project, "reserves": released.len(), "by_rule": by });
            db.append_audit(who, "reserves released", &detail.to_string(), now)?;
        }
        Ok(released)
    })
}

/// A case as its device sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceCase {
    pub id: Uuid,
    pub village: String,
    pub commune: String,
    pub household: Option<i64>,
    /// Number of the next visit.
    pub attempt: i64,
    /// The next visit is to be on another day than this one.
    pub not_on: Option<NaiveDate>,
    pub interpreter: Option<String>,
}

/// A reserve that a device may come to visit. `household` where the tablet may release by the rule itself, else behind
/// its code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HiddenReserve {
    pub id: Uuid,
    pub village: String,
    /// Place among this device's reserves of the village, from 1: they are taken in this order.
    pub place: usize,
    pub household: Option<i64>,
    pub lock: Option<Lock>,
}

/// What a device gets to know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceCases {
    /// Attempts and days of the visit rule.
    pub attempts: u32,
    pub days: u32,
    pub cases: Vec<DeviceCase>,
    pub reserves: Vec<HiddenReserve>,
}

/// The open cases of one device, and nobody else's. Villages that are postponed or given up are left out.
pub fn cases_of_device(
    db: &mut FieldDb<'_>,
    device: &AppUser,
    today: NaiveDate,
) -> Result<(Rules, Vec<DeviceCase>), db::Error> {
    let rules = db.fieldwork_rules(device.project)?;
    let out: HashSet<String> = db
        .list_villages(device.project)?
        .into_iter()
        .filter(|village| match village.state {
            VillageState::Postponed { until, .. } => until > today,
            VillageState::Replaced { .. } => true,
            VillageState::Reserve | VillageState::Open => false,
        })
        .map(|village| village.village)
        .collect();
    let interpreters: HashMap<String, String> = db
        .list_teams(device.project)?
        .into_iter()
        .filter_map(|team| Some((team.village, team.interpreter?)))
        .collect();
    let open = db.list_open_cases_of(device.id)?;
    let mut told = Vec::with_capacity(open.len());
    for case in open.into_iter().filter(|case| !out.contains(&case.village)) {
        let attempts = attempts(&db.list_visits_of_case(case.id)?);
        let due = visits::due(&rules, &attempts);
        told.push(DeviceCase {
            id: case.id,
            interpreter: interpreters.get(&case.village).cloned(),
            village: case.village,
            commune: case.commune,
            household: case.household,
            attempt: due.attempt,
            not_on: due.not_on,
        });
    }
    // By number, not by drawn order: a released reserve does not stand out.
    told.sort_by(|a, b| (&a.village, a.household).cmp(&(&b.village, b.household)));
    Ok((rules, told))
}

/// The visits of one case as the visit rule reads them.
pub fn attempts(visits: &[Visit]) -> Vec<Attempt> {
    visits.iter().map(|visit| Attempt { number: visit.attempt, day: day_of(visit.visited_at) }).collect()
}

/// The same with the reserves of the device, each behind its code or, where the tablet may release, open.
pub fn of_device(
    field: &FieldVault,
    key: &WaveKey,
    device: &AppUser,
    today: NaiveDate,
) -> Result<DeviceCases, db::Error> {
    let (rules, cases, all) = field.read(|db| {
        let (rules, cases) = cases_of_device(db, device, today)?;
        Ok::<_, db::Error>((rules, cases, db.list_cases(device.project)?))
    })?;
    let mut hidden = Vec::new();
    for (village, places) in by_village(&all) {
        let mine = places.into_iter().filter(|case| case.assigned_to == Some(device.id));
        for (place, case) in (1..).zip(mine) {
            let (CaseStatus::Waiting, Some(household)) = (case.status, case.household) else { continue };
            let is_open = rules.reserves == ReleasedBy::Tablet;
            let lock = || release_codes::lock(&code_of(key, case), &case.id.to_string(), household);
            hidden.push(HiddenReserve {
                id: case.id,
                village: village.to_owned(),
                place,
                household: is_open.then_some(household),
                lock: (!is_open).then(lock),
            });
        }
    }
    Ok(DeviceCases { attempts: rules.attempts, days: rules.days, cases, reserves: hidden })
}
