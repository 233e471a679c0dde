#!/usr/bin/env python3
"""Writes answers.json: what JavaRosa and the tablet's engine store for each row of rows.txt.

Needs Python 3.10, Node 20 and a JDK. Installs pyxform 4.5.0 (which makes the form and ships JavaRosa
in ODK Validate) from PyPI, the engine and jsdom from npm, all into a throw-away folder.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import venv
from xml.sax.saxutils import quoteattr

PYXFORM = "pyxform==4.5.0"
NODE = ["@getodk/xforms-engine@0.22.0", "jsdom@26.1.0"]
ZONE = "Asia/Ho_Chi_Minh"
PLACES = {"out": "/data/out", "o": "/data/r/o", "i": "/data/r/s/i"}
HERE = pathlib.Path(__file__).resolve().parent


def rows():
    """Place, type and expression of each row."""
    for line in (HERE / "rows.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        marked = re.match(r"@(\w+)(?::(\w+))? (.*)", line)
        yield marked.groups(default="string") if marked else ("out", "string", line)


def form(base, place, kind, expression):
    """The base form with the expression as the calculation of one node."""
    bind = re.search(rf'<bind nodeset="{PLACES[place]}"[^>]*/>', base).group()
    calculated = f'<bind nodeset="{PLACES[place]}" type="{kind}" calculate={quoteattr(expression)}/>'
    return base.replace(bind, calculated)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    forms = folder / "forms"
    forms.mkdir(parents=True, exist_ok=True)
    python = folder / "venv/bin/python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PYXFORM], check=True)
    if not (folder / "node_modules").exists():
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "install", *quiet, *NODE], cwd=folder, check=True)
    convert = "import sys; from pyxform.xls2xform import convert; print(convert(sys.argv[1]).xform)"
    base = subprocess.run([python, "-c", convert, HERE / "form.md"], check=True, capture_output=True, text=True).stdout
    instance = (HERE / "data.xml").read_text(encoding="utf-8").strip()
    base = re.sub(r"<data .*?</data>", lambda _: instance, base, count=1, flags=re.S)
    table = list(rows())
    for number, (place, kind, expression) in enumerate(table):
        (forms / f"{number}.xml").write_text(form(base, place, kind, expression), encoding="utf-8")
    paths = folder / "paths.txt"
    paths.write_text("".join(PLACES[place] + "\n" for place, _, _ in table))
    jar = next(folder.glob("venv/lib/*/site-packages/pyxform/validators/odk_validate/bin/ODK_Validate.jar"))
    script = folder / "web_forms.mjs"
    script.write_bytes((HERE / "web_forms.mjs").read_bytes())

    def answers(*command):
        environment = {**os.environ, "TZ": ZONE, "LC_ALL": "C.UTF-8"}
        told = subprocess.run([*command, forms, paths], env=environment, check=True, capture_output=True)
        return told.stdout.decode("utf-8").removesuffix("\n").split("\n")

    javarosa = answers("java", "-Duser.language=en", "-cp", jar, HERE / "javarosa.java")
    web_forms = answers("node", script)
    assert len(table) == len(javarosa) == len(web_forms)
    lines = [json.dumps([*row, tablet, collect], ensure_ascii=False) for row, tablet, collect in zip(table, web_forms, javarosa)]
    (HERE / "answers.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{len(table)} rows, {sum(a != b for a, b in zip(web_forms, javarosa))} read differently")


main()
