"""Wikimedia Commons: the search for files with their licences. https://www.mediawiki.org/wiki/API:Imageinfo."""

from collections import deque
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
OUTCOMES = ("html", "rate_limit", "api_error")


@dataclass
class Library:
    """`photos`: {id, title, licence, licence_url, artist, description, width, height}, and `restrictions`."""

    photos: list[dict[str, Any]] = field(default_factory=list)
    image: bytes = b""
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    searches: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=100))
    fetched: deque[str] = field(default_factory=lambda: deque(maxlen=100))


def answer(library: Library, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't that of Commons."""
    if request.path.startswith(FILES):
        library.fetched.append(request.path)
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
    found = library.photos[: int(query.get("gsrlimit", "10"))]
    if not found:
        return Reply.json({"batchcomplete": True})
    # Pages are in the order of their ids; `index` is the place in the search's own order.
    pages = [_page(photo, number + 1, request.base) for number, photo in enumerate(found)]
    return Reply.json(
        {"batchcomplete": True, "query": {"pages": sorted(pages, key=lambda each: each["pageid"])}}
    )


def _page(photo: dict[str, Any], index: int, base: str) -> dict[str, Any]:
    name = photo["title"].replace(" ", "_")
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
        "title": f"File:{photo['title']}.jpg",
        "index": index,
        "imagerepository": "local",
        "imageinfo": [
            {
                "size": 4_000_000,
                "width": photo.get("width", 4000),
                "height": photo.get("height", 3000),
                "url": f"{base}{FILES}a/ab/{name}.jpg",
                "thumburl": f"{base}{FILES}thumb/a/ab/{name}.jpg/250px-{name}.jpg",
                "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{name}.jpg",
                "mime": photo.get("mime", "image/jpeg"),
                # Fields without a value are left out, as Commons does.
                "extmetadata": {
                    field_: {"value": value, "source": "commons-desc-page"}
                    for field_, value in about.items()
                    if value
                },
            }
        ],
    }
