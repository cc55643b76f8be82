"""Tickets open one connection each, for 30 seconds."""

import json
import os
import time

import pytest

from showrunner import live
from tests.conftest import in_threads
from tests.live.clients import caller, handshake, items, organisation


def test_without_the_permission_there_is_no_ticket(service, organisation_id, clients):
    told = service(organisation_id, "videos:all")("POST", "/api/v1/live/tickets")

    assert told.status == 403
    assert items() == []


def test_whoever_may_use_live_gets_a_ticket_that_opens_one_connection(service, organisation_id, clients):
    told = service(organisation_id, "live:read")("POST", "/api/v1/live/tickets")

    assert (told.status, told.body["expires_in"], told.body["url"]) == (201, 30, os.environ["LIVE_URL"])
    assert told.headers["cache-control"] == "no-store"
    assert handshake(told.body["ticket"]) == 200
    assert handshake(told.body["ticket"]) == 401


def test_of_many_connections_at_once_with_one_ticket_one_is_opened(clients):
    ticket = live.issue(caller(organisation()))

    assert sorted(in_threads(8, lambda _: handshake(ticket))) == [200] + [401] * 7


def test_a_ticket_stands_nowhere_but_with_its_owner(clients):
    ticket = live.issue(caller(organisation()))

    assert len(ticket) == 43
    assert ticket not in json.dumps(items())


@pytest.mark.parametrize("ticket", [None, "", "x", "A" * 43, "A" * 44, "é" * 43, "' OR 1=1 --", "A" * 100_000])
def test_a_ticket_that_nobody_issued_opens_nothing(clients, ticket):
    assert handshake(ticket) == 401
    assert items() == []


def test_a_ticket_is_good_for_half_a_minute(clients):
    ticket = live.issue(caller(organisation()))

    assert live.redeem(ticket, "late", now=time.time() + 30) is None
    assert live.redeem(ticket, "in time", now=time.time() + 28) is not None


def test_a_connection_ends_with_the_token_that_its_ticket_was_made_with(clients):
    assert live.redeem(live.issue(caller(organisation(), seconds=600)), "user").ends_at == pytest.approx(time.time() + 600, abs=2)
    assert live.redeem(live.issue(caller(organisation(), seconds=86_400)), "service").ends_at == pytest.approx(time.time() + 7200, abs=2)
    assert live.redeem(live.issue(caller(organisation(), seconds=0)), "ended") is None
