"""Works are compared with shots by the meaning of their texts, by one paid request for a whole video."""

from typing import Any

import pytest

from functions.prepare import app as prepare
from functions.record import app as record
from functions.visuals import app as visuals_step
from showrunner import breakers
from showrunner.aws import s3
from showrunner.production import files
from tests.functions.steps.stand_ins import Platforms, stock, write

pytestmark = pytest.mark.usefixtures("without_pexels")
TEXT = "The old harbour sleeps under grey clouds. Engines of the ferry wake the town at dawn."


@pytest.fixture
def comparing(platforms: Platforms, monkeypatch: pytest.MonkeyPatch) -> Platforms:
    monkeypatch.setenv("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small")
    stock(platforms, 0, clips=3)
    titles = (
        "a red car on a road",
        "boats in an old harbour under clouds",
        "ferry engines at dawn in a town",
    )
    for each, title in zip(platforms.photographs.videos, titles, strict=True):
        each["title"] = title
    return platforms


def produced(event: dict[str, Any]) -> dict[str, Any]:
    job = prepare.handler(event, None)
    scenes = write(job)["scenes"]
    record.handler({**job, "step": "script"}, None)
    for scene in scenes:
        visuals_step.handler({"scene": scene, **job}, None)
    return job


def shown(job: dict[str, Any], scene: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = s3.get_json(files.visual_key(job["folder"], scene))["shots"]
    return found


def test_one_request_compares_all_texts_and_the_nearest_work_is_shown(
    tx: Any, comparing: Platforms, video: Any
) -> None:
    event = video(manual_script="\n\n---\n\n".join(f"{each}." for each in TEXT.rstrip(".").split(". ")))
    job = produced(event)

    first, second = shown(job, 0)[0], shown(job, 1)[0]
    assert (first["source"][-2:], second["source"][-2:]) == ("1/", "2/")
    assert first["relevance"] > first["runners_up"][0]["relevance"]
    assert first["score"] > first["runners_up"][0]["score"]
    assert len(comparing.openai.embedded) == 1
    (asked,) = comparing.openai.embedded
    assert len(set(asked["input"])) == len(asked["input"]) >= 4
    receipts = s3.list_keys(files.charge_prefix(job["folder"], "visuals"))
    assert len(receipts) == 1
    assert s3.get_json(receipts[0])["item"] == "text-embedding-3-small"


def test_the_same_texts_again_are_not_paid_for_again(tx: Any, comparing: Platforms, video: Any) -> None:
    event = video(manual_script=TEXT)
    job = produced(event)
    before, chosen = len(comparing.openai.embedded), shown(job, 0)
    s3.remove([files.visual_key(job["folder"], 0)])

    visuals_step.handler({"scene": 0, **job}, None)

    assert before == len(comparing.openai.embedded) == 1
    assert shown(job, 0) == chosen


@pytest.mark.parametrize("outcome", ["invalid_api_key", "rate_limit", "server_error", "bad_gateway"])
def test_without_vectors_the_words_are_compared(
    tx: Any, comparing: Platforms, video: Any, outcome: str
) -> None:
    comparing.openai.picture_outcomes.add(outcome)
    job = produced(video(manual_script="The old harbour sleeps under grey clouds."))

    assert shown(job, 0)[0]["source"].endswith("/boats-in-an-old-harbour-under-clouds-1/")
    breakers.record("openai", answered=True)
