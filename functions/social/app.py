"""Metrics machine, step FetchSocial -> TikTok's or Instagram's answers about an account are archived.

Its owner connected it. No database.
"""

from typing import Any

from showrunner.metrics import connected_fetching
from showrunner.metrics.archive import Batch
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    batch = Batch(
        event["platform"],
        event["accounts"],
        event["key"],
        organisation_id=event["organisation_id"],
        artist_id=event["artist_id"],
    )
    return connected_fetching.fetch(batch)
