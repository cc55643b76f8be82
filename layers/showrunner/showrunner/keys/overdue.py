"""Find secrets that are older than the inventory allows, and rotate those that need nobody."""

import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from showrunner.aws import ssm
from showrunner.errors import Conflict
from showrunner.keys import executions, state
from showrunner.keys.ages import is_overdue
from showrunner.keys.inventory import SECRETS, Secret
from showrunner.telemetry import logger, metrics


def check() -> dict[str, Any]:
    """Start overdue automatic rotations, report the other overdue secrets, and remove previous versions.

    A previous version goes when its overlap is over.
    """
    stored = ssm.stored()
    _remove_previous(stored)
    overdue = [secret for secret in SECRETS if is_overdue(secret, stored.get(secret.name))]
    started = [secret.name for secret in overdue if secret.rotation == "automatic" and _start(secret)]
    left = [secret.name for secret in overdue if secret.rotation in ("assisted", "manual")]
    for name in left:
        logger.warning("a key is older than it may be", extra={"secret": name})
    metrics.add_metric("KeysOverdue", MetricUnit.Count, len(left))
    return {"started": started, "overdue": left}


def _start(secret: Secret) -> bool:
    try:
        rotation_id = state.begin(secret, "rotate")
    except Conflict:
        return False
    executions.start(secret.name, "rotate", rotation_id, "service:keys", None)
    return True


def _remove_previous(stored: dict[str, ssm.Stored]) -> None:
    """Remove each version before whose overlap is over, unless a rotation, such as a rollback, is running."""
    for secret in SECRETS:
        before = stored.get(state.previous(secret.name))
        if before is None or time.time() - before.written_at < secret.overlap_hours * 3600:
            continue
        if state.find(secret.name).get("progress") != "running":
            ssm.remove(state.previous(secret.name))
