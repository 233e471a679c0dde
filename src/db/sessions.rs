//! Sessions: who is signed in. Only the SHA-256 of a token is kept.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::schema::field::sessions;
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user: i64,
    /// Whether the second factor was proved at sign-in.
    pub second_factor: bool,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl FieldDb<'_> {
    pub fn create_session(&mut self, token: &str, session: &Session) -> Result<(), Error> {
        let moment = |at: DateTime<Utc>| at.naive_utc().trunc_subsecs(6);
        diesel::insert_into(sessions::table)
            .values((
                sessions::token_hash.eq(hash(token)),
                sessions::user_id.eq(session.user),
                sessions::second_factor.eq(session.second_factor),
                sessions::created_at.eq(moment(session.created_at)),
                sessions::expires_at.eq(moment(session.expires_at)),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// The session of this token, if it has not expired.
    pub fn find_session(&mut self, token: &str, now: DateTime<Utc>) -> Result<Option<Session>, Error> {
        let row: Option<(i64, bool, NaiveDateTime, NaiveDateTime)> = sessions::table
            .find(hash(token))
            .filter(sessions::expires_at.gt(now.naive_utc()))
            .select((sessions::user_id, sessions::second_factor, sessions::created_at, sessions::expires_at))
            .first(self.0)
            .optional()?;
        Ok(row.map(|(user, second_factor, created_at, expires_at)| Session {
            user,
            second_factor,
            created_at: created_at.and_utc(),
            expires_at: expires_at.and_utc(),
        }))
    }

    /// Puts a session in the place of the one that a token opens. False where that one is gone already: of two that come
    /// at once, one does it.
    pub fn replace_session(&mut self, old: &str, token: &str, session: &Session) -> Result<bool, Error> {
        if diesel::delete(sessions::table.find(hash(old))).execute(self.0)? == 0 {
            return Ok(false);
        }
        self.create_session(token, session)?;
        Ok(true)
    }

    pub fn delete_session(&mut self, token: &str) -> Result<(), Error> {
        diesel::delete(sessions::table.find(hash(token))).execute(self.0)?;
        Ok(())
    }

    /// Signs a user out everywhere.
    pub fn delete_sessions_of(&mut self, user: i64) -> Result<(), Error> {
        diesel::delete(sessions::table.filter(sessions::user_id.eq(user))).execute(self.0)?;
        Ok(())
    }

    /// Forgets sessions that have expired.
    pub fn delete_expired_sessions(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        diesel::delete(sessions::table.filter(sessions::expires_at.le(now.naive_utc()))).execute(self.0)?;
        Ok(())
    }
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
