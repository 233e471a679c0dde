"""Writes the labelled files of this folder. Run in it: python make.py (pyreadstat and pandas from PyPI)."""
import struct
import unicodedata

import pandas as pd
import pyreadstat

rows = pd.DataFrame({
    "q1": [1.0, 2.0, 5.0, 98.0, None, 99.0],
    "tuoi": [18.0, 35.5, 61.0, 44.0, 27.0, 80.0],
    "dan_toc": ["08", "01", "", "09", "01", "07"],
    "thon": ["Thôn Nà Bó", "Bản Phiêng", "Thôn Nà Bó", "Tổ 4", "Tổ 4", "Bản Phiêng"],
    "y_kien_rat_dai_cua_nguoi_dan": ["Đường sá " * 40, "", "Nước sạch", "x", "y" * 600, "z"],
    "quyen_so": [120.25, 88.0, 1e6, 0.5, 3.0, 77.125],
})
labels = ["Mức hài lòng chung", "Tuổi", "Dân tộc", "Thôn", "Ý kiến khác", "Quyền số"]
values = {"q1": {1.0: "Rất không hài lòng", 2.0: "Không hài lòng", 5.0: "Rất hài lòng", 98.0: "Không biết",
                 99.0: "Không trả lời"},
          "dan_toc": {"01": "Kinh", "07": "Nùng", "08": "Mông", "09": "Dao"}}
common = dict(column_labels=labels, variable_value_labels=values, file_label="Khảo sát 2024")
missing = {"q1": [{"lo": 98, "hi": 99}], "tuoi": [80]}
pyreadstat.write_sav(rows, "plain.sav", missing_ranges=missing, compress=False, **common)
pyreadstat.write_sav(rows, "bytecode.sav", missing_ranges=missing, row_compress=True, **common)
pyreadstat.write_sav(rows, "zlib.zsav", missing_ranges=missing, compress=True, **common)

# Stata: what is no answer has letters in place of codes.
marked = rows.drop(columns=["y_kien_rat_dai_cua_nguoi_dan"])
marked["q1"] = pd.Series([1.0, 2.0, 5.0, "a", float("nan"), "b"], dtype=object)
stata_values = {"q1": {1: "Rất không hài lòng", 2: "Không hài lòng", 5: "Rất hài lòng", "a": "Không biết",
                       "b": "Không trả lời"}}
for version, name in [(15, "stata15.dta"), (10, "stata10.dta")]:
    kept = [label for label in labels if label != "Ý kiến khác"]
    pyreadstat.write_dta(marked, name, version=version, column_labels=kept, variable_value_labels=stata_values,
                         missing_user_values={"q1": ["a", "b"]}, file_label="Khao sat 2024")

# Long texts at the file's end, by pandas.
long = pd.DataFrame({"ma": [1, 2], "y_kien": ["Đường sá " * 400, "Nước sạch"]})
long.to_stata("long_texts.dta", version=118, convert_strl=["y_kien"], write_index=False)


def old_vietnamese():
    """An SPSS file as it was saved on a Vietnamese Windows before Unicode: code page 1258, no name of encoding."""
    def text(letters, width):
        return letters.ljust(width, b" ")[:width]
    def old(words):
        out = b""
        for letter in words:
            parts = unicodedata.normalize("NFD", letter)
            tones = "".join(part for part in parts if part in "\u0300\u0301\u0303\u0309\u0323")
            rest = unicodedata.normalize("NFC", "".join(part for part in parts if part not in tones))
            out += rest.encode("cp1258") + tones.encode("cp1258")
        return out
    label, one, two = old("Người trả lời"), old("nam"), old("nữ")
    out = b"$FL2" + text(b"@(#) SPSS DATA FILE", 60) + struct.pack("<iiiii", 2, 2, 0, 0, 2)
    out += struct.pack("<d", 100.0) + text(b"01 Jan 05", 9) + text(b"00:00:00", 8) + text(b"", 64) + b"\0\0\0"
    out += struct.pack("<iiiiii", 2, 0, 1, 0, 5 << 16 | 8 << 8, 5 << 16 | 8 << 8) + text(b"GIOI", 8)
    out += struct.pack("<i", len(label)) + label + b" " * (-len(label) % 4)
    out += struct.pack("<iiiiii", 2, 8, 0, 0, 1 << 16 | 8 << 8, 1 << 16 | 8 << 8) + text(b"XA", 8)
    out += struct.pack("<ii", 3, 2)
    for number, name in [(1.0, one), (2.0, two)]:
        out += struct.pack("<d", number) + bytes([len(name)]) + name + b" " * (-(len(name) + 1) % 8)
    out += struct.pack("<iii", 4, 1, 1)
    out += struct.pack("<iiii", 7, 3, 4, 8) + struct.pack("<8i", 11, 0, 0, -1, 1, 1, 2, 1258)
    out += struct.pack("<ii", 999, 0)
    out += struct.pack("<d", 1.0) + text(old("Hà"), 8) + struct.pack("<d", 2.0) + text(old("Mường"), 8)
    with open("old_vietnamese.sav", "wb") as file:
        file.write(out)


old_vietnamese()
