"""How often, and whether still: sliding windows in PostgreSQL, all of a request's windows, what its caller is at this moment, the denied tokens and the
maintenance mode in one statement.

A window is the current bucket and a share of the one before, which errs by a few percent at most and needs one row for each key. A refused call isn't
counted: somebody who waits as told gets in. The table is UNLOGGED; after a crash everyone starts anew, which harms nobody.
"""

import math
import socket
from typing import Any, NamedTuple

from showrunner import config, db
from showrunner.access import tokens
from showrunner.errors import LimitExceeded, ServiceUnavailable, Unauthorized


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

_SPENT = """
INSERT INTO access.windows AS w (key, seconds, quota, bucket, count)
SELECT k, s, q, floor(extract(epoch FROM clock_timestamp()) / s)::bigint, :amount::integer
  FROM unnest(:keys::text[], :seconds::integer[], :quotas::integer[]) AS a(k, s, q)
 ORDER BY k, s
ON CONFLICT (key, seconds) DO UPDATE SET
    quota = excluded.quota,
    bucket = excluded.bucket,
    previous = CASE excluded.bucket - w.bucket WHEN 0 THEN w.previous WHEN 1 THEN w.count ELSE 0 END,
    admitted = access.used(w.bucket, w.count, w.previous, w.seconds) + excluded.count <= excluded.quota,
    count = CASE excluded.bucket WHEN w.bucket THEN w.count ELSE 0 END
          + CASE WHEN access.used(w.bucket, w.count, w.previous, w.seconds) + excluded.count <= excluded.quota THEN excluded.count ELSE 0 END
RETURNING key, seconds, quota, admitted, access.used(bucket, count, previous, seconds) AS used
"""  # the order of the rows is that of their locks: two calls of one user never wait for each other crosswise

# What a token says was true when it was made, up to an hour ago; this is true now. Six look-ups by primary key.
_CALLER = """
SELECT o.content_owner, m.role, m.is_owner, coalesce(u.platform_admin, c.platform_admin) AS platform_admin, u.verified_at IS NOT NULL AS verified,
       CASE WHEN :user_id::uuid IS NULL THEN :creator::uuid IS NULL OR c.id IS NOT NULL
            ELSE u.id IS NOT NULL AND f.id IS NOT NULL AND (:actor::uuid IS NULL OR a.platform_admin) END AS live
  FROM accounts.organisations o
  LEFT JOIN accounts.members m ON m.organisation_id = o.id AND m.user_id = :user_id::uuid
  LEFT JOIN accounts.users u ON u.id = m.user_id AND u.erased_at IS NULL
  LEFT JOIN accounts.users a ON a.id = :actor::uuid AND a.erased_at IS NULL
  LEFT JOIN accounts.users c ON c.id = :creator::uuid AND c.erased_at IS NULL
  LEFT JOIN access.refresh_families f ON f.id = :family::uuid AND f.user_id = coalesce(:actor::uuid, :user_id::uuid) AND f.revoked_at IS NULL
 WHERE o.id = :organisation_id::uuid
"""

_ADMIT = f"""
WITH spent AS ({_SPENT}), caller AS ({_CALLER})
SELECT spent.*, caller.*,
       extract(epoch FROM clock_timestamp()) AS now,
       EXISTS (SELECT 1 FROM access.denied_tokens WHERE token_id = :token_id AND expires_at > now()) AS denied,
       (SELECT json_build_object('message', message, 'minutes', greatest(1, ceil(extract(epoch FROM ends_at - now()) / 60)))
          FROM access.maintenance) AS maintenance
  FROM spent LEFT JOIN caller ON true
"""


def admit(
    tx: db.Transaction, windows: list[Window], caller: tokens.Identity | None = None, *, open_in_maintenance: bool = False
) -> tuple[Standing, tokens.Identity | None]:
    """Counts this call in all windows, and gives the caller as it is now. Raises Unauthorized (a token that was denied, a session or membership that is
    over), ServiceUnavailable (maintenance) or LimitExceeded."""
    rows = db.rows(tx, _ADMIT, **_who(caller), **_columns(windows, 1))
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
    _standing(db.rows(tx, f"WITH spent AS ({_SPENT}) SELECT *, extract(epoch FROM clock_timestamp()) AS now FROM spent", **_columns([window], amount)))


def used(tx: db.Transaction, key: str, seconds: int) -> int:
    """How much of a window is used now."""
    spent = db.value(
        tx, "SELECT access.used(bucket, count, previous, seconds) FROM access.windows WHERE key = :key AND seconds = :seconds", key=key, seconds=seconds
    )
    return math.ceil(spent or 0)


def maintenance(tx: db.Transaction) -> str | None:
    """The message of the maintenance that is on, if any is."""
    message: str | None = db.value(tx, "SELECT message FROM access.maintenance")
    return message


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
