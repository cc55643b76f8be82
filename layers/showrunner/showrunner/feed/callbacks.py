"""What the receiver of notifications must know of a subscription, in the state table by the callback's token.

The database's row is the source; this follows.

The token is the last segment of the callback that the hub is given; nobody else learns it.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from showrunner.access import sealing
from showrunner.aws import dynamodb

# A removed subscription answers 410 for so long: the hub's last retries come within hours.
REMOVED_SECONDS = 2 * 86_400
# What the hub signed with the secret before may be under way for so long after it has verified the new one;
# it tries a failed push again within minutes.
OVERLAP_SECONDS = 900
# The receiver expects the hub until after it is asked next.
GRACE_SECONDS = 3600
# In place of the secret before, where there was none: what isn't signed is still to be taken.
UNSIGNED = b""
PURPOSE = "websub"

Mode = Literal["subscribe", "unsubscribe"]


class Callback(NamedTuple):
    """`asked` is the mode that a verification may name until `asked_until`; secrets are sealed, the newest first, which the hub is told. `unsigned`: the hub
    may not have heard of the first secret yet."""

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
    """The callback with its token as last segment of the path; a query stays behind it."""
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
        token, found["subscription_id"], found["channel_id"], found["topic_url"], found["address"], found["lease_seconds"], found["asked"],
        found["asked_until"], bool(found.get("removed")), sealed, previous == UNSIGNED,
    )  # fmt: skip


def save(row: dict[str, Any], asked_until: float, previous_until: float | None = None) -> bool:
    """Tells the receiver that the hub is about to be asked for the subscription.

    `row` has its sealed secrets; the one before counts until `previous_until`.

    False where something newer is there already: whoever changed the row since has told of it, and what was
    removed stays so.
    """
    values = {
        **_told(row, "subscribe", asked_until),
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
    """The receiver answers 410 from now on, but for the hub's question whether this is meant."""
    dynamodb.put(
        f"websub#{row['callback_token']}",
        "subscription",
        {**_told(row, "unsubscribe", asked_until), "removed": True},
        time.time() + REMOVED_SECONDS,
    )


def _told(row: dict[str, Any], mode: Mode, asked_until: float) -> dict[str, Any]:
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
