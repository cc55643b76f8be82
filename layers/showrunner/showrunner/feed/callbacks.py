"""Keep what the receiver of notifications must know of a subscription, in the state table.

The key is the callback's token: the last segment of the address that the hub is given, and nobody else. The
database's row is the source; the item here is written after it.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from showrunner.access import sealing
from showrunner.aws import dynamodb

# How long a removed subscription answers 410. The hub's last retries come within hours.
REMOVED_SECONDS = 2 * 86_400
# How long the previous secret still counts after the hub has verified the new one: it retries a failed push
# within minutes, signed as before.
OVERLAP_SECONDS = 900
# The receiver expects the hub's verification until this long after the next request to it.
GRACE_SECONDS = 3600
# Stands for the previous secret where there was none: unsigned notifications are still accepted.
UNSIGNED = b""
PURPOSE = "websub"

Mode = Literal["subscribe", "unsubscribe"]


class Callback(NamedTuple):
    """A subscription as the receiver of notifications needs it.

    `asked` is the mode that a verification may name until `asked_until`. `sealed` are the secrets, the newest
    first, which is the one that the hub is given. `unsigned`: unsigned notifications are accepted, since the
    hub may not know the first secret yet.
    """

    token: str
    subscription_id: int
    channel_id: str
    topic_url: str
    address: str
    lease_seconds: int
    asked: Mode
    asked_until: int
    removed: bool
    sealed: tuple[bytes, ...]
    unsigned: bool

    def expects(self, mode: str, now: float) -> bool:
        return mode == self.asked and now < self.asked_until


def address(callback_url: str, token: str) -> str:
    """Return the callback's address with the token as last segment of its path, before a query."""
    parts = urlsplit(callback_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{token}"))


def find(token: str) -> Callback | None:
    found = dynamodb.find(f"websub#{token}", "subscription")
    if found is None:
        return None
    is_over = "previous_until" in found and found["previous_until"] <= time.time()
    previous = None if is_over else found.get("previous")
    sealed = tuple(each for each in (found.get("secret"), previous) if each)
    return Callback(
        token,
        found["subscription_id"],
        found["channel_id"],
        found["topic_url"],
        found["address"],
        found["lease_seconds"],
        found["asked"],
        found["asked_until"],
        bool(found.get("removed")),
        sealed,
        previous == UNSIGNED,
    )


def save(row: dict[str, Any], asked_until: float, previous_until: float | None = None) -> bool:
    """Save a subscription for the receiver before the hub is asked for it.

    `row` has its sealed secrets; the previous one counts until `previous_until`. Returns False, without a
    change, if the item is newer than the row or was removed.
    """
    values = {
        **_item(row, "subscribe", asked_until),
        "secret": row["secret"],
        "previous": row["previous_secret"],
    }
    if previous_until is not None:
        values["previous_until"] = int(previous_until)
    is_newest = "attribute_not_exists(removed) AND (attribute_not_exists(version) OR version <= :version)"
    return dynamodb.put_if(
        is_newest,
        {"version": values["version"]},
        f"websub#{row['callback_token']}",
        "subscription",
        values,
        None,
    )


def remove(row: dict[str, Any], asked_until: float) -> None:
    """Let the receiver answer 410 from now on, except to the hub's verification of the end."""
    dynamodb.put(
        f"websub#{row['callback_token']}",
        "subscription",
        {**_item(row, "unsubscribe", asked_until), "removed": True},
        time.time() + REMOVED_SECONDS,
    )


def _item(row: dict[str, Any], mode: Mode, asked_until: float) -> dict[str, Any]:
    changed_at: datetime = row["updated_at"]
    return {
        "version": int(changed_at.timestamp() * 1_000_000),
        "subscription_id": row["id"],
        "channel_id": row["channel_id"],
        "topic_url": row["topic_url"],
        "address": address(row["callback_url"], row["callback_token"]),
        "lease_seconds": row["asked_seconds"],
        "asked": mode,
        "asked_until": int(asked_until),
    }


def seal(secret: str, token: str) -> bytes:
    return sealing.seal(secret.encode(), PURPOSE, token)


def opened(sealed: Iterable[bytes], token: str) -> list[bytes]:
    return [sealing.open_(each, PURPOSE, token) for each in sealed]
