"""Daily reports of a stream whose events come in any order: each day is compared with the one before."""

import itertools
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from functions.reports import app
from showrunner.aws import sdk
from showrunner.rights import drop_order
from tests.rights.conftest import table
from tests.rights.test_snapshots import HEADER, claim

DAYS = 3


@pytest.fixture
def stream(owner, drop, monkeypatch):
    """Reports of three days in the owner's folder, of which nobody has been told. Returns their messages."""
    sqs = sdk.client("sqs")
    queue = sqs.create_queue(QueueName=f"drops-{owner['id']}")["QueueUrl"]
    monkeypatch.setenv("REPORTS_QUEUE_URL", queue)
    # What waits comes back at once, and the queue is read when the test wants it.
    monkeypatch.setattr(drop_order, "WAIT_SECONDS", 0)
    messages = []
    for day in range(1, DAYS + 1):
        at = datetime(2026, 11, day, tzinfo=UTC)
        key = (
            f"drops/{owner['name']}/api/content_owner_active_claims_a3/{at:%Y-%m-%d}_{at:%Y-%m-%d}/"
            f"{at + timedelta(days=2):%Y%m%dT%H%M%S}000000Z-job/content_owner_active_claims_a3.csv.gz"
        )
        content = (HEADER + claim(1, title=f"Title {day}") + claim(10 + day)).encode()
        sdk.client("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=content)
        messages.append(
            {
                "object_key": key,
                "version": f"{day:018X}",
                "bytes": len(content),
                "dropped_at": datetime.now(UTC).isoformat(),
                "kind": "report_dropped",
            }
        )
    return messages, queue


def deliver(message):
    record = {"messageId": "m", "body": json.dumps(message), "attributes": {"ApproximateReceiveCount": "1"}}
    assert app.handler({"Records": [record]}, None) == {"batchItemFailures": []}


def statuses(tx, owner):
    return [each["status"] for each in table(tx, "reports", owner, "status", "period_start")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(DAYS))))
def test_each_day_is_compared_with_the_one_before(tx, owner, stream, order):
    messages, queue = stream
    for each in order:
        deliver(messages[each])
    while received := sdk.client("sqs").receive_message(QueueUrl=queue).get("Messages"):
        sdk.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=received[0]["ReceiptHandle"])
        deliver(json.loads(received[0]["Body"]))

    assert statuses(tx, owner) == ["loaded"] * DAYS
    found = table(tx, "history", owner, "day::text, change, key", "day, change, key")
    assert [tuple(each.values()) for each in found] == [
        ("2026-11-02", "changed", "cl0001"),
        ("2026-11-02", "removed", "cl0011"),
        ("2026-11-03", "changed", "cl0001"),
        ("2026-11-03", "removed", "cl0012"),
    ]


def test_a_day_whose_event_was_lost_holds_the_next_one_up_for_hours_only(tx, owner, stream):
    (_, second, _), queue = stream
    deliver(second)
    assert statuses(tx, owner) == []
    assert sdk.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    at = datetime.fromisoformat(second["dropped_at"]) - drop_order.MOST_WAIT - timedelta(minutes=1)
    deliver(second | {"dropped_at": at.isoformat()})
    assert statuses(tx, owner) == ["loaded"]


def test_a_day_that_was_refused_holds_nobody_up(tx, owner, stream):
    (first, second, _), _ = stream
    sdk.client("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=first["object_key"], Body=b"\x1f\x8b!")
    deliver(first)
    deliver(second)
    assert sorted(statuses(tx, owner)) == ["loaded", "refused"]
