"""Tickets open one connection each, for 30 seconds."""

import json
import os
import time

import pytest

from showrunner.live import tickets
from tests.conftest import in_threads
from tests.live.clients import caller, handshake, items, organisation


def test_a_ticket_needs_the_permission(service, organisation_id, clients):
    response = service(organisation_id, "videos:all")("POST", "/api/v1/live/tickets")

    assert response.status == 403
    assert items() == []


def test_a_ticket_opens_one_connection(service, organisation_id, clients):
    response = service(organisation_id, "live:read")("POST", "/api/v1/live/tickets")

    assert (response.status, response.body["expires_in"], response.body["url"]) == (
        201,
        30,
        os.environ["LIVE_URL"],
    )
    assert response.headers["cache-control"] == "no-store"
    assert handshake(response.body["ticket"]) == 200
    assert handshake(response.body["ticket"]) == 401


def test_concurrent_connections_with_one_ticket_open_one(clients):
    ticket = tickets.issue(caller(organisation()))

    assert sorted(in_threads(8, lambda _: handshake(ticket))) == [200] + [401] * 7


def test_a_ticket_is_not_stored_in_plain_text(clients):
    ticket = tickets.issue(caller(organisation()))

    assert len(ticket) == 43
    assert ticket not in json.dumps(items())


@pytest.mark.parametrize(
    "ticket", [None, "", "x", "A" * 43, "A" * 44, "é" * 43, "' OR 1=1 --", "A" * 100_000]
)
def test_an_invented_ticket_is_refused(clients, ticket):
    assert handshake(ticket) == 401
    assert items() == []


def test_a_ticket_expires_after_30_seconds(clients):
    ticket = tickets.issue(caller(organisation()))

    assert tickets.redeem(ticket, "late", now=time.time() + 30) is None
    assert tickets.redeem(ticket, "in time", now=time.time() + 28) is not None


def test_a_connection_expires_with_the_token_behind_its_ticket(clients):
    assert tickets.redeem(
        tickets.issue(caller(organisation(), seconds=600)), "user"
    ).ends_at == pytest.approx(time.time() + 600, abs=2)
    assert tickets.redeem(
        tickets.issue(caller(organisation(), seconds=86_400)), "service"
    ).ends_at == pytest.approx(time.time() + 7200, abs=2)
    assert tickets.redeem(tickets.issue(caller(organisation(), seconds=0)), "ended") is None
