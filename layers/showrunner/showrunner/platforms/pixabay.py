"""Search and fetch videos and photographs at Pixabay: https://pixabay.com/api/docs/.

Its limit is 100 requests in 60 seconds. Results must be kept for 24 hours: `footage` keeps them longer.
"""

import time
from typing import Any

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Work
from showrunner.platforms import credentials, stock
from showrunner.platforms.http import Answer, Sender

NAME = "pixabay"
LICENCE = "Pixabay Content License"
LICENCE_URL = "https://pixabay.com/service/license-summary/"
KEY = "pixabay/api_key"
# Where Pixabay serves files from: photographs from pixabay.com/get/, videos from its CDN.
_PHOTO_HOST = "https://pixabay.com/"
_VIDEO_HOST = "https://cdn.pixabay.com/"
# The longest text of a search.
_QUERY_CHARACTERS = 100
# https://pixabay.com/api/docs/#api_search_images: lang.
_LANGUAGES = frozenset({
    "cs", "da", "de", "en", "es", "fr", "id", "it", "hu", "nl", "no", "pl", "pt", "ro", "sk", "fi", "sv",
    "tr", "vi", "th", "bg", "ru", "el", "ja", "ko", "zh",
})  # fmt: skip
_ORIENTATIONS = {"portrait": "vertical", "landscape": "horizontal", "square": "all"}


class Pixabay:
    """A client of one account. The hosts are where photographs and videos may be fetched from."""

    def __init__(
        self, key: str, base_url: str, photo_host: str = _PHOTO_HOST, video_host: str = _VIDEO_HOST
    ) -> None:
        self._sender = Sender("Pixabay", stock.SEARCH_SECONDS, stock.SEARCH_BYTES)
        self._key = credentials.checked(key, "Pixabay", KEY)
        self._base_url = base_url.rstrip("/")
        self._photo_host, self._video_host = photo_host, video_host

    def clips(self, query: str, orientation: str, side: int, language: str = "en") -> list[Work]:
        found = [_clip(each, side) for each in self._search("/api/videos/", query, language, {})]
        # A search has no orientation for videos.
        fitting = [each for each in found if each and _has(each, orientation)]
        return fitting[: stock.RESULTS]

    def photos(self, query: str, orientation: str, language: str = "en") -> list[Work]:
        asked = {"image_type": "photo", "orientation": _ORIENTATIONS[orientation]}
        return [found for each in self._search("/api/", query, language, asked) if (found := _photo(each))]

    def download(self, work: Work, width: int, height: int) -> bytes:  # noqa: ARG002 - it crops nothing
        host = self._video_host if work.kind == "clip" else self._photo_host
        return stock.fetch(self._sender, "Pixabay", work, work.address, host)

    def preview(self, work: Work) -> bytes:
        hosts = (self._photo_host, self._video_host)
        return stock.fetch_preview(self._sender, "Pixabay", work, work.preview, hosts)

    def _search(self, path: str, query: str, language: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        text = query[:_QUERY_CHARACTERS]
        # Videos are looked through for their orientation here, so more of them are asked for.
        count = stock.RESULTS if asked else 3 * stock.RESULTS
        if language in _LANGUAGES:
            asked = asked | {"lang": language}
        answer = self._sender.send(
            "GET",
            f"{self._base_url}{path}",
            query={"key": self._key, "q": text, "safesearch": "true", "per_page": str(count), **asked},
            until=time.monotonic() + stock.SEARCH_SECONDS,
        )
        return _read(answer)


def _read(answer: Answer) -> list[dict[str, Any]]:
    """Return the hits of a search. Pixabay writes its errors as plain text."""
    code = answer.status
    if code == 400 and b"API key" in answer.body[:500]:
        raise CredentialRejected("Pixabay refuses the key.")
    if code == 429:
        raise QuotaExceeded("Pixabay's requests of this minute are spent.")
    if code != 200 and 400 <= code < 500 and code != 403:
        raise PlatformRejected(f"Pixabay refuses the search with {code}.")
    if code != 200 or "json" not in answer.headers.get("content-type", ""):
        raise PlatformUnavailable(f"Pixabay answers {code} without JSON.")
    hits = answer.json("Pixabay")
    if not isinstance(hits, dict) or not isinstance(hits.get("hits"), list):
        raise PlatformUnavailable("Pixabay's answer isn't the JSON that it should be.")
    return [
        each for each in hits["hits"] if isinstance(each, dict) and each.get("id") and each.get("pageURL")
    ]


def _photo(found: dict[str, Any]) -> Work | None:
    """Return the photograph with its largest address, None without one."""
    address = found.get("fullHDURL") or found.get("largeImageURL")
    if not address:
        return None
    # The addresses that every account gets are at most 1,280 or 1,920 pixels wide.
    longest = 1920 if found.get("fullHDURL") else 1280
    width, height = int(found.get("imageWidth") or 0), int(found.get("imageHeight") or 0)
    scale = min(1.0, longest / max(width, height, 1))
    size = round(width * scale), round(height * scale)
    return _work(found, "image", str(address), size, 0.0, str(found.get("webformatURL") or ""))


def _clip(found: dict[str, Any], side: int) -> Work | None:
    """Return the video with the file nearest to this short side, None without a usable one."""
    files = [
        each
        for each in (found.get("videos") or {}).values()
        if each.get("url") and each.get("width") and each.get("height")
        if 0 < int(each.get("size") or 0) <= stock.CLIP_BYTES
    ]
    seconds = float(found.get("duration") or 0)
    if not files or seconds < stock.SHORTEST_CLIP_SECONDS:
        return None
    best = min(files, key=lambda each: abs(min(each["width"], each["height"]) - side))
    size = int(best["width"]), int(best["height"])
    smallest = (found["videos"].get("tiny") or best).get("thumbnail")
    return _work(found, "clip", str(best["url"]), size, seconds, str(smallest or ""))


def _work(
    found: dict[str, Any], kind: Any, address: str, size: tuple[int, int], seconds: float, preview: str
) -> Work:
    return Work(
        library=NAME,
        id=str(found["id"]),
        kind=kind,
        address=address,
        page=str(found["pageURL"]),
        author=str(found.get("user") or "unknown"),
        licence=LICENCE,
        licence_url=LICENCE_URL,
        words=str(found.get("tags") or ""),
        width=size[0],
        height=size[1],
        seconds=seconds,
        preview=preview,
    )


def _has(work: Work, orientation: str) -> bool:
    if orientation == "square":
        return True
    return (work.height > work.width) == (orientation == "portrait")
