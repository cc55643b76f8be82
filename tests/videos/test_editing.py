"""Changing and removing a video."""

import base64
import uuid

import pytest

from showrunner.aws import s3
from showrunner.database import db
from showrunner.store.studio import assets, productions
from tests.conftest import add_organisation
from tests.production.samples import image_file
from tests.videos.calls import fields


def test_a_thumbnail_must_be_an_uploaded_image_of_the_organisation(client, tx, service, video):
    path = f"/api/v1/videos/{video['video_id']}"
    db.run(tx, "UPDATE studio.videos SET status = 'completed' WHERE id = :id", id=video["video_id"])
    other = service(add_organisation(tx, "Others"))
    mine, picture, theirs, pending = (
        asset(tx, each, kind, status)
        for each, kind, status in (
            (client, "thumbnail", "ready"),
            (client, "image", "ready"),
            (other, "thumbnail", "ready"),
            (client, "thumbnail", "pending"),
        )
    )

    assert client("PUT", path, {"thumbnail": mine.upper()}).body["video"]["thumbnail"] == mine
    for wrong in (picture, theirs, pending, str(uuid.uuid4())):
        assert fields(client("PUT", path, {"thumbnail": wrong})) == ["thumbnail"]
    assert client("PUT", path, {"title": "Bees"}).body["video"]["thumbnail"] == mine, (
        "omitted fields keep their value"
    )
    assert client("PUT", path, {"thumbnail": None}).body["video"]["thumbnail"] is None


def asset(tx, client, kind, status):
    key = f"organisations/{client.organisation_id}/assets/{uuid.uuid4()}"
    return str(
        db.value(
            tx,
            "INSERT INTO studio.assets "
            "(organisation_id, kind, content_type, bytes, sha256, object_key, status) "
            "VALUES (:o, :kind, 'image/png', 1, repeat('0', 64), :key, :status) RETURNING id",
            o=client.organisation_id,
            kind=kind,
            key=key,
            status=status,
        )
    )


@pytest.fixture
def finished(tx, video):
    """Return the path of a finished video."""
    db.run(tx, "UPDATE studio.videos SET status = 'completed' WHERE id = :id", id=video["video_id"])
    return f"/api/v1/videos/{video['video_id']}"


def image(content: bytes) -> dict[str, str]:
    return {"thumbnail_image": base64.b64encode(content).decode()}


@pytest.mark.parametrize(("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_a_thumbnail_in_the_body_becomes_an_asset(client, tx, finished, kind, content_type):
    content = image_file(kind, 1280, 720)

    first = client("PUT", finished, {**image(content), "title": "Bees"})

    assert first.status == 200, first
    asset_id = first.body["video"]["thumbnail"]
    row = assets.get(tx, client.organisation_id, asset_id)
    assert (row["kind"], row["status"], row["content_type"]) == ("thumbnail", "ready", content_type)
    assert s3.get_bytes(row["object_key"]) == content
    assert first.body["video"]["title"] == "Bees"
    assert client("PUT", finished, image(content)).body["video"]["thumbnail"] == asset_id, (
        "the same picture is stored once"
    )
    assert client("PUT", finished, {"title": "Wasps"}).body["video"]["thumbnail"] == asset_id


def test_a_thumbnail_of_three_megabytes_is_accepted_and_no_larger_one(client, finished):
    content = image_file("PNG", 1280, 720)
    full = content + b"\0" * (3 * 1_048_576 - len(content))

    assert client("PUT", finished, image(full)).status == 200
    assert fields(client("PUT", finished, image(full + b"\0"))) == ["thumbnail_image"]
    too_large = client("PUT", finished, {"description": "x" * (5 * 1_048_576)})
    assert (too_large.status, too_large.body["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"thumbnail_image": "no base64!"}, "not in base64"),
        (image(b"<html>" + b"0" * 94), "no JPEG or PNG"),
        (image(image_file("PNG", 639, 360)), "is 639 pixels wide"),
        (image(image_file("JPEG", 320, 180)), "is 320 pixels wide"),
    ],
)
def test_what_is_no_thumbnail_is_refused_and_not_stored(client, finished, given, words):
    refused = client("PUT", finished, given)

    assert (refused.status, fields(refused)) == (400, ["thumbnail_image"])
    assert words in refused.body["error"]["details"][0]["message"]
    assert client("GET", "/api/v1/assets").body["assets"] == []


def test_a_thumbnail_in_the_body_counts_towards_the_organisations_space(client, tx, finished):
    db.run(
        tx,
        "INSERT INTO studio.assets (organisation_id, kind, content_type, bytes, sha256, object_key)"
        " SELECT :o, 'image', 'image/png', 1, repeat('0', 64), 'k' || n FROM generate_series(1, 2000) n",
        o=client.organisation_id,
    )

    refused = client("PUT", finished, image(image_file("PNG", 1280, 720)))

    assert (refused.status, refused.body["error"]["code"]) == (429, "QUOTA_EXCEEDED")


def test_no_thumbnail_is_stored_for_a_video_that_cannot_be_changed(client, video):
    content = image(image_file("PNG", 1280, 720))

    assert client("PUT", f"/api/v1/videos/{video['video_id']}", content).status == 409
    assert client("PUT", f"/api/v1/videos/{uuid.uuid4()}", content).status == 404
    assert client("GET", "/api/v1/assets").body["assets"] == []


def test_texts_can_be_changed_once_they_are_written(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}"
    assert client("PUT", path, {"title": "New"}).status == 409
    productions.fail(
        tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."}
    )

    response = client("PUT", path, {"title": "Neu ü", "tags": ["bees", "dancing bees"]})

    assert (response.status, response.body["video"]["title"], response.body["video"]["tags"]) == (
        200,
        "Neu ü",
        ["bees", "dancing bees"],
    )
    assert fields(client("PUT", path, {"title": "x" * 101})) == ["title"]
    assert fields(client("PUT", path, {"description": "é" * 2501})) == ["description"]
    assert fields(client("PUT", path, {"tags": ["a b"] * 84})) == ["tags"]


def test_a_removed_video_is_gone(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}"
    assert client("DELETE", path).status == 409
    client("POST", f"{path}/cancel")

    assert client("DELETE", path).status == 204
    assert client("GET", path).status == 404
    assert client("GET", "/api/v1/videos").body["videos"] == []
