//! Back-checks: which completed cases another person visits again, and the facts found there, sealed.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::error::Error;
use super::forms::uuid;
use super::schema::field::back_checks;
use super::vault::FieldDb;
use crate::keys::{Purpose, WaveKey};

/// One case that is to be visited again; the facts are the fieldwork rules' own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackCheck {
    pub case: Uuid,
    pub drawn_at: DateTime<Utc>,
    /// `None` until somebody went.
    pub facts: Option<String>,
}

impl FieldDb<'_> {
    pub fn create_back_check(&mut self, project: i64, case: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
        diesel::insert_into(back_checks::table)
            .values((
                back_checks::case_id.eq(case.to_string()),
                back_checks::project.eq(project),
                back_checks::drawn_at.eq(now.naive_utc().trunc_subsecs(6)),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Keeps what was found at a case that was drawn; again replaces it.
    pub fn keep_back_check(
        &mut self,
        project: i64,
        case: Uuid,
        facts: &str,
        now: DateTime<Utc>,
        key: &WaveKey,
    ) -> Result<(), Error> {
        let sealed = key.seal(Purpose::FieldHalf, &place(project, case), facts.as_bytes())?;
        let drawn = back_checks::table
            .filter(back_checks::project.eq(project).and(back_checks::case_id.eq(case.to_string())));
        let set = (back_checks::sealed.eq(sealed), back_checks::done_at.eq(now.naive_utc().trunc_subsecs(6)));
        match diesel::update(drawn).set(set).execute(self.0)? {
            0 => Err(Error::Missing { what: "the back-check of this case".to_owned() }),
            _ => Ok(()),
        }
    }

    /// All back-checks of a wave, the earliest drawn first.
    pub fn list_back_checks(&mut self, project: i64, key: &WaveKey) -> Result<Vec<BackCheck>, Error> {
        let rows: Vec<(String, NaiveDateTime, Option<Vec<u8>>)> = back_checks::table
            .filter(back_checks::project.eq(project))
            .order((back_checks::drawn_at, back_checks::case_id))
            .select((back_checks::case_id, back_checks::drawn_at, back_checks::sealed))
            .load(self.0)?;
        rows.into_iter()
            .map(|(id, drawn_at, sealed)| {
                let case = uuid(&id)?;
                let open = |sealed: Vec<u8>| -> Result<String, Error> {
                    let facts = key.open(Purpose::FieldHalf, &place(project, case), &sealed)?;
                    String::from_utf8(facts).map_err(|_| Error::contradiction("a back-check is no text"))
                };
                Ok(BackCheck { case, drawn_at: drawn_at.and_utc(), facts: sealed.map(open).transpose()? })
            })
            .collect()
    }
}

/// The facts open in their own row alone.
fn place(project: i64, case: Uuid) -> Vec<u8> {
    format!("back-check\n{project}\n{case}").into_bytes()
}
