"""Figures over all organisations, for the metrics page."""

from typing import Any

from showrunner.database import db

# Name of a metric -> (description, [(labels, value)])
type Figures = dict[str, tuple[str, list[tuple[dict[str, str], Any]]]]


def list_(tx: db.Transaction) -> Figures:
    """Return the figures of the metrics page."""
    videos = db.rows(
        tx,
        """
        SELECT status, count(*) AS n FROM studio.videos WHERE deleted_at IS NULL
         GROUP BY status ORDER BY status
        """,
    )
    spent = db.rows(
        tx,
        """
        SELECT step, sum(amount_usd)::text AS n FROM ledger.costs
         WHERE recorded_at > now() - interval '30 days' GROUP BY step ORDER BY step
        """,
    )
    counts = db.one(
        tx,
        """
        SELECT (SELECT count(*) FROM accounts.organisations) AS organisations,
               (SELECT count(*) FROM accounts.users WHERE erased_at IS NULL) AS users,
               (SELECT count(*) FROM studio.channels WHERE deleted_at IS NULL) AS channels,
               (SELECT count(*) FROM access.maintenance) AS maintenance,
               (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::text
                  FROM studio.videos WHERE status = 'queued' AND deleted_at IS NULL) AS oldest
        """,
    )
    if counts is None:
        raise AssertionError("an aggregate always returns a row")
    return {
        "showrunner_videos": ("Videos by status.", [({"status": row["status"]}, row["n"]) for row in videos]),
        "showrunner_costs_usd": (
            "What was paid in 30 days, by step, in US dollars.",
            [({"step": row["step"]}, row["n"]) for row in spent],
        ),
        "showrunner_organisations": ("Organisations.", [({}, counts["organisations"])]),
        "showrunner_users": ("People with an account.", [({}, counts["users"])]),
        "showrunner_channels": ("Channels that organisations run.", [({}, counts["channels"])]),
        "showrunner_oldest_queued_seconds": (
            "Age of the video that waits longest for its production.",
            [({}, counts["oldest"])],
        ),
        "showrunner_maintenance": (
            "1 while the API is closed for maintenance.",
            [({}, counts["maintenance"])],
        ),
    }
