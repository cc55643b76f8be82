"""Fixtures of logins and connections through Google, which a stand-in answers over HTTP."""

import os

import pyotp
import pytest

from showrunner.aws import dynamodb
from showrunner.platforms import google
from tests.accounts.calls import PASSWORD
from tests.accounts.google.calls import BACK, CHANNEL, OTHER_CHANNEL
from tests.conftest import put_secrets


class Owned(dict):
    """Every Google account owns both channels, the first by default."""

    def get(self, email, default=None):
        return super().get(email, [CHANNEL, OTHER_CHANNEL])


@pytest.fixture
def world(platforms):
    return platforms


@pytest.fixture(autouse=True)
def stage(signing_key, tx, world, monkeypatch):
    monkeypatch.setenv("OAUTH_REDIRECTS", f"{BACK},https://app.example.com/oauth")
    put_secrets({"google/client_id": "local", "google/client_secret": "local"})
    world.sign_ins.people.clear()
    world.channels = {
        CHANNEL: {"title": "Depths", "handle": "depths"},
        OTHER_CHANNEL: {"title": "Heights", "handle": "heights"},
    }
    world.owned = Owned()
    monkeypatch.setenv("YOUTUBE_BASE_URL", os.environ["GOOGLE_URL"])
    google._documents.clear()
    yield
    dynamodb.remove("breaker#google", "state")


@pytest.fixture
def member(user):
    """Return the id of a person with a confirmed account and a password."""
    return user["user_id"]


@pytest.fixture
def totp(me):
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    me("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()})
    return pyotp.TOTP(secret)
