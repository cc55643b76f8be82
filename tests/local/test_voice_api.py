"""The stand-in for ElevenLabs refuses and pads as the service does.

No model is loaded: a tone stands for the voice.
"""

import base64
import inspect
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import imageio_ffmpeg
import numpy as np
import pytest
from elevenlabs import ElevenLabs, VoiceSettings
from elevenlabs.core.api_error import ApiError
from elevenlabs.text_to_speech.raw_client import RawTextToSpeechClient
from elevenlabs.types import AudioWithTimestampsResponse

from local.voice import requests, server
from local.voice.account import PLANS, Account
from local.voice.alignment import Span
from local.voice.audio import SAMPLE_RATE, Speech
from local.voice.errors import KINDS
from local.voice.ids import FEMALE, LANGUAGES, LIBRARY, RETIRED
from local.voice.server import VoiceServer, application
from tests.serving import serving

QUERY = {"enable_logging", "optimize_streaming_latency", "output_format"}


class Tone:
    """A second of sound for any text, whose one word is all of it."""

    def speak(
        self, text: str, style: object, speed: float, language: str = "en", *, normalize: bool = True
    ) -> Speech:
        samples = 0.5 * np.sin(np.arange(SAMPLE_RATE, dtype=np.float32) * 0.2)
        span = [Span(0, len(text), 0.0, 1.0)]
        return Speech(samples, span, text, span)


@contextmanager
def running(plan: str = "creator", credits: int = 1000) -> Iterator[tuple[VoiceServer, ElevenLabs]]:
    style = dict.fromkeys(LANGUAGES, np.zeros((1, 256), np.float32))
    standing_in = VoiceServer(Tone(), {FEMALE: style, LIBRARY: style}, Account(PLANS[plan], 3, 3, credits))
    with serving(application(standing_in)) as address:
        yield standing_in, ElevenLabs(api_key="key", base_url=address, timeout=20)


def refused(client: ElevenLabs, voice_id: str = FEMALE, **parameters) -> ApiError:
    with pytest.raises(ApiError) as caught:
        client.text_to_speech.convert_with_timestamps(voice_id, text="Hello.", **parameters)
    return caught.value


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[VoiceServer, ElevenLabs]]:
    with running() as both:
        yield both


def test_the_body_has_the_fields_of_the_sdks_method_and_no_others() -> None:
    method = set(inspect.signature(RawTextToSpeechClient.convert_with_timestamps).parameters)

    assert set(requests.SpeechRequest.model_fields) == method - QUERY - {
        "self",
        "voice_id",
        "request_options",
    }
    assert set(requests.VoiceSettings.model_fields) == set(VoiceSettings.model_fields)


def test_unknown_fields_are_refused(pair) -> None:
    error = refused(pair[1], request_options={"additional_body_parameters": {"mood": "happy"}})

    assert error.status_code == 422
    assert error.body["detail"][0]["loc"] == ["body", "mood"]


@pytest.mark.parametrize("code", sorted(KINDS))
def test_every_error_has_both_generations_of_names(pair, code) -> None:
    standing_in, client = pair
    standing_in.outcomes.add(code)

    error = refused(client, request_options={"max_retries": 0})

    assert (error.status_code, error.body["detail"]["code"]) == (KINDS[code].http_status, code)
    assert error.body["detail"]["status"] == KINDS[code].status


@pytest.mark.parametrize("outcome", sorted(set(server.SPOKEN) - {"bad_gateway"}))
def test_every_spoken_outcome_is_a_response_of_the_sdks_type(pair, outcome) -> None:
    standing_in, client = pair
    standing_in.outcomes.add(outcome)

    answer = client.text_to_speech.convert_with_timestamps(FEMALE, text="Hello.")

    assert isinstance(answer, AudioWithTimestampsResponse)


def test_alignments_come_padded_unequal_or_not_at_all(pair) -> None:
    standing_in, client = pair
    for outcome in ("stray_spaces", "unequal_alignment", "no_alignment"):
        standing_in.outcomes.add(outcome)

    padded, unequal, none = (
        client.text_to_speech.convert_with_timestamps(FEMALE, text="Hello.").alignment for _ in range(3)
    )

    assert "".join(padded.characters) == " Hello. "
    assert len(unequal.characters) == len(unequal.character_end_times_seconds) + 1
    assert none is None


def test_a_streamed_mp3_starts_late_by_the_encoders_delay(pair) -> None:
    standing_in, client = pair
    standing_in.outcomes.add("encoder_delay")
    late, exact = (
        client.text_to_speech.convert_with_timestamps(FEMALE, text="Hello.").audio_base_64 for _ in range(2)
    )

    assert 0.02 < first_sound_s(late) - first_sound_s(exact) < 0.06


def first_sound_s(audio: str) -> float:
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        "pipe:0",
        "-f",
        "s16le",
        "-ac",
        "1",
        "-ar",
        "44100",
        "pipe:1",
    ]
    decoded = subprocess.run(command, input=base64.b64decode(audio), capture_output=True, check=True).stdout
    return np.flatnonzero(np.abs(np.frombuffer(decoded, "<i2")) > 3000)[0] / 44_100


@pytest.mark.parametrize("voice_id", sorted(RETIRED))
def test_the_premade_voices_of_old_are_gone(pair, voice_id) -> None:
    assert refused(pair[1], voice_id).body["detail"]["code"] == "voice_not_found"


def test_a_free_plan_speaks_with_no_voice_of_the_library() -> None:
    with running(plan="free") as (_, client):
        error = refused(client, LIBRARY)

    assert (error.status_code, error.body["detail"]["code"], error.body["detail"]["status"]) == (
        402,
        "paid_plan_required",
        "payment_required",
    )


def test_formats_and_concurrency_are_the_plans(pair) -> None:
    error = refused(pair[1], output_format="pcm_44100")

    assert (error.status_code, error.body["detail"]["code"]) == (403, "output_format_not_allowed")
    assert Account(PLANS["free"], 10, 3).concurrency == 2


def test_credits_run_out() -> None:
    with running(credits=8) as (_, client):
        client.text_to_speech.convert_with_timestamps(FEMALE, text="Hello.")

        error = refused(client)

    assert (error.status_code, error.body["detail"]["code"]) == (401, "quota_exceeded")
