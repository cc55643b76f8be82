"""Wikimedia Commons: the search for files with their licences. https://www.mediawiki.org/wiki/API:Imageinfo."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.outcomes import Outcomes
from local.platforms.http import Reply, Request

API = "/w/api.php"
FILES = "/wikipedia/commons/"
WANTED = {
    "action": "query",
    "format": "json",
    "formatversion": "2",
    "generator": "search",
    "gsrnamespace": "6",
}
PARAMETERS = {*WANTED, "gsrsearch", "gsrlimit", "gsroffset", "prop", "iiprop", "iiurlwidth"}
SOUND = ".ogg"
OUTCOMES = ("html", "rate_limit", "api_error")


@dataclass
class Library:
    """`photos`: {id, title, licence, licence_url, artist, description, width, height}, and `restrictions`.

    `music` has the same without sides, with `duration` in seconds and perhaps `categories`; a search finds
    it by words that are all in these texts. `image` is what all addresses of photographs serve; `sound`
    returns the file of a piece of music.
    """

    photos: list[dict[str, Any]] = field(default_factory=list)
    music: list[dict[str, Any]] = field(default_factory=list)
    image: bytes = b""
    sound: Callable[[dict[str, Any]], bytes] = lambda piece: b""  # noqa: ARG005
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    searches: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=100))
    fetched: deque[str] = field(default_factory=lambda: deque(maxlen=100))


def answer(library: Library, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't that of Commons."""
    if request.path.startswith(FILES):
        library.fetched.append(request.path)
        if request.path.endswith(SOUND):
            name = request.path.rpartition("/")[2]
            piece = next((each for each in library.music if _file_name(each) == name), None)
            return (
                Reply(200, library.sound(piece), "application/ogg") if piece else Reply(404, b"", "text/html")
            )
        return Reply(200, library.image, "image/jpeg")
    if request.path != API:
        return None
    outcome = library.outcomes.take()
    scripted = outcome.name if outcome else ""
    query = request.query
    if scripted == "html":
        return Reply(503, b"<!DOCTYPE html><title>Wikimedia Error</title>", "text/html")
    if scripted == "rate_limit":
        return Reply(429, b"Too many requests", "text/plain", {"Retry-After": "5"})
    wrong = [name for name, value in WANTED.items() if query.get(name) != value]
    if scripted == "api_error" or wrong or set(query) - PARAMETERS or not query.get("gsrsearch"):
        return Reply.json({"error": {"code": "badvalue", "info": f"Unrecognized value: {wrong}"}})
    library.searches.append(query)
    is_sound = "filetype:audio" in query["gsrsearch"]
    known = [each for each in library.music if _has_words(each, query)] if is_sound else library.photos
    found = known[: int(query.get("gsrlimit", "10"))]
    if not found:
        return Reply.json({"batchcomplete": True})
    # Pages are in the order of their ids; `index` is the place in the search's own order.
    pages = [_page(photo, number + 1, request.base) for number, photo in enumerate(found)]
    return Reply.json(
        {"batchcomplete": True, "query": {"pages": sorted(pages, key=lambda each: each["pageid"])}}
    )


def _has_words(piece: dict[str, Any], query: dict[str, str]) -> bool:
    """Return True if all words of a search are on the page: https://www.mediawiki.org/wiki/Help:CirrusSearch."""
    page = " ".join(str(piece.get(name, "")) for name in ("title", "description", "categories"))
    asked = re.sub(r"\w+:\w+", " ", query["gsrsearch"])
    return _words(asked) <= _words(page)


def _words(text: str) -> set[str]:
    return {re.sub(r"s$", "", word) for word in re.findall(r"\w+", text.lower())}


def _file_name(file: dict[str, Any]) -> str:
    return f"{file['title'].replace(' ', '_')}{SOUND if 'duration' in file else '.jpg'}"


def _page(photo: dict[str, Any], index: int, base: str) -> dict[str, Any]:
    name = _file_name(photo)
    about = {
        "LicenseShortName": photo["licence"],
        "LicenseUrl": photo.get("licence_url", ""),
        "Artist": f'<a href="//commons.wikimedia.org/wiki/User:X">{photo.get("artist", "Zoë")}</a>',
        "ImageDescription": f"<b>{photo.get('description', '')}</b>",
        "Restrictions": photo.get("restrictions", ""),
    }
    return {
        "pageid": photo["id"],
        "ns": 6,
        "title": f"File:{name.replace('_', ' ')}",
        "index": index,
        "imagerepository": "local",
        "imageinfo": [
            {
                "size": photo.get("size", 4_000_000),
                "url": f"{base}{FILES}a/ab/{name}",
                "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{name}",
                **(_of_sound(photo) if "duration" in photo else _of_picture(photo, name, base)),
                # Fields without a value are left out, as Commons does.
                "extmetadata": {
                    field_: {"value": value, "source": "commons-desc-page"}
                    for field_, value in about.items()
                    if value
                },
            }
        ],
    }


def _of_picture(photo: dict[str, Any], name: str, base: str) -> dict[str, Any]:
    return {
        "width": photo.get("width", 4000),
        "height": photo.get("height", 3000),
        "thumburl": f"{base}{FILES}thumb/a/ab/{name}/330px-{name}",
        "mime": photo.get("mime", "image/jpeg"),
    }


def _of_sound(sound: dict[str, Any]) -> dict[str, Any]:
    """Return what iiprop=size says of a sound: it has no sides, and a duration.

    https://www.mediawiki.org/wiki/API:Imageinfo
    """
    return {
        "width": 0,
        "height": 0,
        "duration": sound["duration"],
        "mime": sound.get("mime", "application/ogg"),
    }
