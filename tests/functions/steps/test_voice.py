"""The voice step: ElevenLabs' errors, captions without alignment, shared texts."""

import base64
import json
from typing import Any

import pytest
from werkzeug import Response

from functions.prepare import app as prepare
from functions.script import app as script_step
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from showrunner.aws import s3, sdk, ssm
from showrunner.errors import CredentialRejected, PlatformUnavailable, QuotaExceeded
from tests.functions.steps.stand_ins import MP3, Platforms, answer, good_script, words_target, write


@pytest.mark.parametrize(
    ("status", "detail", "error"),
    [
        (401, {"status": "invalid_api_key", "message": "no"}, CredentialRejected),
        (401, {"status": "quota_exceeded", "message": "0 credits"}, QuotaExceeded),
        (429, {"status": "too_many_concurrent_requests", "message": "wait"}, PlatformUnavailable),
        (500, {"status": "oops", "message": "down"}, PlatformUnavailable),
    ],
)
def test_elevenlabs_errors_say_what_to_do(tx: Any, platforms: Platforms, video: Any, status: int, detail: dict[str, str], error: type[Exception]) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    platforms.voice_answer = lambda _: Response(json.dumps({"detail": detail}), status=status, content_type="application/json")

    with pytest.raises(error):
        voice_step.handler({"scene": 0, **job}, None)

    assert len(platforms.spoken) == 1


def test_a_key_replaced_after_a_refusal_is_used_at_once(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    refused = {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}
    platforms.language += [Response(json.dumps(refused), status=401, content_type="application/json"), answer(json.dumps(good_script(words_target(job))))]
    with pytest.raises(CredentialRejected):
        script_step.handler(job, None)
    sdk.client("ssm").put_parameter(Name="/showrunner/test/openai/api_key", Value="replaced", Type="SecureString", Overwrite=True)

    script_step.handler(job, None)

    assert ssm.secret("openai/api_key") == "replaced"
    assert [each["authorization"] for each in platforms.headers] == ["Bearer key-of-openai", "Bearer replaced"]


def test_a_recording_without_alignment_gets_captions(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(manual_script="One sentence of five words."), None)
    write(job)
    body = {"audio_base64": base64.b64encode(MP3).decode(), "alignment": None, "normalized_alignment": None}
    platforms.voice_answer = lambda _: Response(json.dumps(body), content_type="application/json")
    voice_step.handler({"scene": 0, **job}, None)
    visuals_step.handler({"scene": 0, **job}, None)

    timeline_step.handler(job, None)

    words = s3.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["narration"]["words"]
    assert [word["text"] for word in words] == ["One", "sentence", "of", "five", "words."]


def test_a_text_shared_by_two_scenes_is_spoken_and_paid_once(tx: Any, platforms: Platforms, video: Any) -> None:
    sentence = "The same ninety words. " * 23
    job = prepare.handler(video(manual_script=f"{sentence}\n\nSomething else in between.\n\n{sentence}"), None)
    written = write(job)

    for scene in written["narrations"]:
        voice_step.handler({"scene": scene, **job}, None)

    recordings = [s3.get_json(f"{job['folder']}/scenes/{scene}.voice.json") for scene in written["scenes"]]
    assert len(written["narrations"]) == len({recording["text"] for recording in recordings}) < len(recordings)
    assert len(platforms.spoken) == len(written["narrations"])
