//! Reviews and comments: what people decided and wrote about a record of a project without respondents.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::error::Error;
use super::schema::field::{comments, reviews};
use super::submissions::instance_name;
use super::vault::FieldDb;
use crate::keys::{Purpose, WaveKey};

/// What a person decided; no state where it was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub state: Option<String>,
    pub decided_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub body: String,
    /// The number of the user who wrote it.
    pub actor: i64,
    pub created_at: DateTime<Utc>,
}

/// A record by the instance id of its first version.
#[derive(Clone, Copy, Debug)]
pub struct RecordName<'a> {
    pub project: i64,
    pub form_id: &'a str,
    pub first_instance_id: &'a str,
}

impl RecordName<'_> {
    fn first_instance(&self, key: &WaveKey) -> Vec<u8> {
        instance_name(key, self.form_id, self.first_instance_id).to_vec()
    }
}

impl FieldDb<'_> {
    /// The reviews of those of these records of one form that have one.
    pub(in crate::db) fn find_reviews(
        &mut self,
        project: i64,
        form_id: &str,
        first_instances: &[Vec<u8>],
    ) -> Result<HashMap<Vec<u8>, Review>, Error> {
        let mut reviewed = HashMap::new();
        // Both databases bound how many values one query may name.
        for part in first_instances.chunks(500) {
            let found: Vec<(Vec<u8>, Option<String>, NaiveDateTime)> = reviews::table
                .filter(reviews::project.eq(project).and(reviews::form_id.eq(form_id)))
                .filter(reviews::first_instance.eq_any(part))
                .select((reviews::first_instance, reviews::state, reviews::decided_at))
                .load(self.0)?;
            let found = found.into_iter();
            reviewed
                .extend(found.map(|(name, state, at)| (name, Review { state, decided_at: at.and_utc() })));
        }
        Ok(reviewed)
    }

    pub fn set_review(
        &mut self,
        record: RecordName<'_>,
        state: Option<&str>,
        now: DateTime<Utc>,
        key: &WaveKey,
    ) -> Result<(), Error> {
        let first_instance = record.first_instance(key);
        let at = now.naive_utc().trunc_subsecs(6);
        let known = reviews::table.find((record.project, record.form_id, &first_instance));
        let set = (reviews::state.eq(state), reviews::decided_at.eq(at));
        if diesel::update(known).set(set).execute(self.0)? == 0 {
            diesel::insert_into(reviews::table)
                .values((
                    reviews::project.eq(record.project),
                    reviews::form_id.eq(record.form_id),
                    reviews::first_instance.eq(&first_instance),
                    set,
                ))
                .execute(self.0)?;
        }
        Ok(())
    }

    pub fn add_comment(
        &mut self,
        record: RecordName<'_>,
        actor: i64,
        body: &str,
        now: DateTime<Utc>,
        key: &WaveKey,
    ) -> Result<Comment, Error> {
        let id = Uuid::now_v7().to_string();
        let at = now.naive_utc().trunc_subsecs(6);
        let sealed = key.seal(Purpose::FieldHalf, &place(record.project, &id), body.as_bytes())?;
        diesel::insert_into(comments::table)
            .values((
                comments::id.eq(&id),
                comments::project.eq(record.project),
                comments::form_id.eq(record.form_id),
                comments::first_instance.eq(record.first_instance(key)),
                comments::actor.eq(actor),
                comments::sealed_body.eq(sealed),
                comments::created_at.eq(at),
            ))
            .execute(self.0)?;
        Ok(Comment { body: body.to_owned(), actor, created_at: at.and_utc() })
    }

    /// The comments on a record, the newest first.
    pub fn list_comments(&mut self, record: RecordName<'_>, key: &WaveKey) -> Result<Vec<Comment>, Error> {
        let rows: Vec<(String, i64, Vec<u8>, NaiveDateTime)> = comments::table
            .filter(comments::project.eq(record.project).and(comments::form_id.eq(record.form_id)))
            .filter(comments::first_instance.eq(record.first_instance(key)))
            .order(comments::id.desc())
            .select((comments::id, comments::actor, comments::sealed_body, comments::created_at))
            .load(self.0)?;
        rows.into_iter()
            .map(|(id, actor, sealed, at)| {
                let body = key.open(Purpose::FieldHalf, &place(record.project, &id), &sealed)?;
                let body =
                    String::from_utf8(body).map_err(|_| Error::contradiction("a comment is no text"))?;
                Ok(Comment { body, actor, created_at: at.and_utc() })
            })
            .collect()
    }
}

/// A comment opens in its own row alone, and never as a submission.
fn place(project: i64, id: &str) -> Vec<u8> {
    format!("comment\n{project}\n{id}").into_bytes()
}
