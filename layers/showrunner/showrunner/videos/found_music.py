"""Find the music that a brief asks for in words, and keep its file once for each organisation."""

from typing import Any

from showrunner.aws import s3
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Work
from showrunner.production import files, ranking
from showrunner.production.job import Job
from showrunner.telemetry import logger
from showrunner.videos import libraries
from showrunner.videos.libraries import MusicSource

# Files that are tried until one can be used.
_TRIES = 3


def find(job: Job) -> dict[str, Any] | None:
    """Return the music of a video as it is stored for the later steps, None if there is none.

    Nothing is searched for without a phrase, or if the user brings music. A library that fails never fails
    the video: the built-in music plays then.
    """
    if not job.music_search or any(asset.kind == "audio" for asset in job.assets):
        return None
    source = libraries.music()
    try:
        works = _searched(job, source, job.music_search)
    except (CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded) as error:
        logger.warning("no music found", extra={"reason": error.message})
        return None
    # The library's own order decides between works that fit equally well.
    works.sort(key=lambda work: -ranking.relevance(work.words, [job.music_search or ""]))
    for work in works[:_TRIES]:
        try:
            return _kept(job, source, work)
        except (PlatformRejected, PlatformUnavailable, QuotaExceeded) as error:
            logger.warning("music left out", extra={"page": work.page, "reason": error.message})
    return None


def _searched(job: Job, source: MusicSource, query: str) -> list[Work]:
    key = files.product_key(job.organisation_id, "visual", files.digest("music", query), "json")
    kept: list[dict[str, Any]] | None = s3.find_json(key)
    if kept is not None:
        return [Work(**each) for each in kept]
    with source.searching():
        works = source.library.music(query)
    s3.put_product_json(key, [work._asdict() for work in works])
    return works


def _kept(job: Job, source: MusicSource, work: Work) -> dict[str, Any]:
    """Return the stored file of a work with its rights."""
    name = files.digest("music", work.library, work.id)
    key = files.product_key(job.organisation_id, "visual", name, "audio")
    return {
        **libraries.keep(source, work, key, "application/octet-stream"),
        "kind": "audio",
        "library": work.library,
        "source": work.page,
        "author": work.author,
        "licence": work.licence,
        "licence_url": work.licence_url,
        "must_credit": work.must_credit,
        "query": job.music_search,
    }
