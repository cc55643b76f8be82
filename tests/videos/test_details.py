"""A video's details, status and downloads."""

import os

from showrunner.aws import sdk
from showrunner.database import db
from showrunner.store.studio import productions
from tests.conftest import add_organisation


def test_a_video_has_its_log_and_costs(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    productions.advance(tx, video["video_id"], 1, "script", 5, "Writing.")
    db.run(
        tx,
        "INSERT INTO ledger.costs "
        "VALUES (:o, :v, 'c1', 'script', 'openai', 'tokens', 10, 'token', 0.00125, true, now())",
        o=client.organisation_id,
        v=video["video_id"],
    )

    response = client("GET", f"/api/v1/videos/{video['video_id']}")

    assert response.status == 200
    assert (
        response.body["video"]["id"],
        response.body["video"]["status"],
        response.body["video"]["progress"],
    ) == (video["video_id"], "processing", 5)
    assert [line["message"] for line in response.body["processing_logs"]] == ["Writing."]
    assert response.body["costs"]["total_usd"] == "0.00125000"
    assert response.body["costs"]["breakdown"]["script"] == "0.00125000"
    sheet = client("GET", f"/api/v1/videos/{video['video_id']}/cost").body
    assert (sheet["list_price_only"], sheet["breakdown"]["voice"], sheet["charges"][0]["quantity"]) == (
        True,
        "0",
        "10.000000",
    )
    assert client("GET", f"/api/v1/videos/{video['video_id'].upper()}").status == 200


def test_another_organisations_video_is_404_on_every_route(client, tx, service, video):
    other = service(add_organisation(tx, "Others"))
    path = f"/api/v1/videos/{video['video_id']}"

    answers = [other("GET", path + tail).status for tail in ("", "/status", "/cost", "/download")]
    answers += [other("POST", path + tail).status for tail in ("/retry", "/cancel")]
    answers += [other("PUT", path, {"title": "x"}).status, other("DELETE", path).status]

    assert set(answers) == {404}
    assert client("GET", "/api/v1/videos/not-an-id").status == 404


def test_the_status_has_progress_step_and_failure(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}/status"
    assert client("GET", path).body == {
        "video_id": video["video_id"],
        "status": "queued",
        "progress": 0,
        "current_step": None,
        "attempt": 1,
        "errors": [],
    }
    productions.begin(tx, video["video_id"], 1, 600)
    productions.fail(
        tx, video["video_id"], 1, {"step": "voice", "code": "QuotaExceeded", "message": "No characters left."}
    )

    response = client("GET", path).body

    assert (response["status"], response["current_step"], response["errors"][0]["message"]) == (
        "failed",
        "voice",
        "No characters left.",
    )


def test_the_status_has_the_renders_progress(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    productions.advance(tx, video["video_id"], 1, "render", 50, "Rendering.")
    key = f"organisations/{client.organisation_id}/videos/{video['video_id']}/render/progress.json"
    sdk.client("s3").put_object(
        Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=b'{"phase": "segments", "done": 5, "total": 10}'
    )

    assert client("GET", f"/api/v1/videos/{video['video_id']}/status").body["progress"] == 73


def test_a_download_has_signed_links_or_says_why_not(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}/download"
    assert client("GET", path).body["error"]["code"] == "CONFLICT"
    productions.begin(tx, video["video_id"], 1, 600)
    outputs = [
        {
            "name": "9x16",
            "video": "a/video.mp4",
            "thumbnail": "a/thumbnail.jpg",
            "thumbnail_tall": "a/thumbnail.tall.jpg",
            "srt": "a/captions.srt",
            "bytes": 7,
            "width": 1080,
            "height": 1920,
        }
    ]
    productions.save_script(tx, video["video_id"], 1, 'The "Bees" ✓', "Text", ["bees"])
    productions.complete(tx, video["video_id"], 1, {"outputs": outputs}, 10.0, demo=True)

    response = client("GET", path)

    assert response.status == 200
    (output,) = response.body["outputs"]
    assert "a/video.mp4" in output["video"]
    assert "the-bees.9x16.mp4" in output["video"]
    assert "X-Amz-Signature" in output["thumbnail"] or "Signature=" in output["thumbnail"]
    assert "the-bees.9x16.tall.jpg" in output["thumbnail_tall"]
    assert (output["bytes"], output["name"]) == (7, "9x16")


def test_a_failed_videos_download_says_so(client, tx, video):
    productions.fail(
        tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."}
    )

    response = client("GET", f"/api/v1/videos/{video['video_id']}/download")

    assert (response.status, response.body["error"]["code"]) == (409, "VIDEO_GENERATION_FAILED")
