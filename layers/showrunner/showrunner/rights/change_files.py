"""Name and store what the steps of a change set pass on: objects in S3.

changes/<change set>/<attempt>/plan.json lists the batches for the machine, batches/ has the rows of each, and
results/ what became of them. changes/<change set>/rows/ has, before YouTube is asked to write, what a row's
fields were: an answer that is lost then costs neither the knowledge of it nor the undo.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from showrunner.aws import s3


class Proposal(NamedTuple):
    """A proposed change, before it is checked. `fields` is empty if `fault` says what is wrong."""

    number: int
    video_id: str
    fields: dict[str, Any]
    fault: str | None

    def unchecked(self) -> dict[str, Any]:
        """Return the row of a change set before it is checked: invalid, with the fault."""
        return {
            "number": self.number,
            "video_id": self.video_id,
            "connection_id": None,
            "target": {},
            "changes": {},
            "known": {},
            "status": "invalid",
            "message": self.fault,
        }


class Row(NamedTuple):
    """A row to carry out. changes and expected: field -> value (change_rules, claim_rules).

    target: what it is about beside the video, for claims and policies.
    """

    number: int
    video_id: str
    changes: dict[str, Any]
    expected: dict[str, Any]
    target: dict[str, Any]


class Batch(NamedTuple):
    """Rows of one connection. project: name, units and inserts of the Google project that they count for.

    kind: that of the change set.
    """

    change_set_id: str
    organisation_id: str
    attempt: int
    number: int
    connection_id: str
    project: list[Any]
    rows: list[Row]
    kind: str

    @property
    def key(self) -> str:
        """The key of the batch's rows, as the plan lists it."""
        return batch_key(self.change_set_id, self.attempt, self.number)


def _folder(change_set_id: str, attempt: int) -> str:
    return f"changes/{change_set_id}/{attempt}"


def plan_key(change_set_id: str, attempt: int) -> str:
    """Return the key of an attempt's batches, a JSON array that the machine reads."""
    return f"{_folder(change_set_id, attempt)}/plan.json"


def batch_key(change_set_id: str, attempt: int, number: int) -> str:
    """Return the key of the rows of a batch."""
    return f"{_folder(change_set_id, attempt)}/batches/{number:05}.json"


def write_batch(batch: Batch) -> None:
    """Store the rows of a batch."""
    s3.put_json(batch.key, batch._asdict() | {"rows": [row._asdict() for row in batch.rows]})


def read_batch(key: str) -> Batch:
    """Return a batch. Raises StorageMissing."""
    # A batch of the release before has neither kind nor targets.
    found = {"kind": "metadata"} | s3.get_json(key)
    return Batch(**found | {"rows": [Row(**{"target": {}} | row) for row in found["rows"]]})


def find_results(batch: Batch) -> dict[str, Any]:
    """Return the results of the batch so far, by row number as text."""
    found: dict[str, Any] | None = s3.find_json(batch.key.replace("/batches/", "/results/"))
    return found or {}


def write_results(batch: Batch, results: dict[str, Any]) -> None:
    """Store the results of the batch so far."""
    s3.put_json(batch.key.replace("/batches/", "/results/"), results)


def find_journal(batch: Batch, row: Row) -> dict[str, Any] | None:
    """Return changes, before and at of the last write that was begun, None if there was none."""
    found: dict[str, Any] | None = s3.find_json(_journal_key(batch, row))
    return found


def write_journal(batch: Batch, row: Row, changes: dict[str, Any], before: dict[str, Any]) -> None:
    """Record, before YouTube is asked, what will be written over what."""
    s3.put_json(
        _journal_key(batch, row), {"changes": changes, "before": before, "at": datetime.now(UTC).isoformat()}
    )


def _journal_key(batch: Batch, row: Row) -> str:
    return f"changes/{batch.change_set_id}/rows/{row.number}.json"
