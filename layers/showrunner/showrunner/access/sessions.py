"""Logins that last: an access token for an hour, and a refresh token that is exchanged for the next pair.

Every refresh token works once. One that comes back after it was spent was copied by somebody, and nobody can tell who is who: the whole family ends. Ten
seconds are forgiven, in which an honest client may have sent the same one twice. RFC 9700, section 4.14.2.
"""

import functools
import hashlib
import json
import time
import uuid
from typing import Any

from showrunner import config
from showrunner.access import limits, tokens
from showrunner.aws import ssm
from showrunner.database import db
from showrunner.errors import NotFound, Unauthorized
from showrunner.store.access import refresh_tokens
from showrunner.store.accounts import members

FORGIVEN_SECONDS = 10
REFRESHES_A_MINUTE = 20


def begin(tx: db.Transaction, member: dict[str, Any]) -> dict[str, Any]:
    """A new family for a login. `member` is what accounts.get_membership gives."""
    family_id = str(uuid.uuid4())
    refresh_tokens.add_family(tx, family_id, member["user_id"], member["organisation_id"])
    return _pair(tx, member, family_id)


def renew(refresh_token: str) -> dict[str, Any]:
    """The next pair for a refresh token. Raises Unauthorized, and ends the family for a token that was spent before."""
    with db.transaction() as tx:
        found = refresh_tokens.find_refresh_token(tx, digest(refresh_token))
        if found is None or found["revoked"] or found["expired"]:
            raise _refused()
        limits.spend(tx, limits.windows(f"refresh:{found['user_id']}", ((60, REFRESHES_A_MINUTE),))[0])
        stolen = found["spent_seconds"] is not None and found["spent_seconds"] > FORGIVEN_SECONDS
        pair = None if stolen else _next(tx, found, digest(refresh_token))
        if pair is None:
            refresh_tokens.revoke_family(tx, found["family_id"])
    # Only now: an exception inside would have undone the revocation.
    if pair is None:
        raise _refused()
    return pair


def _next(tx: db.Transaction, found: dict[str, Any], token_sha256: str) -> dict[str, Any] | None:
    try:
        member = members.get(tx, found["user_id"], found["organisation_id"])
    except NotFound:
        return None  # removed from the organisation, or erased
    refresh_tokens.spend_refresh_token(tx, token_sha256)
    return _pair(tx, member, found["family_id"])


def end(tx: db.Transaction, identity: tokens.Identity) -> None:
    """The family's tokens are worth nothing from now on; an admin who stops acting as somebody ends only that."""
    if identity.family is not None and identity.actor is None:
        refresh_tokens.revoke_family(tx, identity.family)
    refresh_tokens.deny_token(tx, identity.token_id, identity.expires_at)


def _pair(tx: db.Transaction, member: dict[str, Any], family_id: str) -> dict[str, Any]:
    refresh_token = str(uuid.uuid4())
    refresh_tokens.add_refresh_token(tx, family_id, digest(refresh_token))
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
    """A token for a member, worth something as long as its family lives; with `actor` for an admin who acts as them, half as long and in the admin's family."""
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


def _refused() -> Unauthorized:
    return Unauthorized("The refresh token is not valid any more: log in again.")
