"""Search and fetch videos and photographs at Pexels: https://www.pexels.com/api/documentation.

Its limits are 200 requests an hour and 20,000 a month by default. Each search is one request.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Work
from showrunner.platforms import credentials, stock
from showrunner.platforms.http import Answer, Sender

NAME = "pexels"
LICENCE = "Pexels License"
LICENCE_URL = "https://www.pexels.com/license/"
KEY = "pexels/api_key"
# Where Pexels serves its photographs from; an address elsewhere isn't followed.
_PHOTO_HOST = "https://images.pexels.com/"
_VIDEO_HOST = "https://videos.pexels.com/"
# https://www.pexels.com/api/documentation/#photos-search__parameters__locale; of two the first is taken.
_LOCALES = (
    *("en-US", "pt-BR", "es-ES", "ca-ES", "de-DE", "it-IT", "fr-FR", "sv-SE", "id-ID", "pl-PL", "ja-JP"),
    *("zh-CN", "zh-TW", "ko-KR", "th-TH", "nl-NL", "hu-HU", "vi-VN", "cs-CZ", "da-DK", "fi-FI", "uk-UA"),
    *("el-GR", "ro-RO", "nb-NO", "sk-SK", "tr-TR", "ru-RU"),
)
_PREVIEW_WIDTH = 320
# A file with less than this share of the frame's pixels along its short side looks soft.
_SOFT = 0.6


class Pexels:
    """A client of one account. The hosts are where photographs and videos may be fetched from."""

    def __init__(
        self, key: str, base_url: str, photo_host: str = _PHOTO_HOST, video_host: str = _VIDEO_HOST
    ) -> None:
        self._sender = Sender("Pexels", stock.SEARCH_SECONDS, stock.SEARCH_BYTES)
        self._key = credentials.checked(key, "Pexels", KEY)
        self._base_url = base_url.rstrip("/")
        self._photo_host = photo_host
        self._video_host = video_host

    def clips(self, query: str, orientation: str, side: int, language: str = "en") -> list[Work]:
        kind = "videos"
        answer = self._search(f"/v1/{kind}/search", query, orientation, language)
        return _read(answer, kind, lambda found: _clip(found, side))

    def photos(self, query: str, orientation: str, language: str = "en") -> list[Work]:
        return _read(self._search("/v1/search", query, orientation, language), "photos", _photo)

    def download(self, work: Work, width: int, height: int) -> bytes:
        if work.kind == "clip":
            return stock.fetch(self._sender, "Pexels", work, work.address, self._video_host)
        # The ready-made sizes are too small for portrait.
        size = {"auto": "compress", "cs": "tinysrgb", "fit": "crop", "w": width, "h": height}
        address = f"{work.address.partition('?')[0]}?{urlencode(size)}"
        return stock.fetch(self._sender, "Pexels", work, address, self._photo_host)

    def preview(self, work: Work) -> bytes:
        address = work.preview
        if work.kind == "clip":
            # The picture of a video has 1,200 pixels unless a width is named.
            small = {"auto": "compress", "cs": "tinysrgb", "w": _PREVIEW_WIDTH}
            address = f"{address.partition('?')[0]}?{urlencode(small)}"
        return stock.fetch_preview(self._sender, "Pexels", work, address, (self._photo_host,))

    def _search(self, path: str, query: str, orientation: str, language: str) -> Answer:
        asked = {"query": query, "orientation": orientation, "per_page": str(stock.RESULTS)}
        locale = next((each for each in _LOCALES if each.startswith(f"{language}-")), None)
        return self._sender.send(
            "GET",
            f"{self._base_url}{path}",
            query=asked | ({"locale": locale} if locale else {}),
            headers={"Authorization": self._key},
            until=time.monotonic() + stock.SEARCH_SECONDS,
        )


def _read(answer: Answer, name: str, read: Callable[[dict[str, Any]], Work | None]) -> list[Work]:
    """Return what a search found under `name`, without what lacks something."""
    code, is_json = answer.status, "json" in answer.headers.get("content-type", "")
    if code in (401, 403) and is_json:
        raise CredentialRejected("Pexels refuses the key.")
    if code == 429:
        raise QuotaExceeded("The Pexels quota of this hour or month is spent.")
    if code >= 500 or code in (401, 403) or not is_json:
        # HTML comes from the edge in front of Pexels, whatever its status, and says nothing about the key.
        raise PlatformUnavailable(f"Pexels answers {code} without JSON.")
    if code != 200:
        raise PlatformRejected(f"Pexels refuses the search with {code}.")
    try:
        return [found for found in map(read, json.loads(answer.body)[name]) if found]
    except (ValueError, KeyError, TypeError) as error:
        raise PlatformUnavailable("Pexels' answer isn't the JSON that it should be.") from error


def _photo(found: dict[str, Any]) -> Work | None:
    """Return the photograph, None if it has no address of its file or page."""
    sources = found.get("src") or {}
    if not sources.get("original") or not found.get("url"):
        return None
    return Work(
        library=NAME,
        id=str(found["id"]),
        kind="image",
        address=str(sources["original"]),
        page=str(found["url"]),
        author=str(found.get("photographer") or "unknown"),
        licence=LICENCE,
        licence_url=LICENCE_URL,
        words=f"{found.get('alt') or ''} {_slug(str(found['url']))}".strip(),
        width=int(found.get("width") or 0),
        height=int(found.get("height") or 0),
        # 350 pixels high; the smaller ones are cropped.
        preview=str(sources.get("medium") or ""),
    )


def _clip(found: dict[str, Any], side: int) -> Work | None:
    """Return the video with its best file, None if it is too short or has no file of a usable size."""
    files = [each for each in found.get("video_files") or [] if _is_usable(each)]
    if not files or not found.get("url") or float(found.get("duration") or 0) < stock.SHORTEST_CLIP_SECONDS:
        return None
    best = min(files, key=lambda each: _distance(min(each["width"], each["height"]), side))
    return Work(
        library=NAME,
        id=str(found["id"]),
        kind="clip",
        address=str(best["link"]),
        page=str(found["url"]),
        author=str((found.get("user") or {}).get("name") or "unknown"),
        licence=LICENCE,
        licence_url=LICENCE_URL,
        words=" ".join([*map(str, found.get("tags") or []), _slug(str(found["url"]))]).strip(),
        width=best["width"],
        height=best["height"],
        seconds=float(found["duration"]),
        preview=str(found.get("image") or ""),
    )


def _slug(page: str) -> str:
    """Return the words in the address of a page: Pexels says what a video shows nowhere else."""
    found = re.search(r"/(?:video|photo)/([a-z0-9-]+)-\d+/?$", page)
    return found[1].replace("-", " ") if found else ""


def _is_usable(file: dict[str, Any]) -> bool:
    return bool(
        file.get("file_type") == "video/mp4"
        and file.get("link")
        and isinstance(file.get("width"), int)
        and isinstance(file.get("height"), int)
        and (file.get("size") or 0) <= stock.CLIP_BYTES
    )


def _distance(short: int, side: int) -> tuple[bool, int]:
    """Return how badly a file fits: soft ones last, otherwise by the difference in pixels."""
    return short < _SOFT * side, abs(short - side)
