"""Images are drawn for shots that no library has a picture of, within what the budgets leave."""

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from functions.prepare import app as prepare
from functions.record import app as record
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from showrunner import breakers
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import PromiseNotKept
from showrunner.production import files
from showrunner.videos import allowances
from tests.functions.steps.stand_ins import JPEG, Platforms, list_costs, produced, row, write

SPOKEN = "The old harbour slept under a grey sky, and nobody was on the pier before the boats came home."
MODEL = "gpt-image-2.6-flare"


@pytest.fixture
def drawing(platforms: Platforms, monkeypatch: pytest.MonkeyPatch) -> Platforms:
    """A stage that draws images and compares texts by their meaning; no library finds anything."""
    monkeypatch.setenv("OPENAI_IMAGE_MODEL", MODEL)
    monkeypatch.setenv("OPENAI_IMAGE_QUALITY", "low")
    monkeypatch.setenv("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small")
    return platforms


def shown(job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = s3.get_json(files.visual_key(job["folder"], 0))["shots"]
    return found


def chosen(event: dict[str, Any]) -> dict[str, Any]:
    """Run the steps up to the pictures of the first scene. Returns the job."""
    job = prepare.handler(event, None)
    write(job)
    record.handler({**job, "step": "script"}, None)
    visuals_step.handler({"scene": 0, **job}, None)
    return job


def test_images_take_the_place_of_cards_with_their_rights_and_their_price(
    tx: Any, drawing: Platforms, video: Any
) -> None:
    event = video(manual_script=SPOKEN)
    job = produced(tx, drawing, event)

    pictures = shown(job)
    assert len(pictures) > 1
    assert {each["kind"] for each in pictures} == {"image"}
    first, asked = pictures[0], drawing.openai.drawn[0]
    assert first["source"].startswith(f"openai:{MODEL}:")
    assert (first["author"], first["licence"]) == (
        f"{MODEL}, generated",
        "OpenAI output, owned by the customer",
    )
    assert first["sha256"] == hashlib.sha256(JPEG + asked["prompt"].encode()).hexdigest()
    assert first["fetched_at"]
    planned = s3.get_json(files.timeline_key(job["folder"]))["scenes"][0]["shots"][0]["visual"]
    assert planned["asset"]["licence_url"] == first["licence_url"]
    paid = [
        each for each in list_costs(tx, job["organisation_id"], job["video_id"]) if each["step"] == "visuals"
    ]
    assert {(each["provider"], each["item"], each["unit"]) for each in paid} == {("openai", MODEL, "token")}
    assert len(paid) == len(pictures) == len(drawing.openai.drawn)
    # 157 tokens of an image of 1152 by 2048 pixels, and the 436 that this stand-in counts in every prompt.
    assert all(Decimal("0.004") < Decimal(each["amount_usd"]) < Decimal("0.02") for each in paid)
    assert f"Images: {MODEL}, generated (OpenAI)" in row(tx, event["video_id"])["description"]


def test_all_images_of_a_video_share_style_and_colours(tx: Any, drawing: Platforms, video: Any) -> None:
    settings = {"language": "en", "brand": {"palette": {"primary": "#112233"}}, "description": "Old ports."}
    chosen(video(settings, manual_script=SPOKEN, aspect=["16:9"]))

    asked = list(drawing.openai.drawn)
    shared = [
        [line for line in each["prompt"].splitlines() if not line.startswith(("Subject", "It illustrates"))]
        for each in asked
    ]
    assert len(asked) > 1
    assert all(lines == shared[0] for lines in shared)
    assert "#112233" in asked[0]["prompt"]
    assert "Old ports." in asked[0]["prompt"]
    assert {each["size"] for each in asked} == {"2048x1152"}


def test_the_same_brief_again_pays_for_no_image(tx: Any, drawing: Platforms, video: Any) -> None:
    event = video(manual_script=SPOKEN)
    job = chosen(event)
    count, before = len(drawing.openai.drawn), shown(job)

    visuals_step.handler({"scene": 0, **job}, None)
    s3.remove([files.visual_key(job["folder"], 0)])
    visuals_step.handler({"scene": 0, **job}, None)

    assert len(drawing.openai.drawn) == count
    assert shown(job) == before


def test_without_money_beside_voice_and_render_nothing_is_drawn(
    tx: Any, drawing: Platforms, video: Any
) -> None:
    job = chosen(video({"language": "en", "budget": {"video": "0.06"}}, manual_script=SPOKEN))

    assert allowances.left(job["folder"]) == 0
    assert list(drawing.openai.drawn) == list(drawing.openai.embedded) == []
    assert {each["kind"] for each in shown(job)} == {"generated"}


def test_no_more_is_spent_on_images_than_was_reserved(tx: Any, drawing: Platforms, video: Any) -> None:
    job = prepare.handler(video(manual_script=SPOKEN), None)
    write(job)
    record.handler({**job, "step": "script"}, None)
    reserved = db.value(
        tx, "SELECT amount_usd FROM ledger.reservations WHERE video_id = :id", id=job["video_id"]
    )
    granted = allowances.left(job["folder"])
    # Enough for one image, not for two.
    s3.put_json(files.allowance_key(job["folder"]), {"usd": "0.024"})
    visuals_step.handler({"scene": 0, **job}, None)

    assert 0 < granted < Decimal(reserved)
    assert len(drawing.openai.drawn) == 1
    assert [each["kind"] for each in shown(job)].count("image") == 1


def test_a_refused_image_leaves_the_card_and_is_not_asked_for_again(
    tx: Any, drawing: Platforms, video: Any
) -> None:
    drawing.openai.picture_outcomes.add("moderation_blocked")
    job = chosen(video(manual_script=SPOKEN))
    count = len(drawing.openai.drawn)

    visuals_step.handler({"scene": 0, **job}, None)

    kinds = [each["kind"] for each in shown(job)]
    assert kinds[0] == "generated"
    assert set(kinds[1:]) == {"image"}
    assert len(drawing.openai.drawn) == count


@pytest.mark.parametrize(
    "outcome",
    [
        "invalid_api_key",
        "rate_limit",
        "insufficient_quota",
        "server_error",
        "bad_gateway",
        "no_image",
        "no_jpeg",
    ],
)
def test_after_an_outage_no_image_is_waited_for_in_this_scene(
    tx: Any, drawing: Platforms, video: Any, outcome: str
) -> None:
    drawing.openai.picture_outcomes.add(outcome)
    job = chosen(video(manual_script=SPOKEN))

    assert len(drawing.openai.drawn) == 1
    assert {each["kind"] for each in shown(job)} == {"generated"}
    breakers.record("openai", answered=True)


def test_generated_images_do_not_keep_the_promise_of_footage(tx: Any, drawing: Platforms, video: Any) -> None:
    job = chosen(video(manual_script=SPOKEN, visual_style="footage"))
    voice_step.handler({"scene": 0, **job}, None)

    assert {each["kind"] for each in shown(job)} == {"image"}
    with pytest.raises(PromiseNotKept, match="generated images stand still and don't count"):
        timeline_step.handler({**job, "timeline_version": 2}, None)
