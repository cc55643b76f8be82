"""From a brief to a finished video, through the HTTP API, on the deployed templates."""

import contextlib
import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
import psutil
import pytest
from PIL import Image

from tests.contract import policies

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

BRIEF = json.loads((Path(__file__).parents[2] / "events/brief.json").read_text())
# RetryStrategy.Attempts of the job definitions in template.yaml.
RENDER_ATTEMPTS = 3
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments: str) -> str:
    """Return ffmpeg's report about a file, which it writes to standard error."""
    return subprocess.run(
        [FFMPEG, "-hide_banner", *arguments, "-f", "null", "-"], capture_output=True, text=True, check=True
    ).stderr


def brief(**changes: Any) -> dict[str, Any]:
    """Return a brief with a new topic, so that script and voice are not reused from another test."""
    words = random.sample(
        [
            "old",
            "long",
            "deep",
            "thin",
            "modern",
            "quiet",
            "heavy",
            "bright",
            "hidden",
            "steel",
            "copper",
            "coastal",
            "northern",
        ],
        4,
    )
    return {
        "topic": f"How {' '.join(words)} cables carry the internet",
        "source_text": BRIEF["source_text"],
        **changes,
    }


@pytest.fixture(scope="module")
def made(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Make one video of ten seconds that several tests check."""
    asked = brief()
    before = stack.paid_calls()
    video_id = stack.generate(**asked)
    status = stack.wait(video_id)
    assert status["status"] == "completed", status
    files = stack.files(video_id, tmp_path_factory.mktemp("made"))
    return {
        "id": video_id,
        "brief": asked,
        "files": files,
        "timeline": stack.product(video_id, "timeline.json"),
        "before": before,
        "after": stack.paid_calls(),
    }


def test_the_file_has_the_streams_and_the_length_of_its_timeline(made: dict[str, Any]) -> None:
    report = ffmpeg("-i", str(made["files"]["video"]))
    hours, minutes, seconds = re.search(r"Duration: (\d+):(\d+):([\d.]+)", report).groups()  # type: ignore[union-attr]

    assert "Video: h264" in report
    assert "1080x1920" in report
    assert "bt709" in report
    assert "30 fps" in report
    assert "Audio: aac" in report
    duration = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    assert duration == pytest.approx(made["timeline"]["scenes"][-1]["shots"][-1]["end_s"], abs=0.1)
    assert 8 <= duration <= 12


def test_it_is_as_loud_as_the_platform_plays_it(made: dict[str, Any]) -> None:
    report = ffmpeg("-i", str(made["files"]["video"]), "-af", "ebur128=peak=true")

    assert float(re.findall(r"I:\s+(-?[\d.]+) LUFS", report)[-1]) == pytest.approx(-14, abs=1)
    assert float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", report)[-1]) <= -0.9


def test_nothing_is_black_or_frozen_or_silent(made: dict[str, Any]) -> None:
    video = str(made["files"]["video"])

    assert "black_start" not in ffmpeg("-i", video, "-vf", "blackdetect=d=0.5:pix_th=0.06")
    assert "freeze_start" not in ffmpeg("-i", video, "-vf", "freezedetect=n=-65dB:d=1")
    assert "silence_start" not in ffmpeg("-i", video, "-af", "silencedetect=n=-50dB:d=1")


def test_the_captions_are_the_words_of_the_script(stack: Any, made: dict[str, Any]) -> None:
    script = stack.product(made["id"], "script.json")["script"]
    spoken = " ".join(
        [script["hook"], *(scene["narration"] for scene in script["scenes"]), script["call_to_action"]]
    ).split()

    for name in ("srt", "vtt"):
        lines = made["files"][name].read_text().removeprefix("\ufeff").splitlines()
        lines = lines[lines.index("") :] if name == "vtt" else lines  # after the header
        text = [line for line in lines if line and "-->" not in line and not line.isdigit()]
        assert " ".join(text).split() == spoken


def test_the_thumbnail_is_small_enough_for_youtube(made: dict[str, Any]) -> None:
    with Image.open(made["files"]["thumbnail"]) as picture:
        assert picture.size in ((1280, 720), (1080, 1920))
    assert made["files"]["thumbnail"].stat().st_size <= 2_000_000


def test_the_video_says_that_it_is_a_demo_and_what_it_would_have_cost(
    stack: Any, made: dict[str, Any]
) -> None:
    video = stack.api.get(f"/videos/{made['id']}").json()["video"]
    cost = stack.api.get(f"/videos/{made['id']}/cost").json()

    assert video["demo"] is True
    assert video["status"] == "completed"
    assert 0 < float(cost["total_usd"]) < 1
    assert all(float(cost["breakdown"][step]) > 0 for step in ("script", "voice", "render"))


def test_the_same_brief_again_makes_no_new_paid_call(stack: Any, made: dict[str, Any]) -> None:
    assert made["after"]["LANGUAGE"] > made["before"]["LANGUAGE"]
    assert made["after"]["VOICE"] > made["before"]["VOICE"]
    before = stack.paid_calls()

    second = stack.generate(**made["brief"])

    assert second != made["id"]
    assert stack.wait(second)["status"] == "completed"
    assert stack.paid_calls() == before


def test_the_same_key_twice_is_one_video_and_one_execution(stack: Any) -> None:
    key, body = str(uuid.uuid4()), brief(manual_script="One short sentence for one video.")

    first, second = stack.generate(key, **body), stack.generate(key, **body)

    assert first == second
    stack.wait(first)
    assert stack.executions(first) == [f"{first}-1"]
    other = stack.api.post(
        "/videos/generate",
        json={"channel_id": stack.channel, "topic": "other"},
        headers={"Idempotency-Key": key},
    )
    assert other.status_code == 409


def test_a_cancelled_video_stops_its_execution_and_its_job(stack: Any) -> None:
    video_id = stack.generate(**brief(length_seconds=45))
    stack.wait(video_id, "render")
    deadline = time.monotonic() + 20
    while not render_jobs(stack) and time.monotonic() < deadline:
        time.sleep(0.2)

    assert stack.api.post(f"/videos/{video_id}/cancel").status_code in (200, 202)

    assert stack.wait(video_id, "cancelled", seconds=30)["status"] == "cancelled"
    deadline = time.monotonic() + 30
    while render_jobs(stack) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert render_jobs(stack) == []
    time.sleep(2)  # the ABORTED event invokes finish, which must leave the video cancelled
    assert stack.api.get(f"/videos/{video_id}/status").json()["status"] == "cancelled"


def test_a_voice_worker_that_is_killed_is_replaced_by_the_machines_own_retry(stack: Any) -> None:
    video_id = stack.generate(**brief())
    stack.wait(video_id, "voice")

    assert kill_when_seen(stack, is_voice_worker, seconds=30)

    assert stack.wait(video_id)["status"] == "completed"


def test_a_render_that_is_killed_goes_on_by_itself(stack: Any) -> None:
    video_id = stack.generate(**brief())
    stack.wait(video_id, "render")

    assert kill_when_seen(stack, is_render, seconds=30)

    assert stack.wait(video_id)["status"] == "completed"
    assert stack.executions(video_id) == [f"{video_id}-1"]


def test_a_render_that_never_gets_through_fails_in_words_and_a_retry_pays_for_nothing_twice(
    stack: Any,
) -> None:
    video_id = stack.generate(**brief())
    killed, status = 0, stack.wait(video_id, "render")
    # A process that has outlived a killed render for a moment is killed too, and is no attempt.
    while status["status"] not in ("failed", "completed"):
        killed += kill_when_seen(stack, is_render, seconds=1)
        status = stack.status(video_id)
    assert status["status"] == "failed"
    assert killed >= RENDER_ATTEMPTS
    assert status["errors"][0]["step"] == "render"
    assert "retry" in status["errors"][0]["message"].lower()
    before = stack.paid_calls()

    assert stack.api.post(f"/videos/{video_id}/retry").status_code == 202

    assert stack.wait(video_id)["status"] == "completed"
    assert stack.paid_calls() == before


def test_a_dashboard_uploads_a_picture_from_its_own_origin(stack: Any) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    picture, origin = file.getvalue(), {"Origin": "http://localhost:5173"}
    report = {
        "kind": "image",
        "content_type": "image/png",
        "bytes": len(picture),
        "sha256": hashlib.sha256(picture).hexdigest(),
    }
    announced = (
        stack.api.post("/assets", json=report, headers={"Idempotency-Key": str(uuid.uuid4())})
        .raise_for_status()
        .json()
    )
    upload = announced["upload"]

    asks = {
        **origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(upload["headers"]),
    }
    preflight = httpx.options(upload["url"], headers=asks, timeout=30)
    sent = httpx.put(
        upload["url"], content=picture, headers={**upload["headers"], **origin}, timeout=30
    ).raise_for_status()

    assert preflight.status_code == 200
    assert (
        preflight.headers["access-control-allow-origin"]
        == sent.headers["access-control-allow-origin"]
        == origin["Origin"]
    )
    assert (
        httpx.options(
            upload["url"], headers={**asks, "Origin": "https://elsewhere.example"}, timeout=30
        ).status_code
        == 403
    )
    found = stack.api.get(f"/assets/{announced['asset']['id']}").raise_for_status().json()
    assert found["asset"]["status"] == "ready"
    assert httpx.get(found["download_url"], timeout=30).content == picture


def test_no_function_asked_aws_for_more_than_its_policy_allows(stack: Any, made: dict[str, Any]) -> None:
    stacks = policies.Stacks({"Stage": "local", "PlatformUrl": stack.address("PLATFORM")}, stack.resources())
    callers = json.loads((stack.home / "engine" / "callers.json").read_text())
    calls = policies.read(stack.calls)

    assert {
        "prepare",
        "script",
        "voice",
        "visuals",
        "timeline",
        "record",
        "finish",
        "videos",
        "live",
        "render",
    } <= policies.used(calls, callers, stacks).keys()
    assert policies.faults(calls, callers, stacks) == []


def test_the_engine_killed_half_way_loses_the_execution_but_nothing_paid_for(stack: Any) -> None:
    video_id = stack.generate(**brief())
    stack.wait(video_id, "render")
    before = stack.paid_calls()
    os.kill(stack.pid("engine"), signal.SIGKILL)
    stack.up()

    answer = stack.api.post(f"/videos/{video_id}/retry")

    assert answer.status_code == 202, answer.text
    assert stack.wait(video_id)["status"] == "completed"
    assert stack.paid_calls() == before
    assert render_jobs(stack) == []


@pytest.mark.slow  # the machine retries for minutes before it fails
def test_a_voice_service_that_is_away_fails_the_video_in_words_and_a_retry_goes_on(stack: Any) -> None:
    os.kill(stack.pid("voice"), signal.SIGKILL)
    before = stack.paid_calls_of("LANGUAGE")
    video_id = stack.generate(**brief())

    status = stack.wait(video_id, "failed", "completed", seconds=400)

    assert (status["status"], status["errors"][0]["step"]) == ("failed", "voice")
    assert "ElevenLabs didn't answer" in status["errors"][0]["message"]
    stack.up()
    asked = stack.paid_calls_of("LANGUAGE")
    assert asked > before
    assert stack.api.post(f"/videos/{video_id}/retry").status_code == 202
    assert stack.wait(video_id)["status"] == "completed"
    assert stack.paid_calls_of("LANGUAGE") == asked


def test_wrong_requests_are_answered_as_the_contract_says(stack: Any) -> None:
    url, good = "/videos/generate", {"channel_id": stack.channel, "topic": "t"}

    def answer(body: Any, **headers: str) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        found = stack.api.post(
            url,
            content=content,
            headers={"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json", **headers},
        )
        return found.status_code, found.json()["error"]

    def fields(error: Any) -> set[str]:
        return {detail["field"] for detail in error["details"]}

    assert answer({**good, "channel_id": str(uuid.uuid4())})[0] == 404
    assert answer(b"{broken")[0] == 400
    assert "style" in fields(answer({**good, "style": "opera"})[1])
    assert "length_seconds" in fields(answer({**good, "length_seconds": "long"})[1])
    assert (
        "source_text" in fields(answer({**good, "source_text": "x" * 1_000_000})[1])
        or answer({**good, "source_text": "x" * 1_000_000})[0] == 413
    )
    status, error = answer({"channel_id": stack.channel})
    assert status == 400
    assert "topic" in fields(error)
    assert answer(good, Authorization="Bearer nonsense")[0] == 401
    assert httpx.post(f"{stack.api.base_url}videos/generate", json=good).status_code == 401


def is_render(process: psutil.Process) -> bool:
    return "-m render " in " ".join(process.cmdline())


def is_voice_worker(process: psutil.Process) -> bool:
    return "VoiceFunction" in process.environ().get("AWS_LAMBDA_FUNCTION_NAME", "")


def seen(stack: Any, wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Return the processes of this stack: other stacks may run on the same machine."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if wanted(process) and process.environ().get("AWS_ENDPOINT_URL") == stack.address("ENGINE"):
                found.append(process)
    return found


def render_jobs(stack: Any) -> list[psutil.Process]:
    return seen(stack, is_render)


def kill_when_seen(stack: Any, wanted: Callable[[psutil.Process], bool], seconds: float) -> bool:
    """Kill the matching processes as soon as there is one, and wait until they have ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := seen(stack, wanted):
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):  # a child ends with its parent
                    process.kill()
            psutil.wait_procs(found, timeout=10)
            return True
        time.sleep(0.05)
    return False
