"""Pixabay: the searches for photographs and videos, and their files. https://pixabay.com/api/docs/."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from local.outcomes import Outcomes
from local.platforms.http import Reply, Request

SEARCH, VIDEO_SEARCH = "/api/", "/api/videos/"
FILES = "/pixabay-files/"
KEY = "local-pixabay"
COMMON = {
    "key",
    "q",
    "lang",
    "id",
    "category",
    "min_width",
    "min_height",
    "editors_choice",
    "safesearch",
    "order",
}
COMMON |= {"page", "per_page", "callback", "pretty"}
PARAMETERS = {
    SEARCH: COMMON | {"image_type", "orientation", "colors"},
    VIDEO_SEARCH: COMMON | {"video_type"},
}
LANGUAGES = {
    "cs", "da", "de", "en", "es", "fr", "id", "it", "hu", "nl", "no", "pl", "pt", "ro", "sk", "fi", "sv",
    "tr", "vi", "th", "bg", "ru", "el", "ja", "ko", "zh",
}  # fmt: skip
ORIENTATIONS = ("all", "horizontal", "vertical")
OUTCOMES = ("html", "rate_limit", "server_error", "html_file", "huge_video")
PAGE = b"<!doctype html><title>Pixabay</title>"


@dataclass
class Library:
    """`photos`: {id, tags, user, width, height}; `videos` also have a duration. `file` is what any serves."""

    key: str = KEY
    photos: list[dict[str, Any]] = field(default_factory=list)
    videos: list[dict[str, Any]] = field(default_factory=list)
    image: bytes = b""
    clip: bytes = b""
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    searches: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=100))
    fetched: deque[str] = field(default_factory=lambda: deque(maxlen=100))


def answer(library: Library, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't Pixabay's."""
    if request.path.startswith(FILES):
        library.fetched.append(request.path)
        if "blocked" in request.path:
            return Reply(200, PAGE, "text/html")
        is_video = request.path.endswith(".mp4")
        return Reply(
            200, library.clip if is_video else library.image, "video/mp4" if is_video else "image/jpeg"
        )
    return _search(library, request) if request.path in PARAMETERS else None


def _search(library: Library, request: Request) -> Reply:
    outcome = library.outcomes.take()
    scripted = outcome.name if outcome else ""
    query = request.query
    if query.get("key") != library.key:
        return _error(400, "Invalid or missing API key (https://pixabay.com/api/docs/).")
    unknown = set(query) - PARAMETERS[request.path]
    if unknown or len(query.get("q", "")) > 100:
        return _error(400, '"q" is out of valid range.' if not unknown else f"unknown: {', '.join(unknown)}")
    per_page = query.get("per_page", "20")
    if not per_page.isdigit() or not 3 <= int(per_page) <= 200:
        return _error(400, '"per_page" is out of valid range.')
    if query.get("lang", "en") not in LANGUAGES:
        return _error(400, '"lang" is out of valid range.')
    if query.get("orientation", "all") not in ORIENTATIONS:
        return _error(400, '"orientation" is out of valid range.')
    if scripted == "html":
        return Reply(200, PAGE, "text/html; charset=utf-8")
    if scripted == "rate_limit":
        return _error(429, "API rate limit exceeded")
    if scripted == "server_error":
        return Reply(502, PAGE, "text/html")
    library.searches.append(query)
    if request.path == SEARCH:
        hits = [_photo(each, request.base, scripted) for each in library.photos if _fits(each, query)]
    else:
        hits = [_video(each, request.base, scripted) for each in library.videos]
    document = {"total": len(hits), "totalHits": len(hits), "hits": hits[: int(per_page)]}
    return Reply.json(document, headers={"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99"})


def _error(status: int, message: str) -> Reply:
    return Reply(status, f"[ERROR {status}] {message}".encode(), "text/plain; charset=utf-8")


def _fits(photo: dict[str, Any], query: dict[str, str]) -> bool:
    wide = photo["width"] > photo["height"]
    return query.get("orientation", "all") in ("all", "horizontal" if wide else "vertical")


def _photo(photo: dict[str, Any], base: str, scripted: str) -> dict[str, Any]:
    name = "blocked" if scripted == "html_file" else str(photo["id"])
    return {
        "id": photo["id"],
        "pageURL": f"https://pixabay.com/photos/sea-{photo['id']}/",
        "type": "photo",
        "tags": photo["tags"],
        "previewURL": f"{base}{FILES}{name}_150.jpg",
        "webformatURL": f"{base}{FILES}{name}_640.jpg",
        "largeImageURL": f"{base}{FILES}{name}_1280.jpg",
        "imageWidth": photo["width"],
        "imageHeight": photo["height"],
        "imageSize": 4_000_000,
        "user_id": 1,
        "user": photo.get("user", "Lin"),
    }


def _video(video: dict[str, Any], base: str, scripted: str) -> dict[str, Any]:
    name = "blocked" if scripted == "html_file" else str(video["id"])
    width, height = video["width"], video["height"]
    sizes = {"large": 1.0, "medium": 2 / 3, "small": 1 / 2, "tiny": 1 / 3}
    return {
        "id": video["id"],
        "pageURL": f"https://pixabay.com/videos/id-{video['id']}/",
        "type": "film",
        "tags": video["tags"],
        "duration": video["duration"],
        "videos": {
            size: {
                "url": f"{base}{FILES}{name}_{size}.mp4",
                "width": round(width * scale),
                "height": round(height * scale),
                "size": 2 << 30 if scripted == "huge_video" else 4_000_000,
                "thumbnail": f"{base}{FILES}{name}_{size}.jpg",
            }
            for size, scale in sizes.items()
        },
        "user_id": 1,
        "user": video.get("user", "Lin"),
    }
