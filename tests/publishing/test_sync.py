"""Reading a channel and its videos from YouTube, and the routes of its connection."""

import os

import pytest

from functions.publish import app as publish
from functions.upload import app as upload
from showrunner import quotas
from showrunner.aws import sdk
from showrunner.channels import sync
from showrunner.database import db
from showrunner.platforms import google
from tests.publishing.studio import Machine
from tests.publishing.test_faults import sent_emails


@pytest.fixture(autouse=True)
def machine_arn(monkeypatch, aws):
    monkeypatch.setenv("PUBLICATION_MACHINE_ARN", os.environ["PRODUCTION_MACHINE_ARN"])


@pytest.fixture
def published(studio):
    Machine(studio.order()).run()
    return studio


def run(studio, attempt=1, most=20):
    """Run the machine of a reading. Returns the seconds that it would have waited."""
    ids = {"channel_id": studio.channel_id, "organisation_id": studio.organisation_id, "attempt": attempt}
    state, waits = publish.handler({**ids, "step": "begin"}, None), []
    for _ in range(most):
        match state["do"]:
            case "work":
                state = upload.handler({**ids, **state}, None)
            case "wait":
                waits.append(state["wait_seconds"])
                state = {**state, "do": "work"}
            case "record":
                state = publish.handler({**ids, "step": "record", "next": state}, None)
            case "end":
                return waits
    raise AssertionError("the machine doesn't end")


def of_channel(studio, client):
    return client("GET", f"/api/v1/channels/{studio.channel_id}").body["youtube"]


def of_video(studio, client):
    return client("GET", f"/api/v1/videos/{studio.video_id}").body["video"]["publication"]


def ask(studio, client):
    return client("POST", f"/api/v1/channels/{studio.channel_id}/sync")


def test_a_channel_and_its_videos_are_read(published, client):
    world = published.world
    world.channels[published.youtube_channel_id] |= {"subscribers": 12, "views": 345, "videos": 6}
    published.uploaded()[0].views = 7

    response = ask(published, client)

    assert (response.status, response.body["status"], response.body["views"]) == (202, "running", None)
    name = f"sync-{published.channel_id}-1"
    machine = os.environ["PUBLICATION_MACHINE_ARN"]
    running = sdk.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert name in {each["name"] for each in running}
    before = world.spent
    run(published)
    assert world.spent - before == 2, "one unit for the channel, and one for up to 50 videos"
    assert quotas.spent_by_share("youtube")["metrics"] == 2
    read = of_channel(published, client)
    assert {name: read[name] for name in ("status", "title", "subscribers", "views", "videos", "error")} == {
        "status": "done", "title": "Depths", "subscribers": 12, "views": 345, "videos": 6, "error": None,
    }  # fmt: skip
    shown = of_video(published, client)["shown"]
    assert (shown["privacy"], shown["upload_status"], shown["views"]) == ("unlisted", "processed", 7)


def test_hidden_figures_are_null(published, client):
    ask(published, client)
    run(published)

    assert of_channel(published, client)["subscribers"] is None


def test_a_running_or_fresh_reading_is_not_repeated(published, client):
    answers = [ask(published, client) for _ in range(2)]
    run(published)
    answers.append(ask(published, client))

    assert [each.status for each in answers] == [202] * 3
    assert (answers[1].body, answers[2].body["status"]) == (answers[0].body, "done")
    assert quotas.spent_by_share("youtube")["metrics"] == 2


def test_a_video_that_was_deleted_on_youtube_is_a_problem_until_it_is_back(published, client):
    library = published.library
    [video] = library.videos.values()
    del library.videos[video.id]
    ask(published, client)
    run(published)

    gone = of_video(published, client)
    assert ([each["code"] for each in gone["problems"]], gone["shown"]) == (["GONE"], None)

    library.videos[video.id] = video
    expire(published)
    ask(published, client)
    run(published, attempt=2)

    assert of_video(published, client)["problems"] == []


def expire(studio):
    """Let the last reading be an hour old."""
    db.run(
        studio.tx,
        "UPDATE studio.channel_syncs SET begun_at = begun_at - interval '1 hour' WHERE channel_id = :id",
        id=studio.channel_id,
    )


def test_more_videos_than_a_page_has_are_read_page_by_page(published, client, monkeypatch):
    monkeypatch.setattr(sync, "IDS_A_UNIT", 2)
    for number in range(4):
        db.run(
            published.tx,
            """
            WITH video AS (
                INSERT INTO studio.videos (organisation_id, channel_id, request)
                SELECT organisation_id, id, '{}' FROM studio.channels WHERE id = :id RETURNING *)
            INSERT INTO studio.publications
                   (video_id, organisation_id, channel_id, is_open, metadata, youtube_video_id)
            SELECT id, organisation_id, channel_id, false, '{"privacy": "public"}', :youtube FROM video
            """,
            id=published.channel_id,
            youtube=f"gone{number}",
        )
    ask(published, client)

    run(published)

    count = "SELECT count(*) FROM studio.publications WHERE channel_id = :id AND shown_at IS NOT NULL"
    assert db.value(published.tx, count, id=published.channel_id) == 5
    assert quotas.spent_by_share("youtube")["metrics"] == 1 + 3


def test_a_spent_share_refuses_the_reading_with_the_time_of_its_renewal(published, client, monkeypatch):
    monkeypatch.setattr(quotas, "is_shared_time", lambda now: False)
    quotas.spend("youtube", "general", quotas.SHARES["metrics"], quotas.ALL_UNITS, share="metrics")

    response = ask(published, client)

    assert (response.status, response.body["error"]["code"]) == (429, "QUOTA_EXCEEDED")
    assert int(response.headers["retry-after"]) > 0
    assert of_channel(published, client) is None, "nothing has begun"


def test_a_busy_youtube_is_asked_again_and_then_reported(published, client):
    published.library.add_faults([{"on": "channels.list", "kind": "status", "status": 503, "times": 2}])
    ask(published, client)
    assert run(published) == [2, 4]

    published.library.add_faults([{"on": "channels.list", "kind": "status", "status": 503, "times": 6}])
    expire(published)
    ask(published, client)
    run(published, attempt=2)

    failed = of_channel(published, client)
    assert (failed["status"], "Try again later" in failed["error"], failed["title"]) == (
        "failed",
        True,
        "Depths",
    ), "the figures of the reading before stay"


def test_an_account_that_owns_the_channel_no_more_is_reported(published, client):
    published.world.channels["UC" + "z" * 22] = {"title": "Other", "handle": "other"}
    published.world.owned["ada@example.com"] = ["UC" + "z" * 22]
    ask(published, client)
    run(published)

    assert "doesn't own this YouTube channel" in of_channel(published, client)["error"]


def test_a_withdrawn_permission_ends_the_reading_and_is_told(published, client):
    published.world.sign_ins.refresh_tokens.clear()
    published.expire_tokens()
    before = len(sent_emails())
    ask(published, client)
    run(published)

    shown = client("GET", f"/api/v1/channels/{published.channel_id}/connect-youtube").body
    assert (shown["state"], of_channel(published, client)["status"]) == ("lost", "failed")
    assert ask(published, client).status == 409
    assert len(sent_emails()) == before, "the fixture's connection was made by nobody"


def test_a_machine_that_does_not_start_is_told_and_costs_nothing(published, client, monkeypatch):
    monkeypatch.setenv("PUBLICATION_MACHINE_ARN", "arn:aws:states:us-east-1:123456789012:stateMachine:gone")

    responses = [ask(published, client) for _ in range(3)]

    assert [(each.status, each.headers["retry-after"]) for each in responses] == [(503, "60")] * 3
    assert (quotas.spent_by_share("youtube")["metrics"], of_channel(published, client)["status"]) == (
        0,
        "failed",
    )


def test_a_start_without_an_answer_keeps_its_units(published, client, monkeypatch):
    """The machine may run although its answer was lost, and then YouTube counts the calls."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    sdk.client.cache_clear()

    response = ask(published, client)
    sdk.client.cache_clear()

    assert (response.status, quotas.spent_by_share("youtube")["metrics"]) == (503, 2)


def test_a_reading_that_breaks_is_ended(published, client):
    ask(published, client)
    ids = {"channel_id": published.channel_id, "organisation_id": published.organisation_id, "attempt": 1}
    failure = {"error": "Lambda.Unknown", "cause": ""}

    assert publish.handler({**ids, "step": "fail", "failure": failure}, None) == {"do": "end", "step": "fail"}

    assert of_channel(published, client)["status"] == "failed"
    assert publish.handler({**ids, "step": "begin"}, None)["do"] == "end", "a delayed start finds it over"


def test_the_connection_is_shown_and_removed(published, client):
    path = f"/api/v1/channels/{published.channel_id}/connect-youtube"
    db.run(
        published.tx,
        "UPDATE accounts.connections SET subject = :subject, scopes = :scopes WHERE id = :id",
        subject=f"ada/{published.youtube_channel_id}",
        scopes=[each for each in google.YOUTUBE if "analytics" not in each],
        id=published.connection_id,
    )

    shown = client("GET", path).body

    assert (shown["state"], shown["connection_id"], shown["disabled_features"], shown["available"]) == (
        "connected",
        published.connection_id,
        ["statistics"],
        [published.youtube_channel_id],
    )
    assert [client("DELETE", path).status, client("DELETE", path).status] == [204, 204]
    shown = client("GET", path).body
    assert (shown["state"], shown["connection_id"], shown["youtube_channel_id"]) == (
        "none",
        None,
        published.youtube_channel_id,
    )
    assert ask(published, client).status == 409
    assert client("POST", path, {}).status == 200


def test_a_connection_is_not_removed_under_a_publication(studio, client):
    studio.order()

    response = client("DELETE", f"/api/v1/channels/{studio.channel_id}/connect-youtube")

    assert (response.status, "being published" in response.body["error"]["message"]) == (409, True)
