"""Two people, and two executions, that truly do the same at once: threads with connections of their own.

What is set up is committed, because the threads must see it.
"""

import contextlib
import json
import threading
import time

import pytest
import requests

from functions.publish import app as publish
from functions.upload import app as upload
from showrunner.aws import change_marks, dynamodb, s3
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable
from showrunner.store.accounts import organisations
from tests.conftest import in_threads
from tests.rights.change_work import CHANGES, ROWS, execute


@pytest.fixture
def tx(postgres):
    """Commit each statement, and remove the organisations of the test at its end."""
    with db.reading() as session:
        before = {each["id"] for each in db.rows(session, "SELECT id FROM accounts.organisations")}
        yield session
        made = [
            str(each["id"])
            for each in db.rows(session, "SELECT id FROM accounts.organisations")
            if each["id"] not in before
        ]
        for table in ("changes", "videos", "claims", "assets"):
            db.run(
                session,
                f"DELETE FROM rights.{table} WHERE organisation_id = ANY(:made::uuid[])",
                made=made,
            )
        db.run(session, "DELETE FROM accounts.organisations WHERE id = ANY(:made::uuid[])", made=made)


@pytest.fixture(params=["channel", "own"])
def work(request):
    return request.getfixturevalue(request.param)


def statuses(answers):
    return sorted(each.status for each in answers)


def test_of_two_people_who_approve_run_and_undo_at_once_one_does_it(work, tx):
    organisations.save_need_of_approval(tx, work.organisation_id, required=True)
    people, change_set_id = [work.second] * 3, work.propose_all()
    path, before = f"{CHANGES}/{change_set_id}", work.calls(work.write)

    approved = in_threads(3, lambda number: people[number]("POST", f"{path}/approve"))
    assert statuses(approved) == [200, 409, 409]
    started = in_threads(3, lambda number: [work.client, *people][number]("POST", f"{path}/run"))
    assert statuses(started) == [202, 409, 409]
    assert db.value(tx, "SELECT attempt FROM rights.change_sets WHERE id = :id", id=change_set_id) == 1
    assert execute(work, change_set_id) == ["done"]
    assert work.calls(work.write) == before + ROWS
    undone = in_threads(3, lambda number: [work.client, *people][number]("POST", f"{path}/undo"))
    assert statuses(undone) == [201, 409, 409]
    assert work.set(change_set_id)["undone_by"] in [
        each.body["change_set"]["id"] for each in undone if each.status == 201
    ]


def test_two_executions_of_one_change_set_send_nothing_twice(work, tx):
    change_set_id = work.propose_all()
    before = work.calls(work.write)
    work.run(change_set_id)
    ids = {"change_set_id": change_set_id, "organisation_id": work.organisation_id, "attempt": 1}

    executed = in_threads(2, lambda _: machine(ids))
    assert executed == [None, None]
    assert [row["status"] for row in work.rows(change_set_id)] == ["success"] * ROWS
    assert work.calls(work.write) == before + ROWS
    assert work.set(change_set_id)["status"] == "done"
    state = work.state()
    assert {row["status"] for row in work.carry_out(work.undo(change_set_id))} == {"success"}
    assert work.state() != state


def machine(ids):
    """Do what an execution does, with shorter pauses."""
    planned = publish.handler({**ids, "step": "plan", "request_id": "r"}, None)
    pause = threading.Event()
    for batch in s3.get_json(planned["key"]):
        tries = 0
        while (outcome := upload.handler({**batch, "tries": tries}, None))["state"] == "later":
            tries = outcome["tries"]
            pause.wait(0.05)
        publish.handler({**batch, "step": "record", "is_disconnected": False}, None)
    publish.handler({**ids, "step": "finish", "request_id": "r", "error": ""}, None)


def planned_batch(work, change_set_id):
    """Return the ids of a change set that runs, and its one batch."""
    ids = {"change_set_id": change_set_id, "organisation_id": work.organisation_id, "attempt": 1}
    (batch,) = s3.get_json(publish.handler({**ids, "step": "plan", "request_id": "r"}, None)["key"])
    return ids, {**batch, "tries": 0}


@contextlib.contextmanager
def waiting_in_a_write(monkeypatch, batch):
    """Let a worker stand in the middle of its first write at YouTube, and end it afterwards."""
    real, writes, go_on = requests.Session.request, threading.Event(), threading.Event()

    def request(session, method, url, **more):
        if method in ("POST", "PUT", "PATCH") and "/youtube/" in url and not writes.is_set():
            writes.set()
            go_on.wait(60)
        return real(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", request)
    worker = threading.Thread(target=lambda: (upload.handler(batch, None), db.close()))
    worker.start()
    assert writes.wait(60)
    try:
        yield
    finally:
        go_on.set()
        worker.join()


def abort(event, ids):
    """Tell what EventBridge tells of an execution that somebody has aborted."""
    aborted = event("publish.aborted_changes")
    aborted["detail"]["input"] = json.dumps(ids)
    publish.handler(aborted, None)


def test_a_run_after_an_aborted_execution_waits_for_the_worker_that_is_left(work, event, monkeypatch):
    """EventBridge says that the execution ended, and its function is in the middle of a write."""
    change_set_id = work.propose_all()
    before = work.calls(work.write)
    work.run(change_set_id)
    ids, batch = planned_batch(work, change_set_id)
    with waiting_in_a_write(monkeypatch, batch):
        abort(event, ids)
        assert work.set(change_set_id)["status"] == "stopped"
        work.run(change_set_id)
        assert execute(work, change_set_id, waits=2) == ["later", "later"]
        assert work.set(change_set_id)["status"] == "stopped"

    work.run(change_set_id)
    assert execute(work, change_set_id) == ["done"]
    assert [row["status"] for row in work.rows(change_set_id)] == ["success"] * ROWS
    assert work.calls(work.write) == before + ROWS


def test_another_change_set_waits_for_a_claim_that_an_aborted_one_is_making(own, event, monkeypatch):
    """The call of the aborted one is on its way: nobody sees its claim yet, and it comes."""
    first, second = own.propose_claims(), own.propose_claims()
    own.run(first)
    ids, batch = planned_batch(own, first)
    with waiting_in_a_write(monkeypatch, batch):
        abort(event, ids)
        own.run(second)
        assert execute(own, second, waits=2) == ["later", "later"]
        # Only the claim that is on its way has to wait.
        assert [row["status"] for row in own.rows(second)] == ["pending", *["success"] * (ROWS - 1)]

    assert own.calls("claims.insert") == len(own.partner.claims()) == ROWS
    own.run(second)
    assert execute(own, second) == ["done"]
    (row, *_) = own.rows(second)
    assert (row["status"], row["message"].split(",")[0]) == ("unchanged", "YouTube has this claim already")
    # The other's undo takes its own claim away, and no more.
    own.run(first)
    execute(own, first)
    assert [each["status"] for each in own.rows(first)] == ["success", *["unchanged"] * (ROWS - 1)]
    own.carry_out(own.undo(first))
    assert [each["videoId"] for each in own.partner.live()] == own.ids()[1:]


def test_a_worker_whose_execution_was_aborted_begins_no_further_row(work, event, monkeypatch):
    change_set_id, before = work.propose_all(), work.calls(work.write)
    work.run(change_set_id)
    ids, batch = planned_batch(work, change_set_id)
    with waiting_in_a_write(monkeypatch, batch):
        abort(event, ids)
    assert work.calls(work.write) == before + 1


def test_a_worker_that_lost_its_batch_writes_nothing_more(work, monkeypatch):
    """A worker pauses past the end of its lease; another one takes the batch and finishes it."""
    monkeypatch.setattr(change_marks, "RENEWED_SECONDS", 0)
    change_set_id, before = work.propose_all(), work.calls(work.write)
    work.run(change_set_id)
    _, batch = planned_batch(work, change_set_id)
    with waiting_in_a_write(monkeypatch, batch):
        assert upload.handler(batch, None)["state"] == "later"
        assert work.calls(work.write) == before
        let_lease_end(change_set_id)
        others = upload.handler(batch, None)["state"]
    is_claim = work.write == "claims.insert"
    # Only a claim that may be on its way has to wait. The etag of metadata refuses the write that was late.
    assert others == ("later" if is_claim else "done")
    assert work.calls(work.write) == before + ROWS + (not is_claim)
    assert upload.handler(batch, None)["state"] == "done"
    publish.handler({**batch, "step": "record", "is_disconnected": False}, None)
    assert [row["status"] for row in work.rows(change_set_id)] == ["success"] * ROWS
    assert work.calls(work.write) == before + ROWS + (not is_claim)


def let_lease_end(change_set_id):
    """Let the lease on the change set's batch end, as if its worker hadn't been seen for long."""
    place = f"change_set#{change_set_id}", "worker#1#0"
    dynamodb.put(*place, dynamodb.find(*place), time.time() - 2)


def test_an_execution_that_was_started_without_a_commit_is_no_obstacle(channel, monkeypatch):
    """The database goes away between the start of the execution and the commit."""
    change_set_id = channel.propose_all()

    def lost(*_):
        raise DatabaseUnavailable("The connection to the database was lost: try again.")

    with monkeypatch.context() as patch:
        patch.setattr(change_marks, "let_run", lost)
        assert channel.client("POST", f"{CHANGES}/{change_set_id}/run").status == 503
    assert channel.set(change_set_id)["status"] == "ready"
    channel.run(change_set_id)
    # What the first execution does, late.
    ids = {"change_set_id": change_set_id, "organisation_id": channel.organisation_id, "attempt": 1}
    assert publish.handler({**ids, "step": "plan", "request_id": "r"}, None)["batches"] == 0
    publish.handler({**ids, "step": "finish", "request_id": "r", "error": ""}, None)
    assert channel.set(change_set_id)["status"] == "running"
