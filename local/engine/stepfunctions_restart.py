"""Abort the executions that ran when the engine ended, once their machine is deployed again, with the usual
event.

Otherwise a video whose production was interrupted would stay "processing": the product hears of it through
the rule on execution status.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

from ministack.services import cloudformation, stepfunctions

from .expected import expect

Json = dict[str, Any]

expect(cloudformation, "_stacks")
expect(stepfunctions, "_executions")
expect(stepfunctions, "_state_machines")
expect(stepfunctions, "_emit_execution_status_event", "execution")

KEPT = ("executionArn", "stateMachineArn", "name", "startDate", "input")
# The machine is deployed some seconds before the rule that waits for its events; a finished stack has both.
LOOK_SECONDS = 0.5
ERROR = "Engine.Restarted"
CAUSE = "The local engine ended while this execution was running"


class Journal:
    """The list of running executions, written to disk at every change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.lost: dict[str, Json] = json.loads(path.read_text()) if path.exists() else {}
        self._running: dict[str, Json] = {}

    def note(self, execution: Json) -> None:
        with self._lock:
            arn = execution["executionArn"]
            self.lost.pop(arn, None)  # if it was started again under its name, it is not lost
            if execution["status"] == "RUNNING":
                self._running[arn] = {name: execution[name] for name in KEPT}
            else:
                self._running.pop(arn, None)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps({**self.lost, **self._running}))
            partial.replace(self.path)

    def watch(self) -> None:
        """Watch until all lost executions have been aborted."""
        while self.lost:
            time.sleep(LOOK_SECONDS)
            if not any(
                stack.get("StackStatus", "").endswith("_IN_PROGRESS")
                for stack in list(cloudformation._stacks.values())
            ):
                for execution in [
                    lost
                    for lost in list(self.lost.values())
                    if lost["stateMachineArn"] in stepfunctions._state_machines
                ]:
                    abort(execution)


def abort(lost: Json) -> None:
    included = {"included": True}
    execution = {
        **lost,
        "status": "ABORTED",
        "stopDate": stepfunctions.now_iso(),
        "error": ERROR,
        "cause": CAUSE,
        "output": None,
        "inputDetails": included,
        "outputDetails": included,
        "testCase": "",
        "mockAttempts": {},
        "events": [],
    }
    stepfunctions._add_event(
        execution, "ExecutionAborted", {"executionAbortedEventDetails": {"error": ERROR, "cause": CAUSE}}
    )
    stepfunctions._executions[lost["executionArn"]] = execution
    stepfunctions._emit_execution_status_event(execution)


def install(path: Path) -> None:
    journal = Journal(path)
    emit = stepfunctions._emit_execution_status_event

    def note_and_emit(execution: Json) -> None:
        journal.note(execution)
        emit(execution)

    stepfunctions._emit_execution_status_event = note_and_emit
    threading.Thread(target=journal.watch, daemon=True, name="lost-executions").start()
