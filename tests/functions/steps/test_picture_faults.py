"""Make the plan from the next source, whatever goes wrong at a stock library; no budget costs nothing."""

from typing import Any

import pytest

from functions.prepare import app as prepare
from functions.record import app as record
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from local.platforms import pexels
from showrunner import quotas
from showrunner.aws import s3, ssm
from showrunner.database import db
from showrunner.errors import PaymentRequired
from showrunner.platforms import stock as stock_module
from showrunner.production import files
from showrunner.videos import shown as shown_pictures
from tests.functions.steps.stand_ins import Platforms, produced, row, stock, write
from tests.production.samples import ogg_file

pytestmark = pytest.mark.usefixtures("without_pexels")
SPOKEN = "The old harbour slept under a grey sky, and nobody was on the pier before the boats came home."
HARBOUR = {"id": 7, "title": "Old harbour", "licence_url": "https://x.example"}


def planned(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the steps up to the plan, which must be made. Returns the pictures chosen for its shots."""
    scenes = write(job)["scenes"]
    record.handler({**job, "step": "script"}, None)
    for scene in scenes:
        voice_step.handler({"scene": scene, **job}, None)
    # The functions are processes of their own: one doesn't read the other's keys again.
    ssm.forget()
    for scene in scenes:
        visuals_step.handler({"scene": scene, **job}, None)
    timeline_step.handler({**job, "timeline_version": 2}, None)
    record.handler({**job, "step": "timeline"}, None)
    plan = s3.get_json(files.timeline_key(job["folder"]))
    assert all(scene["shots"] for scene in plan["scenes"])
    return shown_pictures.flat(shown_pictures.list_pictures(job["folder"], len(scenes)))


def free_photograph(platforms: Platforms, licence: str = "CC0") -> None:
    """Wikimedia Commons has a photograph of a harbour."""
    platforms.world.commons_library.image = b"\xff\xd8\xff\xe0"
    platforms.world.commons_library.photos = [{**HARBOUR, "licence": licence}]


@pytest.mark.parametrize(
    "fault", ["server_error", "html", "rate_limit", "unauthorized", "missing_size", "other_host", "slow"]
)
def test_a_library_that_is_down_slow_or_wrong_is_replaced_by_the_next(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(stock_module, "SEARCH_SECONDS", 0.3)
    monkeypatch.setattr(pexels, "SLOW_SECONDS", 0.6)
    stock(platforms, 1, clips=1)
    free_photograph(platforms)
    for _ in range(8):
        platforms.photographs.outcomes.add(fault)

    shown = planned(prepare.handler(video(manual_script=SPOKEN), None))

    assert [each["source"] for each in shown if each["kind"] != "generated"] == [
        "https://commons.wikimedia.org/wiki/File:Old_harbour.jpg"
    ]


@pytest.mark.parametrize("fault", ["html_video", "huge_video"])
def test_a_clip_that_is_html_or_has_two_gigabytes_is_replaced_by_a_photograph(
    tx: Any, platforms: Platforms, video: Any, fault: str
) -> None:
    stock(platforms, 1, clips=1)
    for _ in range(6):
        platforms.photographs.outcomes.add(fault)

    shown = planned(prepare.handler(video(manual_script=SPOKEN), None))

    assert [each["kind"] for each in shown].count("image") == 1
    assert not any(path.startswith(pexels.VIDEOS) for path in platforms.photographs.fetched)


@pytest.mark.parametrize("licence", ["CC BY-NC 4.0", "CC BY-SA 4.0", "All rights reserved", ""])
def test_a_work_whose_licence_changed_is_left_out(
    tx: Any, platforms: Platforms, video: Any, licence: str
) -> None:
    stock(platforms, 0)
    free_photograph(platforms, licence)

    shown = planned(prepare.handler(video(manual_script=SPOKEN), None))

    assert {each["kind"] for each in shown} == {"generated"}


def test_without_a_search_left_in_the_quota_the_video_is_planned(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(platforms, 1, clips=1)
    for name in ("PEXELS", "PIXABAY", "COMMONS", "NASA"):
        monkeypatch.setattr(quotas, f"{name}_SEARCHES_A_DAY", 0)

    shown = planned(prepare.handler(video(manual_script=SPOKEN), None))

    assert {each["kind"] for each in shown} == {"generated"}


@pytest.mark.parametrize("script", [None, SPOKEN])
def test_a_budget_of_zero_ends_the_production_before_anything_is_paid(
    tx: Any, platforms: Platforms, video: Any, script: str | None
) -> None:
    stock(platforms, 1, clips=1)
    settings = {"language": "en", "budget": {"video": "0.00"}}
    job = prepare.handler(video(settings, **({"manual_script": script} if script else {})), None)

    with pytest.raises(PaymentRequired, match=r"budget of a video of this channel is 0\.00 USD"):
        planned(job)

    assert (platforms.questions, platforms.spoken, platforms.searches) == ([], [], [])


def test_the_music_of_the_user_begins_where_the_order_says(tx: Any, platforms: Platforms, video: Any) -> None:
    stock(platforms, 0)
    job = prepare.handler(video(manual_script=SPOKEN, music_start_seconds=12.5), None)

    planned(job)

    assert s3.get_json(files.timeline_key(job["folder"]))["music"]["start_s"] == 12.5


PIECE = {
    "id": 9,
    "title": "Slow piano",
    "licence": "CC BY 4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0",
    "artist": "Zoë",
    "categories": "Slow piano music",
    "duration": 185.0,
}


def test_music_is_found_by_a_phrase_credited_and_fetched_once(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 1, clips=1)
    library = platforms.world.commons_library
    library.sound = lambda piece: ogg_file(185)
    library.music = [{**PIECE, "id": 8, "title": "Loud drums"}, PIECE]

    event = video(manual_script=SPOKEN, music_search="slow piano")

    job = produced(tx, platforms, event)
    visuals_step.handler({"scene": 0, **job}, None)

    planned = s3.get_json(f"{job['folder']}/timeline.json")
    found = s3.get_json(f"{job['folder']}/music.json")
    assert planned["music"]["asset"] == {"uri": found["uri"], "sha256": found["sha256"]}
    page = "https://commons.wikimedia.org/wiki/File:Slow_piano.ogg"
    assert found["source"] == page
    credit = f"Music by Zoë, CC BY 4.0 {PIECE['licence_url']}, shortened: {page}"
    assert credit in row(tx, event["video_id"])["description"]
    assert [path for path in library.fetched if path.endswith(".ogg")] == [
        "/wikipedia/commons/a/ab/Slow_piano.ogg"
    ]
    assert len([each for each in library.searches if "filetype:audio" in each["gsrsearch"]]) == 1


def test_music_that_cannot_be_played_is_replaced_by_the_next_piece(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 0)
    library = platforms.world.commons_library
    library.music = [
        {**PIECE, "id": 21, "title": "Slow piano one"},
        {**PIECE, "id": 22, "title": "One slow piano"},
    ]
    library.sound = lambda piece: ogg_file(185) if piece["id"] == 22 else ogg_file(185)[:60] + b"cut off"

    job = prepare.handler(video(manual_script=SPOKEN, music_search="slow piano one"), None)
    planned(job)
    visuals_step.handler({"scene": 0, **job}, None)

    found = s3.get_json(f"{job['folder']}/music.json")
    assert found["source"] == "https://commons.wikimedia.org/wiki/File:One_slow_piano.ogg"
    # The second search for it fetches neither of them again.
    assert len([path for path in library.fetched if path.endswith(".ogg")]) == 2
    assert s3.get_json(f"{job['folder']}/timeline.json")["music"]["asset"]["sha256"] == found["sha256"]


@pytest.mark.parametrize("fault", ["nothing", "html", "no sound", "cut off"])
def test_without_found_music_the_built_in_plays(
    tx: Any, platforms: Platforms, video: Any, fault: str
) -> None:
    stock(platforms, 1, clips=1)
    library = platforms.world.commons_library
    if fault == "html":
        library.outcomes.add("html")
    if fault == "no sound":
        library.music = [{**PIECE, "description": "with no sound"}]
        library.sound = lambda piece: b"<!doctype html>"
    if fault == "cut off":
        library.music = [{**PIECE, "description": "cut off"}]
        library.sound = lambda piece: ogg_file(185)[:60]

    job = produced(tx, platforms, video(manual_script=SPOKEN, music_search=f"slow piano {fault}"))

    assert s3.get_json(f"{job['folder']}/timeline.json")["music"]["asset"] is None
    logged = db.rows(tx, "SELECT message FROM studio.video_log WHERE video_id = :id", id=job["video_id"])
    message = f"No music was found for 'slow piano {fault}' that can be played: a built-in track plays."
    assert message in [each["message"] for each in logged]
