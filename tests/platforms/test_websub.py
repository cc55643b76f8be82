"""WebSub: any feed is parsed or refused with a reason."""

import contextlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from showrunner.errors import InvalidRequest, PlatformRejected, PlatformUnavailable
from showrunner.platforms import websub
from tests.feed.ingestion import CHANNEL, OTHER, TOPIC, atom
from tests.servers import speaking

# Text that a hub may send.
WORDS = [
    ("plain", "plain"),
    ("two\r\nlines", "two lines"),
    ("a\0b", "a b"),
    ("\x1b[31mred", "[31mred"),
    ("half \ud800", "half"),
    ("Über 東京 🎬", "Über 東京 🎬"),
    ("", ""),
]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(("said", "kept"), WORDS)
def test_control_characters_are_removed_from_the_hubs_text(said, kept):
    assert websub.plain(said) == kept


@given(st.binary(max_size=400))
def test_any_bytes_are_parsed_or_refused(body):
    try:
        websub.read(body)
    except InvalidRequest:
        return


@settings(max_examples=200)
@given(st.integers(0, 900), st.integers(0, 255))
def test_a_notification_with_a_damaged_byte_is_parsed_or_refused(place, byte):
    body = bytearray(atom())
    body[place % len(body)] = byte
    try:
        websub.check(websub.read(bytes(body)), CHANNEL, NOW)
    except InvalidRequest:
        return


printable = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufffe\uffff"), max_size=80
).map(str.strip)


@given(printable.filter(bool), printable)
def test_titles_and_names_are_read_as_they_were_written(title, name):
    [seen] = websub.read(atom(title=escape(title), name=escape(name)))

    assert (seen.title, seen.channel_title) == (title, name or None)


def test_several_entries_and_tombstones_in_one_feed_are_all_read():
    body = atom().replace(
        b"</feed>",
        atom("vid00000002").partition(b"</updated>\n")[2].partition(b"</feed>")[0]
        + b'<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="yt:video:vid00000003" when="2026-11-20T09:00:00Z"/></feed>',
    )
    assert [(each.video_id, each.title) for each in websub.read(body)][0::2] == [
        ("vid00000001", "Title"),
        ("vid00000003", None),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T08:13:10Z", datetime(2026, 11, 22, 8, 13, 10, tzinfo=UTC)),
        ("2026-11-22T08:13:10.1+00:00", datetime(2026, 11, 22, 8, 13, 10, 100_000, tzinfo=UTC)),
        ("2026-11-22T08:13:10.038244+00:00", datetime(2026, 11, 22, 8, 13, 10, 38_244, tzinfo=UTC)),
        ("2026-11-22T08:13:10.038244318+00:00", datetime(2026, 11, 22, 8, 13, 10, 38_244, tzinfo=UTC)),
        ("2026-11-22T09:13:10+01:00", datetime(2026, 11, 22, 8, 13, 10, tzinfo=UTC)),
    ],
)
def test_times_may_have_any_number_of_digits(text, expected):
    assert websub.moment(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "20261122T081310Z",
        "2026-11-22T08:13:10",
        "2026-11-22T25:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "now",
    ],
)
def test_invalid_times_are_refused(text):
    with pytest.raises(InvalidRequest):
        websub.moment(text)


@pytest.mark.parametrize("algorithm", websub.ALGORITHMS)
def test_a_signature_is_valid_for_its_own_secret_and_body_only(algorithm):
    header = f"{algorithm}={hmac.new(b'one', b'body', algorithm).hexdigest()}"
    assert websub.is_signed([b"one"], header, b"body")
    assert websub.is_signed([b"two", b"one"], header, b"body")
    assert not websub.is_signed([b"two"], header, b"body")
    assert not websub.is_signed([b"one"], header, b"body ")
    assert not websub.is_signed([], header, b"body")


def test_both_forms_of_a_topic_name_the_channel():
    assert websub.channel_of(TOPIC) == websub.channel_of(TOPIC.replace("/xml", "")) == CHANNEL
    assert websub.channel_of(websub.topic("http://127.0.0.1:9", OTHER), "127.0.0.1:9") == OTHER
    assert websub.channel_of(websub.topic("http://127.0.0.1:9", OTHER)) is None
    assert websub.channel_of("http://[") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("999999999", 86_400),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120),
        ("Sun, 22 Nov 2020 12:02:00 GMT", 0),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        (None, None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_in_either_form(text, seconds):
    assert websub.retry_after(text, NOW) == seconds


@given(
    st.text()
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,30} \d{1,9}:\d{1,4}:\d{1,4} [+-]?\w{0,12}")
)
def test_any_retry_after_is_read_as_at_most_a_day_or_ignored(text):
    seconds = websub.retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= 86_400


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (202, None),
        (204, None),
        (400, PlatformRejected),
        (403, PlatformRejected),
        (302, PlatformRejected),
        (429, PlatformUnavailable),
        (503, PlatformUnavailable),
    ],
)
def test_the_hubs_status_decides_the_outcome(httpserver: HTTPServer, status, kind):
    httpserver.expect_request("/").respond_with_data("words", status=status, headers={"Retry-After": "120"})
    hub = websub.Hub(httpserver.url_for("/"))
    if kind is None:
        hub.ask("subscribe", TOPIC, "https://x", 60, "secret")
        return
    with pytest.raises(kind) as refused:
        hub.ask("subscribe", TOPIC, "https://x", 60, None)
    assert kind is PlatformRejected or refused.value.retry_after == 120


@pytest.mark.parametrize(
    ("status", "kind"), [(202, None), (400, PlatformRejected), (503, PlatformUnavailable)]
)
@pytest.mark.parametrize("body", ["endless", "broken", "dripping"])
def test_the_hubs_status_counts_whatever_its_body_does(status, kind, body, monkeypatch):
    monkeypatch.setattr(websub, "HUB_SECONDS", 0.5)
    head = f"HTTP/1.1 {status} X\r\n".encode()
    bodies = {
        "endless": ([head + b"\r\n", *[b"x" * 60_000] * 1000], 0.01),
        "broken": ([head + b"Content-Length: 1000\r\n\r\nx"], 0),
        "dripping": ([head + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 1000], 0.05),
    }
    with speaking(*bodies[body]) as address:
        began = time.monotonic()
        with pytest.raises(kind) if kind else contextlib.nullcontext() as refused:
            websub.Hub(address).ask("subscribe", TOPIC, "https://x", 60, None)
        assert time.monotonic() - began < 2
    assert kind is None or (str(status) in refused.value.message and len(refused.value.message) < 300)


def test_an_unreachable_hub_is_unavailable():
    with pytest.raises(PlatformUnavailable):
        websub.Hub("http://127.0.0.1:9/").ask("subscribe", TOPIC, "https://x", 60, None)


def test_an_entry_a_few_minutes_ahead_is_accepted():
    soon = (NOW + timedelta(minutes=30)).isoformat()
    assert websub.check(websub.read(atom(updated=soon)), CHANNEL, NOW)
