//! Listings: how many dwellings the enumerators counted in a village, by route and without names.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::error::Error;
use super::forms::uuid;
use super::schema::field::listings;
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub village: String,
    /// Dwellings listed; the second stage draws among them.
    pub households: i64,
    pub listed_at: DateTime<Utc>,
    pub listed_by: Option<Uuid>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = listings)]
struct Row {
    id: String,
    project: i64,
    village: String,
    households: i64,
    listed_at: NaiveDateTime,
    listed_by: Option<String>,
}

impl FieldDb<'_> {
    /// Records a village's listing; a second one replaces the first.
    pub fn record_listing(&mut self, project: i64, listing: &Listing) -> Result<(), Error> {
        let listed_at = listing.listed_at.naive_utc().trunc_subsecs(6);
        let listed_by = listing.listed_by.map(|id| id.to_string());
        let of_village =
            listings::table.filter(listings::project.eq(project).and(listings::village.eq(&listing.village)));
        let replaced = diesel::update(of_village)
            .set((
                listings::households.eq(listing.households),
                listings::listed_at.eq(listed_at),
                listings::listed_by.eq(&listed_by),
            ))
            .execute(self.0)?;
        if replaced == 0 {
            let row = Row {
                id: Uuid::now_v7().to_string(),
                project,
                village: listing.village.clone(),
                households: listing.households,
                listed_at,
                listed_by,
            };
            diesel::insert_into(listings::table).values(&row).execute(self.0)?;
        }
        Ok(())
    }

    /// All listings of a project by village.
    pub fn list_listings(&mut self, project: i64) -> Result<Vec<Listing>, Error> {
        let mut rows: Vec<Row> =
            listings::table.filter(listings::project.eq(project)).select(Row::as_select()).load(self.0)?;
        // The database's own order depends on its locale.
        rows.sort_by(|a, b| a.village.cmp(&b.village));
        rows.into_iter()
            .map(|row| {
                Ok(Listing {
                    village: row.village,
                    households: row.households,
                    listed_at: row.listed_at.and_utc(),
                    listed_by: row.listed_by.as_deref().map(uuid).transpose()?,
                })
            })
            .collect()
    }
}
