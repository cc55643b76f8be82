"""Metrics machine, steps Load and Disconnect -> an archived answer becomes figures in the database.

Or an account whose owner disconnected it isn't asked for any more. Both can be repeated.
"""

from datetime import datetime
from typing import Any

from showrunner.metrics import loading
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if ended := event.get("disconnected"):
        at = datetime.fromisoformat(ended["at"])
        loading.disconnect(ended["platform"], ended["artist_id"], ended["reason"], at)
        return {"state": "disconnected"}
    return {"state": "loaded", **loading.load(event["key"])}
