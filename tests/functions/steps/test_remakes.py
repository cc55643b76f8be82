"""A finished video is remade: one shot, one scene, another style; everything else is found and reused."""

import uuid
from typing import Any

import pytest

from functions.finish import app as finish
from showrunner.aws import s3
from showrunner.database import db
from showrunner.videos import executions
from tests.conftest import Client
from tests.functions.steps.stand_ins import Platforms, produced, row, stock

SCRIPT = (
    "The old harbour slept under a grey sky, and nobody was on the pier before the boats came home."
    "\n\n---\n\n"
    "Gulls cried over the water, and the lamps burned low until the first nets were on the quay."
)
pytestmark = pytest.mark.usefixtures("without_pexels")


@pytest.fixture
def finished(tx: Any, platforms: Platforms, client: Client) -> dict[str, Any]:
    """Return the machine's input of a finished video whose shots show clips and photographs."""
    stock(platforms, 8, clips=8)
    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    body = {"channel_id": channel, "manual_script": SCRIPT}
    video_id = client("POST", "/api/v1/videos/generate", body).body["video_id"]
    event = {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}
    finish.handler(produced(tx, platforms, event), None)
    done = row(tx, video_id)
    assert done["status"] == "completed"
    assert 0 < done["product"]["picture"]["relevance"] <= 0.5  # Pexels says nothing about these works
    return {**event, "channel_id": channel}


def timeline(event: dict[str, Any]) -> dict[str, Any]:
    folder = f"organisations/{event['organisation_id']}/videos/{event['video_id']}"
    found: dict[str, Any] = s3.get_json(f"{folder}/timeline.json")
    return found


def shots(planned: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (id, what it shows) of every shot."""
    return [
        (shot["id"], (shot["visual"].get("asset") or shot["visual"]["generated"]).get("source", "card"))
        for scene in planned["scenes"]
        for shot in scene["shots"]
    ]


def again(tx: Any, platforms: Platforms, event: dict[str, Any]) -> dict[str, Any]:
    finish.handler(produced(tx, platforms, {**event, "attempt": row(tx, event["video_id"])["attempt"]}), None)
    return timeline(event)


def test_one_replaced_shot_is_the_only_thing_that_changes(
    tx: Any, platforms: Platforms, client: Client, finished: dict[str, Any]
) -> None:
    before, spoken, fetched = timeline(finished), list(platforms.spoken), len(platforms.photographs.fetched)
    searches = list(platforms.searches)
    path = f"/api/v1/videos/{finished['video_id']}/scenes/0/shots/0/replace"

    response = client("POST", path, {})
    after = again(tx, platforms, finished)

    assert (response.status, response.body["job_id"]) == (202, executions.job_id(finished["video_id"], 2))
    changed = [(old, new) for old, new in zip(shots(before), shots(after), strict=True) if old != new]
    assert [old[0].partition("-")[0] for old, _ in changed] == ["0"]
    assert changed[0][1][1] not in [source for _, source in shots(before)]
    before["scenes"][0]["shots"][0] = after["scenes"][0]["shots"][0]
    assert after == before
    assert (platforms.spoken, platforms.searches) == (spoken, searches)
    assert len(platforms.photographs.fetched) == fetched + 1
    assert row(tx, finished["video_id"])["status"] == "completed"


def test_a_search_of_the_owners_own_finds_the_next_picture(
    tx: Any, platforms: Platforms, client: Client, finished: dict[str, Any]
) -> None:
    before = timeline(finished)
    path = f"/api/v1/videos/{finished['video_id']}/scenes/1/shots/0/replace"

    assert client("POST", path, {"query": "seagulls at dawn"}).status == 202
    after = again(tx, platforms, finished)

    assert platforms.searches[-1] == "seagulls at dawn"
    changed = [old[0] for old, new in zip(shots(before), shots(after), strict=True) if old != new]
    assert [name.partition("-")[0] for name in changed] == ["1"]


def test_an_uploaded_picture_takes_the_place_of_a_shot(
    tx: Any, platforms: Platforms, client: Client, finished: dict[str, Any]
) -> None:
    asset = str(uuid.uuid4())
    db.run(
        tx,
        """INSERT INTO studio.assets
               (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
           VALUES (:id, :org, 'image', 'image/png', 9, :sha, 'k', 'ready')""",
        id=asset,
        org=finished["organisation_id"],
        sha="0" * 64,
    )
    path = f"/api/v1/videos/{finished['video_id']}/scenes/0/shots/0/replace"

    assert client("POST", path, {"asset_id": asset}).status == 202

    assert shots(again(tx, platforms, finished))[0][1] == f"asset:{asset}"


def test_another_text_of_a_scene_is_the_only_thing_that_is_spoken(
    tx: Any, platforms: Platforms, client: Client, finished: dict[str, Any]
) -> None:
    before, spoken = timeline(finished), len(platforms.spoken)
    path = f"/api/v1/videos/{finished['video_id']}/scenes/1"
    client("PUT", f"/api/v1/videos/{finished['video_id']}", {"title": "My own title"})

    assert client("PUT", path, {"narration": "Nobody came home that night."}).status == 202
    after = again(tx, platforms, finished)

    assert platforms.spoken[spoken:] == ["Nobody came home that night."]
    kept = [each for each in shots(before) if each[0].startswith("0-")]
    assert [each for each in shots(after) if each[0].startswith("0-")] == kept
    assert row(tx, finished["video_id"])["title"] == "My own title"


def test_a_remake_in_another_style_asks_and_speaks_nothing_again(
    tx: Any, platforms: Platforms, client: Client, finished: dict[str, Any]
) -> None:
    before, spoken, searches = timeline(finished), list(platforms.spoken), list(platforms.searches)
    path = f"/api/v1/videos/{finished['video_id']}/remake"

    assert client("POST", path, {"visual_style": "typographic", "caption_preset": "panel"}).status == 202
    after = again(tx, platforms, finished)

    assert {source for _, source in shots(after)} == {"card"}
    assert (after["captions"]["preset"], after["seed"]) == ("panel", before["seed"])
    assert (platforms.spoken, platforms.searches) == (spoken, searches)
    request = client("GET", f"/api/v1/videos/{finished['video_id']}").body["video"]["request"]
    assert request["visual_style"] == "typographic"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("scenes/0/shots/99/replace", {}, 404),
        ("scenes/9/shots/0/replace", {}, 404),
        ("scenes/0/shots/x/replace", {}, 404),
        ("scenes/0/shots/0/replace", {"query": "sea", "asset_id": str(uuid.UUID(int=0))}, 400),
        ("scenes/0/shots/0/replace", {"asset_id": str(uuid.UUID(int=0))}, 400),
        ("remake", {}, 400),
        ("remake", {"aspect": ["9:16", "9:16"]}, 400),
    ],
)
def test_what_cannot_be_remade_is_refused(
    client: Client, finished: dict[str, Any], path: str, body: dict[str, Any], status: int
) -> None:
    response = client("POST", f"/api/v1/videos/{finished['video_id']}/{path}", body)

    assert response.status == status, response.body


@pytest.mark.parametrize("body", [{}, {"narration": "😀"}, {"narration": "x" * 5001}, {"heading": "h" * 81}])
def test_a_scene_without_words_is_refused(
    client: Client, finished: dict[str, Any], body: dict[str, Any]
) -> None:
    assert client("PUT", f"/api/v1/videos/{finished['video_id']}/scenes/0", body).status == 400


def test_a_video_is_remade_once_at_a_time_and_never_when_it_is_on_youtube(
    tx: Any, client: Client, finished: dict[str, Any]
) -> None:
    path = f"/api/v1/videos/{finished['video_id']}/remake"
    first, second = (client("POST", path, {"caption_preset": "clean"}) for _ in range(2))
    db.run(tx, "UPDATE studio.videos SET status = 'published' WHERE id = :id", id=finished["video_id"])

    assert (first.status, second.status) == (202, 409)
    assert client("POST", path, {"caption_preset": "clean"}).status == 409


def test_the_next_video_of_the_channel_shows_other_clips_and_the_same_order_the_same(
    tx: Any, platforms: Platforms, client: Client, finished: dict[str, Any]
) -> None:
    shown = {source for _, source in shots(timeline(finished))}
    ordered = {"channel_id": finished["channel_id"], "manual_script": SCRIPT}
    fetched = len(platforms.photographs.fetched)

    def make(body: dict[str, Any]) -> set[str]:
        video_id = client("POST", "/api/v1/videos/generate", body).body["video_id"]
        event = {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}
        produced(tx, platforms, event)
        return {source for _, source in shots(timeline(event))}

    same = make(ordered)
    assert (same, len(platforms.photographs.fetched)) == (shown, fetched)
    other = make({**ordered, "style": "news"})

    assert shown & other == set()
    assert len(other) > 1
