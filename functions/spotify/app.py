"""Metrics machine, step FetchSpotify -> Spotify's answer about artists or albums, archived. No database."""

from typing import Any

from showrunner.metrics import fetching
from showrunner.metrics.archive import Batch
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    # Batches of the release before have no reading.
    reading = event.get("reading", "")
    return fetching.fetch_spotify(Batch(event["platform"], event["accounts"], event["key"], reading=reading))
