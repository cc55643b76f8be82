"""The worker: batches, hostile bodies, what is set aside, what is told, and a death at every step."""

import gzip
import json
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from showrunner import db, signed
from showrunner.store import feed, subscriptions
from tests.feed.ingestion import CALLBACK, CHANNEL, OTHER, atom, notification, tombstone


def events(tx):
    return db.rows(tx, "SELECT processed, processing_error, repeat, origin, video_id, channel_id FROM feed.events ORDER BY id")


def kinds(tx):
    return [row["update_type"] for row in db.rows(tx, "SELECT update_type FROM feed.updates ORDER BY id")]


def test_notifications_become_channels_videos_and_updates(world, tx):
    assert world.notify(notification(atom()), notification(atom(title="New title", updated="2026-11-20T10:00:00+00:00")), notification(tombstone())) == {
        "batchItemFailures": []
    }
    assert sorted(kinds(tx)) == ["deleted", "new_video", "title_update"]
    status, body = world.api("GET", "/api/v1/videos/vid00000001")
    assert (status, body["title"], body["published_at"]) == (200, "New title", "2026-11-20T08:12:50.000000Z")
    assert body["deleted_at"] is None  # the entry is newer than the tombstone
    status, body = world.api("GET", f"/api/v1/channels/{CHANNEL}")
    assert (status, body["title"]) == (200, "Channel")


def test_a_tombstone_without_channel_id_takes_its_channel_from_the_author(world, tx):
    world.notify(notification(tombstone()))
    assert db.one(tx, "SELECT channel_id, update_type FROM feed.updates") == {"channel_id": CHANNEL, "update_type": "deleted"}
    assert world.api("GET", "/api/v1/videos/vid00000001")[0] == 404
    world.notify(notification(atom()))
    status, body = world.api("GET", "/api/v1/videos/vid00000001")
    assert (status, body["deleted_at"]) == (200, "2026-11-20T09:00:00.000000Z")


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<feed xmlns="http://www.w3.org/2005/Atom"><title>&lol2;</title></feed>"""
EXTERNAL = (
    b"""<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed xmlns="http://www.w3.org/2005/Atom"><title>&x;</title></feed>"""
)


def entries(*known):
    """A feed with an entry for each (video, channel)."""
    head, _, rest = atom().partition(b" <entry>")
    one = b"<entry>" + rest.partition(b"</feed>")[0]
    # Shortened to what the reader asks for: a thousand of them are a notification still.
    short = re.sub(rb"\s*<(link|author|id).*?(/>|</author>|</id>)", b"", one)
    return head + b"".join(short.replace(b"vid00000001", video.encode()).replace(CHANNEL.encode(), channel.encode()) for video, channel in known) + b"</feed>"


HOSTILE = {
    "bomb": (BOMB, "document type"),
    "external entity": (EXTERNAL, "document type"),
    "external dtd": (b'<!DOCTYPE feed SYSTEM "http://127.0.0.1:9/x.dtd"><feed xmlns="http://www.w3.org/2005/Atom"/>', "document type"),
    "truncated": (atom()[:-40], "well-formed"),
    "empty": (b"", "well-formed"),
    "no xml": (b"\x00\x01\x02", "well-formed"),
    "json": (b'{"a": 1}', "well-formed"),
    "wrong charset": ("<?xml version='1.0' encoding='UTF-8'?><feed xmlns='http://www.w3.org/2005/Atom'>é</feed>".encode("latin-1"), "well-formed"),
    "unknown charset": (b"<?xml version='1.0' encoding='x-nothing'?><feed xmlns='http://www.w3.org/2005/Atom'/>", "encoding"),
    "two documents": (atom() + atom(), "well-formed"),
    "another format": (b"<rss version='2.0'><channel/></rss>", "no Atom feed"),
    "html": (b"<html><body>503</body></html>", "no Atom feed"),
    "another channel": (atom(channel=OTHER), "another channel"),
    "another channel's tombstone": (tombstone(channel=OTHER), "another channel"),
    "the future": (atom(updated="2099-01-01T00:00:00+00:00"), "future"),
    "the future of the publication": (atom(published="2099-01-01T00:00:00+00:00"), "future"),
    "no date": (atom(updated="yesterday"), "date that is none"),
    "an impossible date": (atom(updated="2026-02-30T00:00:00Z"), "date that is none"),
    "a date without zone": (atom(updated="2026-11-20T00:00:00"), "date that is none"),
    "an id that is none": (atom(video="../../etc"), "video id"),
    "a channel that is none": (atom(channel="UC<script>"), "well-formed"),
    "a title without end": (atom(title="x" * 100_000), "title has more"),
    "depth": (b'<feed xmlns="http://www.w3.org/2005/Atom">' + b"<a>" * 5000 + b"</a>" * 5000 + b"</feed>", "nested"),
    "the same twice": (atom().replace(b'</title><link rel="alternate"', b'</title><title>Other</title><link rel="alternate"'), "twice"),
    "a control character": (atom(title="a&#1;b"), "well-formed"),
    "an undeclared prefix": (b'<feed xmlns="http://www.w3.org/2005/Atom"><x:y/></feed>', "well-formed"),
    "a bomb in utf-16": (BOMB.decode().encode("utf-16"), "document type"),
    "a bomb in utf-7": (b"<?xml version='1.0' encoding='utf-7'?>+ADw-!DOCTYPE feed+AD4-<feed/>", "encoding"),
    "a bomb in ebcdic": (b"<?xml version='1.0' encoding='cp037'?>" + "<!DOCTYPE feed [<!ENTITY x 'y'>]><feed/>".encode("cp037"), "well-formed"),
    "a parameter entity": (b"<!DOCTYPE feed [<!ENTITY % x SYSTEM 'http://127.0.0.1:9/x'> %x;]><feed xmlns='http://www.w3.org/2005/Atom'/>", "document type"),
    "an undeclared entity": (atom(title="&nbsp;"), "well-formed"),
    "an inclusion": (b"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>", "no Atom feed"),
    "gzip": (gzip.compress(atom()), "well-formed"),
    "a nul byte in the middle": (atom(title="a\0b"), "well-formed"),
    "half a character": (atom(title="ü")[: atom(title="ü").index("ü".encode()) + 1], "well-formed"),
    "another charset than declared": (atom(title="Überraschung").decode().encode("windows-1252"), "well-formed"),
    "100,000 deep": (b"<feed xmlns='http://www.w3.org/2005/Atom'>" + b"<a>" * 65_000, "nested"),
    "256 KiB of attributes": (b"<feed xmlns='http://www.w3.org/2005/Atom' " + b" ".join(b"a%05d='1'" % n for n in range(23_000)) + b"><x", "well-formed"),
    "256 KiB of the same attribute": (b"<feed xmlns='http://www.w3.org/2005/Atom' " + b"a='1' " * 40_000 + b"/>", "well-formed"),
    "prefixes without end": (b"<feed xmlns='http://www.w3.org/2005/Atom' " + b" ".join(b"xmlns:a%05d='u'" % n for n in range(14_000)) + b"><x", "well-formed"),
    "its own prefix for another space": (atom().replace(b"http://www.youtube.com/xml/schemas/2015", b"http://evil.example/"), "video id"),
    "a prefix that changes its space inside": (atom().replace(b"<yt:videoId>", b"<yt:videoId xmlns:yt='http://evil.example/'>"), "video id"),
    "entries of two channels": (entries(("vid00000008", CHANNEL), ("vid00000009", OTHER)), "another channel"),
    "entries without end": (entries(*((f"v{n:010d}", CHANNEL) for n in range(1_001))), "entries"),
    "the year 0": (atom(updated="0000-01-01T00:00:00Z"), "date that is none"),
    "the year 9999": (atom(updated="9999-12-31T23:59:59Z"), "future"),
    "the year 9999 far in the west": (atom(updated="9999-12-31T23:59:59-23:59"), "date that is none"),
    "an offset that is none": (atom(updated="2026-11-20T00:00:00+99:99"), "date that is none"),
    "digits that are not ours": (atom(updated="٢٠٢٦-11-20T00:00:00Z"), "date that is none"),
    "a tombstone without a moment": (tombstone(when=""), "date that is none"),
    "a tombstone of the future": (tombstone(when="2099-01-01T00:00:00Z"), "future"),
    "a tombstone of something else": (tombstone().replace(b"yt:video:", b"yt:channel:"), "video id"),
    "a tombstone of an odd id": (tombstone(video="vid0000000&amp;"), "video id"),
    "an id with a line break": (atom(video="vid0000\n001"), "video id"),
    "an id in another script": (atom(video="vidéo000001"), "video id"),
    "an id that is too long": (atom(video="vid000000012"), "video id"),
    "no title": (atom().replace(b"<title>Title</title>", b""), "no title"),
    "attributes without end": (b'<feed xmlns="http://www.w3.org/2005/Atom" ' + b" ".join(b'a%d="1"' % n for n in range(20_000)) + b"", "well-formed"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_body_is_set_aside_with_its_reason_beside_the_good_ones(world, tx, case):
    body, reason = HOSTILE[case]
    assert world.notify(notification(atom()), notification(body), notification(atom("vid00000002"))) == {"batchItemFailures": []}
    assert kinds(tx) == ["new_video", "new_video"]
    bad = [row for row in events(tx) if row["processing_error"]]
    assert len(bad) == 1
    assert reason in bad[0]["processing_error"]
    assert not bad[0]["processed"]
    assert len(world.take("NOTIFICATIONS_DEAD_URL")) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_other_declared_encodings_are_read(world, tx, encoding):
    text = atom(title="Überraschung").decode().replace("UTF-8", encoding)
    world.notify(notification(text.encode(encoding)))
    assert db.value(tx, "SELECT title FROM feed.videos") == "Überraschung"


def test_a_tombstone_that_names_nobody_is_of_the_subscriptions_channel(world, tx):
    world.notify(notification(re.sub(rb"<at:by>.*</at:by>", b"", tombstone())))
    assert db.one(tx, "SELECT channel_id, update_type FROM feed.updates") == {"channel_id": CHANNEL, "update_type": "deleted"}


def test_a_feed_of_a_thousand_entries_is_taken_in(world, tx):
    body = entries(*((f"v{n:010d}", CHANNEL) for n in range(1_000)))
    assert len(body) <= 400_000
    world.notify(notification(body), notification(entries(*((f"w{n:010d}", CHANNEL) for n in range(1_000)))), notification(atom()))
    assert len(kinds(tx)) == 2001


def test_markup_in_titles_is_text(world, tx):
    world.notify(notification(atom(title="<![CDATA[<script>alert(1)</script> & ]]>&#60;b&gt; &quot;x&quot;")))
    assert db.value(tx, "SELECT title FROM feed.videos") == '<script>alert(1)</script> & <b> "x"'


def test_dates_with_an_offset_are_the_same_moment(world, tx):
    world.notify(notification(atom(updated="2026-11-20T10:00:00+05:30")))
    world.notify(notification(atom(title="Newer", updated="2026-11-20T04:30:01Z")))
    assert kinds(tx) == ["new_video", "title_update"]
    assert db.value(tx, "SELECT title FROM feed.videos") == "Newer"


def test_a_message_that_the_database_refuses_even_alone_stops_no_other(world, tx):
    """None of ours writes such a message."""
    assert world.notify(notification(atom(), delivery_id="no uuid"), notification(atom("vid00000002"))) == {"batchItemFailures": []}
    assert kinds(tx) == ["new_video"]
    assert [each["delivery_id"] for each in world.take("NOTIFICATIONS_DEAD_URL")] == ["no uuid"]


def test_a_feed_of_another_channel_does_not_spoil_the_true_delivery(world, tx):
    body = atom(channel=OTHER)
    world.notify(notification(body))
    world.notify(notification(body, channel=OTHER))
    assert kinds(tx) == ["new_video"]


def test_a_feed_without_entries_is_processed_and_says_nothing(world, tx):
    world.notify(notification(b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>'))
    assert [row["processed"] for row in events(tx)] == [True]
    assert kinds(tx) == []


def test_a_message_that_none_of_ours_wrote_is_set_aside_at_once_as_it_came(world, tx):
    assert world.notify('"no', notification(atom()), "[]") == {"batchItemFailures": []}
    assert kinds(tx) == ["new_video"]
    dead = signed.call("sqs", "ReceiveMessage", {"QueueUrl": world.queues["NOTIFICATIONS_DEAD_URL"], "MaxNumberOfMessages": 10})["Messages"]
    assert sorted(each["Body"] for each in dead) == ['"no', "[]"]
    for each in dead:
        signed.call("sqs", "DeleteMessage", {"QueueUrl": world.queues["NOTIFICATIONS_DEAD_URL"], "ReceiptHandle": each["ReceiptHandle"]})


def test_a_message_with_missing_parts_is_set_aside(world, tx):
    world.notify({"kind": "notification"}, {"kind": "nothing"}, notification(atom()))
    assert kinds(tx) == ["new_video"]
    assert len(world.take("NOTIFICATIONS_DEAD_URL")) == 2


def test_what_breaks_a_batch_in_the_database_is_set_aside_alone(world, tx, monkeypatch):
    take = feed.take

    def fails(tx, deliveries):
        if any(seen.video_id == "vid00000bad" for each in deliveries for seen in each.seen):
            raise RuntimeError("boom")
        return take(tx, deliveries)

    monkeypatch.setattr(feed, "take", fails)  # nothing that passes the reader is known to break the database
    world.notify(notification(atom()), notification(atom("vid00000bad")), notification(atom("vid00000002")))
    assert kinds(tx) == ["new_video", "new_video"]
    assert [row["processing_error"] for row in events(tx)] == [None, "RuntimeError: boom", None]


def test_a_replay_takes_in_what_was_set_aside(world, tx):
    world.notify(notification(atom(channel=OTHER)))
    _, page = world.api("GET", "/api/v1/webhook-events", query={"processed": "false"})
    event_id = page["webhook_events"][0]["id"]
    status, body = world.api("POST", f"/api/v1/webhook-events/{event_id}/replay")
    assert (status, body["processed"], body["processing_error"]) == (200, True, None)
    assert kinds(tx) == ["new_video"]
    world.api("POST", f"/api/v1/webhook-events/{event_id}/replay")
    assert kinds(tx) == ["new_video"]


def test_a_replay_of_a_repeat_changes_nothing(world, tx):
    world.notify(notification(atom()), notification(atom()))
    first, repeat = world.api("GET", "/api/v1/webhook-events", query={"order": "asc", "order_by": "id"})[1]["webhook_events"]
    assert repeat["repeat_of"] == first["id"]
    for event in (repeat, first, repeat):
        assert world.api("POST", f"/api/v1/webhook-events/{event['id']}/replay") == (200, event | {"processed_at": any_time(world, event)})
    assert kinds(tx) == ["new_video"]


def any_time(world, event):
    """When it was processed is the one thing that a replay may change."""
    return world.api("GET", f"/api/v1/webhook-events/{event['id']}")[1]["processed_at"]


def test_a_replay_of_what_another_event_has_told_meanwhile_is_a_repeat(world, tx):
    body = atom(channel=OTHER)
    world.notify(notification(body), notification(body, channel=OTHER))
    aside, told = world.api("GET", "/api/v1/webhook-events", query={"order": "asc", "order_by": "id"})[1]["webhook_events"]
    status, event = world.api("POST", f"/api/v1/webhook-events/{aside['id']}/replay")
    assert (status, event["processed"], event["processing_error"], event["repeat_of"]) == (200, True, None, told["id"])
    assert kinds(tx) == ["new_video"]


def raced_once(monkeypatch, name):
    """As if another worker had committed the same videos first: the test's own transaction has no second worker."""
    real, calls = getattr(feed, name), []

    def races(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise feed.Raced
        return real(*arguments)

    monkeypatch.setattr(feed, name, races)


def poll(delivery_id, **found):
    """A poll that found one video."""
    video = {"video_id": "vid00000001", "title": "Title", "published_at": "2026-11-20T08:12:50Z", "at": "2026-11-20T08:12:50Z", **found}
    return {"kind": "polled", "channel_id": CHANNEL, "delivery_id": delivery_id, "origin": "playlist", "at": datetime.now(UTC).isoformat(), "found": [video]}


def test_a_poll_whose_videos_another_worker_adds_at_the_same_time_begins_again(world, tx, monkeypatch):
    raced_once(monkeypatch, "take")
    world.notify(poll(str(uuid.uuid4())))
    assert kinds(tx) == ["new_video"]
    assert world.take("NOTIFICATIONS_DEAD_URL") == []


def test_a_replay_whose_videos_another_worker_adds_at_the_same_time_begins_again(world, tx, monkeypatch):
    world.notify(notification(atom(channel=OTHER)))
    [event] = world.api("GET", "/api/v1/webhook-events")[1]["webhook_events"]
    raced_once(monkeypatch, "replay")
    assert world.api("POST", f"/api/v1/webhook-events/{event['id']}/replay")[0] == 200
    assert kinds(tx) == ["new_video"]


def test_a_poll_that_the_database_refuses_is_set_aside_alone(world, tx):
    bad = poll(str(uuid.uuid4()), video_id="vid00000bad", title="a\0b")
    assert world.notify(notification(atom()), bad, poll(str(uuid.uuid4()), video_id="vid00000002")) == {"batchItemFailures": []}
    assert sorted(kinds(tx)) == ["new_video", "new_video"]
    assert world.take("NOTIFICATIONS_DEAD_URL") == [bad]


def test_a_poll_whose_updates_the_bus_refuses_stays_in_the_queue_and_is_told_of_by_the_next_run(world, tx, monkeypatch):
    from showrunner import events as bus

    message, told = poll(str(uuid.uuid4())), []

    def refuses(kind, details):
        if details and not told:
            told.append(None)
            raise signed.Refused("AccessDeniedException", "no")
        told.extend(each["video_id"] for each in details)

    monkeypatch.setattr(bus, "emit_all", refuses)  # moto's bus refuses nobody
    with pytest.raises(signed.Refused):
        world.notify(message)
    assert world.take("NOTIFICATIONS_DEAD_URL") == []
    world.notify(message)
    assert told == [None, "vid00000001"]
    assert kinds(tx) == ["new_video"]


def test_a_replay_of_what_stays_broken_says_so(world):
    world.notify(notification(BOMB), notification(b"<feed/>"))
    _, page = world.api("GET", "/api/v1/webhook-events", query={"processed": "false", "order": "asc"})
    ids = [each["id"] for each in page["webhook_events"]]
    status, body = world.api("POST", "/api/v1/webhook-events/replay", {"from_id": ids[0], "to_id": ids[-1]})
    assert (status, body) == (200, {"processed": 0, "failed": ids, "next_id": None})
    assert world.api("POST", "/api/v1/webhook-events/99999999/replay")[0] == 404


def test_each_update_is_told_to_the_bus_once_more_after_a_death(world, tx, monkeypatch):
    from showrunner import events as bus

    told = []
    monkeypatch.setattr(bus, "emit_all", lambda kind, details: told.append([each["event_id"] for each in details]))  # moto's bus can't be read
    message = notification(atom())
    world.notify(message)
    world.notify(message)
    assert told[0] == told[1] != []


def subscribed(tx, **values):
    row = subscriptions.add(
        tx,
        {
            "channel_id": CHANNEL,
            "topic_url": "t",
            "callback_url": CALLBACK,
            "callback_token": "x" * 43,
            "hub_url": "h",
            "lease_seconds": 432_000,
            "secret": None,
        },
    )
    return row["id"]


def test_the_hubs_words_move_a_subscription_through_its_states(world, tx):
    key, now = subscribed(tx), datetime.now(UTC)

    def state():
        return db.value(tx, "SELECT status FROM feed.subscriptions WHERE id = :id", id=key)

    def say(kind, minutes=0, **words):
        world.notify({"kind": kind, "subscription_id": key, "at": (now + timedelta(minutes=minutes)).isoformat(), **words})

    assert state() == "pending"
    say("answered", outcome="unavailable", reason="503", retry_after=120)
    assert state() == "pending"
    say("answered", minutes=1, outcome="refused", reason="Restricted topic")
    assert state() == "failed"
    say("verified", minutes=2, lease_seconds=432_000)
    assert state() == "active"
    say("denied", minutes=1, reason="an old word")
    assert state() == "active"
    say("answered", minutes=3, outcome="refused", reason="renewal refused")
    assert state() == "active"  # its lease still runs, and it is asked for again
    say("denied", minutes=4, reason="gone")
    assert state() == "failed"


def test_retry_after_moves_the_next_request_of_that_subscription(world, tx):
    key, now = subscribed(tx), datetime.now(UTC)
    world.notify({"kind": "answered", "subscription_id": key, "outcome": "unavailable", "reason": "503", "retry_after": 7200, "at": now.isoformat()})
    at = db.value(tx, "SELECT ask_at FROM feed.subscriptions WHERE id = :id", id=key)
    assert at >= now + timedelta(seconds=7199)


DYING = """
import os, sys, json
sys.path[:0] = ['layers/showrunner', '.']
from showrunner import db, signed
from functions.notifications import app
left = [int(sys.argv[1])]
def count(call):
    def counted(*arguments, **named):
        left[0] -= 1
        if left[0] == 0: os._exit(9)          # before
        result = call(*arguments, **named)
        left[0] -= 1
        if left[0] == 0: os._exit(9)          # after
        return result
    return counted
db.Session.execute, db.Session.command, signed.call = count(db.Session.execute), count(db.Session.command), count(signed.call)
print(json.dumps(app.handler(json.loads(sys.stdin.read()), None)))
"""


@pytest.fixture
def own_database(ingestion_aws, postgres, tmp_path, monkeypatch):
    """A server of its own, since what a killed process commits can't be rolled back."""
    from functions.migrate import app as migrate
    from local import postgres as server
    from tests.conftest import free_port, put_secrets

    with server.server(tmp_path, free_port(), throwaway=True) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        put_secrets(running.secrets)
        migrate.handler({}, None)
        connection = migrate.connect()
        yield connection
        connection.close()
    put_secrets(postgres.secrets)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_killed_at_any_step_loses_nothing_and_doubles_nothing(own_database):
    """The queue delivers again whatever wasn't acknowledged: each death is followed by the same batch, until a run ends."""
    deaths = 0
    for round_ in range(1, 100):
        messages = [notification(atom(f"k{round_:03d}{n:07d}", f"Title {n}", updated=f"2026-11-20T0{n}:00:00Z")) for n in range(3)] + [
            notification(atom(f"k{round_:03d}0000000", "Renamed", updated="2026-11-20T07:00:00Z")),
            notification(b"<broken"),
        ]
        text = json.dumps({"Records": [{"messageId": str(n), "body": json.dumps(each)} for n, each in enumerate(messages)]})
        run = subprocess.run([sys.executable, "-c", DYING, str(round_)], input=text, capture_output=True, text=True, check=False)
        died = run.returncode
        deaths += died == 9
        assert died in (0, 9), run.stderr[-3000:]
        if died:
            subprocess.run([sys.executable, "-c", DYING, "0"], input=text, capture_output=True, text=True, check=True)
        rows = own_database.run("SELECT update_type FROM feed.updates WHERE video_id LIKE :p ORDER BY id", p=f"k{round_:03d}%")
        assert sorted(row[0] for row in rows) == ["new_video", "new_video", "new_video", "title_update"]
        if not died:
            break
    assert deaths >= 10
    assert own_database.run("SELECT count(*) FROM feed.events") == [[5 * (deaths + 1)]]
    assert own_database.run("SELECT count(*) FROM feed.events WHERE processing_error IS NOT NULL") == [[deaths + 1]]
