"""Rotation machine, last step: how the rotation of a secret ended -> one row of the audit log.

The row has the steps that were done and the one that failed.
"""

from typing import Any

from showrunner.database import db
from showrunner.store.audit import audit_log
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    who = {
        "organisation_id": event.get("organisation_id"),
        "subject": event["subject"],
        "actor": None,
        "request_id": event["rotation_id"],
        "address": None,
    }
    # The machine of the release before sent no steps.
    steps = [step for step in event.get("steps", "").split(", ") if step]
    change = {"outcome": event["outcome"], "error": event.get("error"), "steps": steps}
    if failed := event.get("failed_step"):
        change["failed_step"] = failed
    if event["kind"] == "revoke":
        change["refused"] = event.get("refused")
    action = f"key_{event['kind']}"
    with db.transaction() as tx:
        # The machine repeats the step if its answer was lost; one environment at a time runs it.
        if not audit_log.is_recorded(tx, action, "secret", event["name"], event["rotation_id"]):
            audit_log.add(tx, who, action, "secret", event["name"], change)
    return {"recorded": event["outcome"]}
