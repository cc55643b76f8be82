"""web/edge.py: who called, and that nobody goes around CloudFront."""

import json
import uuid

import pytest

from functions.feed import app as feed
from functions.websub import app as websub
from showrunner.aws import ssm
from showrunner.errors import Forbidden
from showrunner.web import edge
from tests.conftest import Client, payload

SECRET = "s" * 32
CLOUDFRONT, VIEWER = "198.51.100.7", "203.0.113.9"
THROUGH = {"x-origin-secret": SECRET, "x-viewer-address": VIEWER}


@pytest.fixture
def behind(aws, monkeypatch):
    """CloudFront is in front of the APIs."""
    monkeypatch.setenv("EDGE", "on")
    ssm.write("edge/origin_secret", SECRET)
    yield
    ssm.remove("edge/origin_secret")


def test_without_cloudfront_a_callers_own_headers_count_for_nothing(monkeypatch):
    monkeypatch.delenv("EDGE", raising=False)

    assert edge.caller_address(THROUGH, CLOUDFRONT) == CLOUDFRONT


def test_behind_cloudfront_the_address_is_the_viewers(behind):
    assert edge.caller_address(THROUGH, CLOUDFRONT) == VIEWER


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], "é", f"{SECRET},{SECRET}"])
def test_a_call_around_cloudfront_is_refused(behind, secret):
    headers = {"x-viewer-address": VIEWER} | ({} if secret is None else {"x-origin-secret": secret})

    with pytest.raises(Forbidden, match="public address"):
        edge.caller_address(headers, CLOUDFRONT)


def test_two_secrets_are_known_while_one_replaces_the_other(behind):
    ssm.write("edge/origin_secret", f"{SECRET},{'n' * 32}")

    for secret in (SECRET, "n" * 32):
        assert edge.caller_address({**THROUGH, "x-origin-secret": secret}, CLOUDFRONT) == VIEWER


def test_both_apis_and_the_callbacks_refuse_a_call_around_cloudfront(behind, tx):
    platform = Client()("GET", "/health")
    ingestion = feed.handler(payload("GET", "/health", {}, None), None)
    callback = websub.handler(payload("GET", f"/webhook/{'a' * 43}", {}, None), None)

    assert platform.status == ingestion["statusCode"] == callback["statusCode"] == 403
    assert SECRET not in json.dumps([platform.body, ingestion, callback])


def test_both_apis_and_the_callbacks_answer_through_cloudfront(behind, tx):
    assert Client()("GET", "/health", **THROUGH).status == 200
    assert feed.handler(payload("GET", "/health", THROUGH, None), None)["statusCode"] == 200
    callback = payload("GET", f"/webhook/{'a' * 43}", THROUGH, None)
    assert websub.handler(callback, None)["statusCode"] == 404


def test_limits_count_the_viewer_and_not_cloudfronts_server(behind, tx, signing_key):
    def register(viewer):
        person = {"email": f"{uuid.uuid4()}@example.com", "password": "Correct-horse-7", "full_name": "Ada"}
        headers = {**THROUGH, "x-viewer-address": viewer}
        return Client(address=CLOUDFRONT)("POST", "/api/v1/auth/register", person, **headers).status

    assert [register("203.0.113.1") for _ in range(6)] == [201] * 5 + [429]
    assert register("192.0.2.77") == 201
