"""state and signed: expiry is checked at every read, quotas and breakers hold, and a service that fails is asked again."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer

from showrunner import signed, state
from showrunner.errors import Conflict, PlatformUnavailable, QuotaExceeded, ServiceUnavailable


@pytest.fixture(autouse=True)
def table(aws):
    return aws


def test_an_item_is_read_as_it_was_put():
    values = {"text": "é", "number": 2**40, "raw": b"\x00\xff", "yes": True}
    state.put("test#1", "a", {**values, "none": None})
    assert state.find("test#1", "a") == values
    state.remove("test#1", "a")
    assert state.find("test#1", "a") is None


def test_an_item_that_has_expired_is_gone_though_dynamodb_still_has_it():
    state.put("test#2", "a", {"x": 1}, expires_at=1000)
    assert state.find("test#2", "a", now=999) == {"x": 1}
    assert state.find("test#2", "a", now=1000) is None


def test_an_item_is_taken_once_and_not_when_it_has_expired():
    state.put("test#3", "a", {"x": 1}, expires_at=1000)
    assert state.take("test#3", "a", now=1000) is None
    assert state.take("test#3", "a", now=999) == {"x": 1}
    assert state.take("test#3", "a", now=999) is None
    state.put("test#3", "for ever", {})
    assert state.take("test#3", "for ever") == {}


def test_the_items_of_a_key_are_listed_over_many_pages_without_the_expired():
    # DynamoDB answers a megabyte a page.
    for number in range(8):
        state.put("test#4", f"{number}", {"x": "a" * 300_000}, expires_at=1000 + number)
    assert [sk for sk, _ in state.list_("test#4", now=1002)] == ["3", "4", "5", "6", "7"]
    assert state.list_("test#none") == []


def test_a_set_grows_to_its_bound_and_never_on_an_item_that_is_gone():
    state.put("test#5", "a", {"x": 1})
    state.extend("test#5", "a", "names", frozenset({"b", "c"}), 3)
    with pytest.raises(Conflict):
        state.extend("test#5", "a", "names", frozenset({"d", "e"}), 3)
    state.extend("test#5", "a", "names", frozenset({"d"}), 3)
    assert state.find("test#5", "a") == {"x": 1, "names": frozenset("bcd")}
    state.reduce("test#5", "a", "names", frozenset("bcd"))
    assert state.find("test#5", "a") == {"x": 1}
    with pytest.raises(Conflict):
        state.extend("test#5", "gone", "names", frozenset({"b"}), 3)
    state.reduce("test#5", "gone", "names", frozenset({"b"}))
    assert state.find("test#5", "gone") is None


def test_a_quota_is_never_overspent_by_many_at_once():
    refused = []

    def work():
        for _ in range(10):
            try:
                state.spend("many", "general", 3, 40)
            except QuotaExceeded:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert state.spent("many", "general") == 39
    assert len(refused) == 40 - 13


MIDNIGHT = datetime(2031, 7, 4, 7, tzinfo=UTC)  # in Los Angeles
BEFORE, AFTER, LATER = MIDNIGHT - timedelta(seconds=1), MIDNIGHT + timedelta(seconds=2), MIDNIGHT + timedelta(hours=3)


def test_what_was_taken_before_midnight_is_settled_in_the_day_before():
    ledger = state.Ledger("midnight", "general", 100)
    day = ledger.spend(7, BEFORE)
    ledger.give_back(2, day)
    assert (state.spent("midnight", "general", BEFORE), state.spent("midnight", "general", AFTER)) == (5, 0)

    ledger.exhaust(day, AFTER)

    assert ledger.spend(1, AFTER) != day
    with pytest.raises(QuotaExceeded):
        ledger.spend(1, BEFORE)


def test_a_day_that_is_refused_in_its_first_minutes_is_paused_and_not_lost():
    ledger = state.Ledger("early", "general", 100)
    told = ledger.exhaust(ledger.spend(1, AFTER), AFTER)
    assert told.retry_at == AFTER + timedelta(minutes=5)
    with pytest.raises(QuotaExceeded) as refused:
        ledger.spend(1, AFTER + timedelta(minutes=4))
    assert refused.value.retry_at == AFTER + timedelta(minutes=9)
    day = ledger.spend(1, AFTER + timedelta(minutes=5))

    assert ledger.exhaust(day, LATER).retry_at == MIDNIGHT + timedelta(days=1)
    with pytest.raises(QuotaExceeded) as refused:
        ledger.spend(1, LATER)
    assert refused.value.retry_at == MIDNIGHT + timedelta(days=1)


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_an_answer():
    for _ in range(state.FAILURES):
        state.check_breaker("one", now=100)
        state.note_outcome("one", answered=False, now=100)
    with pytest.raises(PlatformUnavailable):
        state.check_breaker("one", now=101)
    state.check_breaker("one", now=100 + state.PAUSE_SECONDS)
    state.note_outcome("one", answered=True)
    state.check_breaker("one", now=101)


def test_a_call_that_fails_is_made_again_and_a_refusal_is_told(httpserver: HTTPServer, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("").rstrip("/"))
    httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_ordered_request("/").respond_with_json({"ok": 1})
    assert signed.call("sqs", "SendMessage", {}) == {"ok": 1}
    httpserver.expect_ordered_request("/").respond_with_json({"__type": "com.amazonaws#NoSuchThing", "message": "words"}, status=400)
    with pytest.raises(signed.Refused) as refused:
        signed.call("sqs", "SendMessage", {})
    assert refused.value.code == "NoSuchThing"


def test_a_service_that_is_not_there_is_unavailable(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable):
        signed.call("sqs", "SendMessage", {})
