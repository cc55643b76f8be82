"""The second factor: TOTP codes and recovery codes."""

import time
import uuid

import pyotp

from showrunner.access import mfa
from showrunner.database import db
from tests.accounts.calls import OTHER, PASSWORD, error, fields, log_in
from tests.conftest import Client


def test_codes_match_rfc_6238():
    import base64

    secret = base64.b32encode(b"12345678901234567890").decode()
    vectors = {
        59: "287082",
        1111111109: "081804",
        1111111111: "050471",
        1234567890: "005924",
        2000000000: "279037",
        20000000000: "353130",
    }
    assert {at: mfa.code(secret, at // 30) for at in vectors} == vectors
    assert mfa.code(secret, 12345) == pyotp.TOTP(secret).at(12345 * 30)


def test_login_asks_for_the_second_factor_and_a_code_works_once(tx, me, email, factor):
    totp, codes = factor
    assert len(codes) == 10
    assert error(log_in(email)) == (401, "AUTH_REQUIRED")
    assert error(log_in(email, mfa_code="000000")) == (401, "INVALID_CREDENTIALS")
    assert error(log_in(email, mfa_code=totp.now())) == (401, "INVALID_CREDENTIALS"), (
        "the code that confirmed the enrolment has been used"
    )
    code = totp.at(time.time() + 30)

    assert log_in(email, mfa_code=code).status == 200
    assert log_in(email, mfa_code=code).status == 401


def test_a_recovery_code_works_once(email, factor):
    _, codes = factor

    assert log_in(email, mfa_code=codes[0]).status == 200
    assert log_in(email, mfa_code=codes[0]).status == 401
    assert log_in(email, mfa_code=codes[1].replace("-", "").upper()).status == 200


def test_wrong_codes_lock_the_account(email, factor):
    statuses = [log_in(email, mfa_code=f"00000{n}", address=f"203.0.113.{n}").status for n in range(6)]

    assert statuses == [401] * 5 + [429]


def test_the_secret_is_encrypted_and_bound_to_its_row(tx, me, email, factor):
    totp, _ = factor
    stored = db.value(tx, "SELECT mfa_secret FROM accounts.users WHERE email = :email", email=email)
    assert totp.secret not in stored
    other = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="198.51.100.3")(
        "POST", "/api/v1/auth/register", {"email": other, "password": PASSWORD, "full_name": "Eve"}
    )
    db.run(
        tx,
        "UPDATE accounts.users SET mfa_secret = :s, mfa_confirmed_at = now() WHERE email = :email",
        s=stored,
        email=other,
    )

    assert log_in(other, mfa_code=totp.now()).status == 502


def test_removing_the_second_factor_needs_the_password(me, email, factor):
    assert fields(me("DELETE", "/api/v1/auth/mfa", {"password": OTHER})) == ["password"]
    assert me("DELETE", "/api/v1/auth/mfa", {"password": PASSWORD}).status == 204

    assert log_in(email).status == 200
