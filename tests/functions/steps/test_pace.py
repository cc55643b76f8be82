"""The pace of a voice: measured once, before its first script, and kept for good."""

import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from functions.prepare import app as prepare
from functions.record import app as record
from functions.voice import app as voice_step
from local.voice.encoding import encode
from showrunner.aws import dynamodb, s3
from showrunner.database import db
from showrunner.production import voices
from showrunner.production.text import count_words
from showrunner.videos import paces
from tests.functions.steps.stand_ins import Platforms, Tone, list_costs, produced, words_target

MODEL = "eleven_multilingual_v2"
VOICE = voices.Voice("LocalFemaleVoice0001", 171)


@pytest.fixture(autouse=True)
def unmeasured(aws: str) -> Any:
    yield
    for name, _ in dynamodb.list_("paces"):
        dynamodb.remove("paces", name)


@pytest.fixture
def speaks_for(platforms: Platforms, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that lets each recording take so long."""

    def take(half_seconds: int) -> None:
        samples = np.tile(Tone.samples, half_seconds)
        monkeypatch.setattr(
            platforms.elevenlabs, "encode", lambda _, kind, *, gapless: encode(samples, kind, gapless=gapless)
        )

    return take


def measure(job: dict[str, Any], event: Any) -> int:
    """Do what the machine does before the script, if Prepare asks for it. Returns the pace."""
    record.handler({**job, "step": "reserve", "amount_usd": job["measure_usd"]}, None)
    sent = event("voice.measure") | {name: job[name] for name in ("video_id", "folder")}
    return int(voice_step.handler(sent, None)["words_per_minute"])


def again(tx: Any, first: dict[str, Any]) -> dict[str, Any]:
    """Add a second video of the same brief."""
    second = {**first, "video_id": str(uuid.uuid4())}
    db.run(
        tx,
        """INSERT INTO studio.videos (id, organisation_id, channel_id, request)
           SELECT :new, organisation_id, channel_id, request FROM studio.videos WHERE id = :old""",
        new=second["video_id"],
        old=first["video_id"],
    )
    return second


def test_a_second_video_of_a_measured_voice_is_planned_the_same_way_and_pays_nothing(
    tx: Any, platforms: Platforms, video: Any, event: Any, speaks_for: Any
) -> None:
    speaks_for(36)
    first = video()
    job = prepare.handler(first, None)

    pace = measure(job, event)

    assert pace == pytest.approx(count_words(voices.SAMPLES["en"]) * 60 / 18, abs=1)
    assert platforms.spoken == [voices.SAMPLES["en"]]
    target = words_target(job)
    assert target < 118, "fewer words than the usual pace of 171 would plan"
    speaks_for(1)
    produced(tx, platforms, first)
    spoken, asked = len(platforms.spoken), len(platforms.questions)

    second = again(tx, first)
    assert prepare.handler(second, None)["measure_usd"] == ""
    done = produced(tx, platforms, second)

    assert words_target(done) == target
    assert (len(platforms.spoken), len(platforms.questions)) == (spoken, asked)
    assert list_costs(tx, second["organisation_id"], second["video_id"]) == []


def test_the_measurement_is_reserved_and_a_charge_of_the_first_video(
    tx: Any, platforms: Platforms, video: Any, event: Any, speaks_for: Any
) -> None:
    speaks_for(30)
    first = video()
    job = prepare.handler(first, None)
    record.handler({**job, "step": "reserve", "amount_usd": job["measure_usd"]}, None)
    held = db.value(tx, "SELECT amount_usd FROM ledger.reservations WHERE video_id = :id", id=job["video_id"])
    assert Decimal(job["measure_usd"]) == held > 0

    measure(job, event)
    record.handler({**job, "step": "reserve", "amount_usd": "0.01"}, None)

    (cost,) = list_costs(tx, first["organisation_id"], first["video_id"])
    assert (cost["step"], Decimal(cost["amount_usd"])) == ("voice", held)


def test_a_repeated_measurement_pays_nothing(
    tx: Any, platforms: Platforms, video: Any, event: Any, speaks_for: Any
) -> None:
    speaks_for(30)
    job = prepare.handler(video(), None)

    assert measure(job, event) == measure(job, event)
    assert len(platforms.spoken) == 1


def test_a_recording_that_is_no_speech_keeps_the_usual_pace(
    tx: Any, platforms: Platforms, video: Any, event: Any
) -> None:
    """Half a second for forty words: kept even so, or the sentence would be paid for before each script."""
    job = prepare.handler(video(), None)

    assert measure(job, event) == 171
    assert s3.get_json(f"{job['folder']}/job.json")["voice"][1] == 171
    assert prepare.handler(video(), None)["measure_usd"] == ""


def test_a_script_that_is_given_needs_no_measurement(tx: Any, platforms: Platforms, video: Any) -> None:
    assert prepare.handler(video(manual_script="One sentence."), None)["measure_usd"] == ""


def test_two_measurements_at_once_keep_the_first_pace(aws: str) -> None:
    assert [paces.save(VOICE, MODEL, "en", pace) for pace in (150, 160, 150)] == [150, 150, 150]
    assert paces.known(VOICE, MODEL, "en") == 150
    assert paces.known(VOICE, "eleven_v3", "en") == 171, "each model has a pace of its own"


@pytest.mark.parametrize("language", sorted(voices.SAMPLES))
def test_each_language_has_a_sample_without_figures(language: str) -> None:
    sample = voices.SAMPLES[language]

    assert 30 <= count_words(sample) <= 50
    assert not any(character.isdigit() for character in sample)
    assert {language for language, _ in voices._WORDS_PER_MINUTE} == set(voices.SAMPLES)
