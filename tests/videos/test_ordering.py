"""Ordering videos: the request, idempotency, limits and batches."""

import json
import os
import uuid

import pytest

from showrunner.access import limits
from showrunner.aws import sdk, ssm
from showrunner.database import db
from showrunner.production import voices
from showrunner.store.studio import productions
from showrunner.videos import executions, voice_checks
from tests.conftest import add_organisation, add_user, in_threads, put_secrets, service_client
from tests.videos.calls import TEXT, fields, order, started_executions


def test_a_brief_becomes_a_queued_video_and_one_execution(client, tx, channel_id):
    response = client(
        "POST",
        "/api/v1/videos/generate",
        order(channel_id, aspect=["16:9", "1:1"], length="medium", priority=1),
        x_request_id="order-1",
    )

    assert response.status == 202
    video_id = response.body["video_id"]
    assert response.body == {
        "job_id": executions.job_id(video_id, 1),
        "video_id": video_id,
        "estimated_time": 60 + 2 * 240 * 2,
        "queue_position": 1,
        "estimated_duration": 240,
        "warnings": [],
    }
    row = db.one(
        tx, "SELECT status, request, priority, attempt FROM studio.videos WHERE id = :id", id=video_id
    )
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
        "language": "en",
        "stop_after": None,
        "visual_style": "mixed",
        "music_start_seconds": None,
        "music_search": None,
    }
    assert f"{video_id}-1" in started_executions()
    client_ = sdk.client("stepfunctions")
    said = json.loads(
        client_.describe_execution(executionArn=started_executions()[f"{video_id}-1"]["executionArn"])[
            "input"
        ]
    )
    assert said == {
        "video_id": video_id,
        "organisation_id": client.organisation_id,
        "attempt": 1,
        "request_id": "order-1",
    }


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
def test_the_error_of_an_invalid_brief_names_the_field(client, channel_id, change, field):
    response = client("POST", "/api/v1/videos/generate", {**order(channel_id), **change})

    assert response.status == 400
    assert any(each.startswith(field) for each in fields(response))


def test_a_brief_without_a_channel_says_what_is_missing(client):
    response = client("POST", "/api/v1/videos/generate", TEXT)

    assert (response.status, response.body["error"]["code"], fields(response)) == (
        400,
        "MISSING_FIELD",
        ["channel_id"],
    )


def test_an_unknown_channel_and_one_of_another_organisation_are_not_found(client, tx, service):
    other = service(add_organisation(tx, "Others"))
    theirs = other("POST", "/api/v1/channels", {"name": "Theirs", "niche": "Insects"}).body["channel"]["id"]

    assert client("POST", "/api/v1/videos/generate", order(str(uuid.uuid4()))).status == 404
    assert client("POST", "/api/v1/videos/generate", order(theirs)).status == 404


@pytest.mark.parametrize("status", ["paused", "disabled"])
def test_an_inactive_channel_accepts_no_brief(client, channel_id, status):
    client("PUT", f"/api/v1/channels/{channel_id}", {"status": status})

    response = client("POST", "/api/v1/videos/generate", order(channel_id))

    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")


def test_the_same_idempotency_key_gives_one_video_and_one_execution(client, tx, channel_id):
    first = client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k1")
    again = client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k1")
    other = client("POST", "/api/v1/videos/generate", order(channel_id, priority=1), idempotency_key="k1")

    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status, other.body["error"]["code"]) == (409, "CONFLICT")
    assert (
        db.value(
            tx, "SELECT count(*) FROM studio.videos WHERE organisation_id = :id", id=client.organisation_id
        )
        == 1
    )


def test_a_refused_call_does_not_use_up_its_idempotency_key(client, channel_id):
    client("PUT", f"/api/v1/channels/{channel_id}", {"status": "paused"})
    assert client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k2").status == 409
    client("PUT", f"/api/v1/channels/{channel_id}", {"status": "active"})

    assert client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="k2").status == 202


def test_concurrent_repeats_get_the_answer_of_the_first(postgres, signing_key):
    with db.transaction() as tx:
        organisation_id = add_organisation(tx, "Crowd")
    client = service_client(signing_key, organisation_id)
    channel_id = client("POST", "/api/v1/channels", {"name": "Crowd", "niche": "Insects"}).body["channel"][
        "id"
    ]

    responses = in_threads(
        8, lambda _: client("POST", "/api/v1/videos/generate", order(channel_id), idempotency_key="same")
    )

    assert {each.status for each in responses} == {202}
    assert len({each.body["video_id"] for each in responses}) == 1
    with db.reading() as tx:
        assert (
            db.value(tx, "SELECT count(*) FROM studio.videos WHERE organisation_id = :id", id=organisation_id)
            == 1
        )


def test_a_start_that_fails_leaves_the_video_queued(client, tx, channel_id, monkeypatch):
    monkeypatch.setenv("PRODUCTION_MACHINE_ARN", "arn:aws:states:us-east-1:123456789012:stateMachine:gone")

    response = client("POST", "/api/v1/videos/generate", order(channel_id))

    assert response.status == 202
    assert (
        db.value(tx, "SELECT status FROM studio.videos WHERE id = :id", id=response.body["video_id"])
        == "queued"
    )


def test_the_daily_limit_counts_accepted_videos_only(client, tx, channel_id):
    brief = order(channel_id)
    for _ in range(2):
        response = client(
            "POST",
            "/api/v1/videos/generate/batch",
            {"videos": [brief] * 45 + [{**brief, "style": "noir"}] * 5},
        )
        assert (response.status, response.body["accepted"], response.body["rejected"]) == (202, 45, 5)

    response = client("POST", "/api/v1/videos/generate/batch", {"videos": [brief] * 11})

    assert [result["status"] for result in response.body["results"]] == ["accepted"] * 10 + ["rejected"]
    assert response.body["results"][10]["error"]["code"] == "QUOTA_EXCEEDED"
    single = client("POST", "/api/v1/videos/generate", brief)
    assert (single.status, single.body["error"]["code"]) == (429, "QUOTA_EXCEEDED")
    assert int(single.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("route", "body", "status"), [("", {}, 400), ("/batch", {"videos": [{}] * 50}, 202)], ids=["one", "batch"]
)
def test_orders_are_limited_to_ten_calls_a_minute_and_a_batch_is_one(client, route, body, status):
    responses = [client("POST", f"/api/v1/videos/generate{route}", body) for _ in range(11)]

    assert [each.status for each in responses] == [status] * 10 + [429]
    assert responses[-1].body["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert responses[-1].headers["ratelimit-limit"] == "10"


def test_services_of_one_creator_share_the_daily_limit(
    client, tx, channel_id, video, signing_key, monkeypatch
):
    monkeypatch.setitem(limits.PLAN, "videos_per_day", 1)
    creator = add_user(tx)
    first, second = (
        service_client(signing_key, client.organisation_id, name=name, creator=creator)
        for name in ("first", "second")
    )
    retry = f"/api/v1/videos/{video['video_id']}/retry"

    assert [
        each("POST", "/api/v1/videos/generate", order(channel_id)).status for each in (first, second)
    ] == [202, 429]
    for attempt, (each, status) in enumerate([(first, 202), (second, 429)], 1):
        productions.fail(
            tx,
            video["video_id"],
            attempt,
            {"step": "script", "code": "ScriptRejected", "message": "No script."},
        )
        assert each("POST", retry).status == status


def test_the_videos_of_a_batch_succeed_or_fail_one_by_one(client, channel_id):
    orders = [order(channel_id), {"channel_id": channel_id}, order(str(uuid.uuid4())), {"style": 7}]
    response = client("POST", "/api/v1/videos/generate/batch", {"videos": orders})

    results = response.body["results"]
    assert (response.status, response.body["accepted"], response.body["rejected"]) == (202, 1, 3)
    assert [result["status"] for result in results] == ["accepted", "rejected", "rejected", "rejected"]
    assert results[1]["error"]["details"][0]["field"] == "videos.1.topic"
    assert results[2]["error"]["code"] == "NOT_FOUND"
    assert f"{results[0]['video_id']}-1" in started_executions()
    assert client("POST", "/api/v1/videos/generate/batch", {"videos": [order(channel_id)] * 51}).status == 400


def test_orders_are_in_the_audit_log(client, tx, channel_id, video):
    path = f"/api/v1/videos/{video['video_id']}"
    assert client("POST", f"{path}/cancel").status == 200
    assert client("POST", f"{path}/retry").status == 202
    batch = client(
        "POST", "/api/v1/videos/generate/batch", {"videos": [order(channel_id), {"channel_id": channel_id}]}
    ).body["results"]

    rows = db.rows(
        tx,
        "SELECT subject, action, thing_id FROM audit.events "
        "WHERE organisation_id = :o AND thing = 'video' ORDER BY id",
        o=client.organisation_id,
    )

    assert {row["subject"] for row in rows} == {"service:test"}
    assert [(row["action"], row["thing_id"]) for row in rows] == [
        *((action, video["video_id"]) for action in ("add", "cancel", "retry")),
        ("add", batch[0]["video_id"]),
    ]


def test_an_order_of_a_voice_that_the_provider_has_lost_says_so(client, channel_id):
    provider_id = voices.configured(os.environ["VOICES"])["male1"]
    voice_checks.save(provider_id, "A voice with this id was not found.")
    try:
        refused = client("POST", "/api/v1/videos/generate", order(channel_id, voice="male1"))
        accepted = client("POST", "/api/v1/videos/generate", order(channel_id, voice="female1"))
    finally:
        voice_checks.save(provider_id, None)

    assert (refused.status, accepted.status) == (400, 202)
    (detail,) = refused.body["error"]["details"]
    assert detail["field"] == "voice"
    assert "male1: A voice with this id was not found." in detail["message"]


def test_an_order_that_promises_footage_is_refused_without_a_library(client, tx, channel_id):
    def generate(**more):
        return client("POST", "/api/v1/videos/generate", order(channel_id, visual_style="footage", **more))

    refused = generate()
    assert (refused.status, fields(refused)) == (400, ["visual_style"])
    assert "pexels/api_key" in refused.body["error"]["message"]
    clip = str(uuid.uuid4())
    db.run(
        tx,
        """INSERT INTO studio.assets
               (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
           VALUES (:id, :org, 'clip', 'video/mp4', 9, :sha, 'k', 'ready')""",
        id=clip,
        org=client.organisation_id,
        sha="0" * 64,
    )

    assert generate(assets=[clip]).status == 202
    client("PUT", f"/api/v1/channels/{channel_id}", {"settings": {"promises": {"motion_share": 0.0}}})
    assert generate().status == 202


def test_a_key_of_a_library_allows_orders_of_footage(client, channel_id):
    put_secrets({"pexels/api_key": "a-key"})
    try:
        response = client("POST", "/api/v1/videos/generate", order(channel_id, visual_style="footage"))
    finally:
        ssm.remove("pexels/api_key")

    assert response.status == 202, response.body
