//! Answer halves: a random token, the wave, the sealed answers, and nothing else.

use std::collections::HashMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::connection::VaultConnection;
use super::error::Error;
use super::forms::uuid;
use super::schema::answer::answers;
use super::vault::AnswerDb;
use crate::keys::{Purpose, WaveKey};

const PAGE: i64 = 500;

/// One opened answer half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The token in the sealed field half that ties the two.
    pub token: Uuid,
    pub form_id: String,
    pub form_version: String,
    /// The coarse area that an answer may carry (protection.md rule 6).
    pub reporting_area: Option<String>,
    /// The answer half of the submission's XML.
    pub xml: Vec<u8>,
}

/// What is sealed beside the XML, one line of JSON before it.
#[derive(Serialize, Deserialize)]
struct Head {
    form_id: String,
    form_version: String,
    reporting_area: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = answers)]
struct Row {
    id: String,
    project: i64,
    sealed: Option<Vec<u8>>,
}

/// What lies under a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Held {
    Answer,
    /// A reservation was given up; nothing can be stored under this token any more.
    GivenUp,
}

impl Answer {
    /// The sealed answer half, ready to be inserted.
    pub(in crate::db) fn seal(&self, project: i64, key: &WaveKey) -> Result<Vec<u8>, Error> {
        let head = Head {
            form_id: self.form_id.clone(),
            form_version: self.form_version.clone(),
            reporting_area: self.reporting_area.clone(),
        };
        let plain = with_head(&head, &self.xml)?;
        Ok(key.seal(Purpose::AnswerHalf, &place(project, self.token), &plain)?)
    }

    fn open(project: i64, token: Uuid, sealed: &[u8], key: &WaveKey) -> Result<Self, Error> {
        let plain = key.open(Purpose::AnswerHalf, &place(project, token), sealed)?;
        let (Head { form_id, form_version, reporting_area }, xml) = without_head(&plain)?;
        Ok(Self { token, form_id, form_version, reporting_area, xml: xml.to_vec() })
    }
}

impl AnswerDb<'_> {
    /// Stores a sealed half under a token that is free, or says what lies there. With `None` the token is given up.
    pub(in crate::db) fn insert_answer(
        &mut self,
        project: i64,
        token: Uuid,
        sealed: Option<Vec<u8>>,
    ) -> Result<Held, Error> {
        let given_up = sealed.is_none();
        let row = Row { id: token.to_string(), project, sealed };
        let insert = diesel::insert_into(answers::table).values(&row);
        let inserted = match self.0 {
            VaultConnection::Sqlite(c) => insert.on_conflict_do_nothing().execute(c)?,
            VaultConnection::Postgresql(c) => insert.on_conflict_do_nothing().execute(c)?,
        };
        if inserted == 1 {
            return Ok(if given_up { Held::GivenUp } else { Held::Answer });
        }
        let held: bool = answers::table.find(row.id).select(answers::sealed.is_not_null()).first(self.0)?;
        Ok(if held { Held::Answer } else { Held::GivenUp })
    }

    /// Empties a token for good (a withdrawal): what lay there is gone and nothing can be stored there again, not even
    /// by a server that is still on its way with it.
    pub(in crate::db) fn give_up_token(&mut self, project: i64, token: Uuid) -> Result<(), Error> {
        if self.insert_answer(project, token, None)? == Held::Answer {
            let held = answers::table.find(token.to_string());
            diesel::update(held).set(answers::sealed.eq(None::<Vec<u8>>)).execute(self.0)?;
        }
        Ok(())
    }

    /// The answer under a token.
    pub fn find_answer(&mut self, project: i64, token: Uuid, key: &WaveKey) -> Result<Option<Answer>, Error> {
        let sealed: Option<Option<Vec<u8>>> = answers::table
            .find(token.to_string())
            .filter(answers::project.eq(project))
            .select(answers::sealed)
            .first(self.0)
            .optional()?;
        sealed.flatten().map(|sealed| Answer::open(project, token, &sealed, key)).transpose()
    }

    /// The answers under these tokens, those that are there.
    pub fn find_answers(
        &mut self,
        project: i64,
        tokens: &[Uuid],
        key: &WaveKey,
    ) -> Result<HashMap<Uuid, Answer>, Error> {
        let mut found = HashMap::with_capacity(tokens.len());
        // Both databases bound how many values one query may name.
        for part in tokens.chunks(500) {
            let names: Vec<String> = part.iter().map(Uuid::to_string).collect();
            let rows: Vec<(String, Option<Vec<u8>>)> = answers::table
                .filter(answers::id.eq_any(names).and(answers::project.eq(project)))
                .select((answers::id, answers::sealed))
                .load(self.0)?;
            for (id, sealed) in rows {
                if let Some(sealed) = sealed {
                    let token = uuid(&id)?;
                    found.insert(token, Answer::open(project, token, &sealed, key)?);
                }
            }
        }
        Ok(found)
    }

    /// Opens every answer of a wave, in the order of the random tokens, a page at a time.
    ///
    /// Among them are answers of superseded and conflicting submissions: the answer vault cannot know. Who wants the
    /// current ones asks the field vault for their tokens.
    pub fn each_answer<E: From<Error>>(
        &mut self,
        project: i64,
        key: &WaveKey,
        mut visit: impl FnMut(Answer) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = String::new();
        loop {
            let rows: Vec<(String, Option<Vec<u8>>)> = answers::table
                .filter(answers::project.eq(project).and(answers::id.gt(&after)))
                .filter(answers::sealed.is_not_null())
                .order(answers::id)
                .limit(PAGE)
                .select((answers::id, answers::sealed))
                .load(self.0)
                .map_err(Error::from)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after.clone_from(last);
            for (id, sealed) in rows {
                if let Some(sealed) = sealed {
                    visit(Answer::open(project, uuid(&id)?, &sealed, key)?)?;
                }
            }
        }
    }

    /// As [`Self::each_answer`], all at once.
    pub fn list_answers(&mut self, project: i64, key: &WaveKey) -> Result<Vec<Answer>, Error> {
        let mut all = Vec::new();
        self.each_answer(project, key, |answer| {
            all.push(answer);
            Ok::<(), Error>(())
        })?;
        Ok(all)
    }
}

/// One line of JSON, then the bytes.
pub(in crate::db) fn with_head(head: &impl Serialize, body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut plain = serde_json::to_vec(head).map_err(|error| Error::contradiction(error.to_string()))?;
    plain.push(b'\n');
    plain.extend_from_slice(body);
    Ok(plain)
}

pub(in crate::db) fn without_head<'a, T: Deserialize<'a>>(plain: &'a [u8]) -> Result<(T, &'a [u8]), Error> {
    let damaged = || Error::contradiction("an opened half does not begin with its head");
    let end = plain.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let head = serde_json::from_slice(&plain[..end]).map_err(|_| damaged())?;
    Ok((head, &plain[end + 1..]))
}

fn place(project: i64, token: Uuid) -> Vec<u8> {
    format!("answers\n{project}\n{token}").into_bytes()
}
