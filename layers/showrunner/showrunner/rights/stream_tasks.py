"""Define what the steps of the streams machine pass on: objects in S3 below streams/<run>/.

plan.json lists the tasks for the machine, owners/ has each task, and found/ what came of it.
"""

from typing import NamedTuple


class Task(NamedTuple):
    """A content owner whose streams are looked at, and the connected account that may read them."""

    id: int
    organisation_id: str
    name: str
    youtube_id: str
    connection_id: str


def plan_key(run: str) -> str:
    """Return the key of a run's tasks, a JSON array that the machine reads."""
    return f"streams/{run}/plan.json"


def task_key(run: str, owner_id: int) -> str:
    """Return the key of the task of a content owner."""
    return f"streams/{run}/owners/{owner_id}.json"


def result_key(key: str) -> str:
    """Return the key of what was found, from that of the task."""
    return key.replace("/owners/", "/found/")
