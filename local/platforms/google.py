"""Google's sign-in: discovery, a page to choose an account and channel, tokens for codes, keys, revocation.

The page asks for an email address and plays that person. For tests, `as=<address>` in its query answers at
once, and `without=<scopes>` leaves scopes out. `channel=<id>` chooses one of the account's channels, but only
if the request shows the picker (prompt=select_account): otherwise the account's default channel is taken, as
Google does. It checks what Google checks: client and secret, the redirect_uri of the request, one use of a
code within ten minutes, PKCE. https://developers.google.com/identity/protocols/oauth2/web-server

A service account gets a token for a JWT, which is verified by google-auth: signature, audience and times.
https://developers.google.com/identity/protocols/oauth2/service-account
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from google.auth import jwt as google_jwt
from google.auth.exceptions import GoogleAuthError, InvalidValue

from local.platforms.http import Reply, Request

CODE_SECONDS = 600
DISCOVERY, AUTHORIZE, TOKEN, KEYS, REVOKE = (
    "/.well-known/openid-configuration",
    "/o/oauth2/v2/auth",
    "/token",
    "/oauth2/v3/certs",
    "/revoke",
)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 3600
# The scopes of the APIs that this process stands in for and that a service account can be used with.
SERVICE_SCOPES = {
    f"https://www.googleapis.com/auth/{name}"
    for name in (
        "youtube",
        "youtube.force-ssl",
        "youtube.readonly",
        "youtube.upload",
        "youtubepartner",
        "yt-analytics.readonly",
        "yt-analytics-monetary.readonly",
    )
}
GET_PATHS = {DISCOVERY, AUTHORIZE, KEYS}
POST_PATHS = {TOKEN, REVOKE}


@dataclass(frozen=True)
class Code:
    """An authorization code: the request, and the person and scopes that were chosen on the page."""

    query: dict[str, str]
    email: str
    scopes: list[str]
    given_at: float
    channel: str = ""


@dataclass(frozen=True)
class Grant:
    """The account and scopes of a token. `channel` is the chosen one, empty for the default one."""

    email: str
    scopes: list[str]
    channel: str = ""


@dataclass
class Accounts:
    """`people`: address -> claims that differ from the usual ones (sub, name, email_verified)."""

    client_id: str = "local"
    client_secret: str = "local"  # noqa: S105 - the launcher's default
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    # Revoked tokens are removed.
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    # Address of a service account -> id of its key -> public key (PEM).
    service_accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    kid: str = field(default_factory=lambda: secrets.token_hex(8))
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)

    def key(self) -> rsa.RSAPrivateKey:
        """Return the signing key. Made at first use, since it takes a tenth of a second."""
        if self.kid not in self.keys:
            self.keys[self.kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.keys[self.kid]


class Refused(Exception):
    def __init__(self, status: int, error: str, words: str) -> None:
        super().__init__(words)
        self.reply = Reply.json({"error": error, "error_description": words}, status)


def answer(accounts: Accounts, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't one of Google's."""
    if request.path not in (POST_PATHS if request.method == "POST" else GET_PATHS):
        return None
    try:
        if request.path == DISCOVERY:
            return Reply.json(discovery(request.base), headers={"cache-control": "public, max-age=3600"})
        if request.path == KEYS:
            return Reply.json({"keys": [jwk(accounts)]}, headers={"cache-control": "public, max-age=20000"})
        if request.path == AUTHORIZE:
            return authorize(accounts, request.query)
        if request.path == REVOKE:
            return revoke(accounts, request.form)
        return Reply.json(token(accounts, request.base, request.form), headers={"cache-control": "no-store"})
    except Refused as refused:
        return refused.reply


def discovery(base: str) -> dict[str, Any]:
    return {
        "issuer": base,
        "authorization_endpoint": base + AUTHORIZE,
        "token_endpoint": base + TOKEN,
        "revocation_endpoint": base + REVOKE,
        "jwks_uri": base + KEYS,
        "code_challenge_methods_supported": ["plain", "S256"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def jwk(accounts: Accounts) -> dict[str, str]:
    numbers = accounts.key().public_key().public_numbers()
    return {
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "kid": accounts.kid,
        "n": _number(numbers.n),
        "e": _number(numbers.e),
    }


def authorize(accounts: Accounts, query: dict[str, str]) -> Reply:
    missing = [name for name in ("client_id", "redirect_uri", "scope", "state") if not query.get(name)]
    if missing or query.get("response_type") != "code":
        raise Refused(400, "invalid_request", f"Missing: {', '.join(missing) or 'response_type=code'}")
    if query["client_id"] != accounts.client_id:
        raise Refused(401, "invalid_client", "The OAuth client was not found.")
    if "as" not in query:
        return Reply(200, page(query).encode(), "text/html; charset=utf-8")
    scopes = [scope for scope in query["scope"].split() if scope not in query.get("without", "").split()]
    code = f"4/{secrets.token_urlsafe(32)}"
    picked = query.get("channel", "") if "select_account" in query.get("prompt", "").split() else ""
    accounts.codes[code] = Code(query, query["as"].lower(), scopes, time.time(), picked)
    back = {"state": query["state"], "code": code, "scope": " ".join(scopes)}
    return Reply(
        302,
        headers={
            "location": query["redirect_uri"]
            + ("&" if "?" in query["redirect_uri"] else "?")
            + urlencode(back)
        },
    )


def page(query: dict[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
    )
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query["scope"].split())
    return (
        "<!doctype html><title>Stand-in for Google</title><h1>Choose an account</h1>"
        f"<p>This page stands in for Google's.</p><ul>{scopes}</ul><form>{hidden}"
        '<input name="as" type="email" required placeholder="ada@example.com">'
        " <button>Continue</button></form>"
    )


def token(accounts: Accounts, base: str, form: dict[str, str]) -> dict[str, Any]:
    if form.get("grant_type") == JWT_BEARER:
        return bearer(accounts, service_grant(accounts, base, form.get("assertion", "")))
    if (form.get("client_id"), form.get("client_secret")) != (accounts.client_id, accounts.client_secret):
        raise Refused(401, "invalid_client", "Unauthorized")
    if form.get("grant_type") == "refresh_token":
        known = accounts.refresh_tokens.get(form.get("refresh_token", ""))
        if known is None:
            raise Refused(400, "invalid_grant", "Token has been expired or revoked.")
        return bearer(accounts, known)
    if form.get("grant_type") != "authorization_code":
        raise Refused(400, "unsupported_grant_type", "Invalid grant_type")
    code = accounts.codes.pop(form.get("code", ""), None)
    if code is None or time.time() - code.given_at > CODE_SECONDS:
        raise Refused(400, "invalid_grant", "Malformed auth code.")
    if form.get("redirect_uri") != code.query["redirect_uri"]:
        raise Refused(400, "redirect_uri_mismatch", "Bad Request")
    require_proof(code.query, form.get("code_verifier"))
    grant = Grant(code.email, code.scopes, code.channel)
    tokens = bearer(accounts, grant)
    if code.query.get("access_type") == "offline" and "consent" in code.query.get("prompt", "").split():
        tokens["refresh_token"] = f"1//{secrets.token_urlsafe(32)}"
        accounts.refresh_tokens[tokens["refresh_token"]] = grant
    if "openid" in code.scopes:
        tokens["id_token"] = sign(accounts, claims(accounts, base, code))
    return tokens


def service_grant(accounts: Accounts, base: str, assertion: str) -> Grant:
    """Return what a service account is granted for its JWT. Raises Refused, with Google's words."""
    try:
        header, claims = google_jwt.decode_header(assertion), google_jwt.decode(assertion, verify=False)
    except (GoogleAuthError, ValueError) as error:
        raise Refused(400, "invalid_grant", "Invalid JWT: malformed.") from error
    keys = accounts.service_accounts.get(claims.get("iss", ""))
    if keys is None:
        raise Refused(400, "invalid_grant", "Invalid grant: account not found")
    pem = keys.get(header.get("kid", ""))
    if pem is None or header.get("alg") != "RS256":
        raise Refused(400, "invalid_grant", "Invalid JWT Signature.")
    # google-auth doesn't compare the two times.
    if not all(isinstance(claims.get(name), int) for name in ("iat", "exp")) or not (
        0 < claims["exp"] - claims["iat"] <= ASSERTION_SECONDS
    ):
        raise Refused(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes).")
    try:
        google_jwt.decode(assertion, certs=pem, audience=base + TOKEN)
    except InvalidValue as error:
        raise Refused(400, "invalid_grant", f"Invalid JWT: {error}") from error
    except (GoogleAuthError, ValueError) as error:
        raise Refused(400, "invalid_grant", "Invalid JWT Signature.") from error
    scopes = str(claims.get("scope", "")).split()
    if not scopes or not set(scopes) <= SERVICE_SCOPES:
        raise Refused(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    return Grant(claims["iss"], scopes)


def require_proof(query: dict[str, str], verifier: str | None) -> None:
    """Check PKCE:

    RFC 7636, section 4.6. Without a challenge no verifier is allowed, or it could be dropped on the way.
    """
    method, challenge = query.get("code_challenge_method", "plain"), query.get("code_challenge")
    made = (
        None
        if verifier is None
        else verifier
        if method == "plain"
        else _encode(hashlib.sha256(verifier.encode()).digest())
    )
    if made != challenge:
        raise Refused(400, "invalid_grant", "Invalid code verifier.")


def bearer(accounts: Accounts, grant: Grant) -> dict[str, Any]:
    token = f"ya29.{secrets.token_urlsafe(32)}"
    accounts.access_tokens[token] = grant
    return {
        "access_token": token,
        "expires_in": 3599,
        "scope": " ".join(grant.scopes),
        "token_type": "Bearer",
    }


def claims(accounts: Accounts, base: str, code: Code) -> dict[str, Any]:
    now = int(time.time())
    subject = str(int(hashlib.sha256(code.email.encode()).hexdigest(), 16))[:21]
    document: dict[str, Any] = {
        "iss": base,
        "azp": accounts.client_id,
        "aud": accounts.client_id,
        "sub": subject,
        "iat": now,
        "exp": now + 3600,
    }
    document |= {"nonce": code.query["nonce"]} if "nonce" in code.query else {}
    document |= {"email": code.email, "email_verified": True} if "email" in code.scopes else {}
    document |= {"name": code.email.partition("@")[0].title()} if "profile" in code.scopes else {}
    return document | accounts.people.get(code.email, {})


def sign(accounts: Accounts, document: dict[str, Any]) -> str:
    header = {"alg": "RS256", "kid": accounts.kid, "typ": "JWT"}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, document))
    return f"{signed}.{_encode(accounts.key().sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def revoke(accounts: Accounts, form: dict[str, str]) -> Reply:
    """End the whole grant of the token's account to this client: all its refresh and access tokens.

    https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
    """
    grant = accounts.refresh_tokens.get(form.get("token", "")) or accounts.access_tokens.get(
        form.get("token", "")
    )
    if grant is None:
        raise Refused(400, "invalid_token", "Token expired or revoked")
    for tokens in (accounts.refresh_tokens, accounts.access_tokens):
        for token in [token for token, each in tokens.items() if each.email == grant.email]:
            del tokens[token]
    return Reply.json({})


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8))
