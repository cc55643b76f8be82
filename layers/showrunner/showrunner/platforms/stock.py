"""Search and fetch videos and photographs at Pexels: https://www.pexels.com/api/documentation.

Its limits are 200 requests an hour and 20,000 a month by default. Each search is one request.
"""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms import credentials
from showrunner.platforms.http import Answer, Sender

SEARCH_SECONDS = 10
DOWNLOAD_SECONDS = 60
# Fifteen photographs with all their addresses have 25 KB.
SEARCH_BYTES = 1 << 20
# A portrait frame of 1080 by 1920 has 3 MB at most as JPEG; this is ten times as much.
PHOTO_BYTES = 30 << 20
# Half a minute in 1080p has 15 to 40 MB. A longer clip is left out: a function's memory holds the whole file.
CLIP_BYTES = 64 << 20
# A shot lasts up to seven seconds; of a shorter clip the renderer would have to repeat a part.
SHORTEST_CLIP_SECONDS = 4
LICENCE = "Pexels License"
LICENCE_URL = "https://www.pexels.com/license/"
KEY = "pexels/api_key"
# Where Pexels serves its photographs from; an address elsewhere isn't followed.
_PHOTO_HOST = "https://images.pexels.com/"
_VIDEO_HOST = "https://videos.pexels.com/"
_JPEG = b"\xff\xd8\xff"
# The type of the first box of an MP4 file, after its size.
_MP4 = b"ftyp"
# A file with less than this share of the frame's pixels along its short side looks soft.
_SOFT = 0.6


class Photo(NamedTuple):
    """A photograph found.

    `page` is its source, to be credited with `author`; `original` is the address of the full size.
    """

    id: str
    original: str
    page: str
    author: str

    def cropped(self, width: int, height: int) -> str:
        """Return the address of the photograph cropped to these pixels.

        The ready-made sizes are too small for portrait.
        """
        size = {"auto": "compress", "cs": "tinysrgb", "fit": "crop", "w": width, "h": height}
        return f"{self.original.partition('?')[0]}?{urlencode(size)}"


class Clip(NamedTuple):
    """A video found: `address` of the file that fits best, its `page`, to be credited with `author`."""

    id: str
    address: str
    page: str
    author: str
    seconds: float
    width: int
    height: int


class Stock:
    """A client of one account. The hosts are where photographs and videos may be fetched from."""

    def __init__(
        self, key: str, base_url: str, photo_host: str = _PHOTO_HOST, video_host: str = _VIDEO_HOST
    ) -> None:
        self._sender = Sender("Pexels", SEARCH_SECONDS, SEARCH_BYTES)
        self._key = credentials.checked(key, "Pexels", KEY)
        self._base_url = base_url.rstrip("/")
        self._photo_host = photo_host
        self._video_host = video_host

    def clips(self, query: str, orientation: str, side: int) -> list[Clip]:
        """Return up to fifteen videos, best first, each with the file for a frame of this short side.

        `orientation` is portrait, landscape or square. Raises as `photos` does.
        """
        kind = "videos"
        answer = self._search(f"/v1/{kind}/search", query, orientation)
        return _read(answer, kind, lambda found: _clip(found, side))

    def download_clip(self, clip: Clip) -> bytes:
        """Return the video as MP4. Raises PlatformRejected, PlatformUnavailable."""
        if not clip.address.startswith(self._video_host):
            raise PlatformRejected(f"Pexels names a video on another host: {clip.address[:100]}")
        answer = self._sender.send(
            "GET", clip.address, until=time.monotonic() + DOWNLOAD_SECONDS, max_bytes=CLIP_BYTES
        )
        if answer.status != 200:
            raise PlatformUnavailable(f"Pexels doesn't give the video: {answer.status}.")
        if answer.body[4:8] != _MP4:
            raise PlatformRejected(f"What Pexels gives for video {clip.id} is no MP4.")
        return answer.body

    def photos(self, query: str, orientation: str) -> list[Photo]:
        """Return up to fifteen photographs, best first. `orientation` is portrait, landscape or square.

        Raises CredentialRejected, QuotaExceeded, PlatformRejected, PlatformUnavailable.
        """
        return _read(self._search("/v1/search", query, orientation), "photos", _photo)

    def _search(self, path: str, query: str, orientation: str) -> Answer:
        return self._sender.send(
            "GET",
            f"{self._base_url}{path}",
            query={"query": query, "orientation": orientation, "per_page": "15"},
            headers={"Authorization": self._key},
            until=time.monotonic() + SEARCH_SECONDS,
        )

    def download(self, photo: Photo, width: int, height: int) -> bytes:
        """Return the photograph as JPEG, cropped to these pixels.

        Raises PlatformRejected, PlatformUnavailable.
        """
        if not photo.original.startswith(self._photo_host):
            raise PlatformRejected(f"Pexels names a photograph on another host: {photo.original[:100]}")
        # Without the key: the host of the files doesn't need it.
        answer = self._sender.send(
            "GET",
            photo.cropped(width, height),
            until=time.monotonic() + DOWNLOAD_SECONDS,
            max_bytes=PHOTO_BYTES,
        )
        if answer.status != 200:
            raise PlatformUnavailable(f"Pexels doesn't give the photograph: {answer.status}.")
        if not answer.body.startswith(_JPEG):
            raise PlatformRejected(f"What Pexels gives for photograph {photo.id} is no JPEG.")
        return answer.body


def _read[Found](answer: Answer, name: str, read: Callable[[dict[str, Any]], Found | None]) -> list[Found]:
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


def _photo(found: dict[str, Any]) -> Photo | None:
    """Return the photograph, None if it has no address of its file or page."""
    original = (found.get("src") or {}).get("original")
    if not original or not found.get("url"):
        return None
    return Photo(
        str(found["id"]), str(original), str(found["url"]), str(found.get("photographer") or "unknown")
    )


def _clip(found: dict[str, Any], side: int) -> Clip | None:
    """Return the video with its best file, None if it is too short or has no file of a usable size."""
    files = [each for each in found.get("video_files") or [] if _is_usable(each)]
    if not files or not found.get("url") or float(found.get("duration") or 0) < SHORTEST_CLIP_SECONDS:
        return None
    best = min(files, key=lambda each: _distance(min(each["width"], each["height"]), side))
    return Clip(
        str(found["id"]),
        str(best["link"]),
        str(found["url"]),
        str((found.get("user") or {}).get("name") or "unknown"),
        float(found["duration"]),
        best["width"],
        best["height"],
    )


def _is_usable(file: dict[str, Any]) -> bool:
    return bool(
        file.get("file_type") == "video/mp4"
        and file.get("link")
        and isinstance(file.get("width"), int)
        and isinstance(file.get("height"), int)
        and (file.get("size") or 0) <= CLIP_BYTES
    )


def _distance(short: int, side: int) -> tuple[bool, int]:
    """Return how badly a file fits: soft ones last, otherwise by the difference in pixels."""
    return short < _SOFT * side, abs(short - side)
