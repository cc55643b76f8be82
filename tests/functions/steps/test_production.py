"""All steps of a production, in order, repeated and interrupted, on a real PostgreSQL and an object store."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script_step
from functions.voice import app as voice_step
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import PaymentRequired, ProductionCancelled, PromiseNotKept
from tests.functions.steps.stand_ins import (
    Platforms,
    answer,
    failure,
    good_script,
    list_costs,
    produced,
    row,
    words_target,
    write,
)


def test_a_brief_becomes_a_finished_video_with_every_cent_in_the_ledger(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    event = video()

    done = produced(tx, platforms, event)
    finish.handler(done, None)

    after = row(tx, event["video_id"])
    assert (after["status"], after["progress"], after["error"]) == ("completed", 100, None)
    assert after["title"] == "Cables under the sea"
    assert after["product"]["outputs"][0]["video"].endswith("/render/video.mp4")
    costs = list_costs(tx, event["organisation_id"], event["video_id"])
    assert {cost["step"] for cost in costs} == {"script", "voice", "render", "storage"}
    assert float(next(cost["amount_usd"] for cost in costs if cost["step"] == "script")) == pytest.approx(
        1000 * 0.10e-6 + 500 * 0.50e-6
    )
    assert sum(float(cost["quantity"]) for cost in costs if cost["step"] == "voice") == sum(
        len(text) for text in platforms.spoken
    )
    assert next(float(cost["amount_usd"]) for cost in costs if cost["step"] == "render") == pytest.approx(
        0.19748 / 60, abs=1e-8
    )


def test_a_finished_video_sends_its_production_time_and_cost_as_metrics(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, sent = video(), {}
    # Powertools sends nothing in tests.
    monkeypatch.setattr(finish.metrics, "add_metric", lambda name, unit, value: sent.update({name: value}))

    finish.handler(produced(tx, platforms, event), None)

    seconds = row(tx, event["video_id"])["product"]["step_seconds"]
    assert sent["ProductionSeconds"] == pytest.approx(sum(seconds.values()), abs=0.1)
    assert sent["ProductionSeconds"] >= 60, "the render alone took a minute"
    assert sent["VideoCostUsd"] > 0


def test_a_repeated_step_pays_once_and_changes_nothing(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    finish.handler(produced(tx, platforms, event), None)
    before, spoken, asked = row(tx, event["video_id"]), list(platforms.spoken), len(platforms.questions)
    costs = list_costs(tx, event["organisation_id"], event["video_id"])

    db.run(
        tx, "UPDATE studio.videos SET status = 'processing', attempt = 2 WHERE id = :id", id=event["video_id"]
    )
    finish.handler(produced(tx, platforms, {**event, "attempt": 2}), None)

    assert (platforms.spoken, len(platforms.questions)) == (spoken, asked)
    assert row(tx, event["video_id"])["title"] == before["title"]
    again = list_costs(tx, event["organisation_id"], event["video_id"])
    assert [cost for cost in again if cost["step"] != "render"] == [
        cost for cost in costs if cost["step"] != "render"
    ]


def test_a_second_video_of_the_same_brief_costs_nothing(tx: Any, platforms: Platforms, video: Any) -> None:
    first = video()
    produced(tx, platforms, first)
    spoken, asked = len(platforms.spoken), len(platforms.questions)
    second = {**first, "video_id": str(uuid.uuid4())}
    db.run(
        tx,
        """INSERT INTO studio.videos (id, organisation_id, channel_id, request)
           SELECT :new, organisation_id, channel_id, request FROM studio.videos WHERE id = :old""",
        new=second["video_id"],
        old=first["video_id"],
    )

    produced(tx, platforms, second)

    assert (len(platforms.spoken), len(platforms.questions)) == (spoken, asked)
    assert list_costs(tx, second["organisation_id"], second["video_id"]) == []


@pytest.mark.parametrize("change", ["status = 'cancelled'", "attempt = 2", "status = 'failed'"])
def test_a_step_of_an_ended_attempt_changes_nothing(
    tx: Any, platforms: Platforms, video: Any, change: str
) -> None:
    event = video(manual_script="One sentence.")
    job = prepare.handler(event, None)
    write(job)
    db.run(tx, f"UPDATE studio.videos SET {change} WHERE id = :id", id=event["video_id"])
    before = row(tx, event["video_id"])

    with pytest.raises(ProductionCancelled):
        record.handler({**job, "step": "script"}, None)

    after = row(tx, event["video_id"])
    assert (after["status"], after["attempt"], after["current_step"]) == (
        before["status"],
        before["attempt"],
        before["current_step"],
    )


def reserved(tx: Any, video_id: str) -> tuple[str, Decimal] | None:
    found = db.one(tx, "SELECT step, amount_usd FROM ledger.reservations WHERE video_id = :id", id=video_id)
    return (found["step"], found["amount_usd"]) if found else None


def test_every_paid_step_is_reserved_before_and_settled_after(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    event = video()
    job = prepare.handler(event, None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])

    first = script_step.handler({**job, "reserved_usd": "0"}, None)

    assert (first["more"], platforms.questions) == (True, [])  # nothing is paid without a reservation
    amount = first["next_usd"]
    record.handler({**job, "step": "reserve", "amount_usd": amount}, None)
    assert reserved(tx, event["video_id"]) == ("script", pytest.approx(Decimal(amount), abs=Decimal("1e-8")))
    script_step.handler({**job, "reserved_usd": amount}, None)
    record.handler({**job, "step": "script"}, None)
    written = write(job)
    (paid,) = list_costs(tx, event["organisation_id"], event["video_id"])
    assert Decimal(paid["amount_usd"]) < Decimal(amount)
    step, voice_usd = reserved(tx, event["video_id"]) or ("", Decimal(0))
    for scene in written["narrations"]:
        voice_step.handler({"scene": scene, **job}, None)
    record.handler({**job, "step": "script"}, None)
    costs = list_costs(tx, event["organisation_id"], event["video_id"])
    assert (step, voice_usd) == (
        "voice",
        sum(Decimal(each["amount_usd"]) for each in costs if each["step"] == "voice"),
    )
    assert reserved(tx, event["video_id"]) == ("voice", Decimal(0))  # every recording is there


def test_a_production_ends_before_the_call_that_its_budget_does_not_cover(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    event = video({"language": "en", "budget": {"video": "0.02"}})
    job = prepare.handler(event, None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])
    write(job)

    with pytest.raises(PaymentRequired) as refused:
        record.handler({**job, "step": "script"}, None)

    assert "settings.budget.video" in refused.value.message
    assert platforms.spoken == []
    cause = json.dumps({"errorMessage": refused.value.message})
    finish.handler(failure(job, "script", "PaymentRequired", cause), None)
    after = row(tx, event["video_id"])
    assert (after["status"], after["error"]["message"]) == ("failed", refused.value.message)
    assert reserved(tx, event["video_id"]) is None
    assert len(list_costs(tx, event["organisation_id"], event["video_id"])) == 1  # the script


def test_the_end_of_a_production_leaves_nothing_reserved(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    done = produced(tx, platforms, event)
    step, amount = reserved(tx, event["video_id"]) or ("", Decimal(0))
    assert step == "render"

    finish.handler(done, None)

    assert reserved(tx, event["video_id"]) is None
    costs = list_costs(tx, event["organisation_id"], event["video_id"])
    assert (
        sum(Decimal(each["amount_usd"]) for each in costs if each["step"] in ("render", "storage")) < amount
    )


def test_a_film_that_moves_less_than_its_channel_promises_fails_and_is_paid_for(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    event = video()
    done = produced(tx, platforms, event)
    promised = {**s3.get_json(f"{done['folder']}/job.json"), "promised_motion": 0.8}
    s3.put_json(f"{done['folder']}/job.json", promised)

    with pytest.raises(PromiseNotKept, match="moves in 70% of its time, and the channel promises 80%"):
        finish.handler(done, None)
    finish.handler(
        failure(done, "finish", "PromiseNotKept", json.dumps({"errorMessage": "Too still."})), None
    )

    assert row(tx, event["video_id"])["status"] == "failed"
    steps = [cost["step"] for cost in list_costs(tx, event["organisation_id"], event["video_id"])]
    assert "render" in steps
