"""Access tokens of connected accounts: one renewal at a time, and only Google's own word disconnects."""

import json

import pytest

from showrunner.accounts import connections, youtube_access
from showrunner.aws import dynamodb
from showrunner.errors import Disconnected, PlatformUnavailable
from showrunner.videos import upload_state
from tests.publishing.studio import Machine


def token(studio, **more):
    return youtube_access.access_token(studio.connection_id, studio.organisation_id, **more)


def test_a_token_is_kept_until_it_is_refused(studio):
    first = token(studio)

    assert token(studio) == first
    assert token(studio, refused=first) != first


def test_one_worker_renews_at_a_time(studio):
    key = f"connection#{studio.connection_id}"
    dynamodb.put(key, "refreshing", {}, 4_000_000_000)

    with pytest.raises(PlatformUnavailable) as busy:
        token(studio)

    assert busy.value.retry_after == 1
    dynamodb.put(key, "refreshing", {}, 1)  # of a worker that died
    assert token(studio)
    assert dynamodb.find(key, "refreshing") is None


def test_a_google_that_is_away_disconnects_nobody(studio, monkeypatch):
    monkeypatch.setenv("GOOGLE_URL", "http://127.0.0.1:9")

    with pytest.raises(PlatformUnavailable):
        token(studio)

    assert connections.exists(studio.connection_id)
    assert dynamodb.find(f"connection#{studio.connection_id}", "refreshing") is None, "the lock is given back"


def test_a_permission_that_google_has_ended_disconnects(studio):
    studio.world.sign_ins.refresh_tokens.clear()

    with pytest.raises(Disconnected):
        token(studio)

    assert not connections.exists(studio.connection_id)


def test_a_channel_that_is_not_connected_again_within_seven_days_fails_with_that_reason(studio):
    studio.disconnect()
    row = studio.order()
    machine, state = Machine(row), {"do": "begin"}
    for _ in range(12):
        state = machine.next(state)
    progress = upload_state.find_progress_of(row["id"], 1)
    long_ago = progress | {"waiting_since": progress["waiting_since"] - 8 * 86_400}
    dynamodb.put(f"publication#{row['id']}", "progress#1", {"json": json.dumps(long_ago)})

    def go_on():
        following = state
        for _ in range(4):
            following = machine.next(following)

    with pytest.raises(Disconnected, match="not connected again within 7 days"):
        go_on()
