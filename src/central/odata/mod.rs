//! OData over the records of a form, as ODK Central gives it to pyodk, Power BI and Excel.

mod filter;
mod metadata;
mod options;
pub mod rows;

use std::sync::Arc;

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use surveys::submission;

use super::records::{Reader, Record};
use super::streamed::{Out, streamed};
use super::{Caller, Problem, blocking};
use crate::intake::{ReadForm, Receiver};
pub use filter::Term;
pub use options::{Options, Token};
use rows::{Style, Table};

/// The version that every answer names.
const VERSION: (&str, &str) = ("OData-Version", "4.0");

/// Fields that `$filter` and `$orderby` know.
const FIELDS: [&str; 6] = [
    "__id",
    "__system/submissionDate",
    "__system/updatedAt",
    "__system/submitterId",
    "__system/reviewState",
    "__system/deletedAt",
];

#[derive(Debug, Deserialize)]
pub struct Place {
    project: i64,
    form: String,
    #[serde(default)]
    table: String,
}

/// The list of tables.
pub async fn find_service(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let base = address(&request);
    let query = base.clone();
    let form = blocking(move || {
        let reader = Reader::open(&receiver, &caller, place.project, &place.form, &query)?;
        newest_form(&reader)
    })
    .await?;
    let tables: Vec<Value> = rows::tables(&form.compiled)
        .into_iter()
        .map(|table| json!({ "name": table.name, "kind": "EntitySet", "url": table.name }))
        .collect();
    let body = json!({ "@odata.context": format!("{base}/$metadata"), "value": tables });
    Ok(HttpResponse::Ok().insert_header(VERSION).json(body))
}

pub async fn find_metadata(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let query = address(&request);
    let xml = blocking(move || {
        let reader = Reader::open(&receiver, &caller, place.project, &place.form, &query)?;
        Ok(metadata::edmx(&place.form, &newest_form(&reader)?.compiled))
    })
    .await?;
    Ok(HttpResponse::Ok().insert_header(VERSION).content_type("application/xml; charset=utf-8").body(xml))
}

/// Rows of a table, of one record (`Submissions('uuid:…')`), or of one record's repeat (`…/kid`).
pub async fn list_rows(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Query(given): Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let full = address(&request);
    let service = full.split(".svc/").next().unwrap_or_default().to_owned() + ".svc";
    let query = format!("{full}?{}", request.query_string());
    let body = streamed(move |out| {
        // Rights are asked before anything is said about the query.
        let reader = Reader::open(&receiver, &caller, place.project, &place.form, &query)?;
        let options = Options::read(&given, &FIELDS)?;
        let form = newest_form(&reader)?;
        let asked = Asked { reader: &reader, form: &form, options: &options, service: &service };
        if let Some((instance, repeat)) = one_record(&place.table) {
            return asked.write_one(&instance, repeat.as_deref(), out);
        }
        let tables = rows::tables(&form.compiled);
        let table =
            tables.into_iter().find(|table| table.name == place.table).ok_or_else(Problem::not_found)?;
        options.check_select(&known_fields(&form, &table))?;
        asked.write(&table, out)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .insert_header(VERSION)
        .content_type("application/json; charset=utf-8")
        .streaming(body))
}

/// `Submissions('uuid:a')` or `Submissions('uuid:a')/kids/kid`.
fn one_record(table: &str) -> Option<(String, Option<String>)> {
    let (instance, rest) = table.strip_prefix("Submissions('")?.split_once("')")?;
    let repeat = rest.strip_prefix('/').map(|path| format!("Submissions.{}", path.replace('/', ".")));
    Some((instance.to_owned(), repeat))
}

/// Where the client found this, so that links lead back the same way.
pub fn address(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    format!("{}://{}{}", connection.scheme(), connection.host(), request.path())
}

/// Rows are written by the newest version of the form; what an older one lacks is null.
fn newest_form(reader: &Reader<'_>) -> Result<Arc<ReadForm>, Problem> {
    let form = reader.receiver.find_form(reader.project.id, &reader.form_id, None)?;
    reader.form(&form.version)
}

/// Everything that `$select` may name in a table.
fn known_fields(form: &ReadForm, table: &Table) -> Vec<String> {
    let mut known = vec!["__id".to_owned()];
    if table.repeat.is_none() {
        known.push("__system".into());
        known.push("meta".into());
        for field in [
            "submissionDate",
            "updatedAt",
            "deletedAt",
            "submitterId",
            "submitterName",
            "attachmentsPresent",
            "attachmentsExpected",
            "status",
            "reviewState",
            "deviceId",
            "edits",
            "formVersion",
        ] {
            known.push(format!("__system/{field}"));
        }
        known.extend(["meta/instanceID".to_owned(), "meta/instanceName".to_owned()]);
    }
    let mut open = vec![(table.repeat, String::new())];
    while let Some((parent, path)) = open.pop() {
        for item in rows::below(&form.compiled, parent) {
            let data = &form.compiled.items[item];
            let path = format!("{path}{}", rows::odata_name(&data.name));
            if data.stored().is_none() && !data.is_repeat() {
                open.push((Some(item), format!("{path}/")));
            }
            known.push(path);
        }
    }
    known
}

/// What one request asks of one form's records.
struct Asked<'a> {
    reader: &'a Reader<'a>,
    form: &'a ReadForm,
    options: &'a Options,
    service: &'a str,
}

impl Asked<'_> {
    fn style(&self) -> Style {
        Style { expand: self.options.expand, wkt: self.options.wkt }
    }

    /// The rows of a record in a table, in order.
    fn rows_of(&self, table: &Table, record: &Record) -> Result<Vec<Map<String, Value>>, Problem> {
        let form = &self.form.compiled;
        let tree = match record.is_encrypted {
            true => None,
            false => {
                let read = submission::read(form, &record.xml);
                Some(read.map_err(|error| Problem::unavailable(&error))?.tree)
            }
        };
        match (table.repeat, &tree) {
            (None, tree) => {
                let files = self.reader.expected_files(record)?;
                let present = files.iter().filter(|(_, is_here)| *is_here).count();
                Ok(vec![rows::root_row(form, tree.as_ref(), record, (present, files.len()), self.style())])
            }
            (Some(_), None) => Ok(Vec::new()),
            (Some(repeat), Some(tree)) => Ok(rows::repeat_rows(form, tree, record, repeat, self.style())),
        }
    }

    fn passes(&self, record: &Record, now: DateTime<Utc>) -> bool {
        match &self.options.filter {
            Some(filter) => filter.passes(&|field| term(record, field), now),
            None => true,
        }
    }

    fn write(&self, table: &Table, out: &mut Out) -> Result<(), Problem> {
        let options = self.options;
        if options.order.is_some() {
            return self.write_sorted(table, out);
        }
        let is_root = table.repeat.is_none();
        // How many a filter lets through, and how many repeats there are, is known only from all of them; without that
        // question reading begins where the last page ended.
        let reads_all = options.count && (options.filter.is_some() || !is_root);
        let from = options.token.as_ref().filter(|_| !reads_all);
        let skips_records = is_root && options.filter.is_none() && options.token.is_none();
        let mut pager = Pager {
            options,
            skip: if skips_records || options.token.is_some() { 0 } else { options.skip },
            has_begun: options.token.is_none() || (from.is_some() && is_root),
            taken: 0,
            count: 0,
            has_more: false,
            last: None,
        };
        begin(self.service, table, out)?;
        let now = Utc::now();
        let mut visit = |record: Record| {
            let rows = if self.passes(&record, now) { self.rows_of(table, &record)? } else { Vec::new() };
            for row in rows {
                pager.take(&record.instance_id, row, out)?;
            }
            Ok(reads_all || !pager.has_more)
        };
        // A record mostly has several rows of a repeat.
        let rows = if is_root { options.top } else { options.top.map(|top| top.div_euclid(2).max(20)) };
        let step = rows.map_or(500, |rows| rows.saturating_add(1)).clamp(1, 500);
        match from {
            None => {
                let skip = if skips_records { options.skip } else { 0 };
                self.reader.each_after(None, skip, step, &mut visit)?;
            }
            Some(token) => {
                // The rest of the record inside which the last page ended.
                let goes_on = is_root || visit(self.reader.find(&token.instance)?)?;
                if goes_on {
                    self.reader.each_after(Some(token.instance.clone()), 0, step, &mut visit)?;
                }
            }
        }
        let count = match (options.count, reads_all) {
            (false, _) => None,
            (true, true) => Some(pager.count),
            (true, false) => Some(self.reader.count()?),
        };
        let next = pager.last.filter(|_| pager.has_more);
        let next =
            next.map(|token| format!("{}/{}?{}", self.service, table.name, options.next_query(&token)));
        end(count, next, out)
    }

    /// With `$orderby` everything is read first; such a list has no next page.
    fn write_sorted(&self, table: &Table, out: &mut Out) -> Result<(), Problem> {
        let options = self.options;
        let Some((field, is_descending)) = options.order.as_ref().filter(|_| table.repeat.is_none()) else {
            return Err(Problem::new(501.1, "Chưa sắp xếp được bảng này. ($orderby is not supported here.)"));
        };
        let now = Utc::now();
        let mut found = Vec::new();
        self.reader.each_after(None, 0, 500, |record| {
            if self.passes(&record, now) {
                found.push(record);
            }
            Ok(true)
        })?;
        found.sort_by(|a, b| {
            let order = filter::order(&term(a, field), &term(b, field));
            if *is_descending { order.reverse() } else { order }
        });
        begin(self.service, table, out)?;
        let (skip, top) = (options.skip as usize, options.top.map_or(usize::MAX, |top| top as usize));
        for (i, record) in found.iter().skip(skip).take(top).enumerate() {
            for row in self.rows_of(table, record)? {
                put_row(i == 0, options.selected(row), out)?;
            }
        }
        end(options.count.then_some(found.len() as i64), None, out)
    }

    /// One record, or the rows of one of its repeats.
    fn write_one(&self, instance: &str, repeat: Option<&str>, out: &mut Out) -> Result<(), Problem> {
        let record = self.reader.find(instance)?;
        let wanted = repeat.unwrap_or("Submissions");
        let tables = rows::tables(&self.form.compiled);
        let table = tables.into_iter().find(|table| table.name == wanted).ok_or_else(Problem::not_found)?;
        begin(self.service, &table, out)?;
        for (i, row) in self.rows_of(&table, &record)?.into_iter().enumerate() {
            put_row(i == 0, self.options.selected(row), out)?;
        }
        end(None, None, out)
    }
}

/// Lets the rows of one page through.
struct Pager<'a> {
    options: &'a Options,
    /// Rows that are still to be left out.
    skip: i64,
    /// False until the row at which the last page ended has gone by.
    has_begun: bool,
    taken: i64,
    count: i64,
    has_more: bool,
    last: Option<Token>,
}

impl Pager<'_> {
    fn take(&mut self, instance: &str, row: Map<String, Value>, out: &mut Out) -> Result<(), Problem> {
        self.count += 1;
        if !self.has_begun {
            self.has_begun = self.options.token.as_ref().is_some_and(|token| token.is_at(instance, &row));
            return Ok(());
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        if self.options.top.is_some_and(|top| self.taken >= top) {
            self.has_more = true;
            return Ok(());
        }
        self.last = Some(Token::at(instance, &row));
        self.taken += 1;
        put_row(self.taken == 1, self.options.selected(row), out)
    }
}

pub fn begin(service: &str, table: &Table, out: &mut Out) -> Result<(), Problem> {
    let context = json!(format!("{service}/$metadata#{}", table.name));
    out.put(format!("{{\"@odata.context\":{context},\"value\":[").as_bytes())
}

pub fn put_row(is_first: bool, row: Map<String, Value>, out: &mut Out) -> Result<(), Problem> {
    if !is_first {
        out.put(b",")?;
    }
    out.put(Value::Object(row).to_string().as_bytes())
}

pub fn end(count: Option<i64>, next: Option<String>, out: &mut Out) -> Result<(), Problem> {
    out.put(b"]")?;
    if let Some(count) = count {
        out.put(format!(",\"@odata.count\":{count}").as_bytes())?;
    }
    if let Some(next) = next {
        out.put(format!(",\"@odata.nextLink\":{}", json!(next)).as_bytes())?;
    }
    out.put(b"}")
}

/// A field of a record as a filter sees it.
fn term(record: &Record, field: &str) -> Term {
    match field {
        "__id" => Term::Text(record.instance_id.clone()),
        "__system/submissionDate" => Term::Time(record.created_at),
        "__system/updatedAt" => record.updated_at.map_or(Term::Null, Term::Time),
        "__system/submitterId" => {
            record.submitter.as_ref().map_or(Term::Null, |(id, _)| Term::Text(id.to_string()))
        }
        "__system/reviewState" => record.review_state.clone().map_or(Term::Null, Term::Text),
        _ => Term::Null,
    }
}
