"""Two people, and two executions, that truly do the same at once: threads with connections of their own.

What is set up is committed, because the threads must see it.
"""

import json
import threading

import pytest
import requests

from functions.publish import app as publish
from functions.upload import app as upload
from showrunner.aws import change_marks, s3
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


def test_a_run_after_an_aborted_execution_waits_for_the_worker_that_is_left(work, event, monkeypatch):
    """EventBridge says that the execution ended, and its function is in the middle of a write."""
    change_set_id = work.propose_all()
    before = work.calls(work.write)
    work.run(change_set_id)
    ids = {"change_set_id": change_set_id, "organisation_id": work.organisation_id, "attempt": 1}
    planned = publish.handler({**ids, "step": "plan", "request_id": "r"}, None)
    (batch,) = s3.get_json(planned["key"])
    real, writes, go_on = requests.Session.request, threading.Event(), threading.Event()

    def request(session, method, url, **more):
        if method in ("POST", "PUT", "PATCH") and "/youtube/" in url and not go_on.is_set():
            writes.set()
            go_on.wait(60)
        return real(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", request)
    worker = threading.Thread(target=lambda: (upload.handler({**batch, "tries": 0}, None), db.close()))
    worker.start()
    assert writes.wait(60)
    aborted = event("publish.aborted_changes")
    aborted["detail"]["input"] = json.dumps(ids)
    publish.handler(aborted, None)
    assert work.set(change_set_id)["status"] == "stopped"
    work.run(change_set_id)
    assert execute(work, change_set_id, waits=2) == ["later", "later"]
    assert work.set(change_set_id)["status"] == "stopped"
    go_on.set()
    worker.join()

    work.run(change_set_id)
    assert execute(work, change_set_id) == ["done"]
    assert [row["status"] for row in work.rows(change_set_id)] == ["success"] * ROWS
    assert work.calls(work.write) == before + ROWS


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
