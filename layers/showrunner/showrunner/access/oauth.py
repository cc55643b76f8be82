"""OAuth 2 authorization code flow with PKCE, a state bound to the browser, and validation of ID tokens.

The browser keeps one random text in a cookie. PKCE verifier and nonce are derived from it and the state. So
the database holds only hashes, and a stolen code or state is useless in another browser. RFC 7636 (PKCE),
RFC 9700 (best practice), RFC 9207 (issuer),
https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature

from showrunner.access import tokens
from showrunner.errors import Unauthorized

# How long somebody may take at the provider's pages; a code of Google's lives as long.
SECONDS = 600
# `__Host-`: from this host alone, over TLS, for every path; no sibling domain can plant one.
COOKIE = "__Host-showrunner-oauth"
_TEXT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Person(NamedTuple):
    """A person as the provider knows them. `subject` is the provider's id, which is never reassigned.

    `owns_mailbox`: the provider runs the mailbox. Otherwise the address was theirs when it was confirmed,
    and may belong to somebody else by now.
    """

    subject: str
    email: str | None
    email_verified: bool
    name: str | None
    owns_mailbox: bool


def cookie(browser: str) -> str:
    """Return the Set-Cookie header; an empty text removes the cookie.

    SameSite=Strict works because our own page sends it, not the provider's redirect.
    """
    return (
        f"{COOKIE}={browser}; Path=/; Max-Age={SECONDS if browser else 0}; Secure; HttpOnly; SameSite=Strict"
    )


def browser_of(cookies: Sequence[str]) -> str:
    """Return the text of the browser's cookie, empty if there is none or more than one."""
    found = [value for name, _, value in (each.strip().partition("=") for each in cookies) if name == COOKIE]
    return found[0] if len(found) == 1 and _TEXT.fullmatch(found[0]) else ""


def bound(browser: str, *who: str) -> str:
    """Return the hash that binds a state to its browser and, for a connection, to user and organisation."""
    return hashlib.sha256("\n".join((browser, *who)).encode()).hexdigest()


def verifier(browser: str, state: str) -> str:
    return _derived(browser, f"verifier {state}")


def nonce(browser: str, state: str) -> str:
    return _derived(browser, f"nonce {state}")


def _derived(browser: str, text: str) -> str:
    return _encode(hmac.digest(browser.encode(), text.encode(), "sha256"))


def challenge(code_verifier: str) -> str:
    """Return the PKCE challenge by S256, the only method that hides the verifier."""
    return _encode(hashlib.sha256(code_verifier.encode()).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def person(
    id_token: str,
    keys: Callable[[str], list[dict[str, str]]],
    client_id: str,
    issuer: str,
    expected_nonce: str,
    now: float | None = None,
) -> Person:
    """Return the person of an ID token. Raises Unauthorized for a token that is not valid for this login.

    keys: returns the issuer's JWKs that may have a kid.
    """
    header, claims, signed, signature = tokens.take_apart(id_token)
    kid = header.get("kid")
    if (
        header.get("alg") != "RS256"
        or not isinstance(kid, str)
        or "crit" in header
        or not _is_signed(signed, signature, kid, keys)
    ):
        raise _refused()
    at = time.time() if now is None else now
    # Google writes its issuer with and without the scheme:
    # https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
    if (
        claims.get("iss") not in (issuer, issuer.removeprefix("https://"))
        or claims.get("aud") != client_id
        or claims.get("azp", client_id) != client_id
    ):
        raise _refused()
    if (
        any(type(claims.get(name)) is not int for name in ("iat", "exp"))
        or not claims["iat"] - tokens.SKEW_SECONDS <= at < claims["exp"] + tokens.SKEW_SECONDS
    ):
        raise _refused()
    given = claims.get("nonce")
    if not isinstance(given, str) or not given.isascii() or not hmac.compare_digest(given, expected_nonce):
        raise _refused()
    return _person(claims)


def _is_signed(
    signed: bytes, signature: bytes, kid: str, keys: Callable[[str], list[dict[str, str]]]
) -> bool:
    for key in keys(kid):
        if (
            key.get("kty") == "RSA"
            and key.get("kid") == kid
            and key.get("alg", "RS256") == "RS256"
            and key.get("use", "sig") == "sig"
        ):
            try:
                tokens.require_signature(tokens.public_key(key), signed, signature)
            except InvalidSignature:
                continue
            return True
    return False


def _person(claims: dict[str, Any]) -> Person:
    subject, email, name = claims.get("sub"), claims.get("email"), claims.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isascii():
        raise _refused()
    email = email if isinstance(email, str) else None
    # https://developers.google.com/identity/gsi/web/guides/verify-google-id-token: it is authoritative for
    # its own addresses and those of a hosted domain.
    owns_mailbox = (email or "").lower().endswith("@gmail.com") or bool(claims.get("hd"))
    # Only true itself: a text or a number is not what the provider documents.
    return Person(
        subject,
        email,
        claims.get("email_verified") is True,
        name if isinstance(name, str) else None,
        owns_mailbox,
    )


def _refused() -> Unauthorized:
    return Unauthorized("What the provider said doesn't belong to this login: begin again.")
