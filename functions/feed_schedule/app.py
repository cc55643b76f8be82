"""Every minute → what is due: leases to renew, channels to poll, videos without details go to the queues of those who talk to the outside."""

import json
from datetime import UTC, datetime
from typing import Any

from showrunner import config, quotas
from showrunner.aws import rpc, schedules
from showrunner.database import db
from showrunner.feed import callbacks
from showrunner.store.feed import polls, subscriptions
from showrunner.telemetry import entrypoint, logger, metrics

# A minute's share at most: 288,000 renewals a day is ten times what the design counts on, and an outage's backlog spreads itself; 22,500 channels are polled
# in the time in which each must be.
RENEWALS = 200
POLLS = 500
ENRICHMENTS = 500
# What polls may spend of their share (quotas.SHARES); the rest is for enrichments and for people who wait.
POLL_UNITS = 2_000
ENDING_HOURS = 12
BATCH = 10


def renew() -> int:
    with db.transaction() as tx:
        subscriptions.expire(tx)
        due = subscriptions.claim_due(tx, RENEWALS)
    asked, outrun = [], []
    for row in due:
        (asked if callbacks.save(row, row["ask_at"].timestamp() + callbacks.GRACE_SECONDS) else outrun).append(row)
    send(config.setting("HUB_QUEUE_URL"), [{"token": row["callback_token"], "mode": "subscribe"} for row in asked])
    finish_removals(outrun)
    return len(asked)


def finish_removals(rows: list[dict[str, Any]]) -> None:
    """Those that the receiver knows as removed, whose rows should have gone with it. What somebody renewed meanwhile he has told of himself."""
    removed = [row for row in rows if (callback := callbacks.find(row["callback_token"])) and callback.removed]
    send(config.setting("HUB_QUEUE_URL"), [{"token": row["callback_token"], "mode": "unsubscribe"} for row in removed])
    with db.transaction() as tx:
        for row in removed:
            subscriptions.remove(tx, row["id"])


def poll(now: datetime) -> int:
    units = POLL_UNITS - quotas.spent_by_share("youtube", now)["polling"]
    left = (quotas.pacific_midnight(now) - now).total_seconds()
    with db.transaction() as tx:
        due = polls.claim_due(tx, POLLS, polls.playlist_seconds(polls.count_failing(tx), units, left))
    send(config.setting("POLL_QUEUE_URL"), [{"kind": "poll", "channel_id": row["channel_id"], "paid": row["paid"]} for row in due])
    return len(due)


def enrich() -> int:
    with db.transaction() as tx:
        due = polls.claim_enrichment(tx, ENRICHMENTS)
    batches = [due[start : start + polls.IDS_A_UNIT] for start in range(0, len(due), polls.IDS_A_UNIT)]
    send(config.setting("POLL_QUEUE_URL"), [{"kind": "enrich", "video_ids": batch} for batch in batches])
    return len(due)


def watch() -> None:
    with db.reading() as tx:
        ending = subscriptions.count_ending(tx, ENDING_HOURS)
    metrics.add_metric("LeasesEnding", "Count", ending)
    if ending:
        logger.error("leases end soon and are not renewed, or the hub refuses them", extra={"count": ending})


def send(queue_url: str, messages: list[dict[str, Any]]) -> None:
    for start in range(0, len(messages), BATCH):
        entries = [{"Id": str(number), "MessageBody": json.dumps(each)} for number, each in enumerate(messages[start : start + BATCH])]
        answer = rpc.call("sqs", "SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
        if answer.get("Failed"):
            logger.error("messages were refused", extra={"queue": queue_url, "count": len(answer["Failed"])})


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if not schedules.is_work_due("subscriptions"):
        return {}
    done = {"asked": renew(), "polled": poll(datetime.now(UTC)), "enriched": enrich()}
    watch()
    with db.reading() as tx:
        schedules.look_again("subscriptions", polls.next_due(tx))
    logger.info("due", extra=done)
    return done
