"""Search and fetch photographs and music at Wikimedia Commons: https://www.mediawiki.org/wiki/API:Imageinfo.

It needs no key and states no limit for reading: https://www.mediawiki.org/wiki/API:Etiquette asks for few
requests at a time and a User-Agent that says who asks. Its videos are WebM, which the renderer doesn't take.
"""

import html
import re
import time
from typing import Any, Literal

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
_PREVIEW_WIDTH = "330"
# A smaller photograph looks soft in any frame.
_SHORTEST_SIDE = 900
# Formats of sound that the renderer decodes; Ogg has either name.
_SOUND_TYPES = ("audio/mpeg", "application/ogg", "audio/ogg", "audio/flac", "audio/x-flac")
# Shorter pieces are sounds, spoken words or samples; longer ones are whole concerts.
_MUSIC_SECONDS = (40, 900)


class Commons:
    """A client. `host` is the beginning of all addresses of files."""

    def __init__(self, base_url: str, host: str = _HOST) -> None:
        self._sender = Sender("Wikimedia Commons", stock.SEARCH_SECONDS, stock.SEARCH_BYTES)
        self._base_url, self._host = base_url.rstrip("/"), host

    def clips(self, query: str, orientation: str, side: int, language: str = "en") -> list[Work]:  # noqa: ARG002 - none
        return []

    def photos(self, query: str, orientation: str, language: str = "en") -> list[Work]:  # noqa: ARG002 - has neither
        answer = self._search(f"filetype:bitmap filemime:jpeg {query}", "url|size|mime|extmetadata")
        return [found for each in answer if (found := _photo(each))]

    def music(self, query: str) -> list[Work]:
        """Return up to RESULTS pieces of music, the best first."""
        answer = self._search(f"filetype:audio {query} music", "url|size|mime|extmetadata")
        return [found for each in answer if (found := _music(each))]

    def _search(self, words: str, wanted: str) -> list[dict[str, Any]]:
        """Return the pages of files that a search finds, with what is `wanted` of each file."""
        answer = self._sender.send(
            "GET",
            f"{self._base_url}/w/api.php",
            query={
                "action": "query",
                "format": "json",
                "formatversion": "2",
                "generator": "search",
                "gsrsearch": words,
                "gsrnamespace": "6",
                "gsrlimit": str(stock.RESULTS),
                "prop": "imageinfo",
                "iiprop": wanted,
                "iiurlwidth": _PREVIEW_WIDTH,
            },
            until=time.monotonic() + stock.SEARCH_SECONDS,
        )
        return _read(answer)

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
    width, height = int(info.get("width") or 0), int(info.get("height") or 0)
    if (
        info.get("mime") != "image/jpeg"
        or min(width, height) < _SHORTEST_SIDE
        or int(info.get("size") or 0) > stock.PHOTO_BYTES
    ):
        return None
    work = _free(page, info, "image")
    return work and work._replace(width=width, height=height, preview=str(info.get("thumburl") or ""))


def _music(page: dict[str, Any]) -> Work | None:
    """Return the piece of music, None if it is too short, long or large, or its licence isn't one of ours."""
    info = (page.get("imageinfo") or [{}])[0]
    seconds = float(info.get("duration") or 0)
    shortest, longest = _MUSIC_SECONDS
    if (
        info.get("mime") not in _SOUND_TYPES
        or not shortest <= seconds <= longest
        or int(info.get("size") or 0) > stock.MUSIC_BYTES
    ):
        return None
    work = _free(page, info, "audio")
    return work and work._replace(seconds=seconds)


def _free(page: dict[str, Any], info: dict[str, Any], kind: Literal["image", "audio"]) -> Work | None:
    """Return the work of a page, None if its licence isn't one of ours."""
    about = {name: _plain(each.get("value")) for name, each in (info.get("extmetadata") or {}).items()}
    licence = about.get("LicenseShortName", "")
    # Restrictions are rights beside copyright, such as a person's to their picture.
    if not _FREE.fullmatch(licence) or about.get("Restrictions"):
        return None
    is_public = not licence.lower().startswith(("cc by", "cc-by"))
    licence_url = about.get("LicenseUrl") or (_PUBLIC_DOMAIN if is_public else "")
    if not licence_url or not info.get("url") or not info.get("descriptionurl"):
        return None
    title = str(page.get("title", "")).removeprefix("File:").rpartition(".")[0]
    return Work(
        library=NAME,
        id=str(page.get("pageid")),
        kind=kind,
        address=str(info["url"]),
        page=str(info["descriptionurl"]),
        author=about.get("Artist", "")[:200] or "unknown",
        licence=licence,
        licence_url=licence_url,
        words=f"{title} {about.get('ImageDescription', '')[:500]}",
        width=0,
        height=0,
        must_credit=not is_public,
    )


def _plain(value: object) -> str:
    """Return a field of extmetadata, which is HTML, as text."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", str(value or ""))).split())
