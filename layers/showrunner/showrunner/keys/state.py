"""The newest rotation of each secret, in the state table, and the names of its other versions in SSM."""

import time
import uuid
from typing import Any, Literal

from showrunner import masking
from showrunner.aws import dynamodb, ssm
from showrunner.errors import ConfigurationMissing, Conflict
from showrunner.keys.inventory import Secret

Kind = Literal["rotate", "rollback", "revoke"]
# The machine takes 50 minutes at most; a rotation without an end after an hour was lost.
ABANDONED_SECONDS = 3600


def candidate(name: str) -> str:
    """Return the name of the new version, which nothing but a rotation reads."""
    return f"candidates/{name}"


def previous(name: str) -> str:
    """Return the name of the version before."""
    return f"previous/{name}"


def read(name: str) -> str:
    """Return a secret as it is in SSM at this moment. Raises ConfigurationMissing if it is not there."""
    value = ssm.current(name)
    if value is None:
        raise ConfigurationMissing(f"The secret {ssm.parameter(name)} is not in SSM.")
    return value


def in_use(name: str) -> set[str]:
    """Return the values of the current version and of the one before, as far as they are there."""
    return {value for value in (ssm.current(name), ssm.current(previous(name))) if value is not None}


def primary_key(name: str) -> str:
    return f"key#{name}"


def find(name: str) -> dict[str, Any]:
    """Return the newest rotation of a secret, {} if there was none.

    It has rotation_id, kind, progress (running, done or failed), begun_at, and at its end finished_at, error
    and, of a revocation, refused (the readers that failed meanwhile).
    """
    return dynamodb.find(primary_key(name), "rotation") or {}


def begin(secret: Secret, kind: Kind) -> str:
    """Claim the secret for a new rotation and return the rotation's id. Raises Conflict if one is running."""
    rotation_id = str(uuid.uuid4())
    now = int(time.time())
    claimed = dynamodb.put_if(
        "attribute_not_exists(pk) OR progress <> :running OR begun_at < :abandoned",
        {"running": "running", "abandoned": now - ABANDONED_SECONDS},
        primary_key(secret.name),
        "rotation",
        {"rotation_id": rotation_id, "kind": kind, "progress": "running", "begun_at": now},
        None,
    )
    if not claimed:
        raise Conflict(
            f"{secret.title} is being replaced already: wait for its end.", code="ROTATION_RUNNING"
        )
    return rotation_id


def settle(
    name: str, outcome: Literal["done", "failed"], error: str | None = None, refused: str | None = None
) -> None:
    """Record how the rotation ended. `refused`: the readers that a revocation has made fail, with commas."""
    ended = {
        "progress": outcome,
        "error": masking.masked(error) if error else None,
        "refused": refused,
        "finished_at": int(time.time()),
    }
    dynamodb.put(primary_key(name), "rotation", find(name) | ended)
