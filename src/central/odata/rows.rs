//! A submission as rows of ODK Central's tables: one row of `Submissions`, and one a repeat of each repeat's table.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use surveys::expression::{NodeId, Tree};
use surveys::form::{Compiled, Role};
use surveys::question_type::{QuestionType, Stored};

use crate::central::moment;
use crate::central::records::Record;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Repeats as arrays inside the row.
    pub expand: bool,
    /// Places as Well-Known Text in place of GeoJSON.
    pub wkt: bool,
}

/// A table of a form: `Submissions`, or the rows of one repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// `Submissions.kids.kid`
    pub name: String,
    /// The repeat; `None` for the root.
    pub repeat: Option<usize>,
}

/// The root's table and one a repeat, in document order.
pub fn tables(form: &Compiled) -> Vec<Table> {
    let mut found = vec![Table { name: "Submissions".to_owned(), repeat: None }];
    for (index, item) in form.items.iter().enumerate() {
        if item.is_repeat() {
            found.push(Table { name: format!("Submissions.{}", dotted(form, index)), repeat: Some(index) });
        }
    }
    found
}

/// Names from the root down, parted by dots.
fn dotted(form: &Compiled, item: usize) -> String {
    let name = odata_name(&form.items[item].name);
    match form.items[item].parent {
        Some(parent) => format!("{}.{name}", dotted(form, parent)),
        None => name,
    }
}

/// A name that OData allows: letters, digits and `_`, not beginning with a digit.
pub fn odata_name(name: &str) -> String {
    let mut clean = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            clean.push(c);
        } else if !clean.ends_with('_') {
            clean.push('_');
        }
    }
    if clean.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { clean } else { format!("_{clean}") }
}

/// The items directly below `parent`; `None` is the root.
pub fn below(form: &Compiled, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
    let indices = form.items.iter().enumerate();
    indices.filter(move |(_, item)| item.parent == parent && !item.in_meta).map(|(index, _)| index)
}

/// The row of `Submissions`.
pub fn root_row(
    form: &Compiled,
    tree: Option<&Tree>,
    record: &Record,
    files: (usize, usize),
    style: Style,
) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("__id".into(), json!(record.instance_id));
    row.insert("__system".into(), system(record, files, tree.is_none()));
    // What was encrypted on the device shows nothing but itself.
    let Some(tree) = tree else { return row };
    row.insert(
        "meta".into(),
        json!({ "instanceID": record.current_instance_id, "instanceName": record.instance_name }),
    );
    let writer = Writer { form, tree, style };
    let link = format!("Submissions('{}')", encoded(&record.instance_id));
    writer.fill(
        &mut row,
        None,
        Some(tree.root()),
        &Around { link, row: &record.instance_id, key: "__Submissions-id" },
    );
    row
}

fn system(record: &Record, (present, expected): (usize, usize), is_encrypted: bool) -> Value {
    json!({
        "submissionDate": moment(record.created_at),
        "updatedAt": record.updated_at.map(moment),
        "deletedAt": null,
        "submitterId": record.submitter.as_ref().map(|(id, _)| id.to_string()),
        "submitterName": record.submitter.as_ref().map(|(_, name)| name),
        "attachmentsPresent": present,
        "attachmentsExpected": expected,
        "status": is_encrypted.then_some("notDecrypted"),
        "reviewState": record.review_state,
        "deviceId": record.device,
        "edits": record.edits,
        "formVersion": record.form_version,
    })
}

/// The rows of a repeat's table that a submission has, in document order.
pub fn repeat_rows(
    form: &Compiled,
    tree: &Tree,
    record: &Record,
    repeat: usize,
    style: Style,
) -> Vec<Map<String, Value>> {
    let mut path = vec![repeat];
    while let Some(parent) = form.items[path[path.len() - 1]].parent {
        path.push(parent);
    }
    path.reverse();
    let writer = Writer { form, tree, style };
    let link = format!("Submissions('{}')", encoded(&record.instance_id));
    let around = Around { link, row: &record.instance_id, key: "__Submissions-id" };
    let mut rows = Vec::new();
    writer.descend(&path, tree.root(), &around, &mut rows);
    rows
}

/// The row that others lie in: its address, its id, and the name of the column that points to it.
struct Around<'a> {
    link: String,
    row: &'a str,
    key: &'a str,
}

struct Writer<'a> {
    form: &'a Compiled,
    tree: &'a Tree,
    style: Style,
}

impl Writer<'_> {
    fn fill(
        &self,
        row: &mut Map<String, Value>,
        parent: Option<usize>,
        node: Option<NodeId>,
        around: &Around<'_>,
    ) {
        for index in below(self.form, parent) {
            let item = &self.form.items[index];
            let name = odata_name(&item.name);
            let nodes: Vec<NodeId> = match node {
                Some(node) => self.tree.named(node, &item.name).collect(),
                None => Vec::new(),
            };
            match &item.role {
                Role::Question { stored: Stored::Nothing, .. } => {}
                Role::Question { kind, stored, .. } => {
                    let text = nodes.first().map(|node| self.tree.text(*node).into_owned());
                    let value = value(*kind, *stored, text.as_deref().unwrap_or_default(), self.style.wkt);
                    row.insert(name, value);
                }
                Role::Group => {
                    let mut group = Map::new();
                    let inside = Around { link: format!("{}/{name}", around.link), ..*around };
                    self.fill(&mut group, Some(index), nodes.first().copied(), &inside);
                    row.insert(name, Value::Object(group));
                }
                Role::Repeat(_) => {
                    if !nodes.is_empty() {
                        let link = format!("{}/{name}", around.link);
                        row.insert(format!("{name}@odata.navigationLink"), json!(link));
                    }
                    if self.style.expand {
                        let inside = Around { link: format!("{}/{name}", around.link), ..*around };
                        let mut rows = Vec::new();
                        for (number, node) in nodes.into_iter().enumerate() {
                            rows.push(Value::Object(self.repeat_row(index, number, node, &inside)));
                        }
                        row.insert(name, Value::Array(rows));
                    }
                }
            }
        }
    }

    /// One repeat as a row; `around.link` is the address of its table.
    fn repeat_row(
        &self,
        item: usize,
        number: usize,
        node: NodeId,
        around: &Around<'_>,
    ) -> Map<String, Value> {
        let id = row_id(around.row, &self.form.items[item].path, number);
        let mut row = Map::new();
        row.insert("__id".into(), json!(id));
        row.insert(around.key.to_owned(), json!(around.row));
        let key = format!("__Submissions-{}-id", dotted(self.form, item).replace('.', "-"));
        let inside = Around { link: format!("{}('{id}')", around.link), row: &id, key: &key };
        self.fill(&mut row, Some(item), Some(node), &inside);
        row
    }

    fn descend(&self, path: &[usize], node: NodeId, around: &Around<'_>, rows: &mut Vec<Map<String, Value>>) {
        let Some((item, rest)) = path.split_first() else { return };
        let data = &self.form.items[*item];
        let link = format!("{}/{}", around.link, odata_name(&data.name));
        for (number, found) in self.tree.named(node, &data.name).enumerate() {
            if !data.is_repeat() {
                self.descend(rest, found, &Around { link: link.clone(), ..*around }, rows);
            } else if rest.is_empty() {
                rows.push(self.repeat_row(*item, number, found, &Around { link: link.clone(), ..*around }));
            } else {
                let id = row_id(around.row, &data.path, number);
                let key = format!("__Submissions-{}-id", dotted(self.form, *item).replace('.', "-"));
                let inside = Around { link: format!("{link}('{id}')"), row: &id, key: &key };
                self.descend(rest, found, &inside, rows);
            }
        }
    }
}

/// The same for the same repeat of the same submission, whoever asks.
fn row_id(parent: &str, path: &str, number: usize) -> String {
    let digest = Sha256::digest(format!("{parent}\n{path}\n{number}").as_bytes());
    digest[..20].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer in its own type; `null` where there is none, or none that its type can hold.
fn value(kind: QuestionType, stored: Stored, text: &str, wkt: bool) -> Value {
    let text = text.trim();
    if text.is_empty() {
        return Value::Null;
    }
    match stored {
        Stored::Integer => text.parse::<i64>().map_or(Value::Null, |number| json!(number)),
        Stored::Decimal => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ => Value::Null,
        },
        Stored::Place => place(kind, text, wkt),
        _ => json!(text),
    }
}

/// Latitude, longitude, altitude and accuracy of each point; `None` where one cannot be read.
pub fn points(text: &str) -> Option<Vec<[f64; 4]>> {
    let point = |text: &str| {
        let mut numbers = text.split_whitespace().map(|number| number.parse::<f64>().ok());
        let mut next = || numbers.next().flatten();
        let (latitude, longitude) = (next()?, next()?);
        Some([latitude, longitude, next().unwrap_or(0.0), next().unwrap_or(0.0)])
    };
    text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(point).collect()
}

fn place(kind: QuestionType, text: &str, wkt: bool) -> Value {
    let Some(points) = points(text).filter(|points| !points.is_empty()) else { return Value::Null };
    let coordinate = |[latitude, longitude, altitude, _]: &[f64; 4]| json!([longitude, latitude, altitude]);
    let written =
        |[latitude, longitude, altitude, _]: &[f64; 4]| format!("{longitude} {latitude} {altitude}");
    let all = points.iter().map(coordinate).collect::<Vec<_>>();
    let line = points.iter().map(written).collect::<Vec<_>>().join(",");
    match (kind, wkt) {
        (QuestionType::Geotrace, true) => json!(format!("LINESTRING ({line})")),
        (QuestionType::Geoshape, true) => json!(format!("POLYGON (({line}))")),
        (_, true) => json!(format!("POINT ({})", written(&points[0]))),
        (QuestionType::Geotrace, false) => json!({ "type": "LineString", "coordinates": all }),
        (QuestionType::Geoshape, false) => json!({ "type": "Polygon", "coordinates": [all] }),
        (_, false) => json!({
            "type": "Point", "coordinates": coordinate(&points[0]), "properties": { "accuracy": points[0][3] },
        }),
    }
}

/// Percent-encoded for an address.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
