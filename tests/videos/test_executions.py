"""Cancelling and retrying a video's execution."""

from showrunner.access import limits
from showrunner.database import db
from showrunner.store.studio import productions
from showrunner.videos import executions
from tests.videos.calls import started_executions


def test_a_cancelled_video_stops_its_execution_and_can_be_retried(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}"

    assert client("POST", f"{path}/cancel").body["status"] == "cancelled"
    assert client("POST", f"{path}/cancel").status == 200
    assert executions.status(video["video_id"], 1) == "ABORTED"
    again = client("POST", f"{path}/retry")

    assert (again.status, again.body["job_id"]) == (202, executions.job_id(video["video_id"], 2))
    assert f"{video['video_id']}-2" in started_executions()
    assert db.one(
        tx,
        "SELECT status, attempt, cancel_requested_at FROM studio.videos WHERE id = :id",
        id=video["video_id"],
    ) == {
        "status": "queued",
        "attempt": 2,
        "cancel_requested_at": None,
    }


def test_a_failed_video_is_retried_once_for_each_key(client, tx, video):
    productions.fail(
        tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."}
    )

    first, again = (
        client("POST", f"/api/v1/videos/{video['video_id']}/retry", idempotency_key="r") for _ in range(2)
    )

    assert first.body == again.body
    assert db.value(tx, "SELECT attempt FROM studio.videos WHERE id = :id", id=video["video_id"]) == 2


def test_failed_videos_are_retried_together_and_a_dry_run_only_lists_them(client, tx, video):
    failed = {"step": "script", "code": "PlatformUnavailable", "message": "The model is away."}
    productions.fail(tx, video["video_id"], 1, failed)
    retry, own = "/api/v1/videos/retry", {"video_id": video["video_id"], "error": None}

    dry = client("POST", retry, {"dry_run": True})
    assert dry.status == 202
    assert dry.body == {"dry_run": True, "results": [{**own, "status": "matches"}], "more": False}
    assert client("POST", retry, {"dry_run": True}, idempotency_key="no\ttab").status == 400
    assert client("POST", retry, {"status": "cancelled"}).body["results"] == []
    assert client("POST", retry, {"date_to": "2020-01-01T00:00:00Z"}).body["results"] == []

    first, again = (client("POST", retry, {}, idempotency_key="outage") for _ in range(2))
    assert (first.status, first.body) == (
        202,
        {"dry_run": False, "results": [{**own, "status": "accepted"}], "more": False},
    )
    assert again.body == first.body
    assert db.value(tx, "SELECT attempt FROM studio.videos WHERE id = :id", id=video["video_id"]) == 2
    assert executions.status(video["video_id"], 2) == "RUNNING"
    assert client("POST", retry, {}).body["results"] == []


def test_a_video_that_may_not_be_retried_stops_no_other(client, tx, video, monkeypatch):
    monkeypatch.setitem(limits.PLAN, "videos_per_day", 0)
    failed = {"step": "script", "code": "PlatformUnavailable", "message": "The model is away."}
    productions.fail(tx, video["video_id"], 1, failed)

    (result,) = client("POST", "/api/v1/videos/retry", {}).body["results"]
    assert (result["status"], result["error"]["code"]) == ("rejected", "QUOTA_EXCEEDED")
    assert db.value(tx, "SELECT status FROM studio.videos WHERE id = :id", id=video["video_id"]) == "failed"


def test_an_unfinished_video_is_retried_only_after_its_execution_ended(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    assert client("POST", f"/api/v1/videos/{video['video_id']}/retry").status == 409
    executions.stop(video["video_id"], 1, "killed")

    assert client("POST", f"/api/v1/videos/{video['video_id']}/retry").body["job_id"] == (
        executions.job_id(video["video_id"], 2)
    )


def test_retries_have_a_daily_limit(client, tx, video, monkeypatch):
    monkeypatch.setitem(limits.PLAN, "videos_per_day", 1)
    retry = f"/api/v1/videos/{video['video_id']}/retry"
    productions.fail(
        tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."}
    )
    assert client("POST", retry).status == 202
    productions.fail(
        tx, video["video_id"], 2, {"step": "script", "code": "ScriptRejected", "message": "No script."}
    )

    assert client("POST", retry).status == 429


def test_a_finished_video_is_neither_retried_nor_cancelled(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    productions.complete(tx, video["video_id"], 1, {"outputs": []}, 10.0, demo=False)

    assert client("POST", f"/api/v1/videos/{video['video_id']}/retry").status == 409
    assert client("POST", f"/api/v1/videos/{video['video_id']}/cancel").status == 409
