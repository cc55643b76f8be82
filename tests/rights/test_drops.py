"""The routes of /cms/reports, from the upload to the refused rows, and who may use them."""

import csv
import hashlib
import io
import json
import os
import urllib.request
import uuid

import pytest

from functions.reports import app
from showrunner.access import sessions
from showrunner.aws import sdk
from showrunner.database import db
from showrunner.rights import sheets
from showrunner.store.accounts import members
from showrunner.store.rights import content_owners
from tests.conftest import Client, add_organisation, add_user, send
from tests.rights.conftest import add_owner, deliver
from tests.rights.test_snapshots import HEADER, claim

REPORTS = "/api/v1/cms/reports"


@pytest.fixture
def label(owner, service):
    """Return a client of the owner's organisation."""
    return service(owner["organisation_id"], "cms:all")


def announcement(owner, content, **changes):
    return {
        "content_owner": owner["name"],
        "filename": f"claim_report_{owner['name']}_C (1).csv",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **changes,
    }


def test_a_person_uploads_a_report_and_reads_what_became_of_it(owner, drop, label):
    content = (HEADER + claim(1) + claim(2, views="many") + claim(3, title="=SUM(A1)")).encode()
    answer = label("POST", REPORTS, announcement(owner, content), idempotency_key="k")
    assert answer.status == 201
    request = urllib.request.Request(
        answer.body["url"], content, answer.body["headers"], method=answer.body["method"]
    )
    urllib.request.urlopen(request).close()
    deliver(f"drops/{owner['name']}/{answer.body['file']}", len(content), "1")

    page = label("GET", f"{REPORTS}?kind=claims&status=loaded&content_owner={owner['name'].upper()}").body
    (report,) = page["reports"]
    assert (report["file"], report["content_owner"]) == (answer.body["file"], owner["name"])
    assert (report["rows"], report["accepted"], report["rejected"], report["new"]) == (3, 2, 1, 2)
    assert label("GET", f"{REPORTS}/{report['id']}").body == report
    assert label("GET", f"{REPORTS}?month=2020-01").body["reports"] == []

    rejects = label("GET", f"{REPORTS}/{report['id']}/rejects?limit=1")
    assert rejects.headers["content-type"].startswith("text/csv")
    assert rejects.headers["link"].endswith('rejects?after=2&limit=1>; rel="next"')
    assert list(csv.reader(io.StringIO(rejects.body))) == [
        ["Row number", "Status", "Line", "Column", "Value", "Reason"],
        ["2", "Errors", "3", "views", "many", "views is no whole number."],
    ]


def test_cells_that_a_spreadsheet_would_run_are_text_in_the_download(owner, drop, label):
    (report,) = drop(f"claim_report_{owner['name']}_C.csv", HEADER + claim(1) + claim(2, views="=1+1"))

    assert ",'=1+1," in label("GET", f"{REPORTS}/{report.id}/rejects").body


def test_an_upload_for_an_owner_of_others_is_refused(tx, owner, label):
    answer = label("POST", REPORTS, announcement(add_owner(tx), b"x"))

    assert answer.status == 400
    assert owner["name"] in answer.body["error"]["message"]


@pytest.mark.parametrize("filename", ["../a.csv", "a/b.csv", "", "a\n.csv", ".csv"])
def test_an_upload_has_a_plain_file_name(owner, label, filename):
    assert label("POST", REPORTS, announcement(owner, b"x", filename=filename)).status == 400


def test_a_waiting_snapshot_is_loaded_when_a_person_confirms_it(owner, drop, label, monkeypatch):
    queue = sdk.client("sqs").create_queue(QueueName="report-drops")["QueueUrl"]
    monkeypatch.setenv("REPORTS_QUEUE_URL", queue)
    name = f"claim_report_{owner['name']}_C.csv"
    drop(name, HEADER + "".join(claim(number) for number in range(1, 6)))
    (waiting,) = drop(name, HEADER + claim(1))
    again = deliver(waiting.object_key, 1, waiting.version)
    assert [report.status for report in (waiting, *again)] == ["waiting", "waiting"]

    answer = label("POST", f"{REPORTS}/{waiting.id}/confirm")

    assert (answer.status, answer.body["status"]) == (202, "waiting")
    (message,) = sdk.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert waiting.version in message["Body"]
    (report,) = deliver(waiting.object_key, 1, waiting.version)
    assert (report.status, report.accepted, report.removed_rows) == ("loaded", 1, 4)
    assert label("POST", f"{REPORTS}/{waiting.id}/confirm").status == 409


def test_every_report_is_announced_once_under_one_id(owner, drop, aws):
    events = sdk.client("events")
    events.put_rule(Name="reports", EventPattern='{"source": ["showrunner"]}')
    queue = sdk.client("sqs").create_queue(QueueName="announced")
    arn = sdk.client("sqs").get_queue_attributes(QueueUrl=queue["QueueUrl"], AttributeNames=["QueueArn"])
    events.put_targets(Rule="reports", Targets=[{"Id": "q", "Arn": arn["Attributes"]["QueueArn"]}])
    try:
        (report,) = drop(f"claim_report_{owner['name']}_C.csv", HEADER + claim(1))
        deliver(report.object_key, 1, report.version)
        found = sdk.client("sqs").receive_message(QueueUrl=queue["QueueUrl"], MaxNumberOfMessages=10)
    finally:
        events.remove_targets(Rule="reports", Ids=["q"])
        events.delete_rule(Name="reports")

    bodies = [each["Body"] for each in found["Messages"]]
    assert len(bodies) == 2
    assert all(f'"event_id": "{report.id}:loaded"' in body for body in bodies)


def test_a_platform_admin_adds_content_owners_and_their_names_are_unique(tx, signing_key):
    organisation_id, user_id = add_organisation(tx), add_user(tx)
    members.add(tx, organisation_id, user_id, "user")
    db.run(
        tx,
        "UPDATE accounts.users SET platform_admin = true, verified_at = now() WHERE id = :id",
        id=user_id,
    )
    admin = Client(sessions.begin(tx, members.get(tx, user_id))["access_token"])
    path = f"/api/v1/admin/organisations/{organisation_id}/content-owner"

    answer = admin("POST", path, {"name": "New_Label", "other_names": ["id0iPcHV"]})

    assert answer.body["organisation"]["content_owners"] == ["New_Label"]
    again = admin("POST", path, {"name": "new_label"})
    assert again.body["organisation"]["content_owners"] == ["New_Label"]
    other = f"/api/v1/admin/organisations/{add_organisation(tx)}/content-owner"
    assert admin("POST", other, {"name": "NEW_label"}).status == 409
    assert admin("POST", path, {"name": "a/b"}).status == 400

    def uses_service_account():
        (owner,) = content_owners.list_of(tx, organisation_id)
        return owner["uses_service_account"]

    assert not uses_service_account()
    admin("POST", path, {"name": "New_Label", "uses_service_account": True})
    admin("POST", path, {"name": "New_Label", "youtube_id": "id0iPcHV"})
    assert uses_service_account()
    admin("POST", path, {"name": "New_Label", "uses_service_account": False})
    assert not uses_service_account()


def test_the_samples_are_answered(event, label, owner, drop):
    listed = event("cms.reports")
    listed["headers"]["authorization"] = f"Bearer {label.token}"
    assert send(listed)["statusCode"] == 200


def test_a_file_in_a_folder_of_nobody_is_set_aside(event, drop, tx):
    # The sample's folder may belong to an owner that an earlier test has registered for good.
    nobody = f"Nobody_{uuid.uuid4().hex[:8]}"
    dropped = json.loads(json.dumps(event("reports.dropped")).replace("Sample_Records", nobody))
    assert app.handler(dropped, None) == {"batchItemFailures": []}
    url = os.environ["REPORTS_DEAD_URL"]
    (message,) = sdk.client("sqs").receive_message(QueueUrl=url)["Messages"]
    sdk.client("sqs").purge_queue(QueueUrl=url)
    assert nobody in message["Body"]


def test_formula_signs_are_those_of_spreadsheets():
    assert sheets.cell("-1") == "'-1"
    assert sheets.cell(1) == 1
    assert sheets.cell("plain") == "plain"
