#!/usr/bin/env python3
"""Makes forms.json: small forms and what pyxform 4.5.0 makes of them (null = refused).

    pip install pyxform==4.5.0 && python3 make.py

The forms are this project's own: every type and alias, parameters, defaults, translations,
settings, and references from each place to each other place.
"""
import json
import pathlib
import tempfile

from pyxform.xls2xform import convert

FORMS = {}
CHOICES = "\n| choices | | | | |\n| | list_name | name | label | x |\n| | l | 1 | One | a |\n| | l | 2 | Two | b |\n"


def table(sheet, rows):
    """A sheet as Markdown from rows of equal keys; the header is the union of the keys."""
    header = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + sheet + " |" + " |" * len(header), "| | " + " | ".join(header) + " |"]
    lines += ["| | " + " | ".join(row.get(key, "").replace("|", "\\|") for key in header) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def add(name, rows, *others):
    FORMS[name] = table("survey", rows) + "".join(others)


TYPES = """text|string|q string|add text prompt|integer|int|q int|add integer prompt|decimal|q decimal
add decimal prompt|date|q date|add date prompt|time|dateTime|datetime|date time|q dateTime|q date time
add dateTime prompt|add date time prompt|note|q note|add note prompt|geopoint|gps|location|q geopoint|q location
add location prompt|geotrace|q geotrace|geoshape|q geoshape|barcode|q barcode|add barcode prompt|image|photo
q image|q picture|add image prompt|audio|q audio|add audio prompt|video|q video|add video prompt
file|add file prompt|osm|acknowledge|q acknowledge|add acknowledge prompt|trigger|hidden|start-geopoint
background-audio|percentage|phone number|number of days in last month|number of days in last six months
number of days in last year|start|start time|get start time|end|end time|get end time|today|get today|deviceid
imei|device id|get device id|username|email|phonenumber|get phone number|simserial|sim id|get sim id|subscriberid
subscriber id|get subscriber id|uri:deviceid|uri:username|uri:email|uri:phonenumber|uri:simserial|uri:subscriberid
range|xml-external|csv-external|select_one l|select one l|select one from l|select1 l
add select one prompt using l|select_multiple l|select all that apply l|select all that apply from l
add select multiple prompt using l|rank l|select_one_from_file f.csv|select one from file f.xml
select_multiple_from_file f.geojson|select multiple from file f.csv|select_one l or_other|select_one l or other
select_multiple l or specify other|Text|select_one|select_one nothing|q calculate|calculate""".replace("\n", "|").split("|")
for kind in TYPES:
    add(f"type {kind}", [{"type": kind, "name": "q", "label": "Q", "calculation": "1" if "calculate" in kind else ""}], CHOICES)

PARAMETERS = [
    ("text", "rows=5"), ("text", "rows=x"), ("text", "row=5"), ("image", "max-pixels=640"), ("image", "app=com.a.b"),
    ("image", "app=com"), ("audio", "quality=low"), ("audio", "quality=loud"), ("background-audio", "quality=external"),
    ("geopoint", "capture-accuracy=5 warning-accuracy=10"), ("geopoint", "allow-mock-accuracy=true"),
    ("geotrace", "incremental=true"), ("geoshape", "incremental=false"), ("select_one l", "randomize=true"),
    ("select_one l", "randomize=TRUE; seed=42"), ("select_one l", "randomize=false"), ("select_one l", "seed=1"),
    ("select_one l", "randomize=maybe"), ("select_one_from_file f.csv", "value=Ma, label=Ten"),
    ("select_one_from_file f.csv", "value=a*b"), ("select_one l", "value=a"), ("range", "start=0 end=1 step=0.25"),
    ("range", "start=1 end=5 step=0"), ("range", "start=1 end=5 step=9"), ("range", "start=0 end=10 tick_interval=5 placeholder=5"),
    ("range", "tick_interval=3 step=2"), ("audit", "track-changes=true"), ("audit", "identify-user=true"),
    ("audit", "location-priority=balanced location-min-interval=60 location-max-age=120"),
    ("audit", "location-priority=balanced"), ("text", "rows = 5"), ("text", "rows"), ("geopoint", "reference-geometry=l"),
]
for kind, parameters in PARAMETERS:
    row = {"type": kind, "name": "" if kind == "audit" else "q", "label": "Q", "parameters": parameters}
    add(f"parameters {kind} {parameters}", [{"type": "text", "name": "a", "label": "A"}, row], CHOICES)

DEFAULTS = ["a", "a b", "1", "-1", "1-2", "2026-01-31", "12:30:00", "a-b", "1 + 1", "2 * 3", "6 div 2", "6 mod 4", "a|b",
            "'a + b'", "today()", "${a}", "concat('x', ${a})", "x.png", "jr://images/x.png", "[a]", "a/b", "now", "1 -1", "đ"]
for default in DEFAULTS:
    for kind in ["text", "date", "image", "calculate"]:
        add(f"default {kind} {default}", [
            {"type": "text", "name": "a", "label": "A"},
            {"type": "begin_repeat", "name": "r", "label": "R"},
            {"type": kind, "name": "q", "label": "Q", "default": default},
            {"type": "end_repeat"}])

PLACES = {"root": [], "group": ["group"], "repeat": ["repeat"], "group in repeat": ["repeat", "group"],
          "repeat in repeat": ["repeat", "repeat"], "repeat in group": ["group", "repeat"]}


def wrapped(path, prefix, inner):
    names = [f"{prefix}{depth}" for depth in range(len(path))]
    begin = [{"type": f"begin_{kind}", "name": name, "label": name} for kind, name in zip(path, names)]
    return begin + inner + [{"type": f"end_{kind}"} for kind in reversed(path)]


def reader(expression):
    return [
        {"type": "calculate", "name": "c", "calculation": expression},
        {"type": "text", "name": "t", "label": "See " + expression, "hint": expression, "relevant": expression + " > 1",
         "constraint": ". != " + expression, "constraint_message": "Not " + expression, "required": expression},
        {"type": "select_one l", "name": "s", "label": "S", "choice_filter": "x = " + expression},
        {"type": "select_one l", "name": "u", "label": "U", "parameters": "randomize=true seed=${q}"},
    ]


for source, source_path in PLACES.items():
    for target, target_path in PLACES.items():
        question = [{"type": "text", "name": "q", "label": "Q"}]
        add(f"from {source} to {target}",
            wrapped(target_path, "t", question) + wrapped(source_path, "s", reader("${q}")), CHOICES)
    add(f"beside in {source}", wrapped(source_path, "s", [{"type": "text", "name": "q", "label": "Q"}] + reader("${q}")), CHOICES)
    add(f"container in {source}", wrapped(source_path, "s", wrapped(["repeat"], "r", [
        {"type": "text", "name": "q", "label": "Q"}]) + reader("count(${r0})")), CHOICES)
    add(f"answers in {source}", wrapped(source_path, "s", wrapped(["repeat"], "r", [
        {"type": "text", "name": "q", "label": "Q"}]) + [{"type": "select_one ${q}", "name": "p", "label": "P"}]), CHOICES)
EXPRESSIONS = ["${last-saved#q}", "indexed-repeat(${q}, ${s0}, ${i})", "sum(${q}) + ${i}", "instance('l')/root/item[name = ${q}]/label",
               "pulldata('f', 'a', 'b', ${q})", "current()/../q", ". + 1", "${q} = '${i}'", "position(..)", "once(random())"]
for expression in EXPRESSIONS:
    add(f"expression {expression}", wrapped(["repeat"], "s", [
        {"type": "text", "name": "q", "label": "Q"}, {"type": "integer", "name": "i", "label": "I"}] + reader(expression)), CHOICES)

COLUMNS = ["label", "label::vi", "label::English (en)", "hint", "hint::vi", "guidance_hint", "guidance_hint::vi", "image",
           "media::image::vi", "audio::vi", "constraint_message::vi", "required_message", "big-image"]
for first in range(len(COLUMNS)):
    for second in range(first, len(COLUMNS)):
        columns = {COLUMNS[first]: "A ${b}", COLUMNS[second]: "B"}
        add(f"texts {COLUMNS[first]} {COLUMNS[second]}",
            [{"type": "text", "name": "a", "label": "", **columns}, {"type": "text", "name": "b", "label": "B"}],
            table("settings", [{"default_language": "vi"}]) if (first + second) % 2 else "")
for columns in [{"label": "One"}, {"label::vi": "Một"}, {"label": "One", "label::vi": "Một"}, {"label": "One ${q}"},
                {"label": "One", "media::image": "1.png"}, {"label": "One", "extra": "7"}, {"label": ""}]:
    add(f"choice {columns}", [{"type": "select_one m", "name": "q", "label": "Q"}],
        table("choices", [{"list_name": "m", "name": "1", **columns}, {"list_name": "m", "name": "2", "label": "Two"}]))

SETTINGS = [{"form_title": "T", "form_id": "i", "version": "3"}, {"name": "root"}, {"name": "a b"}, {"style": "pages"},
            {"instance_name": "${q}"}, {"instance_name": "${nothing}"}, {"public_key": "AAA", "submission_url": "https://x/y"},
            {"auto_send": "true", "auto_delete": "false"}, {"client_editable": "yes"}, {"omit_instanceID": "yes"},
            {"omit_instanceID": "yes", "public_key": "A"}, {"namespaces": 'e="http://e.org/e"', "attribute::e:f": "g"},
            {"instance_xmlns": "http://x"}, {"prefix": "p", "delimiter": "d"}, {"default_language": "vi"}, {"instance_id": "uuid"},
            {"allow_choice_duplicates": "yes"}, {"clean_text_values": "no"}]
for settings in SETTINGS:
    add(f"settings {settings}", [{"type": "text", "name": "q", "label": "Q  “q”"}], table("settings", [settings]))

GROUPS = {
    "computed count": wrapped([], "", [{"type": "integer", "name": "n", "label": "N"}, {"type": "begin_repeat", "name": "r", "label": "R", "repeat_count": "${n} + 1"}, {"type": "text", "name": "q", "label": "Q"}, {"type": "end_repeat"}]),
    "plain count": [{"type": "integer", "name": "n", "label": "N"}, {"type": "begin_repeat", "name": "r", "repeat_count": "${n}", "appearance": "field-list"}, {"type": "text", "name": "q", "label": "Q"}, {"type": "end_repeat"}],
    "table-list": [{"type": "begin_group", "name": "g", "label": "G", "hint": "H", "appearance": "table-list minimal"}, {"type": "select_one l", "name": "a", "label": "A"}, {"type": "select_one l", "name": "b", "label": "B"}, {"type": "end_group"}],
    "loop": [{"type": "begin loop over l", "name": "g", "label": "G"}, {"type": "text", "name": "q", "label": "About %(label)s"}, {"type": "end loop"}],
    "group logic": [{"type": "begin_group", "name": "g", "label": "G", "relevant": "yes", "appearance": "field-list"}, {"type": "text", "name": "q", "label": "Q", "readonly": "yes", "required": "no"}, {"type": "end_group"}],
    "trigger": [{"type": "text", "name": "a", "label": "A"}, {"type": "calculate", "name": "b", "calculation": "now()", "trigger": "${a}"}],
    "two triggers": [{"type": "text", "name": "a", "label": "A"}, {"type": "text", "name": "c", "label": "C"}, {"type": "dateTime", "name": "b", "label": "B", "calculation": "now()", "trigger": "${a}, ${c}"}],
    "trigger that is hidden": [{"type": "calculate", "name": "a", "calculation": "1"}, {"type": "calculate", "name": "b", "calculation": "2", "trigger": "${a}"}],
    "background point": [{"type": "text", "name": "a", "label": "A"}, {"type": "background-geopoint", "name": "b", "trigger": "${a}"}],
    "background point alone": [{"type": "background-geopoint", "name": "b"}],
    "unmatched end": [{"type": "text", "name": "a", "label": "A"}, {"type": "end_group"}],
    "unmatched begin": [{"type": "begin_group", "name": "g"}, {"type": "text", "name": "a", "label": "A"}],
    "crossed ends": [{"type": "begin_group", "name": "g"}, {"type": "begin_repeat", "name": "r"}, {"type": "text", "name": "a", "label": "A"}, {"type": "end_group"}, {"type": "end_repeat"}],
    "same name": [{"type": "text", "name": "a", "label": "A"}, {"type": "text", "name": "a", "label": "A"}],
    "no name": [{"type": "text", "name": "", "label": "A"}],
    "no label": [{"type": "text", "name": "a", "label": ""}],
    "other in filter": [{"type": "select_one l or_other", "name": "a", "label": "A", "choice_filter": "x = 1"}],
    "search": [{"type": "select_one l", "name": "a", "label": "A", "appearance": "search('f')"}],
    "search beside": [{"type": "select_one l", "name": "a", "label": "A", "appearance": "search('f')"}, {"type": "select_one l", "name": "b", "label": "B"}],
    "two last saved": [{"type": "text", "name": "a", "label": "A", "default": "${last-saved#a}"}],
    "hidden text": [{"type": "text", "name": "a", "calculation": "1"}, {"type": "text", "name": "b", "label": "B", "calculation": "2"}],
    "list in the body": [{"type": "select_one l", "name": "a", "label": "A", "appearance": "label"}],
}
for name, rows in GROUPS.items():
    add(name, rows, CHOICES)
for columns in [{"label": "${q}"}, {"entity_id": "${q}"}, {"label": "${q}", "create_if": "${q} = 1"}, {"entity_id": "${q}", "update_if": "true()"},
                {"entity_id": "${q}", "create_if": "a", "update_if": "b", "label": "L"}, {"entity_id": "${q}", "create_if": "a"}, {"update_if": "a"}, {}]:
    for place, path in PLACES.items():
        add(f"entity {columns} in {place}", wrapped(path, "s", [{"type": "text", "name": "q", "label": "Q", "save_to": "p"}]),
            table("entities", [{"list_name": "things", **columns}]))

result = []
for name, form in FORMS.items():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "form.md"
        path.write_text(form)
        try:
            xform = convert(str(path)).xform
        except Exception as error:  # noqa: BLE001: any error is a refusal
            xform = None
    if xform is not None:
        xform = "\n".join(line.strip() for line in xform.splitlines())
    result.append({"name": name, "form": form, "xform": xform})
pathlib.Path(__file__).with_name("forms.json").write_text(json.dumps(result, ensure_ascii=False, indent=0) + "\n")
print(len(result), "forms,", sum(form["xform"] is None for form in result), "refused")
