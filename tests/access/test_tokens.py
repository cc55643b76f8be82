"""Access tokens: compared with joserfc, and against forgeries."""

import base64
import hmac
import json
import os
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwk, jwt

from showrunner.access import roles, tokens
from showrunner.aws import sdk, ssm
from showrunner.errors import Unauthorized

ORGANISATION = "0f0e0d0c-0b0a-4908-8706-050403020100"


def encode(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def service(**change):
    return {
        **tokens.service_claims(
            "robot", ORGANISATION, ["videos:all", "internal:all"], os.environ["PLATFORM_URL"], 3600
        ),
        **change,
    }


def user(**change):
    now = int(time.time())
    claims = {
        "iss": os.environ["PLATFORM_URL"],
        "aud": "showrunner",
        "sub": str(uuid.uuid4()),
        "org": ORGANISATION,
        "role": "user",
        "jti": "j",
    }
    return claims | {"iat": now, "nbf": now, "exp": now + 3600} | change


def resigned(key, header, claims):
    """Return a correctly signed token with any header and claims."""
    signed = f"{encode(header)}.{encode(claims)}"
    private = tokens._private_key(key)
    return f"{signed}.{encode(private.sign(signed.encode(), tokens.padding.PKCS1v15(), tokens.SHA256()))}"


def header(key, **change):
    return {"alg": "RS256", "kid": key["kid"], "typ": "at+jwt", **change}


def test_a_service_token_gives_its_scopes_and_organisation(signing_key):
    identity = tokens.verify(tokens.sign(service(), signing_key))

    assert (identity.subject, identity.organisation_id, identity.role) == (
        "service:robot",
        ORGANISATION,
        "service",
    )
    assert identity.permissions == {"videos:all", "internal:all"}
    assert roles.allows(identity.permissions, "videos:read")
    assert not roles.allows(identity.permissions, "channels:read")


def test_unknown_scopes_grant_nothing(signing_key):
    identity = tokens.verify(tokens.sign(service(scope="* admin:all account:all videos:read"), signing_key))

    assert identity.permissions == {"videos:read"}


@pytest.mark.parametrize("role", ["admin", "user", "viewer"])
def test_a_users_token_gives_its_roles_permissions(signing_key, role):
    identity = tokens.verify(tokens.sign(user(role=role), signing_key))

    assert identity.permissions == roles.ROLES[role]
    assert identity.is_admin == (role == "admin")


def test_owners_and_content_owners_have_more_permissions(signing_key):
    assert roles.allows(
        tokens.verify(tokens.sign(user(owner=True), signing_key)).permissions, "organisation:write"
    )
    assert roles.allows(
        tokens.verify(tokens.sign(user(content_owner=True), signing_key)).permissions, "cms:write"
    )
    assert not roles.allows(
        tokens.verify(
            tokens.sign(user(role="viewer", content_owner=True, owner=True), signing_key)
        ).permissions,
        "cms:read",
    )


def test_joserfc_verifies_our_tokens_and_we_verify_its_tokens(signing_key):
    key = jwk.RSAKey.import_key(signing_key)
    claims = service()

    assert jwt.decode(tokens.sign(claims, signing_key), key, algorithms=["RS256"]).claims == claims
    assert (
        tokens.verify(jwt.encode(header(signing_key), claims, key, algorithms=["RS256"])).subject
        == "service:robot"
    )
    assert jwk.KeySet.import_key_set(tokens.jwk_set(signing_key)).keys[0].thumbprint() == key.thumbprint()
    assert set(tokens.jwk_set(signing_key)["keys"][0]) == {"kty", "kid", "use", "alg", "n", "e"}


BAD_HEADERS = [
    *(
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"alg": "ES256"},
        {"alg": None},
        {"alg": ["RS256"]},
    ),
    *(
        {"typ": "JWT"},
        {"typ": "mfa+jwt"},
        {"typ": "refresh+jwt"},
        {"typ": "id+jwt"},
        {"typ": None},
        {"typ": "AT+JWT"},
        {"typ": 7},
    ),
    *(
        {"kid": "unknown"},
        {"kid": ""},
        {"kid": None},
        {"kid": 7},
        {"kid": "../../etc/passwd"},
        {"kid": {"$ne": 1}},
    ),
    *(
        {"jku": "https://evil.example.com/jwks.json"},
        {"x5u": "https://evil.example.com"},
        {"x5c": ["MII"]},
        {"crit": ["exp"]},
        {"crit": []},
    ),
    *({"crit": ["b64"], "b64": False}, {"zip": "DEF"}, {"cty": "JWT"}, {"extra": 1}),
]


@pytest.mark.parametrize("change", BAD_HEADERS, ids=json.dumps)
def test_a_token_with_a_foreign_header_is_refused(signing_key, change):
    with pytest.raises(Unauthorized):
        tokens.verify(resigned(signing_key, header(signing_key, **change), service()))


def test_a_key_embedded_in_a_token_is_not_trusted(signing_key):
    other = tokens.new_key()
    for change in (
        {"jwk": tokens.jwk_set(other)["keys"][0]},
        {"jwk": tokens.jwk_set(other)["keys"][0], "kid": other["kid"]},
    ):
        with pytest.raises(Unauthorized):
            tokens.verify(resigned(other, header(signing_key, **change), service()))


def test_a_foreign_key_with_our_kid_and_a_changed_claim_are_refused(signing_key):
    other = {**tokens.new_key(), "kid": signing_key["kid"]}
    with pytest.raises(Unauthorized):
        tokens.verify(tokens.sign(service(), other))
    head, _, signature = tokens.sign(service(), signing_key).split(".")
    with pytest.raises(Unauthorized):
        tokens.verify(f"{head}.{encode(service(scope='videos:all channels:write'))}.{signature}")


def test_a_token_signed_with_our_public_key_as_hmac_secret_is_refused(signing_key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = tokens.public_key(signing_key)
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
        secret = public.public_bytes(Encoding.PEM, form)
        for algorithm, digest in (("HS256", "sha256"), ("HS512", "sha512")):
            signed = f"{encode(header(signing_key, alg=algorithm))}.{encode(service())}"
            with pytest.raises(Unauthorized):
                tokens.verify(f"{signed}.{encode(hmac.digest(secret, signed.encode(), digest))}")


def test_unsigned_tokens_are_refused(signing_key):
    head, body = encode(header(signing_key, alg="none")), encode(service())
    for token in (
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.AA",
        f"{encode(header(signing_key))}.{body}.",
    ):
        with pytest.raises(Unauthorized):
            tokens.verify(token)


# The start of the test run, which may be minutes before a test uses it.
NOW = int(time.time())
BAD_TIMES = [
    *(
        {"exp": NOW - 61},
        {"nbf": NOW + 86_400},
        {"iat": NOW + 86_400},
        {"exp": str(NOW + 60)},
        {"exp": NOW + 0.5},
        {"exp": True},
        {"exp": None},
        {"exp": 10**400},
    ),
    *({"iat": NOW + 10, "exp": NOW + 10}, {"exp": -1}, {"nbf": None}, {"iat": []}),
]
BAD_CLAIMS = [
    *(
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "others"},
        {"aud": ["showrunner"]},
        {"org": "7"},
        {"org": None},
        {"org": ORGANISATION.upper()},
    ),
    *({"jti": None}, {"jti": 7}, {"sub": None}, {"sub": ""}, {"sub": {"a": 1}}),
]


@pytest.mark.parametrize(
    "change",
    BAD_TIMES
    + BAD_CLAIMS
    + [
        {"sub": "service:"},
        {"sub": "service:" + "x" * 101},
        {"scope": None},
        {"scope": ["videos:all"]},
        {"by": "x"},
        {"by": 7},
    ],
    ids=",".join,
)
def test_a_service_token_with_a_bad_claim_is_refused(signing_key, change):
    with pytest.raises(Unauthorized):
        tokens.verify(tokens.sign(service(**change), signing_key))


@pytest.mark.parametrize(
    "change",
    [
        *(BAD_TIMES + BAD_CLAIMS),
        *(
            {"role": "root"},
            {"role": None},
            {"role": ["admin"]},
            {"sub": "someone"},
            {"exp": NOW + 86_400},
            {"family": "x"},
            {"act": 7},
            {"act": "x"},
        ),
        *({"act": str(uuid.uuid4())}, {"act": str(uuid.uuid4()), "role": "admin", "exp": NOW + 600}),
    ],
    ids=",".join,
)
def test_a_users_token_with_a_bad_claim_is_refused(signing_key, change):
    with pytest.raises(Unauthorized):
        tokens.verify(tokens.sign(user(**change), signing_key))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "org", "jti", "iat", "nbf", "exp", "scope"])
def test_a_token_without_one_of_its_claims_is_refused(signing_key, name):
    claims = service()
    del claims[name]
    with pytest.raises(Unauthorized):
        tokens.verify(tokens.sign(claims, signing_key))


def test_lifetimes_are_bounded_and_clocks_may_differ_by_a_minute(signing_key):
    year = tokens.SERVICE_SECONDS
    now = int(time.time())
    assert tokens.verify(tokens.sign(service(exp=now + year, iat=now), signing_key))
    with pytest.raises(Unauthorized):
        tokens.verify(tokens.sign(service(exp=now + year + 60, iat=now), signing_key))
    assert tokens.verify(tokens.sign(service(iat=now - 100, nbf=now - 100, exp=now - 30), signing_key))
    assert tokens.verify(tokens.sign(service(iat=now + 30, nbf=now + 30, exp=now + 90), signing_key))
    acting = tokens.verify(tokens.sign(user(act=str(uuid.uuid4()), exp=now + 1800, iat=now), signing_key))
    assert acting.actor


def test_the_error_of_an_expired_token_says_expired(signing_key):
    with pytest.raises(Unauthorized, match="expired"):
        tokens.verify(tokens.sign(service(iat=NOW - 900, nbf=NOW - 900, exp=NOW - 100), signing_key))


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "a.b.c", "a" * 5000, "[" * 4000, "€.€.€", "a.b.c.d", "=.=.=", "\x00.\x00.\x00"),
        *(
            f"{encode(b'[' * 2900)}.e30.AA",
            f"{encode(b'7')}.e30.AA",
            f"{encode(b'null')}.e30.AA",
            f"{encode(chr(0xFF).encode('latin-1'))}.e30.AA",
        ),
    ],
    ids=lambda token: token[:10],
)
def test_text_that_is_not_a_token_is_refused(signing_key, token):
    with pytest.raises(Unauthorized):
        tokens.verify(token)


def test_another_base64_spelling_of_a_valid_token_is_refused(signing_key):
    token = tokens.sign(service(), signing_key)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last base64 character of 256 bytes has two unused bits.
    for other in [token[:-1] + sign for sign in alphabet if sign != token[-1]] + [
        token + "=",
        " " + token,
        token + "\n",
    ]:
        with pytest.raises(Unauthorized):
            tokens.verify(other)


def test_two_signing_keys_are_valid_during_a_rotation(signing_key, monkeypatch):
    new = tokens.new_key()
    put = lambda document: sdk.client("ssm").put_parameter(
        Name="/showrunner/test/auth/jwks", Value=document, Type="SecureString", Overwrite=True
    )
    old = tokens.sign(service(), signing_key)
    tokens.verify(old)
    with pytest.raises(Unauthorized):
        tokens.verify(tokens.sign(service(), new))
    try:
        put(json.dumps(tokens.jwk_set(new, signing_key)))
        monkeypatch.setattr(tokens, "REFETCH_SECONDS", 0)
        assert tokens.verify(tokens.sign(service(), new))
        assert tokens.verify(old)
    finally:
        put(json.dumps(tokens.jwk_set(signing_key)))
        ssm.forget()
        tokens._source.clear()


@pytest.fixture(scope="module")
def signed(signing_key):
    return tokens.sign(service(), signing_key)


@given(place=st.integers(0, 700), sign=st.sampled_from("ABCabc019-_."))
@settings(max_examples=300, deadline=None)
def test_a_token_with_one_changed_character_is_refused(signed, place, sign):
    token = signed
    place %= len(token)
    if token[place] == sign:
        return
    with pytest.raises(Unauthorized):
        tokens.verify(token[:place] + sign + token[place + 1 :])


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_is_refused_without_another_error(signing_key, text):
    with pytest.raises(Unauthorized):
        tokens.verify(text)
