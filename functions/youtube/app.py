"""Metrics machine, step FetchYoutube -> YouTube's raw answer about channels is archived. No database."""

from typing import Any

from showrunner.metrics import fetching
from showrunner.metrics.archive import Batch
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return fetching.fetch_youtube(Batch(event["platform"], event["accounts"], event["key"]))
