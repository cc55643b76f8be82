"""Executions of the backup machine."""

import json
from typing import Any

from showrunner import config
from showrunner.aws import correlation, sdk


def start(name: str, **state: Any) -> None:
    """Start an execution. `state`: kind (nightly, manual, restore), step, id, and a restore's restore_id."""
    document = {**state, "request_id": correlation.current()}
    sdk.client("stepfunctions").start_execution(
        stateMachineArn=config.setting("BACKUP_MACHINE_ARN"), name=name, input=json.dumps(document)
    )
