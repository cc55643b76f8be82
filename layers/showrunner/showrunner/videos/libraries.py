"""The libraries of clips and photographs that this stage may ask, each with its quota and its breaker."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from showrunner import breakers, config, quotas
from showrunner.aws import ssm
from showrunner.platforms import commons, nasa, pexels, pixabay
from showrunner.platforms.commons import Commons
from showrunner.platforms.nasa import Nasa
from showrunner.platforms.pexels import Pexels
from showrunner.platforms.pixabay import Pixabay
from showrunner.platforms.stock import Library


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
    return MusicSource(_commons(), _commons_search, _commons_download)


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
