"""Messages of a client: each is answered; invalid ones and too many of them are refused."""

import json
import time
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.live import app
from showrunner.live import connections
from tests.live.clients import VIDEO, caller, connected, organisation, say, websocket


def test_every_message_is_answered_with_the_connections_topics(clients):
    organisation_id = organisation()
    connection_id = connected(caller(organisation_id, "videos:all"))

    answer = say(clients, connection_id, {"action": "subscribe", "topics": [f"video:{VIDEO}", "videos"]})
    assert {name: answer[name] for name in ("type", "status", "topics")} == {
        "type": "connection_status",
        "status": "connected",
        "topics": [f"video:{VIDEO}", "videos"],
    }
    assert say(clients, connection_id, {"action": "unsubscribe", "topics": ["videos", "reports"]})[
        "topics"
    ] == [f"video:{VIDEO}"]
    assert say(clients, connection_id, {"action": "ping"})["topics"] == [f"video:{VIDEO}"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "INVALID_FORMAT"),
        ("not json", "INVALID_FORMAT"),
        ("[" * 5000, "INVALID_FORMAT"),
        ("NaN", "VALIDATION_ERROR"),
        ("null", "VALIDATION_ERROR"),
        ([], "VALIDATION_ERROR"),
        ({}, "VALIDATION_ERROR"),
        ({"action": "steal"}, "VALIDATION_ERROR"),
        ({"action": ["subscribe"]}, "VALIDATION_ERROR"),
        ({"action": "ping", "more": 1}, "VALIDATION_ERROR"),
        ({"action": "subscribe"}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": []}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": "videos"}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [1]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [None]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["videos"], "organisation_id": "x"}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["video:*"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["videos", f"video:{VIDEO.upper()}"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [f"video:{VIDEO}#feed"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["\ud800\x00"]}, "VALIDATION_ERROR"),
        (
            {"action": "subscribe", "topics": [f"video:{uuid.uuid4()}" for _ in range(101)]},
            "VALIDATION_ERROR",
        ),
        ("x" * 8193, "PAYLOAD_TOO_LARGE"),
        ("é" * 5000, "PAYLOAD_TOO_LARGE"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "replace").decode(),
)
def test_an_invalid_message_is_answered_and_closes_no_connection(clients, message, code):
    connection_id = connected(caller(organisation()))

    answer = say(clients, connection_id, message)

    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["message"]
    assert clients.closed == []
    assert say(clients, connection_id, {"action": "ping"})["topics"] == []


def test_a_client_that_sends_too_many_messages_is_disconnected(clients, monkeypatch):
    monkeypatch.setattr(connections, "MESSAGES_A_MINUTE", 3)
    at = time.time()
    monkeypatch.setattr(connections.time, "time", lambda: at)
    loud, quiet = connected(caller(organisation())), connected(caller(organisation()))
    assert [say(clients, loud, {"action": "ping"})["type"] for _ in range(3)] == ["connection_status"] * 3

    assert say(clients, loud, {"action": "ping"})["code"] == "RATE_LIMIT_EXCEEDED"

    assert clients.closed == [loud]
    assert connections.find(loud) is None
    assert say(clients, quiet, {"action": "ping"})["type"] == "connection_status"


def test_the_message_limit_starts_again_every_minute(clients, monkeypatch):
    monkeypatch.setattr(connections, "MESSAGES_A_MINUTE", 1)

    assert [connections.is_over_rate("one", at) for at in (60.0, 119.0, 120.0)] == [False, True, False]


WORDS = st.sampled_from(
    ["action", "topics", "subscribe", "unsubscribe", "ping", "videos", "feed", f"video:{VIDEO}"]
) | st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
def connection_id(clients, monkeypatch):
    """Open one connection for all examples: opening one takes longer than a message."""
    monkeypatch.setattr(connections, "MESSAGES_A_MINUTE", 10_000)
    return connected(caller(organisation()))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=st.text(max_size=60)
    | JSON.map(json.dumps)
    | st.fixed_dictionaries({"action": WORDS, "topics": JSON}).map(json.dumps)
)
def test_any_message_has_one_answer(clients, connection_id, message):
    answer = say(clients, connection_id, message)

    assert answer["type"] in ("connection_status", "error")
    assert clients.closed == []


def test_binary_messages_are_refused(clients):
    connection_id = connected(caller(organisation()))
    app.handler(websocket("MESSAGE", connection_id, "eyJ9") | {"isBase64Encoded": True}, None)

    assert clients.take(connection_id)[0]["code"] == "INVALID_FORMAT"
