"""Metrics machine, steps Load and Disconnect -> an archived answer becomes figures in the database.

Or an account whose owner disconnected it isn't asked for any more, and the person who connected it is told by
email. So is who connected a channel, or the organisation's owner, when YouTube stops making its reports. All
can be repeated: an email is recorded once it is sent, so that it may come twice and is never lost.
"""

from datetime import datetime
from typing import Any

from showrunner.metrics import loading, report_loading
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if ended := event.get("disconnected"):
        at = datetime.fromisoformat(ended["at"])
        lost = loading.disconnect(ended["platform"], ended["artist_id"], ended["reason"], at)
        if lost:
            # Few calls need it, and it takes longer to import than all else here.
            from showrunner.accounts import emails

            emails.deliver(lost["email"], emails.reconnect_artist(ended["platform"], lost["artist"]))
            loading.told(ended["platform"], ended["artist_id"])
        return {"state": "disconnected"}
    loaded = loading.load(event["key"])
    if ending := loaded.pop("ending", None):
        from showrunner.accounts import emails

        emails.deliver(ending["email"], emails.channel_reports_end(ending["types"]))
        report_loading.announced(ending["of"])
    return {"state": "loaded", **loaded}
