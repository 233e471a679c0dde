//! Records as Parquet: codes as text, numbers as doubles, and the codebook in the file's own metadata.

use serde_json::json;

use super::columns::Cells;
use super::{Audience, Records, RecordsError};
use crate::table::{Column, MISSING, Table, parquet_write};

/// Writes the records as Parquet. Its key-value metadata hold `title`, `notes` (lines), `columns` (JSON: label,
/// measure and codes of each column, by name) and `codebook` (JSON: the questionnaire's whole codebook), all in UTF-8.
///
/// Errors: [`RecordsError::Format`] where the writer refuses.
pub fn parquet<A: Audience>(records: &Records<A>) -> Result<Vec<u8>, RecordsError> {
    let failed = |reason: String| RecordsError::Format { format: "Parquet", reason };
    let mut table = Table::default();
    let mut columns = serde_json::Map::new();
    for item in &records.items {
        let column = match &item.cells {
            Cells::Number(values) => Column::Number(values.clone()),
            Cells::Coded(places) => Column::Category {
                codes: places
                    .iter()
                    .map(|p| if (*p as usize) < item.values.len() { *p } else { MISSING })
                    .collect(),
                levels: item.values.iter().map(|value| value.code.clone()).collect(),
            },
            Cells::Text { codes, levels } => {
                Column::Category { codes: codes.clone(), levels: levels.clone() }
            }
        };
        table.push(item.name.clone(), column)?;
        let mut about = json!({ "label": item.label, "measure": item.measure });
        if !item.values.is_empty() {
            about["values"] = json!(item.values);
        }
        if let Some(sql) = &item.derivation {
            about["derivation"] = json!(sql);
        }
        columns.insert(item.name.clone(), about);
    }
    let metadata = vec![
        ("title".to_owned(), records.heading()),
        ("notes".to_owned(), records.lines().join("\n")),
        ("columns".to_owned(), serde_json::Value::Object(columns).to_string()),
        ("codebook".to_owned(), serde_json::to_string(&records.codebook).map_err(|e| failed(e.to_string()))?),
    ];
    parquet_write::bytes(&table, metadata).map_err(failed)
}
