"""Decide with which error a task ends, which Retry and Catch match it, and how long a retry waits.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

import json
import random
from typing import Any

from ministack.services import lambda_svc, stepfunctions

from .expected import expect
from .stepfunctions_scopes import ExecutionError, check, should_stop

Json = dict[str, Any]

expect(stepfunctions, "_error_matches", "error_equals", "error")
expect(stepfunctions, "_find_matching_retrier", "retriers", "error", "retry_counts")
expect(stepfunctions, "_find_matching_catcher", "catchers", "error")
expect(stepfunctions, "_call_lambda", "func_ref", "event")
expect(stepfunctions, "_scaled_sleep", "seconds")
for state in ("pass", "task", "choice", "wait", "parallel", "map"):
    expect(stepfunctions, f"_execute_{state}", "state_def", "raw_input")
expect(lambda_svc, "_get_func_record_for_ref")

# States.ALL does not catch these.
TERMINAL = ("States.DataLimitExceeded", "States.Runtime")
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html: limit of a task's result and of a
# state's input or output, in UTF-8.
PAYLOAD_LIMIT_BYTES = 262_144


def matches(error_equals: list[str], error: str) -> bool:
    if error in error_equals:
        return True
    if "States.ALL" in error_equals:
        return error not in TERMINAL
    return "States.TaskFailed" in error_equals and error not in ("States.Timeout", *TERMINAL)


def retry_delay(retrier: Json, count: int) -> float:
    """Return the seconds before the next retry, after `count` earlier ones."""
    delay = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** count
    delay = min(delay, float(retrier.get("MaxDelaySeconds", delay)))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay


def find_retrier(retriers: list[Json], error: str, counts: dict[int, int]) -> tuple[Json | None, int]:
    """Wait here, then return a retrier that does not wait: MiniStack knows neither MaxDelaySeconds nor
    jitter, and waits at most 60 s.
    """
    if should_stop():
        return None, -1
    for index, retrier in enumerate(retriers):
        if matches(retrier.get("ErrorEquals", []), error):
            count = counts.get(index, 0)
            if count >= retrier.get("MaxAttempts", 3):
                return None, -1
            stepfunctions._scaled_sleep(retry_delay(retrier, count))
            return {**retrier, "IntervalSeconds": 0}, index
    return None, -1


def find_catcher(catchers: list[Json], error: str) -> Json | None:
    if should_stop():
        return None
    return next((catcher for catcher in catchers if matches(catcher.get("ErrorEquals", []), error)), None)


def call_lambda(reference: str, event: Any) -> Any:
    function, config, name = lambda_svc._get_func_record_for_ref(reference)
    if not function or not config:
        raise ExecutionError("Lambda.ResourceNotFoundException", f"Function not found: {name}")
    result = lambda_svc._execute_function_with_config_scope(
        lambda_svc._execution_record_for_config(function, config), event
    )
    body = result.get("body")
    if result.get("throttle"):
        raise ExecutionError(
            "Lambda.TooManyRequestsException",
            f"Rate Exceeded. (Service: Lambda, Status Code: 429): {body.get('message', '')}",
        )
    if result.get("error"):
        shown = {key: value for key, value in body.items() if key != "requestId"}
        # Step Functions calls the stack trace by another name than the runtime does.
        if "stackTrace" in shown:
            shown["trace"] = shown.pop("stackTrace")
        raise ExecutionError(body.get("errorType") or "Lambda.Unknown", json.dumps(shown))
    return body


def check_size(value: Any, what: str) -> None:
    if len(json.dumps(value, ensure_ascii=False).encode()) > PAYLOAD_LIMIT_BYTES:
        raise ExecutionError(
            "States.DataLimitExceeded",
            f"The {what} returned a result with a size exceeding the maximum number of bytes service limit.",
        )


def _limited_state(execute: Any) -> Any:
    def state(definition: Json, raw_input: Any, *arguments: Any) -> Any:
        check()
        output, following = execute(definition, raw_input, *arguments)
        check_size(output, f"{definition.get('Type', 'state').lower()} state")
        return output, following

    return state


def _limited_task(invoke: Any) -> Any:
    def task(resource: str, *arguments: Any) -> Any:
        result = invoke(resource, *arguments)
        check_size(result, f"task {resource}")
        return result

    return task


def install() -> None:
    stepfunctions._error_matches = matches
    stepfunctions._find_matching_retrier = find_retrier
    stepfunctions._find_matching_catcher = find_catcher
    stepfunctions._call_lambda = call_lambda
    for kind in ("pass", "task", "choice", "wait", "parallel", "map"):
        name = f"_execute_{kind}"
        setattr(stepfunctions, name, _limited_state(getattr(stepfunctions, name)))
    for name in ("_invoke_resource", "_invoke_with_callback"):
        setattr(stepfunctions, name, _limited_task(getattr(stepfunctions, name)))
