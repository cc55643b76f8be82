"""A worker that is killed at any step loses nothing and repeats nothing."""

import json
import subprocess
import sys

import pytest

from tests.feed.ingestion import atom, notification

DYING = """
import os, sys, json
sys.path[:0] = ['layers/showrunner', '.']
from showrunner.aws import rpc
from showrunner.database import db
from functions.feed_intake import app
left = [int(sys.argv[1])]
def count(call):
    def counted(*arguments, **named):
        left[0] -= 1
        if left[0] == 0: os._exit(9)          # before
        result = call(*arguments, **named)
        left[0] -= 1
        if left[0] == 0: os._exit(9)          # after
        return result
    return counted
db.Session.execute, db.Session.command = count(db.Session.execute), count(db.Session.command)
rpc.call = count(rpc.call)
print(json.dumps(app.handler(json.loads(sys.stdin.read()), None)))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_killed_at_any_step_loses_and_repeats_nothing(own_database):
    """SQS delivers unacknowledged messages again: the same batch runs again until a run completes."""
    deaths = 0
    for round_ in range(1, 100):
        messages = [
            notification(atom(f"k{round_:03d}{n:07d}", f"Title {n}", updated=f"2026-11-20T0{n}:00:00Z"))
            for n in range(3)
        ] + [
            notification(atom(f"k{round_:03d}0000000", "Renamed", updated="2026-11-20T07:00:00Z")),
            notification(b"<broken"),
        ]
        text = json.dumps(
            {"Records": [{"messageId": str(n), "body": json.dumps(each)} for n, each in enumerate(messages)]}
        )
        run = subprocess.run(
            [sys.executable, "-c", DYING, str(round_)],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        died = run.returncode
        deaths += died == 9
        assert died in (0, 9), run.stderr[-3000:]
        if died:
            subprocess.run(
                [sys.executable, "-c", DYING, "0"], input=text, capture_output=True, text=True, check=True
            )
        rows = own_database.run(
            "SELECT update_type FROM feed.updates WHERE video_id LIKE :p ORDER BY id", p=f"k{round_:03d}%"
        )
        assert sorted(row[0] for row in rows) == ["new_video", "new_video", "new_video", "title_update"]
        if not died:
            break
    assert deaths >= 10
    assert own_database.run("SELECT count(*) FROM feed.events") == [[5 * (deaths + 1)]]
    assert own_database.run("SELECT count(*) FROM feed.events WHERE processing_error IS NOT NULL") == [
        [deaths + 1]
    ]
