"""The finish step after a failure: the message to the user, and the costs."""

import json
from typing import Any

import pytest

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.voice import app as voice_step
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import RenderIncomplete
from tests.functions.steps.stand_ins import Platforms, failure, list_costs, produced, row, write


def test_a_failure_names_its_step_and_what_to_do(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)

    finish.handler(
        failure(
            job,
            "voice",
            "QuotaExceeded",
            json.dumps({"errorMessage": "0 credits", "errorType": "QuotaExceeded"}),
        ),
        None,
    )

    after = row(tx, event["video_id"])
    assert (after["status"], after["error"]["step"], after["error"]["code"]) == (
        "failed",
        "voice",
        "QuotaExceeded",
    )
    assert "ElevenLabs" in after["error"]["message"]


def test_a_failure_in_the_visuals_branch_is_reported_as_visuals(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    event = video()
    job = prepare.handler(event, None)
    inner = {"Error": "StorageMissing", "Cause": json.dumps({"errorMessage": "There is no object x."})}

    finish.handler(failure(job, "visuals", "VisualsFailed", json.dumps(inner)), None)

    assert row(tx, event["video_id"])["error"]["code"] == "StorageMissing"


def test_a_failed_render_is_explained_by_its_error_file(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)
    s3.put_json(
        f"{job['folder']}/render/error.json",
        {"error": "AssetUnreadable", "message": "clip.mp4 can't be decoded: upload it again."},
    )

    finish.handler(
        failure(
            job,
            "render",
            "States.TaskFailed",
            json.dumps({"StatusReason": "Essential container in task exited"}),
        ),
        None,
    )

    assert "clip.mp4" in row(tx, event["video_id"])["error"]["message"]


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED", "FAILED"])
def test_an_execution_that_ended_uncaught_fails_its_video(
    tx: Any, platforms: Platforms, video: Any, status: str
) -> None:
    event = video()
    prepare.handler(event, None)
    detail = {"name": f"{event['video_id']}-1", "status": status, "stateMachineArn": "arn", "cause": None}

    finish.handler({"source": "aws.states", "detail": detail}, None)

    assert row(tx, event["video_id"])["status"] == "failed"


def test_costs_of_a_cancelled_video_are_in_the_ledger(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video(manual_script="One sentence.")
    job = prepare.handler(event, None)
    write(job)
    voice_step.handler({"scene": 0, **job}, None)
    db.run(tx, "UPDATE studio.videos SET status = 'cancelled' WHERE id = :id", id=event["video_id"])

    finish.handler(
        {"source": "aws.states", "detail": {"name": f"{event['video_id']}-1", "status": "ABORTED"}}, None
    )

    assert [cost["step"] for cost in list_costs(tx, event["organisation_id"], event["video_id"])] == ["voice"]


def test_a_failed_render_is_charged(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)

    finish.handler(
        failure(
            job,
            "render",
            "States.TaskFailed",
            json.dumps({"StatusReason": "x", "StartedAt": 0, "StoppedAt": 3_600_000}),
        ),
        None,
    )

    (cost,) = list_costs(tx, event["organisation_id"], event["video_id"])
    assert (cost["step"], float(cost["amount_usd"])) == ("render", 0.19748)


def test_aborting_a_cancelled_video_leaves_it_cancelled(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    prepare.handler(event, None)
    db.run(tx, "UPDATE studio.videos SET status = 'cancelled' WHERE id = :id", id=event["video_id"])

    finish.handler(
        {"source": "aws.states", "detail": {"name": f"{event['video_id']}-1", "status": "ABORTED"}}, None
    )

    assert row(tx, event["video_id"])["status"] == "cancelled"


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("video.mp4", None, "is missing"),
        ("video.mp4", bytes(8_999_999), "has 8999999 bytes"),
        ("video.mp4", b"\1" + bytes(8_999_999), "another sha256"),
        ("thumbnail.jpg", None, "missing or empty"),
        ("thumbnail.tall.jpg", None, "missing or empty"),
        ("captions.srt", b"", "missing or empty"),
        ("thumbnail.jpg", b"JPEG", "another sha256"),
        ("thumbnail.tall.jpg", b"JPEG", "another sha256"),
        ("captions.srt", b"2", "another sha256"),
        ("captions.vtt", b"webvtt", "another sha256"),
        ("report.json", b'{"outputs": []}', "no outputs"),
    ],
)
def test_a_video_is_not_completed_with_a_file_that_is_missing_or_differs(
    tx: Any, platforms: Platforms, video: Any, name: str, body: bytes | None, reason: str
) -> None:
    done = produced(tx, platforms, video())
    key = f"{done['folder']}/render/{name}"
    if body is None:
        s3.remove([key])
    else:
        s3.put_bytes(key, body)

    with pytest.raises(RenderIncomplete, match=reason) as caught:
        finish.handler(done, None)
    finish.handler(failure(done, "finish", "RenderIncomplete", str(caught.value)), None)

    after = row(tx, done["video_id"])
    assert (after["status"], after["product"]) == ("failed", {})
    assert "Retry the video" in after["error"]["message"]


def test_a_render_of_the_release_before_is_completed_without_digests_of_its_thumbnails(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    done = produced(tx, platforms, video())
    key = f"{done['folder']}/render/report.json"
    report = s3.get_json(key)
    del report["outputs"][0]["sha256_beside"]
    s3.put_json(key, report)

    finish.handler(done, None)

    assert row(tx, done["video_id"])["status"] == "completed"
