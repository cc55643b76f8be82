"""Replace the secrets that the hub signs with, by age, when their leases are renewed anyway.

Two are valid meanwhile: the receiver accepts the one before until the hub has verified the new one, and for
some minutes more (callbacks.py). So a run that ends half-way leaves a valid secret, and the next renewal, at
most VERIFICATION_SECONDS later, continues.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from showrunner.aws import correlation, rpc
from showrunner.database import db
from showrunner.errors import ServiceUnavailable
from showrunner.feed import callbacks
from showrunner.keys.inventory import HUB_SECRETS
from showrunner.store.audit import audit_log
from showrunner.store.feed import subscriptions
from showrunner.telemetry import logger

# 32 random bytes are 43 characters, like the secret that a new subscription gets.
BYTES = 32
MAX_AGE_DAYS = HUB_SECRETS.max_age_days or 0


def replace_if_old(row: dict[str, Any]) -> dict[str, Any]:
    """Return the subscription with a new secret and one audit row if its secret is too old, else as it is.

    Without KMS the secret stays, because the renewal is more important.
    """
    if not _is_old(row):
        return row
    try:
        sealed = callbacks.seal(secrets.token_urlsafe(BYTES), row["callback_token"])
    except (ServiceUnavailable, rpc.AwsError):
        logger.exception("a hub secret was not replaced", extra={"subscription_id": row["id"]})
        return row
    with db.transaction() as tx:
        replaced = subscriptions.replace_secret(tx, row["id"], sealed, MAX_AGE_DAYS)
        if replaced is not None:
            change = {"outcome": "done", "channel_id": row["channel_id"]}
            audit_log.add(tx, _who(), "hub_secret_rotate", "subscription", str(row["id"]), change)
    return replaced or row


def _is_old(row: dict[str, Any]) -> bool:
    if row["secret"] is None or row["previous_secret"] is not None:
        return False
    made_at: datetime = row["rotated_at"] or row["created_at"]
    return made_at < datetime.now(UTC) - timedelta(days=MAX_AGE_DAYS)


def _who() -> dict[str, str | None]:
    return {
        "organisation_id": None,
        "subject": "service:feed_schedule",
        "actor": None,
        "request_id": correlation.current(),
        "address": None,
    }
