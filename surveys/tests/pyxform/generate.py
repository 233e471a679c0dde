#!/usr/bin/env python3
"""Writes random XLSForms by seed with what pyxform 4.5.0 makes of each (null = refused), as JSON.

    python3 generate.py SEED COUNT > generated.json

Forms mix every question type, groups, repeats, cascades, files, calculations, references between
places, translations, triggers, parameters, settings and entities. One in eight is broken on
purpose in one place. References go to earlier rows only, so that ODK Validate accepts the others.

What pyxform 4.5.0 does wrongly is not asked of it: a bare column right of its translations (it loses
them) or beside the default language's own (it stops with a Python error), parameters of `gps` and
`location` (it drops them), `select_multiple ${q}`. A form where it still stops is left out.
"""
import json
import random
import sys
import tempfile
import pathlib

from pyxform.errors import PyXFormError
from pyxform.xls2xform import convert

LANGUAGES = ["Tiếng Việt (vi)", "English (en)", "Hmoob (hmn)"]
WORDS = "Tuổi Tên thôn bản Hộ Số người & <b> Đường Nước Age Household “Name” Village 'x' km² 5% a|b".split()


class Form:
    def __init__(self, chance):
        self.chance = chance
        self.survey, self.choices, self.settings, self.entities = [], [], {}, []
        self.external, self.osm = [], []
        self.count = 0
        # Earlier questions: name, kind of value, containers around it (innermost last).
        self.known = []
        self.lists = {}
        self.languages = chance.sample(LANGUAGES, chance.choice([0, 0, 1, 2, 3]))
        self.default = chance.choice(LANGUAGES) if self.often(0.5) else None
        self.repeats = []
        self.short_media = self.often(0.5)

    def often(self, share):
        return self.chance.random() < share

    def name(self, prefix="q"):
        self.count += 1
        return f"{prefix}{self.count}" + self.chance.choice(["", "", "", "_x", "-y", ".z", "đ"])

    def words(self, inside, references=True):
        text = " ".join(self.chance.sample(WORDS, self.chance.randint(1, 3)))
        if references and self.often(0.2) and (at := self.pick(inside)):
            text += f" ${{{at}}} " + self.chance.choice(WORDS)
        return text

    def pick(self, inside, kinds=None):
        """An earlier question with one value here: in no repeat, or in one that is around here."""
        near = [name for name, kind, path in self.known
                if (kinds is None or kind in kinds) and all(c in inside for c in path if c.startswith("r"))]
        return self.chance.choice(near) if near else None

    def say(self, row, column, inside, references=True):
        bare = self.default not in self.languages
        if bare and (not self.languages or self.default or self.often(0.2)):
            row[column] = self.words(inside, references)
        for language in self.languages:
            if self.often(0.9):
                row[f"{column}::{language}"] = self.words(inside, references)
        if not any(key == column or key.startswith(column + "::") for key in row):
            row[column if bare else f"{column}::{self.default}"] = self.words(inside, references)

    def first_language(self):
        """Of a column with files: ODK Validate refuses those that only another language has."""
        return f"::{self.default}" if self.default in self.languages else ""

    def number(self, inside):
        """An expression with a number as its value."""
        options = ["1", "2.5", "-3", "int(random() * 10)", "decimal-date-time(now())", "string-length('a + b')",
                   "once(random())", "round(7.25, 1)", "if(1 < 2, 3, 4)", "pow(2, 3) div 3", "7 mod 4"]
        if at := self.pick(inside, {"number"}):
            options += [f"${{{at}}} + 1", f"coalesce(${{{at}}}, 0) * 2", f"max(${{{at}}}, 1)", f"(${{{at}}})",
                        f"if(${{{at}}} > 10, ${{{at}}} - 10, 0)", f"${{{at}}}div 2" if self.often(0.3) else f"${{{at}}} div 2"]
        if at := self.pick(inside, {"choices"}):
            options += [f"count-selected(${{{at}}})"]
        if any(r in inside for r in self.repeats):
            options += ["position(..)"] if inside[-1].startswith("r") else []
        others = [r for r in self.repeats if r not in inside]
        if others:
            repeat = self.chance.choice(others)
            options += [f"count(${{{repeat}}})"] * 2
            numbers = [n for n, kind, path in self.known if kind == "number" and [c for c in path if c.startswith("r")] == [repeat]]
            if numbers:
                at = self.chance.choice(numbers)
                options += [f"sum(${{{at}}})", f"max(${{{at}}}) + 1", f"indexed-repeat(${{{at}}}, ${{{repeat}}}, 1)"] * 2
        return self.chance.choice(options)

    def condition(self, inside):
        options = ["true()", "1 = 1", "not(false())", f"{self.number(inside)} > {self.number(inside)}", "today() > date('2026-01-01')"]
        if at := self.pick(inside, {"text"}):
            options += [f"${{{at}}} != ''", f"regex(${{{at}}}, '[a-z]+')", f"starts-with(${{{at}}}, \"a\")", f"${{{at}}} = 'a'or 2 > 1"]
        if at := self.pick(inside, {"choice", "choices"}):
            options += [f"selected(${{{at}}}, '1')", f"not(selected(${{{at}}}, '2')) and ${{{at}}} != '98'"] * 2
        if at := self.pick(inside, {"date"}):
            options += [f"${{{at}}} < today()", f"format-date(${{{at}}}, '%Y') = '2026'"]
        return self.chance.choice(options)

    def list_name(self, cascade=None):
        """A list, perhaps an earlier one; with `cascade` one with a column of that name."""
        if cascade is None and self.lists and self.often(0.5):
            return self.chance.choice(list(self.lists))
        name = self.name("l").replace("đ", "").replace(".", "")
        self.lists[name] = cascade
        media = self.often(0.15)
        for code in range(1, self.chance.randint(2, 5)):
            row = {"list_name": name, "name": str(code) if self.often(0.9) else f"m{code}"}
            self.say(row, "label", [], references=False)
            if media and self.often(0.6):
                row["media::image" + self.first_language()] = f"{name}{code}.png"
            if cascade:
                row[cascade] = str(self.chance.randint(1, 4))
            self.choices.append(row)
        return name

    def select(self, inside):
        row, kind = {}, self.chance.choice(["select_one", "select_one", "select_multiple", "rank"])
        form = self.chance.choice(["list"] * 5 + ["cascade"] * 3 + ["file"] * 2 + ["other", "answers", "external"])
        spelling = self.chance.choice([kind, kind, {"select_one": "select one", "select_multiple": "select all that apply"}.get(kind, kind)])
        earlier = self.pick(inside, {"choice"})
        row["type"] = f"{spelling} {{}}"
        if form == "file":
            spelling = self.chance.choice(["select_one_from_file", "select_multiple_from_file"])
            kind = spelling.removesuffix("_from_file")
            ending = self.chance.choice(["csv", "xml", "geojson"])
            row["type"] = f"{spelling} {self.name('f').replace('đ', '').replace('.', '')}.{ending}"
            if ending != "geojson" and self.often(0.4):
                row["parameters"] = self.chance.choice(["value=Ma", "label=Ten", "value=Ma label=Ten", "label=Ten, value=Ma"])
            if earlier and self.often(0.5):
                row["choice_filter"] = f"{self.chance.choice(['tinh', 'xa'])} = ${{{earlier}}}"
        elif form == "external" and earlier:
            name = self.name("e").replace("đ", "").replace(".", "")
            kind, row["type"] = "select_one", f"select_one_external {name}"
            row["choice_filter"] = f"tinh = ${{{earlier}}}"
            for code in range(3):
                self.external.append({"list_name": name, "name": f"x{code}", "label": f"X {code}", "tinh": str(code)})
        elif form == "cascade" and earlier:
            column = self.chance.choice(["tinh", "xa"])
            row["type"] = row["type"].format(self.list_name(column))
            row["choice_filter"] = self.chance.choice([
                f"{column}=${{{earlier}}}", f"{column} = ${{{earlier}}}", f"selected(${{{earlier}}}, {column})",
                f"{column} = ${{{earlier}}} or name = '98'", "name != '2'", f"{column} = current()/../{earlier}" if not inside else "true()"])
        elif form == "other" and kind != "rank":
            row["type"] = f"{kind} {self.list_name()} " + self.chance.choice(["or_other", "or other", "or specify other"])
        elif form == "answers" and (texts := [n for n, k, path in self.known if k == "text" and path and [c for c in path if c.startswith("r")] == path[-1:]
                                              and not [c for c in path if c in inside and c.startswith("r")]]):
            kind = "select_one"
            answers = self.chance.choice(texts)
            row["type"] = f"{kind} ${{{answers}}}"
            if self.often(0.3):
                row["choice_filter"] = f"${{{answers}}} != ''" + self.chance.choice(["", " and position() < 5", f" and ${{{answers}}} != 'a'"])
        else:
            row["type"] = row["type"].format(self.list_name())
        if "or" not in row["type"].split()[2:] and "or_other" not in row["type"] and self.often(0.2) and "parameters" not in row \
                and "external" not in row["type"] and "${" not in row["type"]:
            row["parameters"] = "randomize=true"
            if self.often(0.5):
                at = self.pick(inside, {"number"})
                row["parameters"] += f", seed=${{{at}}}" if at and self.often(0.5) else "; seed=42"
        if self.often(0.2):
            row["appearance"] = self.chance.choice(["minimal", "columns-2", "quick", "likert", "autocomplete", "label", "list-nolabel"])
        return row, "choices" if kind == "select_multiple" else "rank" if kind == "rank" else "choice"

    def question(self, inside):
        chance, row = self.chance, {}
        kind = chance.choice(["text", "text", "integer", "integer", "decimal", "date", "select", "select", "select", "calculate", "calculate",
                              "note", "other", "range", "place", "file"])
        value = None
        if kind == "select":
            row, value = self.select(inside)
        elif kind in ("text", "integer", "decimal", "date", "note"):
            row["type"] = chance.choice({"text": ["text", "string", "q string"], "integer": ["integer", "int"], "decimal": ["decimal"],
                                         "date": ["date", "dateTime", "time"], "note": ["note", "add note prompt"]}[kind])
            value = {"integer": "number", "decimal": "number", "note": None}.get(kind, kind)
            if row["type"] == "time":
                value = None
            if row["type"] == "text" and self.often(0.1):
                row["parameters"] = "rows=3"
        elif kind == "calculate":
            row["type"] = "calculate"
            number = self.often(0.6)
            value = "number" if number else "text"
            texts = ["'a'", "uuid()", "concat('x', 'y')", "pulldata('dan_so', 'ten', 'ma', '01')", "string(1 + 1)",
                     "instance('danh_ba')/root/item[ma = '1']/ten" if any(r["type"] == "csv-external" for r in self.survey) else "'b'"]
            if at := self.pick(inside, {"text"}):
                texts += [f"concat(${{{at}}}, ' ', ${{last-saved#{at}}})", f"substr(${{{at}}}, 0, 2)", f"${{{at}}}"]
            row["calculation"] = self.number(inside) if number else chance.choice(texts)
            visible = [n for n, k, path in self.known if k in ("text", "number", "date", "choice") and n in self.shown and path == inside]
            if visible and self.often(0.15):
                row["trigger"] = ", ".join(f"${{{n}}}" for n in chance.sample(visible, min(len(visible), chance.randint(1, 2))))
        elif kind == "other":
            row["type"] = chance.choice(["acknowledge", "trigger", "barcode", "phone number", "percentage", "hidden", "start", "end", "today", "deviceid",
                                         "username", "email", "phonenumber", "start-geopoint", "number of days in last month", "uri:deviceid"])
        elif kind == "range":
            row["type"], value = "range", "number"
            row["parameters"] = chance.choice(["start=0 end=10 step=1", "start=0;end=1;step=0.25", "start=10 end=-10 step=2", "",
                                               "start=0 end=10 step=1 tick_interval=5", "start=0 end=10 step=2 placeholder=4"])
        elif kind == "place":
            row["type"] = chance.choice(["geopoint", "geotrace", "geoshape", "gps"])
            if row["type"] != "gps" and self.often(0.5):
                row["parameters"] = chance.choice(["allow-mock-accuracy=true"] + (
                    ["capture-accuracy=10", "warning-accuracy=20 capture-accuracy=5"] if row["type"] == "geopoint" else ["incremental=true"]))
        else:
            row["type"] = chance.choice(["image", "photo", "audio", "video", "file", "osm", "background-audio"])
            if row["type"] in ("image", "photo") and self.often(0.7):
                row["parameters"] = chance.choice(["max-pixels=1024", "app=org.a.b", "max-pixels=640 app=org.a.b"])
            if row["type"] == "audio" and self.often(0.5):
                row["parameters"] = "quality=" + chance.choice(["voice-only", "low", "normal"])
            if row["type"] == "osm":
                row["type"] = "osm tags"
                self.osm = [{"list_name": "tags", "name": "building", "label": "Nhà"}, {"list_name": "tags", "name": "yes", "label": "Có"}]
        row["name"] = name = self.name()
        shown = row["type"] not in ("calculate", "hidden", "start", "end", "today", "deviceid", "username", "email", "phonenumber", "start-geopoint",
                                    "background-audio", "uri:deviceid")
        if shown:
            self.say(row, "label", inside)
            if self.often(0.25):
                self.say(row, "hint", inside)
            if self.often(0.1):
                self.say(row, "guidance_hint", inside, references=False)
            if self.often(0.1):
                column = chance.choice(["image", "audio", "video"] if self.short_media else ["media::image", "media::audio"])
                ending = {"image": ".png", "audio": ".mp3", "video": ".mp4"}[column.removeprefix("media::")]
                row[column + self.first_language()] = name + ending
                if self.languages and self.often(0.3):
                    row[f"{column}::{self.languages[-1]}"] = "vi-" + name + ending
            if self.often(0.25) and row["type"] not in ("note", "add note prompt"):
                row["required"] = chance.choice(["yes", "no", "TRUE", self.condition(inside)])
                if self.often(0.3):
                    self.say(row, "required_message", inside)
            if self.often(0.15):
                row["readonly"] = chance.choice(["yes", "no"])
        if shown and self.often(0.3):
            row["relevant"] = self.condition(inside)
        if value == "number" and shown and self.often(0.4) and row["type"] != "range":
            row["constraint"] = chance.choice([". >= 0", ". > 0 and . < 120", f". <= {self.number(inside)}", ".<5"])
            if self.often(0.6):
                self.say(row, "constraint_message", inside)
        if shown and self.often(0.15) and value in ("text", "number", "date", "choice"):
            row["default"] = chance.choice({
                "text": ["a", "a b", "a-b", "concat('a', 'b')", "'a + b'", "đ/x", "now()", "01:02:03Z"],
                "number": ["1", "-1", "1 + 1", "2 * 3", "7 mod 2", self.number(inside)],
                "date": ["2026-01-31", "today()", "2026-01-31T10:00:00.000+07:00", "2026-01-31T10:00:00+07:00"],
                "choice": ["1", "2"]}[value])
            if value == "date":
                row["default"] = {"date": "2026-01-31", "dateTime": chance.choice(["2026-01-31T10:00:00+07:00", "now()"])}.get(row["type"], "today()")
        if row["type"] in ("text", "string", "integer", "int", "date") and self.often(0.1):
            row["appearance"] = {"date": "month-year"}.get(row["type"], chance.choice(["numbers", "multiline", "thousands-sep", "ex:org.a.b(x='1')"]))
        if self.often(0.04):
            row["bind::odk:x"] = "1"
        if self.often(0.03):
            row["disabled"] = "yes"
            self.survey.append(row)
            return
        self.survey.append(row)
        if value:
            self.known.append((name, value, list(inside)))
            if shown:
                self.shown.add(name)

    def block(self, inside, depth):
        chance = self.chance
        repeat = self.often(0.45)
        name = self.name("r" if repeat else "g").replace("đ", "")
        word = "repeat" if repeat else "group"
        row = {"type": chance.choice([f"begin_{word}", f"begin {word}"]), "name": name}
        if self.often(0.85):
            self.say(row, "label", inside)
        if self.often(0.3):
            row["relevant"] = self.condition(inside)
        if repeat:
            if self.often(0.4):
                at = self.pick(inside, {"number"})
                row["repeat_count"] = chance.choice(["3", self.number(inside)] + ([f"${{{at}}}"] * 3 if at else []))
        elif self.often(0.3):
            row["appearance"] = chance.choice(["field-list", "field-list minimal", "w2"])
        if self.often(0.05):
            row["hint"] = "x"
        self.survey.append(row)
        # ODK Validate refuses a group that shows nothing.
        first = {"type": "text", "name": self.name()}
        self.say(first, "label", inside)
        self.survey.append(first)
        self.rows(inside + [name], depth + 1, chance.randint(1, 5))
        self.survey.append({"type": f"end_{word}" if self.often(0.7) else f"end {word}", "name": name if self.often(0.5) else ""})
        if repeat:
            self.repeats.append(name)

    def table(self, inside):
        codes = self.list_name()
        row = {"type": "begin_group", "name": self.name("g"), "appearance": self.chance.choice(["table-list", "table-list minimal"])}
        if self.often(0.7):
            self.say(row, "label", inside)
        self.survey.append(row)
        for _ in range(self.chance.randint(1, 3)):
            one = {"type": f"select_one {codes}", "name": self.name()}
            self.say(one, "label", inside)
            self.survey.append(one)
        self.survey.append({"type": "end_group"})

    def loop(self, inside):
        codes = self.list_name()
        self.survey.append({"type": f"begin loop over {codes}", "name": self.name("loop").replace("đ", "")})
        # pyxform 4.5.0 needs XML names as codes here.
        for row in self.choices:
            if row["list_name"] == codes and row["name"].isdigit():
                row["name"] = "m" + row["name"]
        self.survey.append({"type": "integer", "name": self.name(), "label": "%(label)s: %(name)s"})
        self.survey.append({"type": "end loop"})

    def rows(self, inside, depth, count):
        for _ in range(count):
            if depth < 3 and self.often(0.18):
                self.block(inside, depth)
            elif self.often(0.03):
                self.table(inside)
            elif self.often(0.02) and not self.languages:
                self.loop(inside)
            else:
                self.question(inside)

    def whole(self):
        chance = self.chance
        self.shown = set()
        if self.often(0.15):
            self.survey.append({"type": chance.choice(["csv-external", "xml-external"]), "name": "danh_ba"})
            self.survey[0]["type"] = "csv-external"
        if self.often(0.15):
            self.survey.append({"type": "audit", "name": "audit", "parameters": chance.choice(
                ["", "track-changes=true", "location-priority=balanced location-min-interval=60 location-max-age=120", "identify-user=true"])})
        self.rows([], 0, chance.randint(2, 10))
        for key, values in {
            "form_title": ["Phiếu <1> & 2", "T"], "form_id": ["phieu", "a-b"], "version": ["2026010101", "1.0"], "style": ["pages", "theme-grid"],
            "name": ["goc"], "public_key": ["MIIBIjANBg"], "submission_url": ["https://example.org/submission"], "auto_send": ["true"],
            "auto_delete": ["false"], "instance_name": ["concat('a', 'b')", f"${{{self.pick([]) or 'none'}}}" if self.pick([]) else "'a'"],
            "allow_choice_duplicates": ["yes"], "client_editable": ["yes"], "namespaces": ['a="http://example.org/a"'],
            "clean_text_values": ["no"]}.items():
            if self.often(0.12):
                self.settings[key] = chance.choice(values)
        if self.default:
            self.settings["default_language"] = self.default
        # An entity's expressions stay out of repeats: pyxform leaves out an entity saved further out.
        self.repeats = []
        if self.often(0.15) and (at := self.pick([])):
            row = {"list_name": "ho", "label": f"concat('Hộ ', ${{{at}}})"}
            if self.often(0.5):
                row["create_if"] = self.condition([])
            if self.often(0.4):
                row["entity_id"] = f"${{{at}}}"
                row["update_if"] = self.condition([])
                # What is updated comes with the form.
                self.survey.insert(0, {"type": "csv-external", "name": "ho"})
                if self.often(0.5):
                    row.pop("create_if", None)
                    if self.often(0.5):
                        row.pop("label")
            self.entities.append(row)
            saved = [r for r in self.survey if r.get("name") == at]
            if saved and self.often(0.7):
                saved[0]["save_to"] = chance.choice(["ten", "ma_ho"])

    def broken(self):
        """One mistake somewhere."""
        chance = self.chance
        rows = [row for row in self.survey if row.get("name") and not row["type"].startswith("end") and "disabled" not in row]
        if not rows:
            return
        row = chance.choice(rows)
        mistake = chance.choice(["name", "type", "reference", "label", "twice", "end", "list", "code", "parameter", "space"])
        if mistake == "name":
            row["name"] = chance.choice(["1a", "a b", "", "meta"])
        elif mistake == "type":
            row["type"] = chance.choice(["txt", "Integer", "select_one", "begin_grup"])
        elif mistake == "reference":
            row["relevant"] = chance.choice(["${khong_co} = 1", "${q1", "${ q1 } = 1"])
        elif mistake == "label":
            for key in [key for key in row if key.startswith(("label", "hint", "guidance", "image", "audio", "video", "media"))]:
                del row[key]
        elif mistake == "twice":
            rows[-1]["name"] = rows[0]["name"]
        elif mistake == "end":
            self.survey.append({"type": "end_group"})
        elif mistake == "list":
            row["type"] = "select_one khong_co"
        elif mistake == "code" and self.choices:
            chance.choice(self.choices)["name"] = ""
        elif mistake == "parameter":
            # Of the other spellings pyxform does not look at parameters.
            row.update(type="text", parameters=chance.choice(["x=1", "rows", "seed=1"]))
        elif mistake == "space":
            self.choices.append({"list_name": "space", "name": "a b", "label": "A"})
            self.survey.append({"type": "select_multiple space", "name": "space", "label": "S"})

    def markdown(self):
        sheets = {"survey": self.survey, "choices": self.choices, "settings": [self.settings] if self.settings else [],
                  "external_choices": self.external, "entities": self.entities, "osm": self.osm}
        return "\n".join(table(name, rows) for name, rows in sheets.items() if rows)


def table(sheet, rows):
    header = list(dict.fromkeys(key for row in rows for key in row))
    order = {key: at for at, key in reversed(list(enumerate(header)))}
    first = {key: min(at for other, at in order.items() if other == key or other.startswith(key + "::")) for key in header}
    # A bare column stands left of its translations.
    header.sort(key=lambda key: (first[key.split("::")[0]] if key.split("::")[0] in first else order[key], "::" in key, order[key]))
    lines = ["| " + sheet + " |" + " |" * len(header), "| | " + " | ".join(header) + " |"]
    lines += ["| | " + " | ".join(row.get(key, "").replace("|", "\\|") for key in header) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def made(seed):
    form = Form(random.Random(seed))
    form.whole()
    if form.often(0.125):
        form.broken()
    return form.markdown()


def main():
    first, count = int(sys.argv[1]), int(sys.argv[2])
    forms = []
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "form.md"
        for seed in range(first, first + count):
            text = made(seed)
            file.write_text(text)
            try:
                xform = convert(str(file)).xform
            except PyXFormError as error:
                print(f"{seed}: refused: {error}", file=sys.stderr)
                xform = None
            except Exception as error:
                print(f"{seed}: left out, for pyxform stops with {type(error).__name__}: {error}", file=sys.stderr)
                continue
            forms.append({"name": f"generated {seed}", "form": text, "xform": xform})
    json.dump(forms, sys.stdout, ensure_ascii=False, indent=0)
    print()


if __name__ == "__main__":
    main()
