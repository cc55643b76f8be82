"""A connection ends with the session, token or membership it belongs to."""

import time

import pytest

from functions.live import app
from showrunner.database import db
from showrunner.live import connections, topics
from tests.conftest import Client
from tests.live.clients import (
    VIDEO,
    caller,
    items,
    organisation,
    progress,
    say,
    subscribed,
    watching,
    websocket,
)


@pytest.fixture
def ended(clients):
    """Add a connection whose session ended a second ago."""
    ended = connections.Connection(
        "ended",
        "account",
        "login",
        organisation(),
        frozenset({"videos:read"}),
        int(time.time()) - 1,
        frozenset(),
    )
    connections.add(ended)
    return ended


def test_a_message_after_the_sessions_end_is_answered_and_the_connection_closed(clients, ended):
    answer = say(clients, "ended", {"action": "ping"})

    assert (answer["type"], answer["code"]) == ("error", "INVALID_TOKEN")
    assert clients.closed == ["ended"]


def test_nothing_is_delivered_after_the_sessions_end(clients, ended):
    topics.subscribe(ended, frozenset({"videos"}))

    assert app.handler(progress(ended.organisation_id), None) == {"sent": 0}


def test_a_disconnected_client_leaves_no_items(clients):
    connection_id = subscribed(clients, caller(organisation()), "videos", f"video:{VIDEO}")
    assert items()

    assert app.handler(websocket("DISCONNECT", connection_id), None) == {"statusCode": 200}
    assert items() == []
    assert app.handler(websocket("DISCONNECT", connection_id), None) == {"statusCode": 200}


def test_a_logout_closes_the_connections_of_its_login_only(clients, person):
    phone, desk = person(), person()
    on_phone, on_desk = watching(clients, phone), watching(clients, desk)

    assert phone("POST", "/api/v1/auth/logout").status == 204

    assert app.handler(progress(desk.organisation_id), None) == {"sent": 1}
    assert clients.take(on_desk)
    assert say(clients, on_phone, {"action": "ping"})["code"] == "INVALID_TOKEN"
    assert clients.closed == [on_phone]


def test_a_new_password_closes_every_connection(clients, person):
    first, second = person(), person()
    watching(clients, first), watching(clients, second)

    response = first(
        "PUT",
        "/api/v1/users/me",
        {"password": "Another-Horse-8-Battery", "current_password": "Correct-Horse-7-Battery"},
    )

    assert response.status == 200
    assert app.handler(progress(first.organisation_id), None) == {"sent": 0}


def test_revoking_a_service_token_closes_its_connections(clients, person, tx):
    owner = person()
    db.run(tx, "UPDATE accounts.users SET verified_at = now()")
    made = owner(
        "POST", "/api/v1/auth/service-tokens", {"name": "wall", "scopes": ["live:read", "videos:read"]}
    ).body
    wall = Client(made["token"], owner.organisation_id)
    on_wall, at_desk = watching(clients, wall), watching(clients, owner)

    assert owner("DELETE", f"/api/v1/auth/service-tokens/{made['service_token']['id']}").status == 204

    assert app.handler(progress(owner.organisation_id), None) == {"sent": 1}
    assert clients.take(at_desk)
    assert clients.take(on_wall) == []


def test_a_removed_member_gets_no_more_events_of_the_organisation(clients, person, tx):
    owner = person()
    member = str(
        db.value(
            tx,
            "INSERT INTO accounts.users (email, full_name) VALUES ('member@example.com', 'A Member') "
            "RETURNING id",
        )
    )
    place = {"o": owner.organisation_id, "u": member}
    db.run(
        tx, "INSERT INTO accounts.members (organisation_id, user_id, role) VALUES (:o, :u, 'user')", **place
    )
    subscribed(clients, caller(owner.organisation_id, subject=member), "videos")
    staying = watching(clients, owner)

    assert (
        owner("DELETE", f"/api/v1/organisations/{owner.organisation_id}/members/{member.upper()}").status
        == 204
    )
    assert app.handler(progress(owner.organisation_id), None) == {"sent": 1}
    assert clients.take(staying)
