"""Count the daily quotas of foreign platforms in the state table: reserve before a call, settle after it."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from showrunner.aws import dynamodb, rpc
from showrunner.errors import QuotaExceeded

# ------------------------------------------------------------------------------------------------ Quotas


# https://developers.google.com/youtube/v3/determine_quota_cost: no bucket holds more in a day.
ALL_UNITS = 10_000
# Google's days begin with ours but for its clocks: a refusal so soon may be of the day before, and stops us for minutes only.
FRESH_SECONDS = 1800
PAUSED_SECONDS = 300


def pacific_day(now: datetime) -> str:
    """The date in Los Angeles, where Google's quota days begin. By rule, since a function's file system need not have the zones' data."""
    year = now.year
    # Daylight time runs from the second Sunday of March, 2:00 standard, to the first Sunday of November, 2:00 daylight.
    begins = _sunday(year, 3, 2) + timedelta(hours=10)
    ends = _sunday(year, 11, 1) + timedelta(hours=9)
    return (now - timedelta(hours=7 if begins <= now < ends else 8)).date().isoformat()


def _sunday(year: int, month: int, which: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (which - 1))


def pacific_midnight(now: datetime) -> datetime:
    """When the quota day that holds `now` ends."""
    day = datetime.fromisoformat(pacific_day(now)).replace(tzinfo=UTC) + timedelta(days=1)
    return next(at for at in (day + timedelta(hours=7), day + timedelta(hours=8)) if pacific_day(at) == day.date().isoformat())


def next_attempt_at(now: datetime) -> datetime:
    """When who finds a day's quota spent may ask again: at its end, or in minutes while the day is fresh."""
    return now + timedelta(seconds=PAUSED_SECONDS) if _is_fresh(now) else pacific_midnight(now)


def _is_fresh(now: datetime) -> bool:
    return pacific_day(now - timedelta(seconds=FRESH_SECONDS)) != pacific_day(now)


def spend(project: str, bucket: str, units: int, limit: int, now: datetime | None = None) -> str:
    """Takes units from today's bucket before the call that costs them, refused calls included. The day they are of. Raises QuotaExceeded."""
    at = now or datetime.now(UTC)
    day, second = pacific_day(at), int(at.timestamp())
    update = {
        "UpdateExpression": "ADD used :units SET expires_at = if_not_exists(expires_at, :end)",
        "ConditionExpression": "(attribute_not_exists(used) OR used <= :most) AND (attribute_not_exists(paused_until) OR paused_until <= :now)",
        "ExpressionAttributeValues": {
            ":units": dynamodb.typed(units),
            ":most": dynamodb.typed(limit - units),
            ":end": dynamodb.typed(second + 3 * 86_400),
            ":now": dynamodb.typed(second),
        },
    }
    try:
        rpc.call("dynamodb", "UpdateItem", {"TableName": dynamodb.table(), "Key": _bucket(project, bucket, day), **update})
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        raise _spent(bucket, at) from error
    return day


class Ledger(NamedTuple):
    """A bucket of a platform's quota, of which its holder may take so many units a day: reserved before a call, settled by what it really cost.

    A call begun before midnight in Los Angeles may be answered after it: what is settled is the day that it was taken from.
    """

    project: str
    bucket: str
    limit: int

    def spend(self, units: int, now: datetime | None = None) -> str:
        """The day that they are of. Raises QuotaExceeded."""
        return spend(self.project, self.bucket, units, self.limit, now)

    def give_back(self, units: int, day: str) -> None:
        """The call never left."""
        self._settle(day, "ADD used :units", {":units": dynamodb.typed(-units)})

    def exhaust(self, day: str, now: datetime | None = None) -> QuotaExceeded:
        """The platform says that nothing is left, whatever we have counted: nobody else need hear that from it. What to tell the caller."""
        at = now or datetime.now(UTC)
        if day == pacific_day(at) and _is_fresh(at):
            self._settle(day, "SET paused_until = :until", {":until": dynamodb.typed(int(next_attempt_at(at).timestamp()))})
        else:
            self._settle(day, "SET used = :all", {":all": dynamodb.typed(ALL_UNITS)})
        return _spent(self.bucket, at)

    def _settle(self, day: str, update: str, values: dict[str, Any]) -> None:
        key = _bucket(self.project, self.bucket, day)
        rpc.call("dynamodb", "UpdateItem", {"TableName": dynamodb.table(), "Key": key, "UpdateExpression": update, "ExpressionAttributeValues": values})


def _bucket(project: str, bucket: str, day: str) -> dict[str, Any]:
    return dynamodb.key(f"quota#{project}#{day}", bucket)


def _spent(bucket: str, now: datetime) -> QuotaExceeded:
    return QuotaExceeded(f"Today's quota of {bucket} is spent.", next_attempt_at(now))


def spent(project: str, bucket: str, now: datetime | None = None) -> int:
    """Units taken today."""
    at = now or datetime.now(UTC)
    found = dynamodb.find(f"quota#{project}#{pacific_day(at)}", bucket, at.timestamp())
    return int(found.get("used", 0)) if found else 0
