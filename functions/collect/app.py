"""Metrics machine, step Plan, every hour -> the accounts that are due, as batches in S3."""

from typing import Any

from showrunner.metrics import collection
from showrunner.metrics.collection import Artist
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    artist = Artist(event["organisation_id"], event["artist_id"]) if "artist_id" in event else None
    return collection.plan(event["run"], artist)
