"""The sample events of the ingestion functions: their handlers accept what `sam local invoke` sends."""

from functions.feed_hub import app as hub
from functions.feed_intake import app as notifications
from functions.feed_poll import app as poll
from functions.feed_schedule import app as subscriptions
from functions.websub import app as websub
from showrunner.database import db
from showrunner.feed import hub as asking
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, batch


def test_the_samples_of_the_api_are_answered(world, event):
    from functions.feed import app

    for name, header, value, status in (
        ("feed.subscribe", "x-api-key", KEY, 201),
        ("feed.videos", "authorization", f"Bearer {KEY}", 200),
    ):
        sample = event(name)
        sample["headers"][header] = value
        assert app.handler(sample, None)["statusCode"] == status


def test_the_samples_of_the_receiver_name_an_unknown_callback(world, event):
    assert websub.handler(event("websub.verification"), None)["statusCode"] == 404
    assert websub.handler(event("websub.notification"), None)["statusCode"] == 404


def test_the_sample_of_the_intake_is_processed(world, event, tx):
    assert notifications.handler(event("feed_intake.arrived"), None) == {"batchItemFailures": []}
    assert db.value(tx, "SELECT title FROM feed.videos") == "Title"


def test_the_sample_of_the_hub_function_names_a_removed_subscription(world, event):
    assert hub.handler(event("feed_hub.subscribe"), None) == {"batchItemFailures": []}


def test_a_failing_message_does_not_fail_its_batch(world, tx, monkeypatch):
    _, body = world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": CALLBACK})
    [job] = world.take("HUB_QUEUE_URL")
    monkeypatch.setenv("HUB_URL", "http://127.0.0.1:9/hub")
    asking.hub.cache_clear()

    answer = hub.handler(batch(["no JSON", {"mode": "subscribe"}, job]), None)

    asking.hub.cache_clear()
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["0", "1"]
    assert [each["subscription_id"] for each in world.take("NOTIFICATIONS_QUEUE_URL")] == [body["id"]]


def test_the_sample_of_the_poll_function_reports_what_failed(world, event, monkeypatch):
    from showrunner.aws import sdk, ssm

    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/youtube/api_key", Value="local", Type="SecureString", Overwrite=True
    )
    ssm.forget()
    poll.handler(event("feed_poll.channel"), None)
    [response] = world.take("NOTIFICATIONS_QUEUE_URL")
    assert response["error"]


def test_the_sample_of_the_schedule_finds_nothing_due(world, event):
    assert subscriptions.handler(event("feed_schedule.scheduled"), None) == {
        "asked": 0,
        "polled": 0,
        "enriched": 0,
    }
