"""The limits of the one HTTP sender, against servers that misbehave."""

import socket
import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.platforms import http
from showrunner.platforms.http import Sender
from tests.servers import speaking

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEAD = b"HTTP/1.1 200 OK\r\n"


def sender(seconds: float = 0.5, max_bytes: int = 100) -> Sender:
    return Sender("The service", seconds, max_bytes)


def test_an_answer_has_status_headers_and_body(httpserver: HTTPServer):
    httpserver.expect_request("/", method="POST", data="a=1").respond_with_data(
        "body", status=404, headers={"X-Some": "value", "Retry-After": "7"}
    )

    answer = sender().send("POST", httpserver.url_for("/"), body={"a": "1"})

    assert (answer.status, answer.headers["x-some"], answer.body, answer.retry_after) == (
        404,
        "value",
        b"body",
        7,
    )


def test_no_redirect_is_followed(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data(status=302, headers={"Location": "/elsewhere"})

    assert sender().send("GET", httpserver.url_for("/")).status == 302
    assert len(httpserver.log) == 1


def test_no_proxy_of_the_environment_is_used(httpserver: HTTPServer, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    httpserver.expect_request("/").respond_with_data("direct")

    assert sender().send("GET", httpserver.url_for("/")).body == b"direct"


@pytest.mark.parametrize(
    ("parts", "pause", "error"),
    [
        ([HEAD + b"\r\n", *[b"x" * 60] * 1000], 0.001, PlatformRejected),
        ([HEAD + b"Content-Length: 101\r\n\r\n" + b"x" * 101], 0, PlatformRejected),
        ([HEAD + b"Content-Length: 50\r\n\r\nx"], 0, PlatformUnavailable),
        ([HEAD + b"Content-Length: 90\r\n\r\n", *[b"x"] * 90], 0.05, PlatformUnavailable),
        ([HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"], 0, PlatformUnavailable),
        ([b"SSH-2.0-OpenSSH\r\n"], 0, PlatformUnavailable),
        ([b""], 3, PlatformUnavailable),
    ],
    ids=["endless", "too large", "broken off", "dripping", "not gzip", "not HTTP", "silent"],
)
def test_a_body_without_end_or_after_its_time_is_an_error(parts, pause, error):
    with speaking(parts, pause) as address:
        began = time.monotonic()
        with pytest.raises(error) as failed:
            sender().send("GET", address)
        assert time.monotonic() - began < 2
    assert not isinstance(failed.value, PlatformUnavailable) or failed.value.was_sent


def test_a_body_of_the_greatest_size_is_read():
    with speaking([HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 100]) as address:
        assert len(sender().send("GET", address).body) == 100


def test_a_deadline_counts_for_the_whole_answer(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data("body")

    with pytest.raises(PlatformUnavailable) as late:
        sender().send("GET", httpserver.url_for("/"), until=time.monotonic() - 1)

    assert (late.value.was_sent, httpserver.log) == (False, [])


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "http://no-such-host.invalid/"])
def test_a_request_that_never_left_says_so(address):
    with pytest.raises(PlatformUnavailable) as failed:
        sender().send("GET", address)
    assert failed.value.was_sent is False


def test_connections_are_kept_but_not_after_a_long_pause(httpserver: HTTPServer, monkeypatch):
    ports = []
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    answer = HEAD + b"Content-Length: 2\r\n\r\nok"

    def serve() -> None:
        while True:
            connection, (_, port) = listener.accept()
            with connection:
                while connection.recv(65_536):
                    ports.append(port)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    client = sender()
    client.send("GET", url)
    client.send("GET", url)
    monkeypatch.setattr(http, "IDLE_SECONDS", 0)
    client.send("GET", url)

    assert ports[0] == ports[1] != ports[2]


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
    assert http.retry_after(text, NOW) == seconds


@given(
    st.text()
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,30} \d{1,9}:\d{1,4}:\d{1,4} [+-]?\w{0,12}")
)
def test_any_retry_after_is_read_as_at_most_a_day_or_ignored(text):
    seconds = http.retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= 86_400
