"""Access and service tokens: JWTs signed with RS256, verified against the JWK Set in SSM auth/jwks.

Accepts only what we issue: one algorithm, one type, a known key, a header of three fields, every claim
present and of its type, a bounded lifetime. RFC 7515 (JWS), RFC 7519 (JWT), RFC 9068 (at+jwt).

Own code over `cryptography` instead of joserfc, because of cold starts. Measured on 2026-11-28, CPU of a
process that imports functions/accounts, least of five, machine busy: 603 ms (7.0 times the process that
imports only json and awslambdaric, 86 ms); with `from joserfc import jwt, jwk` 895 ms (10.4 times); the goal
is 8. The tests compare this module with joserfc.
"""

import base64
import binascii
import json
import re
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from showrunner import config
from showrunner.access import roles, strict_json
from showrunner.aws import ssm
from showrunner.errors import Forbidden, Unauthorized

AUDIENCE = "showrunner"
TYPE = "at+jwt"
# Clocks of ours and of the issuer may differ by this much.
SKEW_SECONDS = 60
USER_SECONDS = 3600
IMPERSONATION_SECONDS = 1800
SERVICE_SECONDS = 365 * 86_400
# The end of what has none (an API key), as epoch seconds: 9999-12-31.
NEVER = 253_402_214_400
# Ours have about 900 bytes; every scope there is makes 1,300. More is somebody playing.
MAX_BYTES = 4096
# An unknown kid may be a key that was added a moment ago; asking SSM for every forged token would let anyone
# make us ask.
REFETCH_SECONDS = 30

_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_HEADER = {"alg", "kid", "typ"}
_TIMES = ("iat", "nbf", "exp")
_TEXTS = ("iss", "aud", "sub", "jti", "org")


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a request.

    subject: a user's uuid, or "service:<name>". actor: the admin who acts as that user. verified: the email
    address is confirmed; always true for services. creator: the user who made a service's token, None for
    the stage's own.
    """

    subject: str
    organisation_id: str
    permissions: frozenset[str]
    token_id: str
    expires_at: int
    role: str
    family: str | None = None
    actor: str | None = None
    verified: bool = True
    creator: str | None = None

    @property
    def account(self) -> str:
        """The key of the caller's rate limits. A service's name is unique only within its organisation."""
        return f"{self.organisation_id}/{self.subject}" if self.is_service else self.subject

    @property
    def holder(self) -> str:
        """The id that daily videos and channels count against.

        A service counts as its creator: otherwise more services would mean more videos.
        """
        return self.creator or (self.organisation_id if self.is_service else self.subject)

    @property
    def is_service(self) -> bool:
        return self.subject.startswith("service:")

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def verify(token: str, now: float | None = None) -> Identity:
    """Return the caller of a bearer token. Raises Unauthorized, whatever is wrong with it."""
    header, claims, signed, signature = take_apart(token)
    if (
        header.keys() != _HEADER
        or header["alg"] != "RS256"
        or header["typ"] != TYPE
        or not isinstance(header["kid"], str)
    ):
        raise _refused()
    try:
        require_signature(_key(header["kid"]), signed, signature)
    except InvalidSignature as error:
        raise _refused() from error
    return _identity(claims, time.time() if now is None else now)


def require_signature(key: rsa.RSAPublicKey, signed: bytes, signature: bytes) -> None:
    """Verify a signature by RS256. Raises cryptography's InvalidSignature."""
    key.verify(signature, signed, padding.PKCS1v15(), SHA256())


def take_apart(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Return header, claims, signed bytes and signature of a compact JWT, without verifying it.

    Raises Unauthorized.
    """
    match = _SHAPE.fullmatch(token) if len(token) <= MAX_BYTES else None
    if match is None:
        raise _refused()
    try:
        header, claims = (strict_json.loads(_decode(part)) for part in match.groups()[:2])
        signature = _decode(match[3])
    except (ValueError, RecursionError) as error:
        raise _refused() from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _refused()
    return header, claims, token[: match.start(3) - 1].encode("ascii"), signature


def _decode(part: str) -> bytes:
    """Decode base64url without padding. Raises binascii.Error for an encoding that is not canonical.

    So one token has one spelling.
    """
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise binascii.Error("not canonical")
    return raw


def _identity(claims: dict[str, Any], now: float) -> Identity:
    if any(type(claims.get(name)) is not int for name in _TIMES) or any(
        not isinstance(claims.get(name), str) for name in _TEXTS
    ):
        raise _refused()
    if (
        claims["iss"] != config.setting("PLATFORM_URL")
        or claims["aud"] != AUDIENCE
        or not _is_uuid(claims["org"])
    ):
        raise _refused()
    issued, begins, ends = (claims[name] for name in _TIMES)
    if now >= ends + SKEW_SECONDS:
        raise Unauthorized("The token has expired: log in again, or refresh it.")
    if issued > now + SKEW_SECONDS or begins > now + SKEW_SECONDS or not issued < ends:
        raise _refused()
    return _of_service(claims) if claims["sub"].startswith("service:") else _of_user(claims)


def _of_service(claims: dict[str, Any]) -> Identity:
    scopes = claims.get("scope")
    if (
        not isinstance(scopes, str)
        or claims["exp"] - claims["iat"] > SERVICE_SECONDS
        or not 0 < len(claims["sub"]) - len("service:") <= 100
    ):
        raise _refused()
    creator = claims.get("by")
    if creator is not None and not (isinstance(creator, str) and _is_uuid(creator)):
        raise _refused()
    granted = frozenset(scopes.split()) & frozenset(roles.SCOPES)
    return Identity(
        claims["sub"], claims["org"], granted, claims["jti"], claims["exp"], "service", creator=creator
    )


def _of_user(claims: dict[str, Any]) -> Identity:
    role, actor, family = claims.get("role"), claims.get("act"), claims.get("family")
    life = USER_SECONDS if actor is None else IMPERSONATION_SECONDS
    if (
        not isinstance(role, str)
        or role not in roles.ROLES
        or claims["exp"] - claims["iat"] > life
        or not _is_uuid(claims["sub"])
    ):
        raise _refused()
    if not all(
        value is None or (isinstance(value, str) and _is_uuid(value)) for value in (actor, family)
    ) or (actor is not None and role == "admin"):
        raise _refused()
    granted = roles.of_user(
        role, owner=claims.get("owner") is True, content_owner=claims.get("content_owner") is True
    )
    return Identity(claims["sub"], claims["org"], granted, claims["jti"], claims["exp"], role, family, actor)


def as_of_now(identity: Identity, known: dict[str, Any]) -> Identity:
    """Return the caller with its current permissions.

    known: live, role, is_owner, platform_admin, verified, content_owner, user_suspended and
    organisation_suspended from the database; for a service they are its creator's. Raises Unauthorized if the
    session, membership or organisation of the token is gone, Forbidden (SUSPENDED) if one is suspended.
    """
    if not known["live"]:
        raise Unauthorized("The session is over: log in again.")
    is_admin = identity.is_admin and known["platform_admin"]
    if known["user_suspended"] or (known["organisation_suspended"] and not is_admin):
        raise suspended(user=known["user_suspended"])
    if identity.is_service:
        by_admin = identity.creator is None or known["platform_admin"]
        return replace(
            identity,
            permissions=roles.of_service(
                identity.permissions, content_owner=known["content_owner"], platform_admin=by_admin
            ),
        )
    role = "admin" if is_admin else known["role"]
    granted = roles.of_user(role, owner=known["is_owner"], content_owner=known["content_owner"])
    return replace(identity, role=role, permissions=granted, verified=known["verified"])


def suspended(*, user: bool) -> Forbidden:
    """Return the error for a suspended user, or else for a suspended organisation."""
    who = "Your account" if user else "Your organisation"
    return Forbidden(f"{who} is suspended: contact support. Nothing of it is deleted.", code="SUSPENDED")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _refused() -> Unauthorized:
    # One answer for every fault: a forger learns nothing from the difference.
    return Unauthorized("The token is not valid.")


_keys: dict[str, rsa.RSAPublicKey] = {}
_source: list[tuple[str, float]] = []


def _key(kid: str) -> rsa.RSAPublicKey:
    _load()
    if kid not in _keys and time.monotonic() - _source[0][1] > REFETCH_SECONDS:
        ssm.forget()
        _load(fresh=True)
    try:
        return _keys[kid]
    except KeyError as error:
        raise _refused() from error


def _load(fresh: bool = False) -> None:
    """Read the JWK Set if it changed. aws/ssm.py caches it for some minutes."""
    text = ssm.secret("auth/jwks")
    if _source and _source[0][0] == text and not fresh:
        return
    _keys.clear()
    _keys.update({jwk["kid"]: public_key(jwk) for jwk in json.loads(text)["keys"] if jwk.get("kty") == "RSA"})
    _source[:] = [(text, time.monotonic())]


def public_key(jwk: dict[str, str]) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()


def _number(text: str) -> int:
    return int.from_bytes(_decode(text))


def _text(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def new_key() -> dict[str, str]:
    """Return a new private signing key as JWK with a new kid, for SSM auth/signing_key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = private.private_numbers()
    parts = {
        "n": numbers.public_numbers.n,
        "e": numbers.public_numbers.e,
        "d": numbers.d,
        "p": numbers.p,
        "q": numbers.q,
    }
    parts |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return {"kty": "RSA", "kid": uuid.uuid4().hex, "use": "sig", "alg": "RS256"} | {
        name: _text(number) for name, number in parts.items()
    }


def jwk_set(*private: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    """Return the public keys as a JWK Set, for SSM auth/jwks.

    During a rotation there are two: publish the new key first, and sign with it when caches have it.
    """
    return {"keys": [{name: key[name] for name in ("kty", "kid", "use", "alg", "n", "e")} for key in private]}


def sign(claims: dict[str, Any], private_jwk: dict[str, str]) -> str:
    """Return a token with these claims."""
    header = {"alg": "RS256", "kid": private_jwk["kid"], "typ": TYPE}
    return signed_jwt(header, claims, _private_key(private_jwk))


def signed_jwt(header: dict[str, str], claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    """Return a JWT in its compact form, signed with RS256, which the header must name."""
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_encode(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


_private: dict[str, rsa.RSAPrivateKey] = {}


def _private_key(jwk: dict[str, str]) -> rsa.RSAPrivateKey:
    """Return the key, read once per environment: reading it checks its numbers, which takes 60 ms."""
    if jwk["n"] not in _private:
        _private[jwk["n"]] = _read_private_key(jwk)
    return _private[jwk["n"]]


def _read_private_key(jwk: dict[str, str]) -> rsa.RSAPrivateKey:
    part = {name: _number(jwk[name]) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")}
    public = rsa.RSAPublicNumbers(part["e"], part["n"])
    return rsa.RSAPrivateNumbers(
        part["p"], part["q"], part["d"], part["dp"], part["dq"], part["qi"], public
    ).private_key()


def service_claims(
    name: str,
    organisation_id: str,
    scopes: list[str],
    issuer: str,
    seconds: int = SERVICE_SECONDS,
    creator: str | None = None,
) -> dict[str, Any]:
    """Return the claims of a service token.

    seconds: at most 365 days. creator: the user who makes the token, None for the stage's own.
    """
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": f"service:{name}",
        "org": organisation_id,
        "scope": " ".join(scopes),
    } | ({"by": creator} if creator else {})
    return claims | {
        "iat": now,
        "nbf": now,
        "exp": now + min(seconds, SERVICE_SECONDS),
        "jti": str(uuid.uuid4()),
    }
