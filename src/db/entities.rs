//! Entity lists: things that forms refer to (villages, dwellings, interpreters), with their properties and versions.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use indexmap::IndexMap;

use super::error::Error;
use super::schema::field::{dataset_properties, datasets, entities};
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub project: i64,
    pub name: String,
    pub approval_required: bool,
    pub created_at: DateTime<Utc>,
    /// Name and when it was added, in the order of adding.
    pub properties: Vec<(String, DateTime<Utc>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    pub uuid: String,
    /// Counts from 1.
    pub version: i64,
    pub label: String,
    pub data: IndexMap<String, String>,
    pub creator: i64,
    pub created_at: DateTime<Utc>,
    pub changed_by: i64,
    pub changed_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct NewEntity {
    pub uuid: String,
    pub label: String,
    pub data: IndexMap<String, String>,
}

/// What an update changes.
#[derive(Clone, Debug, Default)]
pub struct EntityChange {
    /// The version that the change was made from; `None` overrules whatever is there.
    pub base: Option<i64>,
    pub label: Option<String>,
    pub data: IndexMap<String, String>,
}

/// Why an entity was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EntityError {
    #[error("there is no such entity; fetch the list again")]
    Unknown,
    #[error("the entity is at version {current}; fetch it again and change that one")]
    Version { current: i64 },
    #[error(transparent)]
    Vault(#[from] Error),
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = entities)]
struct Row {
    project: i64,
    dataset: String,
    uuid: String,
    version: i64,
    label: String,
    data: String,
    creator: i64,
    created_at: NaiveDateTime,
    changed_by: i64,
    changed_at: NaiveDateTime,
    deleted_at: Option<NaiveDateTime>,
}

impl Row {
    fn into_entity(self) -> Result<Entity, Error> {
        Ok(Entity {
            uuid: self.uuid,
            version: self.version,
            label: self.label,
            data: serde_json::from_str(&self.data).map_err(|_| Error::contradiction("data of an entity"))?,
            creator: self.creator,
            created_at: self.created_at.and_utc(),
            changed_by: self.changed_by,
            changed_at: self.changed_at.and_utc(),
            deleted_at: self.deleted_at.map(|at| at.and_utc()),
        })
    }
}

fn written(data: &IndexMap<String, String>) -> Result<String, Error> {
    serde_json::to_string(data).map_err(|error| Error::contradiction(error.to_string()))
}

impl FieldDb<'_> {
    /// Adds a list. A name that is taken breaks a rule of the kind `Unique`.
    pub fn create_dataset(
        &mut self,
        project: i64,
        name: &str,
        approval_required: bool,
        now: DateTime<Utc>,
    ) -> Result<Dataset, Error> {
        let at = now.naive_utc().trunc_subsecs(6);
        diesel::insert_into(datasets::table)
            .values((
                datasets::project.eq(project),
                datasets::name.eq(name),
                datasets::approval_required.eq(approval_required),
                datasets::created_at.eq(at),
            ))
            .execute(self.0)?;
        Ok(Dataset {
            project,
            name: name.to_owned(),
            approval_required,
            created_at: at.and_utc(),
            properties: Vec::new(),
        })
    }

    /// Adds a property. A name that is taken breaks a rule of the kind `Unique`.
    pub fn add_dataset_property(
        &mut self,
        project: i64,
        dataset: &str,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        diesel::insert_into(dataset_properties::table)
            .values((
                dataset_properties::project.eq(project),
                dataset_properties::dataset.eq(dataset),
                dataset_properties::name.eq(name),
                dataset_properties::created_at.eq(now.naive_utc().trunc_subsecs(6)),
            ))
            .execute(self.0)?;
        Ok(())
    }

    pub fn find_dataset(&mut self, project: i64, name: &str) -> Result<Option<Dataset>, Error> {
        let found: Option<(bool, NaiveDateTime)> = datasets::table
            .find((project, name))
            .select((datasets::approval_required, datasets::created_at))
            .first(self.0)
            .optional()?;
        let Some((approval_required, at)) = found else { return Ok(None) };
        let properties: Vec<(String, NaiveDateTime)> = dataset_properties::table
            .filter(dataset_properties::project.eq(project).and(dataset_properties::dataset.eq(name)))
            .order((dataset_properties::created_at, dataset_properties::name))
            .select((dataset_properties::name, dataset_properties::created_at))
            .load(self.0)?;
        Ok(Some(Dataset {
            project,
            name: name.to_owned(),
            approval_required,
            created_at: at.and_utc(),
            properties: properties.into_iter().map(|(name, at)| (name, at.and_utc())).collect(),
        }))
    }

    /// The lists of a project by name.
    pub fn list_datasets(&mut self, project: i64) -> Result<Vec<Dataset>, Error> {
        let names: Vec<String> = datasets::table
            .filter(datasets::project.eq(project))
            .order(datasets::name)
            .select(datasets::name)
            .load(self.0)?;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            found.extend(self.find_dataset(project, &name)?);
        }
        Ok(found)
    }

    /// The entities of a list, the newest first; with those that were deleted.
    pub fn list_entities(&mut self, project: i64, dataset: &str) -> Result<Vec<Entity>, Error> {
        let rows: Vec<Row> = entities::table
            .filter(entities::project.eq(project).and(entities::dataset.eq(dataset)))
            .order((entities::created_at.desc(), entities::uuid.desc()))
            .select(Row::as_select())
            .load(self.0)?;
        rows.into_iter().map(Row::into_entity).collect()
    }

    /// An entity that was not deleted.
    pub fn find_entity(&mut self, project: i64, dataset: &str, uuid: &str) -> Result<Option<Entity>, Error> {
        let row: Option<Row> = entities::table
            .find((project, dataset, uuid))
            .filter(entities::deleted_at.is_null())
            .select(Row::as_select())
            .first(self.0)
            .optional()?;
        row.map(Row::into_entity).transpose()
    }

    /// Adds an entity. A UUID that is taken breaks a rule of the kind `Unique`.
    pub fn create_entity(
        &mut self,
        project: i64,
        dataset: &str,
        new: NewEntity,
        creator: i64,
        now: DateTime<Utc>,
    ) -> Result<Entity, Error> {
        let at = now.naive_utc().trunc_subsecs(6);
        let row = Row {
            project,
            dataset: dataset.to_owned(),
            uuid: new.uuid,
            version: 1,
            label: new.label,
            data: written(&new.data)?,
            creator,
            created_at: at,
            changed_by: creator,
            changed_at: at,
            deleted_at: None,
        };
        diesel::insert_into(entities::table).values(&row).execute(self.0)?;
        row.into_entity()
    }

    /// Changes what the change names and counts the version up.
    pub fn update_entity(
        &mut self,
        project: i64,
        dataset: &str,
        uuid: &str,
        change: EntityChange,
        by: i64,
        now: DateTime<Utc>,
    ) -> Result<Entity, EntityError> {
        let mut known = self.find_entity(project, dataset, uuid)?.ok_or(EntityError::Unknown)?;
        let version = known.version;
        if change.base.is_some_and(|base| base != version) {
            return Err(EntityError::Version { current: version });
        }
        known.data.extend(change.data);
        known.label = change.label.unwrap_or(known.label);
        known.version += 1;
        known.changed_by = by;
        known.changed_at = now.trunc_subsecs(6);
        // Of two that change the same version the later one finds another version there.
        let same = entities::table.find((project, dataset, uuid)).filter(entities::version.eq(version));
        let changed = diesel::update(same)
            .set((
                entities::version.eq(known.version),
                entities::label.eq(&known.label),
                entities::data.eq(written(&known.data)?),
                entities::changed_by.eq(by),
                entities::changed_at.eq(known.changed_at.naive_utc()),
            ))
            .execute(self.0)
            .map_err(Error::from)?;
        if changed == 0 { Err(EntityError::Version { current: known.version }) } else { Ok(known) }
    }

    /// The entity is listed no more. False where there is none.
    pub fn delete_entity(
        &mut self,
        project: i64,
        dataset: &str,
        uuid: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let there = entities::table.find((project, dataset, uuid)).filter(entities::deleted_at.is_null());
        let at = now.naive_utc().trunc_subsecs(6);
        Ok(diesel::update(there).set(entities::deleted_at.eq(at)).execute(self.0)? == 1)
    }
}
