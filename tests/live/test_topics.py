"""Topics need the permission to read what they carry, and are bounded."""

import json
import uuid

import pytest

from functions.live import app
from showrunner.access import roles
from showrunner.live import connections
from tests.conftest import in_threads
from tests.live.clients import caller, connected, items, organisation, progress, say, subscribed, websocket


@pytest.mark.parametrize(
    ("topic", "permissions", "may"),
    [
        ("videos", roles.ROLES["viewer"], True),
        ("syncs", roles.ROLES["user"], False),
        ("reports", roles.ROLES["user"], False),
        ("syncs", roles.of_user("user", content_owner=True), True),
        ("reports", frozenset({"cms:read", "live:read"}), True),
        ("videos", frozenset({"cms:read", "live:read"}), False),
        ("feed", roles.of_user("user", owner=True, content_owner=True), False),
        ("feed", frozenset({"internal:all", "live:read"}), False),
        ("feed", roles.ROLES["admin"], True),
    ],
)
def test_a_topic_needs_the_permission_to_read_its_events(clients, topic, permissions, may):
    connection_id = connected(caller(organisation(), *permissions))

    answer = say(clients, connection_id, {"action": "subscribe", "topics": [topic]})

    assert answer["type"] == ("connection_status" if may else "error")
    assert may or answer["code"] == "INSUFFICIENT_PERMISSIONS"


def test_one_forbidden_topic_refuses_the_whole_subscription(clients):
    organisation_id = organisation()
    connection_id = connected(caller(organisation_id))
    say(clients, connection_id, {"action": "subscribe", "topics": ["videos", "feed"]})

    assert app.handler(progress(organisation_id), None) == {"sent": 0}


def test_concurrent_subscriptions_cannot_exceed_the_topic_limit(clients):
    connection_id = connected(caller(organisation()))
    bundles = [[f"video:{uuid.uuid4()}" for _ in range(30)] for _ in range(6)]

    def ask(number: int) -> None:
        app.handler(
            websocket(
                "MESSAGE", connection_id, json.dumps({"action": "subscribe", "topics": bundles[number]})
            ),
            None,
        )

    in_threads(6, ask)

    answers = clients.take(connection_id)
    assert len(connections.find(connection_id).topics) == 90
    assert [each["code"] for each in answers if each["type"] == "error"] == ["CONFLICT"] * 3
    assert sum(item["pk"]["S"].startswith("live#topic#") for item in items()) == 90


def test_a_connection_over_the_users_limit_closes_the_oldest(clients):
    identity = caller(organisation())
    first, *others = [subscribed(clients, identity, "videos") for _ in range(connections.MOST_CONNECTIONS)]
    clients.gone.add(others[0])  # a browser tab that closed without disconnecting

    newest = [subscribed(clients, identity, "videos") for _ in range(2)]

    assert clients.closed == [first]
    assert app.handler(progress(identity.organisation_id), None) == {"sent": connections.MOST_CONNECTIONS}
    assert clients.take(newest[1])
    assert clients.take(first) == []
    connected(caller(identity.organisation_id))  # another user's connections are counted separately
    assert clients.closed == [first]
