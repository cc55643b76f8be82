"""The assets function: announcements, uploads, checks and removal."""

import base64
import hashlib
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.retention import app as retention
from showrunner.aws import s3
from showrunner.database import db
from tests.conftest import add_organisation
from tests.contract import template
from tests.production.samples import image_file, ogg_file

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 92


def announce(client, content=PNG, **change):
    digest = hashlib.sha256(content).hexdigest()
    return client(
        "POST",
        "/api/v1/assets",
        {"kind": "image", "content_type": "image/png", "bytes": len(content), "sha256": digest, **change},
    )


def upload(response, content):
    target = response.body["upload"]
    request = urllib.request.Request(
        target["url"], data=content, method=target["method"], headers=target["headers"]
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_an_uploaded_file_is_ready_after_its_check(client):
    response = announce(client)
    path = f"/api/v1/assets/{response.body['asset']['id']}"
    assert (response.status, response.body["asset"]["status"]) == (201, "pending")
    assert client("GET", path).body["asset"]["status"] == "pending"

    upload(response, PNG)

    found = client("GET", path).body
    assert found["asset"]["status"] == "ready"
    with urllib.request.urlopen(found["download_url"]) as answer:
        assert answer.read() == PNG


def test_music_that_cannot_be_played_is_refused_before_anything_is_ordered(client):
    playable, broken = ogg_file(60), ogg_file(60)[:90]
    found = []
    for content in (playable, broken):
        response = announce(client, content, kind="audio", content_type="audio/ogg")
        upload(response, content)
        path = f"/api/v1/assets/{response.body['asset']['id']}"
        found.append(client("GET", path).body["asset"]["status"])

    assert found == ["ready", "refused"]


def test_an_upload_link_accepts_only_the_announced_bytes(client):
    target = announce(client).body["upload"]

    signed = parse_qs(urlsplit(target["url"]).query)["X-Amz-SignedHeaders"][0].split(";")

    assert {"content-length", "content-type", "x-amz-checksum-sha256"} <= set(signed)
    assert (
        target["headers"]["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(PNG).digest()).decode()
    )


@pytest.mark.parametrize(
    "content", [PNG + b"1", b"\x89PNG\r\n\x1a\n" + b"1" * 92], ids=["other size", "other bytes"]
)
def test_a_file_that_differs_from_its_announcement_is_deleted(client, content):
    response = announce(client)
    upload(response, content)

    found = client("GET", f"/api/v1/assets/{response.body['asset']['id']}").body

    assert (found["asset"]["status"], found["download_url"]) == ("refused", None)


@pytest.mark.parametrize("content_type", ["image/heic", "image/avif"])
def test_a_type_that_is_not_supported_is_refused_by_name(client, content_type):
    response = announce(client, content_type=content_type)

    assert response.status == 400
    assert response.body["error"]["details"][0]["field"] == "content_type"
    assert f"{content_type} is none of image/jpeg, image/png, image/webp" in str(response.body)


@pytest.mark.parametrize("brand", [b"heic", b"avif"])
def test_a_photograph_is_no_clip_although_it_begins_like_one(client, brand):
    content = b"\0\0\0\x18ftyp" + brand + b"\0" * 88
    response = announce(client, content, kind="clip", content_type="video/mp4")
    upload(response, content)

    found = client("GET", f"/api/v1/assets/{response.body['asset']['id']}").body

    assert found["asset"]["status"] == "refused"


@pytest.mark.parametrize(("width", "status"), [(640, "ready"), (639, "refused")])
def test_a_thumbnail_is_as_wide_as_youtube_wants_it(client, width, status):
    content = image_file("PNG", width, 360)
    response = announce(client, content, kind="thumbnail")
    upload(response, content)

    found = client("GET", f"/api/v1/assets/{response.body['asset']['id']}").body

    assert found["asset"]["status"] == status


def test_a_file_of_another_type_is_refused(client):
    content = b"<html>" + b"0" * 94
    response = announce(client, content)
    upload(response, content)

    assert (
        client("GET", f"/api/v1/assets/{response.body['asset']['id']}").body["asset"]["status"] == "refused"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "clip"}, "content_type"),
        ({"bytes": 20 * 1_048_576 + 1}, "bytes"),
        ({"kind": "thumbnail", "bytes": 3 * 1_048_576 + 1}, "bytes"),
        ({"bytes": 0}, "bytes"),
        ({"sha256": "abc"}, "sha256"),
        ({"content_type": "image/svg+xml"}, "content_type"),
    ],
)
def test_the_error_of_an_invalid_announcement_names_the_field(client, change, field):
    response = announce(client, **change)

    assert (response.status, response.body["error"]["details"][0]["field"]) == (400, field)


def test_ordering_a_video_checks_an_uploaded_asset(client):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"][
        "id"
    ]
    response = announce(client)
    brief = {"channel_id": channel_id, "topic": "Bees", "assets": [response.body["asset"]["id"]]}
    assert client("POST", "/api/v1/videos/generate", brief).status == 400

    upload(response, PNG)

    assert client("POST", "/api/v1/videos/generate", brief).status == 202


def test_a_call_checks_only_as_many_uploads_as_its_time_allows(client):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"][
        "id"
    ]
    clips = [
        announce(client, kind="clip", content_type="video/mp4", bytes=150 * 1_048_576).body["asset"]["id"]
        for _ in range(2)
    ]
    brief = {"channel_id": channel_id, "topic": "Bees", "assets": clips}

    responses = [
        client("POST", "/api/v1/videos/generate", brief),
        client("POST", "/api/v1/videos/generate/batch", {"videos": [brief]}),
    ]

    assert [(each.status, each.body["error"]["code"]) for each in responses] == [(409, "CONFLICT")] * 2
    assert (
        f"GET /assets/{min(clips)}" in responses[0].body["error"]["message"]
        or f"GET /assets/{max(clips)}" in responses[0].body["error"]["message"]
    )
    assert client("POST", "/api/v1/videos/generate", {**brief, "assets": clips[:1]}).status == 400, (
        "only one was checked, and its file is missing"
    )


def test_additions_and_removals_are_in_the_audit_log(client, tx):
    asset_id = announce(client).body["asset"]["id"]
    client("DELETE", f"/api/v1/assets/{asset_id}")

    rows = db.rows(
        tx,
        "SELECT action, thing_id FROM audit.events"
        " WHERE organisation_id = :o AND thing = 'asset' ORDER BY id",
        o=client.organisation_id,
    )

    assert [(row["action"], row["thing_id"]) for row in rows] == [("add", asset_id), ("remove", asset_id)]


def test_a_removed_asset_is_gone(client):
    response = announce(client)
    path = f"/api/v1/assets/{response.body['asset']['id']}"

    assert client("DELETE", path).status == 204
    assert client("GET", path).status == 404
    assert client("DELETE", path).status == 404


@pytest.mark.parametrize("ended", ["removed", "refused"])
def test_an_object_that_is_uploaded_again_after_deletion_or_refusal_is_removed(client, tx, ended):
    """The upload address stays valid for an hour. The night after a day finds what came by it too late."""
    response, kept = announce(client), announce(client)
    upload(kept, PNG)
    asset_id, path = response.body["asset"]["id"], "/api/v1/assets/"
    if ended == "refused":
        upload(response, PNG + b"1")
        assert client("GET", path + asset_id).body["asset"]["status"] == "refused"
    else:
        assert client("DELETE", path + asset_id).status == 204
    assert client("GET", path + kept.body["asset"]["id"]).body["asset"]["status"] == "ready"
    key = db.value(tx, "SELECT object_key FROM studio.assets WHERE id = :id", id=asset_id)
    assert s3.size(key) is None, "it was deleted at once"

    upload(response, PNG)
    assert retention.handler({}, None)["assets"] == 0, "the address may still be valid"
    assert (s3.size(key), client("GET", path + asset_id).body.get("download_url")) == (len(PNG), None)
    db.run(tx, "UPDATE studio.assets SET created_at = created_at - interval '25 hours'")

    assert retention.handler({}, None)["assets"] == 1
    assert s3.size(key) is None
    assert client("GET", path + asset_id).status == 404
    assert client("GET", path + kept.body["asset"]["id"]).body["download_url"]


def test_the_bucket_forgets_what_was_deleted_after_a_week():
    """Until then a version stays that nobody can address; a deletion by mistake can be taken back."""
    (bucket,) = (
        each
        for name, each in template.resources(template.load(template.DATA), "AWS::S3::Bucket").items()
        if name == "MediaBucket"
    )
    (rule,) = [each for each in bucket["LifecycleConfiguration"]["Rules"] if each["Id"] == "versions"]

    assert (rule["Status"], rule["NoncurrentVersionExpiration"]) == ("Enabled", {"NoncurrentDays": 7})
    assert "Prefix" not in rule


def test_another_organisations_asset_is_not_found(client, tx, service):
    response = announce(client)
    other = service(add_organisation(tx, "Others"))
    path = f"/api/v1/assets/{response.body['asset']['id']}"

    assert {other("GET", path).status, other("DELETE", path).status} == {404}


def spread(tx, ids):
    """Give the assets, all added in one transaction, times in their order."""
    db.run(
        tx,
        "UPDATE studio.assets SET created_at = now() - interval '1 hour'"
        " + make_interval(secs => array_position(:ids::uuid[], id)) WHERE id = ANY(:ids::uuid[])",
        ids=ids,
    )


def test_assets_are_listed_and_found_by_kind_tag_and_name(client, tx):
    named = [
        ("Tide clock", "image", ["Sea", "clock"]),
        ("harbour at night", "image", ["sea"]),
        ("Anchor", "thumbnail", []),
        (None, "image", []),
    ]
    ids = [
        announce(client, bytes([number]) + PNG, kind=kind, name=name, tags=tags).body["asset"]["id"]
        for number, (name, kind, tags) in enumerate(named)
    ]
    spread(tx, ids)
    removed = announce(client, PNG + b"gone").body["asset"]["id"]
    assert client("DELETE", f"/api/v1/assets/{removed}").status == 204

    def found(query: str) -> list[str | None]:
        return [asset["name"] for asset in client("GET", f"/api/v1/assets?{query}").body["assets"]]

    assert [each["id"] for each in client("GET", "/api/v1/assets").body["assets"]] == ids[::-1]
    assert found("sort=name") == [None, "Anchor", "harbour at night", "Tide clock"]
    assert found("tag=SEA&sort=name") == ["harbour at night", "Tide clock"]
    assert found("kind=thumbnail") == ["Anchor"]
    assert found("name=CLOCK") == ["Tide clock"]
    assert found("name=%25") == []


def test_the_list_of_assets_goes_on_behind_its_cursor(client, tx):
    ids = [announce(client, bytes([number]) + PNG).body["asset"]["id"] for number in range(5)]
    spread(tx, ids)

    first = client("GET", "/api/v1/assets?limit=3").body
    rest = client("GET", f"/api/v1/assets?limit=3&cursor={first['pagination']['next_cursor']}").body

    assert [each["id"] for each in [*first["assets"], *rest["assets"]]] == ids[::-1]
    assert first["pagination"]["total"] == 5


def test_assets_of_other_organisations_are_not_listed(client, tx):
    announce(client, name="ours")
    db.run(
        tx,
        "INSERT INTO studio.assets (organisation_id, kind, content_type, bytes, sha256, object_key, name)"
        " VALUES (:o, 'image', 'image/png', 1, :h, 'k', 'theirs')",
        o=add_organisation(tx),
        h="0" * 64,
    )

    assert [each["name"] for each in client("GET", "/api/v1/assets").body["assets"]] == ["ours"]
