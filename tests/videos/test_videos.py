"""functions/videos"""

import json
import os
import uuid

import pytest

from showrunner import config, db, machines
from showrunner.access import limits
from showrunner.store import productions
from tests.conftest import add_organisation, add_user, in_threads, service_client

TEXT = {"source_text": "Bees dance to tell each other where flowers are. The angle of the dance is the angle to the sun."}


@pytest.fixture
def channel_id(client):
    told = client("POST", "/api/v1/channels", {"name": "Bees"})
    assert told.status == 201, told
    return told.body["channel"]["id"]


def order(channel_id, **more):
    return {"channel_id": channel_id, **TEXT, **more}


@pytest.fixture
def video(client, channel_id):
    told = client("POST", "/api/v1/videos/generate", order(channel_id))
    assert told.status == 202, told
    return told.body


def executions():
    found = config.aws("stepfunctions").list_executions(stateMachineArn=os.environ["PRODUCTION_MACHINE_ARN"])["executions"]
    return {execution["name"]: execution for execution in found}


def fields(told):
    return [detail["field"] for detail in told.body["error"]["details"]]


def test_a_brief_becomes_a_queued_video_and_one_execution(client, tx, channel_id):
    told = client("POST", "/api/v1/videos/generate", order(channel_id, aspect=["16:9", "1:1"], length="medium", priority=1))

    assert told.status == 202
    video_id = told.body["video_id"]
    assert told.body == {"job_id": f"{video_id}-1", "video_id": video_id, "estimated_time": 60 + 2 * 240 * 2, "queue_position": 1}
    row = db.one(tx, "SELECT status, request, priority, attempt FROM studio.videos WHERE id = :id", id=video_id)
    assert (row["status"], row["priority"], row["attempt"]) == ("queued", 1, 1)
    assert row["request"] == {
        "topic": None,
        "manual_script": None,
        **TEXT,
        "style": "educational",
        "voice": "female1",
        "length_seconds": 240,
        "aspect": ["16:9", "1:1"],
        "priority": 1,
        "assets": [],
    }
    assert f"{video_id}-1" in executions()
    client_ = config.aws("stepfunctions")
    said = json.loads(client_.describe_execution(executionArn=executions()[f"{video_id}-1"]["executionArn"])["input"])
    assert said == {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source_text": None}, "topic"),
        ({"style": "noir"}, "style"),
        ({"voice": "robot"}, "voice"),
        ({"voice": "ai_clone"}, "voice"),
        ({"length": "endless"}, "length"),
        ({"length_seconds": 9}, "length_seconds"),
        ({"length_seconds": 3601}, "length_seconds"),
        ({"length_seconds": "45"}, "length_seconds"),
        ({"topic": "x" * 501}, "topic"),
        ({"topic": "two\nlines"}, "topic"),
        ({"topic": "bell\x07"}, "topic"),
        ({"source_text": "x" * 100_001}, "source_text"),
        ({"aspect": "4:3"}, "aspect"),
        ({"aspect": []}, "aspect"),
        ({"aspect": ["1:1", "1:1"]}, "aspect"),
        ({"priority": 4}, "priority"),
        ({"channel_id": "7"}, "channel_id"),
        ({"assets": ["00000000-0000-4000-8000-000000000000"]}, "assets.0"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_brief_names_its_field(client, channel_id, change, field):
    told = client("POST", "/api/v1/videos/generate", {**order(channel_id), **change})

    assert told.status == 400
    assert any(each.startswith(field) for each in fields(told))


def test_a_brief_without_a_channel_says_what_is_missing(client):
    told = client("POST", "/api/v1/videos/generate", TEXT)

    assert (told.status, told.body["error"]["code"], fields(told)) == (400, "MISSING_FIELD", ["channel_id"])


def test_an_unknown_channel_and_one_of_another_organisation_are_not_found(client, tx, service):
    other = service(add_organisation(tx, "Others"))
    theirs = other("POST", "/api/v1/channels", {"name": "Theirs"}).body["channel"]["id"]

    assert client("POST", "/api/v1/videos/generate", order(str(uuid.uuid4()))).status == 404
    assert client("POST", "/api/v1/videos/generate", order(theirs)).status == 404


@pytest.mark.parametrize("status", ["paused", "disabled"])
def test_a_channel_that_is_not_active_takes_no_brief(client, channel_id, status):
    client("PUT", f"/api/v1/channels/{channel_id}", {"status": status})

    told = client("POST", "/api/v1/videos/generate", order(channel_id))

    assert (told.status, told.body["error"]["code"]) == (409, "CONFLICT")


def test_the_same_idempotency_key_gives_one_video_and_one_execution(client, tx, channel_id):
    first = client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k1")
    again = client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k1")
    other = client("POST", "/api/v1/videos/generate", order(channel_id, priority=1), idempotency_key="k1")

    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status, other.body["error"]["code"]) == (409, "CONFLICT")
    assert db.value(tx, "SELECT count(*) FROM studio.videos WHERE organisation_id = :id", id=client.organisation_id) == 1


def test_a_refused_call_leaves_its_key_free(client, channel_id):
    client("PUT", f"/api/v1/channels/{channel_id}", {"status": "paused"})
    assert client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k2").status == 409
    client("PUT", f"/api/v1/channels/{channel_id}", {"status": "active"})

    assert client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k2").status == 202


def test_concurrent_repeats_wait_for_the_first_and_get_its_answer(postgres, signing_key):
    with db.transaction() as tx:
        organisation_id = add_organisation(tx, "Crowd")
    client = service_client(signing_key, organisation_id)
    channel_id = client("POST", "/api/v1/channels", {"name": "Crowd"}).body["channel"]["id"]

    told = in_threads(8, lambda _: client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="same"))

    assert {each.status for each in told} == {202}
    assert len({each.body["video_id"] for each in told}) == 1
    with db.reading() as tx:
        assert db.value(tx, "SELECT count(*) FROM studio.videos WHERE organisation_id = :id", id=organisation_id) == 1


def test_a_start_that_fails_leaves_the_video_queued(client, tx, channel_id, monkeypatch):
    monkeypatch.setenv("PRODUCTION_MACHINE_ARN", "arn:aws:states:us-east-1:123456789012:stateMachine:gone")

    told = client("POST", "/api/v1/videos/generate", order(channel_id))

    assert told.status == 202
    assert db.value(tx, "SELECT status FROM studio.videos WHERE id = :id", id=told.body["video_id"]) == "queued"


def test_the_hundred_and_first_video_of_a_day_is_refused_and_refused_ones_do_not_count(client, tx, channel_id):
    brief = order(channel_id)
    for _ in range(2):
        told = client("POST", "/api/v1/videos/generate/batch", {"videos": [brief] * 45 + [{**brief, "style": "noir"}] * 5})
        assert (told.status, told.body["accepted"], told.body["rejected"]) == (202, 45, 5)

    told = client("POST", "/api/v1/videos/generate/batch", {"videos": [brief] * 11})

    assert [result["status"] for result in told.body["results"]] == ["accepted"] * 10 + ["rejected"]
    assert told.body["results"][10]["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    single = client("POST", "/api/v1/videos/generate", brief)
    assert (single.status, single.body["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(single.headers["retry-after"]) > 0


def test_another_service_of_the_same_maker_has_no_share_of_the_day_of_its_own(client, tx, channel_id, video, signing_key, monkeypatch):
    monkeypatch.setattr(limits, "GENERATE_A_DAY", 1)
    creator = add_user(tx)
    first, second = (service_client(signing_key, client.organisation_id, name=name, creator=creator) for name in ("first", "second"))
    retry = f"/api/v1/videos/{video['video_id']}/retry"

    assert [each("POST", "/api/v1/videos/generate", order(channel_id)).status for each in (first, second)] == [202, 429]
    for attempt, (each, status) in enumerate([(first, 202), (second, 429)], 1):
        productions.fail(tx, video["video_id"], attempt, {"step": "script", "code": "ScriptRejected", "message": "No script."})
        assert each("POST", retry).status == status


def test_a_batch_is_settled_one_by_one(client, channel_id):
    told = client("POST", "/api/v1/videos/generate/batch", {"videos": [order(channel_id), {"channel_id": channel_id}, order(str(uuid.uuid4())), {"style": 7}]})

    results = told.body["results"]
    assert (told.status, told.body["accepted"], told.body["rejected"]) == (202, 1, 3)
    assert [result["status"] for result in results] == ["accepted", "rejected", "rejected", "rejected"]
    assert results[1]["error"]["details"][0]["field"] == "videos.1.topic"
    assert results[2]["error"]["code"] == "NOT_FOUND"
    assert f"{results[0]['video_id']}-1" in executions()
    assert client("POST", "/api/v1/videos/generate/batch", {"videos": [order(channel_id)] * 51}).status == 400


def test_a_video_comes_with_its_log_and_its_costs(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    productions.advance(tx, video["video_id"], 1, "script", 5, "Writing.")
    db.run(
        tx,
        "INSERT INTO ledger.costs VALUES (:o, :v, 'c1', 'script', 'openai', 'tokens', 10, 'token', 0.00125, true, now())",
        o=client.organisation_id,
        v=video["video_id"],
    )

    told = client("GET", f"/api/v1/videos/{video['video_id']}")

    assert told.status == 200
    assert (told.body["video"]["id"], told.body["video"]["status"], told.body["video"]["progress"]) == (video["video_id"], "processing", 5)
    assert [line["message"] for line in told.body["processing_logs"]] == ["Writing."]
    assert told.body["costs"]["total_usd"] == "0.00125000"
    assert told.body["costs"]["breakdown"]["script"] == "0.00125000"
    sheet = client("GET", f"/api/v1/videos/{video['video_id']}/cost").body
    assert (sheet["list_price_only"], sheet["breakdown"]["voice"], sheet["charges"][0]["quantity"]) == (True, "0", "10.000000")
    assert client("GET", f"/api/v1/videos/{video['video_id'].upper()}").status == 200


def test_another_organisations_video_is_not_found_anywhere(client, tx, service, video):
    other = service(add_organisation(tx, "Others"))
    path = f"/api/v1/videos/{video['video_id']}"

    answers = [other("GET", path + tail).status for tail in ("", "/status", "/cost", "/download")]
    answers += [other("POST", path + tail).status for tail in ("/retry", "/cancel")]
    answers += [other("PUT", path, {"title": "x"}).status, other("DELETE", path).status]

    assert set(answers) == {404}
    assert client("GET", "/api/v1/videos/not-an-id").status == 404


def test_the_status_tells_progress_step_and_failure(client, tx, video):
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
    productions.fail(tx, video["video_id"], 1, {"step": "voice", "code": "QuotaExceeded", "message": "No characters left."})

    told = client("GET", path).body

    assert (told["status"], told["current_step"], told["errors"][0]["message"]) == ("failed", "voice", "No characters left.")


def test_the_render_says_how_far_it_is(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    productions.advance(tx, video["video_id"], 1, "render", 50, "Rendering.")
    key = f"organisations/{client.organisation_id}/videos/{video['video_id']}/render/progress.json"
    config.aws("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=b'{"phase": "segments", "done": 5, "total": 10}')

    assert client("GET", f"/api/v1/videos/{video['video_id']}/status").body["progress"] == 73


def test_a_download_is_signed_links_or_says_why_not(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}/download"
    assert client("GET", path).body["error"]["code"] == "CONFLICT"
    productions.begin(tx, video["video_id"], 1, 600)
    outputs = [{"name": "9x16", "video": "a/video.mp4", "thumbnail": "a/thumbnail.jpg", "srt": "a/captions.srt", "bytes": 7, "width": 1080, "height": 1920}]
    productions.save_script(tx, video["video_id"], 1, 'The "Bees" ✓', "Text", ["bees"])
    productions.complete(tx, video["video_id"], 1, {"outputs": outputs}, 10.0, demo=True)

    told = client("GET", path)

    assert told.status == 200
    (output,) = told.body["outputs"]
    assert "a/video.mp4" in output["video"]
    assert "the-bees.9x16.mp4" in output["video"]
    assert "X-Amz-Signature" in output["thumbnail"] or "Signature=" in output["thumbnail"]
    assert (output["bytes"], output["name"]) == (7, "9x16")


def test_a_failed_videos_download_says_so(client, tx, video):
    productions.fail(tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."})

    told = client("GET", f"/api/v1/videos/{video['video_id']}/download")

    assert (told.status, told.body["error"]["code"]) == (409, "VIDEO_GENERATION_FAILED")


def test_a_thumbnail_is_an_uploaded_one_of_the_same_organisation(client, tx, service, video):
    path = f"/api/v1/videos/{video['video_id']}"
    db.run(tx, "UPDATE studio.videos SET status = 'completed' WHERE id = :id", id=video["video_id"])
    other = service(add_organisation(tx, "Others"))
    mine, picture, theirs, pending = (
        asset(tx, each, kind, status)
        for each, kind, status in ((client, "thumbnail", "ready"), (client, "image", "ready"), (other, "thumbnail", "ready"), (client, "thumbnail", "pending"))
    )

    assert client("PUT", path, {"thumbnail": mine.upper()}).body["video"]["thumbnail"] == mine
    for wrong in (picture, theirs, pending, str(uuid.uuid4())):
        assert fields(client("PUT", path, {"thumbnail": wrong})) == ["thumbnail"]
    assert client("PUT", path, {"title": "Bees"}).body["video"]["thumbnail"] == mine, "what is left out stays"
    assert client("PUT", path, {"thumbnail": None}).body["video"]["thumbnail"] is None


def asset(tx, client, kind, status):
    key = f"organisations/{client.organisation_id}/assets/{uuid.uuid4()}"
    return str(
        db.value(
            tx,
            "INSERT INTO studio.assets (organisation_id, kind, content_type, bytes, sha256, object_key, status) "
            "VALUES (:o, :kind, 'image/png', 1, repeat('0', 64), :key, :status) RETURNING id",
            o=client.organisation_id,
            kind=kind,
            key=key,
            status=status,
        )
    )


def test_texts_change_once_they_are_written(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}"
    assert client("PUT", path, {"title": "New"}).status == 409
    productions.fail(tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."})

    told = client("PUT", path, {"title": "Neu ü", "tags": ["bees", "dancing bees"]})

    assert (told.status, told.body["video"]["title"], told.body["video"]["tags"]) == (200, "Neu ü", ["bees", "dancing bees"])
    assert fields(client("PUT", path, {"title": "x" * 101})) == ["title"]
    assert fields(client("PUT", path, {"description": "é" * 2501})) == ["description"]
    assert fields(client("PUT", path, {"tags": ["a b"] * 84})) == ["tags"]


def test_a_removed_video_is_gone(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}"
    assert client("DELETE", path).status == 409
    client("POST", f"{path}/cancel")

    assert client("DELETE", path).status == 204
    assert client("GET", path).status == 404
    assert client("GET", "/api/v1/videos").body["videos"] == []


def test_a_cancelled_video_stops_its_execution_and_can_be_retried(client, tx, video):
    path = f"/api/v1/videos/{video['video_id']}"

    assert client("POST", f"{path}/cancel").body["status"] == "cancelled"
    assert client("POST", f"{path}/cancel").status == 200
    assert machines.status(video["video_id"], 1) == "ABORTED"
    again = client("POST", f"{path}/retry")

    assert (again.status, again.body["job_id"]) == (202, f"{video['video_id']}-2")
    assert f"{video['video_id']}-2" in executions()
    assert db.one(tx, "SELECT status, attempt, cancel_requested_at FROM studio.videos WHERE id = :id", id=video["video_id"]) == {
        "status": "queued",
        "attempt": 2,
        "cancel_requested_at": None,
    }


def test_a_failed_video_is_retried_once_for_each_key(client, tx, video):
    productions.fail(tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."})

    first, again = (client("POST", f"/api/v1/videos/{video['video_id']}/retry", idempotency_key="r") for _ in range(2))

    assert first.body == again.body
    assert db.value(tx, "SELECT attempt FROM studio.videos WHERE id = :id", id=video["video_id"]) == 2


def test_a_video_in_the_making_is_retried_only_when_its_execution_is_over(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    assert client("POST", f"/api/v1/videos/{video['video_id']}/retry").status == 409
    machines.stop(video["video_id"], 1, "killed")

    assert client("POST", f"/api/v1/videos/{video['video_id']}/retry").body["job_id"].endswith("-2")


def test_retries_have_a_limit_a_day_since_they_can_cost_again(client, tx, video, monkeypatch):
    monkeypatch.setattr(limits, "GENERATE_A_DAY", 1)
    retry = f"/api/v1/videos/{video['video_id']}/retry"
    productions.fail(tx, video["video_id"], 1, {"step": "script", "code": "ScriptRejected", "message": "No script."})
    assert client("POST", retry).status == 202
    productions.fail(tx, video["video_id"], 2, {"step": "script", "code": "ScriptRejected", "message": "No script."})

    assert client("POST", retry).status == 429


def test_what_is_ordered_is_in_the_audit_log(client, tx, channel_id, video):
    path = f"/api/v1/videos/{video['video_id']}"
    assert client("POST", f"{path}/cancel").status == 200
    assert client("POST", f"{path}/retry").status == 202
    batch = client("POST", "/api/v1/videos/generate/batch", {"videos": [order(channel_id), {"channel_id": channel_id}]}).body["results"]

    rows = db.rows(
        tx, "SELECT subject, action, thing_id FROM audit.events WHERE organisation_id = :o AND thing = 'video' ORDER BY id", o=client.organisation_id
    )

    assert {row["subject"] for row in rows} == {"service:test"}
    assert [(row["action"], row["thing_id"]) for row in rows] == [
        *((action, video["video_id"]) for action in ("add", "cancel", "retry")),
        ("add", batch[0]["video_id"]),
    ]


def test_a_finished_video_is_neither_retried_nor_cancelled(client, tx, video):
    productions.begin(tx, video["video_id"], 1, 600)
    productions.complete(tx, video["video_id"], 1, {"outputs": []}, 10.0, demo=False)

    assert client("POST", f"/api/v1/videos/{video['video_id']}/retry").status == 409
    assert client("POST", f"/api/v1/videos/{video['video_id']}/cancel").status == 409


@pytest.fixture
def many(client, tx, channel_id):
    """25 videos, five of each minute, so that the order needs the id."""
    db.run(
        tx,
        """
        INSERT INTO studio.videos (organisation_id, channel_id, request, title, status, priority, created_at)
        SELECT :o, :c, '{}', CASE WHEN n % 3 > 0 THEN 'Title ' || (n % 7) END, CASE n % 2 WHEN 0 THEN 'failed' ELSE 'completed' END, 1 + n % 3,
               timestamptz '2026-01-01' + make_interval(mins => n / 5)
          FROM generate_series(0, 24) n
        """,
        o=client.organisation_id,
        c=channel_id,
    )


def walk(client, query):
    seen, cursor = [], None
    while True:
        told = client("GET", f"/api/v1/videos?{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert told.status == 200, told
        seen += told.body["videos"]
        cursor = told.body["pagination"]["next_cursor"]
        if cursor is None:
            return seen


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "title,-created_at", "-priority,title,created_at", "status", "-duration_seconds"])
def test_pages_by_cursor_show_every_video_once_in_the_order_of_the_whole_list(client, many, sort):
    whole = [each["id"] for each in client("GET", f"/api/v1/videos?limit=100&sort={sort}").body["videos"]]

    for limit in (1, 4, 7, 25):
        assert [each["id"] for each in walk(client, f"limit={limit}&sort={sort}")] == whole
    numbered = [each["id"] for page in (1, 2, 3) for each in client("GET", f"/api/v1/videos?limit=10&page={page}&sort={sort}").body["videos"]]
    assert numbered == whole


def test_a_list_is_newest_first_with_the_contracts_pagination(client, many):
    told = client("GET", "/api/v1/videos?limit=10")

    created = [each["created_at"] for each in told.body["videos"]]
    assert created == sorted(created, reverse=True)
    pagination = told.body["pagination"]
    assert {name: pagination[name] for name in ("limit", "page", "total", "total_relation")} == {"limit": 10, "page": 1, "total": 25, "total_relation": "eq"}
    assert client("GET", f"/api/v1/videos?cursor={pagination['next_cursor']}").body["pagination"]["total"] == 25


def test_filters_narrow_a_list(client, many, channel_id):
    def count(query):
        return client("GET", f"/api/v1/videos?limit=100&{query}").body["pagination"]["total"]

    assert count("status=failed") == 13
    assert count(f"channel_id={channel_id}") == 25
    assert count(f"channel_id={uuid.uuid4()}") == 0
    assert count("date_from=2026-01-01T00:04:00Z") == 5
    assert count("date_to=2026-01-01T00:01:00%2B00:00") == 5
    assert count("date_from=2026-01-02") == 0
    assert len(walk(client, "status=completed&limit=5")) == 12


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("page=0", "page"),
        ("page=501", "page"),
        ("cursor=abc", "cursor"),
        ("cursor=W10", "cursor"),
        ("sort=colour", "sort"),
        ("sort=title,title", "sort"),
        ("status=sleeping", "status"),
        ("date_from=yesterday", "date_from"),
        ("date_from=2026-02-30", "date_from"),
        ("colour=red", "colour"),
    ],
)
def test_a_bad_query_names_its_field(client, many, query, field):
    told = client("GET", f"/api/v1/videos?{query}")

    assert (told.status, fields(told)) == (400, [field])


def test_a_cursor_that_somebody_has_changed_is_refused(client, many):
    import base64

    def cursor(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    number = str(uuid.uuid4())
    tampered = [
        *(7, None, {}, "x", ["-created_at,-id", ["2026-01-01"], 3], ["-created_at,-id", ["soon", number], 3], ["-created_at,-id", ["2026-01-01", "7"], 3]),
        *(["-created_at,-id", ["2026-01-01", number], "3"], ["colour", ["x"], 1], [["a"], [], 1], ["-created_at,-id", ["2026-01-01", number], -1]),
    ]
    for value in tampered:
        told = client("GET", f"/api/v1/videos?cursor={cursor(value)}")
        assert (told.status, fields(told)) == (400, ["cursor"]), value
    good = client("GET", "/api/v1/videos?limit=2").body["pagination"]["next_cursor"]
    assert fields(client("GET", f"/api/v1/videos?cursor={good}&sort=title")) == ["cursor"]
    assert fields(client("GET", f"/api/v1/videos?cursor={good}&page=2")) == ["page"]
