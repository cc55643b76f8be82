"""OpenAI, ElevenLabs and Pexels for the production steps' tests: good answers, and what was asked."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script_step
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from local.language import server as language
from local.language.server import LanguageServer
from local.outcomes import Outcome, Outcomes
from local.platforms import commons, nasa, pexels, pixabay
from local.platforms import server as platforms
from local.voice import server as voice
from local.voice.account import PLANS, Account
from local.voice.alignment import Span
from local.voice.audio import SAMPLE_RATE, Speech
from local.voice.encoding import encode
from local.voice.ids import FEMALE, LANGUAGES, MALE
from local.voice.server import VoiceServer
from showrunner.aws import s3, sdk, ssm
from showrunner.database import db
from showrunner.production.job import Job
from tests.serving import serving

VOICES = (FEMALE, MALE)


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
            {
                "heading": f"Part {number}",
                "narration": " ".join([f"word{number}"] * (each + (number < rest))),
                "visual": visual,
            }
            for number in range(scenes)
        ],
        "call_to_action": "Five words close it again",
    }


def answer(text: str) -> Outcome:
    """The model's next answer."""
    return Outcome("text", {"text": text})


class Tokens:
    """A brief has 1,000 tokens, an answer 436; with its reasoning it is billed as 500."""

    def count(self, text: str) -> int:
        return 1000 if "<brief>" in text else 436

    def complete(self, system: str, user: str, most_tokens: int, seed: int) -> str:
        raise AssertionError("every answer of these tests is scripted")


class Tone:
    """Half a second of sound for any text, its characters evenly spread over it."""

    samples = 0.2 * np.sin(np.arange(SAMPLE_RATE // 2, dtype=np.float32) * 0.1)

    def speak(
        self, text: str, style: object, speed: float, language: str = "en", *, normalize: bool = True
    ) -> Speech:
        spans = [
            Span(place, place + 1, 0.5 * place / len(text), 0.5 * (place + 1) / len(text))
            for place in range(len(text))
        ]
        return Speech(self.samples, spans, text, spans)


@cache
def mp3(output_format: str, gapless: bool) -> bytes:
    """The sound of `Tone`, encoded once."""
    return encode(Tone.samples, output_format, gapless=gapless)


class Platforms:
    """The stand-ins of OpenAI, ElevenLabs and Pexels: what each answers next, and what it was asked."""

    def __init__(self) -> None:
        self.openai = LanguageServer(
            Tokens(),
            "stand-in",
            ("gpt-6-luna", "gpt-6.1-terra", "gpt-5.4-mini"),
            128_000,
            lambda asked: JPEG + asked.prompt.encode(),
        )
        styles = {voice_id: dict.fromkeys(LANGUAGES, np.zeros((1, 256), np.float32)) for voice_id in VOICES}
        quick = lambda _, output_format, *, gapless: mp3(output_format, gapless)
        self.elevenlabs = VoiceServer(Tone(), styles, Account(PLANS["scale"], 15, 15), quick)
        self.world = platforms.World()

    def forget(self) -> None:
        """Back to the state of a new stand-in."""
        for outcomes in (
            self.openai.outcomes,
            self.openai.picture_outcomes,
            self.elevenlabs.outcomes,
            self.world.photographs.outcomes,
        ):
            while outcomes.take():
                pass
        for received in (
            self.openai.received,
            self.openai.keys,
            self.openai.drawn,
            self.openai.embedded,
            self.elevenlabs.received,
            self.world.photographs.searches,
            self.world.photographs.fetched,
        ):
            received.clear()
        self.world.photographs.photos, self.world.photographs.videos = [], []
        self.world.photographs.preview = lambda _: pexels.PIXEL
        self.world.pixabay_library, self.world.commons_library = pixabay.Library(), commons.Library()
        self.world.nasa_library = nasa.Library()

    @property
    def language(self) -> Outcomes:
        return self.openai.outcomes

    @property
    def voice(self) -> Outcomes:
        return self.elevenlabs.outcomes

    @property
    def photographs(self) -> pexels.Library:
        return self.world.photographs

    @property
    def questions(self) -> list[dict[str, Any]]:
        return list(self.openai.received)

    @property
    def spoken(self) -> list[str]:
        return [request.text for request in self.elevenlabs.received]

    @property
    def searches(self) -> list[str]:
        return [search["query"] for search in self.photographs.searches]


@contextmanager
def running() -> Iterator[tuple[Platforms, dict[str, str]]]:
    """Start the stand-ins, each on a port of its own; yield them and the settings that point to them."""
    stand_ins = Platforms()
    others = platforms.server(stand_ins.world, 0)
    threading.Thread(target=others.serve_forever, daemon=True).start()
    pexels_url = f"http://127.0.0.1:{others.server_port}"
    with (
        serving(language.application(stand_ins.openai)) as openai,
        serving(voice.application(stand_ins.elevenlabs)) as elevenlabs,
    ):
        addresses = {"OPENAI_BASE_URL": f"{openai}/v1", "ELEVENLABS_BASE_URL": elevenlabs}
        yield (
            stand_ins,
            {
                **addresses,
                "PEXELS_BASE_URL": pexels_url,
                "PEXELS_PHOTO_HOST": f"{pexels_url}/",
                "PEXELS_VIDEO_HOST": f"{pexels_url}/",
                "PIXABAY_BASE_URL": pexels_url,
                "PIXABAY_PHOTO_HOST": f"{pexels_url}/",
                "PIXABAY_VIDEO_HOST": f"{pexels_url}/",
                "COMMONS_BASE_URL": pexels_url,
                "COMMONS_FILE_HOST": f"{pexels_url}/",
                "NASA_BASE_URL": f"{pexels_url}/nasa",
                "NASA_FILE_HOST": f"{pexels_url}/",
                "YOUTUBE_BASE_URL": pexels_url,
                "SPOTIFY_BASE_URL": pexels_url,
                "SPOTIFY_ACCOUNTS_URL": pexels_url,
                "TIKTOK_API_URL": pexels_url,
                "TIKTOK_LOGIN_URL": pexels_url,
                "AIRTABLE_BASE_URL": pexels_url,
            },
        )
    others.shutdown()


def prompt_of(question: dict[str, Any]) -> str:
    """Return the text of the user's message."""
    return str(question["input"][-1]["content"])


def row(tx: Any, video_id: str) -> dict[str, Any]:
    found = db.one(tx, "SELECT * FROM studio.videos WHERE id = :id", id=video_id)
    assert found is not None
    return found


def words_target(job: dict[str, Any]) -> int:
    return Job.model_validate(s3.get_json(f"{job['folder']}/job.json")).words_target


def write(job: dict[str, Any]) -> dict[str, Any]:
    """Run the script step as often as the state machine repeats it. Returns its last result."""
    reserved = "0"
    for _ in range(40):
        result = script_step.handler({"reserved_usd": reserved, **job}, None)
        if not result["more"]:
            return result  # type: ignore[no-any-return]
        reserved = record.handler({**job, "step": "reserve", "amount_usd": result["next_usd"]}, None)[
            "reserved_usd"
        ]
    raise AssertionError("the script never ends")


def produced(tx: Any, platforms: Platforms, event: dict[str, Any]) -> dict[str, Any]:
    """Run all steps up to the render, and store files and report as the render does. Returns the job."""
    job = prepare.handler(event, None)
    if not len(platforms.language):
        platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])
    scenes = write(job)["scenes"]
    record.handler({**job, "step": "script"}, None)
    for scene in scenes:
        voice_step.handler({"scene": scene, **job}, None)
        visuals_step.handler({"scene": scene, **job}, None)
    timeline_step.handler({**job, "timeline_version": 4}, None)
    record.handler({**job, "step": "timeline"}, None)
    film = bytes(9_000_000)
    rendered = {
        "video.mp4": film,
        "thumbnail.jpg": b"jpeg",
        "thumbnail.tall.jpg": b"jpeg",
        "captions.srt": b"1",
        "captions.vtt": b"WEBVTT",
    }
    for name, body in rendered.items():
        s3.put_bytes(f"{job['folder']}/render/{name}", body)
    report = {
        "duration_s": 45.1,
        "loudness_lufs": -14.1,
        "true_peak_dbtp": -1.2,
        "picture": {"motion_share": 0.7, "longest_shot_s": 5.2, "shots_per_minute": 15.0, "repeats": 0},
        "outputs": [
            {
                "name": "9x16",
                "file": "video.mp4",
                "thumbnail": "thumbnail.jpg",
                "thumbnail_tall": "thumbnail.tall.jpg",
                "srt": "captions.srt",
                "vtt": "captions.vtt",
                "bytes": len(film),
                "sha256": hashlib.sha256(film).hexdigest(),
                "sha256_beside": {
                    kind: hashlib.sha256(rendered[name]).hexdigest()
                    for kind, name in {
                        "thumbnail": "thumbnail.jpg",
                        "thumbnail_tall": "thumbnail.tall.jpg",
                        "srt": "captions.srt",
                        "vtt": "captions.vtt",
                    }.items()
                },
                "width": 1080,
                "height": 1920,
            }
        ],
    }
    s3.put_json(f"{job['folder']}/render/report.json", report)
    return {**job, "render": {"started_at": 1000, "stopped_at": 61_000, "platform": job["platform"]}}


# The first bytes of a JPEG file: the steps don't decode it either.
JPEG = b"\xff\xd8\xff\xe0"
# The first boxes of an MP4 file: the steps don't decode it.
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"


def stock(platforms: Platforms, count: int, clips: int = 0) -> None:
    """Pexels has `count` photographs and some clips, and there is a key for it."""
    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/pexels/api_key", Value=pexels.KEY, Type="SecureString", Overwrite=True
    )
    ssm.forget()
    platforms.photographs.photos = [{"id": number, "photographer": "Ada"} for number in range(count)]
    platforms.photographs.videos = [
        {"id": number, "width": 1080, "height": 1920, "duration": 12} for number in range(clips)
    ]
    platforms.photographs.clip = lambda video: [MP4 + str(video["id"]).encode()]


def failure(job: dict[str, Any], step: str, error: str, cause: str) -> dict[str, Any]:
    return {**job, "failure": {"step": step, "error": error, "cause": cause}}


def list_costs(tx: Any, organisation_id: str, video_id: str) -> list[dict[str, Any]]:
    """Read the charges of a video in the order in which they were recorded."""
    return db.rows(
        tx,
        """
        SELECT step, provider, item, quantity::text, unit, amount_usd::text, list_price_only, recorded_at
        FROM ledger.costs
         WHERE organisation_id = :organisation_id AND video_id = :video_id ORDER BY recorded_at, charge
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
