"""A worker whose process is killed by SIGKILL, at each step: nothing is lost, and nothing is there twice.

test_killed kills at every call, inside one process; here the server sees a connection that breaks off.
"""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from showrunner.aws import sdk
from showrunner.database import db
from showrunner.store.rights import removal
from tests.rights import killable
from tests.rights.conftest import add_owner
from tests.rights.test_killed import AT, FILES, put
from tests.rights.test_money import name

pytestmark = pytest.mark.slow


@pytest.fixture
def owners(postgres, monkeypatch):
    """Return a function that adds a content owner for good: another process must see it."""
    queue = sdk.client("sqs").create_queue(QueueName="reports-dead")["QueueUrl"]
    monkeypatch.setenv("REPORTS_DEAD_URL", queue)
    made = []

    def add():
        with db.transaction() as tx:
            made.append(add_owner(tx))
        return made[-1]

    yield add
    for owner in made:
        with db.transaction() as tx:
            for report in removal.list_reports(tx, owner["id"]):
                removal.remove_report(tx, report["id"], report["month"])
            removal.remove_owner(tx, owner["id"])
            db.run(tx, "DELETE FROM accounts.organisations WHERE id = :id", id=owner["organisation_id"])


def start(step, message):
    text = json.dumps(message._asdict(), default=str)
    return subprocess.Popen(
        [sys.executable, killable.__file__, step, text],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def load(message):
    process = start("none", message)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "done" in out.split()


def kill_at(step, message):
    """Run the worker until it reaches the step, and kill it there."""
    process = start(step, message)
    for line in process.stdout:
        if line.strip() == "held":
            break
    else:
        raise AssertionError(f"it ended before {step}")
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    for _ in range(100):
        with db.reading() as tx:
            # The connection of the killed process, unless the server has noticed.
            others = db.value(
                tx,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'",
            )
        if not others:
            return
        time.sleep(0.05)
    raise AssertionError("the server still works for a process that is gone")


def state(owner):
    """Return all that the tables have of an owner, but for ids and times."""
    with db.reading() as tx:
        return {
            table: db.rows(tx, sql, id=owner["id"])
            for table, sql in {
                "reports": "SELECT status, rows, accepted, rejected, new_rows, changed_rows, removed_rows"
                " FROM rights.reports WHERE owner_id = :id ORDER BY dropped_at",
                "claims": "SELECT claim_id, claim_status, views, first_day, changed_day FROM rights.claims"
                " WHERE owner_id = :id ORDER BY 1",
                "history": "SELECT key, day, change, columns FROM rights.history"
                " WHERE owner_id = :id ORDER BY 1, 2",
                "money": "SELECT report_month, row_number, activity_month, partner_revenue FROM rights.money"
                " WHERE owner_id = :id ORDER BY 1, 2",
                "money_sums": "SELECT report_month, activity_month, rows, partner_revenue"
                " FROM rights.money_sums WHERE owner_id = :id ORDER BY 1, 2",
                "rejects": "SELECT r.row_number, r.reason FROM rights.rejects r JOIN rights.reports p"
                " ON p.id = r.report_id WHERE p.owner_id = :id ORDER BY p.dropped_at, 1",
            }.items()
        }


def drops(owner, kind):
    filename = name(owner) if kind == "a month that is reissued" else f"claim_report_{owner['name']}_C.csv"
    return [
        put(owner, f"{number}/{filename}", content, AT + timedelta(days=number))
        for number, content in enumerate(FILES[kind])
    ]


@pytest.mark.parametrize("kind", ["a later snapshot", "a month that is reissued"])
def test_a_worker_that_is_killed_at_any_step_loses_nothing(owners, kind):
    whole = owners()
    for message in drops(whole, kind):
        load(message)
    expected = state(whole)
    steps = [step for step in killable.STEPS if step != "diffing" or kind == "a later snapshot"]
    for step in steps:
        owner = owners()
        *before, last = drops(owner, kind)
        for message in before:
            load(message)
        untouched = state(owner)

        kill_at(step, last)
        found = state(owner)
        if step == "announcing":
            assert found == expected
        else:
            # The report's record says that it was begun; no row of it is there.
            assert found["reports"][-1]["status"] == "loading", step
            assert {**found, "reports": found["reports"][:-1]} == untouched, step

        load(last)
        assert state(owner) == expected, step
