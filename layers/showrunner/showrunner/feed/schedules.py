"""Send leases to renew, channels to poll and videos to look up to their functions, every minute."""

from datetime import UTC, datetime
from typing import Any

from showrunner import config, quotas
from showrunner.aws import queues, schedules
from showrunner.database import db
from showrunner.feed import callbacks, hub_secrets
from showrunner.feed.messages import HubRequest, LookUpVideos, PollChannel
from showrunner.store.feed import polls, subscriptions
from showrunner.telemetry import logger, metrics

# The most for one minute. 288,000 renewals a day are ten times the design's number, and the backlog of an
# outage is spread over minutes. 22,500 channels can be polled in the 45 minutes between two polls of each.
RENEWALS = 200
POLLS = 500
LOOK_UPS = 500
ENDING_HOURS = 12


def run() -> dict[str, int]:
    """Send what is due. Returns the counts."""
    counts = {"asked": renew(), "polled": poll(datetime.now(UTC)), "enriched": look_up()}
    watch()
    with db.reading() as tx:
        schedules.look_again("subscriptions", polls.next_due(tx))
    return counts


def renew() -> int:
    """Request the renewals that are due. Returns how many."""
    with db.transaction() as tx:
        subscriptions.expire(tx)
        claimed = subscriptions.claim_due(tx, RENEWALS)
    due = [hub_secrets.replace_if_old(row) for row in claimed]
    saved: list[dict[str, Any]] = []
    outdated: list[dict[str, Any]] = []
    for row in due:
        (
            saved if callbacks.save(row, row["ask_at"].timestamp() + callbacks.GRACE_SECONDS) else outdated
        ).append(row)
    queues.send_all(
        config.setting("HUB_QUEUE_URL"), [HubRequest(row["callback_token"], "subscribe") for row in saved]
    )
    finish_removals(outdated)
    return len(saved)


def finish_removals(rows: list[dict[str, Any]]) -> None:
    """Remove subscriptions whose callback is removed but whose row was left.

    A row that somebody renewed meanwhile stays.
    """
    removed = [
        row for row in rows if (callback := callbacks.find(row["callback_token"])) and callback.removed
    ]
    queues.send_all(
        config.setting("HUB_QUEUE_URL"), [HubRequest(row["callback_token"], "unsubscribe") for row in removed]
    )
    with db.transaction() as tx:
        for row in removed:
            subscriptions.remove(tx, row["id"])


def poll(now: datetime) -> int:
    """Send the channels that are due. Returns how many."""
    units = quotas.POLL_UNITS - quotas.spent_by_share("youtube", now)["polling"]
    left = (quotas.pacific_midnight(now) - now).total_seconds()
    with db.transaction() as tx:
        due = polls.claim_due(tx, POLLS, polls.playlist_seconds(polls.count_failing(tx), units, left))
    queues.send_all(
        config.setting("POLL_QUEUE_URL"), [PollChannel(row["channel_id"], row["paid"]) for row in due]
    )
    return len(due)


def look_up() -> int:
    """Send the videos without details. Returns how many."""
    with db.transaction() as tx:
        due = polls.claim_enrichment(tx, LOOK_UPS)
    batches = [due[start : start + polls.IDS_A_UNIT] for start in range(0, len(due), polls.IDS_A_UNIT)]
    queues.send_all(config.setting("POLL_QUEUE_URL"), [LookUpVideos(batch) for batch in batches])
    return len(due)


def watch() -> None:
    """Count the leases that end soon for the alarm LeasesEnd."""
    with db.reading() as tx:
        ending = subscriptions.count_ending(tx, ENDING_HOURS)
    metrics.add_metric("LeasesEnding", "Count", ending)
    if ending:
        logger.error("leases end soon and are not renewed, or the hub refuses them", extra={"count": ending})
