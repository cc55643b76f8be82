"""Executions of the production machine.

Their name is <video_id>-<attempt>, so that the service itself refuses to start an attempt twice.
"""

import json
import uuid

from showrunner import config
from showrunner.aws import correlation, sdk


def name(video_id: str, attempt: int) -> str:
    """Return the name of an attempt's execution."""
    return f"{video_id}-{attempt}"


def job_id(video_id: str, attempt: int) -> str:
    """Return the id of an attempt for callers: the same UUID each time, derived from the video's."""
    return str(uuid.uuid5(uuid.UUID(video_id), str(attempt)))


def parse_name(execution: str) -> tuple[str, int]:
    """Return (video_id, attempt) of an execution's name or ARN."""
    video_id, _, attempt = execution.rsplit(":", 1)[-1].rpartition("-")
    return video_id, int(attempt)


def start(video_id: str, organisation_id: str, attempt: int) -> bool:
    """Start an attempt. Returns False if it was started before."""
    client = sdk.client("stepfunctions")
    document = {
        "video_id": video_id,
        "organisation_id": organisation_id,
        "attempt": attempt,
        "request_id": correlation.current(),
    }
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
    """Return RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None if there is no such execution."""
    client = sdk.client("stepfunctions")
    try:
        return str(client.describe_execution(executionArn=_arn(video_id, attempt))["status"])
    except client.exceptions.ExecutionDoesNotExist:
        return None


def stop(video_id: str, attempt: int, cause: str) -> None:
    """Stop an attempt and its render job. No error if it is over or was never started."""
    client = sdk.client("stepfunctions")
    try:
        client.stop_execution(executionArn=_arn(video_id, attempt), error="Stopped", cause=cause)
    except client.exceptions.ExecutionDoesNotExist:
        return


def _arn(video_id: str, attempt: int) -> str:
    machine = config.setting("PRODUCTION_MACHINE_ARN")
    return f"{machine.replace(':stateMachine:', ':execution:', 1)}:{name(video_id, attempt)}"
