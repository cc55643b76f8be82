"""Password recovery by email."""

import json
import time

from showrunner.accounts import recovery
from showrunner.aws import email as ses
from showrunner.database import db
from tests.accounts.calls import (
    ANYONE,
    OTHER,
    PASSWORD,
    alive,
    emails_to,
    error,
    fields,
    log_in,
    mailed,
    renew,
    token_in,
)
from tests.conftest import Client


def test_a_forgotten_password_is_reset_by_email(aws, tx, pair, email):
    known, unknown = (
        ANYONE("POST", "/api/v1/auth/password/forgot", {"email": each})
        for each in (email, "nobody@example.com")
    )
    assert (known.status, known.body) == (unknown.status, unknown.body)
    token = token_in(mailed(aws, email))

    assert fields(ANYONE("POST", "/api/v1/auth/password/reset", {"token": token, "password": "weak"})) == [
        "password"
    ]
    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": token, "password": OTHER}).status == 200

    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": token, "password": OTHER}).status == 400
    assert renew(pair["refresh_token"]).status == 401
    assert (log_in(email).status, log_in(email, OTHER).status) == (401, 200)


def forget(email, address="192.0.2.1"):
    return Client(address=address)("POST", "/api/v1/auth/password/forgot", {"email": email})


def test_many_recovery_requests_do_not_block_the_owner(aws, user, email):
    responses = [forget(email, f"203.0.113.{number}") for number in range(7)]

    messages = [token_in(each) for each in emails_to(email) if "Reset your password" in str(each)]
    assert {(each.status, json.dumps(each.body)) for each in responses} == {
        (202, json.dumps(responses[0].body))
    }
    assert len(messages) == 5, "the limit of emails per hour to one address"
    assert (
        ANYONE("POST", "/api/v1/auth/password/reset", {"token": messages[0], "password": OTHER}).status == 200
    ), "the first link still works"
    assert (
        ANYONE("POST", "/api/v1/auth/password/reset", {"token": messages[4], "password": PASSWORD}).status
        == 400
    ), "and no other after it"


def test_the_response_time_does_not_reveal_whether_an_email_was_sent(user, email, monkeypatch):
    monkeypatch.setattr(recovery, "RESPONSE_SECONDS", 0.4)
    send = ses.send
    monkeypatch.setattr(ses, "send", lambda to, message: (time.sleep(0.2), send(to, message)))

    def seconds(address):
        begun = time.perf_counter()
        assert forget(address).status == 202
        return time.perf_counter() - begun

    known, unknown = seconds(email), seconds("nobody@example.com")

    assert min(known, unknown) >= 0.4, "every answer takes longer than sending an email"


def test_the_audit_log_records_recovery_requests_as_anonymous(tx, user, email):
    forget(email)

    row = db.one(
        tx,
        "SELECT subject FROM audit.events WHERE action = 'password_forgotten' AND thing_id = :id",
        id=user["user_id"],
    )
    assert row["subject"] == "anybody"


def test_a_reset_ends_access_tokens_at_once_and_the_next_login_works(aws, me, email):
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})

    assert (
        ANYONE(
            "POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER}
        ).status
        == 200
    )

    assert error(me("GET", "/api/v1/users/me")) == (401, "INVALID_TOKEN")
    assert alive(Client(log_in(email, OTHER).body["access_token"])) == 200


def test_a_reset_keeps_the_second_factor_of_a_confirmed_account(aws, factor, email):
    """Access to the mailbox alone must not replace the second factor."""
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})

    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER})

    assert error(log_in(email, OTHER)) == (401, "AUTH_REQUIRED")
