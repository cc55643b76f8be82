"""make orphans: objects without a row and rows without an object, on the engine's S3 and PostgreSQL."""

import json
import time
import uuid
from typing import Any

import pytest

from functions.retention import app
from local.settings import Refused
from local.stages import orphans as command
from local.stages.stage import Stage
from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import files
from showrunner.videos import orphans
from tests.conftest import add_organisation


@pytest.fixture
def bucket(engine: Any, tx: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"orphans-{uuid.uuid4().hex[:8]}"
    engine.client("s3").create_bucket(Bucket=name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.url)
    monkeypatch.setenv("MEDIA_BUCKET", name)
    return name


def add_video(tx: Any, organisation_id: str, outputs: list[dict[str, str]]) -> str:
    channel_id = db.value(
        tx,
        "INSERT INTO studio.channels (organisation_id, name) VALUES (:o, 'Bees') RETURNING id",
        o=organisation_id,
    )
    return str(
        db.value(
            tx,
            "INSERT INTO studio.videos (organisation_id, channel_id, request, status, product)"
            " VALUES (:o, :c, '{}', 'completed', :product) RETURNING id",
            o=organisation_id,
            c=channel_id,
            product=json.dumps({"outputs": outputs}),
        )
    )


def add_asset(tx: Any, organisation_id: str) -> str:
    key = f"organisations/{organisation_id}/assets/{uuid.uuid4()}"
    db.run(
        tx,
        "INSERT INTO studio.assets (organisation_id, kind, content_type, bytes, sha256, object_key, status)"
        " VALUES (:o, 'image', 'image/png', 1, repeat('0', 64), :key, 'ready')",
        o=organisation_id,
        key=key,
    )
    return key


def found(kind: str) -> list[str]:
    """Return all that is found of a kind, call after call, as `make orphans` does."""
    keys, after = [], ""
    while after is not None:
        answer = app.handler({"orphans": kind, "after": after}, None)
        keys, after = keys + answer["found"], answer["next"]
    return keys


def test_objects_without_a_row_and_rows_without_an_object_are_found(bucket, tx, event):
    mine, purged = add_organisation(tx), add_organisation(tx)
    db.run(tx, "UPDATE accounts.organisations SET deleted_at = 'infinity' WHERE id = :id", id=purged)
    video_id = add_video(tx, mine, [])
    folder = files.video_folder(mine, video_id)
    film, captions = files.output_key(folder, "video.mp4"), files.output_key(folder, "captions.srt")
    db.run(
        tx,
        "UPDATE studio.videos SET product = :product WHERE id = :id",
        id=video_id,
        product=json.dumps({"outputs": [{"name": "v", "video": film, "srt": captions}]}),
    )
    asset, lost = add_asset(tx, mine), add_asset(tx, mine)
    owned = [film, files.job_key(folder), asset, files.product_key(mine, "voice", "d" * 64, "json")]
    orphaned = [
        files.job_key(files.video_folder(mine, str(uuid.uuid4()))),
        files.job_key(files.video_folder(purged, video_id)),
        f"organisations/{mine}/assets/{uuid.uuid4()}",
        files.product_key(purged, "voice", "d" * 64, "json"),
        files.product_key(str(uuid.uuid4()), "voice", "d" * 64, "json"),
        "left/by somebody & <nobody>",
    ]
    for key in [*owned, *orphaned]:
        s3.put_bytes(key, b"x")

    first = app.handler(event("retention.orphans"), None)

    assert (first["next"], first["checked"]) == (None, len(owned) + len(orphaned))
    assert first["found"] == sorted(orphaned)
    assert lost in found("assets")
    assert asset not in found("assets")
    assert found("videos") == [captions]
    assert s3.list_keys("") == sorted([*owned, *orphaned]), "nothing is deleted"


def test_a_list_of_more_than_one_page_goes_on_where_it_ended(bucket, tx, monkeypatch):
    monkeypatch.setattr(orphans, "MOST_FOUND", 1)
    keys = [f"left/{number:04}" for number in range(1100)]
    for key in keys:
        s3.put_bytes(key, b"x")

    page = orphans.find("objects", "", time.monotonic() + 60)

    assert (page["checked"], page["next"]) == (1000, keys[999])
    assert found("objects") == keys


def test_the_command_prints_what_is_found_and_its_number(monkeypatch, capsys):
    answers = {
        ("objects", ""): {"found": ["left/a"], "checked": 1000, "next": "left/a"},
        ("objects", "left/a"): {"found": ["left/b"], "checked": 3, "next": None},
    }
    nothing = {"found": [], "checked": 7, "next": None}
    monkeypatch.setattr(
        Stage,
        "invoke",
        lambda self, stack, output, event, _: answers.get((event["orphans"], event["after"]), nothing),
    )

    assert command.list_orphans(Stage("dev")) == 1

    printed = capsys.readouterr().out
    assert "  left/a\n  left/b\n2 objects that no row owns; 1003 checked" in printed
    assert "0 files of videos that are missing; 7 checked" in printed


def test_a_function_that_fails_is_reported_with_its_words(monkeypatch):
    class Client:
        def invoke(self, **_: Any) -> dict[str, Any]:
            import io

            body = json.dumps({"errorMessage": "no connection"}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(body)}

    class Session:
        def client(self, *_: Any, **__: Any) -> Client:
            return Client()

    monkeypatch.setattr(Stage, "session", lambda self: Session())
    monkeypatch.setattr(Stage, "output", lambda self, stack, key: "function")

    with pytest.raises(Refused, match="no connection"):
        command.list_orphans(Stage("dev"))
