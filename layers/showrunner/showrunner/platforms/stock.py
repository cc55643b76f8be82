"""Define what a module of a stock library can do; fetch and check the files of all of them."""

import time
from typing import Protocol

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.models import Work
from showrunner.platforms.http import Sender

SEARCH_SECONDS = 10
DOWNLOAD_SECONDS = 60
# A preview has 5 to 50 KB. Its picture is shown without it, so nothing waits for long.
PREVIEW_SECONDS, PREVIEW_BYTES = 5, 300_000
# Fifteen works with all their addresses have 25 to 150 KB.
SEARCH_BYTES = 1 << 20
# Works of one search: more are never looked at.
RESULTS = 15
# A portrait frame of 1080 by 1920 has 3 MB at most as JPEG; this is ten times as much.
PHOTO_BYTES = 30 << 20
# Half a minute in 1080p has 15 to 40 MB. A longer clip is left out: a function's memory holds the whole file.
CLIP_BYTES = 64 << 20
# Five minutes of MP3 have 5 to 12 MB, of FLAC 30.
MUSIC_BYTES = 40 << 20
# A shot lasts up to seven seconds; of a shorter clip the renderer would have to repeat a part.
SHORTEST_CLIP_SECONDS = 4
_JPEG = b"\xff\xd8\xff"
# The type of the first box of an MP4 file, after its size.
_MP4 = b"ftyp"
# MP3 with and without tags, Ogg, FLAC.
_SOUND = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"OggS", b"fLaC")
_MOST_BYTES = {"clip": CLIP_BYTES, "image": PHOTO_BYTES, "audio": MUSIC_BYTES}


class Library(Protocol):
    """A library of clips and photographs. `orientation` is portrait, landscape or square.

    `language` is that of the query, such as es; a library that doesn't know it searches in its usual one. All
    raise CredentialRejected, QuotaExceeded, PlatformRejected or PlatformUnavailable.
    """

    def clips(self, query: str, orientation: str, side: int, language: str = "en") -> list[Work]:
        """Return up to RESULTS clips, the best first, each with the file for a frame of this short side."""

    def photos(self, query: str, orientation: str, language: str = "en") -> list[Work]:
        """Return up to RESULTS photographs, the best first."""

    def download(self, work: Work, width: int, height: int) -> bytes:
        """Return the file of a work, MP4 or JPEG. A photograph may be cropped to these pixels."""

    def preview(self, work: Work) -> bytes:
        """Return a small JPEG of a work whose `preview` isn't empty."""


def fetch_preview(sender: Sender, service: str, work: Work, address: str, hosts: tuple[str, ...]) -> bytes:
    """Return the preview of a work from one of `hosts`, the beginnings of the library's addresses.

    Raises PlatformRejected for one that can't be used, PlatformUnavailable.
    """
    if not address.startswith(hosts):
        raise PlatformRejected(f"{service} names a preview on another host: {address[:100]}")
    until = time.monotonic() + PREVIEW_SECONDS
    answer = sender.send("GET", address, until=until, max_bytes=PREVIEW_BYTES)
    if answer.status != 200 or not answer.body.startswith(_JPEG):
        raise PlatformRejected(f"{service} has no preview of {work.page}: {answer.status}.")
    return answer.body


def fetch(sender: Sender, service: str, work: Work, address: str, host: str) -> bytes:
    """Return the file of a work from `host`, the beginning of all the library's addresses of files.

    Raises PlatformRejected for a file that can't be used, PlatformUnavailable.
    """
    if not address.startswith(host):
        raise PlatformRejected(f"{service} names a file on another host: {address[:100]}")
    # Without the key: the hosts of the files don't need it.
    until = time.monotonic() + DOWNLOAD_SECONDS
    answer = sender.send("GET", address, until=until, max_bytes=_MOST_BYTES[work.kind])
    if answer.status in (404, 410):
        raise PlatformRejected(f"{service} has no file for {work.page} any more.")
    if answer.status != 200:
        raise PlatformUnavailable(f"{service} doesn't give the file of {work.page}: {answer.status}.")
    if work.kind == "clip":
        is_right = answer.body[4:8] == _MP4
    else:
        is_right = answer.body.startswith(_SOUND if work.kind == "audio" else _JPEG)
    if not is_right:
        raise PlatformRejected(f"What {service} gives for {work.page} is no file of the kind {work.kind}.")
    return answer.body
