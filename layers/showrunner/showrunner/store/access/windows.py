"""Count calls in sliding windows, and read what the caller may do now, in one statement."""

import math
from typing import Any

from showrunner.database import db

# Rows are locked in the order of their keys, so that two calls of one user can't deadlock.
_SPENT = """
INSERT INTO access.windows AS w (key, seconds, quota, bucket, count, admitted)
SELECT k, s, q, floor(extract(epoch FROM clock_timestamp()) / s)::bigint,
       CASE WHEN :amount::integer <= q THEN :amount::integer ELSE 0 END, :amount::integer <= q
  FROM unnest(:keys::text[], :seconds::integer[], :quotas::integer[]) AS a(k, s, q)
 ORDER BY k, s
ON CONFLICT (key, seconds) DO UPDATE SET
    quota = excluded.quota,
    bucket = excluded.bucket,
    previous = CASE excluded.bucket - w.bucket WHEN 0 THEN w.previous WHEN 1 THEN w.count ELSE 0 END,
    admitted = access.used(w.bucket, w.count, w.previous, w.seconds) + :amount::integer <= excluded.quota,
    count = CASE excluded.bucket WHEN w.bucket THEN w.count ELSE 0 END
          + CASE WHEN access.used(w.bucket, w.count, w.previous, w.seconds) + :amount::integer
                      <= excluded.quota
                 THEN :amount::integer ELSE 0 END
RETURNING key, seconds, quota, admitted, access.used(bucket, count, previous, seconds) AS used
"""
# A token's claims are up to an hour old; these are the current values. Six lookups by primary key.
_CALLER = """
SELECT o.content_owner, m.role, m.is_owner OR m.is_admin AS is_owner,
       coalesce(u.suspended_at, c.suspended_at) IS NOT NULL AS user_suspended,
       o.suspended_at IS NOT NULL AS organisation_suspended,
       coalesce(u.platform_admin, c.platform_admin) AS platform_admin, u.verified_at IS NOT NULL AS verified,
       CASE WHEN :user_id::uuid IS NULL THEN :creator::uuid IS NULL OR c.id IS NOT NULL
            ELSE u.id IS NOT NULL AND f.id IS NOT NULL AND (:actor::uuid IS NULL OR a.platform_admin)
       END AS live
  FROM accounts.organisations o
  LEFT JOIN accounts.members m ON m.organisation_id = o.id AND m.user_id = :user_id::uuid
  LEFT JOIN accounts.users u ON u.id = m.user_id AND u.erased_at IS NULL
  LEFT JOIN accounts.users a ON a.id = :actor::uuid AND a.erased_at IS NULL
  LEFT JOIN accounts.users c ON c.id = :creator::uuid AND c.erased_at IS NULL
  LEFT JOIN access.refresh_families f
    ON f.id = :family::uuid AND f.user_id = coalesce(:actor::uuid, :user_id::uuid) AND f.revoked_at IS NULL
 WHERE o.id = :organisation_id::uuid AND o.deleted_at IS NULL
"""
_ADMIT = f"""
WITH spent AS ({_SPENT}), caller AS ({_CALLER})
SELECT spent.*, caller.*,
       extract(epoch FROM clock_timestamp()) AS now,
       EXISTS (SELECT FROM access.denied_tokens WHERE token_id = :token_id AND expires_at > now()) AS denied,
       (SELECT json_build_object('message', message, 'minutes',
                                 greatest(1, ceil(extract(epoch FROM ends_at - now()) / 60)))
          FROM access.maintenance) AS maintenance
  FROM spent LEFT JOIN caller ON true
"""


def admit(tx: db.Transaction, caller: dict[str, Any], windows: dict[str, Any]) -> list[dict[str, Any]]:
    """Count one call in all `windows` and read the caller's current rights. Returns one row per window.

    `caller`: token_id, user_id, actor, creator, family, organisation_id. `windows`: keys, seconds and quotas,
    lists of equal length, and amount.
    """
    return db.rows(tx, _ADMIT, **caller, **windows)


def spend(tx: db.Transaction, windows: dict[str, Any]) -> list[dict[str, Any]]:
    """Count `amount` in each of `windows`, as `admit` takes them. Returns one row per window.

    A rollback undoes it.
    """
    return db.rows(
        tx,
        f"WITH spent AS ({_SPENT}) SELECT *, extract(epoch FROM clock_timestamp()) AS now FROM spent",
        **windows,
    )


def used(tx: db.Transaction, key: str, seconds: int) -> int:
    """Return how much of a window is used now."""
    spent = db.value(
        tx,
        """
        SELECT access.used(bucket, count, previous, seconds) FROM access.windows
         WHERE key = :key AND seconds = :seconds
        """,
        key=key,
        seconds=seconds,
    )
    return math.ceil(spent or 0)
