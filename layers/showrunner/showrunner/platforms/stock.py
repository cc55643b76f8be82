"""Pexels: https://www.pexels.com/api/documentation. 200 requests an hour and 20,000 a month by default; each search is one."""

import json
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode

import requests

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms import answers, credentials

SEARCH_SECONDS = 10
DOWNLOAD_SECONDS = 60
# Fifteen photographs with all their addresses have 25 KB.
SEARCH_BYTES = 1 << 20
# Portrait frames of 1080 by 1920 are 3 MB at most as JPEG; ten times that is no photograph of theirs.
PHOTO_BYTES = 30 << 20
LICENCE = "Pexels License (https://www.pexels.com/license/)"
KEY = "pexels/api_key"
# The edge in front of Pexels refuses libraries that name themselves, such as python-requests, with 401 or
# 403.
_AGENT = {"User-Agent": "showrunner/1.0 (video production)"}
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
        self._session = requests.Session()
        self._session.headers.update(_AGENT)
        self._key = credentials.checked(key, "Pexels", KEY)
        self._base_url = base_url.rstrip("/")
        self._photo_host = photo_host

    def photos(self, query: str, orientation: str) -> list[Photo]:
        """Return up to fifteen photographs, best first. `orientation` is portrait, landscape or square.

        Raises CredentialRejected, QuotaExceeded, PlatformRejected, PlatformUnavailable.
        """
        parameters = {"query": query, "orientation": orientation, "per_page": "15"}
        until = time.monotonic() + SEARCH_SECONDS
        response = self._get(
            f"{self._base_url}/v1/search", parameters, {"Authorization": self._key}, SEARCH_SECONDS
        )
        body = answers.read(response, SEARCH_BYTES, until)
        return _photos(response, body)

    def download(self, photo: Photo, width: int, height: int) -> bytes:
        """Return the photograph as JPEG, cropped to these pixels.

        Raises PlatformRejected, PlatformUnavailable.
        """
        if not photo.original.startswith(self._photo_host):
            raise PlatformRejected(f"Pexels names a photograph on another host: {photo.original[:100]}")
        # The key stays off this request: the host of the files doesn't need it.
        response = self._get(photo.cropped(width, height), {}, {}, DOWNLOAD_SECONDS)
        if response.status_code != 200:
            response.close()
            raise PlatformUnavailable(f"Pexels doesn't give the photograph: {response.status_code}.")
        body = answers.read(response, PHOTO_BYTES, time.monotonic() + DOWNLOAD_SECONDS)
        if len(body) > PHOTO_BYTES:
            raise PlatformRejected(f"The photograph {photo.id} is larger than {PHOTO_BYTES >> 20} MB.")
        if not body.startswith(_JPEG):
            raise PlatformRejected(f"What Pexels gives for photograph {photo.id} is no JPEG.")
        return body

    def _get(
        self, url: str, parameters: dict[str, str], headers: dict[str, str], seconds: int
    ) -> requests.Response:
        try:
            return self._session.get(
                url, params=parameters, headers=headers, timeout=seconds, stream=True, allow_redirects=False
            )
        except requests.RequestException as error:
            raise PlatformUnavailable(f"Pexels doesn't answer: {type(error).__name__}") from error


def _photos(response: requests.Response, body: bytes) -> list[Photo]:
    code, is_json = response.status_code, "json" in response.headers.get("content-type", "")
    if code in (401, 403) and is_json:
        raise CredentialRejected("Pexels refuses the key.")
    if code == 429:
        raise QuotaExceeded("The Pexels quota of this hour or month is spent.")
    if code >= 500 or code in (401, 403) or not is_json or len(body) > SEARCH_BYTES:
        # A page of HTML, whatever its status, comes from the edge and says nothing about the key.
        raise PlatformUnavailable(f"Pexels answers {code} without JSON.")
    if code != 200:
        raise PlatformRejected(f"Pexels refuses the search with {code}.")
    try:
        found = json.loads(body)["photos"]
        return [photo for photo in map(_photo, found) if photo]
    except (ValueError, KeyError, TypeError) as error:
        raise PlatformUnavailable("Pexels' answer isn't the JSON that it should be.") from error


def _photo(found: dict[str, Any]) -> Photo | None:
    """Return the photograph, None if it lacks what we need of it."""
    original = (found.get("src") or {}).get("original")
    if not original or not found.get("url"):
        return None
    return Photo(
        str(found["id"]), str(original), str(found["url"]), str(found.get("photographer") or "unknown")
    )
