"""Describe what became of a row of a change set."""

from datetime import UTC, datetime
from typing import Any


def result(
    status: str,
    message: str | None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a row's result as it is stored. status: success, unchanged, failed or error."""
    at = datetime.now(UTC).isoformat()
    return {"status": status, "message": message, "before": before, "after": after, "at": at}
