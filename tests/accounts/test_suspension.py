"""Suspending, restoring, promoting and demoting people and organisations."""

import pytest

from showrunner.database import db
from tests.accounts.calls import error, log_in, make_admin, renew
from tests.accounts.test_ownership import make_admin_elsewhere
from tests.conftest import Client

REASON = {"reason": "Unpaid bills"}


@pytest.fixture
def admin(tx, me):
    return make_admin_elsewhere(tx)


def test_a_suspended_user_is_refused_from_the_next_request_and_loses_nothing(tx, admin, me, pair, email):
    path = f"/api/v1/admin/users/{pair['user']['id']}"
    key = Client(
        me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["channels:read"]}).body[
            "token"
        ]
    )
    me("POST", "/api/v1/channels", {"name": "Tides", "niche": "The sea"})

    suspended = admin("POST", f"{path}/suspend", REASON)

    assert suspended.body["user"]["suspended_reason"] == "Unpaid bills"
    for response in (
        me("GET", "/api/v1/users/me"),
        log_in(email),
        renew(pair["refresh_token"]),
        key("GET", "/api/v1/channels"),
    ):
        assert error(response) == (403, "SUSPENDED")
        assert "Unpaid" not in response.body["error"]["message"]
    assert admin("POST", f"{path}/restore").body["user"]["suspended_at"] is None
    assert [each["name"] for each in me("GET", "/api/v1/channels").body["channels"]] == ["Tides"]
    assert renew(pair["refresh_token"]).status == 200


def test_a_suspended_organisation_is_refused_but_not_its_members_elsewhere(admin, me, pair, guest, email):
    path = f"/api/v1/admin/organisations/{pair['user']['organisation_id']}"
    robot = Client(
        me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["channels:read"]}).body[
            "token"
        ]
    )

    assert admin("POST", f"{path}/suspend", REASON).status == 200

    for response in (me("GET", "/api/v1/channels"), robot("GET", "/api/v1/channels"), log_in(email)):
        assert error(response) == (403, "SUSPENDED")
    assert admin("POST", f"{path}/restore").status == 200
    assert [me("GET", "/api/v1/channels").status, robot("GET", "/api/v1/channels").status] == [200, 200]


def test_suspending_stops_productions_before_their_next_paid_call(tx, admin, me, pair):
    from showrunner.errors import ProductionCancelled
    from showrunner.store.studio import productions

    organisation_id = pair["user"]["organisation_id"]
    channel = me("POST", "/api/v1/channels", {"name": "Tides", "niche": "The sea"}).body["channel"]["id"]
    video = me(
        "POST",
        "/api/v1/videos/generate",
        {"channel_id": channel, "topic": "Tides", "style": "educational", "length": "short"},
    )
    assert video.status == 202, video
    video_id = video.body["video_id"]

    assert (
        admin("POST", f"/api/v1/admin/organisations/{organisation_id}/suspend", REASON)
        .body["message"]
        .endswith("1 videos were stopped.")
    )

    with pytest.raises(ProductionCancelled):
        productions.advance(tx, video_id, 1, "script", 10, "Writing the script.")
    admin("POST", f"/api/v1/admin/organisations/{organisation_id}/restore")
    assert me("GET", f"/api/v1/videos/{video_id}").body["video"]["status"] == "cancelled"
    assert me("POST", f"/api/v1/videos/{video_id}/retry").status == 202


def test_admins_promote_and_demote_but_the_last_one_stays(tx, admin, pair, email):
    path = f"/api/v1/admin/users/{pair['user']['id']}"
    own_id = admin("GET", "/api/v1/users/me").body["user"]["id"]
    others = "UPDATE accounts.users SET platform_admin = false WHERE platform_admin AND id <> :id"
    db.run(tx, others, id=own_id)
    assert error(admin("POST", f"/api/v1/admin/users/{own_id}/demote")) == (409, "CONFLICT")

    assert admin("POST", f"{path}/promote").body["user"]["platform_admin"] is True

    second = Client(log_in(email).body["access_token"])
    assert second("GET", "/api/v1/admin/users").status == 200
    assert error(admin("POST", f"{path}/suspend", REASON)) == (409, "CONFLICT"), "an admin is demoted first"
    assert admin("POST", f"{path}/demote").body["user"]["platform_admin"] is False
    assert second("GET", "/api/v1/admin/users").status == 403


def test_nobody_but_admins_suspends_or_promotes(me, pair):
    for action, body in (("suspend", REASON), ("restore", None), ("promote", None), ("demote", None)):
        assert me("POST", f"/api/v1/admin/users/{pair['user']['id']}/{action}", body).status == 403


def test_an_organisations_limits_replace_those_of_its_plan(tx, admin, me, pair):
    path = f"/api/v1/admin/organisations/{pair['user']['organisation_id']}/limits"

    assert admin("PUT", path, {"channels": 1, "assets": 0}).body["limits"]["channels"] == 1

    usage = me("GET", "/api/v1/users/me/usage").body["usage"]
    assert (usage["channels"]["limit"], usage["assets"]["limit"], usage["videos_today"]["limit"]) == (
        1,
        0,
        100,
    )
    assert me("POST", "/api/v1/channels", {"name": "One", "niche": "The sea"}).status == 201
    assert error(me("POST", "/api/v1/channels", {"name": "Two", "niche": "The sea"})) == (
        409,
        "CHANNEL_LIMIT_REACHED",
    )
    asset = {"kind": "image", "content_type": "image/png", "bytes": 100, "sha256": "0" * 64}
    assert error(me("POST", "/api/v1/assets", asset)) == (429, "QUOTA_EXCEEDED")


def test_the_video_after_the_days_last_is_quota_exceeded(admin, me, pair):
    admin(
        "PUT", f"/api/v1/admin/organisations/{pair['user']['organisation_id']}/limits", {"videos_per_day": 1}
    )
    channel = me("POST", "/api/v1/channels", {"name": "Tides", "niche": "The sea"}).body["channel"]["id"]
    brief = {"channel_id": channel, "topic": "Tides", "style": "educational", "length": "short"}

    responses = [me("POST", "/api/v1/videos/generate", brief) for _ in range(2)]

    assert responses[0].status == 202
    assert error(responses[1]) == (429, "QUOTA_EXCEEDED")
    assert int(responses[1].headers["retry-after"]) > 0


def test_a_platform_admin_of_a_suspended_organisation_keeps_access(tx, me, email, pair):
    boss = make_admin(tx, email)

    assert (
        boss("POST", f"/api/v1/admin/organisations/{pair['user']['organisation_id']}/suspend", REASON).status
        == 200
    )

    assert boss("GET", "/api/v1/admin/users").status == 200
