"""Read what Instagram says about an account that was connected. Calls nothing.

https://developers.facebook.com/docs/instagram-platform/reference/instagram-media
"""

import json
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import Statistics

# Theirs -> ours.
_PROFILE = {"followers_count": "followers", "media_count": "posts"}
# Figures of the last day that is over.
_INSIGHTS = {"views": "views_day", "reach": "reach_day", "total_interactions": "interactions_day"}


def read(body: bytes) -> list[Statistics]:
    """Return the account of {profile, media, insights}, one in a list. Raises PlatformUnavailable.

    Instagram leaves out what it doesn't know yet: that is unknown here too.
    """
    try:
        document = json.loads(body)
        profile = document["profile"]
        # Some versions wrap it.
        user = profile["data"][0] if "data" in profile else profile
        figures = {ours: int(user[theirs]) for theirs, ours in _PROFILE.items() if theirs in user}
        return [Statistics(str(user["user_id"]), figures | _insights(document["insights"]), document)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PlatformUnavailable("Instagram's answer isn't the account that it should be.") from error


def _insights(answer: dict[str, Any]) -> dict[str, int]:
    found = {each["name"]: each.get("total_value") or {} for each in answer.get("data") or []}
    return {
        ours: int(found[theirs]["value"])
        for theirs, ours in _INSIGHTS.items()
        if "value" in found.get(theirs, {})
    }
