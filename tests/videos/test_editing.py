"""Changing and removing a video."""

import uuid

from showrunner.database import db
from showrunner.store.studio import productions
from tests.conftest import add_organisation
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
