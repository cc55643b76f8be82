"""Read channels' feeds, upload lists and videos' details, and report them to feed_intake.

Uses no database.
"""

import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from showrunner import breakers, config, quotas
from showrunner.aws import queues, ssm
from showrunner.errors import (
    ConfigurationMissing,
    CredentialRejected,
    InvalidRequest,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ShowrunnerError,
)
from showrunner.feed.messages import ChannelPolled, LookUpVideos, PollChannel, PolledVideo, VideosLookedUp
from showrunner.models import Sighting
from showrunner.platforms.youtube import Feeds, Youtube
from showrunner.telemetry import logger

# The number of videos with titles of the greatest length that fit in a message.
FOUND = 50
# Errors of calls that cost a unit. The schedule repeats them, and the free feeds go on.
PAID_FAILURES = (
    PlatformUnavailable,
    PlatformRejected,
    QuotaExceeded,
    CredentialRejected,
    ConfigurationMissing,
    InvalidRequest,
)


@cache
def feeds() -> Feeds:
    return Feeds(config.setting("FEED_BASE_URL"))


def youtube() -> Youtube:
    return _youtube(ssm.secret("youtube/api_key"))


@cache
def _youtube(key: str) -> Youtube:
    return Youtube(key, config.setting("YOUTUBE_BASE_URL"), quotas.polling_ledger())


def work(message: PollChannel | LookUpVideos) -> None:
    """Process one message and report what came of it."""
    report = look_up(message) if isinstance(message, LookUpVideos) else poll(message)
    if report is not None:
        queues.send(config.setting("NOTIFICATIONS_QUEUE_URL"), report)


def poll(message: PollChannel) -> ChannelPolled:
    """Read a channel's feed; where it fails and the message allows it, the uploads playlist, for a unit."""
    try:
        return _polled(message, "feed", feeds().get(message.channel_id, datetime.now(UTC)), None)
    except (PlatformUnavailable, PlatformRejected) as error:
        failure = error.message
    if message.paid:
        try:
            with breakers.guard("youtube", "uploads"):
                uploads = youtube().uploads(message.channel_id)
            return _polled(message, "playlist", uploads, failure)
        except PAID_FAILURES as error:
            failure = f"{failure} {_log_paid(error)}"
    return _polled(message, "feed", [], failure)


def _polled(
    message: PollChannel, origin: Literal["feed", "playlist"], found: list[Sighting], error: str | None
) -> ChannelPolled:
    videos = [
        PolledVideo(each.video_id, each.title, each.published_at or each.at, each.at, each.channel_title)
        for each in found[:FOUND]
        if each.title is not None
    ]
    return ChannelPolled(str(uuid.uuid4()), message.channel_id, origin, videos, datetime.now(UTC), error)


def look_up(message: LookUpVideos) -> VideosLookedUp | None:
    """Look up details of videos.

    Returns None if YouTube can't be asked now: the videos come due again by themselves.
    """
    try:
        with breakers.guard("youtube", "details"):
            videos = youtube().details(message.video_ids)
    except PAID_FAILURES as error:
        _log_paid(error)
        return None
    missing = sorted(set(message.video_ids) - {each["video_id"] for each in videos})
    return VideosLookedUp(videos, missing, datetime.now(UTC))


def _log_paid(error: ShowrunnerError) -> str:
    """Log and return why a paid call failed.

    A key that is refused or missing needs a person: read it anew at the next call.
    """
    if isinstance(error, CredentialRejected | ConfigurationMissing):
        ssm.refused()
        logger.error("YouTube's key is refused or missing", extra={"reason": error.message})
    else:
        logger.warning("a paid call failed", extra={"reason": error.message})
    return error.message
