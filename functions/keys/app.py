"""Rotation machine, every step but the last, and a schedule every night -> new secrets in SSM. No database.

The schedule reports keys that are older than they may be, rotates those that need nobody, and copies all
secrets into the bucket for backups.
"""

from typing import Any

from showrunner.keys import backup, overdue, rotation, state
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> rotation.Next | dict[str, Any]:
    if "step" not in event:
        return {**overdue.check(), "backup": backup.save()}
    answer = rotation.run(event["name"], event["kind"], event["step"], event.get("rotation_id", ""))
    if "outcome" in answer:
        state.settle(event["name"], answer["outcome"], event.get("error"), answer.get("refused"))
    return answer
