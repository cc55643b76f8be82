"""Tokens of the accounts that artists connect, sealed in the state table: fetchers have no database.

The seal is bound to artist, platform and organisation: a token copied to another row can't be opened. One
caller renews a token at a time. What a platform returns is stored before it is used, because a refresh token
may work once. Only the platform's own word ends a grant; a failure never does.
"""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from showrunner.access import sealing
from showrunner.aws import dynamodb
from showrunner.errors import CredentialRejected, Disconnected, PlatformUnavailable
from showrunner.models import Tokens

PURPOSE = "grant"
# Platforms whose refresh tokens work once.
_ROTATING = ("tiktok",)
# The mark of a renewal that has begun and not ended, kept as long as a refresh token lasts.
_BEGUN, _BEGUN_SECONDS = "renewal", 180 * 86_400
_INTERRUPTED = (
    "A renewal of the permission was interrupted, so that the platform's new token was lost. Nobody withdrew "
    "the permission: connect the account again."
)
# Longer than a platform's slowest answer; a worker that died meanwhile holds nobody up for more than this.
LOCK_SECONDS = 20


class Account(NamedTuple):
    """An artist's account on a platform."""

    platform: str
    organisation_id: str
    artist_id: str


class Renewal(NamedTuple):
    """The time of a renewal: `before_seconds` before a token ends, once it is `least_age_seconds` old."""

    before_seconds: int
    least_age_seconds: int = 0


# TikTok's tokens last two hours, Google's one; Instagram's 60 days, and they can't be renewed on their first.
RENEWALS = {"youtube": Renewal(600), "tiktok": Renewal(600), "instagram": Renewal(30 * 86_400, 86_400)}


# Renews tokens at the platform by a refresh token.
type Refresh = Callable[[str], Tokens]


def save(account: Account, tokens: Tokens, now: float | None = None) -> None:
    """Store an account's tokens. A renewal that has begun is at its end with them."""
    at = time.time() if now is None else now
    secret = json.dumps({"access_token": tokens.access_token, "refresh_token": tokens.refresh_token})
    values: dict[str, str | bytes | int] = {
        "tokens": sealing.seal(secret.encode(), PURPOSE, _row(account)),
        "renewed_at": int(at),
        "ends_at": int(at) + tokens.access_seconds,
        "scopes": " ".join(tokens.scopes),
    }
    dynamodb.put(_key(account), "tokens", values, at + tokens.refresh_seconds)
    if account.platform in _ROTATING:
        dynamodb.remove(_key(account), _BEGUN)


def access_token(
    account: Account, refresh: Refresh, *, refused: str | None = None, now: float | None = None
) -> str:
    """Return a token that lasts for a while. `refused`: the one that the platform has just refused.

    Raises Disconnected when the account must be connected again, PlatformUnavailable while another worker
    renews the token or the platform is away.
    """
    at = time.time() if now is None else now
    found = _find(account, at)
    if not _is_due(account.platform, found, refused, at):
        return str(found["access_token"])
    lock = (_key(account), "refreshing")
    is_free = "attribute_not_exists(pk) OR expires_at < :now"
    if not dynamodb.put_if(is_free, {"now": int(at)}, *lock, {}, at + LOCK_SECONDS):
        return _without_renewal(
            found,
            refused,
            at,
            PlatformUnavailable("Another worker is renewing the token of this account.", 1),
        )
    try:
        # The worker before may have renewed it just now.
        found = _find(account, at)
        if not _is_due(account.platform, found, refused, at):
            return str(found["access_token"])
        return _renew(account, refresh, found, refused, at)
    finally:
        dynamodb.remove(*lock)


def scopes(account: Account, now: float | None = None) -> list[str]:
    """Return what the owner has allowed. Raises Disconnected."""
    return str(_find(account, time.time() if now is None else now)["scopes"]).split()


def remove(account: Account) -> None:
    """Forget an account's tokens."""
    for part in ("tokens", _BEGUN):
        dynamodb.remove(_key(account), part)


def _renew(account: Account, refresh: Refresh, found: dict[str, Any], refused: str | None, at: float) -> str:
    was_begun = account.platform in _ROTATING and _begin(account, at)
    try:
        tokens = refresh(found["refresh_token"])
    except Disconnected as error:
        remove(account)
        if was_begun:
            raise Disconnected(_INTERRUPTED) from error
        raise
    except PlatformUnavailable as error:
        if not error.was_sent and not was_begun:
            dynamodb.remove(_key(account), _BEGUN)
        return _without_renewal(found, refused, at, error)
    # A renewal that names no scopes changes none.
    kept = tokens if tokens.scopes else tokens._replace(scopes=tuple(found["scopes"].split()))
    save(account, kept, at)
    return tokens.access_token


def _begin(account: Account, at: float) -> bool:
    """Record that a renewal begins. Returns whether an earlier one never came to its end.

    A refresh token that works once is lost if its successor's answer is lost, or its worker dies before the
    successor is stored. No order of calls prevents that: the platform has no way to ask again. But the reason
    is known then.
    """
    was_begun = dynamodb.find(_key(account), _BEGUN, at) is not None
    dynamodb.put(_key(account), _BEGUN, {}, at + _BEGUN_SECONDS)
    return was_begun


def _without_renewal(
    found: dict[str, Any], refused: str | None, at: float, error: PlatformUnavailable
) -> str:
    """Return the token that should be renewed if it is valid still. Raises the error if it isn't."""
    if found["access_token"] == refused or found["ends_at"] <= at:
        raise error
    return str(found["access_token"])


def _is_due(platform: str, found: dict[str, Any], refused: str | None, at: float) -> bool:
    renewal = RENEWALS[platform]
    if found["access_token"] == refused:
        return True
    return bool(
        found["ends_at"] - at < renewal.before_seconds
        and at - found["renewed_at"] >= renewal.least_age_seconds
    )


def _find(account: Account, at: float) -> dict[str, Any]:
    """Return access_token, refresh_token, ends_at, renewed_at and scopes.

    Tokens of earlier releases have no scopes.

    Raises Disconnected without tokens, CredentialRejected for tokens that were changed or copied.
    """
    from cryptography.exceptions import InvalidTag

    found = dynamodb.find(_key(account), "tokens", at)
    if found is None:
        raise Disconnected("The account isn't connected any more: connect it again.")
    try:
        secret = json.loads(sealing.open_(found["tokens"], PURPOSE, _row(account)))
    except InvalidTag as error:
        raise CredentialRejected("The account's tokens can't be read: connect it again.") from error
    more = {"ends_at": found["ends_at"], "renewed_at": found["renewed_at"], "scopes": found.get("scopes", "")}
    return {**secret, **more}


def _key(account: Account) -> str:
    return f"grant#{account.platform}#{account.artist_id}"


def _row(account: Account) -> str:
    return f"{account.organisation_id}/{account.artist_id}/{account.platform}"
