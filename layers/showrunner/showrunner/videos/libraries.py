"""The libraries of clips and photographs that this stage may ask, each with its quota and its breaker."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from showrunner import breakers, config, quotas
from showrunner.aws import ssm
from showrunner.platforms import pexels
from showrunner.platforms.pexels import Pexels
from showrunner.platforms.stock import Library


class Source(NamedTuple):
    """A library by its name, and what a search and a download of it happen in: its quota and breaker."""

    name: str
    library: Library
    searching: Callable[[], AbstractContextManager[None]]
    downloading: Callable[[], AbstractContextManager[None]]


def configured() -> list[Source]:
    """Return the libraries in the order in which they are asked: those without a key are left out."""
    found = []
    if key := ssm.secret("pexels/api_key", default=" ").strip():
        hosts = config.setting("PEXELS_PHOTO_HOST"), config.setting("PEXELS_VIDEO_HOST")
        library = Pexels(key, config.setting("PEXELS_BASE_URL"), *hosts)
        found.append(Source(pexels.NAME, library, _pexels_search, _pexels_download))
    return found


@contextlib.contextmanager
def _pexels_search() -> Iterator[None]:
    quotas.spend("pexels", "search", 1, quotas.PEXELS_SEARCHES_A_DAY)
    with breakers.guard("pexels", "search"):
        yield


@contextlib.contextmanager
def _pexels_download() -> Iterator[None]:
    with breakers.guard("pexels", "download"):
        yield
