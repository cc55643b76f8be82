"""Metrics machine, step Plan, every hour for each platform -> the accounts that are due, as batches in S3.

With a day, when a person starts it so: the archived answers of that day, to load them again. Step Settle: all
batches of a run are loaded.
"""

from typing import Any

from showrunner.metrics import airtable_sync, collection, item_collection, replay
from showrunner.metrics.collection import Artist
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event.get("part") == "settle":
        return replay.settle(event.get("platform", "youtube"), event["run"])
    if event.get("platform") == "airtable":
        return airtable_sync.plan(event["run"])
    # Videos and other items have runs of their own, so that their many batches hold up no account's figures.
    if event.get("part") == "items":
        return item_collection.plan(event["run"], event["platform"])
    if "day" in event:
        return replay.plan(event["run"], event["platform"], event["day"], event.get("hour"))
    artist = Artist(event["organisation_id"], event["artist_id"]) if "artist_id" in event else None
    # Executions that began in the release before name no platform.
    return collection.plan(event["run"], event.get("platform", "youtube"), artist)
