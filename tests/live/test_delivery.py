"""Delivery of events to the connections that may see them, once and in order."""

import json
import uuid

import pytest

from functions.live import app
from showrunner.access import roles
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import ServiceUnavailable
from showrunner.live import connections, tickets, updates
from showrunner.store.studio import productions
from tests.conftest import in_threads
from tests.contract import template
from tests.live.clients import VIDEO, caller, items, organisation, progress, say, subscribed


def test_a_videos_event_is_delivered_as_the_contract_says(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), f"video:{VIDEO}", "videos")

    assert app.handler(progress(organisation_id), None) == {"sent": 1}

    at = "2026-11-22T08:00:05.123456+00:00"
    assert clients.take(connection_id) == [
        {
            "type": "video_update",
            "video_id": VIDEO,
            "title": "Cables",
            "status": "processing",
            "last_updated": at,
        },
        {
            "type": "processing_update",
            "video_id": VIDEO,
            "status": "processing",
            "progress": 15,
            "current_step": "voice",
            "attempt": 1,
            "message": "Spoken.",
            "timestamp": at,
        },
    ]


def test_a_client_of_another_organisation_gets_no_events_of_the_video(clients):
    owner, stranger = organisation(), organisation()
    watching = subscribed(clients, caller(owner), f"video:{VIDEO}")
    others = [
        subscribed(clients, caller(stranger, *granted), f"video:{VIDEO}", "videos")
        for granted in (("videos:all",), ("*",))
    ]

    assert app.handler(progress(owner), None) == {"sent": 1}
    assert clients.take(watching)
    assert [clients.take(each) for each in others] == [[], []]


def test_clients_of_other_topics_get_nothing(clients):
    organisation_id = organisation()
    elsewhere = subscribed(clients, caller(organisation_id), f"video:{uuid.uuid4()}")
    left = subscribed(clients, caller(organisation_id), "videos")
    say(clients, left, {"action": "unsubscribe", "topics": ["videos"]})

    assert app.handler(progress(organisation_id), None) == {"sent": 0}
    assert clients.take(elsewhere) == clients.take(left) == []


def test_repeated_and_outdated_events_are_not_delivered(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    early, late = (
        progress(organisation_id, 15, "2026-11-22T08:00:05.1+00:00"),
        progress(organisation_id, 50, "2026-11-22T08:00:05.2+00:00"),
    )

    for event in (late, early, late, early):
        app.handler(event, None)

    assert [each["progress"] for each in clients.take(connection_id) if "progress" in each] == [50]


def test_an_end_is_delivered_once_and_only_a_retry_follows_it(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    rendering, last_words = (
        progress(organisation_id, percent, f"2026-11-22T08:00:{second}+00:00")
        for percent, second in ((90, "09.5"), (96, "09.9"))
    )
    end = progress(organisation_id, 97, "2026-11-22T08:00:08+00:00", kind="video.failed")
    end["detail"]["status"] = "failed"
    retry = progress(organisation_id, 98, "2026-11-22T08:00:11+00:00")

    for event in (rendering, end, last_words, rendering, end, retry, end):
        app.handler(event, None)

    assert [each["progress"] for each in clients.take(connection_id) if "progress" in each] == [90, 97, 98]


def test_concurrent_events_never_replace_a_later_one(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    events = [
        progress(organisation_id, percent, f"2026-11-22T08:00:{percent}+00:00") for percent in range(10, 30)
    ]

    in_threads(20, lambda number: app.handler(events[number], None))

    delivered = [each["progress"] for each in clients.take(connection_id) if "progress" in each]
    assert 29 in delivered
    assert len(delivered) == len(set(delivered))
    assert all(app.handler(event, None) == {"sent": 0} for event in events)


def test_gone_connections_are_forgotten_and_slow_or_broken_ones_stop_no_other(clients):
    organisation_id = organisation()
    gone, broken, slow, *well = [subscribed(clients, caller(organisation_id), "videos") for _ in range(14)]
    clients.gone.add(gone)
    clients.broken.add(broken)
    clients.slow.add(slow)

    app.handler(progress(organisation_id), None)

    assert all(len(clients.take(each)) == 2 for each in [*well, slow])
    assert connections.find(gone) is None
    assert gone not in json.dumps(items())
    assert connections.find(broken) is not None


def test_an_event_that_reached_nobody_is_delivered_by_the_retry(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    clients.broken.add(connection_id)
    event = progress(organisation_id)

    with pytest.raises(ServiceUnavailable):
        app.handler(event, None)
    clients.broken.clear()

    assert app.handler(event, None) == {"sent": 1}
    assert len(clients.take(connection_id)) == 2


def test_the_delivered_render_progress_equals_the_status(client, tx, clients):
    video_id = str(uuid.uuid4())
    channel = db.value(
        tx,
        "INSERT INTO studio.channels (organisation_id, name, settings) VALUES (:o, 'Live', '{}') "
        "RETURNING id",
        o=client.organisation_id,
    )
    db.run(
        tx,
        "INSERT INTO studio.videos (id, organisation_id, channel_id, request) "
        "VALUES (:id, :o, :channel, '{}')",
        id=video_id,
        o=client.organisation_id,
        channel=channel,
    )
    productions.begin(tx, video_id, 1, 600)
    productions.advance(tx, video_id, 1, "render", 50, "Rendering.")
    key = f"organisations/{client.organisation_id}/videos/{video_id}/render/progress.json"
    connection_id = subscribed(clients, caller(client.organisation_id), f"video:{video_id}")
    event = {
        "id": "1",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": "2026-11-22T08:00:06Z",
        "detail": {"object": {"key": key}},
    }

    for number, said in enumerate(
        ({"phase": "frames", "done": 5, "total": 10}, {"phase": "join", "done": 1, "total": 2})
    ):
        s3.put_json(key, said)
        app.handler({**event, "id": str(number), "time": f"2026-11-22T08:00:0{number}Z"}, None)
        (message,) = clients.take(connection_id)
        assert (
            message["progress"]
            == client("GET", f"/api/v1/videos/{video_id}/status").body["progress"]
            == (73, 96)[number]
        )

    s3.remove([key])
    assert app.handler({**event, "id": "9", "time": "2026-11-22T08:00:09Z"}, None) == {"sent": 1}
    assert clients.take(connection_id) == []


def test_reports_and_syncs_are_delivered_to_the_content_owner(clients):
    organisation_id = organisation()
    connection_id = subscribed(
        clients, caller(organisation_id, *roles.of_user("user", content_owner=True)), "reports", "syncs"
    )
    common = {"organisation_id": organisation_id, "at": "2026-11-22T08:00:05+00:00"}
    sync = {"event_id": "s1", "video_id": "dQw4w9WgXcQ", "status": "failed", **common}
    report = {
        "event_id": "r1",
        "report_id": "7",
        "status": "completed",
        "progress": 100,
        "message": "10 rows",
        **common,
    }

    for kind, detail in (("sync.failed", sync), ("report.processed", report)):
        assert app.handler(
            {
                "id": "1",
                "source": "showrunner",
                "detail-type": kind,
                "time": "2026-11-22T08:00:06Z",
                "detail": detail,
            },
            None,
        ) == {"sent": 1}

    assert clients.take(connection_id) == [
        {
            "type": "sync_status_update",
            "video_id": "dQw4w9WgXcQ",
            "status": "failed",
            "timestamp": common["at"],
        },
        {
            "type": "processing_update",
            "report_id": "7",
            "status": "completed",
            "progress": 100,
            "message": "10 rows",
            "timestamp": common["at"],
        },
    ]


def test_the_samples_form_one_connection_that_watches_a_video(clients, event, aws):
    sample = event("live.connect")
    connection_id = sample["requestContext"]["connectionId"]
    organisation_id = event("live.progress")["detail"]["organisation_id"]
    assert app.handler(sample, None) == {"statusCode": 401}
    sample["queryStringParameters"]["ticket"] = tickets.issue(caller(organisation_id, "*"))
    assert app.handler(sample, None) == {"statusCode": 200}

    assert app.handler(event("live.subscribe"), None) == {"statusCode": 200}
    s3.put_json(
        event("live.rendering")["detail"]["object"]["key"], {"phase": "frames", "done": 1, "total": 2}
    )
    assert app.handler(event("live.rendering"), None) == {"sent": 1}
    assert app.handler(event("live.progress"), None) == {"sent": 1}
    clients.take(connection_id)
    say(clients, connection_id, {"action": "subscribe", "topics": ["feed"]})
    assert app.handler(event("live.feed"), None) == {"sent": 1}

    assert clients.take(connection_id) == [
        {
            "type": "video_update",
            "video_id": "dQw4w9WgXcQ",
            "title": "A new video",
            "status": "new_video",
            "last_updated": "2026-11-22T08:00:05Z",
        }
    ]
    assert app.handler(event("live.disconnect"), None) == {"statusCode": 200}
    assert connections.find(connection_id) is None


def test_the_templates_event_rules_match_the_delivered_kinds():
    rules = template.functions()["live"].properties["Events"]
    prefixes = {each["prefix"] for each in rules["Announced"]["Properties"]["Pattern"]["detail-type"]}

    assert {prefix.rstrip(".") for prefix in prefixes} | set(
        rules["Rendering"]["Properties"]["Pattern"]["detail-type"]
    ) == set(updates.KINDS)
