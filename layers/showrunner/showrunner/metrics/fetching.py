"""Ask a platform for the figures of a batch and archive its answer. Uses no database."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from showrunner import breakers, config, quotas
from showrunner.aws import ssm
from showrunner.errors import PlatformUnavailable, QuotaExceeded
from showrunner.metrics import archive
from showrunner.metrics.archive import Batch
from showrunner.platforms import youtube_statistics
from showrunner.platforms.youtube import Youtube
from showrunner.telemetry import logger

# A run waits so long for a platform that names a time; the next run asks again within the hour.
MOST_WAIT_SECONDS = 600

type Result = dict[str, Any]


@cache
def _youtube(key: str) -> Youtube:
    return Youtube(key, config.setting("YOUTUBE_BASE_URL"), quotas.metrics_ledger())


def fetch_youtube(batch: Batch) -> Result:
    """Archive the statistics of up to 50 channels, 1 unit. Returns the batch's state for the machine.

    fetched: the answer is archived. later: try again after `wait_seconds`. skipped: the quota is spent, or
    YouTube asks for a long pause; the accounts stay due. Raises PlatformUnavailable, PlatformRejected or
    CredentialRejected.
    """
    if archive.is_written(batch):
        return _fetched(batch)
    try:
        with breakers.guard("youtube", "statistics"):
            body = _youtube(ssm.secret("youtube/api_key")).statistics(batch.accounts)
            at = datetime.now(UTC)
            youtube_statistics.read(body)
    except QuotaExceeded as error:
        seconds = (error.retry_at - datetime.now(UTC)).total_seconds() if error.retry_at else None
        return _later(seconds, error.message)
    except PlatformUnavailable as error:
        if error.retry_after is None:
            raise
        return _later(error.retry_after, error.message)
    archive.write(batch, body, at)
    return _fetched(batch)


def _fetched(batch: Batch) -> Result:
    return {"state": "fetched", "key": batch.key}


def _later(seconds: float | None, reason: str) -> Result:
    if seconds is not None and seconds <= MOST_WAIT_SECONDS:
        return {"state": "later", "wait_seconds": max(1, round(seconds))}
    logger.warning("a batch is skipped", extra={"reason": reason})
    return {"state": "skipped"}
