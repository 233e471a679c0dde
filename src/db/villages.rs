//! Villages whose fieldwork does not simply go on: postponed, replaced, or drawn as reserves.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::error::Error;
use super::schema::field::villages;
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VillageState {
    /// Drawn as a reserve and not taken.
    Reserve,
    /// In the field: a village that could be reached again, or a reserve that was taken.
    Open,
    /// Cannot be reached; to be tried again on this day.
    Postponed { until: NaiveDate, reason: String },
    /// Given up for a reserve.
    Replaced { by: String, reason: String },
}

impl VillageState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Open => "open",
            Self::Postponed { .. } => "postponed",
            Self::Replaced { .. } => "replaced",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Village {
    pub village: String,
    pub stratum: String,
    pub state: VillageState,
    /// Of a reserve: the order in which the stratum drew it.
    pub drawn_order: Option<i64>,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = villages, treat_none_as_null = true)]
struct Row {
    project: i64,
    village: String,
    stratum: String,
    state: String,
    drawn_order: Option<i64>,
    postponed_until: Option<NaiveDate>,
    reason: Option<String>,
    replaced_by: Option<String>,
}

impl Row {
    fn into_village(self) -> Result<Village, Error> {
        let reason = self.reason.unwrap_or_default();
        let state = match (self.state.as_str(), self.postponed_until, self.replaced_by) {
            ("reserve", _, _) => VillageState::Reserve,
            ("open", _, _) => VillageState::Open,
            ("postponed", Some(until), _) => VillageState::Postponed { until, reason },
            ("replaced", _, Some(by)) => VillageState::Replaced { by, reason },
            _ => return Err(Error::contradiction("state of a village")),
        };
        Ok(Village { village: self.village, stratum: self.stratum, state, drawn_order: self.drawn_order })
    }
}

impl FieldDb<'_> {
    /// Records a village's state; again replaces it.
    pub fn keep_village(&mut self, project: i64, village: &Village) -> Result<(), Error> {
        let (until, reason, by) = match village.state.clone() {
            VillageState::Reserve | VillageState::Open => (None, None, None),
            VillageState::Postponed { until, reason } => (Some(until), Some(reason), None),
            VillageState::Replaced { by, reason } => (None, Some(reason), Some(by)),
        };
        let row = Row {
            project,
            village: village.village.clone(),
            stratum: village.stratum.clone(),
            state: village.state.name().to_owned(),
            drawn_order: village.drawn_order,
            postponed_until: until,
            reason,
            replaced_by: by,
        };
        let known = villages::table.find((project, &village.village));
        if diesel::update(known).set(&row).execute(self.0)? == 0 {
            diesel::insert_into(villages::table).values(&row).execute(self.0)?;
        }
        Ok(())
    }

    /// The villages with a state of their own, by name.
    pub fn list_villages(&mut self, project: i64) -> Result<Vec<Village>, Error> {
        let mut rows: Vec<Row> =
            villages::table.filter(villages::project.eq(project)).select(Row::as_select()).load(self.0)?;
        // The database's own order depends on its locale.
        rows.sort_by(|a, b| a.village.cmp(&b.village));
        rows.into_iter().map(Row::into_village).collect()
    }
}
