"""Say how the daily reports of a connected channel come. No I/O."""

from datetime import datetime
from typing import Any

from showrunner.reports import streams
from showrunner.reports.streams import Health, Span


def health(job: dict[str, Any], now: datetime) -> Health:
    """Return how the reports of a job come, as `reports.list_of` returns it with its reports."""
    spans = [
        Span(
            start_at=datetime.fromisoformat(each["start_at"]),
            end_at=datetime.fromisoformat(each["end_at"]),
            created_at=datetime.fromisoformat(each["created_at"]),
            fetched=True,
        )
        for each in job["reports"]
    ]
    state, reason = streams.assess(spans, job["expires_at"], now)
    if job["problem"] and state not in ("expiring", "ended"):
        return Health("failed", job["problem"])
    if state in ("ok", "new") and streams.is_ending(job["deprecated_at"], now):
        return Health(
            "expiring", f"YouTube stops making {job['report_type']} on {job['deprecated_at']:%Y-%m-%d}."
        )
    return Health(state, reason)
