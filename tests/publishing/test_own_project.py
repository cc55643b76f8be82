"""An organisation with its own Google project: its client connects, its quota counts, nothing is pooled."""

import uuid
from datetime import UTC, datetime

import pytest

from local.platforms.google import Grant
from showrunner import quotas
from showrunner.accounts import connections, google_projects
from showrunner.aws import dynamodb
from showrunner.channels import schedule
from showrunner.database import db
from showrunner.errors import ConfigurationMissing
from showrunner.platforms import google
from showrunner.store.accounts import google_projects as projects
from tests.conftest import Client, put_secrets
from tests.publishing.studio import OWNER, Machine


@pytest.fixture
def own(studio):
    """The organisation with its own project of two publications a day, which connected its account."""
    put_secrets(secrets(studio))
    projects.save(studio.tx, studio.organisation_id, 1_200, 1)
    refresh_token = f"1//{uuid.uuid4().hex}"
    studio.world.sign_ins.refresh_tokens[refresh_token] = Grant(OWNER, list(google.YOUTUBE))
    connections.save(studio.connection_id, studio.organisation_id, refresh_token, own_project=True)
    dynamodb.remove(f"connection#{studio.connection_id}", "access")
    db.run(
        studio.tx,
        "UPDATE accounts.connections SET own_project = true WHERE id = :id",
        id=studio.connection_id,
    )
    return studio


@pytest.fixture
def admin(tx, signing_key):
    """Return the client of a platform admin."""
    login = {"email": f"{uuid.uuid4().hex[:12]}@example.com", "password": "Correct-horse-7-battery"}
    Client(address="203.0.113.1")("POST", "/api/v1/auth/register", {**login, "full_name": "Ada"})
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE email = :email", email=login["email"])
    pair = Client(address="203.0.113.1")("POST", "/api/v1/auth/login", login).body
    return Client(pair["access_token"], pair["user"]["organisation_id"])


def secrets(studio):
    """The stand-in knows one client: it is the organisation's, too."""
    return {
        f"organisations/{studio.organisation_id}/google/client_id": studio.world.sign_ins.client_id,
        f"organisations/{studio.organisation_id}/google/client_secret": studio.world.sign_ins.client_secret,
    }


def project(studio):
    return google_projects.of_connection(studio.tx, studio.connection_id)


def test_a_publication_counts_for_the_organisations_project_only(own):
    Machine(own.order()).run()

    name = f"youtube:{own.organisation_id}"
    assert project(own) == quotas.Project(name, 1_200, 1)
    assert own.status() == "published"
    assert (quotas.spent(name, "general"), quotas.spent(name, "insert")) == (506, 1)
    assert (quotas.spent("youtube", "general"), quotas.spent("youtube", "insert")) == (0, 0)


def test_a_spent_project_waits_although_the_stages_has_units_left(own):
    quotas.reserve(project(own).name, "insert", 1, 1, "another video")
    machine, state = Machine(own.order()), {"do": "begin"}
    for _ in range(8):
        state = machine.next(state)

    assert (own.uploaded(), quotas.spent("youtube", "insert")) == ([], 0)
    assert own.row()["waiting_for"] == "Today's quota of insert at youtube is spent."
    assert quotas.spent(project(own).name, "general") == 0, "the units are given back while it waits"


def test_the_client_of_the_organisation_renews_its_tokens(own):
    put_secrets({f"organisations/{own.organisation_id}/google/client_secret": "another"})
    Machine(own.order()).run()

    assert own.uploaded() == []
    assert "refuses our client" in own.row()["problems"][-1]["message"]


def test_a_client_that_is_missing_is_named(studio):
    connections.save(studio.connection_id, studio.organisation_id, "1//x", own_project=True)
    dynamodb.remove(f"connection#{studio.connection_id}", "access")

    Machine(studio.order()).run()

    problem = studio.row()["problems"][-1]
    assert problem["code"] == ConfigurationMissing.__name__
    assert f"organisations/{studio.organisation_id}/google/client_id" in problem["message"]


def test_the_planner_sees_the_quota_of_the_channels_project(own):
    row = {
        "settings": {"privacy": "public"},
        "is_connected": True,
        "connection_id": own.connection_id,
        "organisation_id": own.organisation_id,
    }
    limits = {}

    needs = schedule._quotas(own.tx, datetime.now(UTC), row, limits)

    name = f"youtube:{own.organisation_id}"
    assert needs == {f"uploads:{name}": 1, f"units:{name}": schedule.PUBLICATION_UNITS}
    assert {key: limit.left for key, limit in limits.items()} == {
        f"uploads:{name}": 1,
        f"units:{name}": 1_200,
    }


def test_admins_bring_list_and_remove_a_project(studio, admin):
    path = f"/api/v1/admin/organisations/{studio.organisation_id}/google-project"
    quota = {"units_a_day": 50_000, "inserts_a_day": 300}

    refused = admin("PUT", path, quota)
    assert (refused.status, "make keys" in refused.body["error"]["message"]) == (409, True)
    put_secrets(secrets(studio))
    saved = admin("PUT", path, quota)

    name = f"youtube:{studio.organisation_id}"
    assert (saved.status, saved.body) == (200, {"project": name, **quota})
    listed = admin("GET", "/api/v1/admin/quotas").body["quotas"]
    assert {(each["bucket"], each["limit"]) for each in listed if each["project"] == name} == {
        ("general", 50_000),
        ("insert", 300),
    }
    db.run(
        studio.tx,
        "UPDATE accounts.connections SET own_project = true WHERE id = :id",
        id=studio.connection_id,
    )
    assert admin("DELETE", path).status == 409
    db.run(studio.tx, "DELETE FROM accounts.connections WHERE id = :id", id=studio.connection_id)
    assert admin("DELETE", path).status == 204
    assert projects.find(studio.tx, studio.organisation_id) is None
