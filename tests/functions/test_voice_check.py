"""The nightly check of the stage's voices, against the stand-in's HTTP, and what orders make of it."""

import json
import uuid
from typing import Any

import pytest

from functions.voice_check import app as voice_check
from local.voice.ids import FEMALE, MALE
from showrunner import breakers
from showrunner.aws import sdk, ssm
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, VoiceUnavailable
from showrunner.videos import voice_checks
from tests.contract.template import ROOT

EVENT = json.loads((ROOT / "events" / "voice_check.scheduled.json").read_text(encoding="utf-8"))
RETIRED = "21m00Tcm4TlvDq8ikWAM"


def respond(httpserver: Any, voice_id: str, status: int = 200, code: str = "", message: str = "") -> None:
    body = {"detail": {"status": code, "message": message}} if code else {"voice_id": voice_id}
    httpserver.expect_request(f"/v1/voices/{voice_id}", headers={"xi-api-key": "a-key"}).respond_with_json(
        body, status=status
    )


@pytest.fixture(autouse=True)
def stage(aws, httpserver, monkeypatch):
    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/elevenlabs/api_key", Value="a-key\n", Type="SecureString", Overwrite=True
    )
    ssm.forget()
    monkeypatch.setenv("ELEVENLABS_BASE_URL", httpserver.url_for(""))
    monkeypatch.setenv("VOICES", f"female1={FEMALE},male1={RETIRED}")
    yield
    ssm.forget()
    breakers.record("elevenlabs", answered=True)
    for voice_id in (FEMALE, MALE, RETIRED):
        voice_checks.save(voice_id, None)


def test_a_retired_voice_is_saved_and_raises_the_alarm_and_the_others_stay_usable(httpserver):
    respond(httpserver, FEMALE)
    respond(httpserver, RETIRED, 404, "voice_not_found", "A voice with this id was not found.")

    with pytest.raises(VoiceUnavailable, match=r"male1: A voice with this id was not found\."):
        voice_check.handler(EVENT, None)

    assert voice_checks.find_problem(FEMALE) is None
    assert voice_checks.find_problem(RETIRED) == "A voice with this id was not found."


def test_a_voice_that_is_there_again_is_usable_again(httpserver):
    voice_checks.save(RETIRED, "gone")
    respond(httpserver, FEMALE)
    respond(httpserver, RETIRED)

    voice_check.handler(EVENT, None)

    assert voice_checks.find_problem(RETIRED) is None


def test_an_organisations_voice_that_failed_is_asked_for_again(httpserver):
    voice_checks.save(MALE, "failed in a production")
    respond(httpserver, FEMALE)
    respond(httpserver, RETIRED)
    respond(httpserver, MALE)

    voice_check.handler(EVENT, None)

    assert voice_checks.find_problem(MALE) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CredentialRejected),
        (429, PlatformUnavailable),
        (500, PlatformUnavailable),
        (403, PlatformRejected),
    ],
)
def test_an_answer_that_says_nothing_of_the_voice_changes_no_result(httpserver, monkeypatch, status, error):
    voice_checks.save(FEMALE, "known before")
    respond(httpserver, FEMALE, status, "code", "words")

    monkeypatch.setenv("VOICES", f"female1={FEMALE}")

    with pytest.raises(error):
        voice_check.handler(EVENT, None)

    assert voice_checks.find_problem(FEMALE) == "known before"


def test_a_plan_without_the_voice_is_a_problem_of_the_voice(httpserver, monkeypatch):
    monkeypatch.setenv("VOICES", f"female1={FEMALE}")
    respond(httpserver, FEMALE, 402, "paid_plan_required", "Free users can't use library voices.")

    with pytest.raises(VoiceUnavailable, match="library voices"):
        voice_check.handler(EVENT, None)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("https://storage.googleapis.com/eleven-public-prod/a.mp3", True),
        ("javascript:alert(1)", False),
        ("https://example.com/" + "a" * 2000, False),
        (7, False),
        (None, False),
    ],
)
def test_a_preview_is_kept_if_it_is_a_web_address(httpserver, monkeypatch, told, kept):
    monkeypatch.setenv("VOICES", f"female1={FEMALE}")
    httpserver.expect_request(f"/v1/voices/{FEMALE}").respond_with_json({"preview_url": told})

    voice_check.handler(EVENT, None)

    assert voice_checks.find(FEMALE) == (None, told if kept else None)


def test_nothing_is_known_of_a_voice_that_was_never_checked():
    assert voice_checks.find_problem(uuid.uuid4().hex) is None
