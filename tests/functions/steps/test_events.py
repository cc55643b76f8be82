"""The steps announce their progress and the end on the event bus."""

from typing import Any

import pytest

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.record import app as record
from showrunner.aws import events, rpc
from showrunner.database import db
from showrunner.errors import ServiceUnavailable
from showrunner.models import VideoEvent
from tests.functions.steps.stand_ins import Platforms, produced, row, write


def test_each_step_announces_the_videos_progress(tx: Any, platforms: Platforms, video: Any, bus: Any) -> None:
    event = video(manual_script="One sentence.")
    finish.handler(produced(tx, platforms, event), None)

    sent = bus()

    assert [
        (each["detail-type"], each["detail"]["current_step"], each["detail"]["progress"]) for each in sent
    ] == [
        ("video.progress", "prepare", 1),
        ("video.progress", "voice", 15),
        ("video.progress", "render", 50),
        ("video.completed", "finish", 100),
    ]
    assert {
        (each["detail"]["video_id"], each["detail"]["organisation_id"], each["detail"]["attempt"])
        for each in sent
    } == {tuple(event.values())}
    assert [each["detail"]["status"] for each in sent] == ["processing"] * 3 + ["completed"]
    assert sent[-1]["detail"]["title"] == row(tx, event["video_id"])["title"]
    assert len({each["detail"]["event_id"] for each in sent}) == 4


def test_a_repeated_step_announces_the_same_event(
    tx: Any, platforms: Platforms, video: Any, bus: Any
) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    first, *_ = bus()
    for _ in range(2):
        record.handler({**job, "step": "script"}, None)

    again = bus()

    assert again[0]["detail"]["event_id"] == again[1]["detail"]["event_id"] != first["detail"]["event_id"]


@pytest.mark.parametrize(
    ("status", "kind"), [("processing", "video.failed"), ("cancelled", "video.cancelled")]
)
def test_every_end_of_a_video_is_announced(
    tx: Any, platforms: Platforms, video: Any, bus: Any, status: str, kind: str
) -> None:
    event = video(manual_script="One sentence.")
    prepare.handler(event, None)
    bus()
    db.run(
        tx, "UPDATE studio.videos SET status = :status WHERE id = :id", status=status, id=event["video_id"]
    )

    finish.handler(
        {"source": "aws.states", "detail": {"name": f"{event['video_id']}-1", "status": "ABORTED"}}, None
    )

    (sent,) = bus()
    assert (sent["detail-type"], sent["detail"]["status"]) == (kind, kind.removeprefix("video."))
    assert sent["detail"]["message"]


def test_an_unreachable_event_bus_stops_no_step(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "arn:aws:events:us-east-1:123456789012:event-bus/nobody-made-it")
    with pytest.raises((ServiceUnavailable, rpc.AwsError)):
        events.put(
            [
                VideoEvent(
                    "1",
                    "v",
                    "o",
                    "c",
                    1,
                    "Title",
                    "processing",
                    1,
                    "voice",
                    "2026-11-28",
                    "Spoken.",
                    "video.progress",
                )
            ]
        )
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    assert record.handler({**job, "step": "script"}, None) == {"recorded": "script"}
