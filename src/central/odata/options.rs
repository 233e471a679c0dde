//! What a request asks of a table: `$top`, `$skip`, `$filter` and the others, read and checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::rows::encoded;
use crate::central::Problem;

/// Where the last page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub instance: String,
    /// The row of a repeat.
    pub row: Option<String>,
}

impl Token {
    pub fn at(instance: &str, row: &Map<String, Value>) -> Self {
        let id = row.get("__id").and_then(Value::as_str);
        Self { instance: instance.to_owned(), row: id.filter(|id| *id != instance).map(str::to_owned) }
    }

    pub fn is_at(&self, instance: &str, row: &Map<String, Value>) -> bool {
        *self == Self::at(instance, row)
    }

    fn read(text: &str) -> Option<Self> {
        let json = STANDARD.decode(text.strip_prefix("01")?).ok()?;
        let json: Value = serde_json::from_slice(&json).ok()?;
        let field = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self { instance: field("instanceId").or_else(|| field("uuid"))?, row: field("repeatId") })
    }

    fn write(&self) -> String {
        let json = match &self.row {
            Some(row) => json!({ "instanceId": self.instance, "repeatId": row }),
            None => json!({ "instanceId": self.instance }),
        };
        format!("01{}", STANDARD.encode(json.to_string()))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub top: Option<i64>,
    pub skip: i64,
    pub token: Option<Token>,
    pub count: bool,
    pub wkt: bool,
    pub expand: bool,
    pub filter: Option<Filter>,
    /// Field, and whether the largest comes first.
    pub order: Option<(String, bool)>,
    pub select: Option<Vec<String>>,
    /// As they came, for the link to the next page.
    given: Vec<(String, String)>,
}

impl Options {
    /// Reads a query; `fields` may be filtered and sorted by.
    pub fn read(given: &[(String, String)], fields: &[&str]) -> Result<Self, Problem> {
        let mut options = Self { given: given.to_vec(), ..Self::default() };
        let number = |name: &str, text: &str| {
            text.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(|| Problem::expected(name))
        };
        for (name, text) in given {
            match name.as_str() {
                "$top" => options.top = Some(number(name, text)?),
                "$skip" => options.skip = number(name, text)?,
                "$count" => options.count = text.eq_ignore_ascii_case("true"),
                "$wkt" => options.wkt = text.eq_ignore_ascii_case("true"),
                "$skiptoken" => {
                    options.token = Some(Token::read(text).ok_or_else(|| Problem::expected(name))?);
                }
                "$filter" => options.filter = Some(Filter::read(text, fields)?),
                "$expand" if text == "*" => options.expand = true,
                "$expand" => return Err(unsupported(501.6, "$expand")),
                "$orderby" => options.order = Some(order(text, fields)?),
                "$select" => {
                    options.select = Some(text.split(',').map(|field| field.trim().to_owned()).collect());
                }
                "$search" | "$apply" | "$compute" => return Err(unsupported(501.1, name)),
                _ => {}
            }
        }
        if options.order.is_some() && options.token.is_some() {
            return Err(unsupported(501.1, "$orderby + $skiptoken"));
        }
        if options.select.is_some() && options.expand {
            return Err(unsupported(501.11, "$select + $expand"));
        }
        Ok(options)
    }

    /// Refuses a field that the table does not have.
    pub fn check_select(&self, known: &[String]) -> Result<(), Problem> {
        match self.select.iter().flatten().find(|field| *field != "*" && !known.contains(field)) {
            None => Ok(()),
            Some(field) => Err(Problem {
                code: 400.23,
                message: format!("Không có trường {field} để $select. (There is no such field.)"),
                details: Some(json!({ "property": field })),
            }),
        }
    }

    /// The part of a row that was asked for.
    pub fn selected(&self, row: Map<String, Value>) -> Map<String, Value> {
        match &self.select {
            Some(select) if !select.iter().any(|field| field == "*") => part(row, "", select),
            _ => row,
        }
    }

    /// The query of the next page.
    pub fn next_query(&self, token: &Token) -> String {
        let kept = self.given.iter().filter(|(name, _)| !matches!(name.as_str(), "$skip" | "$skiptoken"));
        let mut query: Vec<String> =
            kept.map(|(name, text)| format!("{}={}", encoded(name), encoded(text))).collect();
        query.push(format!("%24skiptoken={}", encoded(&token.write())));
        query.join("&")
    }
}

fn part(row: Map<String, Value>, around: &str, select: &[String]) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in row {
        let path = format!("{around}{name}");
        let plain = path.trim_end_matches("@odata.navigationLink");
        if select.iter().any(|field| field == plain) {
            kept.insert(name, value);
        } else if select.iter().any(|field| field.starts_with(&format!("{path}/")))
            && let Value::Object(inside) = value
        {
            kept.insert(name, Value::Object(part(inside, &format!("{path}/"), select)));
        }
    }
    kept
}

fn order(text: &str, fields: &[&str]) -> Result<(String, bool), Problem> {
    let (field, way) = text.trim().split_once(' ').unwrap_or((text.trim(), "asc"));
    let is_descending = match way.trim() {
        "asc" => false,
        "desc" => true,
        _ => return Err(unsupported(501.1, "$orderby")),
    };
    if fields.contains(&field) {
        Ok((field.to_owned(), is_descending))
    } else {
        Err(unsupported(501.5, field))
    }
}

fn unsupported(code: f64, what: &str) -> Problem {
    Problem::new(code, format!("Máy chủ chưa hỗ trợ {what}. (This is not supported.)"))
}
