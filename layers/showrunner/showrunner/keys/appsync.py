"""API keys of the stage's AppSync API, whose id is the template's parameter AppSyncApiId.

https://docs.aws.amazon.com/appsync/latest/APIReference/API_CreateApiKey.html: a key's id is the secret
itself, it lives for 365 days at most, and AppSync rounds its end down to the hour. A stage without an
AppSync API has the setting "none", and skips all of this.
"""

import json
import time
from collections.abc import Collection
from typing import Any

from showrunner import config
from showrunner.aws import sdk
from showrunner.errors import Conflict, CredentialRejected, PlatformUnavailable
from showrunner.keys.inventory import APPSYNC, is_configured
from showrunner.platforms.http import Sender

_DAY = 86_400
# An hour less than the most, because clocks differ and AppSync counts from its own.
LIFE_SECONDS = 365 * _DAY - 3600
# A key is replaced this long before its end.
RENEW_DAYS = 30
SECONDS = 10
MOST_BYTES = 65_536


def create(rotation_id: str) -> str:
    """Return the rotation's new key. A repeat finds the key that a killed call has made."""
    description = f"{_prefix()}{rotation_id}"
    for key in _listed():
        if key.get("description") == description:
            return str(key["id"])
    made = sdk.client("appsync").create_api_key(
        apiId=_api(), description=description, expires=int(time.time()) + LIFE_SECONDS
    )
    return str(made["apiKey"]["id"])


def test(key: str) -> None:
    """Ask the API for the name of its query type. Raises CredentialRejected if it refuses the key."""
    if days_left(key) < 1:
        raise CredentialRejected("AppSync does not know the new key, or it ends within a day.")
    address = config.setting("APPSYNC_URL", "none")
    if address == "none":
        address = sdk.client("appsync").get_graphql_api(apiId=_api())["graphqlApi"]["uris"]["GRAPHQL"]
    headers = {"x-api-key": key, "Content-Type": "application/json"}
    sender = Sender("AppSync", SECONDS, MOST_BYTES)
    query = json.dumps({"query": "{ __typename }"})
    status = sender.send("POST", address, body=query, headers=headers, status_only=True).status
    if status in (401, 403):
        raise CredentialRejected(f"AppSync refuses the new key ({status}): the old one stays in use.")
    if status >= 500 or status == 429:
        raise PlatformUnavailable(f"AppSync answers {status} and says nothing about the new key.")


def days_left(key: str) -> float:
    """Return in how many days the key ends, 0 if AppSync does not have it."""
    ends = {each["id"]: int(each["expires"]) for each in _listed()}
    return float(max(0.0, (ends.get(key, 0) - time.time()) / _DAY))


def delete_others(kept: Collection[str]) -> int:
    """Delete the keys that this stage has made, but for those `kept`; return how many.

    Keys that somebody else has made for the API have another description and stay.
    """
    old = [
        each["id"]
        for each in _listed()
        if each["id"] not in kept and str(each.get("description", "")).startswith(_prefix())
    ]
    for key in old:
        sdk.client("appsync").delete_api_key(apiId=_api(), id=key)
    return len(old)


def _listed() -> list[dict[str, Any]]:
    """Return all API keys of the API, each with id, description and expires (epoch seconds)."""
    found: list[dict[str, Any]] = []
    for page in sdk.client("appsync").get_paginator("list_api_keys").paginate(apiId=_api()):
        found += page["apiKeys"]
    return found


def _api() -> str:
    if not is_configured(APPSYNC):
        raise Conflict(
            "This stage has no AppSync API: set the parameter AppSyncApiId.", code="NOT_CONFIGURED"
        )
    return config.setting("APPSYNC_API_ID", "none")


def _prefix() -> str:
    return f"showrunner {config.setting('STAGE')} rotation "
