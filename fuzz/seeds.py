"""First inputs of the fuzz targets, from the project's own forms: python3 fuzz/seeds.py

Writes corpus/TARGET/ beside this file; what is there stays.
"""

import json
import pathlib
import re
import zipfile

HERE = pathlib.Path(__file__).parent
SURVEYS = HERE.parent / "surveys"


def put(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


every_type = (HERE / "seeds" / "every-type.md").read_text()
forms = json.loads((SURVEYS / "tests" / "pyxform" / "forms.json").read_text())
forms.append({"name": "every-type", "form": every_type})
for number, form in enumerate(forms):
    put("workbook", f"form-{number}.md", "m" + form["form"])
    if form.get("xform"):
        put("xform", f"form-{number}.xml", form["xform"])
    if len(form["form"]) < 3000:
        put("submission", f"form-{number}", form["form"] + "\0<data id='form'><a>1</a><meta><instanceID>uuid:1</instanceID></meta></data>")
for path in sorted((HERE / "seeds").glob("submission-*.xml")):
    put("submission", path.stem, b"\0" + path.read_bytes())
for path in sorted((SURVEYS / "tests" / "fuzz_found").glob("*.xls")):
    put("workbook", path.name, b"l" + path.read_bytes())
workbook = SURVEYS / "instruments" / "2026" / "listing.xlsx"
put("workbook", "listing.xlsx", b"x" + workbook.read_bytes())
with zipfile.ZipFile(workbook) as parts:
    text = "".join(f"=== {name}\n{parts.read(name).decode()}\n" for name in parts.namelist())
    put("workbook", "listing.parts", "z" + text)

tests = "".join(path.read_text() for path in sorted((SURVEYS / "tests").glob("expression*.rs")))
quoted = re.findall(r'"((?:[^"\\\n]|\\.)+)"', tests)
cells = [cell for form in forms for cell in re.findall(r"\|\s*([^|\n]*[(=<>][^|\n]*?)\s*\|", form["form"])]
texts = [text.replace('\\"', '"').replace("\\\\", "\\") for text in quoted + cells]
for number, text in enumerate(sorted(set(texts))):
    put("expression", f"expression-{number}", text)
