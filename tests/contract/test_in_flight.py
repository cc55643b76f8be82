"""An execution that the release before began is finished by this one.

tests/contract/in_flight holds what such an execution has left behind: the input of each later step, the
documents in S3, and the resources that its definition names. `make record-release` records them; do that when
a release is out, never to make a failing test pass. The queues' messages: tests/feed/test_in_flight.py.
"""

import json
import re

import pytest

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script
from functions.timeline import app as timeline
from functions.visuals import app as visuals
from functions.voice import app as voice
from showrunner.aws import s3
from tests.contract.in_flight.record import DOCUMENTS, INPUTS, RESOURCES, resources
from tests.contract.test_events import FILES, REPORT, recorded, settings, status, video

__all__ = ["settings", "video"]  # fixtures


@pytest.fixture
def old():
    """Return a function that gives the release before's input of a step."""
    inputs = json.loads(INPUTS.read_text(encoding="utf-8"))
    return lambda step: inputs[step]


def left_behind(folder: str, *names: str) -> None:
    """Put the documents of the release before where its execution left them."""
    for name in names:
        s3.put_json(f"{folder}/{name}", json.loads((DOCUMENTS / name).read_text(encoding="utf-8")))


def rendered(folder: str) -> None:
    """Put the render's files and its report where the job of the release before wrote them."""
    for name in FILES.values():
        s3.put_bytes(f"{folder}/render/{name}", b"video")
    s3.put_json(f"{folder}/render/report.json", REPORT)


@pytest.fixture
def begun(tx, event, video, settings):
    """Add a video whose execution began under the release before. Returns its folder."""
    folder = prepare.handler(event("prepare.start"), None)["folder"]
    left_behind(folder, "job.json")
    return folder


def test_an_execution_after_its_first_step_goes_on_to_the_end(tx, begun, video, old):
    assert script.handler(old("script.step"), None)["narrations"] == [0]
    record.handler(old("record.script"), None)
    recorded(begun)
    voice.handler(old("voice.scene"), None)
    visuals.handler(old("visuals.scene"), None)
    timeline.handler(old("timeline.step"), None)
    # Its definition names the renderer of the release before, which knows no shots.
    assert s3.get_json(f"{begun}/timeline.json")["schema_version"] == 1
    record.handler(old("record.timeline"), None)
    rendered(begun)

    assert finish.handler(old("finish.rendered"), None) == {"status": "completed"}
    assert status(tx, video) == "completed"


def test_an_execution_with_its_script_goes_on(begun, old):
    left_behind(begun, "script.json")
    recorded(begun)

    assert voice.handler(old("voice.scene"), None) == {"scene": 0}
    assert visuals.handler(old("visuals.scene"), None) == {"scene": 0}
    assert "timeline" in timeline.handler(old("timeline.step"), None)


def test_an_execution_that_renders_is_finished(tx, begun, video, old):
    left_behind(begun, "script.json", "timeline.json")
    visuals.handler(old("visuals.scene"), None)
    rendered(begun)

    assert record.handler(old("record.timeline"), None)["recorded"] == "timeline"
    assert finish.handler(old("finish.rendered"), None) == {"status": "completed"}
    assert status(tx, video) == "completed"


@pytest.mark.parametrize("end", ["finish.failed", "finish.timed_out", "finish.aborted"])
def test_an_execution_that_fails_fails_its_video(tx, begun, video, old, end):
    assert finish.handler(old(end), None) == {"status": "failed"}
    assert status(tx, video) == "failed"


def test_everything_that_an_execution_or_a_message_is_sent_to_is_still_there():
    """A new name takes two releases: first add it, then remove what has the old one."""
    before = json.loads(RESOURCES.read_text(encoding="utf-8"))

    assert set(before) - set(resources()) == set()


def test_a_document_that_the_release_before_would_not_have_written_is_refused(begun, old):
    """The samples are read strictly: a field that is missing breaks the test above, too."""
    job = json.loads((DOCUMENTS / "job.json").read_text(encoding="utf-8"))
    s3.put_json(f"{begun}/job.json", {name: value for name, value in job.items() if name != "voice"})

    with pytest.raises(ValueError, match=re.compile("voice")):
        script.handler(old("script.step"), None)
