"""WebSub: any feed is parsed or refused with a reason."""

import hmac
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showrunner.errors import InvalidRequest
from showrunner.platforms import websub
from tests.feed.ingestion import CHANNEL, OTHER, TOPIC, atom

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
        + b'<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="yt:video:vid00000003"'
        + b' when="2026-11-20T09:00:00Z"/></feed>',
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


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\u00a0"])
@pytest.mark.parametrize("name", ["videoId", "channelId"])
def test_an_id_with_white_space_around_or_inside_is_refused(name, space):
    value = {"videoId": "vid00000001", "channelId": CHANNEL}[name]
    for changed in (f"{space}{value}", f"{value}{space}", f"{value[:5]}{space}{value[5:]}"):
        body = atom().replace(f"<yt:{name}>{value}<".encode(), f"<yt:{name}>{changed}<".encode())
        assert changed.encode() in body
        with pytest.raises(InvalidRequest):
            websub.read(body)


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


def test_an_entry_a_few_minutes_ahead_is_accepted():
    soon = (NOW + timedelta(minutes=30)).isoformat()
    assert websub.check(websub.read(atom(updated=soon)), CHANNEL, NOW)
