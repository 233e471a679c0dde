//! Tables as Parquet: into a file, or with metadata of one's own in memory.

use std::fs::File;
use std::path::Path;

use polars::prelude as pl;

use super::{Column, Table, TableError};

/// Writes a table: categories as text, missing as null.
pub(super) fn write(table: &Table, path: &Path) -> Result<(), TableError> {
    let unwritable = |reason: String| TableError::Unwritable { path: path.into(), reason };
    let mut frame = frame(table).map_err(|e| unwritable(e.to_string()))?;
    let file = File::create(path).map_err(|e| unwritable(e.to_string()))?;
    pl::ParquetWriter::new(file).finish(&mut frame).map_err(|e| unwritable(e.to_string()))?;
    Ok(())
}

/// The table as a Parquet file: categories as text, missing as null, `metadata` in the file's key-value pairs.
///
/// Errors: what the writer says.
pub(crate) fn bytes(table: &Table, metadata: Vec<(String, String)>) -> Result<Vec<u8>, String> {
    let mut frame = frame(table).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    pl::ParquetWriter::new(&mut bytes)
        .with_key_value_metadata(Some(pl::KeyValueMetadata::from_static(metadata)))
        .finish(&mut frame)
        .map_err(|e| e.to_string())?;
    Ok(bytes)
}

fn frame(table: &Table) -> pl::PolarsResult<pl::DataFrame> {
    let columns = table
        .columns()
        .map(|(name, column)| {
            let name = pl::PlSmallStr::from_str(name);
            match column {
                Column::Number(values) => {
                    let values: Vec<Option<f64>> =
                        values.iter().map(|v| (!v.is_nan()).then_some(*v)).collect();
                    pl::Column::new(name, values)
                }
                Column::Category { codes, levels } => {
                    let values: Vec<Option<&str>> =
                        codes.iter().map(|c| levels.get(*c as usize).map(String::as_str)).collect();
                    pl::Column::new(name, values)
                }
            }
        })
        .collect();
    pl::DataFrame::new(table.height(), columns)
}
