"""The second speech service speaks videos that begin while ElevenLabs is not called; one voice for each."""

import io
import json
import wave
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from functions.prepare import app as prepare
from functions.record import app as record
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from local.voice import second
from local.voice.ids import FEMALE, LANGUAGES, MALE
from showrunner import breakers
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    VoiceUnavailable,
)
from showrunner.platforms.second_speech import SecondSpeaker
from showrunner.videos import receipts
from tests.conftest import put_secrets
from tests.functions.steps.stand_ins import Platforms, Tone, answer, good_script, words_target, write
from tests.serving import serving


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[second.SecondServer, str]]:
    styles = {voice: dict.fromkeys(LANGUAGES, np.zeros((1, 256), np.float32)) for voice in (FEMALE, MALE)}
    server = second.SecondServer(Tone(), styles)
    with serving(Starlette(routes=[Route("/v1/audio/speech", server.speech, methods=["POST"])])) as address:
        yield server, f"{address}/v1"


@pytest.fixture
def service(running: Any, platforms: Platforms, monkeypatch: pytest.MonkeyPatch) -> second.SecondServer:
    server, url = running
    server.received.clear()
    for name, value in {
        "SPEECH_FALLBACK": "outage",
        "SPEECH_FALLBACK_URL": url,
        "SPEECH_FALLBACK_MODEL": "tts-1",
        "SPEECH_FALLBACK_VOICES": "female1=nova",
    }.items():
        monkeypatch.setenv(name, value)
    put_secrets({"speech/api_key": "second"})
    return server


@pytest.fixture
def open_breaker(aws: str) -> None:
    for _ in range(breakers.FAILURES):
        breakers.record("elevenlabs", answered=False)


def scripted(platforms: Platforms, event: dict[str, Any]) -> dict[str, Any]:
    job = prepare.handler(event, None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])
    return {**job, "scenes": write(job)["scenes"]}


def speak(job: dict[str, Any], *scenes: int) -> None:
    for scene in scenes:
        voice_step.handler({"scene": scene, **job}, None)


def told(job: dict[str, Any], scene: int) -> dict[str, Any]:
    return dict(s3.get_json(f"{job['folder']}/scenes/{scene}.voice.json"))


def test_a_video_that_begins_during_an_outage_is_spoken_and_timed(
    tx: Any, platforms: Platforms, video: Any, service: Any, open_breaker: None
) -> None:
    job = scripted(platforms, video())
    record.handler({**job, "step": "script"}, None)
    speak(job, *job["scenes"])
    for scene in job["scenes"]:
        visuals_step.handler({"scene": scene, **job}, None)

    assert "timeline" in timeline_step.handler(job, None)
    record.handler({**job, "step": "timeline"}, None)
    logged = db.rows(tx, "SELECT message FROM studio.video_log WHERE video_id = :id", id=job["video_id"])
    assert any("the second speech service speaks" in each["message"] for each in logged)

    assert platforms.spoken == []
    assert {each["voice"] for each in service.received} == {"nova"}
    first = told(job, 0)
    with wave.open(io.BytesIO(s3.get_bytes(first["uri"].split("/", 3)[3]))) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (24_000, 1)
        assert first["duration_seconds"] == pytest.approx(sound.getnframes() / 24_000, abs=0.001)
    assert first["characters"] == list(first["text"])
    charges = [each for each in receipts.list_(job["folder"]) if each.provider == "second_speech"]
    characters = sum(len(each["input"]) for each in service.received)
    assert sum((each.amount_usd for each in charges), Decimal(0)) == Decimal("0.015") * characters / 1000


def test_a_recording_of_the_second_service_is_paid_once(
    tx: Any, platforms: Platforms, video: Any, service: Any, open_breaker: None
) -> None:
    job = scripted(platforms, video())
    speak(job, 0, 0)

    assert len(service.received) == 1


def test_a_video_keeps_the_voice_that_it_began_with(
    tx: Any, platforms: Platforms, video: Any, service: Any
) -> None:
    begun = scripted(platforms, video())
    speak(begun, 0)
    for _ in range(breakers.FAILURES):
        breakers.record("elevenlabs", answered=False)

    with pytest.raises(PlatformUnavailable):
        speak(begun, 1)
    during = scripted(platforms, video(topic="Tides"))
    speak(during, 0)
    breakers.record("elevenlabs", answered=True)
    speak(during, 1)

    assert [told(during, scene)["provider"] for scene in (0, 1)] == ["second_speech"] * 2
    assert "provider" not in told(begun, 0)


def test_a_short_failure_is_left_to_the_machines_retry(
    tx: Any, platforms: Platforms, video: Any, service: Any
) -> None:
    job = scripted(platforms, video())
    platforms.voice.add("system_busy")

    with pytest.raises(PlatformUnavailable):
        speak(job, 0)
    assert not service.received


@pytest.mark.parametrize(
    ("name", "value"), [("SPEECH_FALLBACK", "off"), ("SPEECH_FALLBACK_VOICES", "male1=onyx")]
)
def test_a_stage_or_voice_without_a_second_service_waits(
    tx: Any,
    platforms: Platforms,
    video: Any,
    service: Any,
    open_breaker: None,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    job = scripted(platforms, video())

    with pytest.raises(PlatformUnavailable):
        speak(job, 0)


def test_a_stage_may_always_use_the_second_service(
    tx: Any, platforms: Platforms, video: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECH_FALLBACK", "always")
    job = scripted(platforms, video())
    speak(job, 0)

    assert (len(service.received), platforms.spoken) == (1, [])


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("invalid_api_key", CredentialRejected),
        ("insufficient_quota", QuotaExceeded),
        ("rate_limit", PlatformUnavailable),
        ("server_error", PlatformUnavailable),
        ("bad_gateway", PlatformUnavailable),
    ],
)
def test_its_errors_say_what_to_do(running: Any, outcome: str, error: type[Exception]) -> None:
    server, url = running
    server.outcomes.add(outcome)

    with pytest.raises(error):
        SecondSpeaker("key", url).speak("Bees.", "nova", "tts-1")


@pytest.mark.parametrize(
    ("text", "voice", "model", "error"),
    [
        ("Bees.", "rachel", "tts-1", VoiceUnavailable),
        ("Bees.", "nova", "tts-9", PlatformRejected),
        ("Bees. " * 1000, "nova", "tts-1", PlatformRejected),
    ],
)
def test_requests_that_it_refuses(
    running: Any, text: str, voice: str, model: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        SecondSpeaker("key", running[1]).speak(text, voice, model)


@pytest.mark.parametrize(
    "change", [{"speeed": 1}, {"response_format": "pmc"}, {"speed": 9.0}, {"instructions": "Slowly."}]
)
def test_the_stand_in_is_as_strict_as_the_service(running: Any, change: dict[str, Any]) -> None:
    import httpx

    body = {"model": "tts-1", "voice": "nova", "input": "Bees.", "response_format": "pcm", **change}
    answered = httpx.post(f"{running[1]}/audio/speech", json=body, headers={"Authorization": "Bearer key"})

    assert (answered.status_code, answered.json()["error"]["type"]) == (400, "invalid_request_error")
