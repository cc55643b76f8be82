"""The sample events of the production machine form one execution.

Those of the Platform API: tests/functions/test_samples.py.
"""

import hashlib
import json
import uuid

import pytest

from functions.channel_schedule import app as channel_schedule
from functions.finish import app as finish
from functions.migrate import app as migrate
from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script
from functions.sweep import app as sweep
from functions.timeline import app as timeline
from functions.visuals import app as visuals
from functions.voice import app as voice
from showrunner.aws import dynamodb, s3
from showrunner.database import db
from showrunner.production import files, voices
from showrunner.production.job import Job
from showrunner.production.script import Script

REQUEST = {
    "style": "educational",
    "length_seconds": 10,
    "voice": "female1",
    "aspect": ["9:16"],
    "assets": [],
    "priority": 2,
}
REQUEST["manual_script"] = "Five words are spoken here."
FILES = {"file": "video.mp4", "thumbnail": "thumbnail.jpg", "srt": "captions.srt", "vtt": "captions.vtt"}
REPORT = {
    "duration_s": 10.0,
    "loudness_lufs": -14.0,
    "true_peak_dbtp": -1.5,
    "outputs": [
        {
            "name": "9x16",
            **FILES,
            "bytes": 5,
            "sha256": hashlib.sha256(b"video").hexdigest(),
            "width": 9,
            "height": 16,
        }
    ],
}


@pytest.fixture
def video(tx, event, aws):
    """Add the queued video that all samples of the steps refer to."""
    start = event("prepare.start")
    channel = str(uuid.uuid4())
    db.run(
        tx,
        "INSERT INTO accounts.organisations (id, name) VALUES (:id, 'Samples')",
        id=start["organisation_id"],
    )
    db.run(
        tx,
        "INSERT INTO studio.channels (id, organisation_id, name, settings) VALUES (:id, :organisation, "
        "'Samples', '{}')",
        id=channel,
        organisation=start["organisation_id"],
    )
    db.run(
        tx,
        "INSERT INTO studio.videos (id, organisation_id, channel_id, request) VALUES (:id, :organisation, "
        ":channel, :request)",
        id=start["video_id"],
        organisation=start["organisation_id"],
        channel=channel,
        request=json.dumps(REQUEST),
    )
    return start["video_id"]


@pytest.fixture
def settings(monkeypatch):
    """Set the steps' environment as template.yaml does.

    No platform is called: script and recordings exist, and nothing answers for the libraries without a key.
    """
    nowhere = "http://127.0.0.1:9"
    for name, value in {
        "COMMONS_BASE_URL": nowhere,
        "COMMONS_FILE_HOST": f"{nowhere}/",
        "NASA_BASE_URL": nowhere,
        "NASA_FILE_HOST": f"{nowhere}/",
        "RENDER_PLATFORM": "cpu",
        "OPENAI_MODEL": "gpt-6-luna",
        "ELEVENLABS_MODEL": "eleven_flash_v2_5",
    }.items():
        monkeypatch.setenv(name, value)


def recorded(folder: str) -> None:
    """Store the recording of each passage, as an earlier production of the same text left it."""
    job = Job.model_validate(s3.get_json(f"{folder}/job.json"))
    for text in Script.model_validate(s3.get_json(f"{folder}/script.json")["script"]).passages:
        name = voices.recording_name(text, job.voice.provider_id, "eleven_flash_v2_5", job.language)
        s3.put_bytes(files.product_key(job.organisation_id, "voice", name, "mp3"), b"sound")
        step = 2 / len(text)
        product = {
            "text": text,
            "uri": s3.uri(files.product_key(job.organisation_id, "voice", name, "mp3")),
            "sha256": "0" * 64,
            "duration_seconds": 2.0,
            "characters": list(text),
            "starts": [round(number * step, 3) for number in range(len(text))],
            "ends": [round((number + 1) * step, 3) for number in range(len(text))],
            "charge": {},
            "paid_by": "another video",
        }
        s3.put_json(files.product_key(job.organisation_id, "voice", name, "json"), product)


def status(tx, video_id: str) -> str:
    return db.value(tx, "SELECT status FROM studio.videos WHERE id = :id", id=video_id)


def test_the_samples_of_the_steps_form_one_production(tx, event, video, settings):
    pointers = prepare.handler(event("prepare.start"), None)
    # The machine's $job is what Prepare returned: the samples of the later steps must be equal to it.
    assert {**pointers, "timeline_version": 4} == event("timeline.step")
    assert {**pointers, "reserved_usd": "0.0134"} == event("script.step")

    assert record.handler(event("record.reserve"), None) == {"reserved_usd": "0.0134"}
    assert script.handler(event("script.step"), None) == {"more": False, "scenes": [0], "narrations": [0]}
    assert record.handler(event("record.script"), None) == {"recorded": "script"}
    recorded(pointers["folder"])
    assert voice.handler(event("voice.scene"), None) == {"scene": 0}
    assert visuals.handler(event("visuals.scene"), None) == {"scene": 0}
    assert set(timeline.handler(event("timeline.step"), None)) == {"timeline", "destination", "share"}
    limits = {"cpu": 914, "gpu": 903}
    assert record.handler(event("record.timeline"), None) == {
        "recorded": "timeline",
        "render_seconds": limits,
    }
    for name in FILES.values():
        s3.put_bytes(f"{pointers['folder']}/render/{name}", b"video")
    s3.put_json(f"{pointers['folder']}/render/report.json", REPORT)
    assert finish.handler(event("finish.rendered"), None) == {"status": "completed"}

    assert status(tx, video) == "completed"


@pytest.mark.parametrize("case", ["finish.failed", "finish.timed_out", "finish.aborted"])
def test_every_failed_execution_fails_its_video(tx, event, video, settings, case):
    prepare.handler(event("prepare.start"), None)

    assert finish.handler(event(case), None) == {"status": "failed"}
    assert status(tx, video) == "failed"


def test_the_sweeper_accepts_the_schedulers_event(tx, event, aws):
    db.run(tx, "DELETE FROM studio.videos")  # tests that commit leave rows; these come back with the rollback

    assert sweep.handler(event("sweep.scheduled"), None) == {
        "started": 0,
        "ended": 0,
        "stopped": 0,
        "published": 0,
    }


def test_the_channels_schedule_accepts_the_schedulers_event(tx, event, aws):
    db.run(tx, "DELETE FROM studio.channels")
    for sk in ("next", "expected"):
        dynamodb.remove("schedule#channels", sk)

    counts = channel_schedule.handler(event("channel_schedule.scheduled"), None)

    assert set(counts.values()) == {0}


def test_migrate_accepts_an_empty_event(postgres, event):
    assert migrate.handler(event("migrate.deploy"), None) == {"applied": []}
