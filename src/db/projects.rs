//! Projects: a project is a wave.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;

use super::error::Error;
use super::schema::field::projects;
use super::vault::FieldDb;

/// What a project is for; only a survey has respondents (protection.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectKind {
    Survey,
    Inventory,
    Practice,
}

impl ProjectKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Inventory => "inventory",
            Self::Practice => "practice",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Survey, Self::Inventory, Self::Practice].into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a wave stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectState {
    Open,
    Frozen,
    Closed,
}

impl ProjectState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Frozen, Self::Closed].into_iter().find(|state| state.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The wave's number, from 1; `ID` on the command line.
    pub id: i64,
    pub name: String,
    pub kind: ProjectKind,
    pub state: ProjectState,
    pub created_at: DateTime<Utc>,
    /// Whose wave it is; users of another organisation do not see it.
    pub organisation: Option<String>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = projects)]
struct Row {
    id: i64,
    name: String,
    kind: String,
    state: String,
    created_at: NaiveDateTime,
    organisation: Option<String>,
}

impl Row {
    fn into_project(self) -> Result<Project, Error> {
        Ok(Project {
            kind: ProjectKind::from_name(&self.kind)
                .ok_or_else(|| Error::contradiction("kind of a project"))?,
            state: ProjectState::from_name(&self.state)
                .ok_or_else(|| Error::contradiction("state of a project"))?,
            id: self.id,
            name: self.name,
            created_at: self.created_at.and_utc(),
            organisation: self.organisation,
        })
    }
}

impl FieldDb<'_> {
    /// Adds a project under the next free number.
    pub fn create_project(
        &mut self,
        name: &str,
        kind: ProjectKind,
        now: DateTime<Utc>,
    ) -> Result<Project, Error> {
        let last: Option<i64> = projects::table.select(diesel::dsl::max(projects::id)).first(self.0)?;
        let row = Row {
            id: last.unwrap_or(0) + 1,
            name: name.to_owned(),
            kind: kind.name().to_owned(),
            state: ProjectState::Open.name().to_owned(),
            created_at: now.naive_utc().trunc_subsecs(6),
            organisation: None,
        };
        diesel::insert_into(projects::table).values(&row).execute(self.0)?;
        row.into_project()
    }

    /// All projects by number.
    pub fn list_projects(&mut self) -> Result<Vec<Project>, Error> {
        let rows: Vec<Row> = projects::table.select(Row::as_select()).order(projects::id).load(self.0)?;
        rows.into_iter().map(Row::into_project).collect()
    }

    pub fn find_project(&mut self, id: i64) -> Result<Option<Project>, Error> {
        let row: Option<Row> = projects::table.find(id).select(Row::as_select()).first(self.0).optional()?;
        row.map(Row::into_project).transpose()
    }

    pub fn rename_project(&mut self, id: i64, name: &str) -> Result<(), Error> {
        let project = diesel::update(projects::table.find(id));
        match project.set(projects::name.eq(name)).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("project {id}") }),
            _ => Ok(()),
        }
    }

    /// Gives a project to an organisation.
    pub fn set_project_organisation(&mut self, id: i64, organisation: &str) -> Result<(), Error> {
        let project = diesel::update(projects::table.find(id));
        match project.set(projects::organisation.eq(organisation)).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("project {id}") }),
            _ => Ok(()),
        }
    }

    /// Counts an interview that came after the end of its wave; it is not kept.
    pub fn count_late_interview(&mut self, id: i64) -> Result<(), Error> {
        diesel::update(projects::table.find(id))
            .set(projects::late_interviews.eq(projects::late_interviews + 1))
            .execute(self.0)?;
        Ok(())
    }

    /// How many interviews came after the end of the wave.
    pub fn late_interviews(&mut self, id: i64) -> Result<i64, Error> {
        let known = projects::table.find(id).select(projects::late_interviews).first(self.0).optional()?;
        known.ok_or_else(|| Error::Missing { what: format!("project {id}") })
    }

    pub fn set_project_state(&mut self, id: i64, state: ProjectState) -> Result<(), Error> {
        let changed =
            diesel::update(projects::table.find(id)).set(projects::state.eq(state.name())).execute(self.0)?;
        match changed {
            0 => Err(Error::Missing { what: format!("project {id}") }),
            _ => Ok(()),
        }
    }
}
