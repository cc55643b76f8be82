"""Bodies that are no valid feed of the subscribed channel: each is set aside with its reason."""

import gzip
import re

import pytest

from showrunner.database import db
from tests.feed.ingestion import CHANNEL, OTHER, atom, entries, events, kinds, notification, tombstone

BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [
<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<feed xmlns="http://www.w3.org/2005/Atom"><title>&lol2;</title></feed>"""


EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed xmlns="http://www.w3.org/2005/Atom"><title>&x;</title></feed>"""


HOSTILE = {
    "bomb": (BOMB, "document type"),
    "external entity": (EXTERNAL, "document type"),
    "external dtd": (
        b'<!DOCTYPE feed SYSTEM "http://127.0.0.1:9/x.dtd"><feed xmlns="http://www.w3.org/2005/Atom"/>',
        "document type",
    ),
    "truncated": (atom()[:-40], "well-formed"),
    "empty": (b"", "well-formed"),
    "no xml": (b"\x00\x01\x02", "well-formed"),
    "json": (b'{"a": 1}', "well-formed"),
    "wrong charset": (
        "<?xml version='1.0' encoding='UTF-8'?><feed xmlns='http://www.w3.org/2005/Atom'>é</feed>".encode(
            "latin-1"
        ),
        "well-formed",
    ),
    "unknown charset": (
        b"<?xml version='1.0' encoding='x-nothing'?><feed xmlns='http://www.w3.org/2005/Atom'/>",
        "encoding",
    ),
    "two documents": (atom() + atom(), "well-formed"),
    "another format": (b"<rss version='2.0'><channel/></rss>", "no Atom feed"),
    "html": (b"<html><body>503</body></html>", "no Atom feed"),
    "another channel": (atom(channel=OTHER), "another channel"),
    "another channel's tombstone": (tombstone(channel=OTHER), "another channel"),
    "the future": (atom(updated="2099-01-01T00:00:00+00:00"), "future"),
    "no date": (atom(updated="yesterday"), "date that is none"),
    "an impossible date": (atom(updated="2026-02-30T00:00:00Z"), "date that is none"),
    "a date without zone": (atom(updated="2026-11-20T00:00:00"), "date that is none"),
    "an id that is none": (atom(video="../../etc"), "video id"),
    "a channel that is none": (atom(channel="UC<script>"), "well-formed"),
    "a title without end": (atom(title="x" * 100_000), "title has more"),
    "depth": (
        b'<feed xmlns="http://www.w3.org/2005/Atom">' + b"<a>" * 5000 + b"</a>" * 5000 + b"</feed>",
        "nested",
    ),
    "the same twice": (
        atom().replace(
            b'</title><link rel="alternate"', b'</title><title>Other</title><link rel="alternate"'
        ),
        "twice",
    ),
    "a control character": (atom(title="a&#1;b"), "well-formed"),
    "an undeclared prefix": (b'<feed xmlns="http://www.w3.org/2005/Atom"><x:y/></feed>', "well-formed"),
    "a bomb in utf-16": (BOMB.decode().encode("utf-16"), "document type"),
    "a bomb in utf-7": (b"<?xml version='1.0' encoding='utf-7'?>+ADw-!DOCTYPE feed+AD4-<feed/>", "encoding"),
    "a bomb in ebcdic": (
        b"<?xml version='1.0' encoding='cp037'?>"
        + "<!DOCTYPE feed [<!ENTITY x 'y'>]><feed/>".encode("cp037"),
        "well-formed",
    ),
    "a parameter entity": (
        b"<!DOCTYPE feed [<!ENTITY % x SYSTEM 'http://127.0.0.1:9/x'> %x;]><feed xmlns='http://www.w3.org/2005/Atom'/>",
        "document type",
    ),
    "an undeclared entity": (atom(title="&nbsp;"), "well-formed"),
    "an inclusion": (
        b"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>",
        "no Atom feed",
    ),
    "gzip": (gzip.compress(atom()), "well-formed"),
    "a nul byte in the middle": (atom(title="a\0b"), "well-formed"),
    "half a character": (atom(title="ü")[: atom(title="ü").index("ü".encode()) + 1], "well-formed"),
    "another charset than declared": (
        atom(title="Überraschung").decode().encode("windows-1252"),
        "well-formed",
    ),
    "100,000 deep": (b"<feed xmlns='http://www.w3.org/2005/Atom'>" + b"<a>" * 65_000, "nested"),
    "256 KiB of attributes": (
        b"<feed xmlns='http://www.w3.org/2005/Atom' "
        + b" ".join(b"a%05d='1'" % n for n in range(23_000))
        + b"><x",
        "well-formed",
    ),
    "256 KiB of the same attribute": (
        b"<feed xmlns='http://www.w3.org/2005/Atom' " + b"a='1' " * 40_000 + b"/>",
        "well-formed",
    ),
    "prefixes without end": (
        b"<feed xmlns='http://www.w3.org/2005/Atom' "
        + b" ".join(b"xmlns:a%05d='u'" % n for n in range(14_000))
        + b"><x",
        "well-formed",
    ),
    "its own prefix for another space": (
        atom().replace(b"http://www.youtube.com/xml/schemas/2015", b"http://evil.example/"),
        "video id",
    ),
    "a prefix that changes its space inside": (
        atom().replace(b"<yt:videoId>", b"<yt:videoId xmlns:yt='http://evil.example/'>"),
        "video id",
    ),
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
    "attributes without end": (
        b'<feed xmlns="http://www.w3.org/2005/Atom" '
        + b" ".join(b'a%d="1"' % n for n in range(20_000))
        + b"",
        "well-formed",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_invalid_body_is_set_aside_with_its_reason_and_stops_no_other(world, tx, case):
    body, reason = HOSTILE[case]
    assert world.notify(notification(atom()), notification(body), notification(atom("vid00000002"))) == {
        "batchItemFailures": []
    }
    assert kinds(tx) == ["new_video", "new_video"]
    bad = [row for row in events(tx) if row["processing_error"]]
    assert len(bad) == 1
    assert reason in bad[0]["processing_error"]
    assert not bad[0]["processed"]
    assert len(world.take("NOTIFICATIONS_DEAD_URL")) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_decoded(world, tx, encoding):
    text = atom(title="Überraschung").decode().replace("UTF-8", encoding)
    world.notify(notification(text.encode(encoding)))
    assert db.value(tx, "SELECT title FROM feed.videos") == "Überraschung"


def test_a_tombstone_without_author_belongs_to_the_subscriptions_channel(world, tx):
    world.notify(notification(re.sub(rb"<at:by>.*</at:by>", b"", tombstone())))
    assert db.one(tx, "SELECT channel_id, update_type FROM feed.updates") == {
        "channel_id": CHANNEL,
        "update_type": "deleted",
    }


def test_a_feed_of_a_thousand_entries_is_processed(world, tx):
    body = entries(*((f"v{n:010d}", CHANNEL) for n in range(1_000)))
    assert len(body) <= 400_000
    world.notify(
        notification(body),
        notification(entries(*((f"w{n:010d}", CHANNEL) for n in range(1_000)))),
        notification(atom()),
    )
    assert len(kinds(tx)) == 2001


def test_a_feed_of_another_channel_does_not_block_the_real_one(world, tx):
    body = atom(channel=OTHER)
    world.notify(notification(body))
    world.notify(notification(body, channel=OTHER))
    assert kinds(tx) == ["new_video"]


def test_a_replay_reports_the_events_that_still_fail(world):
    world.notify(notification(BOMB), notification(b"<feed/>"))
    _, page = world.api("GET", "/api/v1/webhook-events", query={"processed": "false", "order": "asc"})
    ids = [each["id"] for each in page["webhook_events"]]
    status, body = world.api("POST", "/api/v1/webhook-events/replay", {"from_id": ids[0], "to_id": ids[-1]})
    assert (status, body) == (200, {"processed": 0, "failed": ids, "next_id": None})
    assert world.api("POST", "/api/v1/webhook-events/99999999/replay")[0] == 404
