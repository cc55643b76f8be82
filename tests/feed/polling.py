"""Steps of the polling tests: uploads at the simulated YouTube, and runs of the feed's functions."""

from datetime import UTC, datetime, timedelta

from showrunner.database import db
from tests.feed.ingestion import CALLBACK, CHANNEL, batch


def upload(known, key, title="Missed", channel=CHANNEL, hours=1):
    at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")
    known.videos[key] = {
        "channel_id": channel,
        "title": title,
        "published_at": at,
        "duration": "PT4M13S",
        "tags": ["a", "b"],
        "views": 123,
    }


def run_once(world):
    """Run the schedule, the poll function and the intake once. Returns the messages that were polled."""
    from functions.feed_poll import app as poll
    from functions.feed_schedule import app as schedule

    schedule.handler({}, None)
    messages = world.take("POLL_QUEUE_URL")
    poll.handler(batch(messages), None)
    world.drain()
    return messages


def make_polls_due(tx):
    db.run(tx, "UPDATE feed.polls SET poll_at = now() - interval '1 second'")


def work(world, *messages):
    """Run the poll function on these messages. Returns (ids of failed ones, the reports it queued)."""
    from functions.feed_poll import app

    failed = [
        each["itemIdentifier"] for each in app.handler(batch(list(messages)), None)["batchItemFailures"]
    ]
    return failed, world.take("NOTIFICATIONS_QUEUE_URL")


ENRICH = {"kind": "enrich", "video_ids": ["vid00000001"]}


POLL = {"kind": "poll", "channel_id": CHANNEL, "paid": True}


def from_url(world, url):
    return world.api("POST", "/api/v1/channels/from-url", {"url": url, "callback_url": CALLBACK})
