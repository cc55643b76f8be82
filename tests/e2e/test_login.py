"""Login and connection through the stand-in for Google, with real cookies, secrets and policies."""

import json
import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.contract import policies

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def through_google(api: httpx.Client, provider: str, email: str) -> httpx.Response:
    """A dashboard and the person who uses it."""
    started = api.get(f"/auth/oauth/{provider}/start").raise_for_status()
    # Browsers store Secure cookies of loopback addresses, httpx does not.
    cookie = started.headers["set-cookie"].partition(";")[0]
    page = httpx.get(started.json()["authorization_url"]).raise_for_status()
    assert "Choose an account" in page.text
    back = httpx.get(
        f"{started.json()['authorization_url']}&{urlencode({'as': email})}", follow_redirects=False
    ).headers["location"]
    returned = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    return api.post(
        f"/auth/oauth/{provider}",
        json={"code": returned["code"], "state": returned["state"]},
        headers={"cookie": cookie},
    )


def test_somebody_logs_in_with_google_and_connects_a_youtube_account(stack: Any) -> None:
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    with httpx.Client(base_url=f"{stack.address('PLATFORM')}/api/v1", timeout=60) as api:
        pair = through_google(api, "google", email).raise_for_status().json()
        api.headers["authorization"] = f"Bearer {pair['access_token']}"

        connected = through_google(api, "youtube", email).raise_for_status().json()["connection"]

        assert api.get("/users/me").json()["user"]["verified"] is True
    table = next(
        name for name in stack.aws("dynamodb").list_tables()["TableNames"] if name.endswith("-state")
    )
    item = stack.aws("dynamodb").get_item(
        TableName=table, Key={"pk": {"S": f"connection#{connected['id']}"}, "sk": {"S": "tokens"}}
    )["Item"]
    assert b"1//" not in item["refresh_token"]["B"]
    stacks = policies.Stacks({"Stage": "local", "PlatformUrl": stack.address("PLATFORM")}, stack.resources())
    callers = json.loads((stack.home / "engine" / "callers.json").read_text())
    calls = policies.read(stack.calls)
    assert {
        "ssm:GetParameters",
        "kms:GenerateDataKey",
        "dynamodb:PutItem",
    } <= policies.used(calls, callers, stacks)["accounts"]
    assert policies.faults(calls, callers, stacks) == []
