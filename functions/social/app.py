"""Metrics machine, step FetchSocial -> answers about an account that its owner connected are archived.

They come from TikTok, Instagram or YouTube Analytics. No database.
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
        # Batches of the release before have neither.
        reading=event.get("reading", ""),
        since=event.get("since", ""),
    )
    return connected_fetching.fetch(batch)
