"""Schedule, every night -> what has had its time is deleted in batches, and what was removed a month ago is purged with its files."""

import time
from collections.abc import Callable
from typing import Any

from showrunner import blobs, db
from showrunner.production.brief import video_folder
from showrunner.store import polls, retention
from showrunner.telemetry import entrypoint, logger

# A batch holds its locks for some hundredths of a second.
BATCH = 5_000
# Files of a video are deleted one by one: a night's share is what fits, oldest first.
VIDEOS = 200
# The function has 300 s; one more batch or video fits into what is left.
RUN_SECONDS = 240

REMOVALS: dict[str, Callable[[db.Transaction, int], int]] = {
    "windows": retention.remove_windows,
    "idempotency": retention.remove_idempotency,
    "denied_tokens": retention.remove_denied_tokens,
    "refresh_tokens": retention.remove_refresh_tokens,
    "refresh_families": retention.remove_refresh_families,
    "mail_tokens": retention.remove_mail_tokens,
    "oauth_states": retention.remove_oauth_states,
    "login_attempts": retention.remove_login_attempts,
    "known_places": retention.remove_known_places,
    "channel_removals": retention.remove_channel_removals,
    "deliveries": retention.remove_deliveries,
    "seen": retention.remove_seen,
}


def _remove_all(remove: Callable[[db.Transaction, int], int], until: float) -> int:
    """Batch after batch, each in its own transaction. What doesn't fit into this night is left to the next."""
    removed, batch = 0, BATCH
    while batch == BATCH and time.monotonic() < until:
        with db.transaction() as tx:
            batch = remove(tx, BATCH)
        removed += batch
    return removed


def _purge(until: float) -> int:
    """Files first: a run that ends in between finds the row again, and nothing is left that no row knows."""
    with db.reading() as tx:
        removed = retention.list_removed_videos(tx, VIDEOS)
    purged = 0
    for video in removed:
        if time.monotonic() > until:
            break
        blobs.remove(blobs.list_keys(f"{video_folder(str(video['organisation_id']), str(video['id']))}/"))
        with db.transaction() as tx:
            purged += retention.remove_video(tx, video["id"])
    return purged


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    until = time.monotonic() + RUN_SECONDS
    with db.transaction() as tx:
        polls.prepare_months(tx)
    done = {name: _remove_all(remove, until) for name, remove in REMOVALS.items()}
    done["videos"] = _purge(until)
    done["channels"] = _remove_all(retention.remove_channels, until)
    logger.info("removed", extra=done)
    return done
