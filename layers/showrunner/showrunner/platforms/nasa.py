"""Search and fetch photographs in NASA's library: https://images.nasa.gov/docs/images.nasa.gov_api_docs.pdf.

It needs no key and states no limit. Its videos are left out: they are whole programmes with titles and
speakers, and a search says neither their length nor their size.
"""

import time
from typing import Any
from urllib.parse import quote

from showrunner.errors import PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Work
from showrunner.platforms import stock
from showrunner.platforms.http import Answer, Sender

NAME = "nasa"
# https://www.nasa.gov/nasa-brand-center/images-and-media/: not copyrighted unless noted; NASA is to be named.
LICENCE = "Public domain (NASA)"
LICENCE_URL = "https://www.nasa.gov/nasa-brand-center/images-and-media/"
_HOST = "https://images-assets.nasa.gov/"
# What notes the rights of others in a description or credit.
_RIGHTS_OF_OTHERS = ("copyright", "©", "courtesy", "getty", "all rights reserved", "used with permission")
# Files of a work by the end of their names: the largest that isn't the original, which may have 100 MB.
_SIZES = ("~large.jpg", "~medium.jpg", "~orig.jpg")


class Nasa:
    """A client. `host` is the beginning of all addresses of files."""

    def __init__(self, base_url: str, host: str = _HOST) -> None:
        self._sender = Sender("NASA", stock.SEARCH_SECONDS, stock.SEARCH_BYTES)
        self._base_url, self._host = base_url.rstrip("/"), host

    def clips(self, query: str, orientation: str, side: int, language: str = "en") -> list[Work]:  # noqa: ARG002 - none
        return []

    def photos(self, query: str, orientation: str, language: str = "en") -> list[Work]:  # noqa: ARG002 - has neither
        asked = {"q": query, "media_type": "image", "page_size": str(stock.RESULTS)}
        found = _read(self._send("/search", asked))
        return [work for each in found if (work := self._photo(each))]

    def download(self, work: Work, width: int, height: int) -> bytes:  # noqa: ARG002 - it crops nothing
        files = [str(each.get("href", "")) for each in _read(self._send(work.address, {}))]
        address = next((file for size in _SIZES for file in files if file.endswith(size)), None)
        if address is None:
            raise PlatformRejected(f"NASA has no JPEG file for {work.page}.")
        return stock.fetch(self._sender, "NASA", work, _secure(address), self._host)

    def preview(self, work: Work) -> bytes:
        return stock.fetch_preview(self._sender, "NASA", work, work.preview, (self._host,))

    def _send(self, path: str, query: dict[str, str]) -> Answer:
        until = time.monotonic() + stock.SEARCH_SECONDS
        return self._sender.send("GET", f"{self._base_url}{path}", query=query, until=until)

    def _photo(self, item: dict[str, Any]) -> Work | None:
        """Return the photograph, None if somebody else has rights in it. `address` is its manifest's path."""
        data = (item.get("data") or [{}])[0]
        nasa_id, title = str(data.get("nasa_id") or ""), str(data.get("title") or "")
        creator = str(data.get("photographer") or data.get("secondary_creator") or "")
        described = str(data.get("description") or "")
        noted = f"{described} {creator} {data.get('copyright') or ''}".lower()
        if not nasa_id or any(words in noted for words in _RIGHTS_OF_OTHERS):
            return None
        keywords = " ".join(map(str, data.get("keywords") or []))
        return Work(
            library=NAME,
            id=nasa_id,
            kind="image",
            address=f"/asset/{quote(nasa_id, safe='')}",
            page=f"https://images.nasa.gov/details/{quote(nasa_id, safe='')}",
            author=f"NASA/{creator}"[:200]
            if creator and not creator.startswith("NASA")
            else creator or "NASA",
            licence=LICENCE,
            licence_url=LICENCE_URL,
            words=f"{title} {keywords} {described[:500]}",
            # A search doesn't say them.
            width=0,
            height=0,
            preview=_secure(_preview(item)),
        )


def _secure(address: str) -> str:
    """Return an address of a file with https: searches and manifests still name some with http."""
    return address.replace("http://images-assets.nasa.gov/", _HOST)


def _preview(item: dict[str, Any]) -> str:
    links = item.get("links") or []
    return next((str(each.get("href") or "") for each in links if each.get("rel") == "preview"), "")


def _read(answer: Answer) -> list[dict[str, Any]]:
    """Return the items of a collection."""
    code = answer.status
    if code == 429:
        raise QuotaExceeded("NASA's library asks for fewer requests.")
    if 400 <= code < 500 and code != 403:
        raise PlatformRejected(f"NASA's library refuses the request with {code}.")
    if code != 200 or "json" not in answer.headers.get("content-type", ""):
        raise PlatformUnavailable(f"NASA's library answers {code} without JSON.")
    found = answer.json("NASA's library")
    items = (found.get("collection") or {}).get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise PlatformUnavailable("The answer of NASA's library isn't the JSON that it should be.")
    return [each for each in items if isinstance(each, dict)]
