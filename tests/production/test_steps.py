"""The steps of the production machine, in its order, on a real PostgreSQL and an object store; OpenAI, ElevenLabs and Pexels answer over HTTP."""

import base64
import io
import json
import re
import subprocess
import uuid
import wave
from collections.abc import Callable, Iterator
from typing import Any

import imageio_ffmpeg
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script_step
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from functions.voice import app as voice_step
from showrunner import blobs, config, db, receipts, signed
from showrunner import events as bus_events
from showrunner.errors import CredentialRejected, InvalidRequest, PlatformUnavailable, ProductionCancelled, QuotaExceeded, ScriptRejected, ServiceUnavailable
from showrunner.production import script
from showrunner.production.brief import Job
from showrunner.store import ledger
from tests.servers import speaking


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
    """The three services on one loopback server: what each answers next, and what it was asked."""

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
    """A recording of that length, made by the encoder that the renderer uses."""
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


@pytest.fixture
def platforms(httpserver: HTTPServer, aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platforms]:
    base = httpserver.url_for("")
    settings = {
        "OPENAI_BASE_URL": f"{base}/v1",
        "OPENAI_MODEL": "gpt-6-luna",
        "OPENAI_FALLBACK_MODEL": " ",
        "ELEVENLABS_BASE_URL": base,
        "ELEVENLABS_MODEL": "eleven_flash_v2_5",
        "PEXELS_BASE_URL": base,
        "PEXELS_PHOTO_HOST": base,
        "RENDER_PLATFORM": "auto",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("openai", "elevenlabs"):
        config.aws("ssm").put_parameter(Name=f"/showrunner/test/{name}/api_key", Value=f"key-of-{name}", Type="SecureString", Overwrite=True)
    config.forget_secrets()
    yield Platforms(httpserver)
    config.forget_secrets()


@pytest.fixture
def video(tx: Any) -> Callable[..., dict[str, Any]]:
    """Adds an organisation, a channel and a queued video; gives the machine's input."""

    def add(settings: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        organisation, channel, video_id = (str(uuid.uuid4()) for _ in range(3))
        request = {
            "topic": "Sea cables",
            "style": "educational",
            "length_seconds": 45,
            "voice": "female1",
            "aspect": ["9:16"],
            "assets": [],
            "priority": 1,
            **changes,
        }
        db.run(tx, "INSERT INTO accounts.organisations (id, name) VALUES (:id, 'Deep Sea Media')", id=organisation)
        db.run(
            tx,
            "INSERT INTO studio.channels (id, organisation_id, name, settings) VALUES (:id, :organisation, 'Depths', :settings)",
            id=channel,
            organisation=organisation,
            settings=json.dumps(settings or {"language": "en"}),
        )
        db.run(
            tx,
            "INSERT INTO studio.videos (id, organisation_id, channel_id, request) VALUES (:id, :organisation, :channel, :request)",
            id=video_id,
            organisation=organisation,
            channel=channel,
            request=json.dumps(request),
        )
        return {"video_id": video_id, "organisation_id": organisation, "attempt": 1}

    return add


def row(tx: Any, video_id: str) -> dict[str, Any]:
    found = db.one(tx, "SELECT * FROM studio.videos WHERE id = :id", id=video_id)
    assert found is not None
    return found


def words_target(job: dict[str, Any]) -> int:
    return Job.model_validate(blobs.get_json(f"{job['folder']}/job.json")).words_target


def write(job: dict[str, Any]) -> dict[str, Any]:
    """WriteScript as the machine loops it."""
    for _ in range(20):
        result = script_step.handler(job, None)
        if not result["more"]:
            return result  # type: ignore[no-any-return]
    raise AssertionError("the script never ends")


def produced(tx: Any, platforms: Platforms, event: dict[str, Any]) -> dict[str, Any]:
    """All steps up to the render, and a report as the render leaves it."""
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
    blobs.put_json(f"{job['folder']}/render/report.json", report)
    return {**job, "render": {"started_at": 1000, "stopped_at": 61_000, "platform": job["platform"]}}


def test_a_brief_becomes_a_finished_video_with_every_cent_in_the_ledger(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()

    done = produced(tx, platforms, event)
    finish.handler(done, None)

    after = row(tx, event["video_id"])
    assert (after["status"], after["progress"], after["error"]) == ("completed", 100, None)
    assert after["title"] == "Cables under the sea"
    assert after["product"]["outputs"][0]["video"].endswith("/render/video.mp4")
    costs = ledger.list_costs(tx, event["organisation_id"], event["video_id"])
    assert {cost["step"] for cost in costs} == {"script", "voice", "render", "storage"}
    assert float(next(cost["amount_usd"] for cost in costs if cost["step"] == "script")) == pytest.approx(1000 * 0.10e-6 + 500 * 0.50e-6)
    assert sum(float(cost["quantity"]) for cost in costs if cost["step"] == "voice") == sum(len(text) // 2 for text in platforms.spoken)
    assert next(float(cost["amount_usd"]) for cost in costs if cost["step"] == "render") == pytest.approx(0.19748 / 60, abs=1e-8)


def test_every_step_run_twice_pays_once_and_changes_nothing(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    finish.handler(produced(tx, platforms, event), None)
    before, spoken, asked = row(tx, event["video_id"]), list(platforms.spoken), len(platforms.questions)
    costs = ledger.list_costs(tx, event["organisation_id"], event["video_id"])

    db.run(tx, "UPDATE studio.videos SET status = 'processing', attempt = 2 WHERE id = :id", id=event["video_id"])
    finish.handler(produced(tx, platforms, {**event, "attempt": 2}), None)

    assert (platforms.spoken, len(platforms.questions)) == (spoken, asked)
    assert row(tx, event["video_id"])["title"] == before["title"]
    again = ledger.list_costs(tx, event["organisation_id"], event["video_id"])
    assert [cost for cost in again if cost["step"] != "render"] == [cost for cost in costs if cost["step"] != "render"]


def test_the_same_brief_in_another_video_pays_for_nothing_new(tx: Any, platforms: Platforms, video: Any) -> None:
    first = video()
    produced(tx, platforms, first)
    spoken, asked = len(platforms.spoken), len(platforms.questions)
    second = {**first, "video_id": str(uuid.uuid4())}
    db.run(
        tx,
        """INSERT INTO studio.videos (id, organisation_id, channel_id, request)
           SELECT :new, organisation_id, channel_id, request FROM studio.videos WHERE id = :old""",
        new=second["video_id"],
        old=first["video_id"],
    )

    produced(tx, platforms, second)

    assert (len(platforms.spoken), len(platforms.questions)) == (spoken, asked)
    assert ledger.list_costs(tx, second["organisation_id"], second["video_id"]) == []


def test_a_bad_answer_is_repaired_once(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    target = words_target(job)
    platforms.language += [answer(json.dumps(good_script(target * 2))), answer(json.dumps(good_script(target)))]

    assert script_step.handler(job, None) == {"more": True}
    assert script_step.handler(job, None)["more"] is False

    assert len(platforms.questions) == 2
    assert f"they have {target * 2}" in platforms.questions[1]["input"]
    assert len(receipts.list_(job["folder"])) == 2


def test_after_the_repair_a_second_model_is_asked_when_one_is_configured(tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_FALLBACK_MODEL", "gpt-6.1-terra")
    job = prepare.handler(video(), None)
    platforms.language += [answer("{}"), answer("nonsense"), answer(json.dumps(good_script(words_target(job))), "gpt-6.1-terra")]

    write(job)

    assert [question["model"] for question in platforms.questions] == ["gpt-6-luna", "gpt-6-luna", "gpt-6.1-terra"]
    assert "You answered" not in platforms.questions[2]["input"]


def test_without_a_usable_script_the_step_fails_before_any_voice_and_a_retry_asks_anew(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    platforms.language += [answer("{}"), answer("{}")]

    assert script_step.handler(job, None) == {"more": True}
    with pytest.raises(ScriptRejected):
        script_step.handler(job, None)

    assert platforms.spoken == []
    assert blobs.find_json(f"{job['folder']}/script.json") is None
    finish.handler(failure(job, "script", "ScriptRejected", "{}"), None)
    assert len(ledger.list_costs(tx, job["organisation_id"], job["video_id"])) == 2  # refused, but paid for
    platforms.language.append(answer(json.dumps(good_script(words_target(job)))))
    assert write(job)["scenes"]


def test_a_long_script_is_written_by_outline_and_parts_one_call_at_a_time(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(length_seconds=240), None)
    document = Job.model_validate(blobs.get_json(f"{job['folder']}/job.json"))
    base = good_script(100)
    outline = {
        **{name: base[name] for name in ("title", "description", "tags", "hook", "call_to_action")},
        "parts": [{"heading": f"H{n}", "points": ["p"]} for n in range(3)],
    }
    share = round((document.words_target - 10) / 3)
    part = {"scenes": good_script(share + 10, scenes=6)["scenes"]}
    platforms.language += [answer(json.dumps(outline)), *(answer(json.dumps(part)) for _ in range(3))]

    calls = 0
    while script_step.handler(job, None)["more"]:
        calls += 1

    assert (calls, len(platforms.questions)) == (3, 4)
    written = script.Script.model_validate(blobs.get_json(f"{job['folder']}/script.json")["script"])
    spoken = sum(map(script.count_words, written.passages))
    assert abs(spoken - document.words_target) <= document.words_target * 0.1


def test_a_manual_script_is_spoken_to_the_letter_and_asks_no_model(tx: Any, platforms: Platforms, video: Any) -> None:
    text = "Exactly this. Not a word more!\n\nAnd this, too."
    job = prepare.handler(video(manual_script=text), None)

    scenes = write(job)["scenes"]
    for scene in scenes:
        voice_step.handler({"scene": scene, **job}, None)

    assert platforms.questions == []
    assert " ".join(platforms.spoken).split() == text.split()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, CredentialRejected),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, QuotaExceeded),
        (429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}, PlatformUnavailable),
        (503, {"error": {"message": "overloaded"}}, PlatformUnavailable),
    ],
)
def test_openais_errors_say_what_to_do(tx: Any, platforms: Platforms, video: Any, status: int, body: dict[str, Any], error: type[Exception]) -> None:
    job = prepare.handler(video(), None)
    platforms.language.append(Response(json.dumps(body), status=status, content_type="application/json"))

    with pytest.raises(error):
        script_step.handler(job, None)

    assert len(platforms.questions) == 1  # the machine retries, not the SDK


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


def test_a_key_that_was_refused_and_replaced_is_used_at_once(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    refused = {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}
    platforms.language += [Response(json.dumps(refused), status=401, content_type="application/json"), answer(json.dumps(good_script(words_target(job))))]
    with pytest.raises(CredentialRejected):
        script_step.handler(job, None)
    config.aws("ssm").put_parameter(Name="/showrunner/test/openai/api_key", Value="replaced", Type="SecureString", Overwrite=True)

    script_step.handler(job, None)

    assert config.secret("openai/api_key") == "replaced"
    assert [each["authorization"] for each in platforms.headers] == ["Bearer key-of-openai", "Bearer replaced"]


def test_a_voice_without_alignment_still_gets_captions(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(manual_script="One sentence of five words."), None)
    write(job)
    body = {"audio_base64": base64.b64encode(MP3).decode(), "alignment": None, "normalized_alignment": None}
    platforms.voice_answer = lambda _: Response(json.dumps(body), content_type="application/json")
    voice_step.handler({"scene": 0, **job}, None)
    visuals_step.handler({"scene": 0, **job}, None)

    timeline_step.handler(job, None)

    words = blobs.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["narration"]["words"]
    assert [word["text"] for word in words] == ["One", "sentence", "of", "five", "words."]


def test_a_text_that_two_scenes_share_is_spoken_and_paid_for_once(tx: Any, platforms: Platforms, video: Any) -> None:
    sentence = "The same ninety words. " * 23
    job = prepare.handler(video(manual_script=f"{sentence}\n\nSomething else in between.\n\n{sentence}"), None)
    written = write(job)

    for scene in written["narrations"]:
        voice_step.handler({"scene": scene, **job}, None)

    recordings = [blobs.get_json(f"{job['folder']}/scenes/{scene}.voice.json") for scene in written["scenes"]]
    assert len(written["narrations"]) == len({recording["text"] for recording in recordings}) < len(recordings)
    assert len(platforms.spoken) == len(written["narrations"])


def stock(tx: Any, platforms: Platforms, httpserver: HTTPServer, count: int) -> None:
    config.aws("ssm").put_parameter(Name="/showrunner/test/pexels/api_key", Value="p", Type="SecureString", Overwrite=True)
    config.forget_secrets()
    photos = [
        {"id": number, "url": f"https://www.pexels.com/photo/{number}", "photographer": "Ada", "src": {"large2x": httpserver.url_for("/photo.jpg")}}
        for number in range(count)
    ]
    platforms.photos = lambda: Response(json.dumps({"photos": photos}), content_type="application/json")


@pytest.fixture
def without_pexels() -> Iterator[None]:
    yield
    config.aws("ssm").delete_parameter(Name="/showrunner/test/pexels/api_key")
    config.forget_secrets()


@pytest.mark.usefixtures("without_pexels")
def test_the_users_asset_comes_first_then_stock_without_repeats_then_the_backdrop(tx: Any, platforms: Platforms, httpserver: HTTPServer, video: Any) -> None:
    stock(tx, platforms, httpserver, 2)
    asset = str(uuid.uuid4())
    event = video(assets=[asset], manual_script="One sentence. " * 30)
    db.run(
        tx,
        """INSERT INTO studio.assets (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
           VALUES (:id, :org, 'image', 'image/png', 9, :sha, 'k', 'ready')""",
        id=asset,
        org=event["organisation_id"],
        sha="0" * 64,
    )
    job = prepare.handler(event, None)
    scenes = write(job)["scenes"]

    for scene in scenes:
        visuals_step.handler({"scene": scene, **job}, None)

    chosen = [blobs.get_json(f"{job['folder']}/scenes/{scene}.visual.json") for scene in scenes]
    assert chosen[0]["source"] == f"asset:{asset}"
    assert {chosen[1]["source"], chosen[2]["source"]} == {"https://www.pexels.com/photo/0", "https://www.pexels.com/photo/1"}
    assert all(each["kind"] == "generated" for each in chosen[3:])
    assert all(each["licence"] for each in chosen)


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("status", [401, 429, 500])
def test_stock_that_fails_is_replaced_by_the_backdrop(tx: Any, platforms: Platforms, httpserver: HTTPServer, video: Any, status: int) -> None:
    stock(tx, platforms, httpserver, 1)
    platforms.photos = lambda: Response("{}", status=status)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert blobs.get_json(f"{job['folder']}/scenes/0.visual.json")["kind"] == "generated"


@pytest.mark.usefixtures("without_pexels")
def test_a_photograph_that_breaks_off_is_replaced_by_the_backdrop(
    tx: Any, platforms: Platforms, httpserver: HTTPServer, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(tx, platforms, httpserver, 1)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    with speaking([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\xff\xd8"]) as address:
        monkeypatch.setenv("PEXELS_PHOTO_HOST", address)
        photo = {"id": 1, "url": "https://www.pexels.com/photo/1", "photographer": "Ada", "src": {"large2x": f"{address}/photo.jpg"}}
        platforms.photos = lambda: Response(json.dumps({"photos": [photo]}), content_type="application/json")
        visuals_step.handler({"scene": 0, **job}, None)

    assert blobs.get_json(f"{job['folder']}/scenes/0.visual.json")["kind"] == "generated"


def test_an_asset_that_is_not_uploaded_fails_prepare_naming_it(tx: Any, platforms: Platforms, video: Any) -> None:
    missing = str(uuid.uuid4())

    with pytest.raises(InvalidRequest, match=missing):
        prepare.handler(video(assets=[missing]), None)


@pytest.mark.parametrize("change", ["status = 'cancelled'", "attempt = 2", "status = 'failed'"])
def test_a_step_of_an_attempt_that_is_over_stops_and_changes_nothing(tx: Any, platforms: Platforms, video: Any, change: str) -> None:
    event = video(manual_script="One sentence.")
    job = prepare.handler(event, None)
    write(job)
    db.run(tx, f"UPDATE studio.videos SET {change} WHERE id = :id", id=event["video_id"])
    before = row(tx, event["video_id"])

    with pytest.raises(ProductionCancelled):
        record.handler({**job, "step": "script"}, None)

    after = row(tx, event["video_id"])
    assert (after["status"], after["attempt"], after["current_step"]) == (before["status"], before["attempt"], before["current_step"])


def failure(job: dict[str, Any], step: str, error: str, cause: str) -> dict[str, Any]:
    return {**job, "failure": {"step": step, "error": error, "cause": cause}}


def test_a_failure_names_its_step_and_says_what_to_do(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)

    finish.handler(failure(job, "voice", "QuotaExceeded", json.dumps({"errorMessage": "0 credits", "errorType": "QuotaExceeded"})), None)

    after = row(tx, event["video_id"])
    assert (after["status"], after["error"]["step"], after["error"]["code"]) == ("failed", "voice", "QuotaExceeded")
    assert "ElevenLabs" in after["error"]["message"]


def test_a_failure_of_the_right_branch_is_a_failure_of_the_visuals(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)
    inner = {"Error": "StorageMissing", "Cause": json.dumps({"errorMessage": "There is no object x."})}

    finish.handler(failure(job, "visuals", "VisualsFailed", json.dumps(inner)), None)

    assert row(tx, event["video_id"])["error"]["code"] == "StorageMissing"


def test_a_render_that_failed_is_explained_by_what_it_left(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)
    blobs.put_json(f"{job['folder']}/render/error.json", {"error": "AssetUnreadable", "message": "clip.mp4 can't be decoded: upload it again."})

    finish.handler(failure(job, "render", "States.TaskFailed", json.dumps({"StatusReason": "Essential container in task exited"})), None)

    assert "clip.mp4" in row(tx, event["video_id"])["error"]["message"]


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED", "FAILED"])
def test_an_execution_that_no_catch_saw_ends_its_video(tx: Any, platforms: Platforms, video: Any, status: str) -> None:
    event = video()
    prepare.handler(event, None)
    detail = {"name": f"{event['video_id']}-1", "status": status, "stateMachineArn": "arn", "cause": None}

    finish.handler({"source": "aws.states", "detail": detail}, None)

    assert row(tx, event["video_id"])["status"] == "failed"


def test_what_a_cancelled_video_had_paid_is_in_the_ledger(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video(manual_script="One sentence.")
    job = prepare.handler(event, None)
    write(job)
    voice_step.handler({"scene": 0, **job}, None)
    db.run(tx, "UPDATE studio.videos SET status = 'cancelled' WHERE id = :id", id=event["video_id"])

    finish.handler({"source": "aws.states", "detail": {"name": f"{event['video_id']}-1", "status": "ABORTED"}}, None)

    assert [cost["step"] for cost in ledger.list_costs(tx, event["organisation_id"], event["video_id"])] == ["voice"]


def test_a_render_that_failed_is_paid_for_all_the_same(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    job = prepare.handler(event, None)

    finish.handler(failure(job, "render", "States.TaskFailed", json.dumps({"StatusReason": "x", "StartedAt": 0, "StoppedAt": 3_600_000})), None)

    (cost,) = ledger.list_costs(tx, event["organisation_id"], event["video_id"])
    assert (cost["step"], float(cost["amount_usd"])) == ("render", 0.19748)


def test_the_abort_of_a_cancelled_video_leaves_it_cancelled(tx: Any, platforms: Platforms, video: Any) -> None:
    event = video()
    prepare.handler(event, None)
    db.run(tx, "UPDATE studio.videos SET status = 'cancelled' WHERE id = :id", id=event["video_id"])

    finish.handler({"source": "aws.states", "detail": {"name": f"{event['video_id']}-1", "status": "ABORTED"}}, None)

    assert row(tx, event["video_id"])["status"] == "cancelled"


@pytest.fixture
def bus(aws: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was announced since it was last asked, read from the bus by a rule as Live's is."""
    sqs, events = config.aws("sqs"), config.aws("events")
    url = sqs.create_queue(QueueName=f"announced-{uuid.uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="announced", EventPattern=json.dumps({"source": ["showrunner"], "detail-type": [{"prefix": "video."}]}))
    events.put_targets(Rule="announced", Targets=[{"Id": "queue", "Arn": arn}])

    def take() -> list[dict[str, Any]]:
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    yield take
    events.remove_targets(Rule="announced", Ids=["queue"])
    events.delete_rule(Name="announced")


def test_each_step_announces_how_far_the_video_is(tx: Any, platforms: Platforms, video: Any, bus: Any) -> None:
    event = video(manual_script="One sentence.")
    finish.handler(produced(tx, platforms, event), None)

    told = bus()

    assert [(each["detail-type"], each["detail"]["current_step"], each["detail"]["progress"]) for each in told] == [
        ("video.progress", "prepare", 1),
        ("video.progress", "voice", 15),
        ("video.progress", "render", 50),
        ("video.completed", "finish", 100),
    ]
    assert {(each["detail"]["video_id"], each["detail"]["organisation_id"], each["detail"]["attempt"]) for each in told} == {tuple(event.values())}
    assert [each["detail"]["status"] for each in told] == ["processing"] * 3 + ["completed"]
    assert told[-1]["detail"]["title"] == row(tx, event["video_id"])["title"]
    assert len({each["detail"]["event_id"] for each in told}) == 4


def test_a_step_that_runs_twice_announces_the_same_event(tx: Any, platforms: Platforms, video: Any, bus: Any) -> None:
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    first, *_ = bus()
    for _ in range(2):
        record.handler({**job, "step": "script"}, None)

    again = bus()

    assert again[0]["detail"]["event_id"] == again[1]["detail"]["event_id"] != first["detail"]["event_id"]


@pytest.mark.parametrize(("status", "kind"), [("processing", "video.failed"), ("cancelled", "video.cancelled")])
def test_every_end_is_announced(tx: Any, platforms: Platforms, video: Any, bus: Any, status: str, kind: str) -> None:
    event = video(manual_script="One sentence.")
    prepare.handler(event, None)
    bus()
    db.run(tx, "UPDATE studio.videos SET status = :status WHERE id = :id", status=status, id=event["video_id"])

    finish.handler({"source": "aws.states", "detail": {"name": f"{event['video_id']}-1", "status": "ABORTED"}}, None)

    (told,) = bus()
    assert (told["detail-type"], told["detail"]["status"]) == (kind, kind.removeprefix("video."))
    assert told["detail"]["message"]


def test_a_bus_that_is_away_stops_no_step(tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "arn:aws:events:us-east-1:123456789012:event-bus/nobody-made-it")
    with pytest.raises((ServiceUnavailable, signed.Refused)):
        bus_events.emit_all("video.progress", [{"event_id": "1"}])
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    assert record.handler({**job, "step": "script"}, None) == {"recorded": "script"}
