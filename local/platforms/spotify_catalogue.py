"""Albums and tracks of Spotify's Web API, invented: the same for the same id.

https://developer.spotify.com/documentation/web-api/reference/get-an-artists-albums,
.../get-multiple-albums, .../get-album, .../get-several-tracks. Apps in development mode get 403 for several
things at once, and neither popularity nor label nor markets.
"""

import hashlib
import re
import string
from typing import Any

from local.platforms import limits
from local.platforms.http import Reply, Request

Json = dict[str, Any]
LIMITS = limits.of("spotify")
ALBUMS, TRACKS = "/v1/albums", "/v1/tracks"
ALBUMS_OF = re.compile(r"/v1/artists/([A-Za-z0-9]{22})/albums", re.ASCII)
ID = re.compile("[A-Za-z0-9]{22}", re.ASCII)
GROUPS = {"album", "single", "appears_on", "compilation"}
MOST_IDS = {ALBUMS: LIMITS["albums"], TRACKS: LIMITS["ids"]}
MOST_OF_A_PAGE = 50
ALBUM_COUNT, TRACK_COUNT = 3, 4
# What only apps in extended mode get.
EXTENDED_FIELDS = ("popularity", "label", "available_markets", "album_group", "linked_from")
_DIGITS = string.ascii_letters + string.digits


def is_path(path: str) -> bool:
    """Return whether the path belongs to albums or tracks."""
    return (
        bool(ALBUMS_OF.fullmatch(path))
        or path in (ALBUMS, TRACKS)
        or path.startswith((f"{ALBUMS}/", f"{TRACKS}/"))
    )


def answer(mode: str, request: Request) -> Reply:
    """Return the reply to a call that is within the app's limits."""
    if found := ALBUMS_OF.fullmatch(request.path):
        return _albums_of(mode, request, found[1])
    for prefix, make in ((ALBUMS, album), (TRACKS, track)):
        if request.path == prefix:
            return _several(mode, request, prefix, make)
        if request.path.startswith(f"{prefix}/"):
            id_ = request.path.removeprefix(f"{prefix}/")
            if not ID.fullmatch(id_) or not set(request.query) <= {"market"}:
                return _error(400, "Invalid base62 id")
            return Reply.json(_shown(mode, make(id_)))
    return _error(404, "Service not found")


def _several(mode: str, request: Request, prefix: str, make: Any) -> Reply:
    if mode == "development":
        return _error(403, "Forbidden")
    ids = request.query.get("ids", "").split(",")
    if not set(request.query) <= {"ids", "market"} or not all(ID.fullmatch(each) for each in ids):
        return _error(400, "invalid id")
    if len(ids) > MOST_IDS[prefix]:
        return _error(400, "Too many ids requested")
    return Reply.json({prefix.rsplit("/", 1)[1]: [_shown(mode, make(each)) for each in ids]})


def _albums_of(mode: str, request: Request, artist_id: str) -> Reply:
    query = request.query
    if not set(query) <= {"include_groups", "market", "limit", "offset"}:
        return _error(400, "Invalid parameter")
    groups, limit, offset = (
        query.get("include_groups", ""),
        query.get("limit", "20"),
        query.get("offset", "0"),
    )
    if not set(filter(None, groups.split(","))) <= GROUPS:
        return _error(400, "Invalid include_groups")
    if not limit.isdigit() or not 1 <= int(limit) <= MOST_OF_A_PAGE or not offset.isdigit():
        return _error(400, "Invalid limit")
    ids = [_id(f"{artist_id}/{number}") for number in range(ALBUM_COUNT)]
    first, size = int(offset), int(limit)
    page = [_shown(mode, _simple(album(each, artist_id))) for each in ids[first : first + size]]
    href = f"https://api.spotify.com/v1/artists/{artist_id}/albums"
    more = f"{href}?offset={first + size}&limit={size}" if first + size < len(ids) else None
    paging = {"limit": size, "next": more, "offset": first, "previous": None, "total": len(ids)}
    return Reply.json({"href": href, **paging, "items": page})


def album(id_: str, artist_id: str | None = None) -> Json:
    """Return an album with its tracks."""
    _OWNERS.setdefault(id_, artist_id or _id(f"artist of {id_}"))
    digest = hashlib.sha256(id_.encode()).digest()
    tracks = [_simple_track(track(_id(f"{id_}/{number}")), number) for number in range(TRACK_COUNT)]
    owner = _OWNERS[id_]
    return {
        "album_type": "album",
        "album_group": "album",
        "artists": [{"id": owner, "name": f"Artist {owner[:6]}", "type": "artist"}],
        "available_markets": ["NG", "JP"],
        "external_ids": {"upc": f"{int.from_bytes(digest[:5]):013}"},
        "id": id_,
        "label": "Tide Records",
        "name": f"Album {id_[:6]}",
        "popularity": digest[0] % 101,
        "release_date": ("2024-05-17", "2023-08", "2021")[digest[1] % 3],
        "release_date_precision": ("day", "month", "year")[digest[1] % 3],
        "total_tracks": len(tracks),
        "tracks": {"items": tracks, "limit": 50, "next": None, "offset": 0, "total": len(tracks)},
        "type": "album",
    }


# Album id -> artist whose list named it: an id alone doesn't say whose it is.
_OWNERS: dict[str, str] = {}


def track(id_: str) -> Json:
    """Return a track."""
    digest = hashlib.sha256(id_.encode()).digest()
    return {
        "available_markets": ["NG", "JP"],
        "duration_ms": 120_000 + 1_000 * digest[0],
        "external_ids": {"isrc": f"QZ5AB24{int.from_bytes(digest[:3]) % 100_000:05}"},
        "id": id_,
        "name": f"Track {id_[:6]}",
        "popularity": digest[1] % 101,
        "type": "track",
    }


def _simple(full: Json) -> Json:
    """Return an album as lists have it: without label, popularity, identifiers and tracks."""
    return {
        key: value
        for key, value in full.items()
        if key not in ("label", "popularity", "external_ids", "tracks")
    }


def _simple_track(full: Json, number: int) -> Json:
    hidden = ("popularity", "external_ids")
    return {key: value for key, value in full.items() if key not in hidden} | {"track_number": number + 1}


def _shown(mode: str, full: Json) -> Json:
    return full if mode != "development" else {k: v for k, v in full.items() if k not in EXTENDED_FIELDS}


def _id(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    digits = []
    for _ in range(22):
        number, rest = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[rest])
    return "".join(digits)


def _error(status: int, message: str) -> Reply:
    return Reply.json({"error": {"status": status, "message": message}}, status)
