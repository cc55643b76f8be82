"""The state table (DynamoDB), for functions without a database.

Every read checks the expiry again, since DynamoDB deletes late.

Items: pk names the kind and the key ("websub#<token>"), sk the part of it. Values are str, int, bytes, bool,
and sets of str that aren't empty. `expires_at` is in epoch seconds; without it an item stays.
"""

import base64
import time
from collections.abc import Mapping
from typing import Any

from showrunner import config
from showrunner.aws import rpc
from showrunner.errors import Conflict

type Value = str | int | bytes | bool | frozenset[str]


# ------------------------------------------------------------------------------------------------ Items


def find(pk: str, sk: str, now: float | None = None) -> dict[str, Any] | None:
    """Return the item's values, None if there is none or it has expired. The read is consistent."""
    answer = rpc.call(
        "dynamodb", "GetItem", {"TableName": table(), "Key": key(pk, sk), "ConsistentRead": True}
    )
    item = answer.get("Item")
    if item is None or (
        "expires_at" in item and int(item["expires_at"]["N"]) <= (time.time() if now is None else now)
    ):
        return None
    return _values(item)


def put(pk: str, sk: str, values: Mapping[str, Value | None], expires_at: float | None = None) -> None:
    """Replace the item. Values that are None are not stored."""
    rpc.call("dynamodb", "PutItem", {"TableName": table(), "Item": _item(pk, sk, values, expires_at)})


def put_if(
    condition: str,
    parameters: dict[str, Value],
    pk: str,
    sk: str,
    values: Mapping[str, Value | None],
    expires_at: float | None,
) -> bool:
    """Replace the item if `condition` (a DynamoDB condition expression) holds for the stored one. Atomic.

    Returns whether the item was replaced.
    """
    item = _item(pk, sk, values, expires_at)
    given = {f":{name}": typed(value) for name, value in parameters.items()}
    try:
        rpc.call(
            "dynamodb",
            "PutItem",
            {
                "TableName": table(),
                "Item": item,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": given,
            },
        )
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def remove(pk: str, sk: str) -> None:
    rpc.call("dynamodb", "DeleteItem", {"TableName": table(), "Key": key(pk, sk)})


def take(pk: str, sk: str, now: float | None = None) -> dict[str, Any] | None:
    """Remove the item and return its values, None if there is none or it has expired. Atomic."""
    request = {
        "TableName": table(),
        "Key": key(pk, sk),
        "ConditionExpression": (
            "attribute_exists(pk) AND (attribute_not_exists(expires_at) OR expires_at > :now)"
        ),
        "ExpressionAttributeValues": {":now": typed(int(time.time() if now is None else now))},
        "ReturnValues": "ALL_OLD",
    }
    try:
        return _values(rpc.call("dynamodb", "DeleteItem", request)["Attributes"])
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return None


def list_(pk: str, now: float | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return the items of a key that haven't expired, as (sk, values) in the order of sk."""
    at = time.time() if now is None else now
    request: dict[str, Any] = {
        "TableName": table(),
        "KeyConditionExpression": "pk = :pk",
        "ConsistentRead": True,
    }
    request["ExpressionAttributeValues"] = {":pk": typed(pk)}
    found: list[dict[str, Any]] = []
    while True:
        answer = rpc.call("dynamodb", "Query", request)
        found += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    alive = [item for item in found if "expires_at" not in item or int(item["expires_at"]["N"]) > at]
    return [(item["sk"]["S"], _values(item)) for item in alive]


def count(pk: str, sk: str, expires_at: float) -> int:
    """Add one to the item's counter, which expires, and return the new count."""
    request = {
        "TableName": table(),
        "Key": key(pk, sk),
        "UpdateExpression": "ADD counted :one SET expires_at = :end",
        "ExpressionAttributeValues": {":one": typed(1), ":end": typed(int(expires_at))},
        "ReturnValues": "UPDATED_NEW",
    }
    return int(rpc.call("dynamodb", "UpdateItem", request)["Attributes"]["counted"]["N"])


def extend(pk: str, sk: str, name: str, members: frozenset[str], most: int) -> None:
    """Add members to a set of an item. Atomic.

    Raises Conflict if the item is gone or the set could get too large.
    """
    request = _set_change(pk, sk, "ADD", name, members)
    request["ConditionExpression"] = (
        "attribute_exists(pk) AND (attribute_not_exists(#name) OR size(#name) <= :room)"
    )
    request["ExpressionAttributeValues"][":room"] = typed(most - len(members))
    try:
        rpc.call("dynamodb", "UpdateItem", request)
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        raise Conflict(f"No more than {most} {name} are possible at once.") from error


def reduce(pk: str, sk: str, name: str, members: frozenset[str]) -> None:
    """Remove members from a set of an item. Does nothing if the item is gone."""
    request = _set_change(pk, sk, "DELETE", name, members)
    request["ConditionExpression"] = "attribute_exists(pk)"
    try:
        rpc.call("dynamodb", "UpdateItem", request)
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise


def _set_change(pk: str, sk: str, verb: str, name: str, members: frozenset[str]) -> dict[str, Any]:
    change = {"UpdateExpression": f"{verb} #name :members", "ExpressionAttributeNames": {"#name": name}}
    return {
        "TableName": table(),
        "Key": key(pk, sk),
        **change,
        "ExpressionAttributeValues": {":members": typed(members)},
    }


def _item(pk: str, sk: str, values: Mapping[str, Value | None], expires_at: float | None) -> dict[str, Any]:
    item = {**key(pk, sk), **{name: typed(value) for name, value in values.items() if value is not None}}
    return item if expires_at is None else {**item, "expires_at": typed(int(expires_at))}


def _values(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(typed) for name, typed in item.items() if name not in ("pk", "sk", "expires_at")}


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def typed(value: Value) -> dict[str, Any]:
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


def table() -> str:
    return config.setting("STATE_TABLE")
