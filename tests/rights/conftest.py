"""Content owners, and a function that drops a file into their folder as S3 and EventBridge do."""

import itertools
import json
import os
import uuid
from datetime import UTC, datetime

import pytest

from functions.reports import app
from showrunner.aws import sdk
from showrunner.database import db
from showrunner.store.accounts import organisations
from showrunner.store.rights import content_owners
from tests.conftest import add_organisation
from tests.rights.change_work import channel, own

__all__ = ["channel", "own"]

_numbers = itertools.count(1)


@pytest.fixture
def owner(tx):
    """Return the content owner of an organisation of its own."""
    return add_owner(tx)


def add_owner(tx, other_names=()):
    organisation_id = add_organisation(tx, "A label")
    organisations.save_content_owner(tx, organisation_id, content_owner=True)
    name = f"Label_{uuid.uuid4().hex[:8]}"
    content_owners.save(tx, organisation_id, name, list(other_names))
    return content_owners.find(tx, name)


@pytest.fixture
def drop(tx, aws, owner, monkeypatch):
    """Return a function that puts a file into the owner's folder and returns the records of its reports."""
    queue = sdk.client("sqs").create_queue(QueueName="reports-dead")["QueueUrl"]
    monkeypatch.setenv("REPORTS_DEAD_URL", queue)

    def put(name, content, folder=None, at=None):
        key = f"drops/{folder or owner['name']}/{name}"
        content = content if isinstance(content, bytes) else content.encode()
        sdk.client("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=content)
        return deliver(key, len(content), f"{next(_numbers):018X}", at)

    return put


def deliver(key, size, version, at=None):
    """Deliver the message of a drop to the function. Returns the records of its reports, by member."""
    message = {
        "object_key": key,
        "version": version,
        "bytes": size,
        "dropped_at": (at or datetime.now(UTC)).isoformat(),
        "kind": "report_dropped",
    }
    record = {"messageId": "m", "body": json.dumps(message), "attributes": {"ApproximateReceiveCount": "1"}}
    assert app.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    with db.reading() as tx:
        found = db.rows(
            tx,
            "SELECT * FROM rights.reports WHERE object_key = :key AND version = :version ORDER BY member",
            key=key,
            version=version,
        )
    return [Record(row) for row in found]


class Record(dict):
    """A row of rights.reports with its columns as attributes."""

    __getattr__ = dict.__getitem__


def table(tx, name, owner, columns="*", order="1"):
    """Return the owner's rows of a table of the schema rights."""
    return db.rows(
        tx, f"SELECT {columns} FROM rights.{name} WHERE owner_id = :id ORDER BY {order}", id=owner["id"]
    )
