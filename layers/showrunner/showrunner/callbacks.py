"""What the receiver of notifications must know of a subscription, in the state table by the callback's token. The database's row is the source; this follows.

The token is the last segment of the callback that the hub is given; nobody else learns it.
"""

import time
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from showrunner import state
from showrunner.access import sealing

# A removed subscription answers 410 for so long: the hub's last retries come within hours.
REMOVED_SECONDS = 2 * 86_400
PURPOSE = "websub"

Mode = Literal["subscribe", "unsubscribe"]


class Callback(NamedTuple):
    """`asked` is the mode that a verification may name until `asked_until`; secrets are sealed, the newest first."""

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

    def expects(self, mode: str, now: float) -> bool:
        return mode == self.asked and now < self.asked_until


def address(callback_url: str, token: str) -> str:
    """The callback with its token as last segment of the path; a query stays behind it."""
    parts = urlsplit(callback_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{token}"))


def find(token: str) -> Callback | None:
    found = state.find(f"websub#{token}", "subscription")
    if found is None:
        return None
    sealed = tuple(found[name] for name in ("secret", "previous") if name in found)
    return Callback(
        token, found["subscription_id"], found["channel_id"], found["topic_url"], found["address"], found["lease_seconds"], found["asked"],
        found["asked_until"], bool(found.get("removed")), sealed,
    )  # fmt: skip


def save(row: dict[str, Any], mode: Mode, asked_until: float) -> None:
    """Tells the receiver what the hub is about to ask. `row` is the subscription's, with its sealed secrets."""
    gone = mode == "unsubscribe"
    state.put(
        f"websub#{row['callback_token']}",
        "subscription",
        {
            "subscription_id": row["id"],
            "channel_id": row["channel_id"],
            "topic_url": row["topic_url"],
            "address": address(row["callback_url"], row["callback_token"]),
            "lease_seconds": row["asked_seconds"],
            "asked": mode,
            "asked_until": int(asked_until),
            "removed": gone or None,
            "secret": row["secret"],
            "previous": row["previous_secret"],
        },
        time.time() + REMOVED_SECONDS if gone else None,
    )


def seal(secret: str, token: str) -> bytes:
    return sealing.seal(secret.encode(), PURPOSE, token)


def opened(sealed: Iterable[bytes], token: str) -> list[bytes]:
    return [sealing.open_(each, PURPOSE, token) for each in sealed]
