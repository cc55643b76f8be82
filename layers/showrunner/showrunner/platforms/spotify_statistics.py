"""Read artists of Spotify's Web API. Calls nothing.

https://developer.spotify.com/documentation/web-api/reference/get-multiple-artists
"""

import json
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import Statistics


def read(body: bytes) -> list[Statistics]:
    """Return the artists of an answer about several or about one; those that don't exist are missing.

    followers, and popularity from 0 to 100, are left out where the app's mode doesn't get them. Raises
    PlatformUnavailable.
    """
    try:
        document = json.loads(body)
        if "error" in document:
            return []
        items = document.get("artists", [document])
        return [Statistics(each["id"], _figures(each), each) for each in items if each is not None]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformUnavailable("Spotify's answer isn't the list of artists that it should be.") from error


def _figures(artist: dict[str, Any]) -> dict[str, int]:
    stated = {
        "followers": (artist.get("followers") or {}).get("total"),
        "popularity": artist.get("popularity"),
    }
    return {metric: int(value) for metric, value in stated.items() if value is not None}
