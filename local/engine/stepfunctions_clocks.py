"""TimeoutSeconds of machines and states, HeartbeatSeconds, and their Path forms. A task that times out is
stopped.
"""

import contextvars
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from ministack.services import stepfunctions

from .expected import expect
from .stepfunctions_scopes import LOOK_SECONDS, ExecutionError, Stopped, check, ending_when, should_stop

Json = dict[str, Any]

expect(stepfunctions, "_execute_task", "state_def", "raw_input", "execution", "ctx")
expect(stepfunctions, "_invoke_resource", "resource", "input_data")
expect(stepfunctions, "_invoke_resource_with_timeout", "resource", "input_data", "timeout")
expect(stepfunctions, "_invoke_with_callback", "resource", "input_data", "token", "state_def")
expect(stepfunctions, "_fail_execution", "execution", "error", "cause")
expect(stepfunctions, "_resolve_path_or_ctx", "path", "data", "ctx")
expect(stepfunctions, "_state_query_language", "state_def", "ctx")
expect(stepfunctions, "_jsonata_state_field", "state_def", "field", "expected", "raw_input", "ctx")
expect(stepfunctions, "_add_event", "execution", "event_type", "details")
for name in ("_task_tokens", "_state_machines", "_emit_execution_status_event", "now_iso"):
    expect(stepfunctions, name)


def _with_resolved_clocks(state: Json, raw_input: Any, ctx: Json) -> Json:
    resolved = dict(state)
    jsonata = stepfunctions._state_query_language(state, ctx) == "JSONata"
    for clock in ("TimeoutSeconds", "HeartbeatSeconds"):
        if jsonata and clock in state:
            resolved[clock] = stepfunctions._jsonata_state_field(state, clock, "number", raw_input, ctx)
        if path := state.get(f"{clock}Path"):
            resolved[clock] = stepfunctions._resolve_path_or_ctx(path, raw_input, ctx)
            if not isinstance(resolved[clock], int) or resolved[clock] <= 0:
                raise ExecutionError(
                    "States.Runtime", f"The value of {clock}Path must be a positive whole number"
                )
    return resolved


def _invoke_with_timeout(resource: str, data: Any, timeout: float) -> Any:
    """Run the task with a deadline. It runs in its thread, asks `should_stop`, and then ends what it waits
    for.
    """
    deadline = time.monotonic() + float(timeout)
    pool = ThreadPoolExecutor(max_workers=1)
    with ending_when(lambda: time.monotonic() > deadline):
        future = pool.submit(contextvars.copy_context().run, stepfunctions._invoke_resource, resource, data)
    pool.shutdown(wait=False)
    try:
        return future.result(timeout)
    except FutureTimeout:
        raise ExecutionError("States.Timeout", "") from None
    except Stopped:
        # The task noticed its deadline before this thread did.
        check()
        raise ExecutionError("States.Timeout", "") from None


def _watch_token(token: str, heartbeat_seconds: float | None) -> None:
    """End the wait for a callback when heartbeats stop, or when the execution has ended."""
    last, seen_at = None, time.monotonic()
    while info := stepfunctions._task_tokens.get(token):
        if info["event"].wait(LOOK_SECONDS):
            return
        if info["heartbeat"] != last:
            last, seen_at = info["heartbeat"], time.monotonic()
        too_late = heartbeat_seconds is not None and time.monotonic() - seen_at > heartbeat_seconds
        if too_late or should_stop():
            info["error"] = {
                "Error": "States.HeartbeatTimeout" if too_late else "States.Runtime",
                "Cause": "",
            }
            info["event"].set()
            return


def _expire_at(execution: Json, seconds: float) -> threading.Timer:
    def expire() -> None:
        if execution["status"] == "RUNNING":
            execution.update(
                status="TIMED_OUT", stopDate=stepfunctions.now_iso(), error="States.Timeout", cause=None
            )
            stepfunctions._add_event(
                execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
            )
            stepfunctions._emit_execution_status_event(execution)

    timer = threading.Timer(seconds, contextvars.copy_context().run, (expire,))
    timer.daemon = True
    timer.start()
    return timer


def _machine_timeout(execution: Json) -> float | None:
    machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
    seconds = json.loads(machine.get("definition") or "{}").get("TimeoutSeconds")
    return float(seconds) if seconds else None


def install() -> None:
    execute_task, run_execution = stepfunctions._execute_task, stepfunctions._run_execution
    invoke_with_callback, fail = stepfunctions._invoke_with_callback, stepfunctions._fail_execution

    def task(state: Json, raw_input: Any, execution: Json, ctx: Json) -> Any:
        return execute_task(_with_resolved_clocks(state, raw_input, ctx), raw_input, execution, ctx)

    def execution(arn: str) -> None:
        record = stepfunctions._executions.get(arn) or {}
        seconds = _machine_timeout(record)
        timer = _expire_at(record, seconds) if seconds else None
        try:
            run_execution(arn)
        finally:
            if timer:
                timer.cancel()

    def callback(resource: str, data: Any, token: str, state: Json) -> Any:
        def call_back() -> Any:
            return invoke_with_callback(resource, data, token, state)

        watcher = threading.Thread(
            target=contextvars.copy_context().run,
            args=(_watch_when_registered, token, state.get("HeartbeatSeconds")),
            daemon=True,
        )
        watcher.start()
        return call_back()

    def fail_unless_ended(record: Json, error: str, cause: str) -> None:
        if record["status"] == "RUNNING":
            fail(record, error, cause)

    stepfunctions._execute_task, stepfunctions._run_execution = task, execution
    stepfunctions._invoke_with_callback, stepfunctions._fail_execution = callback, fail_unless_ended
    stepfunctions._invoke_resource_with_timeout = _invoke_with_timeout


def _watch_when_registered(token: str, heartbeat_seconds: float | None) -> None:
    for _ in range(100):
        if token in stepfunctions._task_tokens:
            break
        time.sleep(LOOK_SECONDS / 10)
    _watch_token(token, heartbeat_seconds)
