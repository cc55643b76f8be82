"""Pexels: the searches for photographs and videos, and their files behind the edge that refuses scripts.

https://www.pexels.com/api/documentation (2026-11-28). The edge's refusals:
github.com/calesthio/OpenMontage/issues/587.
"""

import base64
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from local.outcomes import Outcomes
from local.platforms import catalogue
from local.platforms.http import Reply, Request

SEARCH = "/v1/search"
VIDEO_SEARCH = "/v1/videos/search"
# A photograph for which the edge shows a page instead.
BLOCKED = "blocked.jpeg"
BLOCKED_VIDEO = "blocked.mp4"
PHOTOS = "/photos/"
VIDEOS = "/video-files/"
# Pictures of videos, on the photographs' host.
PREVIEWS = "/videos/"
# https://www.pexels.com/api/documentation/#photos-search__parameters__locale
LOCALES = (
    *("en-US", "pt-BR", "es-ES", "ca-ES", "de-DE", "it-IT", "fr-FR", "sv-SE", "id-ID", "pl-PL", "ja-JP"),
    *("zh-TW", "zh-CN", "ko-KR", "th-TH", "nl-NL", "hu-HU", "vi-VN", "cs-CZ", "da-DK", "fi-FI", "uk-UA"),
    *("el-GR", "ro-RO", "nb-NO", "sk-SK", "tr-TR", "ru-RU"),
)
KEY = "local"
PARAMETERS = {"query", "orientation", "size", "color", "locale", "page", "per_page"}
ORIENTATIONS = ("landscape", "portrait", "square")
MOST_PER_PAGE = 80
OUTCOMES = (
    *("html", "missing_size", "rate_limit", "unauthorized", "server_error", "other_host"),
    *("html_photo", "html_video", "huge_video", "slow"),
)
# What `slow` waits: longer than any caller does.
SLOW_SECONDS = 15
# What Pexels' edge (Cloudflare) takes for a script: libraries that name themselves, or nothing at all.
SCRIPTS = ("python-requests", "python-urllib", "python-httpx", "aiohttp", "curl", "go-http-client")
EDGE = b"<!doctype html><title>Attention Required! | Cloudflare</title><p>Error 1010</p>"
# A grey JPEG of one pixel.
PIXEL = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4z"
    "NDL/wAALCAABAAEBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJx"
    "FDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKj"
    "pKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APn+v//Z"
)


@dataclass
class Library:
    """`photos`: {id, photographer, alt, width, height}. `image` is what every photograph's address serves.

    `videos`: as catalogue.videos() returns them. `clip` gives the parts of one's file, `preview` a picture of
    it.
    """

    key: str = KEY
    photos: list[dict[str, Any]] = field(default_factory=list)
    image: bytes = PIXEL
    videos: list[dict[str, Any]] = field(default_factory=list)
    clip: Callable[[dict[str, Any]], Iterable[bytes]] = lambda video: [b""]  # noqa: ARG005
    preview: Callable[[dict[str, Any]], bytes] = lambda video: PIXEL  # noqa: ARG005
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    # Queries of valid searches and addresses of photographs, newest last.
    searches: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=100))
    fetched: deque[str] = field(default_factory=lambda: deque(maxlen=100))


def answer(library: Library, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't Pexels'."""
    if request.path not in (SEARCH, VIDEO_SEARCH) and not request.path.startswith((PHOTOS, VIDEOS, PREVIEWS)):
        return None
    agent = request.headers.get("user-agent", "").lower()
    if not agent or agent.startswith(SCRIPTS):
        return Reply(403, EDGE, "text/html; charset=UTF-8")
    if request.path.startswith(PHOTOS):
        return _photo(library, request)
    if request.path.startswith(PREVIEWS):
        return _preview(library, request)
    return _video(library, request) if request.path.startswith(VIDEOS) else _search(library, request)


def _search(library: Library, request: Request) -> Reply:
    outcome = library.outcomes.take()
    scripted = outcome.name if outcome else ""
    if request.headers.get("authorization") != library.key or scripted == "unauthorized":
        return Reply.json({"status": 401, "code": "Unauthorized"}, 401)
    query = request.query
    unknown = set(query) - PARAMETERS
    if unknown or not query.get("query") or query.get("orientation", "square") not in ORIENTATIONS:
        return Reply.json(
            {"status": 400, "code": f"Bad Request: {', '.join(unknown) or 'query, orientation'}"}, 400
        )
    if query.get("locale", "en-US") not in LOCALES:
        return Reply.json({"status": 400, "code": "Bad Request: locale"}, 400)
    per_page = query.get("per_page", "15")
    if not per_page.isdigit() or not 1 <= int(per_page) <= MOST_PER_PAGE:
        return Reply.json({"status": 400, "code": "Bad Request: per_page"}, 400)
    if scripted == "html":
        return Reply(200, b"<!doctype html><title>Pexels</title>", "text/html; charset=utf-8")
    if scripted == "rate_limit":
        return Reply.json({"status": 429, "code": "Too Many Requests"}, 429)
    if scripted == "server_error":
        return Reply(500, b"<!doctype html><title>Error</title>", "text/html; charset=utf-8")
    library.searches.append(query)
    if scripted == "slow":
        time.sleep(SLOW_SECONDS)
    limits = {
        "X-Ratelimit-Limit": "20000",
        "X-Ratelimit-Remaining": "19684",
        "X-Ratelimit-Reset": "1798761600",
    }
    found = _found_videos if request.path == VIDEO_SEARCH else _found_photos
    document = {"page": 1, "per_page": int(per_page), **found(library, request, int(per_page), scripted)}
    return Reply(200, Reply.json(document).body, headers=limits)


def _found_photos(library: Library, request: Request, count: int, scripted: str) -> dict[str, Any]:
    base = "https://elsewhere.example" if scripted == "other_host" else request.base
    photos = [_described(photo, base, scripted == "missing_size") for photo in library.photos[:count]]
    if scripted == "html_photo":
        for photo in photos:
            photo["src"]["original"] = f"{base}{PHOTOS}{photo['id']}/{BLOCKED}"
    return {"photos": photos, "total_results": len(library.photos)}


def _found_videos(library: Library, request: Request, count: int, scripted: str) -> dict[str, Any]:
    base = "https://elsewhere.example" if scripted == "other_host" else request.base
    orientation = request.query.get("orientation", "landscape")
    locale = request.query.get("locale", "en-US")
    found = catalogue.ranked(library.videos, request.query["query"], orientation, locale)[:count]
    return {
        "videos": [_described_video(video, base, scripted) for video in found],
        "total_results": len(library.videos),
        "url": "https://www.pexels.com/videos/",
    }


def _described_video(video: dict[str, Any], base: str, scripted: str) -> dict[str, Any]:
    number, width, height = video["id"], video["width"], video["height"]
    name = BLOCKED_VIDEO if scripted == "html_video" else f"{number}-hd_{width}_{height}_25fps.mp4"
    file = {
        "id": number * 10,
        "quality": "hd",
        "file_type": "video/mp4",
        "width": width,
        "height": height,
        "fps": 25.0,
        "link": f"{base}{VIDEOS}{number}/{name}",
        "size": 2 << 30 if scripted == "huge_video" else 4_000_000,
    }
    # Where Pexels streams, it lists a playlist, which is no file.
    playlist = {**file, "id": number * 10 + 1, "quality": "hls", "width": None, "height": None, "fps": None}
    return {
        "id": number,
        "width": width,
        "height": height,
        "url": f"https://www.pexels.com/video/{_slug(video.get('title', ''))}{number}/",
        "image": f"{base}{PREVIEWS}{number}/free-video-{number}.jpg?fit=crop&w=1200&h=630&auto=compress",
        "full_res": None,
        "tags": [],
        "duration": video.get("duration", 8),
        "user": {"id": 1, "name": video.get("user", "Grace"), "url": "https://www.pexels.com/@grace"},
        "video_files": [] if scripted == "missing_size" else [playlist, file],
        "video_pictures": [],
    }


def _slug(title: str) -> str:
    """Return the words of a title as the address of a page has them, with a hyphen at the end."""
    words = re.findall(r"[a-z]+", title.lower())
    return "-".join([*words, ""]) if words else ""


def _described(photo: dict[str, Any], base: str, lacks_sizes: bool) -> dict[str, Any]:
    number = photo["id"]
    original = f"{base}{PHOTOS}{number}/pexels-photo-{number}.jpeg"
    sizes = {
        "original": original,
        "large2x": f"{original}?auto=compress&cs=tinysrgb&dpr=2&h=650&w=940",
        "large": f"{original}?auto=compress&cs=tinysrgb&h=650&w=940",
        "medium": f"{original}?auto=compress&cs=tinysrgb&h=350",
        "small": f"{original}?auto=compress&cs=tinysrgb&h=130",
        "portrait": f"{original}?auto=compress&cs=tinysrgb&fit=crop&h=1200&w=800",
        "landscape": f"{original}?auto=compress&cs=tinysrgb&fit=crop&h=627&w=1200",
        "tiny": f"{original}?auto=compress&cs=tinysrgb&dpr=1&fit=crop&h=200&w=280",
    }
    return {
        "id": number,
        "width": photo.get("width", 4000),
        "height": photo.get("height", 6000),
        "url": f"https://www.pexels.com/photo/{number}/",
        "photographer": photo.get("photographer", "Ada"),
        "photographer_url": "https://www.pexels.com/@ada",
        "photographer_id": 1,
        "avg_color": "#978E82",
        "src": {} if lacks_sizes else sizes,
        "liked": False,
        "alt": photo.get("alt", ""),
    }


def _photo(library: Library, request: Request) -> Reply:
    if request.path.endswith(BLOCKED):
        return Reply(200, b"<!doctype html><title>Just a moment...</title>", "text/html; charset=UTF-8")
    library.fetched.append(f"{request.path}?{request.query_string}")
    return Reply(200, library.image, "image/jpeg")


def _preview(library: Library, request: Request) -> Reply:
    video = _find_video(library, request.path.removeprefix(PREVIEWS))
    return Reply(200, library.preview(video), "image/jpeg") if video else Reply(404, b"", "text/plain")


def _find_video(library: Library, rest: str) -> dict[str, Any] | None:
    number = rest.partition("/")[0]
    return next((each for each in library.videos if str(each["id"]) == number), None)


def _video(library: Library, request: Request) -> Reply:
    if request.path.endswith(BLOCKED_VIDEO):
        return Reply(200, b"<!doctype html><title>Just a moment...</title>", "text/html; charset=UTF-8")
    video = _find_video(library, request.path.removeprefix(VIDEOS))
    if video is None:
        return Reply(404, b"", "text/plain")
    library.fetched.append(request.path)
    return Reply(200, b"", "video/mp4", parts=library.clip(video))
