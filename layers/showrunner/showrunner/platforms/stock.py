"""Search and fetch photographs at Pexels: https://www.pexels.com/api/documentation.

Its limits are 200 requests an hour and 20,000 a month by default. Each search is one request.
"""

import json
import time
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
LICENCE = "Pexels License (https://www.pexels.com/license/)"
KEY = "pexels/api_key"
# Where Pexels serves its photographs from; an address elsewhere isn't followed.
_PHOTO_HOST = "https://images.pexels.com/"
_JPEG = b"\xff\xd8\xff"


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


class Stock:
    """A client of one account. `photo_host` is where photographs may be fetched from."""

    def __init__(self, key: str, base_url: str, photo_host: str = _PHOTO_HOST) -> None:
        self._sender = Sender("Pexels", SEARCH_SECONDS, SEARCH_BYTES)
        self._key = credentials.checked(key, "Pexels", KEY)
        self._base_url = base_url.rstrip("/")
        self._photo_host = photo_host

    def photos(self, query: str, orientation: str) -> list[Photo]:
        """Return up to fifteen photographs, best first. `orientation` is portrait, landscape or square.

        Raises CredentialRejected, QuotaExceeded, PlatformRejected, PlatformUnavailable.
        """
        parameters = {"query": query, "orientation": orientation, "per_page": "15"}
        answer = self._sender.send(
            "GET",
            f"{self._base_url}/v1/search",
            query=parameters,
            headers={"Authorization": self._key},
            until=time.monotonic() + SEARCH_SECONDS,
        )
        return _photos(answer)

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


def _photos(answer: Answer) -> list[Photo]:
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
        found = json.loads(answer.body)["photos"]
        return [photo for photo in map(_photo, found) if photo]
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
