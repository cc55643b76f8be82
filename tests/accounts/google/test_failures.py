"""Google when it is away, misconfigured or answers nonsense."""

import pytest

from local.platforms import google as stand_in
from showrunner import state
from showrunner.platforms import google
from tests.accounts.calls import ANYONE, error
from tests.accounts.google.calls import START, agree, begin, finish, google_login
from tests.conftest import put_secrets


def test_a_google_that_is_away_costs_a_502_and_then_no_waiting(monkeypatch, email):
    begun = begin()
    returned = agree(begun, email)
    google._documents.clear()
    monkeypatch.setenv("GOOGLE_URL", "http://127.0.0.1:9")

    assert [error(ANYONE("GET", START)) for _ in range(state.FAILURES)] == [(502, "UPSTREAM_ERROR")] * state.FAILURES
    told = ANYONE("GET", START)
    assert error(told) == (502, "UPSTREAM_ERROR")
    assert int(told.headers["retry-after"]) == state.PAUSE_SECONDS
    assert error(finish(begun, returned)) == (502, "UPSTREAM_ERROR")


def test_a_wrong_client_secret_says_where_the_right_one_belongs(email):
    put_secrets({"google/client_secret": "wrong"})

    told = google_login(email)

    assert error(told) == (502, "UPSTREAM_ERROR")
    assert "google/client_secret" in told.body["error"]["message"]
    assert "wrong" not in str(told.body)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example.com"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "ftp://accounts.example.com/auth"},
        {"authorization_endpoint": ["http://127.0.0.1"]},
    ],
)
def test_a_discovery_document_that_leads_elsewhere_is_not_followed(httpserver, monkeypatch, document):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(google.DISCOVERY).respond_with_json({**stand_in.discovery(base), **document})
    monkeypatch.setenv("GOOGLE_URL", base)

    assert error(ANYONE("GET", START)) == (502, "UPSTREAM_ERROR")


@pytest.mark.parametrize("status", [200, 301, 500])
def test_an_answer_that_no_google_gives_is_no_500(httpserver, monkeypatch, status):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(google.DISCOVERY).respond_with_data("<html>" * 20_000, status=status, headers={"location": f"{base}/elsewhere"})
    monkeypatch.setenv("GOOGLE_URL", base)

    assert error(ANYONE("GET", START)) == (502, "UPSTREAM_ERROR")
