"""The visuals step: assets of the user, stock and generated backdrops."""

import hashlib
import io
import json
import time
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from PIL import Image, ImageFilter

from functions.prepare import app as prepare
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from local.platforms import pexels
from showrunner import quotas
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import InvalidRequest, PromiseNotKept
from showrunner.platforms import stock as stock_module
from showrunner.production import cards
from showrunner.production.job import Job
from showrunner.production.visuals import Shot
from showrunner.videos.footage import Footage
from tests.functions.steps.stand_ins import MP4, Platforms, produced, row, stock, write
from tests.servers import speaking


def shown(job: dict[str, Any], scene: int) -> list[dict[str, Any]]:
    """Return what the shots of a scene show."""
    found: list[dict[str, Any]] = s3.get_json(f"{job['folder']}/scenes/{scene}.visual.json")["shots"]
    return found


@pytest.mark.usefixtures("without_pexels")
def test_visuals_prefer_the_users_asset_then_stock_then_the_backdrop(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 2)
    asset = str(uuid.uuid4())
    event = video(assets=[asset], manual_script="One sentence. " * 30)
    db.run(
        tx,
        """INSERT INTO studio.assets
               (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
           VALUES (:id, :org, 'image', 'image/png', 9, :sha, 'k', 'ready')""",
        id=asset,
        org=event["organisation_id"],
        sha="0" * 64,
    )
    job = prepare.handler(event, None)
    scenes = write(job)["scenes"]

    for scene in scenes:
        visuals_step.handler({"scene": scene, **job}, None)

    chosen = [shown(job, scene) for scene in scenes]
    assert {each["source"] for each in chosen[0]} == {f"asset:{asset}"}
    rest = [each for scene in chosen[1:] for each in scene]
    assert [each["source"] for each in rest[:2]] == [
        "https://www.pexels.com/photo/0/",
        "https://www.pexels.com/photo/1/",
    ]
    assert all(each["kind"] == "generated" for each in rest[2:])
    assert all(each["licence"] for scene in chosen for each in scene)


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize(
    "outcome",
    ["unauthorized", "rate_limit", "server_error", "html", "missing_size", "html_photo", "other_host"],
)
def test_a_failing_stock_search_is_replaced_by_the_backdrop(
    tx: Any, platforms: Platforms, video: Any, outcome: str
) -> None:
    stock(platforms, 1)
    # Every search goes wrong, for clips and for photographs.
    for _ in range(8):
        platforms.photographs.outcomes.add(outcome)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert shown(job, 0)[0]["kind"] == "generated"


@pytest.mark.usefixtures("without_pexels")
def test_a_photograph_is_cropped_to_the_portrait_frame_and_credited(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 1)
    event = video(manual_script="One sentence.")
    produced(tx, platforms, event)

    size = parse_qs(platforms.photographs.fetched[-1].partition("?")[2])
    assert (size["fit"], int(size["w"][0]) > 1080, int(size["h"][0]) > 1920) == (["crop"], True, True)
    assert "Photos: Ada (Pexels)" in row(tx, event["video_id"])["description"]


@pytest.mark.usefixtures("without_pexels")
def test_an_incomplete_photograph_is_replaced_by_the_backdrop(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(platforms, 1)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    answer = {
        "photos": [
            {
                "id": 1,
                "url": "https://www.pexels.com/photo/1/",
                "photographer": "Ada",
                "src": {"original": "ADDRESS/photo.jpg"},
            }
        ]
    }

    with speaking([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\xff\xd8\xff"]) as address:
        found = json.dumps(answer).replace("ADDRESS", address).encode()
        headers = ("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(found)}")
        head = "\r\n".join((*headers, "", "")).encode()
        with speaking([head + found]) as search:
            monkeypatch.setenv("PEXELS_PHOTO_HOST", address)
            monkeypatch.setenv("PEXELS_BASE_URL", search)
            visuals_step.handler({"scene": 0, **job}, None)

    assert shown(job, 0)[0]["kind"] == "generated"


def test_prepare_fails_naming_an_asset_that_is_not_uploaded(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    missing = str(uuid.uuid4())

    with pytest.raises(InvalidRequest, match=missing):
        prepare.handler(video(assets=[missing]), None)


def test_a_scene_has_the_pictures_of_its_shots_and_a_clip_of_the_user_is_not_cut(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    clip = str(uuid.uuid4())
    text = "The old harbour slept under a grey sky, and nobody was on the pier before the boats came home. "
    event = video(assets=[clip], manual_script=f"{text}\n\n---\n\n{text}")
    db.run(
        tx,
        """INSERT INTO studio.assets
               (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
           VALUES (:id, :org, 'clip', 'video/mp4', 9, :sha, 'k', 'ready')""",
        id=clip,
        org=event["organisation_id"],
        sha="0" * 64,
    )
    job = prepare.handler(event, None)
    write(job)
    for scene in (0, 1):
        visuals_step.handler({"scene": scene, **job}, None)

    assert [each["source"] for each in shown(job, 0)] == [f"asset:{clip}"]
    assert sum(each["words"] for each in shown(job, 1)) == len(text.split())
    assert len(shown(job, 1)) > 1


SPOKEN = "The old harbour slept under a grey sky, and nobody was on the pier before the boats came home."


@pytest.mark.usefixtures("without_pexels")
def test_shots_show_clips_before_photographs_with_their_rights(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 5, clips=1)
    event = video(manual_script=SPOKEN)
    job = produced(tx, platforms, event)

    first, second = shown(job, 0)[:2]
    assert (first["kind"], first["source"]) == ("clip", "https://www.pexels.com/video/0/")
    assert (second["kind"], second["source"]) == ("image", "https://www.pexels.com/photo/0/")
    assert (first["licence"], first["licence_url"]) == ("Pexels License", "https://www.pexels.com/license/")
    assert first["sha256"] == hashlib.sha256(MP4 + b"0").hexdigest()
    assert datetime.fromisoformat(first["fetched_at"]).tzinfo is not None
    planned = s3.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["shots"][0]["visual"]
    assert planned["asset"]["licence_url"] == first["licence_url"]
    description = row(tx, event["video_id"])["description"]
    assert "Videos: Grace (Pexels)\nPhotos: Ada (Pexels)" in description


@pytest.mark.usefixtures("without_pexels")
def test_the_same_text_again_asks_and_downloads_nothing(tx: Any, platforms: Platforms, video: Any) -> None:
    stock(platforms, 1, clips=2)
    job = prepare.handler(video(manual_script=SPOKEN), None)
    write(job)
    visuals_step.handler({"scene": 0, **job}, None)
    chosen, asked = shown(job, 0), (len(platforms.searches), len(platforms.photographs.fetched))

    visuals_step.handler({"scene": 0, **job}, None)

    assert asked[1] == 2
    assert shown(job, 0) == chosen
    assert (len(platforms.searches), len(platforms.photographs.fetched)) == asked


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("outcome", ["html_video", "huge_video", "missing_size", "other_host"])
def test_a_clip_that_cannot_be_used_is_replaced_by_a_photograph(
    tx: Any, platforms: Platforms, video: Any, outcome: str
) -> None:
    stock(platforms, 1, clips=1)
    for _ in range(3 if outcome == "html_video" else 1):
        platforms.photographs.outcomes.add(outcome)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert shown(job, 0)[0]["kind"] in ("image", "clip")
    assert not any("blocked" in path for path in platforms.photographs.fetched)


@pytest.mark.usefixtures("without_pexels")
def test_a_stock_service_that_is_slow_is_not_waited_for(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(platforms, 1, clips=1)
    monkeypatch.setattr(stock_module, "SEARCH_SECONDS", 0.3)
    monkeypatch.setattr(pexels, "SLOW_SECONDS", 1.0)
    platforms.photographs.outcomes.add("slow")
    job = prepare.handler(video(manual_script=SPOKEN), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert {each["kind"] for each in shown(job, 0)} == {"generated"}


@pytest.mark.usefixtures("without_pexels")
def test_a_spent_quota_is_not_asked_again(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(platforms, 1, clips=1)
    monkeypatch.setattr(quotas, "PEXELS_SEARCHES_A_DAY", 0)
    job = prepare.handler(video(manual_script=SPOKEN), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert platforms.searches == []
    assert {each["kind"] for each in shown(job, 0)} == {"generated"}


@pytest.mark.usefixtures("without_pexels")
def test_a_typographic_video_shows_no_footage(tx: Any, platforms: Platforms, video: Any) -> None:
    stock(platforms, 2, clips=2)
    job = prepare.handler(video(manual_script=SPOKEN, visual_style="typographic"), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert platforms.searches == []
    assert {each["kind"] for each in shown(job, 0)} == {"generated"}


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("clips", [3, 0])
def test_a_number_is_set_over_a_clip_and_typeset_without_one(
    tx: Any, platforms: Platforms, video: Any, clips: int
) -> None:
    stock(platforms, 0, clips=clips)
    event = video(manual_script="The old harbour has 98 boats in summer.", visual_style="mixed")

    job = produced(tx, platforms, event)

    picture = next(each for each in shown(job, 0) if each.get("overlay") or each["kind"] == "generated")
    card = picture["overlay"] if clips else picture["generated"]
    assert (picture["kind"], card["template"], card["value"]) == (
        ("clip" if clips else "generated"), "number", "98"
    )  # fmt: skip
    assert card["figure"] == {"motif": "dots", "share": None, "count": 98}
    planned = s3.get_json(f"{job['folder']}/timeline.json")
    figures = [
        (shot["visual"].get("overlay") or shot["visual"].get("generated") or {}).get("figure")
        for scene in planned["scenes"]
        for shot in scene["shots"]
    ]
    (figure,) = [each for each in figures if each]
    assert figure["count"] == 98
    assert figure["spoken_s"] > 0


@pytest.mark.usefixtures("without_pexels")
def test_a_video_of_footage_without_clips_is_not_rendered(tx: Any, platforms: Platforms, video: Any) -> None:
    stock(platforms, 5)
    job = prepare.handler(video(manual_script=SPOKEN, visual_style="footage"), None)
    write(job)
    voice_step.handler({"scene": 0, **job}, None)
    visuals_step.handler({"scene": 0, **job}, None)

    with pytest.raises(PromiseNotKept, match="0% of the video, and the channel promises motion in 60%"):
        timeline_step.handler({**job, "timeline_version": 2}, None)


@pytest.mark.usefixtures("without_pexels")
def test_a_retry_of_a_video_of_footage_searches_again_for_the_clips_that_it_lacked(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 0, clips=5)
    for _ in range(4):
        platforms.photographs.outcomes.add("server_error")
    platforms.world.commons_library.image = b"\xff\xd8\xff\xe0"
    platforms.world.commons_library.photos = [
        {"id": 7, "title": "Old harbour", "licence": "CC0", "licence_url": "https://x.example"}
    ]
    job = prepare.handler(video(manual_script="The old harbour sleeps.", visual_style="footage"), None)
    write(job)
    visuals_step.handler({"scene": 0, **job}, None)
    assert [each["kind"] for each in shown(job, 0)] == ["image"]

    while platforms.photographs.outcomes.take():
        pass
    document = s3.get_json(f"{job['folder']}/job.json")
    s3.put_json(f"{job['folder']}/job.json", {**document, "attempt": 2})
    visuals_step.handler({"scene": 0, **job}, None)

    assert [each["kind"] for each in shown(job, 0)] == ["clip"]


@pytest.mark.usefixtures("without_pexels")
def test_the_next_library_is_asked_when_one_is_down_and_its_licence_is_credited(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 5, clips=5)
    for _ in range(4):
        platforms.photographs.outcomes.add("server_error")
    platforms.world.commons_library.image = b"\xff\xd8\xff\xe0"
    platforms.world.commons_library.photos = [
        {
            "id": 7,
            "title": "Old harbour",
            "licence": "CC BY 4.0",
            "licence_url": "https://creativecommons.org/licenses/by/4.0",
            "artist": "Zoë",
        }
    ]
    event = video(manual_script="The old harbour sleeps.")

    job = produced(tx, platforms, event)

    (first,) = shown(job, 0)
    assert (first["source"], first["library"]) == (
        "https://commons.wikimedia.org/wiki/File:Old_harbour.jpg",
        "commons",
    )
    assert (first["licence"], first["must_credit"]) == ("CC BY 4.0", True)
    credit = (
        "Photo by Zoë, CC BY 4.0 https://creativecommons.org/licenses/by/4.0, cropped: "
        "https://commons.wikimedia.org/wiki/File:Old_harbour.jpg"
    )
    assert credit in row(tx, event["video_id"])["description"]


@pytest.mark.usefixtures("without_pexels")
def test_a_licence_that_changes_to_one_without_commerce_ends_the_use(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    platforms.world.commons_library.image = b"\xff\xd8\xff\xe0"
    harbour = {"id": 7, "title": "Old harbour", "licence": "CC BY-NC 4.0", "licence_url": "https://x.example"}
    platforms.world.commons_library.photos = [harbour]
    stock(platforms, 0)
    job = prepare.handler(video(manual_script="The old harbour sleeps."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert shown(job, 0)[0]["kind"] == "generated"


def preview(colour: tuple[int, int]) -> bytes:
    """Return a JPEG with a gradient from the left to the right."""
    target = io.BytesIO()
    row = bytes(round(colour[0] + (colour[1] - colour[0]) * x / 63) for x in range(64))
    Image.frombytes("L", (64, 64), row * 64).save(target, "JPEG")
    return target.getvalue()


@pytest.mark.usefixtures("without_pexels")
def test_a_clip_that_looks_like_one_that_is_shown_comes_after_others(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 0, clips=3)
    # 0 and 1 grow lighter to the right, 2 grows darker.
    platforms.photographs.preview = lambda clip: preview((30, 220) if clip["id"] < 2 else (220, 30))
    job = prepare.handler(video(manual_script=SPOKEN), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    first, second = shown(job, 0)[:2]
    sources = {each: f"https://www.pexels.com/video/{each}/" for each in range(3)}
    order = [number for number, source in sources.items() if source in (first["source"], second["source"])]
    assert 2 in order
    assert first["look"] != second["look"]


@pytest.mark.usefixtures("without_pexels")
def test_no_shot_shows_what_the_ones_before_it_show_if_something_else_fits_as_well(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 0, clips=4)
    titles = (
        "grey sky above old harbour",
        "grey sky above an old harbour",
        "sky and pier of a harbour",
        "tax",
    )
    for clip, title in zip(platforms.photographs.videos, titles, strict=True):
        clip["title"] = title
    job = prepare.handler(video(manual_script=SPOKEN), None)
    folder = Job.model_validate(s3.get_json(f"{job['folder']}/job.json"))
    shot = Shot(words=4, text="sky above the harbour", visual=cards.plain("sky"), queries=["sky harbour"])

    alone, after = (Footage(folder, set(), set(), before).find(shot) for before in ([], [titles[0]]))

    assert alone
    assert after
    assert (alone["about"], after["about"]) == (titles[0], titles[2])


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("fault", ["blurred", "badly cropped"])
def test_of_clips_with_the_same_words_the_sharp_one_that_keeps_its_subject_is_shown(
    tx: Any, platforms: Platforms, video: Any, fault: str
) -> None:
    stock(platforms, 0, clips=4)

    def picture(clip: dict[str, Any]) -> bytes:
        drawn = Image.effect_noise((320, 180), 5).convert("RGB")
        is_cropped = fault == "badly cropped" and clip["id"] != 3
        for x in (20, 280) if is_cropped else (150,):
            drawn.paste((220, 60, 40), (x, 60 + clip["id"], x + 20, 130))
        target = io.BytesIO()
        is_blurred = fault == "blurred" and clip["id"] != 3
        (drawn.filter(ImageFilter.GaussianBlur(5)) if is_blurred else drawn).save(target, "JPEG")
        return target.getvalue()

    platforms.photographs.preview = picture
    job = prepare.handler(video(manual_script="The old harbour sleeps."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    best = shown(job, 0)[0]
    measure = "sharpness" if fault == "blurred" else "subject_kept"
    assert best["source"] == "https://www.pexels.com/video/3/"
    assert best["score"] > best["runners_up"][0]["score"]
    assert all(best[measure] > each[measure] + 0.2 for each in best["runners_up"])


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("content", [b"", b"<html>", preview((0, 255)) + bytes(300_000)])
def test_a_preview_that_cannot_be_had_keeps_no_clip_from_being_shown(
    tx: Any, platforms: Platforms, video: Any, content: bytes
) -> None:
    stock(platforms, 0, clips=2)
    platforms.photographs.preview = lambda clip: content
    job = prepare.handler(video(manual_script="The old harbour sleeps."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert shown(job, 0)[0]["kind"] == "clip"
    assert "look" not in shown(job, 0)[0]
    assert [shown(job, 0)[0][name] for name in ("sharpness", "subject_kept")] == [None, None]


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("language", ["es", "fr", "de", "it", "pt"])
def test_a_users_script_is_searched_in_its_language_and_moves(
    tx: Any, platforms: Platforms, video: Any, language: str
) -> None:
    texts = {
        "es": "La luna tira del agua del océano y la marea sube dos veces al día en la costa.",
        "fr": "La lune attire l'eau de l'océan et la marée monte deux fois par jour sur la côte.",
        "de": "Der Mond zieht das Wasser an, und die Flut steigt zweimal am Tag an der Küste.",
        "it": "La luna attira l'acqua e la marea sale due volte al giorno lungo la costa.",
        "pt": "A lua atrai a água do oceano e a maré sobe duas vezes por dia na costa.",
    }
    stock(platforms, 0, clips=4)
    # Voices of some of these languages are missing here, so the order is English until Prepare has run.
    job = prepare.handler(video(manual_script=texts[language]), None)
    document = s3.get_json(f"{job['folder']}/job.json")
    s3.put_json(f"{job['folder']}/job.json", {**document, "language": language})
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert {each["kind"] for each in shown(job, 0)} == {"clip"}
    assert {search["locale"][:2] for search in platforms.photographs.searches} == {language}
    assert all(2 <= len(search["query"]) <= 40 for search in platforms.photographs.searches)


@pytest.mark.usefixtures("without_pexels")
def test_one_file_that_does_not_come_is_left_out_and_the_library_is_asked_on(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow server takes longer for the first file than anybody waits."""
    monkeypatch.setattr(stock_module, "DOWNLOAD_SECONDS", 0.3)
    stock(platforms, 0, clips=4)
    waited: list[int] = []

    def clip(found: dict[str, Any]) -> list[bytes]:
        waited.append(found["id"])
        if len(waited) == 1:
            time.sleep(0.8)
        return [MP4 + str(found["id"]).encode()]

    platforms.photographs.clip = clip
    job = prepare.handler(video(manual_script=SPOKEN), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert len(shown(job, 0)) > 1
    assert {each["kind"] for each in shown(job, 0)} == {"clip"}
