"""functions/assets"""

import base64
import hashlib
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from showrunner import db
from tests.conftest import add_organisation

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 92


def announce(client, content=PNG, **change):
    digest = hashlib.sha256(content).hexdigest()
    return client("POST", "/api/v1/assets", {"kind": "image", "content_type": "image/png", "bytes": len(content), "sha256": digest, **change})


def upload(told, content):
    target = told.body["upload"]
    request = urllib.request.Request(target["url"], data=content, method=target["method"], headers=target["headers"])
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_an_uploaded_file_is_ready_once_it_was_looked_at(client):
    told = announce(client)
    path = f"/api/v1/assets/{told.body['asset']['id']}"
    assert (told.status, told.body["asset"]["status"]) == (201, "pending")
    assert client("GET", path).body["asset"]["status"] == "pending"

    upload(told, PNG)

    found = client("GET", path).body
    assert found["asset"]["status"] == "ready"
    with urllib.request.urlopen(found["download_url"]) as answer:
        assert answer.read() == PNG


def test_the_address_of_an_upload_takes_the_announced_bytes_and_no_others(client):
    target = announce(client).body["upload"]

    signed = parse_qs(urlsplit(target["url"]).query)["X-Amz-SignedHeaders"][0].split(";")

    assert {"content-length", "content-type", "x-amz-checksum-sha256"} <= set(signed)
    assert target["headers"]["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(PNG).digest()).decode()


@pytest.mark.parametrize("content", [PNG + b"1", b"\x89PNG\r\n\x1a\n" + b"1" * 92], ids=["other size", "other bytes"])
def test_a_file_that_is_not_what_was_announced_is_refused_and_deleted(client, content):
    told = announce(client)
    upload(told, content)

    found = client("GET", f"/api/v1/assets/{told.body['asset']['id']}").body

    assert (found["asset"]["status"], found["download_url"]) == ("refused", None)


def test_a_file_that_is_not_of_its_type_is_refused(client):
    content = b"<html>" + b"0" * 94
    told = announce(client, content)
    upload(told, content)

    assert client("GET", f"/api/v1/assets/{told.body['asset']['id']}").body["asset"]["status"] == "refused"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "clip"}, "content_type"),
        ({"bytes": 20 * 1_048_576 + 1}, "bytes"),
        ({"kind": "thumbnail", "bytes": 2 * 1_048_576 + 1}, "bytes"),
        ({"bytes": 0}, "bytes"),
        ({"sha256": "abc"}, "sha256"),
        ({"content_type": "image/svg+xml"}, "content_type"),
    ],
)
def test_a_bad_announcement_names_its_field(client, change, field):
    told = announce(client, **change)

    assert (told.status, told.body["error"]["details"][0]["field"]) == (400, field)


def test_a_video_takes_an_asset_that_was_uploaded_but_never_looked_at(client):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees"}).body["channel"]["id"]
    told = announce(client)
    brief = {"channel_id": channel_id, "topic": "Bees", "assets": [told.body["asset"]["id"]]}
    assert client("POST", "/api/v1/videos/generate", brief).status == 400

    upload(told, PNG)

    assert client("POST", "/api/v1/videos/generate", brief).status == 202


def test_a_call_reads_no_more_unseen_uploads_than_fit_into_its_time(client):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees"}).body["channel"]["id"]
    clips = [announce(client, kind="clip", content_type="video/mp4", bytes=150 * 1_048_576).body["asset"]["id"] for _ in range(2)]
    brief = {"channel_id": channel_id, "topic": "Bees", "assets": clips}

    told = [client("POST", "/api/v1/videos/generate", brief), client("POST", "/api/v1/videos/generate/batch", {"videos": [brief]})]

    assert [(each.status, each.body["error"]["code"]) for each in told] == [(409, "CONFLICT")] * 2
    assert f"GET /assets/{min(clips)}" in told[0].body["error"]["message"] or f"GET /assets/{max(clips)}" in told[0].body["error"]["message"]
    assert client("POST", "/api/v1/videos/generate", {**brief, "assets": clips[:1]}).status == 400, "one alone is looked at, and isn't there"


def test_what_is_added_and_removed_is_in_the_audit_log(client, tx):
    asset_id = announce(client).body["asset"]["id"]
    client("DELETE", f"/api/v1/assets/{asset_id}")

    rows = db.rows(tx, "SELECT action, thing_id FROM audit.events WHERE organisation_id = :o AND thing = 'asset' ORDER BY id", o=client.organisation_id)

    assert [(row["action"], row["thing_id"]) for row in rows] == [("add", asset_id), ("remove", asset_id)]


def test_a_removed_asset_is_gone(client):
    told = announce(client)
    path = f"/api/v1/assets/{told.body['asset']['id']}"

    assert client("DELETE", path).status == 204
    assert client("GET", path).status == 404
    assert client("DELETE", path).status == 404


def test_another_organisations_asset_is_not_found(client, tx, service):
    told = announce(client)
    other = service(add_organisation(tx, "Others"))
    path = f"/api/v1/assets/{told.body['asset']['id']}"

    assert {other("GET", path).status, other("DELETE", path).status} == {404}
