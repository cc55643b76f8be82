"""The state table (DynamoDB): what functions without a database must know. Every read checks the expiry again, since DynamoDB deletes late.

Items: pk names the kind and the key ("websub#<token>"), sk the part of it. Values are str, int, bytes, bool, and sets of str that aren't empty.
`expires_at` is in epoch seconds; without it an item stays.
"""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from showrunner import config, signed
from showrunner.errors import Conflict, PlatformUnavailable, QuotaExceeded

type Value = str | int | bytes | bool | frozenset[str]

# ------------------------------------------------------------------------------------------------ Items


def find(pk: str, sk: str, now: float | None = None) -> dict[str, Any] | None:
    """The item's values, None when there is none or it has expired. Read consistently: what was written before is seen."""
    answer = signed.call("dynamodb", "GetItem", {"TableName": _table(), "Key": _key(pk, sk), "ConsistentRead": True})
    item = answer.get("Item")
    if item is None or ("expires_at" in item and int(item["expires_at"]["N"]) <= (time.time() if now is None else now)):
        return None
    return _values(item)


def put(pk: str, sk: str, values: Mapping[str, Value | None], expires_at: float | None = None) -> None:
    """Replaces the item. None is left out."""
    signed.call("dynamodb", "PutItem", {"TableName": _table(), "Item": _item(pk, sk, values, expires_at)})


def put_if(condition: str, parameters: dict[str, Value], pk: str, sk: str, values: Mapping[str, Value | None], expires_at: float | None) -> bool:
    """Replaces the item where the condition (an expression of DynamoDB's) holds for what is there, in one step. Whether it did."""
    item = _item(pk, sk, values, expires_at)
    given = {f":{name}": _typed(value) for name, value in parameters.items()}
    try:
        signed.call("dynamodb", "PutItem", {"TableName": _table(), "Item": item, "ConditionExpression": condition, "ExpressionAttributeValues": given})
    except signed.Refused as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def remove(pk: str, sk: str) -> None:
    signed.call("dynamodb", "DeleteItem", {"TableName": _table(), "Key": _key(pk, sk)})


def take(pk: str, sk: str, now: float | None = None) -> dict[str, Any] | None:
    """Removes the item and gives its values, None when there is none or it has expired. Of many who take it at once exactly one gets it."""
    request = {
        "TableName": _table(),
        "Key": _key(pk, sk),
        "ConditionExpression": "attribute_exists(pk) AND (attribute_not_exists(expires_at) OR expires_at > :now)",
        "ExpressionAttributeValues": {":now": _typed(int(time.time() if now is None else now))},
        "ReturnValues": "ALL_OLD",
    }
    try:
        return _values(signed.call("dynamodb", "DeleteItem", request)["Attributes"])
    except signed.Refused as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return None


def list_(pk: str, now: float | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Every item of a key that hasn't expired, as (sk, values) in the order of sk."""
    at = time.time() if now is None else now
    request: dict[str, Any] = {"TableName": _table(), "KeyConditionExpression": "pk = :pk", "ConsistentRead": True}
    request["ExpressionAttributeValues"] = {":pk": _typed(pk)}
    found: list[dict[str, Any]] = []
    while True:
        answer = signed.call("dynamodb", "Query", request)
        found += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    alive = [item for item in found if "expires_at" not in item or int(item["expires_at"]["N"]) > at]
    return [(item["sk"]["S"], _values(item)) for item in alive]


def count(pk: str, sk: str, expires_at: float) -> int:
    """One more of what the item counts until it expires; how many that makes."""
    request = {
        "TableName": _table(),
        "Key": _key(pk, sk),
        "UpdateExpression": "ADD counted :one SET expires_at = :end",
        "ExpressionAttributeValues": {":one": _typed(1), ":end": _typed(int(expires_at))},
        "ReturnValues": "UPDATED_NEW",
    }
    return int(signed.call("dynamodb", "UpdateItem", request)["Attributes"]["counted"]["N"])


def extend(pk: str, sk: str, name: str, members: frozenset[str], most: int) -> None:
    """Adds members to a set of an item, whatever others add at the same time. Raises Conflict when the item is gone or the set could get too large."""
    request = _set_change(pk, sk, "ADD", name, members)
    request["ConditionExpression"] = "attribute_exists(pk) AND (attribute_not_exists(#name) OR size(#name) <= :room)"
    request["ExpressionAttributeValues"][":room"] = _typed(most - len(members))
    try:
        signed.call("dynamodb", "UpdateItem", request)
    except signed.Refused as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        raise Conflict(f"No more than {most} {name} are possible at once.") from error


def reduce(pk: str, sk: str, name: str, members: frozenset[str]) -> None:
    """Takes members out of a set of an item; an item that is gone stays gone."""
    request = _set_change(pk, sk, "DELETE", name, members)
    request["ConditionExpression"] = "attribute_exists(pk)"
    try:
        signed.call("dynamodb", "UpdateItem", request)
    except signed.Refused as error:
        if error.code != "ConditionalCheckFailedException":
            raise


def _set_change(pk: str, sk: str, verb: str, name: str, members: frozenset[str]) -> dict[str, Any]:
    change = {"UpdateExpression": f"{verb} #name :members", "ExpressionAttributeNames": {"#name": name}}
    return {"TableName": _table(), "Key": _key(pk, sk), **change, "ExpressionAttributeValues": {":members": _typed(members)}}


def _item(pk: str, sk: str, values: Mapping[str, Value | None], expires_at: float | None) -> dict[str, Any]:
    item = {**_key(pk, sk), **{name: _typed(value) for name, value in values.items() if value is not None}}
    return item if expires_at is None else {**item, "expires_at": _typed(int(expires_at))}


def _values(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(typed) for name, typed in item.items() if name not in ("pk", "sk", "expires_at")}


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _typed(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case frozenset():
            return {"SS": sorted(value)}
    return {"S": value}


def _value(typed: dict[str, Any]) -> Value:
    kind, value = next(iter(typed.items()))
    if kind == "N":
        return int(value)
    if kind == "SS":
        return frozenset(value)
    return base64.b64decode(value) if kind == "B" else value


def _table() -> str:
    return config.setting("STATE_TABLE")


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


def comes_back(now: datetime) -> datetime:
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
        "ExpressionAttributeValues": {":units": _typed(units), ":most": _typed(limit - units), ":end": _typed(second + 3 * 86_400), ":now": _typed(second)},
    }
    try:
        signed.call("dynamodb", "UpdateItem", {"TableName": _table(), "Key": _bucket(project, bucket, day), **update})
    except signed.Refused as error:
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
        self._settle(day, "ADD used :units", {":units": _typed(-units)})

    def exhaust(self, day: str, now: datetime | None = None) -> QuotaExceeded:
        """The platform says that nothing is left, whatever we have counted: nobody else need hear that from it. What to tell the caller."""
        at = now or datetime.now(UTC)
        if day == pacific_day(at) and _is_fresh(at):
            self._settle(day, "SET paused_until = :until", {":until": _typed(int(comes_back(at).timestamp()))})
        else:
            self._settle(day, "SET used = :all", {":all": _typed(ALL_UNITS)})
        return _spent(self.bucket, at)

    def _settle(self, day: str, update: str, values: dict[str, Any]) -> None:
        key = _bucket(self.project, self.bucket, day)
        signed.call("dynamodb", "UpdateItem", {"TableName": _table(), "Key": key, "UpdateExpression": update, "ExpressionAttributeValues": values})


def _bucket(project: str, bucket: str, day: str) -> dict[str, Any]:
    return _key(f"quota#{project}#{day}", bucket)


def _spent(bucket: str, now: datetime) -> QuotaExceeded:
    return QuotaExceeded(f"Today's quota of {bucket} is spent.", comes_back(now))


def spent(project: str, bucket: str, now: datetime | None = None) -> int:
    """Units taken today."""
    at = now or datetime.now(UTC)
    found = find(f"quota#{project}#{pacific_day(at)}", bucket, at.timestamp())
    return int(found.get("used", 0)) if found else 0


# ------------------------------------------------------------------------------------------------ Breakers

# So many failures in a row, and nobody waits for the platform's timeout any more until the pause is over.
FAILURES = 5
PAUSE_SECONDS = 30


def check_breaker(platform: str, now: float | None = None) -> None:
    """Raises PlatformUnavailable while the platform is known to be down."""
    at = time.time() if now is None else now
    found = find(f"breaker#{platform}", "state", at)
    if found and found["failures"] >= FAILURES:
        raise PlatformUnavailable(f"{platform} has failed {FAILURES} times in a row: try again in {PAUSE_SECONDS} seconds.", PAUSE_SECONDS)


@contextmanager
def breaker(platform: str) -> Iterator[None]:
    """Calls of a platform whose caller waits: refused at once while it is known to be down, and counted."""
    check_breaker(platform)
    try:
        yield
    except PlatformUnavailable:
        note_outcome(platform, answered=False)
        raise
    note_outcome(platform, answered=True)


def note_outcome(platform: str, *, answered: bool, now: float | None = None) -> None:
    """Counts a failure; an answer closes the breaker. After the pause one failure more opens it again, because the count expires only then."""
    if answered:
        remove(f"breaker#{platform}", "state")
        return
    at = time.time() if now is None else now
    before = find(f"breaker#{platform}", "state", at)
    put(f"breaker#{platform}", "state", {"failures": (before["failures"] if before else 0) + 1}, at + PAUSE_SECONDS)
