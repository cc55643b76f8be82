"""All steps of a production, in order, repeated and interrupted, on a real PostgreSQL and an object store."""

import uuid
from typing import Any

import pytest

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.record import app as record
from showrunner.database import db
from showrunner.errors import ProductionCancelled
from tests.functions.steps.stand_ins import Platforms, list_costs, produced, row, write


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
