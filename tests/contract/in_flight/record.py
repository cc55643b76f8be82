"""Records what an execution of this release leaves behind. `make record-release` runs it.

It is a test because it needs the tests' database, AWS and stand-ins; pytest runs it only when it is named.
"""

import json
import subprocess
from pathlib import Path

from functions.prepare import app as prepare
from functions.script import app as script
from functions.timeline import app as timeline
from functions.visuals import app as visuals
from functions.voice import app as voice
from showrunner.aws import s3
from tests.contract import template
from tests.contract.test_events import recorded, settings, video

__all__ = ["settings", "video"]  # fixtures

FOLDER = Path(__file__).parent
INPUTS = FOLDER / "inputs.json"
RESOURCES = FOLDER / "resources.json"
RELEASE = FOLDER / "release.txt"
DOCUMENTS = FOLDER / "documents"
# Written by Prepare, by Script and by Timeline, in this order.
NAMES = ("job.json", "script.json", "timeline.json")
STEPS = (
    "script.step",
    "record.script",
    "voice.scene",
    "visuals.scene",
    "timeline.step",
    "record.timeline",
    "finish.rendered",
    "finish.failed",
    "finish.aborted",
    "finish.timed_out",
    "publish.begin",
    "publish.record",
    "publish.fail",
    "upload.check",
)


def resources() -> list[str]:
    """Return the functions, queues and machines that running executions and queued messages rely on."""
    kinds = ("AWS::Serverless::Function", "AWS::SQS::Queue", "AWS::Serverless::StateMachine")
    found = template.load(template.APPLICATION)["Resources"]
    return sorted(name for name, each in found.items() if each["Type"] in kinds)


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def test_an_execution_of_this_release_is_recorded(tx, event, video, settings):
    DOCUMENTS.mkdir(parents=True, exist_ok=True)
    folder = prepare.handler(event("prepare.start"), None)["folder"]
    script.handler(event("script.step"), None)
    recorded(folder)
    voice.handler(event("voice.scene"), None)
    visuals.handler(event("visuals.scene"), None)
    timeline.handler(event("timeline.step"), None)
    for name in NAMES:
        write(DOCUMENTS / name, s3.get_json(f"{folder}/{name}"))
    write(INPUTS, {step: event(step) for step in STEPS})
    write(RESOURCES, resources())
    head = ["git", "-C", str(FOLDER), "rev-parse", "HEAD"]
    RELEASE.write_bytes(subprocess.run(head, capture_output=True, check=True).stdout)

    assert [path.name for path in sorted(DOCUMENTS.iterdir())] == sorted(NAMES)
