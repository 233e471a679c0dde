"""Reads the exported files with the libraries of their own world and compares them with `expected.json`.

Usage: read_files.py FOLDER
"""

import json
import math
import sys
from pathlib import Path

import duckdb
import openpyxl
import pandas
import pyarrow.parquet
import pyreadstat
from ipumspy import readers

folder = Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def same(what, got, wanted):
    assert got == wanted, f"{what}: {got!r} is not {wanted!r}"


def cells(what, got, wanted):
    same(f"{what}, rows", len(got), len(wanted))
    for row, (one, other) in enumerate(zip(got, wanted)):
        missing = one is None or one == "" or (isinstance(one, float) and math.isnan(one))
        if other is None:
            assert missing, f"{what}, row {row}: {one!r} should be missing"
        elif isinstance(other, str):
            same(f"{what}, row {row}", str(one), other)
        else:
            same(f"{what}, row {row}", float(one), float(other))


def code(text, numeric):
    """A code of the codebook as the other program has it."""
    return float(text) if numeric else text


# SPSS, by pyreadstat: user-missing values stay values.
frame, meta = pyreadstat.read_sav(folder / "records.sav", user_missing=True)
same("sav: encoding", meta.file_encoding, "UTF-8")
same("sav: rows", meta.number_rows, 40)
assert meta.file_label.startswith("CHỈ DÙNG TRONG PHÒNG PHÂN TÍCH"), meta.file_label
assert any("DỮ LIỆU MÔ PHỎNG" in line for line in meta.notes), meta.notes
for name, about in expected.items():
    numeric = frame[name].dtype.kind in "fi"
    cells(f"sav: {name}", [None if v != v else v for v in frame[name]],
          [None if v is None else code(v, numeric) if isinstance(v, str) else v for v in about["cells"]])
    if "label" in about:
        label = meta.column_names_to_labels[name]
        whole = " ".join(about["label"].split())
        assert label == whole or (len(label.encode()) <= 255 and whole.startswith(label.rstrip("…"))), label
for name in ["c1", "b3", "kenh"]:
    about = expected[name]
    numeric = name == "c1"
    same(f"sav: labels of {name}", meta.variable_value_labels[name],
         {code(k, numeric): v for k, v in about["values"].items()})
    if about["missing"]:
        ranges = meta.missing_ranges[name]
        same(f"sav: missing values of {name}", [r["lo"] for r in ranges], [code(k, numeric) for k in about["missing"]])
same("sav: measure of c1", meta.variable_measure["c1"], "ordinal")
same("sav: measure of tuoi", meta.variable_measure["tuoi"], "scale")
plain, _ = pyreadstat.read_sav(folder / "records.sav")
same("sav: don't know and refused are missing to SPSS", list(plain["c1"][:5].fillna(-1)), [2, -1, -1, -1, 1])
print(f"sav: pyreadstat {pyreadstat.__version__} reads {frame.shape}")

# Stata, by pyreadstat and by pandas, which have nothing in common.
frame, meta = pyreadstat.read_dta(folder / "records.dta", user_missing=True)
same("dta: missing values of c1", sorted(meta.missing_user_values["c1"]), ["a", "b"])
same("dta: c1", list(frame["c1"][:3]), [2, "a", "b"])
assert meta.file_label.startswith("CHỈ DÙNG"), meta.file_label
stata = pandas.io.stata.StataReader(folder / "records.dta", convert_categoricals=False, convert_missing=True)
frame = stata.read()
labels, sets = stata.variable_labels(), stata.value_labels()
same("dta: data label", stata.data_label[:10], "CHỈ DÙNG T")
for name, about in expected.items():
    if "label" in about:
        whole = " ".join(about["label"].split())
        assert labels[name] == whole or (len(labels[name]) == 80 and whole.startswith(labels[name].rstrip("…")))
    numbers = {key: str(number) for number, key in enumerate(about["values"], 1)} if name == "kenh" else {}
    for row, (got, wanted) in enumerate(zip(frame[name], about["cells"])):
        if wanted in about.get("missing", []):
            same(f"dta: {name}, row {row}", str(got), {"98": ".a", "99": ".b"}[wanted])
        elif wanted is None:
            assert str(got) in (".", ""), f"dta: {name}, row {row}: {got!r}"
        elif isinstance(wanted, str) and name in ("c1", "b3", "kenh"):
            same(f"dta: {name}, row {row}", int(got), int(numbers.get(wanted, wanted)))
        else:
            same(f"dta: {name}, row {row}", got, wanted)
same("dta: labels of b3", [sets["b3"][1], sets["b3"][8]], ["Kinh", "Mông"])
same("dta: labels of c1", sorted(sets["c1"].values()), sorted(expected["c1"]["values"].values()))
same("dta: labels in English", sorted(sets["c1_en"].values()),
     ["Don't know", "Refused", "Satisfied", "Very dissatisfied"])
print(f"dta: pandas {pandas.__version__} reads {frame.shape}")

# Parquet, by pyarrow and DuckDB.
table = pyarrow.parquet.read_table(folder / "records.parquet")
for name, about in expected.items():
    cells(f"parquet: {name}", table[name].to_pylist(), about["cells"])
file = pyarrow.parquet.read_metadata(folder / "records.parquet")
metadata = {k.decode(): v.decode() for k, v in file.metadata.items()}
columns = json.loads(metadata["columns"])
same("parquet: label", columns["c1"]["label"]["vi"], expected["c1"]["label"])
same("parquet: missing", [v["code"] for v in columns["c1"]["values"] if v["missing"]], ["98", "99"])
same("parquet: codebook", json.loads(metadata["codebook"])["form_id"], "ks")
assert "PHÒNG PHÂN TÍCH" in metadata["title"]
path = str(folder / "records.parquet")
rows = duckdb.sql(f"select b3, count(*), sum(tuoi) from '{path}' group by b3 order by b3").fetchall()
wanted = {}
for group, age in zip(expected["b3"]["cells"], expected["tuoi"]["cells"]):
    count, total = wanted.get(group, (0, 0))
    wanted[group] = (count + 1, total + (age or 0))
same("parquet: DuckDB's sums", rows, [(k, *wanted[k]) for k in sorted(wanted)])
keys = duckdb.sql(f"select decode(key) from parquet_kv_metadata('{path}')").fetchall()
assert ("codebook",) in keys, keys
print(f"parquet: pyarrow and DuckDB {duckdb.__version__} read {table.shape}")

# CSV, by pandas and DuckDB: text that a spreadsheet would run is led by an apostrophe.
frame = pandas.read_csv(folder / "records.csv", encoding="utf-8-sig", dtype={"c1": str, "b3": str, "psu": str})
for name in ["c1", "b3", "tuoi", "person_weight", "nguon", "kenh", "stratum"]:
    cells(f"csv: {name}", [None if v != v else v for v in frame[name]], expected[name]["cells"])
same("csv: a formula", frame["y_kien"][0], "'" + expected["y_kien"]["cells"][0])
same("csv: a number", frame["y_kien"][1], "-5")
count = duckdb.sql(f"select count(*), max(tuoi) from read_csv('{folder / 'records.csv'}')").fetchall()
same("csv: DuckDB", count, [(40, 57)])

# The workbook, by openpyxl.
book = openpyxl.load_workbook(folder / "records.xlsx")
same("xlsx: sheets", book.sheetnames, ["Mã", "Nhãn", "Biến", "Ghi chú"])
sheet = [[cell.value for cell in row] for row in book["Mã"].iter_rows()]
for name, about in expected.items():
    at = sheet[0].index(name)
    cells(f"xlsx: {name}", [row[at] for row in sheet[1:]], about["cells"])
assert all(cell.data_type != "f" for row in book["Mã"].iter_rows() for cell in row)

# DDI, by ipumspy, written for another producer of DDI-Codebook 2.5.
book = readers.read_ipums_ddi(folder / "records.ddi.xml")
variables = {v.name: v for v in book.data_description}
same("ddi: variables", len(variables), 15)
for name, about in expected.items():
    if "label" in about:
        same(f"ddi: label of {name}", variables[name].label, about["label"])
        wanted = {label: code for code, label in about["values"].items()} if name in ("c1", "b3", "kenh") else None
        if wanted is not None:
            same(f"ddi: codes of {name}", {k: str(v) for k, v in variables[name].codes.items()},
                 {k: str(int(v)) if variables[name].vartype == "integer" else v for k, v in wanted.items()})
same("ddi: file", (book.file_description.filename, book.file_description.encoding), ("records.csv", "utf-8"))
print("all files agree")
