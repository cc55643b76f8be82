"""Find footage for a shot in a stock library, and keep each file once for each organisation.

What is found and fetched is stored under the digest of its request: the same brief again asks and downloads
nothing.
"""

import functools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from showrunner import breakers, config, quotas
from showrunner.aws import s3, ssm
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms.stock import LICENCE, LICENCE_URL, Clip, Photo, Stock
from showrunner.production import files, visuals
from showrunner.production.job import Job
from showrunner.telemetry import logger

# Files of one search that are tried until one can be used.
_TRIES = 3


class Footage:
    """The stock library for one scene of a video. `shown` are the sources that the video shows already.

    A library that fails never fails the video: after an outage, a refusal of the key or a spent quota it is
    not asked again for this scene.
    """

    def __init__(self, job: Job, shown: set[str]) -> None:
        self._job, self._shown = job, shown
        key = ssm.secret("pexels/api_key", default=" ").strip()
        self._stock = (
            Stock(
                key,
                config.setting("PEXELS_BASE_URL"),
                config.setting("PEXELS_PHOTO_HOST"),
                config.setting("PEXELS_VIDEO_HOST"),
            )
            if key
            else None
        )

    def find(self, queries: Iterable[str]) -> dict[str, Any] | None:
        """Return the first clip, else photograph, that the video doesn't show yet, None if there is none."""
        asked = [query[: visuals.QUERY_CHARACTERS] for query in queries if query.strip()]
        try:
            for look in (self._clip, self._photograph):
                for query in asked:
                    if self._stock is not None and (found := look(self._stock, query)):
                        self._shown.add(found["source"])
                        return found
        except (CredentialRejected, PlatformUnavailable, QuotaExceeded) as error:
            self._stock = None
            logger.warning("no stock footage", extra={"error": type(error).__name__, "reason": error.message})
        return None

    def _clip(self, stock: Stock, query: str) -> dict[str, Any] | None:
        side = min(min(output.width, output.height) for output in self._job.outputs)
        orientation = _orientation(self._job)
        found = [
            Clip(*each)
            for each in self._searched(
                ["pexels", "clips", query, orientation, side], lambda: stock.clips(query, orientation, side)
            )
        ]
        for clip in self._fresh(found):
            name = files.digest("pexels", "clip", clip.id, clip.width, clip.height)
            fetch = functools.partial(stock.download_clip, clip)
            kept = self._kept(name, "mp4", "video/mp4", clip.page, fetch)
            if kept:
                return {"kind": "clip", "seconds": clip.seconds, **kept, **_rights(clip)}
        return None

    def _photograph(self, stock: Stock, query: str) -> dict[str, Any] | None:
        # One crop serves all outputs: as wide as the widest and as high as the highest.
        width = round(visuals.PHOTO_SCALE * max(output.width for output in self._job.outputs))
        height = round(visuals.PHOTO_SCALE * max(output.height for output in self._job.outputs))
        orientation = _orientation(self._job)
        found = [
            Photo(*each)
            for each in self._searched(
                ["pexels", "photos", query, orientation], lambda: stock.photos(query, orientation)
            )
        ]
        for photo in self._fresh(found):
            name = files.digest("pexels", photo.id, width, height)
            fetch = functools.partial(stock.download, photo, width, height)
            kept = self._kept(name, "jpg", "image/jpeg", photo.page, fetch)
            if kept:
                return {"kind": "image", **kept, **_rights(photo)}
        return None

    def _fresh[Found: (Clip, Photo)](self, found: list[Found]) -> list[Found]:
        return [each for each in found if each.page not in self._shown][:_TRIES]

    def _searched[Found](self, asked: list[Any], search: Callable[[], list[Found]]) -> list[Found]:
        """Return what a search finds; it is asked once for each organisation until the product expires."""
        key = files.product_key(self._job.organisation_id, "visual", files.digest(*asked), "json")
        kept: list[Found] | None = s3.find_json(key)
        if kept is None:
            quotas.spend("pexels", "search", 1, quotas.PEXELS_SEARCHES_A_DAY)
            with breakers.guard("pexels", "search"):
                kept = search()
            s3.put_product_json(key, kept)
        return kept

    def _kept(
        self, name: str, suffix: str, content_type: str, page: str, fetch: Callable[[], bytes]
    ) -> dict[str, Any] | None:
        """Return where the file is in the media bucket, its sha256 and when it was fetched.

        None if it can't be used; then another one is tried.
        """
        key = files.product_key(self._job.organisation_id, "visual", name, suffix)
        described = files.product_key(self._job.organisation_id, "visual", name, "json")
        kept = s3.find_json(described)
        # Both expire, but not in the same moment.
        if kept is None or s3.size(key) is None:
            try:
                with breakers.guard("pexels", "download"):
                    body = fetch()
            except PlatformRejected as error:
                logger.warning("a stock file is left out", extra={"page": page, "reason": error.message})
                return None
            fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
            kept = {"sha256": s3.put_product(key, body, content_type), "page": page, "fetched_at": fetched_at}
            s3.put_product_json(described, kept)
        return {"uri": s3.uri(key), "sha256": kept["sha256"], "fetched_at": kept.get("fetched_at")}


def _rights(found: Clip | Photo) -> dict[str, str]:
    return {
        "source": found.page,
        "author": found.author,
        "licence": LICENCE,
        "licence_url": LICENCE_URL,
    }


def _orientation(job: Job) -> str:
    first = job.outputs[0]
    return (
        "square" if first.width == first.height else "portrait" if first.height > first.width else "landscape"
    )
