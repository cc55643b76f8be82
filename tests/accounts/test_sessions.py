"""Refresh tokens: rotation, reuse detection, and what ends a session."""

import time
import uuid

import pyotp
import pytest

from showrunner.database import db
from tests.accounts.calls import OTHER, PASSWORD, alive, error, log_in, renew
from tests.conftest import Client, in_threads


def later(tx, seconds=11):
    db.run(tx, "UPDATE access.refresh_tokens SET spent_at = spent_at - make_interval(secs => :s)", s=seconds)


def test_a_refresh_token_is_exchanged_for_new_tokens(pair):
    response = renew(pair["refresh_token"])

    assert response.status == 200
    assert response.body["refresh_token"] != pair["refresh_token"]
    assert Client(response.body["access_token"])("GET", "/api/v1/users/me").status == 200
    assert renew(response.body["refresh_token"]).status == 200


def test_reuse_of_a_refresh_token_ends_its_family(tx, pair):
    second = renew(pair["refresh_token"]).body
    third = renew(second["refresh_token"]).body
    later(tx)

    assert error(renew(pair["refresh_token"])) == (401, "INVALID_TOKEN")
    assert renew(third["refresh_token"]).status == 401


def test_reuse_detection_ends_only_the_family_of_its_login(tx, pair, email):
    other = log_in(email).body
    renew(pair["refresh_token"])
    later(tx)
    renew(pair["refresh_token"])

    assert renew(other["refresh_token"]).status == 200


def test_a_refresh_token_may_be_sent_again_within_ten_seconds(postgres, signing_key):
    address = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="198.51.100.99")(
        "POST", "/api/v1/auth/register", {"email": address, "password": PASSWORD, "full_name": "Ada"}
    )
    token = log_in(address).body["refresh_token"]

    responses = in_threads(4, lambda _: renew(token))

    assert [each.status for each in responses] == [200] * 4
    assert len({each.body["refresh_token"] for each in responses}) == 1, (
        "a repeat gets the same successor, not a second chain"
    )
    assert {renew(each.body["refresh_token"]).status for each in responses} == {200}


def test_a_logout_ends_the_family_and_the_access_token(me, pair):
    assert me("POST", "/api/v1/auth/logout").status == 204

    assert error(me("GET", "/api/v1/users/me")) == (401, "INVALID_TOKEN")
    assert renew(pair["refresh_token"]).status == 401


def test_a_refresh_token_expires(tx, pair):
    db.run(tx, "UPDATE access.refresh_tokens SET expires_at = now() - interval '1 second'")

    assert renew(pair["refresh_token"]).status == 401


@pytest.mark.parametrize("token", ["", "x", "00000000-0000-4000-8000-000000000000"])
def test_an_invented_refresh_token_is_refused(tx, signing_key, token):
    assert renew(token).status in (400, 401)


def test_access_and_refresh_tokens_cannot_replace_each_other(pair):
    assert renew(pair["access_token"]).status == 400
    assert error(Client(pair["refresh_token"])("GET", "/api/v1/users/me")) == (401, "INVALID_TOKEN")


def test_a_new_password_ends_every_access_token(me, email):
    other = Client(log_in(email).body["access_token"])

    assert me("PUT", "/api/v1/users/me", {"password": OTHER, "current_password": PASSWORD}).status == 200

    assert (alive(me), alive(other)) == (401, 401)


def test_changing_the_second_factor_ends_every_other_session(me, email):
    other = Client(log_in(email).body["access_token"])
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    assert alive(other) == 200, "nothing has changed yet"

    assert me("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()}).status == 200

    assert (alive(me), alive(other)) == (200, 401)
    other = Client(log_in(email, mfa_code=pyotp.TOTP(secret).at(time.time() + 30)).body["access_token"])
    assert me("DELETE", "/api/v1/auth/mfa", {"password": PASSWORD}).status == 204
    assert (alive(me), alive(other)) == (200, 401)


def test_reuse_detection_ends_the_familys_access_tokens(tx, me, pair):
    renew(pair["refresh_token"])
    later(tx)
    renew(pair["refresh_token"])

    assert alive(me) == 401
