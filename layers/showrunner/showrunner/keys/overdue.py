"""Find secrets that are older than the inventory allows, and rotate those that need nobody."""

import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from showrunner.aws import ssm
from showrunner.errors import Conflict
from showrunner.keys import appsync, executions, state
from showrunner.keys.ages import is_overdue
from showrunner.keys.inventory import APPSYNC, DATABASE, SECRETS, Secret, is_configured
from showrunner.telemetry import logger, metrics


def check() -> dict[str, Any]:
    """Start overdue automatic rotations, report the other overdue secrets, and end previous versions.

    A previous version ends when its overlap is over. `skipped` names what this stage does not have.
    """
    stored = ssm.stored()
    skipped = [] if is_configured(APPSYNC) else [APPSYNC]
    secrets = [secret for secret in SECRETS if secret.name not in skipped]
    for name in skipped:
        logger.info("this stage has no such service", extra={"parameter": name})
    ended = [secret.name for secret in secrets if _end_previous(secret, stored)]
    overdue = [secret for secret in secrets if _is_due(secret, stored.get(secret.name))]
    started = [
        secret.name for secret in overdue if secret.rotation == "automatic" and _start(secret, "rotate")
    ]
    left = [secret.name for secret in overdue if secret.rotation in ("assisted", "manual")]
    for name in left:
        logger.warning("a key is older than it may be", extra={"parameter": name})
    metrics.add_metric("KeysOverdue", MetricUnit.Count, len(left))
    return {"started": started, "ended": ended, "overdue": left, "skipped": skipped}


def _is_due(secret: Secret, stored: ssm.Stored | None) -> bool:
    """Return True if the secret must be replaced. AppSync's own end of the key counts."""
    if secret.name != APPSYNC:
        return is_overdue(secret, stored)
    current = ssm.current(APPSYNC)
    return current is None or appsync.days_left(current) < appsync.RENEW_DAYS


def _start(secret: Secret, kind: state.Kind) -> bool:
    try:
        rotation_id = state.begin(secret, kind)
    except Conflict:
        return False
    executions.start(secret.name, kind, rotation_id, "service:keys", None)
    return True


def _end_previous(secret: Secret, stored: dict[str, ssm.Stored]) -> bool:
    """End the version before if its overlap is over, unless a rotation, such as a rollback, is running.

    What is also valid somewhere else is ended there by an execution.
    """
    before = stored.get(state.previous(secret.name))
    if before is None or time.time() - before.written_at < secret.overlap_hours * 3600:
        return False
    if secret.name in (APPSYNC, DATABASE):
        return _start(secret, "revoke")
    if state.find(secret.name).get("progress") == "running":
        return False
    ssm.remove(state.previous(secret.name))
    return True
