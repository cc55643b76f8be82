"""Metrics machine, step Load -> an archived answer becomes figures in the database. Can be repeated."""

from typing import Any

from showrunner.metrics import loading
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"state": "loaded", **loading.load(event["key"])}
