"""Google's ID tokens: signature, claims and keys; and our PKCE challenge."""

import base64
import os
import time

import pytest

from local.platforms import google as stand_in
from showrunner.access import oauth
from showrunner.platforms import google
from tests.accounts.google.calls import google_login


def test_an_id_token_with_a_wrong_claim_is_refused(world):
    now = int(time.time())
    code = stand_in.Code({"nonce": "n" * 43}, "ada@example.com", ["openid", "email"], now)
    good = stand_in.claims(world.sign_ins, os.environ["GOOGLE_URL"], code)
    keys = lambda kid: [stand_in.jwk(world.sign_ins)]

    def read(claims):
        return oauth.person(
            stand_in.sign(world.sign_ins, claims), keys, "local", os.environ["GOOGLE_URL"], "n" * 43
        )

    assert read(good).email == "ada@example.com"
    for change in (
        *(
            {"iss": "https://evil.example.com"},
            {"iss": None},
            {"aud": "another"},
            {"aud": ["local", "another"]},
            {"azp": "another"},
        ),
        *(
            {"exp": now - 61},
            {"exp": None},
            {"exp": str(now + 60)},
            {"iat": now + 3600},
            {"iat": None},
            {"exp": True},
        ),
        *(
            {"nonce": "m" * 43},
            {"nonce": "\ud800"},
            {"nonce": None},
            {"nonce": 7},
            {"sub": ""},
            {"sub": None},
            {"sub": 7},
            {"sub": "x" * 256},
        ),
    ):
        with pytest.raises(oauth.Unauthorized):
            read({**good, **change})


def test_a_forged_id_token_is_refused(world):
    from showrunner.access import tokens

    now = int(time.time())
    good = stand_in.claims(
        world.sign_ins,
        os.environ["GOOGLE_URL"],
        stand_in.Code({"nonce": "n" * 43}, "ada@example.com", ["openid", "email"], now),
    )
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
            oauth.person(
                token, lambda kid: [stand_in.jwk(world.sign_ins)], "local", os.environ["GOOGLE_URL"], "n" * 43
            )
    for keys in (
        [],
        [own],
        [{**stand_in.jwk(world.sign_ins), "use": "enc"}],
        [{**stand_in.jwk(world.sign_ins), "alg": "RS512"}],
    ):
        with pytest.raises(oauth.Unauthorized):
            oauth.person(
                f"{head}.{body}.{signature}",
                lambda kid, keys=keys: keys,
                "local",
                os.environ["GOOGLE_URL"],
                "n" * 43,
            )


def test_joserfc_verifies_the_stand_ins_id_tokens(world):
    from joserfc import jwk, jwt

    claims = stand_in.claims(
        world.sign_ins,
        os.environ["GOOGLE_URL"],
        stand_in.Code({"nonce": "n"}, "ada@example.com", ["openid"], time.time()),
    )

    assert (
        jwt.decode(
            stand_in.sign(world.sign_ins, claims),
            jwk.RSAKey.import_key(stand_in.jwk(world.sign_ins)),
            algorithms=["RS256"],
        ).claims
        == claims
    )


def test_googles_keys_are_fetched_again_but_not_for_every_unknown_kid(world, email, monkeypatch):
    assert google_login(email).status == 200
    world.sign_ins.kid = "next"
    assert google_login(email).status == 401, "the keys were fetched a moment ago"
    monkeypatch.setattr(google, "FRESH_SECONDS", 0)

    assert google_login(email).status == 200


def test_the_pkce_challenge_matches_rfc_7636():
    """The example of appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
