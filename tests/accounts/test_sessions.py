"""Refresh tokens: rotation, reuse detection, and what ends a session."""

import time
import uuid

import pyotp
import pytest

from showrunner import db
from tests.accounts.calls import OTHER, PASSWORD, alive, error, log_in, renew
from tests.conftest import Client, in_threads


def later(tx, seconds=11):
    db.run(tx, "UPDATE access.refresh_tokens SET spent_at = spent_at - make_interval(secs => :s)", s=seconds)


def test_a_refresh_token_is_exchanged_for_the_next_pair(pair):
    told = renew(pair["refresh_token"])

    assert told.status == 200
    assert told.body["refresh_token"] != pair["refresh_token"]
    assert Client(told.body["access_token"])("GET", "/api/v1/users/me").status == 200
    assert renew(told.body["refresh_token"]).status == 200


def test_a_spent_token_that_comes_back_ends_its_whole_family(tx, pair):
    second = renew(pair["refresh_token"]).body
    third = renew(second["refresh_token"]).body
    later(tx)

    assert error(renew(pair["refresh_token"])) == (401, "INVALID_TOKEN")
    assert renew(third["refresh_token"]).status == 401


def test_another_login_is_another_family(tx, pair, email):
    other = log_in(email).body
    renew(pair["refresh_token"])
    later(tx)
    renew(pair["refresh_token"])

    assert renew(other["refresh_token"]).status == 200


def test_an_honest_client_may_send_the_same_token_twice_within_ten_seconds(postgres, signing_key):
    address = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="198.51.100.99")("POST", "/api/v1/auth/register", {"email": address, "password": PASSWORD, "full_name": "Ada"})
    token = log_in(address).body["refresh_token"]

    told = in_threads(4, lambda _: renew(token))

    assert [each.status for each in told] == [200] * 4
    assert len({each.body["refresh_token"] for each in told}) == 4
    assert {renew(each.body["refresh_token"]).status for each in told} == {200}


def test_a_logout_ends_the_family_and_the_access_token(me, pair):
    assert me("POST", "/api/v1/auth/logout").status == 204

    assert error(me("GET", "/api/v1/users/me")) == (401, "INVALID_TOKEN")
    assert renew(pair["refresh_token"]).status == 401


def test_a_refresh_token_dies_after_seven_days(tx, pair):
    db.run(tx, "UPDATE access.refresh_tokens SET expires_at = now() - interval '1 second'")

    assert renew(pair["refresh_token"]).status == 401


@pytest.mark.parametrize("token", ["", "x", "00000000-0000-4000-8000-000000000000"])
def test_a_made_up_refresh_token_is_refused(tx, signing_key, token):
    assert renew(token).status in (400, 401)


def test_an_access_token_does_not_refresh_and_a_refresh_token_does_not_open(pair):
    assert renew(pair["access_token"]).status == 400
    assert error(Client(pair["refresh_token"])("GET", "/api/v1/users/me")) == (401, "INVALID_TOKEN")


def test_a_new_password_ends_every_access_token(me, email):
    other = Client(log_in(email).body["access_token"])

    assert me("PUT", "/api/v1/users/me", {"password": OTHER, "current_password": PASSWORD}).status == 200

    assert (alive(me), alive(other)) == (401, 401)


def test_a_change_of_the_second_factor_ends_every_other_login(me, email):
    other = Client(log_in(email).body["access_token"])
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    assert alive(other) == 200, "nothing has changed yet"

    assert me("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()}).status == 200

    assert (alive(me), alive(other)) == (200, 401)
    other = Client(log_in(email, mfa_code=pyotp.TOTP(secret).at(time.time() + 30)).body["access_token"])
    assert me("DELETE", "/api/v1/auth/mfa", {"password": PASSWORD}).status == 204
    assert (alive(me), alive(other)) == (200, 401)


def test_a_stolen_refresh_token_takes_its_access_tokens_along(tx, me, pair):
    renew(pair["refresh_token"])
    later(tx)
    renew(pair["refresh_token"])

    assert alive(me) == 401
