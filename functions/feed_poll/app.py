"""Queue of polls and enrichments → YouTube's feeds and Data API are read, and what they say goes to the queue of notifications. [no database]"""

import json
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any

from showrunner import config, quotas
from showrunner.aws import rpc, ssm
from showrunner.errors import ConfigurationMissing, CredentialRejected, InvalidRequest, PlatformRejected, PlatformUnavailable, QuotaExceeded, ShowrunnerError
from showrunner.models import Sighting
from showrunner.platforms.youtube import Feeds, Youtube
from showrunner.telemetry import entrypoint, logger

# The whole bucket: what of it is for polls and enrichments, the share says (quotas.SHARES).
UNITS = quotas.ALL_UNITS
# As many found videos as fit a message with titles of the greatest length.
FOUND = 50
# Why a call that costs a unit may fail: none of it is the free feeds' fault, and the schedule asks again by itself.
PAID_FAILURES = (PlatformUnavailable, PlatformRejected, QuotaExceeded, CredentialRejected, ConfigurationMissing, InvalidRequest)


@cache
def feeds() -> Feeds:
    return Feeds(config.setting("FEED_BASE_URL"))


def youtube() -> Youtube:
    return _youtube(ssm.secret("youtube/api_key"))


@cache
def _youtube(key: str) -> Youtube:
    return Youtube(key, config.setting("YOUTUBE_BASE_URL"), quotas.Ledger("youtube", "general", UNITS, "polling"))


def poll(message: dict[str, Any]) -> dict[str, Any]:
    """The feed; where it fails and `paid` allows, the uploads playlist."""
    channel_id = message["channel_id"]
    try:
        return told(channel_id, "feed", feeds().get(channel_id, datetime.now(UTC)), None)
    except (PlatformUnavailable, PlatformRejected) as error:
        failure = error.message
    if message.get("paid"):
        try:
            return told(channel_id, "playlist", youtube().uploads(channel_id), failure)
        except PAID_FAILURES as error:
            failure = f"{failure} {excused(error)}"
    return told(channel_id, "feed", [], failure)


def told(channel_id: str, origin: str, found: list[Sighting], error: str | None) -> dict[str, Any]:
    rows = [
        {
            "video_id": each.video_id,
            "title": each.title,
            "channel_title": each.channel_title,
            "published_at": (each.published_at or each.at).isoformat(),
            "at": each.at.isoformat(),
        }
        for each in found[:FOUND]
        if each.title is not None
    ]
    return {"kind": "polled", "delivery_id": str(uuid.uuid4()), "channel_id": channel_id, "origin": origin, "found": rows, "error": error}


def enrich(message: dict[str, Any]) -> dict[str, Any] | None:
    """None when YouTube can't say now: the videos come due again by themselves."""
    try:
        videos = youtube().details(message["video_ids"])
    except PAID_FAILURES as error:
        excused(error)
        return None
    missing = sorted(set(message["video_ids"]) - {each["video_id"] for each in videos})
    return {"kind": "enriched", "videos": videos, "missing": missing}


def excused(error: ShowrunnerError) -> str:
    """Why a paid call failed; a key that is refused or missing waits for a person, and is read anew until then."""
    if isinstance(error, CredentialRejected | ConfigurationMissing):
        ssm.forget()
        logger.error("YouTube's key is refused or missing", extra={"reason": error.message})
    else:
        logger.warning("a paid call failed", extra={"reason": error.message})
    return error.message


def report(message: dict[str, Any]) -> None:
    text = json.dumps({**message, "at": datetime.now(UTC).isoformat()})
    rpc.call("sqs", "SendMessage", {"QueueUrl": config.setting("NOTIFICATIONS_QUEUE_URL"), "MessageBody": text})


def work(record: dict[str, Any]) -> bool:
    """Whether a message is done with. One that fails takes none of its batch along: what those have found is paid for."""
    try:
        message = json.loads(record["body"])
        answer = enrich(message) if message["kind"] == "enrich" else poll(message)
        if answer is not None:
            report(answer)
    except Exception:  # noqa: BLE001 - whatever it is, the queue delivers this one again and sets it aside in the end
        logger.exception("a message can't be worked on", extra={"message_id": record["messageId"]})
        return False
    return True


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    again = [record["messageId"] for record in event["Records"] if not work(record)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in again]}
