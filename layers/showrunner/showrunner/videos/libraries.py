"""The libraries of clips and photographs that this stage may ask, each with its quota and its breaker."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from showrunner import breakers, config, quotas
from showrunner.aws import s3, ssm
from showrunner.errors import PlatformRejected
from showrunner.models import Work
from showrunner.platforms import commons, nasa, pexels, pixabay
from showrunner.platforms.commons import Commons
from showrunner.platforms.nasa import Nasa
from showrunner.platforms.pexels import Pexels
from showrunner.platforms.pixabay import Pixabay
from showrunner.platforms.stock import Library
from showrunner.production import sounds


class Source(NamedTuple):
    """A library by its name, and what a search and a download of it happen in: its quota and breaker."""

    name: str
    library: Library
    searching: Callable[[], AbstractContextManager[None]]
    downloading: Callable[[], AbstractContextManager[None]]


def configured() -> list[Source]:
    """Return the libraries in the order in which they are asked: those without a key are left out."""
    found: list[Source] = []
    if key := ssm.secret("pexels/api_key", default=" ").strip():
        hosts = config.setting("PEXELS_PHOTO_HOST"), config.setting("PEXELS_VIDEO_HOST")
        library = Pexels(key, config.setting("PEXELS_BASE_URL"), *hosts)
        found.append(Source(pexels.NAME, library, _pexels_search, _pexels_download))
    if key := ssm.secret("pixabay/api_key", default=" ").strip():
        hosts = config.setting("PIXABAY_PHOTO_HOST"), config.setting("PIXABAY_VIDEO_HOST")
        pixabay_library = Pixabay(key, config.setting("PIXABAY_BASE_URL"), *hosts)
        found.append(Source(pixabay.NAME, pixabay_library, _pixabay_search, _pixabay_download))
    # Wikimedia Commons and NASA need no key.
    found.append(Source(commons.NAME, _commons(), _commons_search, _commons_download))
    space = Nasa(config.setting("NASA_BASE_URL"), config.setting("NASA_FILE_HOST"))
    found.append(Source(nasa.NAME, space, _nasa_search, _nasa_download))
    return found


class MusicSource(NamedTuple):
    """A library of music, and what a search and a download of it happen in: its quota and breaker."""

    library: Commons
    searching: Callable[[], AbstractContextManager[None]]
    downloading: Callable[[], AbstractContextManager[None]]


def music() -> MusicSource:
    """Return the library of music: Wikimedia Commons, which needs no key and names each work's licence."""
    # Quota and breakers are those of its pictures: it is one service at one address, which counts requests
    # by who asks, not by what for, and an outage of it is one. Music adds one search to a video's dozens.
    return MusicSource(_commons(), _commons_search, _commons_download)


def keep(
    source: Source | MusicSource, work: Work, key: str, content_type: str, size: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """Return {uri, sha256, fetched_at} of a work's file, downloaded to `key` if it isn't kept there yet.

    `size` is the least of a photograph, in pixels. What is known of the file is kept beside it, in JSON.
    Raises PlatformRejected if the file can't be used, and as platforms do.
    """
    described = f"{key.rpartition('.')[0]}.json"
    kept: dict[str, Any] | None = s3.find_json(described)
    if kept and "fault" in kept:
        raise PlatformRejected(kept["fault"])
    # Both expire, but not in the same moment.
    if kept is None or s3.size(key) is None:
        with source.downloading():
            body = source.library.download(work, *size)
        if work.kind == "audio" and not sounds.is_playable(body):
            fault = f"The sound of {work.page} can't be played."
            # Up to 40 MB, which the next video that searches for the same wouldn't fetch in vain again.
            s3.put_product_json(described, {"fault": fault})
            raise PlatformRejected(fault)
        fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
        kept = {
            "sha256": s3.put_product(key, body, content_type),
            "page": work.page,
            "fetched_at": fetched_at,
        }
        s3.put_product_json(described, kept)
    return {"uri": s3.uri(key), "sha256": kept["sha256"], "fetched_at": kept.get("fetched_at")}


def _commons() -> Commons:
    return Commons(config.setting("COMMONS_BASE_URL"), config.setting("COMMONS_FILE_HOST"))


@contextlib.contextmanager
def _pexels_search() -> Iterator[None]:
    quotas.spend("pexels", "search", 1, quotas.PEXELS_SEARCHES_A_DAY)
    with breakers.guard("pexels", "search"):
        yield


@contextlib.contextmanager
def _pexels_download() -> Iterator[None]:
    with breakers.guard("pexels", "download"):
        yield


@contextlib.contextmanager
def _pixabay_search() -> Iterator[None]:
    quotas.spend("pixabay", "search", 1, quotas.PIXABAY_SEARCHES_A_DAY)
    with breakers.guard("pixabay", "search"):
        yield


@contextlib.contextmanager
def _pixabay_download() -> Iterator[None]:
    with breakers.guard("pixabay", "download"):
        yield


@contextlib.contextmanager
def _commons_search() -> Iterator[None]:
    quotas.spend("commons", "search", 1, quotas.COMMONS_SEARCHES_A_DAY)
    with breakers.guard("commons", "search"):
        yield


@contextlib.contextmanager
def _commons_download() -> Iterator[None]:
    with breakers.guard("commons", "download"):
        yield


@contextlib.contextmanager
def _nasa_search() -> Iterator[None]:
    quotas.spend("nasa", "search", 1, quotas.NASA_SEARCHES_A_DAY)
    with breakers.guard("nasa", "search"):
        yield


@contextlib.contextmanager
def _nasa_download() -> Iterator[None]:
    with breakers.guard("nasa", "download"):
        yield
