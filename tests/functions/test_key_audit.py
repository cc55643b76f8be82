"""functions/key_audit: the last step of a rotation writes one row of the audit log."""

import pytest

from functions.key_audit import app
from showrunner.database import db


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        ("done", {"error": None, "steps": ["create", "publish", "test", "finish"]}),
        (
            "failed",
            {"error": "CredentialRejected", "steps": ["create", "publish"], "failed_step": "test"},
        ),
    ],
)
def test_how_a_rotation_ended_is_one_row_without_a_secret(tx, event, outcome, change):
    samples = {"done": event("key_audit.done"), "failed": event("key_audit.failed")}
    sample = samples[outcome]

    assert app.handler(sample, None) == {"recorded": outcome}
    assert app.handler(sample, None) == {"recorded": outcome}, "the machine repeats a lost answer"
    sql = "SELECT subject, action, thing, thing_id, change FROM audit.events WHERE request_id = :id"
    (row,) = db.rows(tx, sql, id=sample["rotation_id"])
    assert row == {
        "subject": sample["subject"],
        "action": "key_rotate",
        "thing": "secret",
        "thing_id": "openai/api_key",
        "change": {"outcome": outcome, **change},
    }


def test_the_machine_of_the_release_before_sends_no_steps(tx, event):
    sample = {name: value for name, value in event("key_audit.done").items() if name != "steps"}

    assert app.handler(sample, None) == {"recorded": "done"}
    sql = "SELECT change FROM audit.events WHERE request_id = :id"
    assert db.value(tx, sql, id=sample["rotation_id"])["steps"] == []
