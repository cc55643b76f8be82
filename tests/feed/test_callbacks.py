"""The receiver of the hub's calls: verifications, signatures, sizes, and what it queues."""

import base64
import gzip
import hashlib
import hmac
import json
import subprocess
import sys
import time

import pytest
from cryptography.exceptions import InvalidTag

from showrunner.aws import dynamodb, sigv4
from showrunner.database import db
from showrunner.feed import callbacks
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, OTHER, TOPIC, atom, http

SECRET = "my-webhook-secret"


@pytest.fixture
def subscription(world):
    status, body = world.api(
        "POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": CALLBACK, "secret": SECRET}
    )
    assert status == 201
    [job] = world.take("HUB_QUEUE_URL")
    return {**body, "path": f"/webhook/{job['token']}", "token": job["token"]}


def verification(mode="subscribe", topic=TOPIC, challenge="16832595826105906514", lease="432000"):
    return {"hub.mode": mode, "hub.topic": topic, "hub.challenge": challenge, "hub.lease_seconds": lease}


def signature(body, algorithm="sha1", secret=SECRET):
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


def test_an_expected_verification_is_echoed_and_activates_the_subscription(world, subscription):
    answer = world.webhook("GET", subscription["path"], query=verification(lease="86400"))
    assert (answer["statusCode"], answer["body"]) == (200, "16832595826105906514")
    assert answer["headers"]["content-type"].startswith("text/plain")
    world.drain()
    _, body = world.api("GET", f"/api/v1/subscriptions/{subscription['id']}")
    assert (body["status"], body["lease_seconds"]) == ("active", 86400)
    assert "secret" not in body


@pytest.mark.parametrize(
    "topic",
    [
        TOPIC,
        TOPIC.replace("/xml", ""),
        TOPIC.replace("https", "http"),
        TOPIC.replace("?channel_id=", "%3Fchannel_id%3D"),
    ],
)
def test_both_forms_of_the_topic_are_accepted_even_encoded_twice(world, subscription, topic):
    assert world.webhook("GET", subscription["path"], query=verification(topic=topic))["statusCode"] == 200


@pytest.mark.parametrize(
    "query",
    [
        verification(topic=TOPIC.replace(CHANNEL, OTHER)),
        verification(topic="https://www.youtube.com.evil.example/xml/feeds/videos.xml?channel_id=" + CHANNEL),
        verification(topic=TOPIC + "&x=1"),
        verification(topic=""),
        verification(mode="unsubscribe"),
        verification(mode="publish"),
        verification(challenge=""),
        verification(challenge="x" * 3000),
        verification(lease="soon"),
        verification(lease="-1"),
        verification(lease="0"),
        {},
    ],
)
def test_an_unexpected_verification_is_404(world, subscription, query):
    assert world.webhook("GET", subscription["path"], query=query)["statusCode"] == 404
    assert world.take("NOTIFICATIONS_QUEUE_URL") == []


@pytest.mark.parametrize(
    "path",
    [
        "/webhook",
        "/webhook/",
        "/webhook/" + "x" * 43,
        "/webhook/../x",
        "/api/v1/webhooks/youtube",
        "/webhook/" + "é" * 43,
    ],
)
def test_an_unknown_callback_is_404(world, path):
    assert world.webhook("GET", path, query=verification())["statusCode"] == 404
    assert world.webhook("POST", path, atom())["statusCode"] == 404


@pytest.mark.parametrize(
    "challenge", ["<script>alert(1)</script>", "a\r\nset-cookie: x=1", "ünï", "%00", " ", "{}"]
)
def test_any_challenge_is_echoed_as_plain_text(world, subscription, challenge):
    answer = world.webhook("GET", subscription["path"], query=verification(challenge=challenge))
    assert (answer["statusCode"], answer["body"]) == (200, challenge)
    assert answer["headers"]["content-type"] == "text/plain; charset=utf-8"
    assert answer["headers"]["x-content-type-options"] == "nosniff"


def test_a_verification_without_a_challenge_is_404(world, subscription):
    query = verification()
    del query["hub.challenge"]
    assert world.webhook("GET", subscription["path"], query=query)["statusCode"] == 404


@pytest.mark.parametrize(
    ("lease", "kept"), [("1", 60), ("864000", 864_000), ("31536000", 864_000), ("99999999999", 864_000)]
)
def test_a_granted_lease_is_stored_between_a_minute_and_ten_days(world, subscription, lease, kept):
    assert world.webhook("GET", subscription["path"], query=verification(lease=lease))["statusCode"] == 200
    world.drain()
    assert world.api("GET", f"/api/v1/subscriptions/{subscription['id']}")[1]["lease_seconds"] == kept


@pytest.mark.parametrize("lease", ["1e9", "0x10", "٣", "1.5", " 5", "+5", "9" * 13, ""])
def test_an_invalid_lease_is_404(world, subscription, lease):
    assert world.webhook("GET", subscription["path"], query=verification(lease=lease))["statusCode"] == 404


def test_a_verification_without_a_lease_grants_the_requested_one(world, subscription):
    query = verification()
    del query["hub.lease_seconds"]
    assert world.webhook("GET", subscription["path"], query=query)["statusCode"] == 200
    [run] = world.take("NOTIFICATIONS_QUEUE_URL")
    assert run["lease_seconds"] == 432_000


def test_a_repeated_verification_is_echoed_again(world, subscription):
    """A hub that did not receive the first answer asks again."""
    for _ in range(2):
        assert world.webhook("GET", subscription["path"], query=verification())["statusCode"] == 200
    world.drain()
    assert world.api("GET", f"/api/v1/subscriptions/{subscription['id']}")[1]["status"] == "active"


@pytest.fixture
def neighbour(world, subscription):
    """Create a subscription of another channel with another secret."""
    world.api(
        "POST",
        "/api/v1/subscriptions",
        {"channel_id": OTHER, "callback_url": CALLBACK, "secret": "the-neighbours-secret"},
    )
    [job] = world.take("HUB_QUEUE_URL")
    return f"/webhook/{job['token']}"


def test_a_callback_accepts_only_its_own_subscription(world, subscription, neighbour):
    body = atom()
    assert world.webhook("GET", neighbour, query=verification())["statusCode"] == 404
    assert world.webhook("POST", neighbour, body, x_hub_signature=signature(body))["statusCode"] == 403
    assert world.take("NOTIFICATIONS_QUEUE_URL") == []


def test_a_signed_notification_of_another_channel_is_set_aside(world, subscription, neighbour):
    body = atom()
    assert (
        world.webhook(
            "POST", neighbour, body, x_hub_signature=signature(body, secret="the-neighbours-secret")
        )["statusCode"]
        == 202
    )
    world.drain()
    [event] = world.api("GET", "/api/v1/webhook-events")[1]["webhook_events"]
    assert "another channel" in event["processing_error"]
    assert world.api("GET", "/api/v1/videos")[1]["count"] == 0


def test_a_replayed_notification_is_recorded_as_a_repeat(world, subscription):
    body = atom()
    for _ in range(3):
        assert (
            world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body))["statusCode"]
            == 202
        )
    world.drain()
    assert [
        event["repeat_of"] is None
        for event in world.api("GET", "/api/v1/webhook-events", query={"order": "asc"})[1]["webhook_events"]
    ] == [
        True,
        False,
        False,
    ]
    assert world.api("GET", "/api/v1/video-updates")[1]["count"] == 1


def test_the_signature_covers_the_received_bytes_even_compressed_ones(world, subscription):
    body = gzip.compress(atom())
    assert (
        world.webhook(
            "POST", subscription["path"], body, x_hub_signature=signature(atom()), content_encoding="gzip"
        )["statusCode"]
        == 403
    )
    assert (
        world.webhook(
            "POST", subscription["path"], body, x_hub_signature=signature(body), content_encoding="gzip"
        )["statusCode"]
        == 202
    )
    world.drain()
    [event] = world.api("GET", "/api/v1/webhook-events")[1]["webhook_events"]
    assert "well-formed" in event["processing_error"]


def test_a_wrong_content_length_changes_nothing(world, subscription):
    body = atom()
    for length in ("0", "99999999999", "-1", "x"):
        assert (
            world.webhook(
                "POST", subscription["path"], body, x_hub_signature=signature(body), content_length=length
            )["statusCode"]
            == 202
        )


def test_an_empty_notification_is_set_aside(world, subscription):
    assert world.webhook("POST", subscription["path"], x_hub_signature=signature(b""))["statusCode"] == 202
    world.drain()
    assert world.api("GET", "/api/v1/webhook-events", query={"processed": "false"})[1]["count"] == 1


def test_an_expired_subscription_request_is_not_verified(world, subscription):
    callback = callbacks.find(subscription["token"])
    assert callback.expects("subscribe", time.time())
    assert not callback.expects("subscribe", callback.asked_until + 1)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signed_notification_is_queued_unchanged(world, subscription, algorithm):
    body = atom()
    assert (
        world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body, algorithm))[
            "statusCode"
        ]
        == 202
    )
    [message] = world.take("NOTIFICATIONS_QUEUE_URL")
    assert base64.b64decode(message["body"]) == body
    assert (message["channel_id"], message["subscription_id"]) == (CHANNEL, subscription["id"])


@pytest.mark.parametrize(
    "given",
    [
        "",
        "sha1=",
        "sha1",
        "=",
        "md5=" + "0" * 32,
        "sha1=" + "0" * 40,
        "sha1=" + "zz" * 20,
        "sha512=" + hmac.new(SECRET.encode(), atom(), "sha1").hexdigest(),
        signature(atom(), secret="another"),
        signature(atom(title="another body")),
        signature(atom())[:-1],
        signature(atom()) + ",sha1=" + "0" * 40,
        "sha1=" + "é" * 40,
        signature(atom()) + ", " + signature(atom()),
        "sha1 =" + signature(atom())[5:],
        "sha1=0x" + signature(atom())[5:],
        "sha1=" + base64.b64encode(hmac.new(SECRET.encode(), atom(), "sha1").digest()).decode(),
        "sha256=" + signature(atom())[5:],
        "sha1=" + signature(atom(), "sha256")[7:],
        "sha-1=" + signature(atom())[5:],
        signature(atom())[5:],
        signature(b""),
        signature(atom(), secret=""),
        "SHA224=" + hmac.new(SECRET.encode(), atom(), "sha224").hexdigest(),
    ],
)
def test_a_bad_or_missing_signature_is_refused_and_changes_nothing(world, subscription, given):
    headers = {"x_hub_signature": given} if given else {}
    assert world.webhook("POST", subscription["path"], atom(), **headers)["statusCode"] == 403
    assert world.take("NOTIFICATIONS_QUEUE_URL") == []


def test_a_signature_in_upper_case_is_accepted(world, subscription):
    body = atom()
    assert (
        world.webhook(
            "POST", subscription["path"], body, x_hub_signature="SHA1=" + signature(body)[5:].upper()
        )["statusCode"]
        == 202
    )


def test_without_a_secret_the_callback_token_is_enough(world):
    wanted = {"channel_id": CHANNEL, "callback_url": CALLBACK, "secret": None}
    assert world.api("POST", "/api/v1/subscriptions", wanted)[1]["secret"] is None
    [job] = world.take("HUB_QUEUE_URL")
    assert world.webhook("POST", f"/webhook/{job['token']}", atom())["statusCode"] == 202


def test_a_subscription_has_a_secret_unless_it_is_declined(world):
    wanted = {"channel_id": CHANNEL, "callback_url": CALLBACK}
    _, body = world.api("POST", "/api/v1/subscriptions", wanted)
    [job] = world.take("HUB_QUEUE_URL")
    subscription = {**body, "path": f"/webhook/{job['token']}"}

    assert len(body["secret"]) == 43
    assert (push(world, subscription), push(world, subscription, body["secret"])) == (403, 202)
    assert "secret" not in world.api("GET", f"/api/v1/subscriptions/{body['id']}")[1]


def test_the_old_and_the_new_secret_are_valid_during_a_change(world, subscription):
    world.api("POST", f"/api/v1/subscriptions/{subscription['id']}/renew", {"secret": "the-new-one"})
    body = atom()
    for secret in (SECRET, "the-new-one"):
        assert (
            world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body, secret=secret))[
                "statusCode"
            ]
            == 202
        )
    assert (
        world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body, secret="third"))[
            "statusCode"
        ]
        == 403
    )


def push(world, subscription, secret=None):
    body = atom()
    headers = {"x_hub_signature": signature(body, secret=secret)} if secret else {}
    return world.webhook("POST", subscription["path"], body, **headers)["statusCode"]


def rotate(world, subscription, secret):
    assert (
        world.api("POST", f"/api/v1/subscriptions/{subscription['id']}/renew", {"secret": secret})[0] == 200
    )


def verify(world, subscription):
    assert world.webhook("GET", subscription["path"], query=verification())["statusCode"] == 200
    world.drain()


def test_a_first_secret_is_required_only_after_the_hub_verified_it(world, monkeypatch):
    monkeypatch.setattr(callbacks, "OVERLAP_SECONDS", 0)  # the 15 minutes pass at once
    unsigned = {"channel_id": CHANNEL, "callback_url": CALLBACK, "secret": None}
    _, body = world.api("POST", "/api/v1/subscriptions", unsigned)
    [job] = world.take("HUB_QUEUE_URL")
    subscription = {**body, "path": f"/webhook/{job['token']}"}
    verify(world, subscription)
    rotate(world, subscription, SECRET)
    assert (
        push(world, subscription),
        push(world, subscription, SECRET),
        push(world, subscription, "another"),
    ) == (202, 202, 403)
    verify(world, subscription)
    assert (
        push(world, subscription),
        push(world, subscription, SECRET),
        push(world, subscription, "another"),
    ) == (403, 202, 403)


def test_the_verified_secret_stays_valid_through_several_changes(world, subscription):
    verify(world, subscription)
    for secret in ("second", "third", "fourth"):
        rotate(world, subscription, secret)
        assert (
            push(world, subscription, SECRET),
            push(world, subscription, secret),
            push(world, subscription),
        ) == (202, 202, 403)


def test_an_old_secret_expires_15_minutes_after_the_next_is_verified(world, subscription, tx, monkeypatch):
    verify(world, subscription)
    rotate(world, subscription, "second")
    verify(world, subscription)
    assert (push(world, subscription, SECRET), push(world, subscription, "second")) == (202, 202)
    assert (
        db.value(tx, "SELECT previous_secret FROM feed.subscriptions WHERE id = :id", id=subscription["id"])
        is None
    )
    rotate(world, subscription, "third")
    monkeypatch.setattr(callbacks, "OVERLAP_SECONDS", 0)  # the 15 minutes pass at once
    verify(world, subscription)
    assert [push(world, subscription, secret) for secret in (SECRET, "second", "third")] == [403, 403, 202]


def test_a_late_verification_of_an_older_request_keeps_the_old_secret(world, subscription, monkeypatch):
    monkeypatch.setattr(callbacks, "OVERLAP_SECONDS", 0)  # the 15 minutes pass at once
    assert world.webhook("GET", subscription["path"], query=verification())["statusCode"] == 200
    rotate(world, subscription, "second")
    world.drain()
    assert (push(world, subscription, SECRET), push(world, subscription, "second")) == (202, 202)


def test_the_secret_is_encrypted_in_the_state_table(world, subscription):
    item = dynamodb.find(f"websub#{subscription['token']}", "subscription")
    assert SECRET.encode() not in item["secret"]
    assert callbacks.opened([item["secret"]], subscription["token"]) == [SECRET.encode()]


def test_an_encrypted_secret_of_another_subscription_cannot_be_decrypted(world, subscription):
    item = dynamodb.find(f"websub#{subscription['token']}", "subscription")
    with pytest.raises(InvalidTag):
        callbacks.opened([item["secret"]], "another-token")


@pytest.mark.parametrize(("size", "status"), [(262_144, 202), (262_145, 413), (9_000_000, 413)])
def test_a_notification_over_256_kib_is_refused(world, subscription, size, status):
    body = atom() + b" " * (size - len(atom()))
    answer = world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body))
    assert answer["statusCode"] == status


def test_a_body_that_is_neither_base64_nor_text_is_400(world, subscription):
    event = http("POST", subscription["path"], b"x")
    from functions.websub import app

    event["body"] = "%%%"
    assert app.handler(event, None)["statusCode"] == 400


def test_other_methods_are_405(world, subscription):
    answer = world.webhook("PUT", subscription["path"], b"")
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "GET, POST")


def test_a_denial_fails_the_subscription_with_its_reason(world, subscription):
    query = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "Restricted topic"}
    assert world.webhook("GET", subscription["path"], query=query)["statusCode"] == 200
    world.drain()
    _, body = world.api("GET", f"/api/v1/subscriptions/{subscription['id']}")
    assert (body["status"], body["failure"]) == ("failed", "denied: Restricted topic")


def test_control_characters_are_removed_from_a_reason(world, subscription):
    query = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "no\0\x1b[31m\r\nway\ud800"}
    assert world.webhook("GET", subscription["path"], query=query)["statusCode"] == 200
    world.drain()
    assert world.take("NOTIFICATIONS_DEAD_URL") == []
    assert (
        world.api("GET", f"/api/v1/subscriptions/{subscription['id']}")[1]["failure"] == "denied: no [31m way"
    )


def test_after_unsubscribing_only_the_unsubscription_is_verified(world, subscription):
    assert world.api("DELETE", f"/api/v1/subscriptions/{subscription['id']}")[0] == 204
    body = atom()
    assert (
        world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body))["statusCode"]
        == 410
    )
    assert world.webhook("GET", subscription["path"], query=verification())["statusCode"] == 404
    assert (
        world.webhook("GET", subscription["path"], query=verification("unsubscribe"))["body"]
        == "16832595826105906514"
    )
    assert world.take("NOTIFICATIONS_QUEUE_URL") == []


def test_a_failing_queue_is_a_503_so_that_the_hub_retries(world, subscription, monkeypatch):
    monkeypatch.setenv("NOTIFICATIONS_QUEUE_URL", "http://127.0.0.1:1/none")
    body = atom()
    answer = world.webhook("POST", subscription["path"], body, x_hub_signature=signature(body))
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"]


def test_a_refusal_of_aws_is_in_the_log_and_not_in_the_response(world, monkeypatch, caplog):
    """AWS names the account, the role and the table; hubs and everybody else can call this."""
    monkeypatch.setenv("STATE_TABLE", "nobody-made-this-table")

    answer = world.webhook("POST", f"/webhook/{'x' * 43}", b"")

    assert (answer["statusCode"], json.loads(answer["body"])["message"]) == (503, "try again later")
    assert answer["headers"]["x-content-type-options"] == "nosniff"
    assert "ResourceNotFound" in caplog.records[-1].reason


def test_our_sigv4_signature_equals_botocores():
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    body = b'{"TableName":"x"}'
    now = time.gmtime()
    mine = sigv4.headers(sigv4.SERVICES["dynamodb"], "GetItem", "dynamodb.us-east-1.amazonaws.com", body, now)
    request = botocore.awsrequest.AWSRequest(
        "POST",
        "https://dynamodb.us-east-1.amazonaws.com/",
        data=body,
        headers={"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"},
    )
    request.context["timestamp"] = mine["x-amz-date"]
    signer = botocore.auth.SigV4Auth(
        botocore.credentials.Credentials("test", "test"), "dynamodb", "us-east-1"
    )
    request.headers["X-Amz-Date"] = mine["x-amz-date"]
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    assert mine["authorization"].endswith(f"Signature={expected}")


def test_the_receiver_imports_no_heavy_package():
    code = """
import sys; sys.path[:0] = ['layers/showrunner', 'functions/websub', '.']
import app
heavy = {'boto3', 'botocore.session', 'pydantic', 'pg8000', 'requests', 'googleapiclient',
         'aws_xray_sdk', 'feedparser',
         'showrunner.database.db', 'showrunner.web.application'}
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_api_keys_are_never_shown_in_full(world):
    assert KEY not in str(world.api("GET", "/api/v1/subscriptions"))
    assert hashlib.sha256(KEY.encode()).hexdigest() not in str(world.api("GET", "/api/v1/subscriptions"))
