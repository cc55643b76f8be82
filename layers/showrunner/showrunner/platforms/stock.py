"""Pexels: https://www.pexels.com/api/documentation. 200 requests an hour and 20,000 a month by default; each search is one."""

import time
from typing import Any, NamedTuple

import requests

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms import answers

SEARCH_SECONDS = 10
DOWNLOAD_SECONDS = 60
# Portrait frames of 1080 by 1920 are 3 MB at most as JPEG; ten times that is no photograph of theirs.
PHOTO_BYTES = 30 << 20
LICENCE = "Pexels License (https://www.pexels.com/license/)"
# Where Pexels serves its photographs from; an answer that points elsewhere isn't followed.
_PHOTO_HOST = "https://images.pexels.com/"


class Photo(NamedTuple):
    """A photograph found: `page` is its source to credit."""

    id: str
    address: str
    page: str
    author: str


class Stock:
    """A client of one account. `photo_host` is where photographs may be fetched from."""

    def __init__(self, key: str, base_url: str, photo_host: str = _PHOTO_HOST) -> None:
        self._session = requests.Session()
        self._key = key
        self._base_url = base_url.rstrip("/")
        self._photo_host = photo_host

    def photos(self, query: str, orientation: str) -> list[Photo]:
        """Up to fifteen photographs, best first; `orientation` is portrait, landscape or square. Raises as the errors of a platform."""
        parameters = {"query": query, "orientation": orientation, "per_page": "15"}
        try:
            response = self._session.get(f"{self._base_url}/v1/search", params=parameters, headers={"Authorization": self._key}, timeout=SEARCH_SECONDS)
        except requests.RequestException as error:
            raise PlatformUnavailable(f"Pexels doesn't answer: {type(error).__name__}") from error
        return [_photo(each) for each in _answer(response).get("photos", [])]

    def download(self, photo: Photo) -> bytes:
        """The photograph as JPEG. Raises PlatformRejected when it lies elsewhere or is too large."""
        if not photo.address.startswith(self._photo_host):
            raise PlatformRejected(f"Pexels names a photograph on another host: {photo.address[:100]}")
        try:
            # The key stays off this request: the host of the files doesn't need it.
            response = self._session.get(photo.address, timeout=DOWNLOAD_SECONDS, stream=True, allow_redirects=False)
            response.raise_for_status()
        except requests.RequestException as error:
            raise PlatformUnavailable(f"Pexels doesn't give the photograph: {type(error).__name__}") from error
        body = answers.read(response, PHOTO_BYTES, time.monotonic() + DOWNLOAD_SECONDS)
        if len(body) > PHOTO_BYTES:
            raise PlatformRejected(f"The photograph {photo.id} is larger than {PHOTO_BYTES >> 20} MB.")
        return body


def _answer(response: requests.Response) -> dict[str, Any]:
    match response.status_code:
        case 200:
            return dict(response.json())
        case 401 | 403:
            raise CredentialRejected("Pexels refuses the key.")
        case 429:
            raise QuotaExceeded("The Pexels quota of this hour or month is spent.")
        case code if code >= 500:
            raise PlatformUnavailable(f"Pexels answers {code}.")
        case code:
            raise PlatformRejected(f"Pexels refuses the search with {code}.")


def _photo(found: dict[str, Any]) -> Photo:
    return Photo(str(found["id"]), str(found["src"]["large2x"]), str(found["url"]), str(found["photographer"]))
