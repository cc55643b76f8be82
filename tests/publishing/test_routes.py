"""Connecting, publishing, changing and deleting through the Platform API."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.database import db
from showrunner.videos import publishing
from tests.conftest import add_organisation, service_client
from tests.publishing.studio import Machine


@pytest.fixture
def machine_arn(monkeypatch, aws):
    import os

    monkeypatch.setenv("PUBLICATION_MACHINE_ARN", os.environ["PRODUCTION_MACHINE_ARN"])


@pytest.fixture
def owned(studio):
    """The connection as Google's page leaves it: its subject names the chosen channel."""
    subject = f"ada/{studio.youtube_channel_id}"
    db.run(
        studio.tx,
        "UPDATE accounts.connections SET subject = :subject WHERE id = :id",
        subject=subject,
        id=studio.connection_id,
    )
    db.run(
        studio.tx,
        "UPDATE studio.channels SET connection_id = NULL, youtube_verified_at = NULL WHERE id = :id",
        id=studio.channel_id,
    )
    return studio


def test_a_channel_is_connected_to_a_youtube_channel_of_the_organisation(owned, client, machine_arn):
    response = client("POST", f"/api/v1/channels/{owned.channel_id}/connect-youtube", {})

    assert response.status == 200, response
    assert response.body["channel"]["youtube_channel_id"] == owned.youtube_channel_id
    assert response.body["disabled_features"] == []


def test_a_youtube_channel_of_somebody_else_is_refused(owned, client, machine_arn):
    response = client(
        "POST",
        f"/api/v1/channels/{owned.channel_id}/connect-youtube",
        {"youtube_channel_id": "UC" + "x" * 22},
    )

    assert (response.status, response.body["error"]["code"]) == (403, "RESOURCE_NOT_OWNED")


def test_a_proved_youtube_channel_belongs_to_one_channel_of_the_stage(
    owned, client, signing_key, machine_arn
):
    assert client("POST", f"/api/v1/channels/{owned.channel_id}/connect-youtube", {}).status == 200
    other = add_organisation(owned.tx, "Other")
    channel = service_client(signing_key, other)(
        "POST", "/api/v1/channels", {"name": "Copy", "niche": "Insects"}
    ).body["channel"]["id"]
    db.run(
        owned.tx,
        "INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes) "
        "VALUES (:id, :organisation, 'youtube', :subject, '{}')",
        id=str(uuid.uuid4()),
        organisation=other,
        subject=f"ada/{owned.youtube_channel_id}",
    )

    assert (
        service_client(signing_key, other)("POST", f"/api/v1/channels/{channel}/connect-youtube", {}).status
        == 409
    )


def test_a_declined_scope_disables_what_it_is_for(studio, client, machine_arn):
    """Refuse what the owner left unticked on Google's page: uploads and changes."""
    db.run(studio.tx, "UPDATE accounts.connections SET scopes = '{}' WHERE id = :id", id=studio.connection_id)

    shown = client("GET", f"/api/v1/channels/{studio.channel_id}/connect-youtube").body
    refused = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {})

    assert "publishing" in shown["disabled_features"]
    assert (refused.status, refused.body["error"]["code"]) == (409, "CONFLICT")
    assert "declined the permission" in refused.body["error"]["message"]
    assert publishing.publish_automatically(studio.tx, client.organisation_id, studio.video_id) is None
    log = client("GET", f"/api/v1/videos/{studio.video_id}").body["processing_logs"]
    assert "declined the permission" in log[-1]["message"]


def test_a_channel_without_connection_cannot_publish(owned, client, machine_arn):
    response = client("POST", f"/api/v1/videos/{owned.video_id}/publish", {})

    assert response.status == 409
    assert "connect-youtube" in response.body["error"]["message"]


def test_two_publishes_make_one_upload_and_two_equal_answers(studio, client, machine_arn):
    first = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {"privacy": "public"})
    second = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {"privacy": "public"})

    assert (first.status, first.body["status"]) == (202, "publishing")
    assert first.body == second.body
    Machine(studio.row()).run()
    assert len(studio.uploaded()) == 1
    shown = client("GET", f"/api/v1/videos/{studio.video_id}").body["video"]
    assert (shown["status"], shown["publication"]["youtube_video_id"]) == (
        "published",
        studio.uploaded()[0].id,
    )


@pytest.mark.parametrize("time", ["2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"])
def test_a_schedule_in_the_past_or_too_far_ahead_is_refused(studio, client, machine_arn, time):
    response = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {"schedule_time": time})

    assert (response.status, response.body["error"]["details"][0]["field"]) == (400, "schedule_time")


def test_a_schedule_less_than_fifteen_minutes_ahead_is_refused(studio, client, machine_arn):
    soon = (datetime.now(UTC) + timedelta(minutes=14)).isoformat()

    response = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {"schedule_time": soon})

    assert (response.status, response.body["error"]["details"][0]["field"]) == (400, "schedule_time")
    assert studio.status() == "completed"


@pytest.mark.parametrize("status", ["queued", "processing", "script_ready", "failed", "cancelled"])
def test_an_unfinished_video_cannot_be_published(studio, client, machine_arn, status):
    db.run(
        studio.tx,
        "UPDATE studio.videos SET status = :status WHERE id = :id",
        status=status,
        id=studio.video_id,
    )

    response = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {})

    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")


def test_a_demo_never_reaches_the_real_youtube(studio, client, machine_arn, monkeypatch):
    db.run(studio.tx, "UPDATE studio.videos SET demo = true WHERE id = :id", id=studio.video_id)
    monkeypatch.setenv("YOUTUBE_UPLOAD_URL", "https://www.googleapis.com")

    response = client("POST", f"/api/v1/videos/{studio.video_id}/publish", {})

    assert response.status == 409
    assert "demo" in response.body["error"]["message"]


def test_a_change_reaches_youtube_and_resets_nothing_else(studio, client, machine_arn):
    Machine(studio.order(privacy="public")).run()
    (video,) = studio.uploaded()
    video.resource["status"] |= {
        "embeddable": False,
        "publicStatsViewable": False,
        "license": "creativeCommon",
    }

    response = client("PUT", f"/api/v1/videos/{studio.video_id}", {"title": "Better"})
    Machine(studio.row()).run()

    assert response.status == 200, response
    status = video.resource["status"]
    assert video.resource["snippet"]["title"] == "Better"
    assert (
        status["privacyStatus"],
        status["embeddable"],
        status["publicStatsViewable"],
        status["license"],
    ) == ("public", False, False, "creativeCommon")
    assert (studio.status(), studio.row()["problems"]) == ("published", [])


def test_a_deleted_video_goes_from_youtube_too_and_twice_is_fine(studio, client, machine_arn):
    Machine(studio.order()).run()
    studio.library.videos.clear()  # somebody has deleted it in YouTube Studio

    assert client("DELETE", f"/api/v1/videos/{studio.video_id}").status == 204
    Machine(studio.row()).run()

    assert studio.uploaded() == []
    assert studio.row()["is_open"] is False


def test_a_video_deleted_during_its_upload_is_removed(studio, client, machine_arn):
    row = studio.order()

    def delete(step):
        if step == "thumbnail":
            assert client("DELETE", f"/api/v1/videos/{studio.video_id}").status == 204

    Machine(row, before=delete).run()

    assert studio.uploaded() == []
    assert studio.row()["is_open"] is False
