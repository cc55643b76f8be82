"""How often, and whether still: sliding windows in PostgreSQL, all of a request's windows, what its caller is at this moment, the denied tokens and the
maintenance mode in one statement.

A window is the current bucket and a share of the one before, which errs by a few percent at most and needs one row for each key. A refused call isn't
counted: somebody who waits as told gets in. The table is UNLOGGED; after a crash everyone starts anew, which harms nobody.
"""

import math
import socket
from typing import Any, NamedTuple

from showrunner import config
from showrunner.access import tokens
from showrunner.database import db
from showrunner.errors import LimitExceeded, ServiceUnavailable, Unauthorized
from showrunner.store.access import windows as call_windows


class Window(NamedTuple):
    """At most `quota` calls of `key` in `seconds`."""

    key: str
    seconds: int
    quota: int


class Standing(NamedTuple):
    """Where the caller stands in the tightest of its windows, for the RateLimit headers."""

    limit: int
    remaining: int
    reset: int


# What every user and service has, and what an address has where nobody is known yet.
USER = ((60, 60), (3600, 1000))
ADDRESS = ((60, 60), (3600, 1000))
GENERATE_A_DAY = 100
DAY = 86_400


def admit(
    tx: db.Transaction, windows: list[Window], caller: tokens.Identity | None = None, *, open_in_maintenance: bool = False
) -> tuple[Standing, tokens.Identity | None]:
    """Counts this call in all windows, and gives the caller as it is now. Raises Unauthorized (a token that was denied, a session or membership that is
    over), ServiceUnavailable (maintenance) or LimitExceeded."""
    rows = call_windows.admit(tx, _who(caller), _columns(windows, 1))
    first = rows[0]
    if first["denied"]:
        raise Unauthorized("The token has been revoked: log in again.")
    known = tokens.as_of_now(caller, first) if caller else None
    if first["maintenance"] and not open_in_maintenance:
        raise ServiceUnavailable(first["maintenance"]["message"], retry_after=int(first["maintenance"]["minutes"]) * 60, code="MAINTENANCE_MODE")
    return _standing(rows), known


def _who(caller: tokens.Identity | None) -> dict[str, Any]:
    if caller is None:
        return {"token_id": "", "user_id": None, "actor": None, "creator": None, "family": None, "organisation_id": None}
    user_id = None if caller.is_service else caller.subject
    who = {"user_id": user_id, "actor": caller.actor, "creator": caller.creator, "family": caller.family}
    return {"token_id": caller.token_id, "organisation_id": caller.organisation_id, **who}


def spend(tx: db.Transaction, window: Window, amount: int = 1) -> None:
    """Takes `amount` from one window inside the caller's own transaction: undone with it. Raises LimitExceeded."""
    _standing(call_windows.spend(tx, _columns([window], amount)))


def windows(key: str, sizes: tuple[tuple[int, int], ...]) -> list[Window]:
    return [Window(key, seconds, quota * factor()) for seconds, quota in sizes]


_MAPPED = bytes(10) + b"\xff\xff"


def place(address: str) -> str:
    """Whose address it is, for counting: who has one IPv6 address has at least the other 2^64 of its /64 too (RFC 6177)."""
    try:
        raw = socket.inet_pton(socket.AF_INET6, address) if ":" in address else b""
    except OSError:
        raw = b""  # nothing that API Gateway would send: counted as it stands
    if not raw:
        return address
    return socket.inet_ntop(socket.AF_INET, raw[12:]) if raw.startswith(_MAPPED) else socket.inet_ntop(socket.AF_INET6, raw[:8] + bytes(8)) + "/64"


def factor() -> int:
    """Tests and load runs raise every limit by RATE_LIMIT_FACTOR."""
    return int(config.setting("RATE_LIMIT_FACTOR", "1"))


def _columns(windows_: list[Window], amount: int) -> dict[str, Any]:
    keys, seconds, quotas = zip(*windows_, strict=True)
    return {"keys": list(keys), "seconds": list(seconds), "quotas": list(quotas), "amount": amount}


def _standing(rows: list[dict[str, Any]]) -> Standing:
    refused = [row for row in rows if not row["admitted"]]
    tightest = max(refused or rows, key=lambda row: (row["seconds"] if refused else 0, row["used"] / row["quota"]))
    seconds, now = tightest["seconds"], float(tightest["now"])
    reset = max(1, math.ceil(seconds - now % seconds))
    if refused:
        raise LimitExceeded(f"More than {tightest['quota']} calls in {_words(seconds)}: wait {reset} seconds.", retry_after=reset)
    return Standing(tightest["quota"], max(0, tightest["quota"] - math.ceil(tightest["used"])), reset)


def _words(seconds: int) -> str:
    return {60: "a minute", 900: "15 minutes", 3600: "an hour", DAY: "a day"}.get(seconds, f"{seconds} seconds")
