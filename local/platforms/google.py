"""Google's sign-in on loopback: discovery, a page to choose an account on, tokens for codes, keys, revocation.

The page asks for an e-mail address and plays that person; what is unticked is not granted. `as=<address>` in its query answers at once, for tests. It keeps
to what Google checks: registered client and secret, the redirect_uri of the request, one use of a code within ten minutes, PKCE by S256.
https://developers.google.com/identity/protocols/oauth2/web-server
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

CODE_SECONDS = 600
DISCOVERY, AUTHORIZE, TOKEN, KEYS, REVOKE = "/.well-known/openid-configuration", "/o/oauth2/v2/auth", "/token", "/oauth2/v3/certs", "/revoke"
GET_PATHS = {DISCOVERY, AUTHORIZE, KEYS}
POST_PATHS = {TOKEN, REVOKE}


@dataclass(frozen=True)
class Code:
    """What somebody agreed to on the page."""

    query: dict[str, str]
    email: str
    scopes: list[str]
    given_at: float


@dataclass
class Accounts:
    """`people`: address -> claims that differ from the usual ones (sub, name, email_verified)."""

    client_id: str = "local"
    client_secret: str = "local"  # noqa: S105 - what the launcher gives where there is no client of one's own
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    # refresh token -> (address, scopes); a revoked one is gone.
    refresh_tokens: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    kid: str = field(default_factory=lambda: secrets.token_hex(8))
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)

    def key(self) -> rsa.RSAPrivateKey:
        """Made when it is first needed: it takes a tenth of a second, and most who start this never sign in."""
        if self.kid not in self.keys:
            self.keys[self.kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.keys[self.kid]


@dataclass(frozen=True)
class Told:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"


class Refused(Exception):
    def __init__(self, status: int, error: str, words: str) -> None:
        super().__init__(words)
        self.told = Told(status, json.dumps({"error": error, "error_description": words}))


def serves(path: str, *, post: bool) -> bool:
    return path in (POST_PATHS if post else GET_PATHS)


def answer(accounts: Accounts, base: str, path: str, text: str, post: bool) -> Told:
    """`text` is the query, or the form of a POST."""
    given = {name: values[0] for name, values in parse_qs(text).items()}
    try:
        if path == DISCOVERY:
            return Told(200, json.dumps(discovery(base)), {"cache-control": "public, max-age=3600"})
        if path == KEYS:
            return Told(200, json.dumps({"keys": [jwk(accounts)]}), {"cache-control": "public, max-age=20000"})
        if path == AUTHORIZE:
            return authorize(accounts, given)
        if post and path == REVOKE:
            return revoke(accounts, given)
        return Told(200, json.dumps(token(accounts, base, given)), {"cache-control": "no-store"})
    except Refused as refused:
        return refused.told


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
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": accounts.kid, "n": _number(numbers.n), "e": _number(numbers.e)}


def authorize(accounts: Accounts, query: dict[str, str]) -> Told:
    missing = [name for name in ("client_id", "redirect_uri", "scope", "state") if not query.get(name)]
    if missing or query.get("response_type") != "code":
        raise Refused(400, "invalid_request", f"Missing: {', '.join(missing) or 'response_type=code'}")
    if query["client_id"] != accounts.client_id:
        raise Refused(401, "invalid_client", "The OAuth client was not found.")
    if "as" not in query:
        return Told(200, page(query), kind="text/html; charset=utf-8")
    scopes = [scope for scope in query["scope"].split() if scope not in query.get("without", "").split()]
    code = f"4/{secrets.token_urlsafe(32)}"
    accounts.codes[code] = Code(query, query["as"].lower(), scopes, time.time())
    back = {"state": query["state"], "code": code, "scope": " ".join(scopes)}
    return Told(302, "", {"location": f"{query['redirect_uri']}{'&' if '?' in query['redirect_uri'] else '?'}{urlencode(back)}"})


def page(query: dict[str, str]) -> str:
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in query.items())
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query["scope"].split())
    return (
        f"<!doctype html><title>Stand-in for Google</title><h1>Choose an account</h1><p>This page stands in for Google's.</p><ul>{scopes}</ul>"
        f'<form>{hidden}<input name="as" type="email" required placeholder="ada@example.com"> <button>Continue</button></form>'
    )


def token(accounts: Accounts, base: str, form: dict[str, str]) -> dict[str, Any]:
    if (form.get("client_id"), form.get("client_secret")) != (accounts.client_id, accounts.client_secret):
        raise Refused(401, "invalid_client", "Unauthorized")
    if form.get("grant_type") == "refresh_token":
        known = accounts.refresh_tokens.get(form.get("refresh_token", ""))
        if known is None:
            raise Refused(400, "invalid_grant", "Token has been expired or revoked.")
        return bearer(known[1])
    if form.get("grant_type") != "authorization_code":
        raise Refused(400, "unsupported_grant_type", "Invalid grant_type")
    code = accounts.codes.pop(form.get("code", ""), None)
    if code is None or time.time() - code.given_at > CODE_SECONDS:
        raise Refused(400, "invalid_grant", "Malformed auth code.")
    if form.get("redirect_uri") != code.query["redirect_uri"]:
        raise Refused(400, "redirect_uri_mismatch", "Bad Request")
    require_proof(code.query, form.get("code_verifier"))
    told = bearer(code.scopes)
    if code.query.get("access_type") == "offline" and code.query.get("prompt") == "consent":
        told["refresh_token"] = f"1//{secrets.token_urlsafe(32)}"
        accounts.refresh_tokens[told["refresh_token"]] = (code.email, code.scopes)
    if "openid" in code.scopes:
        told["id_token"] = sign(accounts, claims(accounts, base, code))
    return told


def require_proof(query: dict[str, str], verifier: str | None) -> None:
    """RFC 7636, section 4.6; one without a challenge may bring no verifier, or the challenge could be dropped on the way."""
    method, challenge = query.get("code_challenge_method", "plain"), query.get("code_challenge")
    made = None if verifier is None else verifier if method == "plain" else _encode(hashlib.sha256(verifier.encode()).digest())
    if made != challenge:
        raise Refused(400, "invalid_grant", "Invalid code verifier.")


def bearer(scopes: list[str]) -> dict[str, Any]:
    return {"access_token": f"ya29.{secrets.token_urlsafe(32)}", "expires_in": 3599, "scope": " ".join(scopes), "token_type": "Bearer"}


def claims(accounts: Accounts, base: str, code: Code) -> dict[str, Any]:
    now = int(time.time())
    subject = str(int(hashlib.sha256(code.email.encode()).hexdigest(), 16))[:21]
    told: dict[str, Any] = {"iss": base, "azp": accounts.client_id, "aud": accounts.client_id, "sub": subject, "iat": now, "exp": now + 3600}
    told |= {"nonce": code.query["nonce"]} if "nonce" in code.query else {}
    told |= {"email": code.email, "email_verified": True} if "email" in code.scopes else {}
    told |= {"name": code.email.partition("@")[0].title()} if "profile" in code.scopes else {}
    return told | accounts.people.get(code.email, {})


def sign(accounts: Accounts, told: dict[str, Any]) -> str:
    header = {"alg": "RS256", "kid": accounts.kid, "typ": "JWT"}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, told))
    return f"{signed}.{_encode(accounts.key().sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def revoke(accounts: Accounts, form: dict[str, str]) -> Told:
    if accounts.refresh_tokens.pop(form.get("token", ""), None) is None:
        raise Refused(400, "invalid_token", "Token expired or revoked")
    return Told(200, "{}")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8))
