"""Start an execution twice under one name, and emit an event for every status change, as AWS does."""

import json
import re
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge, stepfunctions

from .expected import expect

Json = dict[str, Any]

expect(stepfunctions, "_start_execution", "data")
expect(stepfunctions, "_resolve_state_machine_arn", "arn")
expect(stepfunctions, "_emit_execution_status_event", "execution")
expect(stepfunctions, "_iso_to_epoch_ms", "iso")
expect(eventbridge, "_put_events", "data", "allow_aws_source")

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
NAME_PATTERN = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\u0000-\u001f\u007f-\u009f]{1,80}")
INPUT_LIMIT_BYTES = 262_144
# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html: longer input or output is
# omitted.
EVENT_PAYLOAD_LIMIT = 248 * 1024
REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


def _refusal(data: Json) -> Any:
    """Return AWS's error if it would not start the execution, else None."""
    name, text = data.get("name"), data.get("input", "{}")
    if name is not None and not NAME_PATTERN.fullmatch(name):
        return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    if len(text.encode()) > INPUT_LIMIT_BYTES:
        message = (
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {INPUT_LIMIT_BYTES}"
        )
        return error_response_json("ValidationException", message, 400)
    try:
        json.loads(text)
    except ValueError:
        return error_response_json("InvalidExecutionInput", "Invalid State Machine Execution Input", 400)
    return None


def _known(data: Json) -> Any:
    """Return the response for an existing name: the running execution if the input is the same, else a
    conflict.
    """
    machine = stepfunctions._state_machines.get(
        stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
    )
    if not machine or not data.get("name"):
        return None
    arn = machine["stateMachineArn"].replace(":stateMachine:", ":execution:") + ":" + data["name"]
    existing = stepfunctions._executions.get(arn)
    if existing is None:
        return None
    if existing["status"] == "RUNNING" and json.loads(existing["input"]) == json.loads(
        data.get("input", "{}")
    ):
        return json_response({"executionArn": arn, "startDate": existing["startDate"]})
    return error_response_json("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'", 400)


def status_event(execution: Json) -> Json:
    status = execution["status"]
    payloads = {
        "input": execution.get("input"),
        "output": execution.get("output") if status == "SUCCEEDED" else None,
    }
    details: Json = {}
    for name, payload in payloads.items():
        fits = payload is None or len(payload) <= EVENT_PAYLOAD_LIMIT
        details[name] = payload if fits else None
        details[f"{name}Details"] = {"included": fits} if payload is not None else None
    redrivable = status in REDRIVABLE
    return {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": status,
        "startDate": stepfunctions._iso_to_epoch_ms(execution.get("startDate")),
        "stopDate": stepfunctions._iso_to_epoch_ms(execution.get("stopDate")),
        **details,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
        "redriveStatusReason": None if redrivable else f"Execution is {status} and cannot be redriven",
        "error": execution.get("error") if redrivable else None,
        "cause": execution.get("cause") if redrivable else None,
    }


def emit(execution: Json) -> None:
    if execution.get("sync"):
        return  # express executions emit no events
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(status_event(execution)),
        "Resources": [execution["executionArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def install() -> None:
    start = stepfunctions._start_execution

    def start_once(data: Json) -> Any:
        return _refusal(data) or _known(data) or start(data)

    stepfunctions._start_execution = start_once
    stepfunctions._emit_execution_status_event = emit
    handlers = {
        name: value
        for name, value in vars(stepfunctions).items()
        if isinstance(value, dict) and value.get("StartExecution") is start
    }
    for table in handlers.values():
        table["StartExecution"] = start_once
