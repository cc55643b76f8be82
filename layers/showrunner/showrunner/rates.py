"""Keep the calls of a platform within its limit per window: token buckets in the state table.

A caller reserves a call before it sends it. Nobody waits in here: a caller that comes too early gets the time
at which to ask again. An answer that asks for a pause stops the calls of every function.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from showrunner.aws import dynamodb, rpc
from showrunner.errors import QuotaExceeded, ServiceUnavailable

# A bucket that nobody used for a day is full again under every limit below.
_KEPT_SECONDS = 86_400
# Other callers may come between the reading of a bucket and its update.
_ATTEMPTS = 6
# Callers that wait longer than this have given up, or the next one asks earlier than it could.
_QUEUE_SECONDS = 60
_SECOND = 1_000_000


class Rate(NamedTuple):
    """At most `calls` in any window of `seconds`, `burst` of which may come at once.

    After a burst one call follows each `interval`, so that no window holds more than `calls`, wherever it
    begins: a busy platform gets calls - burst + 1 in each.
    """

    calls: int
    seconds: int
    burst: int = 1

    @property
    def interval(self) -> int:
        """Microseconds from one call to the next, rounded up."""
        return -(-self.seconds * _SECOND // (self.calls - self.burst + 1))


# Spotify counts the calls of an app in a rolling window of 30 s and publishes no limit:
# https://developer.spotify.com/documentation/web-api/concepts/rate-limits. Clients in the field were refused
# from about 180 on; a refusal pauses the bucket for as long as Spotify says.
SPOTIFY = Rate(150, 30, burst=5)
# The platforms count when a call arrives, we when it is reserved: a rate stays a little below its limit, and
# a test holds it to 95 % of that or more.
# https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit: 600 a minute for each endpoint, as a sliding
# window. Ours count together.
TIKTOK = Rate(590, 60, burst=20)
# Google states no number; 720 queries a minute for a project is what its console shows.
YOUTUBE_ANALYTICS = Rate(706, 60, burst=16)
# Google states no number for the Reporting API either: this bound is our own. A channel's first collection is
# about seventy calls, each next one six.
YOUTUBE_REPORTING = Rate(684, 60, burst=20)
# Instagram counts by account and says in its answers how much is left. This bound is our own: a collection is
# three calls.
INSTAGRAM_ACCOUNT = Rate(60, 3600, burst=30)
# https://airtable.com/developers/web/api/rate-limits: five a second for each base, 30 s of rest after more,
# and 50 a second for all tokens of a person.
AIRTABLE_BASE = Rate(96, 20)
AIRTABLE = Rate(48, 1)
# The buckets of the stage, which platform admins see.
RATES = {
    "spotify": SPOTIFY,
    "tiktok": TIKTOK,
    "youtube_analytics": YOUTUBE_ANALYTICS,
    "youtube_reporting": YOUTUBE_REPORTING,
    "airtable": AIRTABLE,
}


class Calls:
    """The calls of one caller in a bucket. Those that follow each other are reserved together.

    That is two requests to the state table for all of them instead of two for each.
    """

    def __init__(self, bucket: str, rate: Rate) -> None:
        self._bucket, self._rate, self._left = bucket, rate, 0

    def take(self, coming: int = 1) -> None:
        """Take one call. `coming`: how many are sent now for certain, with this one.

        Raises QuotaExceeded as `reserve` does.
        """
        if not self._left:
            self._left = reserve(self._bucket, self._rate, calls=coming)
        self._left -= 1

    def pause(self, seconds: float) -> None:
        """Let nobody call for so long, as `rates.pause` does: calls that are reserved end too."""
        self._left = 0
        pause(self._bucket, seconds)


def reserve(bucket: str, rate: Rate, now: datetime | None = None, calls: int = 1) -> int:
    """Reserve as many of `calls` as the bucket has, at least one. Returns how many they are.

    `bucket` names the platform and what its limit counts by, such as an app or a token. Raises QuotaExceeded
    with the time to ask again if there is none.
    """
    at = now or datetime.now(UTC)
    for _ in range(_ATTEMPTS):
        found = _find(bucket, at)
        free = _free(found, rate, at)
        if not free:
            free_at = found.get("next_at", 0) - (rate.burst - 1) * rate.interval
            retry_at = _queue(bucket, rate, max(free_at, found.get("paused_until", 0)))
            raise QuotaExceeded(f"The calls of {bucket} in this moment are taken.", _time(retry_at))
        reserved = min(calls, free)
        is_idle = found.get("next_at", 0) < _microseconds(at)
        if _advance(bucket, rate, at, reserved, is_idle=is_idle):
            return reserved
    raise ServiceUnavailable(f"Too many callers of {bucket} at once: try again.", retry_after=1)


def pause(bucket: str, seconds: float, now: datetime | None = None) -> datetime:
    """Let nobody call for so long, because the platform said so. Returns the end of the pause."""
    at = now or datetime.now(UTC)
    until = at + timedelta(seconds=seconds)
    update = {
        "UpdateExpression": "SET paused_until = :until, expires_at = :end",
        # A shorter pause must not end a longer one.
        "ConditionExpression": "attribute_not_exists(paused_until) OR paused_until < :until",
        "ExpressionAttributeValues": {
            ":until": dynamodb.typed(_microseconds(until)),
            ":end": dynamodb.typed(int(until.timestamp()) + _KEPT_SECONDS),
        },
    }
    _update(bucket, update)
    return until


def check(bucket: str, now: datetime | None = None) -> None:
    """Raise QuotaExceeded with its end while there is a pause in the bucket. Reserves no call."""
    at = now or datetime.now(UTC)
    until = _find(bucket, at).get("paused_until", 0)
    if until > _microseconds(at):
        raise QuotaExceeded(f"{bucket} has asked for a pause.", _time(until))


def available(bucket: str, rate: Rate, now: datetime | None = None) -> int:
    """Return how many calls may be sent at once now, 0 during a pause."""
    at = now or datetime.now(UTC)
    return _free(_find(bucket, at), rate, at)


def _free(found: dict[str, int], rate: Rate, at: datetime) -> int:
    """Return how many calls a bucket with these values has at once."""
    if found.get("paused_until", 0) > _microseconds(at):
        return 0
    ahead = max(0, found.get("next_at", 0) - _microseconds(at))
    return max(0, rate.burst - -(-ahead // rate.interval))


def _advance(bucket: str, rate: Rate, at: datetime, calls: int, *, is_idle: bool) -> bool:
    """Move the bucket by so many calls in one conditional update. Returns False if another caller came first.

    `next_at` is the time from which on the bucket is full; with `is_idle` it has passed.
    """
    now = _microseconds(at)
    values = {":now": dynamodb.typed(now), ":end": dynamodb.typed(int(at.timestamp()) + _KEPT_SECONDS)}
    if is_idle:
        change, condition = "next_at = :next", "(attribute_not_exists(next_at) OR next_at < :now)"
        values[":next"] = dynamodb.typed(now + calls * rate.interval)
    else:
        change, condition = "next_at = next_at + :interval", "next_at BETWEEN :now AND :latest"
        values[":interval"] = dynamodb.typed(calls * rate.interval)
        values[":latest"] = dynamodb.typed(now + (rate.burst - calls) * rate.interval)
    update = {
        "UpdateExpression": f"SET {change}, expires_at = :end",
        "ConditionExpression": (
            f"{condition} AND (attribute_not_exists(paused_until) OR paused_until <= :now)"
        ),
        "ExpressionAttributeValues": values,
    }
    return _update(bucket, update)


def _queue(bucket: str, rate: Rate, free_at: int) -> int:
    """Return when a refused caller should ask again: each at another time, so that few are refused twice.

    `queued_until` is the time after the last one's. It promises nothing: the bucket decides when they ask.
    """
    latest = dynamodb.typed(free_at + _QUEUE_SECONDS * _SECOND)
    interval, free = dynamodb.typed(rate.interval), dynamodb.typed(free_at)
    behind = {
        "UpdateExpression": "SET queued_until = queued_until + :interval",
        "ConditionExpression": "queued_until BETWEEN :free AND :latest",
        "ExpressionAttributeValues": {":interval": interval, ":free": free, ":latest": latest},
    }
    first = {
        "UpdateExpression": "SET queued_until = :next",
        "ConditionExpression": (
            "attribute_not_exists(queued_until) OR NOT queued_until BETWEEN :free AND :latest"
        ),
        "ExpressionAttributeValues": {
            ":next": dynamodb.typed(free_at + rate.interval),
            ":free": free,
            ":latest": latest,
        },
    }
    if (values := _change(bucket, behind)) is not None:
        return int(values["queued_until"]["N"]) - rate.interval
    _change(bucket, first)
    return free_at


def _update(bucket: str, update: dict[str, Any]) -> bool:
    """Send an update. Returns False if its condition failed."""
    return _change(bucket, update) is not None


def _change(bucket: str, update: dict[str, Any]) -> dict[str, Any] | None:
    """Send an update and return the new values, None if its condition failed."""
    key = {"TableName": dynamodb.table(), "Key": dynamodb.key(f"rate#{bucket}", "bucket")}
    try:
        answer = rpc.call("dynamodb", "UpdateItem", key | update | {"ReturnValues": "UPDATED_NEW"})
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return None
    return dict(answer["Attributes"])


def _find(bucket: str, at: datetime) -> dict[str, int]:
    return dynamodb.find(f"rate#{bucket}", "bucket", at.timestamp()) or {}


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * _SECOND)


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / _SECOND, UTC)
