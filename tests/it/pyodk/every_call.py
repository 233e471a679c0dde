"""Runs pyodk, as PyPI has it, over every call of its clients against a running server.

Arguments: address, folder with `household.xlsx` and `household-2.xlsx`, number of a practice project, number of a
survey project whose records the analyst may open under a grant. Passwords are in PYODK_PASSWORD. Fails at the first
answer that is not what it should be; prints one line a step.
"""

import base64
import io
import json
import os
import re
import sys
import uuid
import zipfile
import zlib
from pathlib import Path

import zxingcpp
from PIL import Image, ImageDraw
from pyodk._utils.config import CentralConfig, Config
from pyodk.client import Client
from pyodk.errors import PyODKError

BASE, FOLDER, PROJECT, SURVEY = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def client(login, project=PROJECT):
    config = Config(
        central=CentralConfig(
            base_url=BASE, username=login, password=os.environ["PYODK_PASSWORD"], default_project_id=project
        )
    )
    # A cache of its own: the client would take another person's session for this one's.
    opened = Client(config=config, cache_path=FOLDER / f"{login}.toml")
    opened.open()
    return opened


def refused(code, call):
    """The call fails with this code of ODK Central."""
    try:
        call()
    except PyODKError as error:
        answer = error.args[1].json()
        assert answer["code"] == code, answer
        assert answer["message"], answer
        return answer
    raise AssertionError(f"expected {code}")


def step(name):
    print(name, flush=True)


designer, supervisor, analyst = client("designer"), client("supervisor"), client("analyst")

step("sessions, users, projects")
assert designer.session.get("users/current").json()["email"] == "designer"
assert PROJECT in [project.id for project in designer.projects.list()]
assert designer.projects.get().id == PROJECT
refused(404.1, lambda: designer.projects.get(99999))

step("forms")
file = FOLDER / "villages.csv"
file.write_text("name,label\n1,Nà Ngoạ\n", encoding="utf-8")
form = designer.forms.create(FOLDER / "household.xlsx", attachments=[file])
assert (form.xmlFormId, form.projectId) == ("household", PROJECT), form
refused(409.3, lambda: designer.forms.create(FOLDER / "household.xlsx"))
assert [f.xmlFormId for f in designer.forms.list()] == ["household"]
assert designer.forms.get("household").version == "1"
xml = designer.forms.get_xml("household")
assert "<h:title>" in xml and 'version="1"' in xml, xml[:400]
designer.forms.update("household", definition=FOLDER / "household-2.xlsx")
assert designer.forms.get("household").version == "2"
designer.forms.update("household", attachments=[file], version_updater=lambda version: f"{version}.1")
assert designer.forms.get("household").version == "2.1"
designer.forms.create(xml.replace('id="household"', 'id="copy"'))
assert {f.xmlFormId for f in designer.forms.list()} == {"household", "copy"}

step("app users and assignments")
users = supervisor.projects.create_app_users(["Máy 1", "Máy 2"], forms=["household"])
assert [len(user.token) for user in users] == [64, 64]
listed = supervisor.session.get(f"projects/{PROJECT}/app-users").json()
assert [user["displayName"] for user in listed][-2:] == ["Máy 1", "Máy 2"], listed
forms = supervisor.session.get(f"key/{users[0].token}/projects/{PROJECT}/formList", headers={"X-OpenRosa-Version": "1.0"})
assert "<formID>household</formID>" in forms.text, forms.text

step("the QR code, read by another program")
svg = supervisor.session.get(f"key/{users[0].token}/projects/{PROJECT}/qr.svg").text
width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
picture = Image.new("L", (width, height), 255)
draw = ImageDraw.Draw(picture)
for square in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)", svg):
    x, y, w, h = map(int, square)
    if w < width:
        draw.rectangle([x, y, x + w - 1, y + h - 1], fill=0)
settings = json.loads(zlib.decompress(base64.b64decode(zxingcpp.read_barcodes(picture)[0].text)))
assert settings["general"]["server_url"] == f"{BASE}/v1/key/{users[0].token}/projects/{PROJECT}", settings
assert settings["admin"] == {} and settings["project"]["name"], settings

step("submissions")
KIDS = "<kids><kid><kid_name>An</kid_name><age>{}</age></kid><kid><kid_name>Bình</kid_name><age>9</age></kid></kids>"


def instance(iid, head, rooms, photo="", deprecated=""):
    old = f"<deprecatedID>{deprecated}</deprecatedID>" if deprecated else ""
    return (
        f'<data id="household" version="2.1"><head>{head}</head><rooms>{rooms}</rooms>'
        f"<place>22.5 104.75 300 5</place><photo>{photo}</photo>{KIDS.format(rooms)}"
        f"<meta><instanceID>{iid}</instanceID>{old}</meta></data>"
    )


ids = [f"uuid:{uuid.uuid4()}" for _ in range(5)]
photo = FOLDER / "ảnh nhà.jpg"
photo.write_bytes(b"\xff\xd8" + bytes(range(256)) * 300)
made = supervisor.submissions.create(
    instance(ids[0], "Lan", 3, photo.name), form_id="household", device_id="tablet 7", attachments=[photo]
)
assert made.instanceId == ids[0] and made.attachments[0].exists, made
for i, iid in enumerate(ids[1:], 1):
    supervisor.submissions.create(instance(iid, f"Hộ {i}", i, "missing.jpg" if i == 4 else ""), form_id="household")
clash = refused(409.3, lambda: supervisor.submissions.create(instance(ids[0], "Lan", 3, photo.name), form_id="household"))
assert clash["details"] == {"fields": ["instanceID"], "values": [ids[0]]}, clash
refused(404.6, lambda: supervisor.submissions.create(instance("uuid:x", "", 1).replace("2.1", "9"), form_id="household"))
assert [s.instanceId for s in supervisor.submissions.list("household")] == ids[::-1]
one = supervisor.submissions.get(ids[0], "household")
assert (one.deviceId, one.reviewState, one.submitterId > 0) == ("tablet 7", None, True), one
refused(404.1, lambda: supervisor.submissions.get("uuid:none", "household"))

step("attachments")
attachments = supervisor.session.get(
    supervisor.session.urlformat("projects/{p}/forms/household/submissions/{i}/attachments", p=PROJECT, i=ids[4])
).json()
assert attachments == [{"name": "missing.jpg", "exists": False}], attachments
got = supervisor.session.get(
    supervisor.session.urlformat(
        "projects/{p}/forms/household/submissions/{i}/attachments/{n}", p=PROJECT, i=ids[0], n=photo.name
    )
)
assert got.content == photo.read_bytes(), len(got.content)

step("edits, reviews, comments")
edited = f"uuid:{uuid.uuid4()}"
supervisor.submissions.edit(
    ids[0], instance(edited, "Lan", 4, photo.name, ids[0]), "household", comment="Đếm lại số phòng"
)
again = f"uuid:{uuid.uuid4()}"
refused(409.9, lambda: supervisor.submissions.edit(ids[0], instance(again, "Lan", 5, "", ids[0]), "household"))
refused(400.19, lambda: supervisor.submissions.edit(ids[0], instance(again, "Lan", 5), "household"))
one = supervisor.submissions.get(ids[0], "household")
assert (one.instanceId, one.reviewState) == (ids[0], "edited"), one
supervisor.submissions.review(ids[0], "approved", "household", comment="Đúng")
supervisor.submissions.review(ids[1], "hasIssues", "household")
assert supervisor.submissions.get(ids[0], "household").reviewState == "approved"
supervisor.submissions.add_comment(ids[1], "Hỏi lại trưởng thôn", form_id="household")
assert [c.body for c in supervisor.submissions.list_comments(ids[0], "household")] == ["Đúng", "Đếm lại số phòng"]
assert [c.body for c in supervisor.submissions.list_comments(ids[1], "household")] == ["Hỏi lại trưởng thôn"]
path = supervisor.session.urlformat("projects/{p}/forms/household/submissions/{i}", p=PROJECT, i=ids[0])
assert supervisor.session.get(f"{path}.xml").text == instance(edited, "Lan", 4, photo.name, ids[0])
versions = supervisor.session.get(f"{path}/versions").json()
assert [v["instanceId"] for v in versions] == [edited, ids[0]], versions
first = supervisor.session.get(f"{path}/versions/{ids[0]}.xml").text
assert first == instance(ids[0], "Lan", 3, photo.name), first
carried = supervisor.session.get(f"{path}/attachments").json()
assert carried == [{"name": photo.name, "exists": True}], "files are carried over to the edit"

step("OData: Submissions")
table = supervisor.submissions.get_table
rows = table("household", count=True)
assert rows["@odata.count"] == 5 and len(rows["value"]) == 5 and "@odata.nextLink" not in rows, rows
# The newest version counts, so the edited record comes first.
assert [row["__id"] for row in rows["value"]] == [ids[0], *ids[:0:-1]]
row = rows["value"][0]
assert (row["head"], row["rooms"]) == ("Lan", 4), row
assert row["place"] == {"type": "Point", "coordinates": [104.75, 22.5, 300.0], "properties": {"accuracy": 5.0}}
system = row["__system"]
assert (system["reviewState"], system["edits"], system["deviceId"]) == ("approved", 1, "tablet 7"), system
assert (system["attachmentsPresent"], system["attachmentsExpected"], system["formVersion"]) == (1, 1, "2.1"), system
assert system["submitterName"] == "supervisor" and system["status"] is None and system["deletedAt"] is None
assert row["meta"]["instanceID"] == edited
link = row["kids"]["kid@odata.navigationLink"]
assert [kid["kid_name"] for kid in supervisor.session.get(f"projects/{PROJECT}/forms/household.svc/{link}").json()["value"]] == ["An", "Bình"]
assert [row["__id"] for row in table("household", top=2, skip=1)["value"]] == [ids[4], ids[3]]
assert table("household", wkt=True)["value"][0]["place"] == "POINT (104.75 22.5 300)"
assert table("household", select="__id,rooms,__system/edits")["value"][0] == {
    "__id": ids[0], "rooms": 4, "__system": {"edits": 1}
}
refused(400.23, lambda: table("household", select="nothing"))
kid = table("household", expand="*")["value"][0]["kids"]["kid"]
assert [(k["kid_name"], k["age"], k["__Submissions-id"]) for k in kid] == [("An", 4, ids[0]), ("Bình", 9, ids[0])], kid
refused(501.6, lambda: table("household", expand="kids"))


def matching(filter):
    return [row["__id"] for row in table("household", filter=filter)["value"]]


assert matching("__system/reviewState eq 'hasIssues'") == [ids[1]]
assert matching("__system/reviewState ne null") == [ids[0], ids[1]]
assert matching("year(__system/submissionDate) lt 2020") == []
assert len(matching("__system/submissionDate le now() and not (__system/submitterId eq 0)")) == 5
assert matching(f"__id eq '{ids[2]}'") == [ids[2]]
refused(501.5, lambda: matching("rooms gt 3"))
refused(400.18, lambda: matching("__system/reviewState eq"))
counted = table("household", filter="__system/reviewState eq null", count=True, top=1)
assert counted["@odata.count"] == 3 and len(counted["value"]) == 1, counted

step("OData: pages")


def pages(url):
    while url:
        page = supervisor.session.get(url).json()
        yield page["value"]
        url = page.get("@odata.nextLink")


service = f"projects/{PROJECT}/forms/household.svc"
walked = list(pages(f"{service}/Submissions?$top=2"))
assert [len(page) for page in walked] == [2, 2, 1], walked
assert [row["__id"] for page in walked for row in page] == [row["__id"] for row in rows["value"]]
repeats = supervisor.submissions.get_table("household", table_name="Submissions.kids.kid", count=True)
assert repeats["@odata.count"] == 10 and len({row["__id"] for row in repeats["value"]}) == 10, repeats
for top in [1, 3, 4]:
    walked = [row for page in pages(f"{service}/Submissions.kids.kid?$top={top}&$count=true") for row in page]
    assert walked == repeats["value"], top
    walked = [row for page in pages(f"{service}/Submissions.kids.kid?$top={top}") for row in page]
    assert walked == repeats["value"], top
only = f"{service}/Submissions.kids.kid?$filter=$root/Submissions/__system/reviewState eq 'hasIssues'"
assert [row["__Submissions-id"] for row in supervisor.session.get(only).json()["value"]] == [ids[1], ids[1]]
refused(404.1, lambda: table("household", table_name="Nothing"))

step("OData: service document and metadata")
document = supervisor.session.get(service).json()
assert [entry["name"] for entry in document["value"]] == ["Submissions", "Submissions.kids.kid"], document
metadata = supervisor.session.get(f"{service}/$metadata").text
for part in ['<Property Name="rooms" Type="Edm.Int64"/>', 'Edm.GeographyPoint', '__Submissions-id', 'EntitySet Name="Submissions.kids.kid"']:
    assert part in metadata, part

step("CSV")
lines = supervisor.session.get(f"projects/{PROJECT}/forms/household/submissions.csv").text.splitlines()
assert lines[0].startswith("SubmissionDate,head,rooms,place-Latitude,") and len(lines) == 6, lines[0]
archive = zipfile.ZipFile(io.BytesIO(supervisor.session.get(f"projects/{PROJECT}/forms/household/submissions.csv.zip").content))
tables = ["household.csv", "household-kids-kid.csv"]
assert archive.testzip() is None and archive.namelist() == tables + [f"media/{photo.name}"], archive.namelist()
assert archive.read(f"media/{photo.name}") == photo.read_bytes()
without = supervisor.session.get(f"projects/{PROJECT}/forms/household/submissions.csv.zip?attachments=false").content
assert zipfile.ZipFile(io.BytesIO(without)).namelist() == tables
assert archive.read("household.csv").decode().splitlines() == lines
assert len(archive.read("household-kids-kid.csv").decode().splitlines()) == 11

step("entity lists and entities")
lists = designer.entity_lists
assert lists.create(entity_list_name="villages").approvalRequired is False
refused(409.3, lambda: lists.create(entity_list_name="villages"))
assert lists.add_property("commune", "villages") and lists.add_property("households", "villages")
refused(409.3, lambda: lists.add_property("commune", "villages"))
assert [entry.name for entry in lists.list()] == ["villages"]
assert [p.name for p in lists.get("villages").properties] == ["commune", "households"]
entities = designer.entities
entities.default_entity_list_name = "villages"
first = entities.create("Nà Ngoạ", {"commune": "00691", "households": "84"})
assert first.currentVersion.version == 1 and first.currentVersion.label == "Nà Ngoạ", first
refused(409.3, lambda: entities.create("Nà Ngoạ", {}, uuid=first.uuid))
refused(400.28, lambda: entities.create("X", {"colour": "red"}))
refused(400.11, lambda: entities.create("X", {"households": 84}))
assert entities.create_many([{"label": "Bản Lầu", "commune": "00691"}, {"label": "Cốc Pài", "commune": "00700"}])
half = [{"uuid": str(uuid.uuid4()), "label": "a", "data": {}}, {"uuid": first.uuid, "label": "b", "data": {}}]
answer = designer.session.post(
    f"projects/{PROJECT}/datasets/villages/entities", json={"entities": half, "source": {"name": "x", "size": 1}}
)
assert answer.json()["code"] == 409.3, answer.text
assert len(entities.list()) == 3, "all or none"
changed = entities.update(first.uuid, data={"households": "85"}, base_version=1)
assert changed.currentVersion.version == 2, changed
refused(409.15, lambda: entities.update(first.uuid, data={"households": "86"}, base_version=1))
assert entities.update(first.uuid, label="Nà Ngoạ 2", force=True).currentVersion.version == 3
rows = entities.get_table(count=True, filter="__system/updatedAt ne null")
assert rows["@odata.count"] == 1 and rows["value"][0]["households"] == "85" and rows["value"][0]["label"] == "Nà Ngoạ 2", rows
assert len(entities.get_table(top=2)["value"]) == 2
merged = entities.merge(
    [{"label": "Bản Lầu", "commune": "00692"}, {"label": "Tả Van", "commune": "00800", "road": "có"}], delete_not_matched=True
)
assert (len(merged.to_insert), len(merged.to_update), len(merged.to_delete)) == (1, 1, 2), merged
assert {entity.currentVersion.label for entity in entities.list()} == {"Bản Lầu", "Tả Van"}
victim = entities.list()[0]
assert entities.delete(victim.uuid)
refused(404.1, lambda: entities.delete(victim.uuid))
assert len(entities.get_table(filter="__system/deletedAt ne null")["value"]) == 3

step("a survey: records only under a grant")
for somebody in [designer, supervisor]:
    refused(403.1, lambda: somebody.submissions.list("opinion", project_id=SURVEY))
without = refused(403.1, lambda: client("analyst2", SURVEY).submissions.get_table("opinion"))
assert without["details"]["reason"] == "records_need_a_grant", without
records = analyst.submissions.list("opinion", project_id=SURVEY)
rows = analyst.submissions.get_table("opinion", project_id=SURVEY)["value"]
assert [record.instanceId for record in records] == [row["__id"] for row in rows] and len(rows) == 3
for record, row in zip(records, rows):
    assert (record.deviceId, record.submitterId, record.createdAt.hour) == (None, 0, 0), record
    assert row["case"] == {"village": None} and row["road"] in {"1", "2"}, row
    assert row["__system"]["submitterId"] is None and row["__system"]["deviceId"] is None
print("every call went well")
