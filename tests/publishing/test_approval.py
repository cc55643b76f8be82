"""From a finished video to YouTube: at the minute of its slot, after an approval if the channel wants one."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.database import db
from showrunner.videos import publishing
from tests.publishing.studio import Machine


@pytest.fixture(autouse=True)
def machine_arn(monkeypatch, aws):
    import os

    monkeypatch.setenv("PUBLICATION_MACHINE_ARN", os.environ["PRODUCTION_MACHINE_ARN"])


def configure(studio, **settings):
    db.run(
        studio.tx,
        "UPDATE studio.channels SET settings = settings || :settings::jsonb WHERE id = :id",
        id=studio.channel_id,
        settings=json.dumps(settings),
    )


def add_slot(studio, at):
    db.run(
        studio.tx,
        """
        INSERT INTO studio.slots
               (organisation_id, channel_id, day, time, planned_at, publish_at, state, video_id)
        VALUES (:organisation, :channel, :day, '18:00', :at, :at, 'ordered', :video)
        """,
        organisation=studio.organisation_id,
        channel=studio.channel_id,
        day=at.date(),
        at=at,
        video=studio.video_id,
    )


def finish(studio):
    return publishing.publish_automatically(studio.tx, studio.organisation_id, studio.video_id)


def minute(hours):
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(second=0, microsecond=0)


def test_a_finished_video_is_scheduled_for_the_minute_of_its_slot(studio, client):
    configure(studio, privacy="public")
    at = minute(5)
    add_slot(studio, at)

    Machine(finish(studio)).run()

    [uploaded] = studio.uploaded()
    assert studio.status() == "scheduled"
    assert datetime.fromisoformat(uploaded.resource["status"]["publishAt"]) == at
    [slot] = client("GET", f"/api/v1/channels/{studio.channel_id}/calendar").body["slots"]
    assert (slot["state"], slot["youtube_video_id"]) == ("scheduled", uploaded.id)


@pytest.mark.parametrize(("privacy", "hours"), [("unlisted", 5), ("private", 5), ("public", 0.1)])
def test_a_video_is_published_at_once_if_it_is_not_public_or_its_slot_is_too_near(studio, privacy, hours):
    configure(studio, privacy=privacy)
    add_slot(studio, minute(hours))

    Machine(finish(studio)).run()

    [uploaded] = studio.uploaded()
    assert uploaded.resource["status"]["privacyStatus"] == privacy
    assert "publishAt" not in uploaded.resource["status"]
    assert studio.status() == "published"


def test_a_private_channel_is_told_that_its_times_publish_nothing(studio, client):
    def is_done(**settings):
        configure(studio, **settings)
        tasks = client("GET", f"/api/v1/channels/{studio.channel_id}").body["setup_tasks"]
        (task,) = (each for each in tasks if each["task"] == "choose_privacy")
        assert "settings.privacy" in task["description"]
        return task["done"]

    assert is_done(privacy="private") is False
    assert is_done(privacy="private", auto_publish=False) is True
    assert is_done(privacy="public", auto_publish=True) is True


def test_a_video_of_a_channel_with_review_is_not_published_before_its_approval(studio, client):
    configure(studio, review=True, privacy="public")
    at = minute(5)
    add_slot(studio, at)
    path = f"/api/v1/videos/{studio.video_id}"

    assert finish(studio) is None
    published = client("POST", f"{path}/publish", {})
    assert (studio.status(), published.status, published.body["error"]["code"]) == ("review", 409, "CONFLICT")
    assert client("PUT", path, {"title": "Cables below the waves"}).status == 200, "edit, then approve"
    approved = client("POST", f"{path}/approve")

    assert (approved.status, approved.body["status"]) == (202, "publishing")
    Machine(studio.row()).run()
    [uploaded] = studio.uploaded()
    assert uploaded.resource["snippet"]["title"] == "Cables below the waves"
    assert datetime.fromisoformat(uploaded.resource["status"]["publishAt"]) == at


def test_a_video_that_was_finished_before_its_channel_wanted_reviews_needs_an_approval_too(studio, client):
    configure(studio, review=True, auto_publish=False)
    path = f"/api/v1/videos/{studio.video_id}"

    assert client("POST", f"{path}/publish", {}).status == 409
    assert client("POST", f"{path}/approve").body["status"] == "completed"
    assert client("POST", f"{path}/publish", {}).status == 202


def test_a_rejected_video_is_cancelled_with_the_reason(studio, client):
    configure(studio, review=True)
    finish(studio)
    add_slot(studio, minute(5))
    path = f"/api/v1/videos/{studio.video_id}"

    rejected = client("POST", f"{path}/reject", {"reason": "The map is wrong."})

    assert (rejected.status, rejected.body["status"]) == (200, "cancelled")
    assert rejected.body["errors"] == [{"step": "review", "code": "REJECTED", "message": "The map is wrong."}]
    [slot] = client("GET", f"/api/v1/channels/{studio.channel_id}/calendar").body["slots"]
    assert (slot["state"], slot["reason"]) == ("cancelled", "The map is wrong.")
    assert client("POST", f"{path}/approve").status == 409
    assert studio.uploaded() == []


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_an_approval_needs_its_own_permission(studio, service, action):
    configure(studio, review=True)
    finish(studio)
    body = {"reason": "No."} if action == "reject" else None
    path = f"/api/v1/videos/{studio.video_id}/{action}"

    refused = service(studio.organisation_id, "videos:read", "videos:write")("POST", path, body)
    allowed = service(studio.organisation_id, "videos:publish")("POST", path, body)

    assert (refused.status, refused.body["error"]["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert allowed.status in (200, 202)


def test_a_video_of_another_organisation_is_not_found(client):
    assert client("POST", f"/api/v1/videos/{uuid.uuid4()}/approve").status == 404
