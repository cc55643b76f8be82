"""Read albums and tracks of Spotify's Web API. Calls nothing.

https://developer.spotify.com/documentation/web-api/reference/get-an-album. Apps in development mode get
neither popularity nor label: https://developer.spotify.com/documentation/web-api/concepts/quota-modes.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import Item


def read_albums(body: bytes) -> list[Item]:
    """Return the albums of {artist_id, pages}, none for an artist that doesn't exist.

    Raises PlatformUnavailable, as the other readers do.
    """
    return _read(
        body,
        lambda document: [
            # Lists state no popularity: an album's figures come when it is asked for.
            _album(each, document["artist_id"])._replace(figures={})
            for page in document["pages"]
            for each in page.get("items") or []
        ],
    )


def read_album_tracks(body: bytes) -> list[Item]:
    """Return the albums of an answer about several or about one, and their first 50 tracks.

    An item appears once for each artist of the album.
    """
    return _read(
        body,
        lambda document: [item for each in _several(document, "albums") for item in _album_and_tracks(each)],
    )


def read_tracks(body: bytes) -> list[Item]:
    """Return the tracks of an answer about several."""
    return _read(
        body,
        lambda document: [
            Item("track", each["id"], "", each["name"], None, _popularity(each), _track_details(each))
            for each in _several(document, "tracks")
        ],
    )


def has_more(page: dict[str, Any]) -> bool:
    """Return whether pages follow this one."""
    return bool(page.get("next"))


def _read(body: bytes, items: Callable[[dict[str, Any]], list[Item]]) -> list[Item]:
    try:
        return items(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformUnavailable("Spotify's answer isn't the list that it should be.") from error


def _several(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the things of an answer about several or one; those that don't exist are null or an error."""
    if "error" in document:
        return []
    return [each for each in document.get(name, [document]) if each is not None]


def _album_and_tracks(album: dict[str, Any]) -> list[Item]:
    artists = [each["id"] for each in album["artists"]]
    tracks = (album.get("tracks") or {}).get("items") or []
    return [
        item
        for artist_id in artists
        for item in (
            _album(album, artist_id),
            *(
                Item("track", each["id"], artist_id, each["name"], _released(album), {}, _track_details(each))
                for each in tracks
            ),
        )
    ]


def _album(album: dict[str, Any], artist_id: str) -> Item:
    figures = _popularity(album)
    if "total_tracks" in album:
        figures["tracks"] = int(album["total_tracks"])
    details = {name: album[name] for name in ("album_type", "label") if album.get(name)}
    return Item("album", album["id"], artist_id, album["name"], _released(album), figures, details)


def _popularity(item: dict[str, Any]) -> dict[str, int]:
    return {"popularity": int(item["popularity"])} if item.get("popularity") is not None else {}


def _track_details(track: dict[str, Any]) -> dict[str, Any]:
    isrc = (track.get("external_ids") or {}).get("isrc")
    seconds = {"seconds": round(track["duration_ms"] / 1000)} if "duration_ms" in track else {}
    return seconds | ({"isrc": isrc} if isrc else {})


def _released(album: dict[str, Any]) -> datetime | None:
    """Return the release as a moment. Spotify knows of some only the year or the month."""
    text = album.get("release_date") or ""
    if not text or text.startswith("0000"):
        return None
    year, month, day = (*text.split("-"), "1", "1")[:3]
    return datetime(int(year), int(month), int(day), tzinfo=UTC)
