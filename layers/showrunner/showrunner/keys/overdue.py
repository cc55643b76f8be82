"""Find secrets that are older than the inventory allows or end soon, and rotate those that need nobody."""

import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from showrunner.aws import secret_uses, ssm
from showrunner.errors import Conflict
from showrunner.keys import appsync, executions, readers, state
from showrunner.keys.ages import age_days, is_overdue
from showrunner.keys.inventory import APPSYNC, DATABASE, EXPIRY_DAYS, SECRETS, Secret, is_configured
from showrunner.telemetry import logger, metrics

# An automatic rotation has two nights before its secret counts as overdue.
LATE_DAYS = 2


def check() -> dict[str, Any]:
    """Start overdue automatic rotations, report what is overdue or ends soon, and end previous versions.

    A previous version ends when its overlap is over, or before that if the inventory allows it and no reader
    uses it. `skipped` names what this stage does not have.
    """
    stored = ssm.stored()
    skipped = [] if is_configured(APPSYNC) else [APPSYNC]
    secrets = [secret for secret in SECRETS if secret.name not in skipped]
    for name in skipped:
        logger.info("this stage has no such service", extra={"parameter": name})
    uses = secret_uses.list_()
    ended = [secret.name for secret in secrets if _end_previous(secret, stored, uses)]
    overdue = [secret for secret in secrets if _is_due(secret, stored.get(secret.name))]
    started = [
        secret.name for secret in overdue if secret.rotation == "automatic" and _start(secret, "rotate")
    ]
    left = [secret.name for secret in overdue if _needs_a_person(secret, stored.get(secret.name))]
    for name in left:
        logger.warning("a key is older than it may be", extra={"parameter": name})
    ending = [secret.name for secret in secrets if _ends_soon(secret)]
    metrics.add_metric("KeysOverdue", MetricUnit.Count, len(left))
    metrics.add_metric("KeysExpiring", MetricUnit.Count, len(ending))
    return {"started": started, "ended": ended, "overdue": left, "ending": ending, "skipped": skipped}


def _needs_a_person(secret: Secret, stored: ssm.Stored | None) -> bool:
    """Return True if a person replaces the secret, or if the stage has failed to do so for two nights."""
    if secret.rotation in ("assisted", "manual"):
        return True
    return stored is not None and age_days(stored) > secret.max_age_days + LATE_DAYS


def _ends_soon(secret: Secret) -> bool:
    """Return True if the service itself ends the secret within days. Only AppSync says when it does."""
    current = ssm.current(APPSYNC) if secret.name == APPSYNC else None
    return current is not None and appsync.days_left(current) < EXPIRY_DAYS


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


def _end_previous(secret: Secret, stored: dict[str, ssm.Stored], uses: list[secret_uses.Use]) -> bool:
    """End the version before if it is time, unless a rotation, such as a rollback, is running.

    What is also valid somewhere else is ended there by an execution.
    """
    before, current = stored.get(state.previous(secret.name)), stored.get(secret.name)
    if before is None or current is None or not _is_over(secret, before, current, uses):
        return False
    if secret.name in (APPSYNC, DATABASE):
        return _start(secret, "revoke")
    if state.find(secret.name).get("progress") == "running":
        return False
    ssm.remove(state.previous(secret.name))
    return True


def _is_over(secret: Secret, before: ssm.Stored, current: ssm.Stored, uses: list[secret_uses.Use]) -> bool:
    """Return True if the version before may end: its overlap is over, or its readers have moved."""
    age_seconds = time.time() - before.written_at
    if secret.end == "moved" and age_seconds >= readers.HELD_SECONDS:
        return not readers.behind(uses, secret.name, current.version) or age_seconds >= _overlap(secret)
    return age_seconds >= _overlap(secret)


def _overlap(secret: Secret) -> int:
    return secret.overlap_hours * 3600
