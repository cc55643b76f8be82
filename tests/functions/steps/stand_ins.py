"""OpenAI, ElevenLabs and Pexels for the production steps' tests: good answers, and what was asked."""

import base64
import io
import json
import re
import subprocess
import uuid
import wave
from collections.abc import Callable
from typing import Any

import imageio_ffmpeg
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script_step
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from showrunner.aws import s3, sdk, ssm
from showrunner.database import db
from showrunner.production.job import Job


def good_script(words: int, scenes: int = 4, title: str = "Cables under the sea") -> dict[str, Any]:
    each, rest = divmod(words - 10, scenes)
    visual = {
        "description": "cable ship at sea",
        "template": "gradient",
        "text": None,
        "items": [],
        "value": None,
        "label": None,
        "attribution": None,
        "series": [],
    }
    return {
        "title": title,
        "description": "What carries the internet.",
        "tags": ["cables", "internet"],
        "hook": "Five words open the show",
        "scenes": [
            {"heading": f"Part {number}", "narration": " ".join([f"word{number}"] * (each + (number < rest))), "visual": visual} for number in range(scenes)
        ],
        "call_to_action": "Five words close it again",
    }


def answer(text: str, model: str = "gpt-6-luna") -> Response:
    document = {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": 1795305600,
        "status": "completed",
        "model": model,
        "error": None,
        "incomplete_details": None,
        "output": [
            {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 500,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1500,
        },
    }
    return Response(json.dumps(document), content_type="application/json")


class Platforms:
    """The three services on one loopback server: their next answers, and the requests they received."""

    def __init__(self, server: HTTPServer) -> None:
        self.language: list[Response] = []
        self.questions: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.spoken: list[str] = []
        self.voice_answer: Callable[[str], Response] = speech
        self.searches: list[str] = []
        self.photos: Callable[[], Response] = lambda: Response("{}", content_type="application/json")
        server.expect_request("/v1/responses").respond_with_handler(self._language)
        server.expect_request("/v1/search").respond_with_handler(self._search)
        server.expect_request("/photo.jpg").respond_with_data(b"\xff\xd8photograph", content_type="image/jpeg")
        server.expect_request(re.compile(r"/v1/text-to-speech/.*")).respond_with_handler(self._voice)

    def _language(self, request: Request) -> Response:
        self.questions.append(json.loads(request.data))
        self.headers.append({"authorization": request.headers.get("Authorization", "")})
        return self.language.pop(0)

    def _voice(self, request: Request) -> Response:
        text = json.loads(request.data)["text"]
        self.spoken.append(text)
        return self.voice_answer(text)

    def _search(self, request: Request) -> Response:
        self.searches.append(request.args["query"])
        return self.photos()


def mp3(seconds: float = 0.5) -> bytes:
    """Return an MP3 of this length, made by the encoder that the renderer uses."""
    raw = io.BytesIO()
    with wave.open(raw, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(b"\0\1" * int(44100 * seconds))
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", "-f", "mp3", "-b:a", "128k", "-"], input=raw.getvalue(), capture_output=True, check=True
    )
    return done.stdout


MP3 = mp3()


def speech(text: str) -> Response:
    step = 0.5 / len(text)
    starts = [round(index * step, 4) for index in range(len(text))]
    alignment = {"characters": list(text), "character_start_times_seconds": starts, "character_end_times_seconds": [start + step for start in starts]}
    body = {"audio_base64": base64.b64encode(MP3).decode(), "alignment": alignment, "normalized_alignment": alignment}
    return Response(json.dumps(body), content_type="application/json", headers={"character-cost": str(len(text) // 2), "request-id": uuid.uuid4().hex})


def row(tx: Any, video_id: str) -> dict[str, Any]:
    found = db.one(tx, "SELECT * FROM studio.videos WHERE id = :id", id=video_id)
    assert found is not None
    return found


def words_target(job: dict[str, Any]) -> int:
    return Job.model_validate(s3.get_json(f"{job['folder']}/job.json")).words_target


def write(job: dict[str, Any]) -> dict[str, Any]:
    """Run the script step as often as the state machine repeats it. Returns its last result."""
    for _ in range(20):
        result = script_step.handler(job, None)
        if not result["more"]:
            return result  # type: ignore[no-any-return]
    raise AssertionError("the script never ends")


def produced(tx: Any, platforms: Platforms, event: dict[str, Any]) -> dict[str, Any]:
    """Run all steps up to the render, and store a report as the render does. Returns the job."""
    job = prepare.handler(event, None)
    if not platforms.language:
        platforms.language.append(answer(json.dumps(good_script(words_target(job)))))
    scenes = write(job)["scenes"]
    record.handler({**job, "step": "script"}, None)
    for scene in scenes:
        voice_step.handler({"scene": scene, **job}, None)
        visuals_step.handler({"scene": scene, **job}, None)
    timeline_step.handler(job, None)
    record.handler({**job, "step": "timeline"}, None)
    report = {
        "duration_s": 45.1,
        "loudness_lufs": -14.1,
        "true_peak_dbtp": -1.2,
        "outputs": [
            {
                "name": "9x16",
                "file": "video.mp4",
                "thumbnail": "thumbnail.jpg",
                "srt": "captions.srt",
                "vtt": "captions.vtt",
                "bytes": 9_000_000,
                "width": 1080,
                "height": 1920,
            }
        ],
    }
    s3.put_json(f"{job['folder']}/render/report.json", report)
    return {**job, "render": {"started_at": 1000, "stopped_at": 61_000, "platform": job["platform"]}}


def stock(tx: Any, platforms: Platforms, httpserver: HTTPServer, count: int) -> None:
    sdk.client("ssm").put_parameter(Name="/showrunner/test/pexels/api_key", Value="p", Type="SecureString", Overwrite=True)
    ssm.forget()
    photos = [
        {"id": number, "url": f"https://www.pexels.com/photo/{number}", "photographer": "Ada", "src": {"large2x": httpserver.url_for("/photo.jpg")}}
        for number in range(count)
    ]
    platforms.photos = lambda: Response(json.dumps({"photos": photos}), content_type="application/json")


def failure(job: dict[str, Any], step: str, error: str, cause: str) -> dict[str, Any]:
    return {**job, "failure": {"step": step, "error": error, "cause": cause}}


def list_costs(tx: Any, organisation_id: str, video_id: str) -> list[dict[str, Any]]:
    """Read the charges of a video in the order in which they were recorded."""
    return db.rows(
        tx,
        """
        SELECT step, provider, item, quantity::text, unit, amount_usd::text, list_price_only, recorded_at FROM ledger.costs
         WHERE organisation_id = :organisation_id AND video_id = :video_id ORDER BY recorded_at, charge
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
