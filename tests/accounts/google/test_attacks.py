"""Attacks on a login with Google: login CSRF, code injection, PKCE downgrade, mix-up, redirects, repeats."""

import os
import threading
from urllib.parse import urlencode

import pytest

from showrunner.accounts import google
from showrunner.database import db
from tests.accounts.calls import ANYONE, error
from tests.accounts.google.calls import CONNECT, CONNECT_START, LOGIN, START, agree, begin, finish
from tests.conftest import Client, in_threads


def test_a_login_started_in_another_browser_cannot_be_finished_here(email):
    """Login CSRF: the attacker's code and state must not log the victim's browser in as the attacker."""
    attacker, victim = begin(), begin()
    returned = agree(attacker, email)

    for cookie in (
        "",
        victim.cookie,
        "__Host-showrunner-oauth=",
        f"{attacker.cookie}; {victim.cookie}",
        attacker.cookie[:-1],
        attacker.cookie + "A",
    ):
        response = finish(attacker, returned, cookie=cookie)
        assert error(response) == (400, "VALIDATION_ERROR"), cookie
    assert finish(attacker, returned).status == 200, "the failed attempts have not used up the state"


def test_a_state_can_be_used_once(email):
    begun = begin()
    returned = agree(begun, email)

    assert [finish(begun, returned).status for _ in range(3)] == [200, 400, 400]


def test_concurrent_requests_with_one_state_log_in_once(email):
    (begun,) = in_threads(1, lambda _: begin())
    returned = agree(begun, email)

    statuses = in_threads(4, lambda _: finish(begun, returned).status)

    # Threads commit, so delete their user: later tests would count it.
    in_threads(1, lambda _: forget(email))
    assert sorted(statuses) == [200, 400, 400, 400]


def test_requests_that_meet_after_googles_answer_log_in_once(email, monkeypatch):
    (begun,) = in_threads(1, lambda _: begin())
    returned = agree(begun, email)
    first_is_known, both_are_known, read = (
        threading.Event(),
        threading.Barrier(2, timeout=20),
        google.second_factor.confirmed_secret,
    )

    def meet(user):
        first_is_known.set()
        both_are_known.wait()
        return read(user)

    monkeypatch.setattr(
        google.second_factor, "confirmed_secret", meet
    )  # nothing else can hold a request at this point

    statuses = in_threads(
        2, lambda number: (number and first_is_known.wait(20), finish(begun, returned).status)[1]
    )

    in_threads(1, lambda _: forget(email))
    assert sorted(statuses) == [200, 400]


def forget(email):
    with db.transaction() as own:
        db.run(own, "DELETE FROM accounts.users WHERE email = :email", email=email)


def test_an_invented_or_expired_state_is_refused(tx, email):
    begun = begin()
    returned = agree(begun, email)

    assert finish(begun, {**returned, "state": "A" * 43}).status == 400
    assert finish(begun, {**returned, "state": "x"}).status == 400
    db.run(tx, "UPDATE access.oauth_states SET expires_at = now() - interval '1 second'")
    assert error(finish(begun, returned)) == (400, "VALIDATION_ERROR")


def test_a_code_stolen_from_another_login_is_refused(email):
    """Code injection: Google refuses a victim's code in the attacker's login, whose PKCE verifier differs."""
    victim, attacker = begin(), begin()
    stolen = agree(victim, email)

    response = finish(attacker, {"code": stolen["code"], "state": attacker.state})

    assert error(response) == (400, "VALIDATION_ERROR")
    assert [each["field"] for each in response.body["error"]["details"]] == ["code"]


def test_a_removed_or_weakened_pkce_challenge_is_refused(email):
    """PKCE downgrade: without the challenge, or with a weaker method, the code doesn't match our verifier."""
    for change in (
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
    ):
        begun = begin()
        asked = {name: value for name, value in {**begun.asked, **change}.items() if value is not None}
        changed = begun._replace(url=f"{begun.url.partition('?')[0]}?{urlencode(asked)}")

        assert error(finish(begun, agree(changed, email))) == (400, "VALIDATION_ERROR")


def test_an_id_token_of_another_login_is_refused(email):
    """The nonce detects it even if the PKCE parameters match."""
    begun = begin()
    changed = begun._replace(url=begun.url.replace(begun.asked["nonce"], "B" * 43))

    assert error(finish(begun, agree(changed, email))) == (401, "INVALID_TOKEN")


def test_a_login_state_is_refused_for_a_connection_and_the_reverse(me, email):
    """Mix-up attack: the code of a connection cannot log in, and the code of a login cannot connect."""
    connection, login = begin(CONNECT_START, me), begin()

    assert error(finish(connection, agree(connection, email))) == (400, "VALIDATION_ERROR")
    assert error(finish(login, agree(login, email), CONNECT, me)) == (400, "VALIDATION_ERROR")


def test_an_issuer_other_than_google_is_refused(world, email):
    begun = begin()
    assert error(finish(begun, agree(begun, email), iss="https://evil.example.com")) == (
        400,
        "VALIDATION_ERROR",
    )
    begun = begin()
    assert finish(begun, agree(begun, email), iss=os.environ["GOOGLE_URL"]).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/oauth",
        "http://localhost:5173/oauth/",
        "http://localhost:5173/oauth?next=https://evil.example.com",
        "http://localhost:5173/oauth#x",
        "HTTP://localhost:5173/oauth",
        "http://localhost:5173@evil.example.com/oauth",
        "http://localhost:5173/oauth,https://app.example.com/oauth",
        "//localhost:5173/oauth",
        "javascript:alert(1)",
        "",
    ],
)
def test_only_listed_redirect_addresses_are_accepted(address):
    response = ANYONE("GET", f"{START}?{urlencode({'redirect_uri': address})}")

    assert response.status == 400
    assert "set-cookie" not in response.headers
    assert (
        begin(redirect_uri="https://app.example.com/oauth").asked["redirect_uri"]
        == "https://app.example.com/oauth"
    )


def test_starting_and_finishing_are_limited_by_address(email):
    client = Client(address="203.0.113.99")

    assert [client("GET", START).status for _ in range(21)] == [200] * 20 + [429]
    assert [client("POST", LOGIN, {"state": "A" * 43, "code": "x"}).status for _ in range(21)] == [
        400
    ] * 20 + [429]
