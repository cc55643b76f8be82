"""A collection whose process is killed by SIGKILL, at each step: nothing is lost, and nothing is there twice.

test_killed kills at every call, inside one process; here the server sees a connection that breaks off.
"""

import json
import os
import signal
import subprocess
import sys
import uuid

import pytest

from showrunner.database import db
from showrunner.store.metrics import artists
from tests.conftest import add_organisation
from tests.metrics import killable

pytestmark = pytest.mark.slow


@pytest.fixture
def artist(postgres, world):
    """Return (id, channel id) of an artist that another process sees too, and remove it afterwards."""
    channel = "UC" + uuid.uuid4().hex[:22]
    world.channels[channel] = {"title": "Tides", "views": 5, "videos": 1, "subscribers": 7}
    with db.transaction() as tx:
        organisation_id = add_organisation(tx)
        [artist_id] = artists.add(tx, organisation_id, [{"name": "Tides", "tier": "active"}]).values()
        account = {"artist_id": artist_id, "platform": "youtube", "account_id": channel}
        artists.save_accounts(tx, organisation_id, [account])
    yield artist_id, channel
    with db.transaction() as tx:
        db.run(tx, "DELETE FROM accounts.organisations WHERE id = :id", id=organisation_id)


def start(step, batch):
    return subprocess.Popen(
        [sys.executable, killable.__file__, step, json.dumps(batch)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def points(artist_id):
    with db.reading() as tx:
        sql = "SELECT metric, value FROM metrics.points WHERE artist_id = :id ORDER BY metric"
        return [(row["metric"], row["value"]) for row in db.rows(tx, sql, id=artist_id)]


@pytest.mark.parametrize("step", killable.STEPS)
def test_a_process_that_is_killed_at_any_step_loses_nothing(artist, step):
    artist_id, channel = artist
    key = f"archive/public/youtube/2026/11/29/08/{uuid.uuid4()}/00000.json.gz"
    batch = {"platform": "youtube", "accounts": [channel], "key": key, "reading": ""}
    process = start(step, batch)
    # Each log line is one before it.
    assert any(line.strip() == "held" for line in process.stdout)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert bool(points(artist_id)) == (step == "committed")

    again = start("none", batch)
    out, _ = again.communicate(timeout=60)

    assert again.returncode == 0
    assert "done" in out.split()
    assert points(artist_id) == [("followers", 7), ("videos", 1), ("views", 5)]
    with db.reading() as tx:
        sql = "SELECT state FROM metrics.accounts WHERE artist_id = :id"
        assert db.value(tx, sql, id=artist_id) == "found"
