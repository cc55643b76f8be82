"""Loads that are killed anywhere: after the queue has delivered again, all is as if nothing had happened.

A load is killed before each of its calls of the database and of AWS, one after the other: while it reads,
loads, compares, replaces and announces. Killed is no Exception, so that no handler can put things right, as
none runs in a killed process; the server rolls back what was not committed.
"""

import contextlib
import itertools
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.aws import objects, rpc, sdk
from showrunner.database import db
from showrunner.rights import loading
from showrunner.rights.messages import ReportDropped
from tests.rights.conftest import table
from tests.rights.test_money import CLAIMS, name, row
from tests.rights.test_snapshots import HEADER, claim

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
_versions = itertools.count(1)


class Killed(BaseException):
    """The process has ended."""


class _Undone(Exception):
    """A test's way to roll back."""


@pytest.fixture
def announced(aws):
    """Return a function that returns the event_ids on the bus since the last call."""
    events, sqs = sdk.client("events"), sdk.client("sqs")
    events.put_rule(Name="killed", EventPattern='{"source": ["showrunner"]}')
    url = sqs.create_queue(QueueName="killed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="killed", Targets=[{"Id": "q", "Arn": arn}])

    def read():
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(each["Body"])["detail"]["event_id"] for each in messages]
            for each in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found

    yield read
    events.remove_targets(Rule="killed", Ids=["q"])
    events.delete_rule(Name="killed")


@pytest.fixture
def killing(monkeypatch):
    """Return a function that sets before which call the process ends, and returns the calls since then."""
    calls = itertools.count(1)
    fatal = None

    def boundary(call):
        def counted(*arguments, **named):
            if next(calls) == fatal:
                raise Killed
            return call(*arguments, **named)

        return counted

    command = db.Session.command

    def counted_command(self, sql):
        # A test's transactions are savepoints of one transaction: RELEASE stands for COMMIT.
        if not sql.startswith(("ROLLBACK", "SAVEPOINT")) and next(calls) == fatal:
            if sql.startswith("RELEASE"):
                command(self, sql.replace("RELEASE", "ROLLBACK TO"))
            raise Killed
        command(self, sql)

    monkeypatch.setattr(db.Session, "execute", boundary(db.Session.execute))
    monkeypatch.setattr(db.Session, "command", counted_command)
    monkeypatch.setattr(db, "copy_in", boundary(db.copy_in))
    monkeypatch.setattr(rpc, "call", boundary(rpc.call))
    monkeypatch.setattr(objects, "request", boundary(objects.request))

    def set_(number):
        nonlocal calls, fatal
        done, calls, fatal = next(calls) - 1, itertools.count(1), number
        return done

    return set_


def put(owner, filename, content, at):
    """Put a file into the owner's folder. Returns the message of the drop."""
    key = f"drops/{owner['name']}/{filename}"
    sdk.client("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=content.encode())
    return ReportDropped(key, f"{next(_versions):018X}", len(content), at)


def state(tx, owner):
    """Return all that the tables have of an owner, but for ids and times."""
    ids = {
        each["id"]: str(number) for number, each in enumerate(table(tx, "reports", owner, order="dropped_at"))
    }
    found = {
        name: [
            {key: value for key, value in each.items() if not key.endswith("_at")}
            for each in table(tx, name, owner, order=order)
        ]
        for name, order in (
            ("reports", "dropped_at"),
            ("claims", "claim_id"),
            ("history", "key, day"),
            ("money", "report_month, row_number"),
            ("money_sums", "activity_month, adjustment_type"),
        )
    }
    found["rejects"] = db.rows(
        tx,
        "SELECT r.* FROM rights.rejects r JOIN rights.reports p ON p.id = r.report_id"
        " WHERE p.owner_id = :id ORDER BY row_number",
        id=owner["id"],
    )
    text = json.dumps(found, default=str)
    for id_, number in ids.items():
        text = text.replace(str(id_), number)
    return text


def report_id(tx, message):
    return db.value(
        tx,
        "SELECT id::text FROM rights.reports WHERE object_key = :key AND version = :version",
        key=message.object_key,
        version=message.version,
    )


@contextlib.contextmanager
def rolled_back():
    with contextlib.suppress(_Undone), db.transaction():
        yield
        raise _Undone


SNAPSHOTS = (
    HEADER + "".join(claim(number) for number in range(1, 8)),
    HEADER
    + claim(1, status="INACTIVE")
    + "".join(claim(number) for number in (2, 3, 3, 5, 6, 8))
    + claim(4, views="many"),
)
REPORTS = (CLAIMS + row("1") + row("2"), CLAIMS + row("7") + row("many") + row("3", day="20250930"))


FILES = {
    "a first snapshot": SNAPSHOTS[:1],
    "a first snapshot with repeated keys": SNAPSHOTS[1:],
    "a later snapshot": SNAPSHOTS,
    "a month that is reissued": REPORTS,
}


@pytest.mark.parametrize("kind", FILES)
def test_a_load_that_is_killed_before_any_of_its_calls_is_made_good(tx, owner, kind, killing, announced):
    filename = name(owner) if FILES[kind] is REPORTS else f"claim_report_{owner['name']}_C.csv"
    *before, last = (
        put(owner, f"{number}/{filename}", content, AT + timedelta(days=number))
        for number, content in enumerate(FILES[kind])
    )
    for each in before:
        loading.load(each)
    announced()
    with rolled_back():
        killing(None)
        loading.load(last)
        calls = killing(None)
        expected = state(tx, owner)
        assert announced() == [f"{report_id(tx, last)}:loaded"]

    for number in range(1, calls + 1):
        with rolled_back():
            killing(number)
            with pytest.raises(Killed):
                loading.load(last)
            killing(None)
            seen = [each["status"] for each in table(tx, "reports", owner) if each["version"] == last.version]
            assert seen in ([], ["loading"], ["loaded"]), number
            loading.load(last)
            assert state(tx, owner) == expected, number
            assert set(announced()) == {f"{report_id(tx, last)}:loaded"}, number
    assert calls > 15
