"""functions/key_audit: the last step of a rotation writes one row of the audit log."""

import pytest

from functions.key_audit import app
from showrunner.database import db


@pytest.mark.parametrize(("outcome", "error"), [("done", None), ("failed", "CredentialRejected")])
def test_how_a_rotation_ended_is_one_row_without_a_secret(tx, event, outcome, error):
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
        "change": {"outcome": outcome, "error": error},
    }
