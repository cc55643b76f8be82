"""Fixtures of the accounts tests: a registered person, their tokens, and a client that is logged in."""

import uuid

import pyotp
import pytest

from showrunner.access import passwords
from showrunner.accounts import recovery
from showrunner.database import db
from tests.accounts.calls import ANYONE, PASSWORD, log_in, mailed, token_in
from tests.conftest import Client


@pytest.fixture
def email(tx, signing_key, aws, monkeypatch):
    monkeypatch.setattr(recovery, "RESPONSE_SECONDS", 0)
    return f"{uuid.uuid4().hex[:12]}@gmail.com"


@pytest.fixture
def unconfirmed(email):
    response = ANYONE(
        "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada Test"}
    )
    assert response.status == 201, response
    return response.body


@pytest.fixture
def user(aws, unconfirmed, email):
    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, email))}).status == 200
    return unconfirmed


@pytest.fixture
def pair(user, email):
    response = log_in(email)
    assert response.status == 200, response
    return response.body


@pytest.fixture
def me(pair):
    return Client(pair["access_token"], pair["user"]["organisation_id"])


@pytest.fixture
def members(pair):
    return f"/api/v1/organisations/{pair['user']['organisation_id']}/members"


@pytest.fixture
def guest(aws, me, members):
    """Invite a member who registers. Returns (email, user id)."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    me("POST", members, {"email": email})
    body = {
        "email": email,
        "password": PASSWORD,
        "full_name": "Guest",
        "invitation": token_in(mailed(aws, email)),
    }
    return email, ANYONE("POST", "/api/v1/auth/register", body).body["user_id"]


@pytest.fixture
def hashes(monkeypatch):
    """Record a 1 for each bcrypt hash that is computed, for checks and for new passwords."""
    counted = []
    for name in ("checkpw", "hashpw"):
        real = getattr(passwords.bcrypt, name)
        monkeypatch.setattr(
            passwords.bcrypt, name, lambda *given, real=real: counted.append(1) or real(*given)
        )
    return counted


@pytest.fixture
def raised_limits(postgres, monkeypatch):
    """Raise the rate limits for tests that commit, and delete their counts, which would limit later tests."""
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    yield
    with db.transaction() as tx:
        db.run(tx, "DELETE FROM access.windows")
        db.run(tx, "DELETE FROM access.login_attempts")


@pytest.fixture
def factor(me):
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    codes = me("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()}).body["recovery_codes"]
    return pyotp.TOTP(secret), codes
