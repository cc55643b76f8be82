"""End tasks early: when their execution is stopped or times out, at their own deadline, or when a sibling
branch fails.

MiniStack runs an execution in threads that do not know each other. Every thread carries its scopes and calls
`should_stop` while it waits and before it goes to the next state.
"""

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import stepfunctions

from .expected import expect

Json = dict[str, Any]
ExecutionError = expect(stepfunctions, "_ExecutionError", "error", "cause")
expect(stepfunctions, "_run_parallel_branches", "state_def", "raw_input", "execution", "ctx")
expect(stepfunctions, "_run_map_items", "state_def", "raw_input", "execution", "ctx")
expect(stepfunctions, "_run_sub_machine", "states", "start_at", "input_data", "execution", "ctx")
expect(stepfunctions, "_run_execution", "exec_arn")
expect(stepfunctions, "_executions")
expect(stepfunctions, "_SFN_WAIT_SCALE")

# How often a waiting thread checks: soon enough for a person who pressed "cancel".
LOOK_SECONDS = 0.1

_stops: contextvars.ContextVar[tuple[Callable[[], bool], ...]] = contextvars.ContextVar("stops", default=())
_siblings: contextvars.ContextVar["Siblings | None"] = contextvars.ContextVar("siblings", default=None)


class Stopped(ExecutionError):  # type: ignore[valid-type, misc]
    """The execution or branch has ended. Not an error of the state; the reason has been recorded already."""

    def __init__(self) -> None:
        super().__init__("States.Runtime", "The execution or the branch has ended")


class Siblings:
    """The branches of a Parallel state or the items of a Map. The first error ends all of them."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def stopped(self) -> bool:
        return self.error is not None


def should_stop() -> bool:
    return any(stop() for stop in _stops.get())


def check() -> None:
    if should_stop():
        raise Stopped


def sleep(seconds: float) -> None:
    """Sleep. Raises Stopped as soon as the execution or branch has ended."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, LOOK_SECONDS))


@contextlib.contextmanager
def ending_when(stop: Callable[[], bool]) -> Iterator[None]:
    token = _stops.set((*_stops.get(), stop))
    try:
        yield
    finally:
        _stops.reset(token)


@contextlib.contextmanager
def _together() -> Iterator[None]:
    siblings = Siblings()
    token = _siblings.set(siblings)
    try:
        with ending_when(siblings.stopped):
            yield
    except ExecutionError:
        # MiniStack reports the error of the first branch in order, which may only have been stopped.
        raise siblings.error or Stopped() from None
    finally:
        _siblings.reset(token)


def install() -> None:
    run_execution, run_branches = stepfunctions._run_execution, stepfunctions._run_parallel_branches
    run_items, run_sub_machine = stepfunctions._run_map_items, stepfunctions._run_sub_machine

    def execution(arn: str) -> None:
        record = stepfunctions._executions.get(arn) or {}
        with ending_when(lambda: record.get("status") != "RUNNING"):
            run_execution(arn)

    def branches(*arguments: Any) -> Any:
        with _together():
            return run_branches(*arguments)

    def items(state: Json, *arguments: Any) -> Any:
        processor = state.get("ItemProcessor") or state.get("Iterator") or {}
        if (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED":
            return run_items(
                state, *arguments
            )  # its items are executions of their own, with failure thresholds
        with _together():
            return run_items(state, *arguments)

    def sub_machine(*arguments: Any) -> Any:
        siblings = _siblings.get()
        try:
            return run_sub_machine(*arguments)
        except Exception as error:
            if siblings and siblings.error is None:
                siblings.error = error
            raise

    stepfunctions._run_execution, stepfunctions._run_parallel_branches = execution, branches
    stepfunctions._run_map_items, stepfunctions._run_sub_machine = items, sub_machine
    stepfunctions._scaled_sleep = lambda seconds: sleep(seconds * stepfunctions._SFN_WAIT_SCALE)
