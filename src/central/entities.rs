//! Entity lists over ODK Central's REST paths, and their rows over OData.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::odata::{self, Options, Term, rows::Table};
use super::streamed::streamed;
use super::{Caller, Problem, in_project, moment};
use crate::db::{self, Dataset, Entity, EntityChange, EntityError, NewEntity, RuleKind};
use crate::intake::Receiver;
use crate::people::Action;

#[derive(Debug, Deserialize)]
pub struct Place {
    project: i64,
    #[serde(default)]
    dataset: String,
    #[serde(default)]
    uuid: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewDataset {
    name: Option<String>,
    approval_required: Option<bool>,
}

pub async fn list_datasets(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let listed = in_project(receiver, caller, place.project, Action::SeeEntities, |receiver, _, project| {
        Ok(receiver.field.read(|db| db.list_datasets(project.id))?)
    });
    Ok(HttpResponse::Ok().json(listed.await?.iter().map(dataset_json).collect::<Vec<_>>()))
}

pub async fn find_dataset(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let found =
        in_project(receiver, caller, place.project, Action::SeeEntities, move |receiver, _, project| {
            known(receiver, project.id, &place.dataset)
        });
    Ok(HttpResponse::Ok().json(dataset_json(&found.await?)))
}

pub async fn create_dataset(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Json(given): Json<NewDataset>,
) -> Result<HttpResponse, Problem> {
    let made = in_project(
        receiver,
        caller,
        place.project,
        Action::ManageEntities,
        move |receiver, caller, project| {
            let name = given.name.unwrap_or_default();
            if !is_name(&name) || name.contains('.') {
                return Err(Problem::expected("name"));
            }
            let now = Utc::now();
            receiver.field.transaction(|db| {
                let approval = given.approval_required.unwrap_or(false);
                let made = db.create_dataset(project.id, &name, approval, now);
                let made = made.map_err(|error| {
                    taken(error, &["name", "projectId"], &[&name, &project.id.to_string()])
                })?;
                let detail = json!({ "project": project.id, "list": name }).to_string();
                db.append_audit(&caller.user.login, "entity list added", &detail, now)?;
                Ok(made)
            })
        },
    );
    Ok(HttpResponse::Ok().json(dataset_json(&made.await?)))
}

#[derive(Debug, Deserialize)]
pub struct NewProperty {
    name: Option<String>,
}

pub async fn create_property(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Json(given): Json<NewProperty>,
) -> Result<HttpResponse, Problem> {
    in_project(receiver, caller, place.project, Action::ManageEntities, move |receiver, _, project| {
        let dataset = known(receiver, project.id, &place.dataset)?;
        let name = given.name.unwrap_or_default();
        let is_reserved = ["name", "label"].iter().any(|word| name.eq_ignore_ascii_case(word));
        if !is_name(&name) || is_reserved {
            return Err(Problem::expected("name"));
        }
        receiver.field.transaction(|db| {
            db.add_dataset_property(project.id, &dataset.name, &name, Utc::now())
                .map_err(|error| taken(error, &["name", "datasetId"], &[&name, &dataset.name]))
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

pub async fn list_entities(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let listed =
        in_project(receiver, caller, place.project, Action::SeeEntities, move |receiver, _, project| {
            let dataset = known(receiver, project.id, &place.dataset)?;
            Ok(receiver.field.read(|db| db.list_entities(project.id, &dataset.name))?)
        })
        .await?;
    let there = listed.iter().filter(|entity| entity.deleted_at.is_none());
    Ok(HttpResponse::Ok().json(there.map(entity_json).collect::<Vec<_>>()))
}

pub async fn find_entity(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let found =
        in_project(receiver, caller, place.project, Action::SeeEntities, move |receiver, _, project| {
            let found = receiver.field.read(|db| db.find_entity(project.id, &place.dataset, &place.uuid))?;
            found.ok_or_else(Problem::not_found)
        });
    Ok(HttpResponse::Ok().json(entity_json(&found.await?)))
}

/// One entity, or many of which all are taken or none.
pub async fn create_entities(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Json(given): Json<Value>,
) -> Result<HttpResponse, Problem> {
    let answer = in_project(
        receiver,
        caller,
        place.project,
        Action::ManageEntities,
        move |receiver, caller, project| {
            let dataset = known(receiver, project.id, &place.dataset)?;
            let many = given
                .get("entities")
                .map(|many| many.as_array().ok_or_else(|| Problem::expected("entities")));
            let many = many.transpose()?;
            let new: Vec<NewEntity> = match many {
                Some(many) => many.iter().map(|one| new_entity(one, &dataset)).collect::<Result<_, _>>()?,
                None => vec![new_entity(&given, &dataset)?],
            };
            let now = Utc::now();
            let made = receiver.field.transaction(|db| {
                let mut made = Vec::with_capacity(new.len());
                for one in new {
                    let uuid = one.uuid.clone();
                    let entity = db.create_entity(project.id, &dataset.name, one, caller.user.id, now);
                    made.push(entity.map_err(|error| taken(error, &["uuid"], &[&uuid]))?);
                }
                Ok::<_, Problem>(made)
            })?;
            Ok(match (many, made.first()) {
                (None, Some(entity)) => entity_json(entity),
                _ => json!({ "success": true }),
            })
        },
    );
    Ok(HttpResponse::Ok().json(answer.await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Against {
    base_version: Option<i64>,
    force: Option<String>,
}

pub async fn update_entity(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    against: Query<Against>,
    Json(given): Json<Value>,
) -> Result<HttpResponse, Problem> {
    let changed = in_project(
        receiver,
        caller,
        place.project,
        Action::ManageEntities,
        move |receiver, caller, project| {
            let dataset = known(receiver, project.id, &place.dataset)?;
            let is_forced = against.force.as_deref().is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
            if against.base_version.is_none() && !is_forced {
                return Err(Problem::expected("baseVersion"));
            }
            let label = match given.get("label") {
                None | Some(Value::Null) => None,
                Some(label) => Some(text(label, "label")?),
            };
            let change = EntityChange {
                base: against.base_version.filter(|_| !is_forced),
                label,
                data: data_of(&given, &dataset)?,
            };
            let by = caller.user.id;
            receiver.field.transaction(|db| {
                db.update_entity(project.id, &dataset.name, &place.uuid, change, by, Utc::now()).map_err(
                    |error| match error {
                        EntityError::Unknown => Problem::not_found(),
                        EntityError::Version { current } => Problem {
                            code: 409.15,
                            message: format!(
                                "Bản ghi đang ở phiên bản {current}; hãy tải lại rồi sửa. (Version conflict.)"
                            ),
                            details: Some(json!({ "current": current, "provided": against.base_version })),
                        },
                        EntityError::Vault(error) => error.into(),
                    },
                )
            })
        },
    );
    Ok(HttpResponse::Ok().json(entity_json(&changed.await?)))
}

pub async fn delete_entity(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    in_project(receiver, caller, place.project, Action::ManageEntities, move |receiver, _, project| {
        let gone = receiver
            .field
            .transaction(|db| db.delete_entity(project.id, &place.dataset, &place.uuid, Utc::now()))?;
        if gone { Ok(()) } else { Err(Problem::not_found()) }
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// Fields of an entity that `$filter` and `$orderby` know.
const FIELDS: [&str; 6] = [
    "__id",
    "__system/createdAt",
    "__system/updatedAt",
    "__system/deletedAt",
    "__system/creatorId",
    "__system/conflict",
];

/// The rows of `D.svc/Entities`.
pub async fn list_rows(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Query(given): Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let address = odata::address(&request);
    let service = address.trim_end_matches("/Entities").to_owned();
    let body = streamed(move |out| {
        let project = caller.project(&receiver.field, place.project, Action::SeeEntities)?;
        let dataset = known(&receiver, project.id, &place.dataset)?;
        let options = Options::read(&given, &FIELDS)?;
        let names = |db: &mut db::FieldDb<'_>| db.list_users();
        let users = receiver.field.read(names)?;
        let shows_deleted = options
            .filter
            .as_ref()
            .is_some_and(|filter| filter.fields.iter().any(|field| field.ends_with("deletedAt")));
        let now = Utc::now();
        let mut found = receiver.field.read(|db| db.list_entities(project.id, &dataset.name))?;
        found.retain(|entity| {
            (entity.deleted_at.is_none() || shows_deleted)
                && options
                    .filter
                    .as_ref()
                    .is_none_or(|filter| filter.passes(&|field| term(entity, field), now))
        });
        let count = found.len() as i64;
        let start = match &options.token {
            Some(token) => {
                found.iter().position(|e| e.uuid == token.instance).map_or(found.len(), |at| at + 1)
            }
            None => options.skip as usize,
        };
        let top = options.top.map_or(usize::MAX, |top| top as usize);
        let table = Table { name: "Entities".to_owned(), repeat: None };
        odata::begin(&service, &table, out)?;
        let page: Vec<&Entity> = found.iter().skip(start).take(top).collect();
        for (i, entity) in page.iter().enumerate() {
            let creator = users.iter().find(|user| user.id == entity.creator).map(|user| user.login.as_str());
            odata::put_row(i == 0, options.selected(row(entity, &dataset, creator)), out)?;
        }
        let has_more = found.len() > start.saturating_add(page.len());
        let next = page.last().filter(|_| has_more && options.top.is_some()).map(|last| {
            let token = odata::Token { instance: last.uuid.clone(), row: None };
            format!("{service}/Entities?{}", options.next_query(&token))
        });
        odata::end(options.count.then_some(count), next, out)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .insert_header(("OData-Version", "4.0"))
        .content_type("application/json; charset=utf-8")
        .streaming(body))
}

fn row(entity: &Entity, dataset: &Dataset, creator: Option<&str>) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("__id".into(), json!(entity.uuid));
    row.insert("label".into(), json!(entity.label));
    row.insert(
        "__system".into(),
        json!({
            "createdAt": moment(entity.created_at),
            "creatorId": entity.creator.to_string(),
            "creatorName": creator,
            "updates": entity.version - 1,
            "updatedAt": (entity.version > 1).then(|| moment(entity.changed_at)),
            "deletedAt": entity.deleted_at.map(moment),
            "version": entity.version,
            "conflict": null,
        }),
    );
    for (name, _) in &dataset.properties {
        row.insert(odata::rows::odata_name(name), json!(entity.data.get(name)));
    }
    row
}

fn term(entity: &Entity, field: &str) -> Term {
    match field {
        "__id" => Term::Text(entity.uuid.clone()),
        "__system/createdAt" => Term::Time(entity.created_at),
        "__system/updatedAt" if entity.version > 1 => Term::Time(entity.changed_at),
        "__system/deletedAt" => entity.deleted_at.map_or(Term::Null, Term::Time),
        "__system/creatorId" => Term::Text(entity.creator.to_string()),
        _ => Term::Null,
    }
}

fn known(receiver: &Receiver, project: i64, name: &str) -> Result<Dataset, Problem> {
    receiver.field.read(|db| db.find_dataset(project, name))?.ok_or_else(Problem::not_found)
}

/// An XML identifier that does not begin with `__`.
fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !name.starts_with("__");
    begins && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

fn new_entity(given: &Value, dataset: &Dataset) -> Result<NewEntity, Problem> {
    let uuid = match given.get("uuid") {
        None | Some(Value::Null) => Uuid::new_v4().to_string(),
        Some(uuid) => {
            let uuid = text(uuid, "uuid")?;
            Uuid::parse_str(&uuid).map_err(|_| unexpected("uuid"))?;
            uuid
        }
    };
    let label = text(given.get("label").unwrap_or(&Value::Null), "label")?;
    if label.trim().is_empty() {
        return Err(Problem::expected("label"));
    }
    Ok(NewEntity { uuid, label, data: data_of(given, dataset)? })
}

fn data_of(given: &Value, dataset: &Dataset) -> Result<IndexMap<String, String>, Problem> {
    let mut data = IndexMap::new();
    match given.get("data") {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => {
            for (name, value) in given {
                if dataset.properties.iter().all(|(known, _)| known != name) {
                    return Err(Problem {
                        code: 400.28,
                        message: format!(
                            "Danh sách không có thuộc tính {name}. (There is no such property.)"
                        ),
                        details: Some(json!({ "property": name })),
                    });
                }
                data.insert(name.clone(), text(value, name)?);
            }
        }
        Some(_) => return Err(unexpected("data")),
    }
    Ok(data)
}

/// Entities hold texts and nothing else.
fn text(value: &Value, field: &str) -> Result<String, Problem> {
    value.as_str().map(str::to_owned).ok_or_else(|| unexpected(field))
}

fn unexpected(field: &str) -> Problem {
    Problem {
        code: 400.11,
        message: format!(
            "Giá trị của {field} phải là chữ đúng dạng. (The value must be a text of the right kind.)"
        ),
        details: Some(json!({ "field": field })),
    }
}

fn taken(error: db::Error, fields: &[&str], values: &[&str]) -> Problem {
    match error {
        db::Error::Rule { kind: RuleKind::Unique, .. } => Problem {
            code: 409.3,
            message: "Đã có mục này. (A resource already exists with these values.)".into(),
            details: Some(json!({ "fields": fields, "values": values })),
        },
        other => other.into(),
    }
}

fn dataset_json(dataset: &Dataset) -> Value {
    let properties: Vec<Value> = dataset
        .properties
        .iter()
        .map(|(name, at)| {
            json!({
                "name": name, "odataName": odata::rows::odata_name(name), "publishedAt": moment(*at), "forms": [],
            })
        })
        .collect();
    json!({
        "name": dataset.name, "projectId": dataset.project, "createdAt": moment(dataset.created_at),
        "approvalRequired": dataset.approval_required, "properties": properties,
    })
}

fn entity_json(entity: &Entity) -> Value {
    json!({
        "uuid": entity.uuid,
        "creatorId": entity.creator,
        "createdAt": moment(entity.created_at),
        "updatedAt": (entity.version > 1).then(|| moment(entity.changed_at)),
        "deletedAt": entity.deleted_at.map(moment),
        "conflict": null,
        "currentVersion": {
            "label": entity.label, "data": entity.data, "current": true, "version": entity.version,
            "createdAt": moment(entity.changed_at), "creatorId": entity.changed_by, "userAgent": "",
            "baseVersion": (entity.version > 1).then_some(entity.version - 1), "conflictingProperties": null,
        },
    })
}
