"""accounts/notifications.py: people choose which emails they get, and unsubscribe by the link in one."""

import re

import pytest

from showrunner.accounts import emails, notifications
from showrunner.database import db
from tests.accounts.calls import ANYONE, error, fields

PATH = "/api/v1/users/me/notifications"
UNSUBSCRIBE = "/api/v1/auth/unsubscribe"


@pytest.fixture
def link(tx, user):
    """Return the token of the link in an email about a low backlog."""
    key = db.value(tx, "SELECT unsubscribe_key::text FROM accounts.users WHERE id = :id", id=user["user_id"])
    _, address = emails.unsubscribe_lines(key, "low_backlog")
    return re.fullmatch(r"http://127\.0\.0\.1:8000/unsubscribe#token=(\S+)", address)[1]


def test_every_kind_of_email_is_wanted_until_it_is_switched_off(me):
    assert me("GET", PATH).body == {"notifications": dict.fromkeys(notifications.KINDS, True)}

    assert me("PUT", PATH, {"low_backlog": False}).body["notifications"]["low_backlog"] is False
    assert me("PUT", PATH, {}).body["notifications"]["low_backlog"] is False
    assert me("PUT", PATH, {"low_backlog": True}).body["notifications"]["low_backlog"] is True
    assert fields(me("PUT", PATH, {"password_reset": False})) == ["password_reset"]


def test_the_link_in_an_email_unsubscribes_without_a_login(me, link):
    assert ANYONE("GET", "/unsubscribe").status == 200

    for _ in range(2):
        assert ANYONE("POST", UNSUBSCRIBE, {"token": link}).status == 200

    assert me("GET", PATH).body["notifications"]["low_backlog"] is False


@pytest.mark.parametrize("change", [("low_backlog", "password_reset"), (".", ""), ("-", "")])
def test_a_link_of_another_kind_or_person_is_refused(me, link, change):
    refused = ANYONE("POST", UNSUBSCRIBE, {"token": link.replace(*change)})
    stranger = ANYONE("POST", UNSUBSCRIBE, {"token": f"{'0' * 8}-0000-4000-8000-{'0' * 12}.low_backlog"})

    assert [error(each)[0] for each in (refused, stranger)] == [400, 400]
    assert me("GET", PATH).body["notifications"]["low_backlog"] is True
