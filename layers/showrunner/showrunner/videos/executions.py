"""Executions of the production machine.

Their name is <video_id>-<attempt>, so that the service itself refuses to start an attempt twice.
"""

import json

from showrunner import config
from showrunner.aws import sdk


def name(video_id: str, attempt: int) -> str:
    return f"{video_id}-{attempt}"


def parse_name(execution: str) -> tuple[str, int]:
    """(video_id, attempt) of an execution's name or ARN."""
    video_id, _, attempt = execution.rsplit(":", 1)[-1].rpartition("-")
    return video_id, int(attempt)


def start(video_id: str, organisation_id: str, attempt: int) -> bool:
    """Starts an attempt. False when the machine has seen it before: it runs or has run."""
    client = sdk.client("stepfunctions")
    document = {"video_id": video_id, "organisation_id": organisation_id, "attempt": attempt}
    try:
        client.start_execution(
            stateMachineArn=config.setting("PRODUCTION_MACHINE_ARN"),
            name=name(video_id, attempt),
            input=json.dumps(document),
        )
    except client.exceptions.ExecutionAlreadyExists:
        return False
    return True


def status(video_id: str, attempt: int) -> str | None:
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None when there is no such execution."""
    client = sdk.client("stepfunctions")
    try:
        return str(client.describe_execution(executionArn=_arn(video_id, attempt))["status"])
    except client.exceptions.ExecutionDoesNotExist:
        return None


def stop(video_id: str, attempt: int, cause: str) -> None:
    """Ends an attempt at once, its render job included; one that is over or was never started is left as it is."""
    client = sdk.client("stepfunctions")
    try:
        client.stop_execution(executionArn=_arn(video_id, attempt), error="Stopped", cause=cause)
    except client.exceptions.ExecutionDoesNotExist:
        return


def _arn(video_id: str, attempt: int) -> str:
    machine = config.setting("PRODUCTION_MACHINE_ARN")
    return f"{machine.replace(':stateMachine:', ':execution:', 1)}:{name(video_id, attempt)}"
