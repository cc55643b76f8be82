"""Access tokens of the stage's service account: what is signed, what is refused, how a key is replaced."""

import json
import os
import time

import pytest
from google.oauth2 import service_account as googles

from local import access
from showrunner.access import service_accounts, tokens
from showrunner.accounts import youtube_access
from showrunner.aws import ssm
from showrunner.errors import CredentialRejected, Disconnected
from showrunner.keys import trials
from showrunner.models import SERVICE_ACCOUNT_CONNECTION
from showrunner.platforms import google
from showrunner.platforms.google import Google
from tests.conftest import put_secrets

EMAIL = "showrunner@stage.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def keys():
    return [access.new_service_account_key(EMAIL) for _ in range(2)]


@pytest.fixture
def known(platforms, keys):
    """Let Google know both keys of the account. Returns its address."""
    google._documents.clear()
    platforms.sign_ins.service_accounts[EMAIL] = {each.key_id: each.public_key for each in keys}
    yield os.environ["GOOGLE_URL"]
    platforms.sign_ins.service_accounts.clear()


def test_a_token_has_the_scopes_of_content_owners_and_the_accounts_address(platforms, known, keys):
    token, seconds = service_accounts.access_token(known, keys[0].text)
    grant = platforms.sign_ins.access_tokens[token]
    assert (grant.email, set(grant.scopes)) == (EMAIL, set(service_accounts.SCOPES))
    assert seconds == 3599


def test_the_assertion_is_the_one_that_googles_own_library_makes(known, keys, monkeypatch):
    sent = []
    monkeypatch.setattr(Google, "exchange_assertion", lambda _, assertion: sent.append(assertion))
    service_accounts.access_token(known, keys[0].text)
    theirs = googles.Credentials.from_service_account_info(
        json.loads(keys[0].text), scopes=service_accounts.SCOPES
    )
    made = theirs._make_authorization_grant_assertion().decode()

    (header, claims, *_), (their_header, their_claims, *_) = map(tokens.take_apart, (sent[0], made))
    assert header == their_header
    # Google's own discovery document names the address that its library has built in.
    assert (claims.pop("aud"), their_claims.pop("aud")) == (
        f"{known}/token",
        "https://oauth2.googleapis.com/token",
    )
    times = ("iat", "exp")
    assert claims | dict.fromkeys(times) == their_claims | dict.fromkeys(times)


def assertion(keys, known, *, header=None, signer=0, **changes):
    now = int(time.time())
    claims = {
        "iss": EMAIL,
        "scope": google.PARTNER,
        "aud": f"{known}/token",
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    first = {"alg": "RS256", "typ": "JWT", "kid": keys[0].key_id, **(header or {})}
    account = service_accounts.read(keys[signer].text)
    return tokens.signed_jwt(first, claims, service_accounts._private_key(account))


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iss": "another@stage.iam.gserviceaccount.com"}, "account not found"),
        ({"aud": "https://oauth2.googleapis.com/another"}, "wrong audience"),
        ({"iat": NOW - 7200, "exp": NOW - 3600}, "expired"),
        ({"iat": NOW + 600, "exp": NOW + 900}, "too early"),
        ({"exp": NOW + 86_400}, "short-lived"),
        ({"exp": None}, "short-lived"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "Invalid OAuth scope"),
        ({"scope": ""}, "Invalid OAuth scope"),
        ({"signer": 1}, "Invalid JWT Signature"),
        ({"header": {"kid": "deleted"}}, "Invalid JWT Signature"),
        ({"header": {"alg": "none"}}, "Invalid JWT Signature"),
    ],
)
def test_what_google_refuses_is_refused_here_too(known, keys, changes, words):
    with pytest.raises(CredentialRejected, match=words):
        Google(known).exchange_assertion(assertion(keys, known, **changes))


@pytest.mark.parametrize("text", ["local", "{}", '{"type": "authorized_user"}', "[]"])
def test_a_key_that_is_none_says_what_to_store(text):
    with pytest.raises(CredentialRejected, match="jq -c"):
        service_accounts.read(text)


def test_a_key_is_tried_before_it_is_used_and_both_are_valid_while_it_is_replaced(platforms, known, keys):
    youtube_access._service_tokens.clear()
    put_secrets({service_accounts.SECRET: keys[0].text})
    first = youtube_access.access_token(SERVICE_ACCOUNT_CONNECTION, "any")
    assert youtube_access.access_token(SERVICE_ACCOUNT_CONNECTION, "any") == first

    trials.try_key(service_accounts.SECRET, keys[1].text)
    put_secrets({service_accounts.SECRET: keys[1].text})
    second = youtube_access.access_token(SERVICE_ACCOUNT_CONNECTION, "any")
    assert second != first
    assert {first, second} <= platforms.sign_ins.access_tokens.keys()

    # Somebody deletes the old key at Google; an environment that has it cached reads the new one.
    del platforms.sign_ins.service_accounts[EMAIL][keys[0].key_id]
    with pytest.raises(CredentialRejected, match="Invalid JWT Signature"):
        trials.try_key(service_accounts.SECRET, keys[0].text)
    youtube_access._service_tokens.clear()
    ssm._secrets[service_accounts.SECRET] = (time.monotonic(), keys[0].text)
    assert youtube_access.access_token(SERVICE_ACCOUNT_CONNECTION, "any")
    ssm.remove(service_accounts.SECRET)
    ssm.forget()


def test_without_a_key_the_answer_says_who_stores_it(platforms):
    ssm.forget()
    with pytest.raises(Disconnected, match="a platform admin stores the key"):
        youtube_access.access_token(SERVICE_ACCOUNT_CONNECTION, "any")
