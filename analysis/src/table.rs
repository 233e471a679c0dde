//! Tables as analysis sees them: numbers and categories in columns, read from CSV and Parquet by Polars.
