//! Results as a table of columns, read back by others.

use std::path::Path;
use std::process::Command;

use analysis::estimation::format;
use analysis::table::{Table, Types};

use super::{CLUSTERS, answer, requests};

const LIST: &str = r#"{"id": "m", "statistic": "mean", "of": ["y", "sex"], "by": "wave"},
    {"id": "t", "statistic": "ttest", "of": "y", "groups": "sex"},
    {"id": "i", "statistic": "independence", "rows": "sex", "cols": "wave"}"#;

#[test]
fn the_rows_written_as_parquet_read_back_the_same() {
    let results = answer(CLUSTERS, &requests(LIST));
    let rows = format::rows(&results).expect("a table");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("results.parquet");
    rows.write(&path).expect("the file can be written");
    let back = Table::read(&path, &Types::new()).expect("the file can be read");
    assert_eq!(back.height(), results.results.len());
    let numbers = back.numbers("estimate").expect("numbers");
    for (row, number) in results.results.iter().zip(numbers.iter()) {
        assert_eq!(row.estimate.unwrap_or(f64::NAN).to_bits(), number.to_bits());
    }
    assert_eq!(back.categories("by_wave").expect("a column of the groups").1.as_ref(), ["1", "2"]);
}

const READER: &str = "
import sys, polars, pyarrow.parquet
frame = polars.read_parquet(sys.argv[1])
table = pyarrow.parquet.read_table(sys.argv[1])
assert frame.columns == table.column_names, (frame.columns, table.column_names)
assert frame['estimate'].to_list() == table['estimate'].to_pylist()
print(frame.height, repr(frame.filter((polars.col('id') == 'm') & (polars.col('variable') == 'y'))['se'][0]))
";

#[test]
#[ignore = "installs polars and pyarrow from PyPI"]
fn polars_and_pyarrow_read_the_results() {
    let results = answer(CLUSTERS, &requests(LIST));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join("results.parquet");
    format::rows(&results).expect("a table").write(&path).expect("the file can be written");
    let python = folder.join("bin/python");
    let has = Command::new(&python).args(["-c", "import polars, pyarrow"]).output();
    if !has.is_ok_and(|o| o.status.success()) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
        assert!(made.is_ok_and(|s| s.success()), "python3 -m venv works (Debian: python3-venv)");
        let installed =
            Command::new(&python).args(["-m", "pip", "install", "--quiet", "polars", "pyarrow"]).status();
        assert!(installed.is_ok_and(|s| s.success()), "pip installs polars and pyarrow");
    }
    let read = Command::new(&python).args(["-c", READER]).arg(&path).output().expect("Python runs");
    let (out, err) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "{err}");
    let expected = format!("{} {:?}", results.results.len(), results.results[0].se.expect("an error"));
    assert_eq!(out.trim(), expected);
}
