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
def part(name, content, more=""):
    content = content if isinstance(content, bytes) else content.encode()
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\nContent-Type: text/xml\r\n\r\n'
    return head.encode() + content + b"\r\n"


instance = "<data id='form'><a>1</a><meta><audit>audit.csv</audit><instanceID>uuid:1</instanceID></meta></data>"
encrypted = (
    "<data id='form' encrypted='yes'><base64EncryptedKey>QQ==</base64EncryptedKey><meta><instanceID>uuid:1</instanceID></meta>"
    "<media><file>1.jpg.enc</file></media><encryptedXmlFile>submission.xml.enc</encryptedXmlFile></data>"
)
xml = part("xml_submission_file", instance, '; filename="submission.xml"')
bodies = {
    "plain": xml,
    "file": part("1.jpg", b"\xff\xd8\x00picture", '; filename="1.jpg"') + xml,
    "audit": xml + part("audit.csv", "event,node,start,end\nquestion,/data/a,1,2\n", '; filename="audit.csv"'),
    "incomplete": part("*isIncomplete*", "yes") + xml,
    "encrypted": part("xml_submission_file", encrypted) + part("submission.xml.enc", b"\x01\x02"),
    "twice": xml + xml,
    "entity": part("xml_submission_file", "<!DOCTYPE d [<!ENTITY e 'x'>]><data id='form'><a>&e;</a></data>"),
    "nameless": part("", "x") + xml,
}
for name, body in bodies.items():
    put("request", name, b"\x40\0" + body + b"--b--\r\n")
    put("request", name + "-cut", b"\x03\x07" + body[: len(body) * 2 // 3])
for path in sorted((HERE / "seeds").glob("submission-*.xml")):
    put("request", path.stem, b"\xff\0" + part("xml_submission_file", path.read_bytes()) + b"--b--\r\n")
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
