"""Sessions: an access token for an hour, and a refresh token that is exchanged for the next pair.

Refresh-token reuse detection (RFC 9700, section 4.14.2): every refresh token works once. One that comes back
later was copied, and nobody can tell who has the copy: the whole family ends.

An honest client may send the same token twice, for example from two tabs. Within GRACE_SECONDS a repeat
returns the same successor: it is derived from the presented token and a server key, so it needs no storage
and there is never a second living chain. A thief who uses a copy in that time shares the owner's chain, and
the next reuse ends it.
"""

import functools
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from showrunner import config
from showrunner.access import limits, tokens
from showrunner.aws import ssm
from showrunner.database import db
from showrunner.errors import NotFound, ServiceUnavailable, Unauthorized
from showrunner.store.access import maintenance, refresh_tokens
from showrunner.store.accounts import members

GRACE_SECONDS = 10
REFRESHES_A_MINUTE = 20
REFUSED = "The refresh token is not valid any more: log in again."


class TokenReused(Unauthorized):
    """A refresh token came back after its grace period: somebody has a copy, and its login has ended."""

    reason = "TOKEN_REUSED"


def begin(tx: db.Transaction, member: dict[str, Any]) -> dict[str, Any]:
    """Start a family for a login and return its first TokenPair. `member` is a row of members.get."""
    family_id, refresh_token = str(uuid.uuid4()), str(uuid.uuid4())
    refresh_tokens.add_family(tx, family_id, member["user_id"], member["organisation_id"])
    refresh_tokens.add_refresh_token(tx, family_id, digest(refresh_token))
    return _pair(member, family_id, refresh_token)


def renew(refresh_token: str) -> dict[str, Any]:
    """Return the next TokenPair.

    Raises Unauthorized (TokenReused, after ending the family, if it was reused); Forbidden if suspended;
    ServiceUnavailable during maintenance.
    """
    with db.transaction() as tx:
        found = refresh_tokens.find_refresh_token(tx, digest(refresh_token))
        if found is None or found["revoked"] or found["expired"]:
            raise Unauthorized(REFUSED)
        limits.spend(tx, limits.windows(f"refresh:{found['user_id']}", ((60, REFRESHES_A_MINUTE),))[0])
        reused = found["spent_seconds"] is not None and found["spent_seconds"] > GRACE_SECONDS
        pair = None if reused else _next(tx, found, refresh_token)
        if pair is None:
            refresh_tokens.revoke_family(tx, found["family_id"])
    # Only now: an exception inside would have undone the revocation.
    if reused:
        raise TokenReused(REFUSED)
    if pair is None:
        raise Unauthorized(REFUSED)
    return pair


def owner_of(refresh_token: str) -> str | None:
    """Return the id of the user whose refresh token it is or was, None for one that we never issued."""
    with db.reading() as tx:
        found = refresh_tokens.find_refresh_token(tx, digest(refresh_token))
    return found["user_id"] if found else None


def _next(tx: db.Transaction, found: dict[str, Any], refresh_token: str) -> dict[str, Any] | None:
    try:
        member = members.get(tx, found["user_id"], found["organisation_id"])
    except NotFound:
        return None  # removed from the organisation, or erased
    refuse_suspended(member)
    refuse_in_maintenance(tx, member)
    following = successor(refresh_token)
    if found["spent_seconds"] is None:
        refresh_tokens.spend_refresh_token(tx, digest(refresh_token))
        refresh_tokens.add_refresh_token(tx, found["family_id"], digest(following))
    return _pair(member, found["family_id"], following)


def refuse_suspended(member: dict[str, Any]) -> None:
    """Raise Forbidden (SUSPENDED) for a suspended user or organisation. `member` is a row of members.get.

    A platform admin keeps access when their organisation is suspended.
    """
    if member["user_suspended"] or (member["organisation_suspended"] and not member["platform_admin"]):
        raise tokens.suspended(user=member["user_suspended"])


def refuse_in_maintenance(tx: db.Transaction, member: dict[str, Any]) -> None:
    """Raise ServiceUnavailable (MAINTENANCE_MODE) during maintenance, except for platform admins."""
    message = None if member["platform_admin"] else maintenance.message(tx)
    if message is not None:
        raise ServiceUnavailable(message, retry_after=60, code="MAINTENANCE_MODE")


def successor(refresh_token: str) -> str:
    """Return the refresh token that follows this one: 122 bits that only the server can compute."""
    key = signing_key(ssm.secret("auth/signing_key"))["d"]
    raw = hmac.digest(key.encode(), f"refresh token after {refresh_token.lower()}".encode(), "sha256")
    return str(uuid.UUID(bytes=raw[:16], version=4))


def end(tx: db.Transaction, identity: tokens.Identity) -> None:
    """End the login of this access token. An admin who acts as somebody ends only that."""
    if identity.family is not None and identity.actor is None:
        refresh_tokens.revoke_family(tx, identity.family)
    refresh_tokens.deny_token(tx, identity.token_id, identity.expires_at)


def _pair(member: dict[str, Any], family_id: str, refresh_token: str) -> dict[str, Any]:
    return {
        "access_token": access_token(member, family=family_id),
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": tokens.USER_SECONDS,
        "user": {
            "id": member["user_id"],
            "email": member["email"],
            "full_name": member["full_name"],
            "role": role_of(member),
            "organisation_id": member["organisation_id"],
        },
    }


def role_of(member: dict[str, Any]) -> str:
    return "admin" if member["platform_admin"] else str(member["role"])


def access_token(member: dict[str, Any], *, family: str | None = None, actor: str | None = None) -> str:
    """Return an access token for a member, valid while its family is.

    actor: id of an admin who acts as the member, with the admin's family and half the lifetime.
    """
    now = int(time.time())
    claims = {
        "iss": config.setting("PLATFORM_URL"),
        "aud": tokens.AUDIENCE,
        "sub": member["user_id"],
        "org": member["organisation_id"],
        "role": role_of(member),
        "owner": member["is_owner"],
        "content_owner": member["content_owner"],
        "jti": str(uuid.uuid4()),
        "iat": now,
        "nbf": now,
        "exp": now + (tokens.IMPERSONATION_SECONDS if actor else tokens.USER_SECONDS),
        **({"family": family} if family else {}),
        **({"act": actor} if actor else {}),
    }
    return tokens.sign(claims, signing_key(ssm.secret("auth/signing_key")))


@functools.lru_cache(maxsize=2)
def signing_key(text: str) -> dict[str, str]:
    key: dict[str, str] = json.loads(text)
    return key


def digest(token: str) -> str:
    return hashlib.sha256(token.lower().encode()).hexdigest()
