"""YouTube: addresses, durations and errors as YouTube writes them."""

import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from local.platforms import server as stand_ins
from showrunner.errors import (
    CredentialRejected,
    InvalidRequest,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.platforms import youtube
from tests.servers import speaking


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda text: f"https://www.youtube.com/{text}"))
def test_any_text_is_read_as_a_link_or_refused(text):
    try:
        link = youtube.parse(text)
    except InvalidRequest:
        return
    assert link.value


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("PT4M13S", 253),
        ("PT1H", 3600),
        ("P1DT2H", 93_600),
        ("PT0S", 0),
        ("P0D", 0),
        ("", None),
        ("P", None),
        ("4:13", None),
    ],
)
def test_durations_are_read_in_seconds(duration, seconds):
    assert youtube.seconds(duration) == seconds


UNITS = 10_000


class Count:
    """A quota ledger in memory: the one in the state table is shared."""

    units = 0

    def spend(self, units):
        self.units += units
        return "2026-11-22"

    def give_back(self, units, day):
        self.units -= units

    def exhaust(self, day):
        self.units = UNITS
        return QuotaExceeded("spent")


ERRORS = [
    (403, {"errors": [{"reason": "quotaExceeded"}]}, QuotaExceeded),
    (403, {"errors": [{"reason": "rateLimitExceeded"}]}, PlatformUnavailable),
    (
        400,
        {"errors": [{"reason": "badRequest"}], "message": "API key not valid. Please pass a valid API key."},
        CredentialRejected,
    ),
    (403, {"errors": [{"reason": "accessNotConfigured"}]}, CredentialRejected),
    (401, {"errors": [{"reason": "authError"}]}, CredentialRejected),
    (404, {"errors": [{"reason": "playlistNotFound"}]}, PlatformRejected),
    (400, {}, PlatformRejected),
    (500, {}, PlatformUnavailable),
    (429, {}, PlatformUnavailable),
]


@pytest.mark.parametrize(("status", "error", "kind"), ERRORS)
def test_youtubes_errors_become_errors_that_say_what_to_do(httpserver: HTTPServer, status, error, kind):
    httpserver.expect_request("/youtube/v3/videos").respond_with_json({"error": error}, status=status)
    count = Count()
    with pytest.raises(kind):
        youtube.Youtube("key", httpserver.url_for(""), count).details(["vid00000001"])
    assert count.units == (UNITS if kind is QuotaExceeded else 1)  # a refused call costs a unit too


@pytest.fixture(scope="module")
def stand_in():
    world = stand_ins.World()
    serving = stand_ins.server(world, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield world, f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()


SCRIPTED = [
    ("daily_quota", QuotaExceeded, None),
    ("daily_quota_new", QuotaExceeded, None),
    ("rate_limit", PlatformUnavailable, None),
    ("rate_limit_new", PlatformUnavailable, None),
    ("key_invalid", CredentialRejected, "Store a valid key"),
    ("key_service_blocked", CredentialRejected, "Allow the YouTube Data API"),
    ("key_ip_blocked", CredentialRejected, "IP addresses"),
    ("key_referrer_blocked", CredentialRejected, "websites"),
    ("service_disabled", CredentialRejected, "Enable the YouTube Data API"),
    ("backend_error", PlatformUnavailable, None),
    ("bad_gateway", PlatformUnavailable, None),
]


@pytest.mark.parametrize(("outcome", "kind", "remedy"), SCRIPTED)
def test_both_generations_of_googles_errors_say_what_to_do(stand_in, outcome, kind, remedy):
    world, address = stand_in
    world.outcomes.add(outcome)
    count = Count()
    with pytest.raises(kind, match=remedy):
        youtube.Youtube("local", address, count).details(["vid00000001"])
    assert count.units == (UNITS if kind is QuotaExceeded else 1)


def test_every_scripted_outcome_of_the_stand_in_is_tried(stand_in):
    assert {name for name, _, _ in SCRIPTED} == stand_in[0].outcomes.names


@pytest.mark.parametrize("key", ["local\n", "  local  "])
def test_white_space_around_a_pasted_key_is_ignored(stand_in, key):
    assert youtube.Youtube(key, stand_in[1], Count()).details(["vid00000001"]) == []


def test_a_key_that_cannot_be_one_costs_no_quota(stand_in):
    count = Count()
    with pytest.raises(CredentialRejected, match="youtube/api_key"):
        youtube.Youtube("two words", stand_in[1], count).details(["vid00000001"])
    assert count.units == 0


def test_a_call_that_was_never_sent_costs_no_quota():
    count = Count()
    with pytest.raises(PlatformUnavailable):
        youtube.Youtube("key", "http://127.0.0.1:9", count).details(["vid00000001"])
    assert count.units == 0


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
BROKEN = {
    "cut short": [HEAD + b"Content-Length: 1000\r\n\r\n<feed>"],
    "cut short in a chunk": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n100\r\n<feed>"],
    "no gzip": [HEAD + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\n<feed>"],
    "silence": [HEAD + b"Content-Length: 1000\r\n\r\n<feed>", b" ", b" "],
    "drops": [HEAD + b"Content-Length: 1000\r\n\r\n", *[b" "] * 100],
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_incomplete_or_endless_answer_is_platform_unavailable(monkeypatch, how):
    monkeypatch.setattr(youtube, "SECONDS", 0.5)
    monkeypatch.setattr(youtube, "CALL_SECONDS", 1)
    pause = {"silence": 2, "drops": 0.1}.get(how, 0)
    with speaking(BROKEN[how], pause) as address:
        begun = time.monotonic()
        with pytest.raises(PlatformUnavailable):
            youtube.Feeds(address).get("UC" + "a" * 22, datetime.now(UTC))
        with pytest.raises(PlatformUnavailable):
            youtube.Youtube("key", address, Count()).details(["vid00000001"])
        assert time.monotonic() - begun < 4


def test_an_endless_feed_is_read_only_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(youtube, "FEED_BYTES", 100_000)
    with (
        speaking([HEAD + b"\r\n", *[b" " * 50_000] * 40]) as address,
        pytest.raises(PlatformRejected, match="larger than 100000 bytes"),
    ):
        youtube.Feeds(address).get("UC" + "a" * 22, datetime.now(UTC))


def test_a_custom_name_is_looked_up_twice_within_one_time_limit(monkeypatch):
    monkeypatch.setattr(youtube, "RESOLVE_SECONDS", 0.5)
    slow = [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", b"{", b"}"]
    with speaking(slow, 0.2) as address, pytest.raises(PlatformUnavailable):
        youtube.Youtube("key", address, Count()).resolve(youtube.Link("custom", "name"))


@pytest.mark.parametrize("body", ["[1]", "5", "null", "{", ""])
def test_an_answer_of_another_shape_is_platform_unavailable(httpserver: HTTPServer, body):
    httpserver.expect_request("/youtube/v3/videos").respond_with_data(body)
    with pytest.raises(PlatformUnavailable):
        youtube.Youtube("key", httpserver.url_for(""), Count()).details(["vid00000001"])


def test_the_key_is_never_in_a_url(httpserver: HTTPServer):
    httpserver.expect_request("/youtube/v3/videos").respond_with_json({"items": []})
    youtube.Youtube("top-secret", httpserver.url_for(""), Count()).details(["vid00000001"])
    [(request, _)] = httpserver.log
    assert "top-secret" not in request.url
    assert request.headers["X-Goog-Api-Key"] == "top-secret"


@pytest.mark.parametrize(
    "handle", ["@ชาวสวนลุงดำ", "@हिन्दी", "@தமிழ்", "@اَلْعَرَبِيَّة", "@שָׁלוֹם", "@Ünï.code", "@東京ch", "@한국어"]
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_handle_in_any_script_is_read_in_either_form(handle, form):
    import unicodedata

    link = youtube.parse("https://www.youtube.com/" + unicodedata.normalize(form, handle))

    assert link == ("handle", unicodedata.normalize("NFC", handle))
