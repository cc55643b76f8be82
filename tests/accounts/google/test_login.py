"""Login with Google: new and linked accounts, and the second factor."""

import time
import uuid

import pytest

from local.platforms import google as stand_in
from showrunner.database import db
from tests.accounts.calls import ANYONE, OTHER, PASSWORD, error, log_in, mailed, token_in
from tests.accounts.google.calls import BACK, START, agree, begin, code_of, finish, google_login
from tests.conftest import Client


def test_the_authorization_request_has_state_nonce_and_pkce():
    response = ANYONE("GET", START)
    begun = begin()

    asked = begun.asked
    assert asked["scope"].split() == ["openid", "email", "profile"]
    assert (asked["response_type"], asked["code_challenge_method"], asked["redirect_uri"]) == (
        "code",
        "S256",
        BACK,
    )
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    attributes = response.headers["set-cookie"].split("; ")
    assert attributes[0].startswith("__Host-showrunner-oauth=")
    assert attributes[1:] == ["Path=/", "Max-Age=600", "Secure", "HttpOnly", "SameSite=Strict"]
    assert begun.cookie.partition("=")[2] not in begun.url
    assert response.headers["cache-control"] == "no-store"
    assert ANYONE("GET", START, if_none_match="*").status == 200


def test_the_database_stores_no_secret_of_a_login(tx):
    begun = begin()

    row = str(db.rows(tx, "SELECT * FROM access.oauth_states"))

    assert begun.state not in row
    assert begun.cookie.partition("=")[2] not in row
    assert begun.asked["nonce"] not in row
    left = db.value(tx, "SELECT extract(epoch FROM expires_at - now())::integer FROM access.oauth_states")
    assert 0 < left <= 600


def test_a_first_login_with_google_creates_a_confirmed_account(tx, world, email):
    world.sign_ins.people[email] = {"name": "Ada \u202eLovelace\n"}

    response = google_login(email.upper())

    assert response.status == 200, response
    assert response.body["user"]["email"] == email
    assert "Max-Age=0" in response.headers["set-cookie"]
    profile = Client(response.body["access_token"])("GET", "/api/v1/users/me").body["user"]
    assert (profile["verified"], profile["full_name"]) == (True, "Ada Lovelace")
    again = google_login(email)
    assert again.body["user"]["id"] == response.body["user"]["id"]
    assert (
        db.value(
            tx, "SELECT count(*) FROM accounts.identities WHERE user_id = :id", id=response.body["user"]["id"]
        )
        == 1
    )


def test_a_confirmed_account_is_linked_and_its_password_still_works(member, email):
    response = google_login(email)

    assert response.body["user"]["id"] == member
    assert log_in(email).status == 200
    export = Client(response.body["access_token"])("GET", "/api/v1/users/me/export").body
    assert [each["provider"] for each in export["identities"]] == ["google"]
    assert {"link", "login"} <= {each["action"] for each in export["audit"]}


def test_an_unconfirmed_account_is_not_linked_to_google(aws, tx, email):
    """Pre-hijacking: an owner who logs in with Google must not share an impostor's account."""
    Client(address="203.0.113.78")(
        "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Impostor"}
    )

    response = google_login(email)

    assert error(response) == (409, "CONFLICT")
    assert "reset its password" in response.body["error"]["message"]
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 0
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})
    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER})
    assert google_login(email).status == 200, "the owner has confirmed the address by email"
    assert log_in(email).status == 401, "and the impostor's password is gone"


@pytest.mark.parametrize(("hd", "expected"), [(None, 409), ("", 409), ("example.com", 200)])
def test_google_links_only_addresses_whose_mailboxes_it_hosts(aws, tx, world, hd, expected):
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="203.0.113.83")(
        "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada Test"}
    )
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, email))})
    world.sign_ins.people[email] = {"hd": hd}

    response = google_login(email)

    assert response.status == expected
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == (expected == 200)
    assert expected == 200 or "log in with the password" in response.body["error"]["message"]
    assert log_in(email).status == 200


def test_an_address_with_a_lookalike_letter_is_refused(world):
    world.sign_ins.people["odd@gmail.com"] = {"email": "\u212aate@gmail.com"}

    assert error(google_login("odd@gmail.com")) == (400, "VALIDATION_ERROR")


def test_the_first_login_with_google_ends_other_sessions_and_sends_an_email(aws, me, email):
    assert google_login(email).status == 200

    assert me("GET", "/api/v1/users/me").status == 401
    assert "Google opens your account now" in str(mailed(aws, email))
    second = Client(log_in(email).body["access_token"])
    assert google_login(email).status == 200
    assert second("GET", "/api/v1/users/me").status == 200, "only the first"


@pytest.mark.parametrize("claimed", [False, None, "true", 1])
def test_an_address_not_verified_by_google_is_neither_linked_nor_registered(
    tx, world, member, email, claimed
):
    world.sign_ins.people[email] = {"email_verified": claimed}
    other = f"new-{email}"
    world.sign_ins.people[other] = {"email_verified": claimed}

    assert error(google_login(email)) == (403, "INSUFFICIENT_PERMISSIONS")
    assert error(google_login(other)) == (403, "INSUFFICIENT_PERMISSIONS")

    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 0
    assert db.value(tx, "SELECT count(*) FROM accounts.users WHERE email = :e", e=other) == 0


def test_a_linked_account_is_found_by_googles_id_not_by_its_address(world, member, email):
    assert google_login(email).status == 200
    world.sign_ins.people["moved@example.org"] = {
        "sub": stand_in.claims(world.sign_ins, "", code_of(email))["sub"],
        "email_verified": False,
    }

    assert google_login("moved@example.org").body["user"]["id"] == member

    world.sign_ins.people[email] = {"sub": "another-person-who-took-over-the-address"}
    assert error(google_login(email)) == (409, "CONFLICT"), "the address alone is not enough"


def test_an_invalid_address_from_google_is_refused(world):
    world.sign_ins.people["odd@example.com"] = {"email": 'a"b@example.com'}

    assert error(google_login("odd@example.com")) == (400, "VALIDATION_ERROR")


def test_a_person_without_a_password_is_told_how_to_set_one(email):
    me = Client(google_login(email).body["access_token"])

    response = me("DELETE", "/api/v1/users/me", {"password": PASSWORD})

    assert error(response) == (400, "VALIDATION_ERROR")
    assert "has no password yet" in response.body["error"]["message"]
    assert log_in(email).status == 401


def test_a_login_with_google_still_needs_the_second_factor(tx, totp, member, email):
    begun = begin()
    returned = agree(begun, email)

    assert error(finish(begun, returned)) == (401, "AUTH_REQUIRED")
    assert error(finish(begun, {"state": returned["state"]}, mfa_code="000000")) == (
        401,
        "INVALID_CREDENTIALS",
    )
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 0
    response = finish(begun, {"state": returned["state"]}, mfa_code=totp.at(time.time() + 30))

    assert response.body["user"]["id"] == member
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 1
    assert error(finish(begun, returned, mfa_code=totp.now())) == (400, "VALIDATION_ERROR"), (
        "the state has been used"
    )


def test_wrong_codes_after_google_count_towards_the_login_lock(totp, email):
    begun = begin()
    returned = agree(begun, email)

    responses = [
        finish(begun, returned, mfa_code=f"00000{n}", client=Client(address=f"203.0.113.{n}"))
        for n in range(6)
    ]

    assert [error(each) for each in responses] == [(401, "INVALID_CREDENTIALS")] * 5 + [
        (429, "ACCOUNT_LOCKED")
    ]
    assert log_in(email, mfa_code="000009", address="203.0.113.9").status == 429, (
        "both kinds of login share one count"
    )


def test_a_login_waiting_for_the_second_factor_expires_after_ten_minutes(tx, totp, email):
    begun = begin()
    returned = agree(begun, email)
    finish(begun, returned)
    db.run(tx, "UPDATE access.oauth_states SET expires_at = now() - interval '1 second'")

    assert error(finish(begun, returned, mfa_code=totp.at(time.time() + 30))) == (400, "VALIDATION_ERROR")


def test_an_unknown_provider_is_404(me):
    assert [
        me("GET", "/api/v1/auth/oauth/facebook/start").status,
        me("POST", "/api/v1/auth/oauth/facebook", {}).status,
    ] == [404, 404]
