"""Google when it is unreachable, misconfigured or returns invalid answers."""

import pytest

from local.platforms import google as stand_in
from showrunner import breakers
from showrunner.platforms import google
from tests.accounts.calls import ANYONE, error
from tests.accounts.google.calls import START, agree, begin, finish, google_login
from tests.conftest import put_secrets


def test_an_unreachable_google_is_a_502_and_then_opens_the_breaker(monkeypatch, email):
    begun = begin()
    returned = agree(begun, email)
    google._documents.clear()
    monkeypatch.setenv("GOOGLE_URL", "http://127.0.0.1:9")

    assert [error(ANYONE("GET", START)) for _ in range(breakers.FAILURES)] == [
        (502, "UPSTREAM_ERROR")
    ] * breakers.FAILURES
    response = ANYONE("GET", START)
    assert error(response) == (502, "UPSTREAM_ERROR")
    assert breakers.PAUSE_SECONDS - 10 < int(response.headers["retry-after"]) <= breakers.PAUSE_SECONDS
    assert error(finish(begun, returned)) == (502, "UPSTREAM_ERROR")


def test_a_wrong_client_secret_is_named_in_the_log_and_not_to_anybody(email, caplog):
    put_secrets({"google/client_secret": "wrong"})

    response = google_login(email)

    assert error(response) == (502, "UPSTREAM_ERROR")
    assert "an operator must act" in response.body["error"]["message"]
    assert "client_secret" not in str(response.body)
    (record,) = [each for each in caplog.records if each.name == "showrunner" and each.exc_info]
    assert "google/client_secret" in str(record.exc_info[1])
    assert "wrong" not in str(record.exc_info[1])


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example.com"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "ftp://accounts.example.com/auth"},
        {"authorization_endpoint": ["http://127.0.0.1"]},
    ],
)
def test_a_discovery_document_with_foreign_addresses_is_refused(httpserver, monkeypatch, document):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(google.DISCOVERY).respond_with_json({**stand_in.discovery(base), **document})
    monkeypatch.setenv("GOOGLE_URL", base)

    assert error(ANYONE("GET", START)) == (502, "UPSTREAM_ERROR")


@pytest.mark.parametrize("status", [200, 301, 500])
def test_an_invalid_discovery_answer_is_a_502(httpserver, monkeypatch, status):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(google.DISCOVERY).respond_with_data(
        "<html>" * 20_000, status=status, headers={"location": f"{base}/elsewhere"}
    )
    monkeypatch.setenv("GOOGLE_URL", base)

    assert error(ANYONE("GET", START)) == (502, "UPSTREAM_ERROR")
