"""Executions of the rotation machine. Their input names a secret and never contains one."""

import json

from showrunner import config
from showrunner.aws import correlation, sdk
from showrunner.keys import state
from showrunner.keys.state import Kind

FIRST = {"rotate": "create", "rollback": "create", "revoke": "revoke"}
NOT_STARTED = "The rotation could not be started: try again."


def start(name: str, kind: Kind, rotation_id: str, subject: str, organisation_id: str | None) -> None:
    """Start a rotation that `state.begin` has claimed. `subject`: who asked for it.

    If Step Functions refuses it, the claim ends. After a lost answer it may run: then the claim stays.
    """
    from botocore.exceptions import ClientError

    document = {
        "name": name,
        "kind": kind,
        "step": FIRST[kind],
        "rotation_id": rotation_id,
        "subject": subject,
        "organisation_id": organisation_id,
        "request_id": correlation.current(),
    }
    arn = config.setting("ROTATION_MACHINE_ARN")
    try:
        sdk.client("stepfunctions").start_execution(
            stateMachineArn=arn, name=rotation_id, input=json.dumps(document)
        )
    except ClientError:
        state.settle(name, "failed", NOT_STARTED)
        raise
