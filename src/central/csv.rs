//! Tables as CSV, one column a field, in the columns and names of ODK Central's export.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Map, Value};
use surveys::expression::{NodeId, Tree};
use surveys::form::{Compiled, Role};
use surveys::question_type::Stored;
use surveys::submission;
use tokio::runtime::Handle;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::odata::rows::{self, Table};
use super::records::{Reader, Record};
use super::streamed::{Broken, Out};
use super::{Problem, moment};
use crate::intake::ReadForm;

/// Columns behind the fields of the root's table.
const BEHIND: [&str; 10] = [
    "SubmitterID",
    "SubmitterName",
    "AttachmentsPresent",
    "AttachmentsExpected",
    "Status",
    "ReviewState",
    "DeviceID",
    "Edits",
    "FormVersion",
    "InstanceName",
];

/// The root's table.
pub fn write_root(reader: &Reader<'_>, out: &mut Out) -> Result<(), Problem> {
    let form = newest(reader)?;
    let columns = Columns::of(&form.compiled, None);
    out.put(root_header(&columns).as_bytes())?;
    reader.each(|record| {
        out.put(root_line(reader, &form, &columns, &record)?.as_bytes())?;
        Ok(true)
    })
}

/// Every table, each a file of the archive: `FORM.csv`, `FORM-REPEAT.csv`; behind them, where they are asked for, the
/// files that came with the records, under `media/`.
pub fn write_zip(reader: &Reader<'_>, with_files: bool, out: &mut Out) -> Result<(), Problem> {
    let form = newest(reader)?;
    let mut zip = ZipWriter::new_stream(out);
    let broken = |_: io::Error| Problem::new(499.0, Broken.to_string());
    for table in rows::tables(&form.compiled) {
        let columns = Columns::of(&form.compiled, table.repeat);
        let path = table.name.trim_start_matches("Submissions").replace('.', "-");
        let options = SimpleFileOptions::default().large_file(true);
        zip.start_file(format!("{}{path}.csv", reader.form_id), options).map_err(|e| broken(e.into()))?;
        let header = match table.repeat {
            None => root_header(&columns),
            Some(_) => line(columns.names.iter().map(String::as_str).chain(["PARENT_KEY", "KEY"])),
        };
        zip.write_all(header.as_bytes()).map_err(broken)?;
        reader.each(|record| {
            let text = match table.repeat {
                None => root_line(reader, &form, &columns, &record)?,
                Some(_) => repeat_lines(&form.compiled, &columns, &table, &record)?,
            };
            zip.write_all(text.as_bytes()).map_err(broken)?;
            Ok(true)
        })?;
    }
    if with_files && let Some(store) = reader.receiver.files() {
        let runtime = Handle::try_current().map_err(|e| Problem::unavailable(&e))?;
        let key = reader.receiver.key(reader.project.id)?;
        let mut taken: HashSet<String> = HashSet::new();
        reader.each(|record| {
            for file in &record.files {
                let name = within_media(&record.instance_id, &file.name, &mut taken);
                zip.start_file(name, SimpleFileOptions::default().large_file(true))
                    .map_err(|e| broken(e.into()))?;
                // Piece by piece: a file may be larger than the memory that one answer should take.
                let opened = runtime.block_on(store.open_file(Arc::clone(&key), &file.file));
                let mut reading = opened.map_err(|e| Problem::unavailable(&e))?;
                while let Some(piece) =
                    runtime.block_on(reading.next()).map_err(|e| Problem::unavailable(&e))?
                {
                    zip.write_all(&piece).map_err(broken)?;
                }
            }
            Ok(true)
        })?;
    }
    zip.finish().map_err(|e| broken(e.into()))?;
    Ok(())
}

/// The file's place in the archive: its own name, and where another record has a file of that name, below its record.
fn within_media(instance_id: &str, name: &str, taken: &mut HashSet<String>) -> String {
    let safe = |text: &str| text.replace(['/', '\\', ':'], "_").trim_start_matches('.').to_owned();
    let own = format!("media/{}", safe(name));
    if taken.insert(own.clone()) {
        return own;
    }
    let below = format!("media/{}/{}", safe(instance_id), safe(name));
    taken.insert(below.clone());
    below
}

fn newest(reader: &Reader<'_>) -> Result<Arc<ReadForm>, Problem> {
    let form = reader.receiver.find_form(reader.project.id, &reader.form_id, None)?;
    reader.form(&form.version)
}

/// The fields of one table with their columns: a place has four.
struct Columns {
    names: Vec<String>,
    fields: Vec<Field>,
}

struct Field {
    /// Names of the groups around it and its own, below the table's row.
    path: Vec<String>,
    is_place: bool,
}

impl Columns {
    fn of(form: &Compiled, repeat: Option<usize>) -> Self {
        let mut columns = Self { names: Vec::new(), fields: Vec::new() };
        columns.add(form, repeat, &[]);
        columns
    }

    fn add(&mut self, form: &Compiled, parent: Option<usize>, around: &[String]) {
        for index in rows::below(form, parent) {
            let item = &form.items[index];
            let mut path = around.to_vec();
            path.push(item.name.to_string());
            match &item.role {
                Role::Question { stored: Stored::Nothing, .. } | Role::Repeat(_) => {}
                Role::Question { stored, .. } => {
                    let name = path.join("-");
                    let is_place = *stored == Stored::Place;
                    if is_place {
                        for part in ["Latitude", "Longitude", "Altitude", "Accuracy"] {
                            self.names.push(format!("{name}-{part}"));
                        }
                    } else {
                        self.names.push(name);
                    }
                    self.fields.push(Field { path, is_place });
                }
                Role::Group => self.add(form, Some(index), &path),
            }
        }
    }

    fn cells(&self, tree: &Tree, row: NodeId) -> Vec<String> {
        let mut cells = Vec::with_capacity(self.names.len());
        for field in &self.fields {
            let node = field.path.iter().try_fold(row, |node, name| tree.named(node, name).next());
            let text = node.map(|node| tree.text(node).trim().to_owned()).unwrap_or_default();
            if !field.is_place {
                cells.push(text);
                continue;
            }
            // A line or an area stands whole in the first of its columns.
            let is_point = !text.contains(';');
            let mut parts = text.split_whitespace();
            if is_point {
                cells.extend((0..4).map(|_| parts.next().unwrap_or_default().to_owned()));
            } else {
                cells.push(text.clone());
                cells.extend((0..3).map(|_| String::new()));
            }
        }
        cells
    }
}

fn root_header(columns: &Columns) -> String {
    let names = columns.names.iter().map(String::as_str);
    line(["SubmissionDate"].into_iter().chain(names).chain(["KEY"]).chain(BEHIND))
}

fn root_line(
    reader: &Reader<'_>,
    form: &ReadForm,
    columns: &Columns,
    record: &Record,
) -> Result<String, Problem> {
    let files = reader.expected_files(record)?;
    let present = files.iter().filter(|(_, is_here)| *is_here).count();
    let mut cells = vec![moment(record.created_at)];
    if record.is_encrypted {
        cells.extend(columns.names.iter().map(|_| String::new()));
    } else {
        let read = submission::read(&form.compiled, &record.xml).map_err(|e| Problem::unavailable(&e))?;
        cells.extend(columns.cells(&read.tree, read.tree.root()));
    }
    cells.push(record.instance_id.clone());
    let (id, name) =
        record.submitter.clone().map_or_else(Default::default, |(id, name)| (id.to_string(), name));
    cells.extend([
        id,
        name,
        present.to_string(),
        files.len().to_string(),
        if record.is_encrypted { "notDecrypted".to_owned() } else { String::new() },
        record.review_state.clone().unwrap_or_default(),
        record.device.clone().unwrap_or_default(),
        record.edits.to_string(),
        record.form_version.clone(),
        record.instance_name.clone().unwrap_or_default(),
    ]);
    Ok(line(cells.iter().map(String::as_str)))
}

/// The lines of a repeat's table that a record has. Keys are those of the OData tables.
fn repeat_lines(
    form: &Compiled,
    columns: &Columns,
    table: &Table,
    record: &Record,
) -> Result<String, Problem> {
    let Some(repeat) = table.repeat.filter(|_| !record.is_encrypted) else { return Ok(String::new()) };
    let read = submission::read(form, &record.xml).map_err(|e| Problem::unavailable(&e))?;
    let keys = rows::repeat_rows(form, &read.tree, record, repeat, rows::Style::default());
    let nodes = nodes_of(form, &read.tree, repeat);
    let mut text = String::new();
    for (row, node) in keys.iter().zip(nodes) {
        let mut cells = columns.cells(&read.tree, node);
        cells.push(parent_key(row));
        cells.push(text_of(row, "__id"));
        text.push_str(&line(cells.iter().map(String::as_str)));
    }
    Ok(text)
}

fn text_of(row: &Map<String, Value>, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn parent_key(row: &Map<String, Value>) -> String {
    let name = row.keys().find(|name| name.starts_with("__Submissions") && name.ends_with("-id"));
    name.map(|name| text_of(row, name)).unwrap_or_default()
}

/// Every instance of a repeat, in document order.
fn nodes_of(form: &Compiled, tree: &Tree, item: usize) -> Vec<NodeId> {
    let around = match form.items[item].parent {
        Some(parent) => nodes_of(form, tree, parent),
        None => vec![tree.root()],
    };
    around.into_iter().flat_map(|node| tree.named(node, &form.items[item].name).collect::<Vec<_>>()).collect()
}

/// One line of CSV (RFC 4180). A cell that a spreadsheet would run as a formula is kept as it is: this is data.
fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(cell);
        }
    }
    text.push_str("\r\n");
    text
}
