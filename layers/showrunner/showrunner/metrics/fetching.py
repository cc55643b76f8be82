"""Ask a platform for the figures of a batch and archive its answer. Uses no database."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

from showrunner import breakers, config, quotas, rates
from showrunner.aws import ssm
from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ShowrunnerError,
)
from showrunner.metrics import archive, readings
from showrunner.metrics.archive import Batch
from showrunner.platforms import spotify_items, spotify_statistics, websub, youtube_items, youtube_statistics
from showrunner.platforms.spotify import CLIENT_ID, CLIENT_SECRET, PAGE, Spotify
from showrunner.platforms.youtube import Feeds, Youtube
from showrunner.telemetry import logger, metrics

# A run waits so long for a platform that names a time; the next run asks again within the hour.
MOST_WAIT_SECONDS = 600

type Result = dict[str, Any]


# 200 albums and singles of an artist.
MOST_ALBUM_PAGES = 4
# A batch of feeds takes no new one after this: what has come until then is archived.
FEEDS_SECONDS = 30


@cache
def _youtube(key: str, bucket: str = "general") -> Youtube:
    ledger = (
        quotas.metrics_ledger()
        if bucket == "general"
        else quotas.Ledger("youtube", bucket, quotas.BUCKETS["youtube", bucket])
    )
    return Youtube(key, config.setting("YOUTUBE_BASE_URL"), ledger)


@cache
def _feeds() -> Feeds:
    return Feeds(config.setting("FEED_BASE_URL"))


@cache
def _spotify(client_id: str, client_secret: str) -> Spotify:
    return Spotify(
        client_id, client_secret, config.setting("SPOTIFY_BASE_URL"), config.setting("SPOTIFY_ACCOUNTS_URL")
    )


def fetch_youtube(batch: Batch) -> Result:
    """Archive what YouTube says about channels or videos. Returns and raises what `archive_once` does.

    Without a reading: the statistics of up to 50 channels.
    """
    if batch.reading == "uploads":
        return _archive_feeds(batch)
    if batch.reading and readings.find("youtube", batch.reading).is_connected:
        # An execution that began in the release before sends it here: the next run asks the owner's way.
        return skipped(f"{batch.reading} needs the channel's owner.")

    def ask() -> bytes:
        key = ssm.secret("youtube/api_key")
        with breakers.guard("youtube", "statistics"):
            match batch.reading:
                case "videos":
                    return _youtube(key, "video_statistics").video_statistics(batch.accounts)
                case "top_videos":
                    return _youtube(key, "search").top_videos(batch.accounts[0])
                case "playlists":
                    return _youtube(key).playlists(batch.accounts[0])
            return _youtube(key).statistics(batch.accounts)

    readers: dict[str, Callable[[bytes], Any]] = {
        "videos": youtube_items.read_statistics,
        "top_videos": youtube_items.read_search,
        "playlists": youtube_items.read_playlists,
    }
    return archive_once(batch, ask, readers.get(batch.reading, youtube_statistics.read))


def _archive_feeds(batch: Batch) -> Result:
    """Archive the channels' feeds as {channel id: Atom}, null for a channel without a feed that can be read.

    Channels whose turn doesn't come in FEEDS_SECONDS, or before a failure, stay due.
    """
    until = time.monotonic() + FEEDS_SECONDS
    answered: dict[str, str | None] = {}

    def ask() -> bytes:
        for channel_id in batch.accounts:
            if answered and time.monotonic() > until:
                break
            try:
                feed = _feeds().raw(channel_id)
                websub.read_feed(feed, channel_id, datetime.now(UTC))
                answered[channel_id] = feed.decode()
            except PlatformRejected:
                answered[channel_id] = None
            except PlatformUnavailable:
                if answered:
                    break
                raise
        return json.dumps(answered, ensure_ascii=False).encode()

    def read(body: bytes) -> None:
        youtube_items.read_feeds(body, datetime.now(UTC))

    return archive_once(batch, ask, read, lambda: list(answered))


def fetch_spotify(batch: Batch) -> Result:
    """Archive what Spotify says about artists, albums or tracks.

    A call is about several in extended mode, about one in development mode.
    Returns and raises what `archive_once` does. A stage without an app at Spotify skips the batch.
    """
    client_id, client_secret = ssm.secrets(
        ["spotify/client_id", "spotify/client_secret"], default=""
    ).values()
    if not client_id or not client_secret:
        return skipped(f"This stage has no app at Spotify: store {CLIENT_ID} and {CLIENT_SECRET}.")
    is_extended = config.setting("SPOTIFY_MODE") == "extended"

    def ask() -> bytes:
        spotify, ids = _spotify(client_id, client_secret), batch.accounts
        match batch.reading:
            case "albums":
                return _all_albums(spotify, ids[0], is_extended=is_extended)
            case "album_tracks":
                call = partial(spotify.albums, ids) if is_extended else partial(spotify.album, ids[0])
            case "tracks":
                call = partial(spotify.tracks, ids)
            case _:
                call = partial(spotify.artists, ids) if is_extended else partial(spotify.artist, ids[0])
        return _call_spotify(call, is_extended=is_extended)

    readers: dict[str, Callable[[bytes], Any]] = {
        "albums": spotify_items.read_albums,
        "album_tracks": spotify_items.read_album_tracks,
        "tracks": spotify_items.read_tracks,
    }
    return archive_once(batch, ask, readers.get(batch.reading, spotify_statistics.read))


def _all_albums(spotify: Spotify, artist_id: str, *, is_extended: bool) -> bytes:
    """Return {artist_id, pages}: the answers with all of an artist's albums, at most MOST_ALBUM_PAGES."""
    pages: list[Any] = []
    while len(pages) < MOST_ALBUM_PAGES:
        call = partial(spotify.albums_of, artist_id, len(pages) * PAGE)
        pages.append(json.loads(_call_spotify(call, is_extended=is_extended)))
        if not spotify_items.has_more(pages[-1]):
            break
    return json.dumps({"artist_id": artist_id, "pages": pages}).encode()


def _call_spotify(call: Callable[[], bytes], *, is_extended: bool) -> bytes:
    """Send a call within the app's rate, and within its calls of the day in development mode."""
    ledger = quotas.Ledger("spotify", "calls", quotas.SPOTIFY_CALLS_A_DAY)
    rates.reserve("spotify", rates.SPOTIFY)
    day = None if is_extended else ledger.spend(1)
    try:
        with heeding("spotify"), breakers.guard("spotify", "artists"):
            return call()
    except PlatformUnavailable as error:
        if not error.was_sent and day:
            ledger.give_back(1, day)
        raise


@contextlib.contextmanager
def heeding(platform: str, bucket: str = "") -> Iterator[None]:
    """Let nobody call for as long as the answer of a call asks. `bucket`: that of rates.py, if another.

    A quota that is spent without a time is renewed with the platform's next quota day.
    """
    try:
        yield
    except QuotaExceeded as error:
        now = datetime.now(UTC)
        until = error.retry_at or quotas.quota_ends_at(platform, now)
        seconds = (until - now) / timedelta(seconds=1)
        raise QuotaExceeded(error.message, rates.pause(bucket or platform, seconds, now)) from error
    except PlatformUnavailable as error:
        if error.was_sent and error.retry_after is not None:
            rates.pause(bucket or platform, error.retry_after)
        raise


def archive_once(
    batch: Batch,
    ask: Callable[[], bytes],
    read: Callable[[bytes], Any],
    answered: Callable[[], list[str]] | None = None,
) -> Result:
    """Archive the answer to a batch once. Returns the batch's state for the machine.

    `read` raises PlatformUnavailable for an answer that can't be read. `answered` returns the accounts that
    the answer is about, where that may be fewer than were asked for.

    fetched: the answer is archived. later: try again after `wait_seconds`. skipped: the quota is spent, or
    the platform asks for a long pause; the accounts stay due. Raises PlatformUnavailable, PlatformRejected or
    CredentialRejected.
    """
    if archive.is_written(batch):
        return _fetched(batch)
    begun = time.perf_counter()
    try:
        body = ask()
        at = datetime.now(UTC)
        read(body)
    except (PlatformUnavailable, PlatformRejected, CredentialRejected) as error:
        _measure(batch.platform, time.perf_counter() - begun, error)
        if not isinstance(error, PlatformUnavailable) or error.retry_after is None:
            raise
        return _later(error.retry_after, error.message)
    except QuotaExceeded as error:
        seconds = (error.retry_at - datetime.now(UTC)).total_seconds() if error.retry_at else None
        return _later(seconds, error.message)
    _measure(batch.platform, time.perf_counter() - begun)
    archive.write(batch._replace(accounts=answered()) if answered else batch, body, at)
    return _fetched(batch)


def _measure(platform: str, seconds: float, error: ShowrunnerError | None = None) -> None:
    """Write the metrics that alarms of each platform look at: one function may ask several platforms.

    FetchFailures is 0 or 100 for each batch: its average is the share of batches that failed, in percent.
    """
    metrics.add_dimension("platform", platform)
    metrics.add_metric("FetchFailures", "Percent", 100 if error else 0)
    metrics.add_metric("FetchDuration", "Milliseconds", seconds * 1000)
    if isinstance(error, CredentialRejected):
        metrics.add_metric("FetchCredentialsRejected", "Count", 1)


def _fetched(batch: Batch) -> Result:
    return {"state": "fetched", "key": batch.key}


def _later(seconds: float | None, reason: str) -> Result:
    if seconds is not None and seconds <= MOST_WAIT_SECONDS:
        return {"state": "later", "wait_seconds": max(1, math.ceil(seconds))}
    return skipped(reason)


def skipped(reason: str) -> Result:
    logger.warning("a batch is skipped", extra={"reason": reason})
    return {"state": "skipped"}
