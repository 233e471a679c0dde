//! Who goes where: what enumerators and interpreters can do, and the team of each village.

use chrono::NaiveDate;
use diesel::prelude::*;
use uuid::Uuid;

use super::cases::CaseStatus;
use super::error::Error;
use super::forms::uuid;
use super::schema::field::{cases, enumerators, interpreters, teams};
use super::vault::FieldDb;

/// What an enumerator, known by the code of the device, can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumerator {
    pub app_user: Uuid,
    /// Codes of the groups whose language is spoken.
    pub languages: Vec<String>,
    /// Codes of communes or districts; none = everywhere.
    pub areas: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    pub code: String,
    pub languages: Vec<String>,
    pub areas: Vec<String>,
    /// The day on which the pledge of secrecy was signed; without it nobody is sent along.
    pub pledged_on: Option<NaiveDate>,
}

/// Who works in a village.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub village: String,
    pub first: Uuid,
    pub second: Option<Uuid>,
    pub interpreter: Option<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl FieldDb<'_> {
    /// Records what an enumerator can do; again replaces it.
    pub fn keep_enumerator(&mut self, project: i64, enumerator: &Enumerator) -> Result<(), Error> {
        let id = enumerator.app_user.to_string();
        let set = (
            enumerators::languages.eq(enumerator.languages.join(" ")),
            enumerators::areas.eq(enumerator.areas.join(" ")),
        );
        if diesel::update(enumerators::table.find(&id)).set(set.clone()).execute(self.0)? == 0 {
            let row = (enumerators::app_user.eq(&id), enumerators::project.eq(project));
            diesel::insert_into(enumerators::table).values((row, set)).execute(self.0)?;
        }
        Ok(())
    }

    pub fn list_enumerators(&mut self, project: i64) -> Result<Vec<Enumerator>, Error> {
        let rows: Vec<(String, String, String)> = enumerators::table
            .filter(enumerators::project.eq(project))
            .order(enumerators::app_user)
            .select((enumerators::app_user, enumerators::languages, enumerators::areas))
            .load(self.0)?;
        rows.into_iter()
            .map(|(id, languages, areas)| {
                Ok(Enumerator { app_user: uuid(&id)?, languages: words(&languages), areas: words(&areas) })
            })
            .collect()
    }

    /// Records what an interpreter can do. A pledge that was recorded stays.
    pub fn keep_interpreter(&mut self, project: i64, interpreter: &Interpreter) -> Result<(), Error> {
        let known = interpreters::table.find((project, &interpreter.code));
        let set = (
            interpreters::languages.eq(interpreter.languages.join(" ")),
            interpreters::areas.eq(interpreter.areas.join(" ")),
        );
        if diesel::update(known).set(set.clone()).execute(self.0)? == 0 {
            let row = (interpreters::project.eq(project), interpreters::code.eq(&interpreter.code));
            diesel::insert_into(interpreters::table).values((row, set)).execute(self.0)?;
        }
        match interpreter.pledged_on {
            Some(day) => self.record_pledge(project, &interpreter.code, day),
            None => Ok(()),
        }
    }

    /// Records the day of an interpreter's pledge.
    pub fn record_pledge(&mut self, project: i64, code: &str, day: NaiveDate) -> Result<(), Error> {
        let known = interpreters::table.find((project, code));
        match diesel::update(known).set(interpreters::pledged_on.eq(day)).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("the interpreter {code}") }),
            _ => Ok(()),
        }
    }

    /// All interpreters of a wave, by code.
    pub fn list_interpreters(&mut self, project: i64) -> Result<Vec<Interpreter>, Error> {
        let rows: Vec<(String, String, String, Option<NaiveDate>)> = interpreters::table
            .filter(interpreters::project.eq(project))
            .select((
                interpreters::code,
                interpreters::languages,
                interpreters::areas,
                interpreters::pledged_on,
            ))
            .load(self.0)?;
        let mut all: Vec<Interpreter> = rows
            .into_iter()
            .map(|(code, languages, areas, pledged_on)| Interpreter {
                code,
                languages: words(&languages),
                areas: words(&areas),
                pledged_on,
            })
            .collect();
        // The database's own order depends on its locale.
        all.sort_by(|a, b| a.code.cmp(&b.code));
        Ok(all)
    }

    /// Gives a village its team; again replaces it.
    pub fn keep_team(&mut self, project: i64, team: &Team) -> Result<(), Error> {
        let set = (
            teams::first_enumerator.eq(team.first.to_string()),
            teams::second_enumerator.eq(team.second.map(|id| id.to_string())),
            teams::interpreter.eq(team.interpreter.clone()),
        );
        let known = teams::table.find((project, &team.village));
        if diesel::update(known).set(set.clone()).execute(self.0)? == 0 {
            let row = (teams::project.eq(project), teams::village.eq(&team.village));
            diesel::insert_into(teams::table).values((row, set)).execute(self.0)?;
        }
        Ok(())
    }

    /// The teams of a wave by village.
    pub fn list_teams(&mut self, project: i64) -> Result<Vec<Team>, Error> {
        let rows: Vec<(String, String, Option<String>, Option<String>)> = teams::table
            .filter(teams::project.eq(project))
            .select((teams::village, teams::first_enumerator, teams::second_enumerator, teams::interpreter))
            .load(self.0)?;
        let mut all = rows
            .into_iter()
            .map(|(village, first, second, interpreter)| {
                let second = second.as_deref().map(uuid).transpose()?;
                Ok(Team { village, first: uuid(&first)?, second, interpreter })
            })
            .collect::<Result<Vec<Team>, Error>>()?;
        all.sort_by(|a, b| a.village.cmp(&b.village));
        Ok(all)
    }

    /// Hands the unfinished cases of one enumerator to another, in one village or all; answers how many.
    pub fn hand_over_cases(
        &mut self,
        project: i64,
        (from, to): (Uuid, Uuid),
        village: Option<&str>,
    ) -> Result<usize, Error> {
        let unfinished = [CaseStatus::Open.name(), CaseStatus::Waiting.name()];
        let of_one = cases::table
            .filter(cases::project.eq(project).and(cases::assigned_to.eq(from.to_string())))
            .filter(cases::status.eq_any(unfinished));
        let set = cases::assigned_to.eq(to.to_string());
        Ok(match village {
            Some(village) => {
                diesel::update(of_one.filter(cases::village.eq(village))).set(set).execute(self.0)?
            }
            None => diesel::update(of_one).set(set).execute(self.0)?,
        })
    }
}
