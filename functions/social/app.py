"""Metrics machine, step FetchSocial -> answers about an account that its owner connected are archived.

They come from TikTok, Instagram, YouTube Analytics or YouTube's Reporting API. No database.
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
        # Batches of earlier releases lack some of these.
        reading=event.get("reading", ""),
        since=event.get("since", ""),
        after=event.get("after"),
        days=event.get("days"),
    )
    return connected_fetching.fetch(batch)
