"""The voice step: ElevenLabs' errors, captions without alignment, shared texts."""

import json
import os
from typing import Any

import pytest

from functions.prepare import app as prepare
from functions.script import app as script_step
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from showrunner.aws import s3, sdk, ssm
from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    VoiceUnavailable,
)
from showrunner.platforms.speech import Narrator
from showrunner.production import voices
from showrunner.videos import voice_checks
from tests.functions.steps.stand_ins import Platforms, answer, good_script, words_target, write


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("invalid_api_key", CredentialRejected),
        ("missing_permissions", CredentialRejected),
        ("quota_exceeded", QuotaExceeded),
        ("paid_plan_required", VoiceUnavailable),
        ("voice_not_found", VoiceUnavailable),
        ("output_format_not_allowed", PlatformRejected),
        ("content_against_policy", PlatformRejected),
        ("request_timeout", PlatformUnavailable),
        ("already_running", PlatformUnavailable),
        ("concurrent_limit_exceeded", PlatformUnavailable),
        ("system_busy", PlatformUnavailable),
        ("internal_server_error", PlatformUnavailable),
    ],
)
def test_elevenlabs_errors_say_what_to_do(
    tx: Any, platforms: Platforms, video: Any, outcome: str, error: type[Exception]
) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    platforms.voice.add(outcome)

    with pytest.raises(error):
        voice_step.handler({"scene": 0, **job}, None)

    assert len(platforms.spoken) == 1  # the machine retries, not the SDK


def test_the_edge_in_front_of_elevenlabs_may_answer_in_html(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    platforms.voice.add("bad_gateway")

    with pytest.raises(PlatformUnavailable):
        voice_step.handler({"scene": 0, **job}, None)


def test_a_key_replaced_after_a_refusal_is_used_at_once(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    platforms.language.add("invalid_api_key")
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])
    with pytest.raises(CredentialRejected):
        script_step.handler(job, None)
    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/openai/api_key", Value="replaced", Type="SecureString", Overwrite=True
    )

    script_step.handler(job, None)

    assert ssm.secret("openai/api_key") == "replaced"
    assert list(platforms.openai.keys) == ["Bearer key-of-openai", "Bearer replaced"]


@pytest.mark.parametrize("provider", ["openai", "elevenlabs"])
def test_white_space_around_a_pasted_key_is_ignored(
    tx: Any, platforms: Platforms, video: Any, provider: str
) -> None:
    sdk.client("ssm").put_parameter(
        Name=f"/showrunner/test/{provider}/api_key", Value=" key-of-it\n", Type="SecureString", Overwrite=True
    )
    ssm.forget()
    job = prepare.handler(video(), None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])

    write(job)
    voice_step.handler({"scene": 0, **job}, None)

    assert len(platforms.spoken) == 1


def test_a_key_that_cannot_be_one_is_refused_by_name(tx: Any, platforms: Platforms, video: Any) -> None:
    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/openai/api_key",
        Value="sk-two words\nand more",
        Type="SecureString",
        Overwrite=True,
    )
    ssm.forget()
    job = prepare.handler(video(), None)

    with pytest.raises(CredentialRejected, match="openai/api_key"):
        script_step.handler(job, None)


@pytest.mark.parametrize("sound", [b"", b"<html>Not here.</html>" * 99, bytes(9_000)])
def test_an_answer_without_sound_is_not_paid_for_again(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch, sound: bytes
) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    speak = Narrator.speak
    monkeypatch.setattr(Narrator, "speak", lambda *asked: speak(*asked)._replace(audio=sound))

    with pytest.raises(PlatformRejected):
        voice_step.handler({"scene": 0, **job}, None)


def test_a_recording_without_alignment_gets_captions(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(manual_script="One sentence of five words."), None)
    write(job)
    platforms.voice.add("no_alignment")
    voice_step.handler({"scene": 0, **job}, None)
    visuals_step.handler({"scene": 0, **job}, None)

    timeline_step.handler(job, None)

    words = s3.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["narration"]["words"]
    assert [word["text"] for word in words] == ["One", "sentence", "of", "five", "words."]


def test_a_text_shared_by_two_scenes_is_spoken_and_paid_once(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    sentence = "The same ninety words. " * 23
    job = prepare.handler(
        video(manual_script=f"{sentence}\n\nSomething else in between.\n\n{sentence}"), None
    )
    written = write(job)

    for scene in written["narrations"]:
        voice_step.handler({"scene": scene, **job}, None)

    recordings = [s3.get_json(f"{job['folder']}/scenes/{scene}.voice.json") for scene in written["scenes"]]
    assert (
        len(written["narrations"]) == len({recording["text"] for recording in recordings}) < len(recordings)
    )
    assert len(platforms.spoken) == len(written["narrations"])


def test_a_voice_that_failed_is_known_to_the_next_order(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    platforms.voice.add("voice_not_found")
    voice_id = voices.configured(os.environ["VOICES"])["female1"]

    with pytest.raises(VoiceUnavailable):
        voice_step.handler({"scene": 0, **job}, None)

    problem = voice_checks.find_problem(voice_id)
    voice_checks.save(voice_id, None)
    assert "was not found" in (problem or "")
