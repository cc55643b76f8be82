"""Executions of the rotation machine. Their input names a secret and never contains one."""

import json

from showrunner import config
from showrunner.aws import correlation, sdk
from showrunner.keys.state import Kind

FIRST = {"rotate": "create", "rollback": "create", "revoke": "revoke"}


def start(name: str, kind: Kind, rotation_id: str, subject: str, organisation_id: str | None) -> None:
    """Start a rotation that `rotation.begin` has claimed. `subject`: who asked for it."""
    document = {
        "name": name,
        "kind": kind,
        "step": FIRST[kind],
        "rotation_id": rotation_id,
        "subject": subject,
        "organisation_id": organisation_id,
        "request_id": correlation.current(),
    }
    sdk.client("stepfunctions").start_execution(
        stateMachineArn=config.setting("ROTATION_MACHINE_ARN"), name=rotation_id, input=json.dumps(document)
    )
