//! What supervisors decided about cases that field facts flagged, and about interviews that were broken off.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::error::Error;
use super::forms::uuid;
use super::schema::field::case_reviews;
use super::vault::FieldDb;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is in order as it is.
    Accepted,
    /// The enumerator was asked; an answer is awaited.
    Asked,
    /// The dwelling is to be visited again; a corrected interview comes as an edit.
    Revisit,
    /// A partial interview counts as an interview …
    Counts,
    /// … or as broken off.
    DoesNotCount,
}

impl Decision {
    pub const ALL: [Self; 5] = [Self::Accepted, Self::Asked, Self::Revisit, Self::Counts, Self::DoesNotCount];

    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Asked => "asked",
            Self::Revisit => "revisit",
            Self::Counts => "counts",
            Self::DoesNotCount => "does_not_count",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseReview {
    pub case: Uuid,
    pub decision: Decision,
    /// Login of the supervisor.
    pub by: String,
    pub at: DateTime<Utc>,
}

impl FieldDb<'_> {
    /// Keeps a decision; a later one replaces it.
    pub fn keep_case_review(&mut self, project: i64, review: &CaseReview) -> Result<(), Error> {
        let id = review.case.to_string();
        let set = (
            case_reviews::decision.eq(review.decision.name()),
            case_reviews::decided_by.eq(review.by.clone()),
            case_reviews::decided_at.eq(review.at.naive_utc().trunc_subsecs(6)),
        );
        if diesel::update(case_reviews::table.find(&id)).set(set.clone()).execute(self.0)? == 0 {
            let row = (case_reviews::case_id.eq(&id), case_reviews::project.eq(project));
            diesel::insert_into(case_reviews::table).values((row, set)).execute(self.0)?;
        }
        Ok(())
    }

    pub fn list_case_reviews(&mut self, project: i64) -> Result<Vec<CaseReview>, Error> {
        let rows: Vec<(String, String, String, NaiveDateTime)> = case_reviews::table
            .filter(case_reviews::project.eq(project))
            .order((case_reviews::decided_at, case_reviews::case_id))
            .select((
                case_reviews::case_id,
                case_reviews::decision,
                case_reviews::decided_by,
                case_reviews::decided_at,
            ))
            .load(self.0)?;
        rows.into_iter()
            .map(|(id, decision, by, at)| {
                let decision = Decision::from_name(&decision)
                    .ok_or_else(|| Error::contradiction("decision about a case"))?;
                Ok(CaseReview { case: uuid(&id)?, decision, by, at: at.and_utc() })
            })
            .collect()
    }
}
