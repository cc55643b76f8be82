"""Metrics machine, step WriteAirtable -> changed rows are written into a base at Airtable. No database."""

from typing import Any

from showrunner.metrics import airtable_writing
from showrunner.metrics.airtable_rows import Write
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return airtable_writing.write(Write(**{name: event[name] for name in Write._fields if name in event}))
