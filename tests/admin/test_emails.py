"""The suppression list of SES, as platform admins see it. The same calls test local/engine/mail.py."""

import uuid

import pytest

from showrunner.aws import sdk
from showrunner.database import db
from tests.accounts.calls import error
from tests.conftest import Client
from tests.suppressions import suppression_list

PATH = "/api/v1/admin/emails/suppressed"


@pytest.fixture
def admin(tx, signing_key, aws):
    """Return the client of a platform admin."""
    login = {"email": f"{uuid.uuid4().hex[:12]}@example.com", "password": "Correct-horse-7-battery"}
    Client(address="203.0.113.1")("POST", "/api/v1/auth/register", {**login, "full_name": "Ada"})
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE email = :email", email=login["email"])
    pair = Client(address="203.0.113.1")("POST", "/api/v1/auth/login", login).body
    return Client(pair["access_token"], pair["user"]["organisation_id"])


@pytest.fixture
def suppressed(httpserver, monkeypatch):
    """Serve SES's suppression list, two addresses a page. Returns it as a changeable dict."""
    addresses = suppression_list(httpserver)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", httpserver.url_for("").rstrip("/"))
    sdk.client.cache_clear()
    yield addresses
    sdk.client.cache_clear()


def test_an_admin_lists_suppressed_addresses_page_by_page(admin, suppressed):
    first = admin("GET", f"{PATH}?limit=2").body
    second = admin("GET", f"{PATH}?limit=2&cursor={first['next_cursor']}").body

    assert [(each["email"], each["reason"]) for each in first["suppressed"] + second["suppressed"]] == [
        ("angry@example.com", "complaint"),
        ("gone@example.com", "bounce"),
        ("old@example.com", "bounce"),
    ]
    assert first["suppressed"][0]["since"] == "2026-09-21T14:13:20Z"
    assert second["next_cursor"] is None


def test_reading_the_addresses_is_recorded(admin, suppressed, tx):
    admin("GET", PATH)

    sql = "SELECT action, thing, outcome FROM audit.events WHERE thing = 'email' ORDER BY id DESC LIMIT 1"
    assert db.one(tx, sql) == {"action": "read", "thing": "email", "outcome": "success"}


def test_an_address_is_taken_off_the_list_and_the_audit_log_says_so_without_naming_it(admin, suppressed, tx):
    assert admin("DELETE", f"{PATH}?email=gone@example.com").status == 204

    assert "gone@example.com" not in suppressed
    row = db.one(tx, "SELECT thing_id FROM audit.events WHERE action = 'unsuppress'")
    assert row == {"thing_id": "example.com"}


def test_an_address_that_is_not_suppressed_and_a_wrong_cursor_are_refused(admin, suppressed):
    assert admin("DELETE", f"{PATH}?email=nobody@example.com").status == 404
    wrong = admin("GET", f"{PATH}?cursor=nonsense")
    assert (wrong.status, wrong.body["error"]["details"][0]["field"]) == (400, "cursor")


def test_only_platform_admins_see_it(client, suppressed):
    for method, query in (("GET", ""), ("DELETE", "?email=gone@example.com")):
        assert error(client(method, f"{PATH}{query}")) == (403, "INSUFFICIENT_PERMISSIONS")
    assert "gone@example.com" in suppressed
