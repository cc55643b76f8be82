"""Rate limits: sliding windows in PostgreSQL.

One statement counts a request in all its windows and reads what its caller may do at this moment, whether the
token is denied, and the maintenance mode. A window is the current bucket and a share of the one before: the
error is a few percent at most, and a key needs one row. A refused call isn't counted, so that somebody who
waits for Retry-After gets in. The table is UNLOGGED; a crash resets all counts, which harms nobody.
"""

import math
import socket
from typing import Any, NamedTuple

from showrunner import config
from showrunner.access import tokens
from showrunner.database import db
from showrunner.errors import LimitExceeded, ServiceUnavailable, Unauthorized
from showrunner.store.access import windows as call_windows
from showrunner.store.accounts import organisations


class Window(NamedTuple):
    """At most `quota` calls of `key` in `seconds`."""

    key: str
    seconds: int
    quota: int


class Standing(NamedTuple):
    """The caller's use of the tightest of its windows, for the RateLimit headers."""

    limit: int
    remaining: int
    reset: int


# What every user and service has, and what an address has where nobody is known yet.
USER = ((60, 60), (3600, 1000))
ADDRESS = ((60, 60), (3600, 1000))
# Requests of one address that fail before anybody is known: bad tokens, unknown paths and methods.
FAILURES = ((60, 60), (3600, 1000))
DAY = 86_400
# What every plan gives. A person has videos_per_day and channels; an organisation has assets, asset_bytes and
# month_usd, the most that its videos may cost in a month. 2,000 files and 50 GB are ten times what the
# largest channel used; storage costs us $1.15 a month then.
PLAN = {
    "videos_per_day": 100,
    "channels": 10,
    "assets": 2_000,
    "asset_bytes": 50_000_000_000,
    "month_usd": 1_000,
}


def of_plan(overrides: dict[str, int]) -> dict[str, int]:
    """Return the plan's limits with those that a platform admin has set for the organisation."""
    return {name: overrides.get(name, value) for name, value in PLAN.items()}


def of_organisation(tx: db.Transaction, organisation_id: str) -> dict[str, int]:
    """Return the organisation's limits by name (PLAN)."""
    return of_plan(organisations.get_limits(tx, organisation_id))


def spend_videos(tx: db.Transaction, caller: tokens.Identity, action: str) -> None:
    """Count one video of the caller's day. Raises LimitExceeded (QUOTA_EXCEEDED).

    action: "generate" or "retry", which are counted separately.
    """
    quota = of_organisation(tx, caller.organisation_id)["videos_per_day"] * factor()
    try:
        spend(tx, Window(f"{action}:{caller.holder}", DAY, quota))
    except LimitExceeded as error:
        message = f"You have used the {quota} videos of a day: wait {error.retry_after} seconds."
        raise LimitExceeded(message, error.retry_after, code="QUOTA_EXCEEDED", limit=quota) from error


class Admission(NamedTuple):
    """A counted call: its windows, and the caller's current rights."""

    standing: Standing
    known: dict[str, Any]

    def identity(
        self, caller: tokens.Identity | None, *, open_in_maintenance: bool = False
    ) -> tokens.Identity | None:
        """Return the caller with its current rights.

        Raises Unauthorized (a revoked token, an ended session or membership), Forbidden (suspended) or
        ServiceUnavailable (maintenance).
        """
        if self.known["denied"]:
            raise Unauthorized("The token has been revoked: log in again.")
        now = tokens.as_of_now(caller, self.known) if caller else None
        closed = self.known["maintenance"]
        if closed and not open_in_maintenance:
            raise ServiceUnavailable(
                closed["message"], retry_after=int(closed["minutes"]) * 60, code="MAINTENANCE_MODE"
            )
        return now


def admit(tx: db.Transaction, windows: list[Window], caller: tokens.Identity | None = None) -> Admission:
    """Count this call in all windows. Raises LimitExceeded."""
    rows = call_windows.admit(tx, _who(caller), _columns(windows, 1))
    return Admission(_standing(rows), rows[0])


def _who(caller: tokens.Identity | None) -> dict[str, Any]:
    if caller is None:
        return {
            "token_id": "",
            "user_id": None,
            "actor": None,
            "creator": None,
            "family": None,
            "organisation_id": None,
        }
    user_id = None if caller.is_service else caller.subject
    who = {"user_id": user_id, "actor": caller.actor, "creator": caller.creator, "family": caller.family}
    return {"token_id": caller.token_id, "organisation_id": caller.organisation_id, **who}


def spend(tx: db.Transaction, window: Window, amount: int = 1) -> None:
    """Take `amount` from one window, inside the caller's transaction. Raises LimitExceeded."""
    _standing(call_windows.spend(tx, _columns([window], amount)))


def windows(key: str, sizes: tuple[tuple[int, int], ...]) -> list[Window]:
    return [Window(key, seconds, quota * factor()) for seconds, quota in sizes]


_MAPPED = bytes(10) + b"\xff\xff"


def place(address: str) -> str:
    """Return what an address counts as: itself, or for IPv6 its /64, which one subscriber has (RFC 6177)."""
    try:
        raw = socket.inet_pton(socket.AF_INET6, address) if ":" in address else b""
    except OSError:
        raw = b""  # nothing that API Gateway would send: counted as it stands
    if not raw:
        return address
    return (
        socket.inet_ntop(socket.AF_INET, raw[12:])
        if raw.startswith(_MAPPED)
        else socket.inet_ntop(socket.AF_INET6, raw[:8] + bytes(8)) + "/64"
    )


def factor() -> int:
    """Return what every limit is multiplied by: RATE_LIMIT_FACTOR, for tests and load runs."""
    return int(config.setting("RATE_LIMIT_FACTOR", "1"))


def _columns(windows_: list[Window], amount: int) -> dict[str, Any]:
    keys, seconds, quotas = zip(*windows_, strict=True)
    return {"keys": list(keys), "seconds": list(seconds), "quotas": list(quotas), "amount": amount}


def _standing(rows: list[dict[str, Any]]) -> Standing:
    refused = [row for row in rows if not row["admitted"]]
    tightest = max(
        refused or rows,
        key=lambda row: (row["seconds"] if refused else 0, row["used"] / max(row["quota"], 1)),
    )
    seconds, now = tightest["seconds"], float(tightest["now"])
    reset = max(1, math.ceil(seconds - now % seconds))
    if refused:
        message = f"More than {tightest['quota']} calls in {_words(seconds)}: wait {reset} seconds."
        raise LimitExceeded(message, retry_after=reset, limit=tightest["quota"])
    return Standing(tightest["quota"], max(0, tightest["quota"] - math.ceil(tightest["used"])), reset)


def _words(seconds: int) -> str:
    return {60: "a minute", 900: "15 minutes", 3600: "an hour", DAY: "a day"}.get(
        seconds, f"{seconds} seconds"
    )
