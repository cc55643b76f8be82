"""Search and fetch photographs at Wikimedia Commons: https://www.mediawiki.org/wiki/API:Imageinfo.

It needs no key and states no limit for reading: https://www.mediawiki.org/wiki/API:Etiquette asks for few
requests at a time and a User-Agent that says who asks. Its videos are WebM, which the renderer doesn't take.
"""

import html
import re
import time
from typing import Any

from showrunner.errors import PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Work
from showrunner.platforms import stock
from showrunner.platforms.http import Answer, Sender

NAME = "commons"
_HOST = "https://upload.wikimedia.org/"
# Licences that allow commercial use and derivatives. Share-alike is left out: the whole video would have to
# be under the same licence. https://commons.wikimedia.org/wiki/Commons:Licensing
_FREE = re.compile(
    r"(?:public domain|cc0(?: 1\.0)?|cc[ -]by(?: [1-4]\.\d)?(?: [a-z]{2,3})?|pd-\S+)", re.IGNORECASE
)
_PUBLIC_DOMAIN = "https://creativecommons.org/publicdomain/mark/1.0/"
# One of the widths in which thumbnails are kept: https://www.mediawiki.org/wiki/Common_thumbnail_sizes.
_PREVIEW_WIDTH = "250"
# A smaller photograph looks soft in any frame.
_SHORTEST_SIDE = 900


class Commons:
    """A client. `host` is the beginning of all addresses of files."""

    def __init__(self, base_url: str, host: str = _HOST) -> None:
        self._sender = Sender("Wikimedia Commons", stock.SEARCH_SECONDS, stock.SEARCH_BYTES)
        self._base_url, self._host = base_url.rstrip("/"), host

    def clips(self, query: str, orientation: str, side: int, language: str = "en") -> list[Work]:  # noqa: ARG002 - none
        return []

    def photos(self, query: str, orientation: str, language: str = "en") -> list[Work]:  # noqa: ARG002 - has neither
        answer = self._sender.send(
            "GET",
            f"{self._base_url}/w/api.php",
            query={
                "action": "query",
                "format": "json",
                "formatversion": "2",
                "generator": "search",
                "gsrsearch": f"filetype:bitmap filemime:jpeg {query}",
                "gsrnamespace": "6",
                "gsrlimit": str(stock.RESULTS),
                "prop": "imageinfo",
                "iiprop": "url|size|mime|extmetadata",
                "iiurlwidth": _PREVIEW_WIDTH,
            },
            until=time.monotonic() + stock.SEARCH_SECONDS,
        )
        return [found for each in _read(answer) if (found := _photo(each))]

    def download(self, work: Work, width: int, height: int) -> bytes:  # noqa: ARG002 - it crops nothing
        return stock.fetch(self._sender, "Wikimedia Commons", work, work.address, self._host)

    def preview(self, work: Work) -> bytes:
        return stock.fetch_preview(self._sender, "Wikimedia Commons", work, work.preview, (self._host,))


def _read(answer: Answer) -> list[dict[str, Any]]:
    """Return the pages that a search found, in its order."""
    code = answer.status
    if code == 429:
        raise QuotaExceeded("Wikimedia Commons asks for fewer requests.")
    if code != 200 or "json" not in answer.headers.get("content-type", ""):
        raise PlatformUnavailable(f"Wikimedia Commons answers {code} without JSON.")
    found = answer.json("Wikimedia Commons")
    if not isinstance(found, dict):
        raise PlatformUnavailable("Wikimedia Commons' answer isn't the JSON that it should be.")
    if "error" in found:
        raise PlatformRejected(f"Wikimedia Commons refuses the search: {found['error'].get('code')}.")
    pages: list[dict[str, Any]] = (found.get("query") or {}).get("pages") or []
    return sorted(pages, key=lambda page: page.get("index", 0))


def _photo(page: dict[str, Any]) -> Work | None:
    """Return the photograph, None if it is too small or large, or its licence isn't one of ours."""
    info = (page.get("imageinfo") or [{}])[0]
    about = {name: _plain(each.get("value")) for name, each in (info.get("extmetadata") or {}).items()}
    licence = about.get("LicenseShortName", "")
    width, height = int(info.get("width") or 0), int(info.get("height") or 0)
    if (
        info.get("mime") != "image/jpeg"
        or min(width, height) < _SHORTEST_SIDE
        or int(info.get("size") or 0) > stock.PHOTO_BYTES
        or not _FREE.fullmatch(licence)
        # Rights beside copyright, such as a person's to their picture.
        or about.get("Restrictions")
    ):
        return None
    is_public = not licence.lower().startswith(("cc by", "cc-by"))
    licence_url = about.get("LicenseUrl") or (_PUBLIC_DOMAIN if is_public else "")
    if not licence_url or not info.get("url") or not info.get("descriptionurl"):
        return None
    title = str(page.get("title", "")).removeprefix("File:").rpartition(".")[0]
    return Work(
        library=NAME,
        id=str(page.get("pageid")),
        kind="image",
        address=str(info["url"]),
        page=str(info["descriptionurl"]),
        author=about.get("Artist", "")[:200] or "unknown",
        licence=licence,
        licence_url=licence_url,
        words=f"{title} {about.get('ImageDescription', '')[:500]}",
        width=width,
        height=height,
        preview=str(info.get("thumburl") or ""),
        must_credit=not is_public,
    )


def _plain(value: object) -> str:
    """Return a field of extmetadata, which is HTML, as text."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", str(value or ""))).split())
