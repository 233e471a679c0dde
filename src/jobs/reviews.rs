//! Cases that somebody should look at: field facts of finished interviews, and interviews that were broken off; and what a
//! supervisor decides about them.

use std::collections::{BTreeMap, HashMap};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::assignment::name_of;
use super::quality;
use crate::db::{self, Case, CaseReview, CaseStatus, Decision, FieldVault};
use crate::fieldwork::dispositions::{Class, Disposition};
use crate::intake::Receiver;

/// A case to look at.
#[derive(Clone, Debug, Serialize)]
pub struct Flagged {
    pub case: Uuid,
    pub village: String,
    pub household: Option<i64>,
    pub enumerator: String,
    /// Field facts (`too_short`, `overlap`, `night`, `far_away`, `sent_late`), or `partial`.
    pub facts: Vec<&'static str>,
    pub decision: Option<&'static str>,
    pub decided_by: Option<String>,
}

/// Interviews that were broken off wait for a ruling under this name.
const PARTIAL: &str = "partial";

/// All cases that field facts flag, and partial interviews, with what was decided so far.
pub fn flagged(receiver: &Receiver, project: i64, form_id: &str) -> anyhow::Result<Vec<Flagged>> {
    let found = quality::check(receiver, project, form_id)?;
    let (cases, visits, reviews, devices) = receiver.field.read(|db| {
        Ok::<_, db::Error>((
            db.list_cases(project)?,
            db.list_visits(project)?,
            db.list_case_reviews(project)?,
            db.list_app_users(project)?,
        ))
    })?;
    let mut facts: BTreeMap<Uuid, Vec<&'static str>> = BTreeMap::new();
    for fact in found.facts {
        facts.entry(fact.case).or_default().push(fact.fact);
    }
    let last: HashMap<Uuid, String> =
        visits.into_iter().map(|visit| (visit.case, visit.disposition)).collect();
    for (case, disposition) in &last {
        if is_partial(disposition) {
            facts.entry(*case).or_default().push(PARTIAL);
        }
    }
    let names: HashMap<Uuid, String> = devices.iter().map(|device| (device.id, name_of(device))).collect();
    let reviews: HashMap<Uuid, CaseReview> = reviews.into_iter().map(|one| (one.case, one)).collect();
    let of_case = |case: Case| {
        let review = reviews.get(&case.id);
        Some(Flagged {
            facts: facts.remove(&case.id)?,
            enumerator: case.assigned_to.and_then(|id| names.get(&id).cloned()).unwrap_or_default(),
            case: case.id,
            village: case.village,
            household: case.household,
            decision: review.map(|review| review.decision.name()),
            decided_by: review.map(|review| review.by.clone()),
        })
    };
    Ok(cases.into_iter().filter_map(of_case).collect())
}

fn is_partial(disposition: &str) -> bool {
    Disposition::from_code(disposition).is_some_and(|d| d.class() == Class::Partial)
}

/// Keeps a supervisor's decision. `Revisit` opens the case again: the corrected interview comes as an edit, the original
/// is kept. A ruling on a partial interview needs one.
pub fn decide(
    field: &FieldVault,
    project: i64,
    (village, household): (&str, i64),
    decision: Decision,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    field.transaction(|db| {
        let case = db.find_case_of_dwelling(project, village, household)?;
        let case = case.ok_or_else(|| anyhow!("wave {project} has no dwelling {household} in {village}"))?;
        let visits = db.list_visits_of_case(case.id)?;
        let last = visits
            .last()
            .ok_or_else(|| anyhow!("nobody has visited dwelling {household} of {village} yet"))?;
        let rules_partial = matches!(decision, Decision::Counts | Decision::DoesNotCount);
        anyhow::ensure!(
            rules_partial == is_partial(&last.disposition) || !rules_partial,
            "dwelling {household} of {village} has no partial interview; choose accepted, asked or revisit"
        );
        if decision == Decision::Revisit {
            db.set_case_status(case.id, CaseStatus::Open)?;
        }
        let review = CaseReview { case: case.id, decision, by: who.to_owned(), at: now };
        db.keep_case_review(project, &review)?;
        let detail = serde_json::json!({ "project": project, "decision": decision.name() }).to_string();
        db.append_audit(who, "case reviewed", &detail, now)?;
        Ok(())
    })
}
