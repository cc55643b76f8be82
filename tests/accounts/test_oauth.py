"""functions/accounts: logging in and connecting through Google, against the stand-in for Google over HTTP, and everything that somebody may try on the way."""

import base64
import os
import time
import uuid
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, build_opener

import pyotp
import pytest

from functions.accounts import app
from local.platforms import google as stand_in
from showrunner import connections, db, state
from showrunner.access import oauth
from showrunner.errors import CredentialRejected
from showrunner.platforms import google
from showrunner.store import accounts
from tests.accounts.test_accounts import ANYONE, OTHER, PASSWORD, error, log_in, mailed, token_in
from tests.conftest import Client, in_threads, put_secrets

BACK = "http://localhost:5173/oauth"
START, LOGIN = "/api/v1/auth/oauth/google/start", "/api/v1/auth/oauth/google"
CONNECT_START, CONNECT = "/api/v1/auth/oauth/youtube/start", "/api/v1/auth/oauth/youtube"


class NoRedirect(HTTPErrorProcessor):
    def http_response(self, request, response):
        return response


class Begun(NamedTuple):
    """A login on its way, as the browser holds it."""

    url: str
    cookie: str
    state: str

    @property
    def asked(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


@pytest.fixture
def world(platforms):
    return platforms


@pytest.fixture(autouse=True)
def stage(signing_key, tx, world, monkeypatch):
    monkeypatch.setenv("OAUTH_REDIRECTS", f"{BACK},https://app.example.com/oauth")
    put_secrets({"google/client_id": "local", "google/client_secret": "local"})
    world.sign_ins.people.clear()
    google._documents.clear()
    yield
    state.remove("breaker#google", "state")


@pytest.fixture
def email(monkeypatch):
    monkeypatch.setattr(app, "LETTER_SECONDS", 0)
    return f"{uuid.uuid4().hex[:12]}@gmail.com"


def begin(path=START, client=ANYONE, **query):
    told = client("GET", f"{path}?{urlencode(query)}" if query else path)
    assert told.status == 200, told
    return Begun(told.body["authorization_url"], told.headers["set-cookie"].partition(";")[0], told.body["state"])


def agree(begun, email, **more):
    """What the person does on Google's page; gives what comes back to the redirect_uri."""
    with build_opener(NoRedirect).open(f"{begun.url}&{urlencode({'as': email, **more})}") as answer:
        assert answer.status == 302, answer.read()
        back = answer.headers["location"]
    assert back.startswith(begun.asked["redirect_uri"])
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def finish(begun, returned, path=LOGIN, client=ANYONE, cookie=None, **more):
    body = {name: returned[name] for name in ("code", "state") if name in returned}
    return client("POST", path, {**body, **more}, cookie=begun.cookie if cookie is None else cookie)


def google_login(email, **more):
    begun = begin()
    return finish(begun, agree(begun, email), **more)


@pytest.fixture
def member(aws, email):
    """Somebody with a confirmed account and a password."""
    told = Client(address="203.0.113.77")("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada Test"})
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, email))})
    return told.body["user_id"]


@pytest.fixture
def me(member, email):
    pair = log_in(email).body
    return Client(pair["access_token"], pair["user"]["organisation_id"])


# Logging in


def test_what_google_is_asked_is_proof_against_interception():
    told = ANYONE("GET", START)
    begun = begin()

    asked = begun.asked
    assert asked["scope"].split() == ["openid", "email", "profile"]
    assert (asked["response_type"], asked["code_challenge_method"], asked["redirect_uri"]) == ("code", "S256", BACK)
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    attributes = told.headers["set-cookie"].split("; ")
    assert attributes[0].startswith("__Host-showrunner-oauth=")
    assert attributes[1:] == ["Path=/", "Max-Age=600", "Secure", "HttpOnly", "SameSite=Strict"]
    assert begun.cookie.partition("=")[2] not in begun.url
    assert told.headers["cache-control"] == "no-store"
    assert ANYONE("GET", START, if_none_match="*").status == 200


def test_nothing_that_the_database_keeps_of_a_login_opens_it(tx):
    begun = begin()

    row = str(db.rows(tx, "SELECT * FROM access.oauth_states"))

    assert begun.state not in row
    assert begun.cookie.partition("=")[2] not in row
    assert begun.asked["nonce"] not in row
    left = db.value(tx, "SELECT extract(epoch FROM expires_at - now())::integer FROM access.oauth_states")
    assert 0 < left <= 600


def test_a_new_person_logs_in_with_google_and_has_a_confirmed_account(tx, world, email):
    world.sign_ins.people[email] = {"name": "Ada \u202eLovelace\n"}

    told = google_login(email.upper())

    assert told.status == 200, told
    assert told.body["user"]["email"] == email
    assert "Max-Age=0" in told.headers["set-cookie"]
    profile = Client(told.body["access_token"])("GET", "/api/v1/users/me").body["user"]
    assert (profile["verified"], profile["full_name"]) == (True, "Ada Lovelace")
    again = google_login(email)
    assert again.body["user"]["id"] == told.body["user"]["id"]
    assert db.value(tx, "SELECT count(*) FROM accounts.identities WHERE user_id = :id", id=told.body["user"]["id"]) == 1


def test_a_confirmed_account_is_linked_and_its_password_goes_on_working(member, email):
    told = google_login(email)

    assert told.body["user"]["id"] == member
    assert log_in(email).status == 200
    export = Client(told.body["access_token"])("GET", "/api/v1/users/me/export").body
    assert [each["provider"] for each in export["identities"]] == ["google"]
    assert {"link", "login"} <= {each["action"] for each in export["audit"]}


def test_who_registered_an_address_that_is_not_theirs_waits_for_its_owner_in_vain(aws, tx, email):
    """Pre-hijacking: the impostor knows the password; the owner comes through Google and must not be let into the impostor's account."""
    Client(address="203.0.113.78")("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Impostor"})

    told = google_login(email)

    assert error(told) == (409, "CONFLICT")
    assert "reset its password" in told.body["error"]["message"]
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 0
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})
    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER})
    assert google_login(email).status == 200, "the owner has proved it by the letter"
    assert log_in(email).status == 401, "and the impostor's password is gone"


@pytest.mark.parametrize(("hd", "expected"), [(None, 409), ("", 409), ("example.com", 200)])
def test_google_links_only_addresses_whose_mailboxes_it_runs(aws, tx, world, hd, expected):
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="203.0.113.83")("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada Test"})
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, email))})
    world.sign_ins.people[email] = {"hd": hd}

    told = google_login(email)

    assert told.status == expected
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == (expected == 200)
    assert expected == 200 or "log in with the password" in told.body["error"]["message"]
    assert log_in(email).status == 200


def test_a_sign_that_only_looks_like_a_k_is_nobodys_address(world):
    world.sign_ins.people["odd@gmail.com"] = {"email": "\u212aate@gmail.com"}

    assert error(google_login("odd@gmail.com")) == (400, "VALIDATION_ERROR")


def test_the_first_login_with_google_ends_the_others_and_is_told_by_letter(aws, me, email):
    assert google_login(email).status == 200

    assert me("GET", "/api/v1/users/me").status == 401
    assert "Google opens your account now" in str(mailed(aws, email))
    second = Client(log_in(email).body["access_token"])
    assert google_login(email).status == 200
    assert second("GET", "/api/v1/users/me").status == 200, "only the first"


@pytest.mark.parametrize("claimed", [False, None, "true", 1])
def test_an_address_that_google_has_not_confirmed_links_and_makes_nothing(tx, world, member, email, claimed):
    world.sign_ins.people[email] = {"email_verified": claimed}
    other = f"new-{email}"
    world.sign_ins.people[other] = {"email_verified": claimed}

    assert error(google_login(email)) == (403, "INSUFFICIENT_PERMISSIONS")
    assert error(google_login(other)) == (403, "INSUFFICIENT_PERMISSIONS")

    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 0
    assert db.value(tx, "SELECT count(*) FROM accounts.users WHERE email = :e", e=other) == 0


def test_a_linked_account_is_known_by_googles_id_and_not_by_its_address(world, member, email):
    assert google_login(email).status == 200
    world.sign_ins.people["moved@example.org"] = {"sub": stand_in.claims(world.sign_ins, "", code_of(email))["sub"], "email_verified": False}

    assert google_login("moved@example.org").body["user"]["id"] == member

    world.sign_ins.people[email] = {"sub": "another-person-who-took-over-the-address"}
    assert error(google_login(email)) == (409, "CONFLICT"), "the address alone opens nothing"


def code_of(email):
    return stand_in.Code({}, email, ["openid"], time.time())


def test_an_address_that_we_would_not_register_is_refused(world):
    world.sign_ins.people["odd@example.com"] = {"email": 'a"b@example.com'}

    assert error(google_login("odd@example.com")) == (400, "VALIDATION_ERROR")


def test_who_has_no_password_is_told_how_to_get_one(email):
    me = Client(google_login(email).body["access_token"])

    told = me("DELETE", "/api/v1/users/me", {"password": PASSWORD})

    assert error(told) == (400, "VALIDATION_ERROR")
    assert "has no password yet" in told.body["error"]["message"]
    assert log_in(email).status == 401


# The second factor


@pytest.fixture
def totp(me):
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    me("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()})
    return pyotp.TOTP(secret)


def test_googles_word_does_not_replace_the_second_factor_and_links_nothing_without_it(tx, totp, member, email):
    begun = begin()
    returned = agree(begun, email)

    assert error(finish(begun, returned)) == (401, "AUTH_REQUIRED")
    assert error(finish(begun, {"state": returned["state"]}, mfa_code="000000")) == (401, "INVALID_CREDENTIALS")
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 0
    told = finish(begun, {"state": returned["state"]}, mfa_code=totp.at(time.time() + 30))

    assert told.body["user"]["id"] == member
    assert db.value(tx, "SELECT count(*) FROM accounts.identities") == 1
    assert error(finish(begun, returned, mfa_code=totp.now())) == (400, "VALIDATION_ERROR"), "the state is spent"


def test_guessing_the_second_factor_behind_google_locks_like_a_login(totp, email):
    begun = begin()
    returned = agree(begun, email)

    told = [finish(begun, returned, mfa_code=f"00000{n}", client=Client(address=f"203.0.113.{n}")) for n in range(6)]

    assert [error(each) for each in told] == [(401, "INVALID_CREDENTIALS")] * 5 + [(429, "ACCOUNT_LOCKED")]
    assert log_in(email, mfa_code="000009", address="203.0.113.9").status == 429, "it is one count for both ways in"


def test_a_login_that_waits_for_the_second_factor_ends_with_its_ten_minutes(tx, totp, email):
    begun = begin()
    returned = agree(begun, email)
    finish(begun, returned)
    db.run(tx, "UPDATE access.oauth_states SET expires_at = now() - interval '1 second'")

    assert error(finish(begun, returned, mfa_code=totp.at(time.time() + 30))) == (400, "VALIDATION_ERROR")


# What somebody may try on the way


def test_a_login_begun_in_another_browser_is_not_finished_in_this_one(email):
    """Login CSRF: the attacker's own code and state, sent by the victim's browser, must not log the victim in as the attacker."""
    attacker, victim = begin(), begin()
    returned = agree(attacker, email)

    for cookie in ("", victim.cookie, "__Host-showrunner-oauth=", f"{attacker.cookie}; {victim.cookie}", attacker.cookie[:-1], attacker.cookie + "A"):
        told = finish(attacker, returned, cookie=cookie)
        assert error(told) == (400, "VALIDATION_ERROR"), cookie
    assert finish(attacker, returned).status == 200, "and nothing of that has spent it"


def test_a_state_works_once(email):
    begun = begin()
    returned = agree(begun, email)

    assert [finish(begun, returned).status for _ in range(3)] == [200, 400, 400]


def test_of_many_who_bring_the_same_state_at_once_one_gets_in(email):
    (begun,) = in_threads(1, lambda _: begin())
    returned = agree(begun, email)

    told = in_threads(4, lambda _: finish(begun, returned).status)

    # Threads have transactions of their own: what they leave would be counted by the tests that follow.
    in_threads(1, lambda _: forget(email))
    assert sorted(told) == [200, 400, 400, 400]


def forget(email):
    with db.transaction() as own:
        db.run(own, "DELETE FROM accounts.users WHERE email = :email", email=email)


def test_a_state_that_is_made_up_or_too_old_is_refused(tx, email):
    begun = begin()
    returned = agree(begun, email)

    assert finish(begun, {**returned, "state": "A" * 43}).status == 400
    assert finish(begun, {**returned, "state": "x"}).status == 400
    db.run(tx, "UPDATE access.oauth_states SET expires_at = now() - interval '1 second'")
    assert error(finish(begun, returned)) == (400, "VALIDATION_ERROR")


def test_a_code_that_was_stolen_elsewhere_is_worth_nothing(email):
    """Code injection: a victim's code in the attacker's own login. The verifier is another, so Google refuses it."""
    victim, attacker = begin(), begin()
    stolen = agree(victim, email)

    told = finish(attacker, {"code": stolen["code"], "state": attacker.state})

    assert error(told) == (400, "VALIDATION_ERROR")
    assert [each["field"] for each in told.body["error"]["details"]] == ["code"]


def test_a_proof_that_was_taken_out_on_the_way_is_missed(email):
    """PKCE downgrade: whoever removes the challenge from the address, or weakens its method, gets a code that our verifier doesn't fit."""
    for change in ({"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}):
        begun = begin()
        asked = {name: value for name, value in {**begun.asked, **change}.items() if value is not None}
        changed = begun._replace(url=f"{begun.url.partition('?')[0]}?{urlencode(asked)}")

        assert error(finish(begun, agree(changed, email))) == (400, "VALIDATION_ERROR")


def test_an_id_token_of_another_login_is_refused(email):
    """By its nonce, where the proof of possession was bent to fit."""
    begun = begin()
    changed = begun._replace(url=begun.url.replace(begun.asked["nonce"], "B" * 43))

    assert error(finish(begun, agree(changed, email))) == (401, "INVALID_TOKEN")


def test_one_providers_state_is_not_anothers(me, email):
    """Mix-up: a connection's code is no login, and a login's is no connection."""
    connection, login = begin(CONNECT_START, me), begin()

    assert error(finish(connection, agree(connection, email))) == (400, "VALIDATION_ERROR")
    assert error(finish(login, agree(login, email), CONNECT, me)) == (400, "VALIDATION_ERROR")


def test_an_issuer_that_is_not_googles_is_refused(world, email):
    begun = begin()
    assert error(finish(begun, agree(begun, email), iss="https://evil.example.com")) == (400, "VALIDATION_ERROR")
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
def test_a_login_returns_to_listed_pages_only(address):
    told = ANYONE("GET", f"{START}?{urlencode({'redirect_uri': address})}")

    assert told.status == 400
    assert "set-cookie" not in told.headers
    assert begin(redirect_uri="https://app.example.com/oauth").asked["redirect_uri"] == "https://app.example.com/oauth"


def test_starting_and_finishing_are_limited_by_address(email):
    client = Client(address="203.0.113.99")

    assert [client("GET", START).status for _ in range(21)] == [200] * 20 + [429]
    assert [client("POST", LOGIN, {"state": "A" * 43, "code": "x"}).status for _ in range(21)] == [400] * 20 + [429]


# ID tokens


def test_only_what_google_signed_for_us_and_now_is_believed(world):
    now = int(time.time())
    code = stand_in.Code({"nonce": "n" * 43}, "ada@example.com", ["openid", "email"], now)
    good = stand_in.claims(world.sign_ins, os.environ["GOOGLE_URL"], code)
    keys = lambda kid: [stand_in.jwk(world.sign_ins)]

    def read(claims):
        return oauth.person(stand_in.sign(world.sign_ins, claims), keys, "local", os.environ["GOOGLE_URL"], "n" * 43)

    assert read(good).email == "ada@example.com"
    for change in (
        *({"iss": "https://evil.example.com"}, {"iss": None}, {"aud": "another"}, {"aud": ["local", "another"]}, {"azp": "another"}),
        *({"exp": now - 61}, {"exp": None}, {"exp": str(now + 60)}, {"iat": now + 3600}, {"iat": None}, {"exp": True}),
        *({"nonce": "m" * 43}, {"nonce": "\ud800"}, {"nonce": None}, {"nonce": 7}, {"sub": ""}, {"sub": None}, {"sub": 7}, {"sub": "x" * 256}),
    ):
        with pytest.raises(oauth.Unauthorized):
            read({**good, **change})


def test_a_forged_id_token_is_refused(world):
    from showrunner.access import tokens

    now = int(time.time())
    good = stand_in.claims(world.sign_ins, os.environ["GOOGLE_URL"], stand_in.Code({"nonce": "n" * 43}, "ada@example.com", ["openid", "email"], now))
    head, body, signature = stand_in.sign(world.sign_ins, good).split(".")
    own = tokens.jwk_set(tokens.new_key())["keys"][0]

    def encode(text):
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    other = stand_in.Accounts(kid=world.sign_ins.kid)
    forged = [
        stand_in.sign(other, good),
        f"{head}.{encode('{}')}.{signature}",
        f"{encode('{"alg":"none"}')}.{body}.{signature}",
        f"{encode(f'{{"alg":"HS256","kid":"{world.sign_ins.kid}"}}')}.{body}.{signature}",
        f"{encode('{"alg":"RS256"}')}.{body}.{signature}",
        f"{encode(f'{{"alg":"RS256","kid":"{world.sign_ins.kid}","crit":["x"]}}')}.{body}.{signature}",
        "a.b.c",
        "",
        "x" * 10_000,
    ]
    for token in forged:
        with pytest.raises(oauth.Unauthorized):
            oauth.person(token, lambda kid: [stand_in.jwk(world.sign_ins)], "local", os.environ["GOOGLE_URL"], "n" * 43)
    for keys in ([], [own], [{**stand_in.jwk(world.sign_ins), "use": "enc"}], [{**stand_in.jwk(world.sign_ins), "alg": "RS512"}]):
        with pytest.raises(oauth.Unauthorized):
            oauth.person(f"{head}.{body}.{signature}", lambda kid, keys=keys: keys, "local", os.environ["GOOGLE_URL"], "n" * 43)


def test_joserfc_reads_the_stand_ins_tokens_as_we_do(world):
    from joserfc import jwk, jwt

    claims = stand_in.claims(world.sign_ins, os.environ["GOOGLE_URL"], stand_in.Code({"nonce": "n"}, "ada@example.com", ["openid"], time.time()))

    assert jwt.decode(stand_in.sign(world.sign_ins, claims), jwk.RSAKey.import_key(stand_in.jwk(world.sign_ins)), algorithms=["RS256"]).claims == claims


def test_a_key_that_google_changed_is_fetched_anew_but_not_for_every_forger(world, email, monkeypatch):
    assert google_login(email).status == 200
    world.sign_ins.kid = "next"
    assert google_login(email).status == 401, "the keys were fetched a moment ago"
    monkeypatch.setattr(google, "FRESH_SECONDS", 0)

    assert google_login(email).status == 200


# Google as it can be


def test_a_google_that_is_away_costs_a_502_and_then_no_waiting(monkeypatch, email):
    begun = begin()
    returned = agree(begun, email)
    google._documents.clear()
    monkeypatch.setenv("GOOGLE_URL", "http://127.0.0.1:9")

    assert [error(ANYONE("GET", START)) for _ in range(state.FAILURES)] == [(502, "UPSTREAM_ERROR")] * state.FAILURES
    told = ANYONE("GET", START)
    assert error(told) == (502, "UPSTREAM_ERROR")
    assert int(told.headers["retry-after"]) == state.PAUSE_SECONDS
    assert error(finish(begun, returned)) == (502, "UPSTREAM_ERROR")


def test_a_wrong_client_secret_says_where_the_right_one_belongs(email):
    put_secrets({"google/client_secret": "wrong"})

    told = google_login(email)

    assert error(told) == (502, "UPSTREAM_ERROR")
    assert "google/client_secret" in told.body["error"]["message"]
    assert "wrong" not in str(told.body)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example.com"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "ftp://accounts.example.com/auth"},
        {"authorization_endpoint": ["http://127.0.0.1"]},
    ],
)
def test_a_discovery_document_that_leads_elsewhere_is_not_followed(httpserver, monkeypatch, document):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(google.DISCOVERY).respond_with_json({**stand_in.discovery(base), **document})
    monkeypatch.setenv("GOOGLE_URL", base)

    assert error(ANYONE("GET", START)) == (502, "UPSTREAM_ERROR")


@pytest.mark.parametrize("status", [200, 301, 500])
def test_an_answer_that_no_google_gives_is_no_500(httpserver, monkeypatch, status):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(google.DISCOVERY).respond_with_data("<html>" * 20_000, status=status, headers={"location": f"{base}/elsewhere"})
    monkeypatch.setenv("GOOGLE_URL", base)

    assert error(ANYONE("GET", START)) == (502, "UPSTREAM_ERROR")


# Connecting a YouTube account


def connect(me, email, **more):
    begun = begin(CONNECT_START, me)
    return finish(begun, agree(begun, email, **more), CONNECT, me)


def test_a_youtube_account_is_connected_and_its_token_lies_sealed(tx, world, me, email):
    begun = begin(CONNECT_START, me)
    assert begun.asked["scope"].split() == list(google.YOUTUBE)
    assert (begun.asked["access_type"], begun.asked["prompt"]) == ("offline", "consent")

    told = finish(begun, agree(begun, "channel@example.com"), CONNECT, me)

    assert told.status == 200, told
    connection = told.body["connection"]
    assert connection["missing_scopes"] == []
    assert connection["scopes"] == sorted(google.YOUTUBE[1:])
    kept = state.find(f"connection#{connection['id']}", "tokens")
    token = connections.find(connection["id"], me.organisation_id)
    assert token in world.sign_ins.refresh_tokens
    assert token.encode() not in kept["refresh_token"]
    assert token not in str(db.rows(tx, "SELECT * FROM accounts.connections"))
    assert token not in str(told.body)


def test_a_sealed_token_opens_in_its_own_row_only(me):
    first, second = (connect(me, f"{name}@example.com").body["connection"]["id"] for name in ("one", "two"))
    item = state.find(f"connection#{first}", "tokens")
    state.put(f"connection#{second}", "tokens", item)

    with pytest.raises(CredentialRejected):
        connections.find(second, me.organisation_id)
    with pytest.raises(CredentialRejected):
        connections.find(first, str(uuid.uuid4()))


def test_the_same_account_connected_again_is_the_same_connection(tx, me):
    told = [connect(me, "channel@example.com").body["connection"]["id"] for _ in range(2)]

    assert told[0] == told[1]
    assert db.value(tx, "SELECT count(*) FROM accounts.connections") == 1


def test_only_content_owners_are_asked_for_the_partners_permission(tx, me):
    assert google.PARTNER not in begin(CONNECT_START, me).asked["scope"]
    accounts.save_content_owner(tx, me.organisation_id, content_owner=True)

    assert google.PARTNER in begin(CONNECT_START, me).asked["scope"].split()

    begun = begin(CONNECT_START, me)
    returned = agree(begun, "partner@example.com")
    accounts.save_content_owner(tx, me.organisation_id, content_owner=False)
    assert error(finish(begun, returned, CONNECT, me)) == (400, "VALIDATION_ERROR"), "the mark was taken back meanwhile"


def test_a_permission_that_was_widened_on_the_way_is_not_kept(tx, me):
    begun = begin(CONNECT_START, me)
    widened = begun._replace(url=begun.url.replace("yt-analytics.readonly", f"yt-analytics.readonly+{google.PARTNER}"))

    assert error(finish(begun, agree(widened, "channel@example.com"), CONNECT, me)) == (400, "VALIDATION_ERROR")
    assert db.value(tx, "SELECT count(*) FROM accounts.connections") == 0


def test_a_box_that_was_unticked_is_told(me):
    upload = google.YOUTUBE[1]

    assert connect(me, "channel@example.com", without=upload).body["connection"]["missing_scopes"] == [upload]
    assert connect(me, "channel@example.com", without=" ".join(google.YOUTUBE[1:])).status == 400


def test_somebody_elses_connection_is_not_finished(aws, me, email):
    """Session swapping: a victim's browser and session must not take in the attacker's account, nor another member's."""
    other = f"other-{email}"
    Client(address="203.0.113.79")("POST", "/api/v1/auth/register", {"email": other, "password": PASSWORD, "full_name": "Eve"})
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, other))})
    eve = Client(log_in(other).body["access_token"])
    begun = begin(CONNECT_START, eve)
    returned = agree(begun, "eve@example.com")

    assert error(finish(begun, returned, CONNECT, me)) == (400, "VALIDATION_ERROR")
    assert error(finish(begun, returned, CONNECT, me, cookie="")) == (400, "VALIDATION_ERROR")
    assert finish(begun, returned, CONNECT, eve).status == 200


def test_an_account_that_nobody_confirmed_connects_nothing(email):
    """Else an impostor's channel would wait for the videos of the address's owner."""
    Client(address="203.0.113.82")("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Impostor"})
    impostor = Client(log_in(email).body["access_token"])

    assert error(impostor("GET", CONNECT_START)) == (403, "EMAIL_NOT_VERIFIED")
    assert error(impostor("POST", CONNECT, {"state": "A" * 43, "code": "x"})) == (403, "EMAIL_NOT_VERIFIED")


def test_services_viewers_and_admins_in_disguise_connect_nothing(service, tx, me, member):
    assert service(me.organisation_id, "channels:write")("GET", CONNECT_START).status == 403
    assert ANYONE("GET", CONNECT_START).status == 401
    db.run(tx, "UPDATE accounts.members SET role = 'viewer' WHERE user_id = :id", id=member)
    assert me("GET", CONNECT_START).status == 403
    assert me("POST", CONNECT, {"state": "A" * 43, "code": "x"}).status == 403


def test_an_erased_persons_accounts_are_revoked_and_forgotten(tx, world, me, member, email):
    me = Client(google_login(email).body["access_token"], me.organisation_id)
    connection = connect(me, "channel@example.com").body["connection"]["id"]
    token = connections.find(connection, me.organisation_id)

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200

    assert token not in world.sign_ins.refresh_tokens
    assert state.find(f"connection#{connection}", "tokens") is None
    assert db.value(tx, "SELECT count(*) FROM accounts.connections WHERE connected_by = :id", id=member) == 0
    assert db.value(tx, "SELECT count(*) FROM accounts.identities WHERE user_id = :id", id=member) == 0
    assert google_login(email).body["user"]["id"] != member, "whoever comes again is somebody new"


def test_an_erasure_does_not_wait_for_google(monkeypatch, me):
    connection = connect(me, "channel@example.com").body["connection"]["id"]
    google._documents.clear()
    monkeypatch.setenv("GOOGLE_URL", "http://127.0.0.1:9")

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200
    assert state.find(f"connection#{connection}", "tokens") is None


# Every kind of token in every place


@pytest.fixture
def every_token(aws, tx, signing_key, world, me, email):
    """One of each kind that we or Google give out, each good where it belongs."""
    pair = log_in(email).body
    admin_email = f"admin-{email}"
    Client(address="203.0.113.80")("POST", "/api/v1/auth/register", {"email": admin_email, "password": PASSWORD, "full_name": "Boss"})
    verify = token_in(mailed(aws, admin_email))
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE email = :email", email=admin_email)
    admin = Client(log_in(admin_email).body["access_token"])
    guest = f"guest-{email}"
    me("POST", f"/api/v1/organisations/{me.organisation_id}/members", {"email": guest})
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})
    begun = begin()
    return begun, {
        "access": pair["access_token"],
        "refresh": pair["refresh_token"],
        "acting": admin("POST", f"/api/v1/admin/users/{pair['user']['id']}/impersonate").body["access_token"],
        "service": me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}).body["token"],
        "api key": me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]}).body["key"],
        "ticket": me("POST", "/api/v1/live/tickets").body["ticket"],
        "verify": verify,
        "invitation": token_in(mailed(aws, guest)),
        "reset": token_in(mailed(aws, email)),
        "state": begun.state,
        "browser": begun.cookie.partition("=")[2],
        "code": agree(begun, email)["code"],
        "google": stand_in.sign(world.sign_ins, stand_in.claims(world.sign_ins, os.environ["GOOGLE_URL"], code_of(email))),
    }


# Where each is good; everywhere else it is nothing.
GOOD = {
    "a person's bearer": {"access", "acting"},
    "anyone's bearer": {"access", "acting", "service"},
    "refresh": {"refresh"},
    "verify": {"verify"},
    "reset": {"reset"},
    "invitation": set(),
    "state": set(),
    "code": set(),
}


def test_every_kind_of_token_opens_its_own_place_and_no_other(every_token, monkeypatch):
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100")
    begun, known = every_token
    places = {
        "a person's bearer": lambda text: Client(text)("GET", "/api/v1/users/me"),
        "anyone's bearer": lambda text: Client(text)("GET", "/api/v1/videos"),
        "refresh": lambda text: ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": text}),
        "verify": lambda text: ANYONE("POST", "/api/v1/auth/verify", {"token": text}),
        "invitation": lambda text: Client(address="203.0.113.81")(
            "POST", "/api/v1/auth/register", {"email": "else@example.com", "password": OTHER, "full_name": "Eve", "invitation": text}
        ),
        "state": lambda text: finish(begin(), {"code": known["code"], "state": text}),
        "code": lambda text: finish(fresh := begin(), {"code": text, "state": fresh.state}),
        "reset": lambda text: ANYONE("POST", "/api/v1/auth/password/reset", {"token": text, "password": OTHER}),
    }
    # What is good comes last in each place, and the reset, which ends every session, last of all.
    order = [(place, kind) for place in places for kind in sorted(known, key=lambda kind: kind in GOOD[place])]
    told = {(place, kind): places[place](known[kind]).status for place, kind in order}

    assert {key for key, status in told.items() if status < 300} == {(place, kind) for place, kinds in GOOD.items() for kind in kinds}
    assert {status for (place, kind), status in told.items() if kind not in GOOD[place]} == {400, 401, 403}
    assert finish(begun, {"code": agree(begun, "another@example.com")["code"], "state": begun.state}).status == 200, (
        "code and state of one login, in its browser"
    )


def test_an_unknown_provider_is_not_there(me):
    assert [me("GET", "/api/v1/auth/oauth/facebook/start").status, me("POST", "/api/v1/auth/oauth/facebook", {}).status] == [404, 404]


def test_the_challenge_is_that_of_rfc_7636():
    """Its appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
