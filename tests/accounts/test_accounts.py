"""functions/accounts"""

import hashlib
import json
import re
import statistics
import time
import uuid
from collections import Counter

import pyotp
import pytest

from functions.accounts import app
from showrunner import db, mail
from showrunner.access import mfa, passwords, tokens
from showrunner.store import accounts, api_keys
from tests.conftest import Client, add_organisation, in_threads

PASSWORD = "Correct-horse-7-battery"
OTHER = "Another-staple-9-horse"
ANYONE = Client()


def error(told):
    return told.status, told.body["error"]["code"]


def fields(told):
    return [detail["field"] for detail in told.body["error"]["details"]]


def mailed(aws, to):
    """The newest letter to an address, as SES got it."""
    letters = letters_to(to)
    return letters[-1] if letters else None


def letters_to(address):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses.models import ses_backends

    return [each.__dict__ for each in ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages if address in str(each.__dict__)]


def token_in(letter):
    return re.search(r"#token=([A-Za-z0-9_-]{43})", str(letter))[1]


@pytest.fixture
def email(tx, signing_key, aws, monkeypatch):
    monkeypatch.setattr(app, "LETTER_SECONDS", 0)
    return f"{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture
def unconfirmed(email):
    told = ANYONE("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada Test"})
    assert told.status == 201, told
    return told.body


@pytest.fixture
def user(aws, unconfirmed, email):
    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, email))}).status == 200
    return unconfirmed


def log_in(email, password=PASSWORD, address="192.0.2.1", **more):
    headers = more.pop("headers", {})
    return Client(address=address)("POST", "/api/v1/auth/login", {"email": email, "password": password, **more}, **headers)


@pytest.fixture
def pair(user, email):
    told = log_in(email)
    assert told.status == 200, told
    return told.body


@pytest.fixture
def me(pair):
    return Client(pair["access_token"], pair["user"]["organisation_id"])


def make_admin(tx, email):
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE email = :email", email=email)
    return Client(log_in(email).body["access_token"])


# Registration


def test_a_person_registers_confirms_and_logs_in(aws, email):
    told = ANYONE("POST", "/api/v1/auth/register", {"email": email.upper(), "password": PASSWORD, "full_name": "Ada", "company": "Bees Ltd"})

    assert (told.status, told.body["email"], told.body["verification_required"]) == (201, email, True)
    token = token_in(mailed(aws, email))
    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token}).status == 200
    assert error(ANYONE("POST", "/api/v1/auth/verify", {"token": token})) == (400, "VALIDATION_ERROR")
    pair = log_in(email).body
    profile = Client(pair["access_token"])("GET", "/api/v1/users/me").body["user"]
    assert (profile["verified"], profile["company"], profile["full_name"]) == (True, "Bees Ltd", "Ada")


def test_who_has_not_confirmed_the_address_spends_nothing_and_invites_nobody(aws, unconfirmed, email):
    pair = log_in(email).body
    somebody = Client(pair["access_token"])
    channel_id = somebody("POST", "/api/v1/channels", {"name": "Bees"}).body["channel"]["id"]
    video = f"/api/v1/videos/{uuid.uuid4()}"
    asset = {"kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "0" * 64}
    calls = [
        ("/api/v1/videos/generate", {"channel_id": channel_id, "topic": "Bees"}),
        ("/api/v1/videos/generate/batch", {"videos": [{"channel_id": channel_id, "topic": "Bees"}]}),
        (f"{video}/retry", None),
        ("/api/v1/assets", asset),
        (f"/api/v1/organisations/{pair['user']['organisation_id']}/members", {"email": "guest@example.com"}),
        ("/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]}),
        ("/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}),
    ]

    told = [somebody("POST", path, body) for path, body in calls]

    assert {error(each) for each in told} == {(403, "EMAIL_NOT_VERIFIED")}
    assert "Confirm your e-mail address" in told[0].body["error"]["message"]
    letter = mailed(aws, email)
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(letter)})
    assert [somebody("POST", path, body).status for path, body in calls] == [202, 202, 404, 201, 202, 201, 201], "with the same token"


def test_an_address_has_one_account(user, email):
    told = ANYONE("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Eve"})

    assert error(told) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("Short-1a", "at least 12"),
        ("no-upper-case-7-here", "an upper-case letter"),
        ("NO-LOWER-CASE-7-HERE", "a lower-case letter"),
        ("No-Digit-In-This-One", "a digit"),
        ("NoSymbolInThis7One", "a symbol"),
        ("Aa1-" + "é" * 35, "74 bytes"),
        ("Password12345!", "too easy"),
        ("P@ssw0rdP@ssw0rd1", "too easy"),
        ("Qwertyuiop123!", "too easy"),
        ("Ada.test2026!!", "too easy"),
    ],
)
def test_a_weak_password_is_refused_in_words(email, password, words):
    told = ANYONE("POST", "/api/v1/auth/register", {"email": email, "password": password, "full_name": "Ada.Test"})

    assert (told.status, fields(told)) == (400, ["password"])
    assert words in told.body["error"]["message"]


def test_the_list_of_common_passwords_has_its_ten_thousand():
    assert len(passwords.common()) > 10_000
    assert {"password", "123456", "qwertyuiop"} <= passwords.common()


def test_a_password_of_72_bytes_is_used_to_the_last(email):
    password = "Aa1-" + "é" * 34
    assert len(password.encode()) == 72
    assert ANYONE("POST", "/api/v1/auth/register", {"email": email, "password": password, "full_name": "Ada"}).status == 201
    assert log_in(email, password[:-1] + "e").status == 401
    assert log_in(email, password).status == 200


def test_five_registrations_an_hour_come_from_one_address(tx, signing_key):
    client = Client(address="198.51.100.7")
    told = [client("POST", "/api/v1/auth/register", {"email": f"r{n}@example.org", "password": PASSWORD, "full_name": "Ada"}).status for n in range(6)]

    assert told == [201] * 5 + [429]


# Login


def test_a_login_gives_a_pair_and_the_person(pair, email, user):
    identity = tokens.verify(pair["access_token"])

    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 3600)
    assert pair["user"]["email"] == email
    assert (identity.subject, identity.role, identity.is_admin) == (user["user_id"], "user", False)
    assert uuid.UUID(pair["refresh_token"])


def test_unknown_addresses_and_wrong_passwords_are_told_alike(user, email):
    wrong, unknown = log_in(email, OTHER), log_in("nobody@example.com", OTHER)

    assert error(wrong) == error(unknown) == (401, "INVALID_CREDENTIALS")
    assert wrong.body["error"]["message"] == unknown.body["error"]["message"]


def test_an_unknown_address_takes_as_long_as_a_wrong_password(tx, user, email, monkeypatch):
    """The whole call, by the CPU time of its thread, which a busy machine doesn't lengthen; both kinds take turns, and the median of their ratios counts."""
    monkeypatch.setenv("BCRYPT_COST", "9")
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    db.run(tx, "UPDATE accounts.users SET password_hash = :hash WHERE email = :email", hash=passwords.digest(PASSWORD), email=email)

    def seconds(address):
        db.run(tx, "DELETE FROM access.login_attempts")
        begun = time.thread_time()
        assert log_in(address, OTHER).status == 401
        return time.thread_time() - begun

    pairs = [(seconds(email), seconds(f"{uuid.uuid4().hex[:12]}@example.com")) for _ in range(31)]

    assert statistics.median(known / unknown for known, unknown in pairs[1:]) == pytest.approx(1, abs=0.05)
    assert pairs[0][1] < 1.5 * statistics.median(unknown for _, unknown in pairs), "nor does the first of a new process take longer"


def test_no_password_fits_nobodys_hash(monkeypatch):
    assert not any(passwords.matches(password, None) for password in (PASSWORD, "", "-", "x" * 100, "nul\0"))
    assert len(passwords._NOBODYS) == 53


def test_five_wrong_logins_lock_known_and_unknown_addresses_alike(user, email):
    for address in (email, "nobody-at-all@example.com"):
        told = [log_in(address, OTHER, address=f"203.0.113.{n}") for n in range(6)]
        assert [each.status for each in told] == [401] * 5 + [429]
        assert told[5].body["error"]["code"] == "ACCOUNT_LOCKED"
        assert 0 < int(told[5].headers["retry-after"]) <= 900
    assert log_in(email, address="203.0.113.9").status == 429, "the right password from a strange place waits too"


def test_a_stranger_does_not_lock_out_somebody_who_comes_from_a_known_place(pair, email):
    for n in range(7):
        log_in(email, OTHER, address=f"203.0.113.{n}")

    assert log_in(email, address="203.0.113.200").status == 429
    assert log_in(email).status == 200, "the address of the first login"


def test_a_known_device_may_move(user, email):
    device = {"x_device_id": "d" * 32}
    assert log_in(email, headers=device).status == 200
    for n in range(6):
        log_in(email, OTHER, address=f"203.0.113.{n}")

    assert log_in(email, address="203.0.113.250", headers=device).status == 200


@pytest.fixture
def hashes(monkeypatch):
    """Every hash that is really computed, of passwords given and new."""
    counted = []
    for name in ("checkpw", "hashpw"):
        real = getattr(passwords.bcrypt, name)
        monkeypatch.setattr(passwords.bcrypt, name, lambda *given, real=real: counted.append(1) or real(*given))
    return counted


@pytest.fixture
def raised_limits(postgres, monkeypatch):
    """For tests with transactions of their own: what they counted would be somebody's limit in the tests that follow."""
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    yield
    with db.transaction() as tx:
        db.run(tx, "DELETE FROM access.windows")
        db.run(tx, "DELETE FROM access.login_attempts")


def test_ten_thousand_wrong_logins_on_one_account_cost_ten_hashes(raised_limits, signing_key, aws, hashes):
    """Each in a transaction of its own, four at a time, from everywhere: strangers' networks, the owner's own address, devices that are claimed, the address
    in other letters."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="198.51.100.98")("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada"})
    assert log_in(email, headers={"x_device_id": "d" * 32}).status == 200
    hashes.clear()

    def attack(worker):
        told = Counter()
        for n in range(worker, 10_000, 4):
            address = ("192.0.2.1", f"203.0.113.{n % 250}", f"2001:db8:{n % 5000:x}::1")[n % 3]
            headers = {"x_device_id": "d" * 32 if n % 7 == 0 else f"{n:032d}"} if n % 2 else {}
            told[log_in(email if n % 5 else email.upper(), OTHER, address=address, headers=headers).status] += 1
        return told

    told = sum(in_threads(4, attack), Counter())

    assert len(hashes) == 10, "five from places that the owner is known from, five from all others"
    assert told == {401: 10, 429: 9_990}


def test_a_reset_with_a_token_that_is_none_costs_no_hash(tx, signing_key, hashes):
    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": "A" * 43, "password": OTHER}).status == 400
    assert hashes == []


def test_wrong_logins_at_once_cost_five_hashes(postgres, signing_key, monkeypatch):
    hashes = []
    monkeypatch.setattr(passwords, "matches", lambda *_: hashes.append(1) and False)
    told = in_threads(12, lambda n: log_in("crowd@example.com", OTHER, address=f"203.0.113.{n}").status)

    assert sorted(told) == [401] * 5 + [429] * 7
    assert len(hashes) == 5


def test_a_lock_ends_after_15_minutes_and_a_right_login_clears_the_count(tx, user, email):
    for n in range(4):
        log_in(email, OTHER, address=f"203.0.113.{n}")
    assert log_in(email, address="203.0.113.9").status == 200
    for n in range(10, 15):
        assert log_in(email, OTHER, address=f"203.0.113.{n}").status == 401
    assert log_in(email, address="203.0.113.20").status == 429
    db.run(tx, "UPDATE access.login_attempts SET last_at = last_at - interval '901 seconds'")

    assert log_in(email, address="203.0.113.20").status == 200


def test_a_hash_of_another_cost_is_renewed_at_the_next_login(tx, user, email, monkeypatch):
    def cost():
        return db.value(tx, "SELECT split_part(password_hash, '$', 3) FROM accounts.users WHERE email = :email", email=email)

    assert cost() == "04"
    monkeypatch.setenv("BCRYPT_COST", "5")
    assert log_in(email).status == 200
    assert cost() == "05"
    assert log_in(email).status == 200


def test_the_cost_is_12_where_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv("BCRYPT_COST")
    assert passwords.digest("x").startswith("$2b$12$")


# Sessions


def renew(refresh_token):
    return ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": refresh_token})


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


def test_a_forgotten_password_is_set_anew_by_a_letter(aws, tx, pair, email):
    known, unknown = (ANYONE("POST", "/api/v1/auth/password/forgot", {"email": each}) for each in (email, "nobody@example.com"))
    assert (known.status, known.body) == (unknown.status, unknown.body)
    token = token_in(mailed(aws, email))

    assert fields(ANYONE("POST", "/api/v1/auth/password/reset", {"token": token, "password": "weak"})) == ["password"]
    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": token, "password": OTHER}).status == 200

    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": token, "password": OTHER}).status == 400
    assert renew(pair["refresh_token"]).status == 401
    assert (log_in(email).status, log_in(email, OTHER).status) == (401, 200)


def forget(email, address="192.0.2.1"):
    return Client(address=address)("POST", "/api/v1/auth/password/forgot", {"email": email})


def test_nobody_keeps_an_owner_from_recovering_by_asking_often(aws, user, email):
    told = [forget(email, f"203.0.113.{number}") for number in range(7)]

    letters = [token_in(each) for each in letters_to(email) if "Reset your password" in str(each)]
    assert {(each.status, json.dumps(each.body)) for each in told} == {(202, json.dumps(told[0].body))}
    assert len(letters) == 5, "an hour's letters to one address"
    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": letters[0], "password": OTHER}).status == 200, "the first still opens"
    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": letters[4], "password": PASSWORD}).status == 400, "and none after it"


def test_the_time_of_an_answer_does_not_tell_whether_a_letter_was_sent(user, email, monkeypatch):
    monkeypatch.setattr(app, "LETTER_SECONDS", 0.4)
    send = mail.send
    monkeypatch.setattr(mail, "send", lambda to, letter: (time.sleep(0.2), send(to, letter)))

    def seconds(address):
        begun = time.perf_counter()
        assert forget(address).status == 202
        return time.perf_counter() - begun

    known, unknown = seconds(email), seconds("nobody@example.com")

    assert min(known, unknown) >= 0.4, "each waits for longer than a letter takes"


def test_who_asks_for_a_letter_is_not_taken_for_the_owner(tx, user, email):
    forget(email)

    row = db.one(tx, "SELECT subject FROM audit.events WHERE action = 'password_forgotten' AND thing_id = :id", id=user["user_id"])
    assert row["subject"] == "anybody"


def alive(client):
    return client("GET", "/api/v1/users/me").status


def test_a_reset_ends_access_tokens_at_once_and_the_next_login_opens(aws, me, email):
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})

    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER}).status == 200

    assert error(me("GET", "/api/v1/users/me")) == (401, "INVALID_TOKEN")
    assert alive(Client(log_in(email, OTHER).body["access_token"])) == 200


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


def test_a_login_that_overlaps_a_reset_gets_no_session_and_does_not_bring_the_old_password_back(tx, monkeypatch, user, email):
    was_right = passwords.matches

    def slowly(password, hashed):
        right = was_right(password, hashed)
        if hashed and password == PASSWORD:
            accounts.save_password(tx, user["user_id"], passwords.digest(OTHER))
        return right

    monkeypatch.setattr(passwords, "matches", slowly)
    monkeypatch.setattr(passwords, "is_outdated", lambda _: True)
    told = log_in(email)
    monkeypatch.setattr(passwords, "matches", was_right)

    assert error(told) == (401, "INVALID_CREDENTIALS")
    assert (log_in(email).status, log_in(email, OTHER).status) == (401, 200)


def test_a_login_that_overlaps_the_coming_of_a_second_factor_gets_no_session(tx, monkeypatch, user, email):
    was_right = passwords.matches

    def slowly(password, hashed):
        accounts.save_mfa(tx, user["user_id"], "sealed", confirmed=True, codes=[])
        return was_right(password, hashed)

    monkeypatch.setattr(passwords, "matches", slowly)

    assert error(log_in(email)) == (401, "INVALID_CREDENTIALS")


# Second factor


@pytest.fixture
def factor(me):
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    codes = me("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()}).body["recovery_codes"]
    return pyotp.TOTP(secret), codes


def test_codes_are_those_of_rfc_6238():
    import base64

    secret = base64.b32encode(b"12345678901234567890").decode()
    vectors = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"}
    assert {at: mfa.code(secret, at // 30) for at in vectors} == vectors
    assert mfa.code(secret, 12345) == pyotp.TOTP(secret).at(12345 * 30)


def test_a_second_factor_is_asked_for_and_a_code_works_once(tx, me, email, factor):
    totp, codes = factor
    assert len(codes) == 10
    assert error(log_in(email)) == (401, "AUTH_REQUIRED")
    assert error(log_in(email, mfa_code="000000")) == (401, "INVALID_CREDENTIALS")
    assert error(log_in(email, mfa_code=totp.now())) == (401, "INVALID_CREDENTIALS"), "the code that confirmed it is spent"
    code = totp.at(time.time() + 30)

    assert log_in(email, mfa_code=code).status == 200
    assert log_in(email, mfa_code=code).status == 401


def test_a_recovery_code_works_once(email, factor):
    _, codes = factor

    assert log_in(email, mfa_code=codes[0]).status == 200
    assert log_in(email, mfa_code=codes[0]).status == 401
    assert log_in(email, mfa_code=codes[1].replace("-", "").upper()).status == 200


def test_guessing_codes_locks_the_account(email, factor):
    told = [log_in(email, mfa_code=f"00000{n}", address=f"203.0.113.{n}").status for n in range(6)]

    assert told == [401] * 5 + [429]


def test_the_secret_is_sealed_and_bound_to_its_row(tx, me, email, factor):
    totp, _ = factor
    stored = db.value(tx, "SELECT mfa_secret FROM accounts.users WHERE email = :email", email=email)
    assert totp.secret not in stored
    other = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="198.51.100.3")("POST", "/api/v1/auth/register", {"email": other, "password": PASSWORD, "full_name": "Eve"})
    db.run(tx, "UPDATE accounts.users SET mfa_secret = :s, mfa_confirmed_at = now() WHERE email = :email", s=stored, email=other)

    assert log_in(other, mfa_code=totp.now()).status == 502


def test_a_second_factor_is_removed_with_the_password(me, email, factor):
    assert fields(me("DELETE", "/api/v1/auth/mfa", {"password": OTHER})) == ["password"]
    assert me("DELETE", "/api/v1/auth/mfa", {"password": PASSWORD}).status == 204

    assert log_in(email).status == 200


# Keys


def test_an_api_key_is_shown_once_and_stored_hashed(tx, me):
    told = me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]})

    assert told.status == 201
    key = told.body["key"]
    assert key.startswith(told.body["api_key"]["prefix"])
    listed = me("GET", "/api/v1/auth/api-keys")
    assert key not in json.dumps(listed.body)
    assert [each["name"] for each in listed.body["api_keys"]] == ["Feed"]
    assert key not in str(db.rows(tx, "SELECT * FROM access.api_keys"))
    path = f"/api/v1/auth/api-keys/{told.body['api_key']['id']}"
    assert (me("DELETE", path).status, me("DELETE", path).status) == (204, 404)


def test_a_repeat_shows_the_same_key_again_and_the_database_cannot(tx, me):
    body = {"name": "Feed", "scopes": ["videos:read"]}
    first, again = (me("POST", "/api/v1/auth/api-keys", body, idempotency_key="3d2f6f0a-keep") for _ in range(2))

    assert first.body == again.body
    assert len(me("GET", "/api/v1/auth/api-keys").body["api_keys"]) == 1
    rows = str(db.rows(tx, "SELECT * FROM access.idempotency"))
    assert first.body["key"] not in rows
    assert "3d2f6f0a-keep" not in rows
    assert me("POST", "/api/v1/auth/api-keys", {**body, "name": "Other"}, idempotency_key="3d2f6f0a-keep").status == 409


def test_a_service_token_works_until_it_is_revoked(me):
    told = me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"], "expires_in_days": 30})
    robot = Client(told.body["token"])

    assert robot("GET", "/api/v1/videos").status == 200
    assert robot("GET", "/api/v1/channels").status == 403
    assert robot("GET", "/api/v1/users/me").status == 403
    assert me("DELETE", f"/api/v1/auth/service-tokens/{told.body['service_token']['id']}").status == 204
    assert error(robot("GET", "/api/v1/videos")) == (401, "INVALID_TOKEN")
    assert me("GET", "/api/v1/auth/service-tokens").body["service_tokens"][0]["revoked_at"]


def test_what_a_machine_could_do_ends_with_the_office_of_the_admin_who_made_it(tx, me, email):
    admin = make_admin(tx, email)
    robot = Client(admin("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["internal:all", "videos:read"]}).body["token"])
    key = admin("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["ingestion"]}).body["key"]
    asked = [robot("GET", "/api/v1/admin/metrics").status != 403, opens_ingestion(tx, key)]
    assert asked == [True, True]

    db.run(tx, "UPDATE accounts.users SET platform_admin = false WHERE email = :email", email=email)

    assert error(robot("GET", "/api/v1/admin/metrics")) == (403, "INSUFFICIENT_PERMISSIONS")
    assert robot("GET", "/api/v1/videos").status == 200, "what any owner may give stays"
    assert not opens_ingestion(tx, key)


def opens_ingestion(tx, key):
    return api_keys.find(tx, hashlib.sha256(key.encode()).hexdigest(), "ingestion") is not None


@pytest.mark.parametrize("scope", ["internal:all", "cms:all", "artists:all"])
def test_nobody_gives_what_they_do_not_have(me, scope):
    told = me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": [scope]})

    assert told.status == (201 if scope == "artists:all" else 403)


# Organisations


def test_a_person_is_invited_registers_and_is_removed(aws, me, pair):
    organisation_id = pair["user"]["organisation_id"]
    guest = f"{uuid.uuid4().hex[:12]}@example.com"
    path = f"/api/v1/organisations/{organisation_id}/members"
    assert me("POST", path, {"email": guest, "role": "viewer"}).status == 202
    assert [each["status"] for each in me("GET", path).body["members"]] == ["member", "invited"]
    token = token_in(mailed(aws, guest))

    told = ANYONE("POST", "/api/v1/auth/register", {"email": guest, "password": PASSWORD, "full_name": "Guest", "invitation": token})

    assert (told.status, told.body["verification_required"]) == (201, False)
    viewer = Client(log_in(guest).body["access_token"])
    assert viewer("GET", path).status == 200
    assert viewer("GET", "/api/v1/videos").status == 200
    assert viewer("POST", "/api/v1/channels", {"name": "Mine"}).status == 403
    assert viewer("POST", path, {"email": "more@example.com"}).status == 403
    refresh = log_in(guest).body["refresh_token"]
    assert me("DELETE", f"{path}/{told.body['user_id']}").status == 204
    assert renew(refresh).status == 401
    assert error(viewer("GET", "/api/v1/videos")) == (401, "INVALID_TOKEN"), "at once, not when the token expires"
    assert me("DELETE", f"{path}/{pair['user']['id']}").status == 409


@pytest.fixture
def members(pair):
    return f"/api/v1/organisations/{pair['user']['organisation_id']}/members"


@pytest.fixture
def guest(aws, me, members):
    """A member by invitation: the address and the id."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    me("POST", members, {"email": email})
    body = {"email": email, "password": PASSWORD, "full_name": "Guest", "invitation": token_in(mailed(aws, email))}
    return email, ANYONE("POST", "/api/v1/auth/register", body).body["user_id"]


def test_who_is_removed_has_an_organisation_of_their_own(me, members, guest):
    email, user_id = guest

    assert me("DELETE", f"{members}/{user_id}").status == 204

    told = log_in(email)
    assert (told.status, told.body["user"]["organisation_id"] != me.organisation_id) == (200, True)
    own = Client(told.body["access_token"])("GET", f"/api/v1/organisations/{told.body['user']['organisation_id']}/members").body["members"]
    assert [(each["email"], each["is_owner"]) for each in own] == [(email, True)]


def test_a_member_is_not_invited_and_an_open_invitation_goes_with_the_membership(aws, tx, me, members, guest):
    email, user_id = guest
    assert error(me("POST", members, {"email": email})) == (409, "CONFLICT")
    token = "A" * 43
    accounts.add_mail_token(tx, hashlib.sha256(token.encode()).hexdigest(), "invite", email, 60, organisation_id=me.organisation_id, role="user")

    me("DELETE", f"{members}/{user_id}")

    assert error(ANYONE("POST", "/api/v1/auth/verify", {"token": token})) == (400, "VALIDATION_ERROR")


def test_an_invitation_is_withdrawn(aws, me, members):
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    me("POST", members, {"email": email})

    assert me("DELETE", members, {"email": email}).status == 204

    assert [each["status"] for each in me("GET", members).body["members"]] == ["member"]
    body = {"email": email, "password": PASSWORD, "full_name": "Guest", "invitation": token_in(mailed(aws, email))}
    assert error(ANYONE("POST", "/api/v1/auth/register", body)) == (400, "VALIDATION_ERROR")
    assert me("DELETE", members, {"email": email}).status == 404


def test_somebody_with_an_account_accepts_an_invitation(aws, tx, me, pair, email):
    other = f"{uuid.uuid4().hex[:12]}@example.com"
    ANYONE("POST", "/api/v1/auth/register", {"email": other, "password": PASSWORD, "full_name": "Other"})
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, other))})
    organisation_id = pair["user"]["organisation_id"]
    me("POST", f"/api/v1/organisations/{organisation_id}/members", {"email": other})

    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, other))}).status == 200

    assert log_in(other).body["user"]["organisation_id"] != organisation_id
    assert log_in(other, organisation_id=organisation_id).body["user"]["organisation_id"] == organisation_id


def test_who_registered_an_address_that_is_not_theirs_gets_nothing_of_its_invitation(aws, me, pair):
    victim = f"{uuid.uuid4().hex[:12]}@example.com"
    ANYONE("POST", "/api/v1/auth/register", {"email": victim, "password": PASSWORD, "full_name": "Impostor"})
    refresh = log_in(victim).body["refresh_token"]
    organisation_id = pair["user"]["organisation_id"]
    me("POST", f"/api/v1/organisations/{organisation_id}/members", {"email": victim})

    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, victim))}).status == 200

    assert log_in(victim, organisation_id=organisation_id).status == 401
    assert renew(refresh).status == 401
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": victim})
    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, victim)), "password": OTHER})
    assert log_in(victim, OTHER, organisation_id=organisation_id).status == 200


def test_who_registered_an_address_that_is_not_theirs_leaves_no_second_factor_before_its_owner(aws, unconfirmed, email):
    impostor = Client(log_in(email).body["access_token"])
    secret = impostor("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    impostor("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()})
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})

    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER})

    assert log_in(email, OTHER).status == 200
    assert alive(impostor) == 401


def test_a_second_factor_of_a_confirmed_account_outlives_a_reset(aws, factor, email):
    """A mailbox alone must not open what a second factor guards."""
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})

    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER})

    assert error(log_in(email, OTHER)) == (401, "AUTH_REQUIRED")


def test_an_organisations_name_makes_no_link_in_our_letter(aws, me, pair):
    guest, organisation_id = f"{uuid.uuid4().hex[:12]}@example.com", pair["user"]["organisation_id"]
    me("PUT", f"/api/v1/organisations/{organisation_id}", {"name": "https://evil.example/"})

    me("POST", f"/api/v1/organisations/{organisation_id}/members", {"email": guest})

    assert 'href="https://evil' not in str(mailed(aws, guest))


def test_another_organisation_is_not_there(me, tx):
    path = f"/api/v1/organisations/{add_organisation(tx, 'Others')}"

    told = [me("GET", path), me("PUT", path, {"name": "Mine"}), me("GET", f"{path}/members"), me("POST", f"{path}/members", {"email": "a@example.com"})]

    assert {each.status for each in told} == {404}


# People


def test_a_key_to_the_ingestion_api_which_has_no_tenants_is_made_by_platform_admins_only(tx, me, email):
    body = {"name": "Feed", "scopes": ["ingestion"]}

    assert me("POST", "/api/v1/auth/api-keys", body).status == 403
    assert make_admin(tx, email)("POST", "/api/v1/auth/api-keys", body).status == 201


def test_a_profile_changes_and_a_new_password_needs_the_old(me, pair, email):
    told = me("PUT", "/api/v1/users/me", {"full_name": "Ada L.", "username": "ada.l"})
    assert (told.body["user"]["full_name"], told.body["user"]["username"]) == ("Ada L.", "ada.l")
    assert fields(me("PUT", "/api/v1/users/me", {"password": OTHER})) == ["current_password"]
    assert fields(me("PUT", "/api/v1/users/me", {"password": OTHER, "current_password": "wrong"})) == ["password"]

    assert me("PUT", "/api/v1/users/me", {"password": OTHER, "current_password": PASSWORD}).status == 200

    assert renew(pair["refresh_token"]).status == 401
    assert log_in(email, OTHER).status == 200


def test_an_export_has_what_is_known_and_no_secret(me, email):
    me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]})

    told = me("GET", "/api/v1/users/me/export")

    assert told.body["profile"]["email"] == email
    assert [each["name"] for each in told.body["api_keys"]] == ["Feed"]
    assert {"register", "login", "add"} <= {each["action"] for each in told.body["audit"]}
    assert "$2b$" not in json.dumps(told.body)
    assert "password" not in told.body["profile"]


def test_an_erased_person_is_nowhere_but_as_a_bare_id(tx, me, pair, email):
    assert fields(me("DELETE", "/api/v1/users/me", {"password": OTHER})) == ["password"]

    told = me("DELETE", "/api/v1/users/me", {"password": PASSWORD})

    assert told.status == 200
    assert told.body["receipt"]["organisations_left_empty"] == [pair["user"]["organisation_id"]]
    for table in ("accounts.users", "accounts.members", "access.mail_tokens", "access.refresh_families", "access.known_places", "audit.events"):
        text = str(db.rows(tx, f"SELECT * FROM {table}"))
        assert email not in text
        assert "Ada Test" not in text
    assert log_in(email).status == 401
    assert me("GET", "/api/v1/users/me").status == 401
    assert renew(pair["refresh_token"]).status == 401
    assert db.value(tx, "SELECT count(*) FROM audit.events WHERE subject = :id", id=pair["user"]["id"]) > 0


def test_nobody_takes_the_address_that_an_erased_person_gets(tx, me, pair, user):
    address = f"erased-{user['user_id']}@erased.invalid"
    told = Client(address="203.0.113.9")("POST", "/api/v1/auth/register", {"email": address, "password": PASSWORD, "full_name": "Eve"})
    assert fields(told) == ["email"]
    db.run(tx, "INSERT INTO accounts.users (email, full_name) VALUES (:email, 'Eve')", email=address)

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200


def test_an_erasure_takes_the_name_of_the_organisation_and_kept_answers_along_and_says_what_stays(tx, me):
    path = f"/api/v1/organisations/{me.organisation_id}"
    me("PUT", path, {"name": "Ada Test's own"})
    me("POST", "/api/v1/channels", {"name": "Bees"}, idempotency_key="once")
    me("POST", f"{path}/members", {"email": "guest@example.com"})

    told = me("DELETE", "/api/v1/users/me", {"password": PASSWORD})

    for table in ("accounts.organisations", "access.idempotency", "access.mail_tokens", "audit.events"):
        rows = str(db.rows(tx, f"SELECT * FROM {table}"))
        assert "Ada Test" not in rows
        assert "guest@example.com" not in rows
    assert db.value(tx, "SELECT count(*) FROM access.idempotency") == 0
    assert "/24" in told.body["receipt"]["kept"]


@pytest.mark.parametrize(("address", "kept"), [("198.51.100.77", "198.51.100.0/24"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48")])
def test_the_audit_log_keeps_the_network_of_a_caller_and_not_the_address(tx, user, email, address, kept):
    log_in(email, address=address)

    assert db.value(tx, "SELECT address::text FROM audit.events WHERE action = 'login' AND subject = :id", id=user["user_id"]) == kept


def test_machines_of_an_erased_person_work_no_longer(tx, me):
    told = me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}).body
    robot = Client(told["token"])
    me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]})
    assert robot("GET", "/api/v1/videos").status == 200

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200

    assert error(robot("GET", "/api/v1/videos")) == (401, "INVALID_TOKEN")
    known = db.one(tx, "SELECT revoked_at, EXISTS (SELECT FROM access.denied_tokens WHERE token_id = id::text) AS denied FROM access.service_tokens")
    assert known["revoked_at"]
    assert known["denied"]
    assert db.value(tx, "SELECT count(*) FROM access.api_keys") == 0


def spend(tx, organisation_id, video_id, charge, amount, at="now()", list_price_only=False):
    db.run(
        tx,
        "INSERT INTO ledger.costs (organisation_id, video_id, charge, step, provider, item, quantity, unit, amount_usd, list_price_only, recorded_at) "
        f"VALUES (:o, :v, :charge, 'voice', 'elevenlabs', 'speech', 10, 'character', :amount::numeric, :list_price_only, {at})",
        o=organisation_id,
        v=video_id,
        charge=charge,
        amount=amount,
        list_price_only=list_price_only,
    )


def test_billing_tells_what_the_database_has_and_nothing_else(tx, me):
    channel = me("POST", "/api/v1/channels", {"name": "Bees"}).body["channel"]["id"]
    order = {"channel_id": channel, "topic": "Bees"}
    video = me("POST", "/api/v1/videos/generate", order).body["video_id"]
    told = me("GET", "/api/v1/users/me/billing").body["billing"]
    assert (told["plan"], told["currency"], told["credits"], told["invoices"]) == ("standard", "USD", None, [])
    assert (told["spent"]["total_usd"], told["spent"]["videos"]) == ("0", 0)

    spend(tx, me.organisation_id, video, "c1", "1.25000001")
    spend(tx, me.organisation_id, video, "c2", "7", list_price_only=True)
    spend(tx, me.organisation_id, video, "c3", "5", at="date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 second'")
    spent = me("GET", "/api/v1/users/me/billing").body["billing"]["spent"]
    assert (spent["total_usd"], spent["list_price_usd"], spent["videos"], spent["breakdown"]["voice"]) == ("1.25000001", "7.00000000", 1, "1.25000001")

    db.run(tx, "INSERT INTO ledger.credits VALUES (:o, 'first', 2.50, now() - interval '1 minute')", o=me.organisation_id)
    db.run(
        tx,
        "INSERT INTO ledger.invoices (organisation_id, number, period_begins, period_ends, amount_usd) VALUES (:o, :n, '2026-10-01', '2026-10-31', 12.5)",
        o=me.organisation_id,
        n=str(uuid.uuid4()),
    )
    told = me("GET", "/api/v1/users/me/billing").body["billing"]
    assert told["credits"] == {"added_usd": "2.50", "spent_usd": "1.25000001", "balance_usd": "1.24999999"}
    assert [(each["amount_usd"], each["status"], each["paid_at"]) for each in told["invoices"]] == [("12.50", "open", None)]
    assert me("POST", "/api/v1/videos/generate", order).status == 202

    spend(tx, me.organisation_id, video, "c4", "1.24999999")
    assert me("GET", "/api/v1/users/me/billing").body["billing"]["credits"]["balance_usd"] == "0.00000000"
    assert error(me("POST", "/api/v1/videos/generate", order)) == (402, "INSUFFICIENT_CREDITS")
    settled = me("POST", "/api/v1/videos/generate/batch", {"videos": [order]}).body["results"][0]
    assert settled["error"]["code"] == "INSUFFICIENT_CREDITS"
    db.run(tx, "UPDATE studio.videos SET status = 'failed' WHERE id = :id", id=video)
    assert error(me("POST", f"/api/v1/videos/{video}/retry")) == (402, "INSUFFICIENT_CREDITS")


def test_usage_tells_what_is_left(me):
    channel = me("POST", "/api/v1/channels", {"name": "Bees"}).body["channel"]["id"]
    me("POST", "/api/v1/videos/generate", {"channel_id": channel, "topic": "Bees"})

    assert me("GET", "/api/v1/users/me/usage").body["usage"] == {"videos_today": {"used": 1, "limit": 100}, "channels": {"used": 1, "limit": 10}}
