"""Renewals of an artist's tokens that are killed anywhere.

A worker is killed before each of its calls of AWS and of the platform, one after the other. Killed is no
Exception, and nothing that a `finally` does reaches the state table: the process is gone.
"""

import contextlib
import time
import uuid

import pytest

from local.platforms import instagram as instagram_stand_in
from local.platforms import tiktok as tiktok_stand_in
from showrunner.aws import dynamodb, rpc
from showrunner.errors import Disconnected
from showrunner.metrics import clients, grants
from showrunner.models import Tokens
from showrunner.platforms import instagram, tiktok
from tests.metrics.test_connected import app_of, apps  # noqa: F401 - a fixture

# When a token of a platform is renewed, in seconds before its end.
LASTS = {"tiktok": 7_200, "instagram": 60 * 86_400}
LEFT = {"tiktok": 300, "instagram": 29 * 86_400}


class Killed(BaseException):
    """The process has ended."""


class Worker:
    """A worker that is killed before its call number `fatal`, counted from 0. It notes its calls by name."""

    def __init__(self, monkeypatch, fatal):
        self.fatal, self.calls, self.is_dead = fatal, [], False
        call = rpc.call

        def guarded(service, action, payload):
            self.step(f"{service}.{action}")
            return call(service, action, payload)

        monkeypatch.setattr(rpc, "call", guarded)

    def step(self, name):
        if self.is_dead or len(self.calls) == self.fatal:
            self.is_dead = True
            raise Killed
        self.calls.append(name)

    def renew(self, account, now):
        def refresh(token):
            self.step("refresh")
            return clients.refresh(account.platform, token)

        return grants.access_token(account, refresh, now=now)


def add_grant(world, platform, at):
    """Connect an account at the stand-in and here. Returns the account."""
    account = grants.Account(platform, str(uuid.uuid4()), str(uuid.uuid4()))
    access, refresh = f"act.{uuid.uuid4().hex}", f"rft.{uuid.uuid4().hex}"
    app = app_of(world, platform)
    if platform == "tiktok":
        app.access_tokens[access] = tiktok_stand_in.Grant("ada", tiktok.SCOPES, 1e12)
        app.refresh_tokens[refresh] = tiktok_stand_in.Grant("ada", tiktok.SCOPES, 1e12)
    else:
        refresh = access
        begun = at - 31 * 86_400
        app.long_tokens[access] = instagram_stand_in.Grant("ada", instagram.SCOPES, begun, 60 * 86_400)
    tokens = Tokens("ada", access, LASTS[platform], refresh, 180 * 86_400, ("s",))
    grants.save(account, tokens, at - LASTS[platform] + LEFT[platform])
    return account


def works(world, platform, access):
    """Return whether the platform takes an access token."""
    app = app_of(world, platform)
    return access in (app.access_tokens if platform == "tiktok" else app.long_tokens)


def killed_at(world, monkeypatch, platform, fatal):
    """Kill a renewal. Returns the account, the worker, and the time; the calls go out again."""
    now = time.time()
    account = add_grant(world, platform, now)
    with monkeypatch.context() as patch:
        worker = Worker(patch, fatal)
        if fatal is None:
            worker.renew(account, now)
        else:
            with pytest.raises(Killed):
                worker.renew(account, now)
    return account, worker, now


@pytest.mark.parametrize("platform", ["tiktok", "instagram"])
def test_a_renewal_may_be_killed_before_any_of_its_calls(apps, monkeypatch, platform):  # noqa: F811
    killed_at(apps, monkeypatch, platform, None)  # reads the app's secrets, which are cached from then on
    _, whole, _ = killed_at(apps, monkeypatch, platform, None)
    renewed = whole.calls.index("refresh")
    stored = whole.calls.index("dynamodb.PutItem", renewed)
    assert whole.calls[-1] == "dynamodb.DeleteItem"  # of the lock

    lost, unstored = [], []
    for fatal in range(len(whole.calls)):
        account, worker, now = killed_at(apps, monkeypatch, platform, fatal)
        assert worker.calls == whole.calls[:fatal]

        if (
            platform == "tiktok"
            and grants._find(account, now)["refresh_token"] not in apps.tiktok_app.refresh_tokens
        ):
            unstored.append(fatal)

        # While the lock of the dead worker lasts, the others use the token that still does.
        assert grants.access_token(account, _refresh(platform), now=now + 1)
        later = now + grants.LOCK_SECONDS + 1
        token = None
        with contextlib.suppress(Disconnected):
            token = grants.access_token(account, _refresh(platform), now=later)
        if token is None:
            lost.append(fatal)
            continue
        assert works(apps, platform, token), whole.calls[fatal]
        # What is stored works for the next renewal, too.
        soon = later + LASTS[platform] - LEFT[platform] + 60
        if platform == "tiktok":
            assert works(apps, platform, grants.access_token(account, _refresh(platform), now=soon))
            assert dynamodb.find(grants._key(account), "renewal", soon) is None

    # TikTok's refresh token works once. If the answer with the next one wasn't stored, there is no way to ask
    # again: that is one moment, right before it is stored.
    assert lost == unstored == ([stored] if platform == "tiktok" else [])


def _refresh(platform):
    return lambda token: clients.refresh(platform, token)


def test_the_next_refresh_token_is_stored_before_the_access_token_is_used(apps, monkeypatch):  # noqa: F811
    now = time.time()
    account = add_grant(apps, "tiktok", now)

    token = grants.access_token(account, _refresh("tiktok"), now=now)

    stored = grants._find(account, now)
    assert stored["access_token"] == token
    assert stored["refresh_token"] in apps.tiktok_app.refresh_tokens
    assert len([each for each in apps.tiktok_app.refresh_tokens if each == stored["refresh_token"]]) == 1


def test_a_worker_killed_while_it_forgets_a_lost_account_leaves_no_mark_to_the_next_owner(
    apps,  # noqa: F811
    monkeypatch,
):
    now = time.time()
    account = add_grant(apps, "tiktok", now)
    apps.tiktok_app.revoke("ada")
    with monkeypatch.context() as patch:
        worker = Worker(patch, None)
        remove = dynamodb.remove

        def killed_after_the_tokens(pk, sk):
            remove(pk, sk)
            worker.is_dead = sk == "tokens"

        patch.setattr(dynamodb, "remove", killed_after_the_tokens)
        with pytest.raises(Killed):
            worker.renew(account, now)

    later = now + grants.LOCK_SECONDS + 1
    with pytest.raises(Disconnected, match="connect it again"):
        grants.access_token(account, _refresh("tiktok"), now=later)
    # Its owner connects it again, and withdraws the permission later: that is the reason then.
    grants.save(account, Tokens("ada", "act.x", 7_200, "rft.x", 180 * 86_400, ("s",)), later)
    with pytest.raises(Disconnected, match="withdrawn or has expired"):
        grants.access_token(account, _refresh("tiktok"), now=later + 7_000)
