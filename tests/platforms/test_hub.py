"""The answers of the hub to our requests."""

import contextlib
import time

import pytest
from pytest_httpserver import HTTPServer

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.platforms import hub as hubs
from tests.feed.ingestion import TOPIC
from tests.servers import speaking


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
    hub = hubs.Hub(httpserver.url_for("/"))
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
    monkeypatch.setattr(hubs, "SECONDS", 0.5)
    head = f"HTTP/1.1 {status} X\r\n".encode()
    bodies = {
        "endless": ([head + b"\r\n", *[b"x" * 60_000] * 1000], 0.01),
        "broken": ([head + b"Content-Length: 1000\r\n\r\nx"], 0),
        "dripping": ([head + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 1000], 0.05),
    }
    with speaking(*bodies[body]) as address:
        began = time.monotonic()
        with pytest.raises(kind) if kind else contextlib.nullcontext() as refused:
            hubs.Hub(address).ask("subscribe", TOPIC, "https://x", 60, None)
        assert time.monotonic() - began < 2
    assert kind is None or (str(status) in refused.value.message and len(refused.value.message) < 300)


def test_an_unreachable_hub_is_unavailable():
    with pytest.raises(PlatformUnavailable):
        hubs.Hub("http://127.0.0.1:9/").ask("subscribe", TOPIC, "https://x", 60, None)
