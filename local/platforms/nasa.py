"""NASA's library: the search for images, and the files of one (images.nasa.gov has its documents)."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local.outcomes import Outcomes
from local.platforms.http import Reply, Request

# Below a folder, as the paths of all stand-ins share one server.
SEARCH, ASSET, FILES = "/nasa/search", "/nasa/asset/", "/nasa/image/"
PARAMETERS = {"q", "media_type", "page", "page_size", "keywords", "title", "year_start", "year_end"}
OUTCOMES = ("html", "rate_limit", "no_files")


@dataclass
class Library:
    """`photos`: {nasa_id, title, description, keywords, photographer}. `image` is what every file is."""

    photos: list[dict[str, Any]] = field(default_factory=list)
    image: bytes = b""
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    searches: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=100))


def answer(library: Library, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't that of NASA's library."""
    if request.path.startswith(FILES):
        return Reply(200, library.image, "image/jpeg")
    if request.path != SEARCH and not request.path.startswith(ASSET):
        return None
    outcome = library.outcomes.take()
    scripted = outcome.name if outcome else ""
    if scripted == "html":
        return Reply(502, b"<html>Bad Gateway</html>", "text/html")
    if scripted == "rate_limit":
        return Reply(429, b"{}", "application/json")
    if request.path != SEARCH:
        return _manifest(library, request, scripted)
    if not request.query.get("q") or set(request.query) - PARAMETERS:
        return Reply.json({"reason": "Expected 'q' text search parameter or other keywords."}, 400)
    library.searches.append(request.query)
    items = [
        {
            "href": f"http://images-assets.nasa.gov/image/{photo['nasa_id']}/collection.json",
            "data": [
                {"center": "JSC", "media_type": "image", "date_created": "2020-01-01T00:00:00Z", **photo}
            ],
            "links": [{"href": f"{request.base}{FILES}{photo['nasa_id']}~thumb.jpg", "rel": "preview"}],
        }
        for photo in library.photos
    ]
    return Reply.json(
        {"collection": {"version": "1.1", "items": items, "metadata": {"total_hits": len(items)}}}
    )


def _manifest(library: Library, request: Request, scripted: str) -> Reply:
    nasa_id = unquote(request.path.removeprefix(ASSET))
    if nasa_id not in [photo["nasa_id"] for photo in library.photos]:
        return Reply.json({"reason": f"No assets found for id={nasa_id}"}, 404)
    sizes = ("thumb",) if scripted == "no_files" else ("orig", "large", "medium", "thumb")
    items = [{"href": f"{request.base}{FILES}{nasa_id}~{size}.jpg"} for size in sizes]
    return Reply.json({"collection": {"version": "1.1", "items": items}})
