//! Parquet files: whole tables in and out, and columns batch by batch for files larger than memory.
//!
//! This is the only file that imports Polars.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use indexmap::{IndexMap, IndexSet};
use polars::prelude as pl;
use polars::prelude::SerReader;
use rayon::prelude::*;

use super::categories::CategoryBuilder;
use super::{Column, MISSING, Table, TableError, Types, normalise};

/// Rows that are decoded at once: small enough for the caches' sake, large enough to be worth a task.
const BATCH: usize = 1 << 18;

type Bytes = <pl::Int8Type as pl::PolarsDataType>::Array;
type Shorts = <pl::Int16Type as pl::PolarsDataType>::Array;

/// A Parquet file, opened: its columns' names and its batches, no values yet.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    path: PathBuf,
    /// Whether each column holds text.
    columns: IndexMap<String, bool>,
    height: usize,
    batches: Vec<Batch>,
    schema: std::sync::Arc<pl::ArrowSchema>,
    metadata: pl::FileMetadataRef,
}

/// Rows that are read together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub rows: Range<usize>,
    /// The row group, where the batch is all of it.
    group: Option<usize>,
    /// The row group it lies in, and that group's first row.
    inside: (usize, usize),
}

/// One column of one batch, as it is stored.
#[derive(Debug)]
pub(crate) struct Chunk(Stored);

#[derive(Debug)]
enum Stored {
    Native(pl::Series),
    /// Whole numbers of 32 bits in the file, all of which need no more than 8 or 16.
    Narrow(pl::ArrayRef),
    Numbers(Vec<f64>),
    Text {
        codes: Vec<u32>,
        levels: Vec<String>,
    },
}

/// The values of a [`Chunk`]. Whole numbers have no missing ones; among reals NaN is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    /// Codes of levels, unsorted, or [`MISSING`].
    Text {
        codes: &'a [u32],
        levels: &'a [String],
    },
}

/// Runs an expression with `$values` bound to the slice of numbers, whatever their type.
macro_rules! with_numbers {
    ($any:expr, $values:ident => $number:expr, $codes:ident, $levels:ident => $text:expr) => {
        match $any {
            $crate::table::parquet::Values::I8($values) => $number,
            $crate::table::parquet::Values::I16($values) => $number,
            $crate::table::parquet::Values::I32($values) => $number,
            $crate::table::parquet::Values::I64($values) => $number,
            $crate::table::parquet::Values::U8($values) => $number,
            $crate::table::parquet::Values::U16($values) => $number,
            $crate::table::parquet::Values::U32($values) => $number,
            $crate::table::parquet::Values::U64($values) => $number,
            $crate::table::parquet::Values::F32($values) => $number,
            $crate::table::parquet::Values::F64($values) => $number,
            $crate::table::parquet::Values::Text { codes: $codes, levels: $levels } => $text,
        }
    };
}
pub(crate) use with_numbers;

/// A number as this program counts: in double precision.
pub(crate) trait Number: Copy + Send + Sync {
    fn real(self) -> f64;

    /// The least and the greatest; `None` where the type is not of whole numbers in the range of `i64`.
    fn bounds(_numbers: &[Self]) -> Option<(i64, i64)> {
        None
    }

    /// How far a whole number lies above `low`.
    fn above(self, low: i64) -> u32 {
        (self.real() as i64).wrapping_sub(low) as u32
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            #[inline(always)]
            fn real(self) -> f64 {
                self as f64
            }

            fn bounds(numbers: &[Self]) -> Option<(i64, i64)> {
                let first = *numbers.first()?;
                let widen = |(low, high): (Self, Self), v: &Self| (low.min(*v), high.max(*v));
                let (low, high) = numbers.iter().fold((first, first), widen);
                Some((low as i64, high as i64))
            }

            #[inline(always)]
            fn above(self, low: i64) -> u32 {
                (self as i64).wrapping_sub(low) as u32
            }
        })*
    };
}
whole_numbers!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! other_numbers {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            #[inline(always)]
            fn real(self) -> f64 {
                self as f64
            }
        })*
    };
}
other_numbers!(u64, f32, f64);

impl ParquetFile {
    /// Reads what the file says about itself. Errors: unreadable, two columns of one name.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let unreadable = |reason: String| TableError::Unreadable { path: path.into(), reason };
        let file = File::open(path).map_err(|e| unreadable(e.to_string()))?;
        let mut reader = pl::ParquetReader::new(file);
        let schema = reader.schema().map_err(|e| unreadable(e.to_string()))?;
        let mut columns = IndexMap::new();
        for field in schema.iter_values() {
            let is_text = pl::DataType::from_arrow_field(field).is_string();
            let name = field.name.to_string();
            if columns.insert(name.clone(), is_text).is_some() {
                return Err(TableError::DuplicateColumn { name });
            }
        }
        let metadata = reader.get_metadata().map_err(|e| unreadable(e.to_string()))?.clone();
        let mut batches = Vec::new();
        let mut first = 0;
        for (place, group) in metadata.row_groups.iter().enumerate() {
            let end = first + group.num_rows();
            // A large row group is parted evenly; a page is decoded once or, at a seam, twice.
            let parts = group.num_rows().div_ceil(BATCH + BATCH / 2).max(1);
            let size = group.num_rows().div_ceil(parts).max(1);
            let inside = (place, first);
            while first < end {
                let rows = first..end.min(first + size);
                batches.push(Batch { rows, group: (parts == 1).then_some(place), inside });
                first = end.min(first + size);
            }
        }
        let height = metadata.num_rows;
        Ok(Self { path: path.into(), columns, height, batches, schema, metadata })
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The columns' names in order, and whether they hold text.
    pub fn columns(&self) -> impl Iterator<Item = (&str, bool)> {
        self.columns.iter().map(|(name, is_text)| (name.as_str(), *is_text))
    }

    /// What is read together; the same for a file wherever it is read.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// One column of one batch. Errors: unreadable, no such column, a type that is no number or text.
    pub fn read(&self, batch: &Batch, name: &str) -> Result<Chunk, TableError> {
        use pl::ArrowDataType as D;
        let unreadable =
            |e: pl::PolarsError| TableError::Unreadable { path: self.path.clone(), reason: e.to_string() };
        let stored = self.schema.get(name).ok_or_else(|| unreadable(missing_column(name)))?;
        // Polars is built without columns of 8 and 16 bits; the file holds them in 32.
        let small = [D::Int8, D::Int16, D::UInt8, D::UInt16].contains(&stored.dtype);
        let dtype = if small { D::Int32 } else { stored.dtype.clone() };
        let field = &pl::ArrowField { dtype, ..stored.clone() };
        let series = match batch.group {
            None if small => {
                let (group, first) = batch.inside;
                let whole =
                    self.read_group(group, name, field).and_then(|a| pl::Series::try_from((field, a)));
                whole.map(|series| series.slice((batch.rows.start - first) as i64, batch.rows.len()))
            }
            None => self.read_slice(&batch.rows, name),
            Some(group) => {
                let narrow = self.narrow(group, name, field);
                let mut arrays =
                    self.read_group(group, name, narrow.as_ref().unwrap_or(field)).map_err(unreadable)?;
                match (narrow, arrays.pop()) {
                    (Some(_), Some(array)) if arrays.is_empty() && array.null_count() == 0 => {
                        return Ok(Chunk(Stored::Narrow(array)));
                    }
                    (None, Some(array)) => {
                        arrays.push(array);
                        pl::Series::try_from((field, arrays))
                    }
                    _ => self.read_group(group, name, field).and_then(|a| pl::Series::try_from((field, a))),
                }
            }
        };
        self.chunk(name, &series.map_err(unreadable)?)
    }

    /// The field with the narrowest type that holds the group's values, by what the file says of them:
    /// there is less to write and to read again.
    fn narrow(&self, group: usize, name: &str, field: &pl::ArrowField) -> Option<pl::ArrowField> {
        if field.dtype != pl::ArrowDataType::Int32 {
            return None;
        }
        let chunk = self.metadata.row_groups[group].columns_under_root_iter(name)?.next()?;
        let known = chunk.statistics(&self.metadata.footer_buf)?.ok()?;
        let known = known.as_int32()?;
        let (low, high) = (known.min_value?, known.max_value?);
        let dtype = if i8::try_from(low).is_ok() && i8::try_from(high).is_ok() {
            pl::ArrowDataType::Int8
        } else if i16::try_from(low).is_ok() && i16::try_from(high).is_ok() {
            pl::ArrowDataType::Int16
        } else {
            return None;
        };
        (known.null_count == Some(0)).then(|| pl::ArrowField { dtype, ..field.clone() })
    }

    /// Decodes on this thread, from the bytes of this column alone: Polars' reader would map the whole file
    /// anew and go through threads of its own.
    fn read_group(
        &self,
        group: usize,
        name: &str,
        field: &pl::ArrowField,
    ) -> pl::PolarsResult<Vec<pl::ArrayRef>> {
        let chunks = self.metadata.row_groups[group].columns_under_root_iter(name);
        let mut file = File::open(&self.path)?;
        let mut columns = Vec::new();
        for chunk in chunks.ok_or_else(|| missing_column(name))? {
            let range = chunk.byte_range();
            let size = range.end - range.start;
            let mut bytes = Vec::with_capacity(size as usize);
            file.seek(SeekFrom::Start(range.start))?;
            if file.by_ref().take(size).read_to_end(&mut bytes)? as u64 != size {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            columns.push((chunk, bytes.into()));
        }
        Ok(pl::_internal::to_deserializer(columns, field.clone(), None)?.0)
    }

    fn read_slice(&self, rows: &Range<usize>, name: &str) -> pl::PolarsResult<pl::Series> {
        // A file of its own: threads that share one would share its position.
        let mut reader = pl::ParquetReader::new(File::open(&self.path)?)
            .with_columns(Some(vec![name.to_owned()]))
            .with_slice(Some((rows.start, rows.len())))
            .read_parallel(pl::ParallelStrategy::RowGroups);
        reader.set_metadata(self.metadata.clone());
        Ok(reader.finish()?.column(name)?.as_materialized_series().clone())
    }

    fn chunk(&self, name: &str, series: &pl::Series) -> Result<Chunk, TableError> {
        use pl::DataType as D;
        let kind = series.dtype().clone();
        let wrong =
            || TableError::ColumnType { path: self.path.clone(), name: name.into(), kind: kind.to_string() };
        let whole = series.null_count() == 0 && series.n_chunks() == 1;
        Ok(Chunk(match &kind {
            D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64
                if whole =>
            {
                Stored::Native(series.clone())
            }
            D::Float32 | D::Float64 if whole => Stored::Native(series.clone()),
            D::Null => Stored::Numbers(vec![f64::NAN; series.len()]),
            D::String => {
                let (codes, levels) = texts(series.str().map_err(|_| wrong())?);
                Stored::Text { codes, levels }
            }
            kind if kind.is_primitive_numeric() || kind.is_bool() => {
                let cast = series.cast(&D::Float64).map_err(|_| wrong())?;
                let values = cast.f64().map_err(|_| wrong())?;
                Stored::Numbers(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect())
            }
            _ => return Err(wrong()),
        }))
    }
}

impl Chunk {
    pub fn values(&self) -> Values<'_> {
        use pl::DataType as D;
        let series = match &self.0 {
            Stored::Numbers(values) => return Values::F64(values),
            Stored::Text { codes, levels } => return Values::Text { codes, levels },
            Stored::Narrow(array) => {
                let any = array.as_any();
                return match (any.downcast_ref::<Bytes>(), any.downcast_ref::<Shorts>()) {
                    (Some(bytes), _) => Values::I8(bytes.values()),
                    (None, Some(shorts)) => Values::I16(shorts.values()),
                    (None, None) => Values::F64(&[]),
                };
            }
            Stored::Native(series) => series,
        };
        macro_rules! slice {
            ($method:ident, $kind:ident) => {
                series.$method().ok().and_then(|c| c.cont_slice().ok()).map(Values::$kind)
            };
        }
        let values = match series.dtype() {
            D::Int8 => slice!(i8, I8),
            D::Int16 => slice!(i16, I16),
            D::Int32 => slice!(i32, I32),
            D::Int64 => slice!(i64, I64),
            D::UInt8 => slice!(u8, U8),
            D::UInt16 => slice!(u16, U16),
            D::UInt32 => slice!(u32, U32),
            D::UInt64 => slice!(u64, U64),
            D::Float32 => slice!(f32, F32),
            _ => slice!(f64, F64),
        };
        values.unwrap_or(Values::F64(&[]))
    }

    /// The chunk as a column of a table.
    pub fn into_column(self) -> Column {
        if let Stored::Numbers(values) = self.0 {
            return Column::Number(values);
        }
        with_numbers!(self.values(),
            values => Column::Number(values.iter().map(|v| v.real()).collect()),
            codes, levels => Column::of_codes(codes, levels))
    }
}

fn missing_column(name: &str) -> pl::PolarsError {
    pl::PolarsError::ColumnNotFound(name.to_owned().into())
}

/// Codes and levels of texts; each different text is looked at once, most rows cost one comparison.
fn texts(values: &pl::StringChunked) -> (Vec<u32>, Vec<String>) {
    const SLOTS: usize = 1 << 12;
    let mut codes = Vec::with_capacity(values.len());
    let mut levels: IndexSet<String> = IndexSet::new();
    let missing = values.null_count() > 0;
    for array in values.downcast_iter() {
        // A view is the text itself or its place; equal views of one array are equal texts.
        let views = array.views();
        let mut recent: Vec<(u128, u32)> = vec![(u128::MAX, MISSING); SLOTS];
        for (row, view) in views.iter().enumerate() {
            let bits = view.as_u128();
            let folded = (bits as u64) ^ ((bits >> 64) as u64).rotate_left(29);
            let slot = (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % SLOTS;
            if missing && array.get(row).is_none() {
                codes.push(MISSING);
            } else if recent[slot].0 == bits {
                codes.push(recent[slot].1);
            } else {
                let text = normalise(array.value(row));
                let code = match levels.get_index_of(text.as_ref()) {
                    _ if text.is_empty() => MISSING,
                    Some(code) => code as u32,
                    None => levels.insert_full(text.into_owned()).0 as u32,
                };
                recent[slot] = (bits, code);
                codes.push(code);
            }
        }
    }
    (codes, levels.into_iter().collect())
}

/// Reads these columns (all without a list) of a Parquet file, batch after batch.
pub(super) fn read(
    path: &Path,
    types: &Types,
    wanted: Option<&dyn Fn(&str) -> bool>,
) -> Result<Table, TableError> {
    let file = ParquetFile::open(path)?;
    let names: Vec<&str> =
        file.columns().map(|(name, _)| name).filter(|n| wanted.is_none_or(|w| w(n))).collect();
    // Column beside column; the batches of one are appended in order.
    let columns: Vec<Column> = names
        .par_iter()
        .map(|name| {
            let column = whole_column(&file, name)?;
            match types.get(*name) {
                Some(declared) => column.declare(name, declared),
                None => Ok(column),
            }
        })
        .collect::<Result<_, _>>()?;
    let mut table = Table { columns: IndexMap::new(), height: file.height() };
    for (name, column) in names.into_iter().zip(columns) {
        table.push(name, column)?;
    }
    Ok(table)
}

fn whole_column(file: &ParquetFile, name: &str) -> Result<Column, TableError> {
    let mut numbers: Vec<f64> = Vec::new();
    let mut texts = CategoryBuilder::default();
    for batch in file.batches() {
        with_numbers!(file.read(batch, name)?.values(),
            values => {
                numbers.reserve_exact(if numbers.is_empty() { file.height() } else { 0 });
                numbers.extend(values.iter().map(|v| v.real()));
            },
            codes, levels => texts.extend(codes, levels));
    }
    let is_text = file.columns.get(name).copied().unwrap_or_default();
    Ok(if is_text { texts.finish() } else { Column::Number(numbers) })
}
