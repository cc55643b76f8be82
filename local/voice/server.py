"""The part of ElevenLabs' HTTP interface that the product uses, over the local voice.

https://elevenlabs.io/docs/api-reference/text-to-speech/convert-with-timestamps
"""

import asyncio
import base64
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StrictStr, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.model_server import Counted
from local.voice.alignment import Span, character_times
from local.voice.encoding import DEFAULT_FORMAT, FORMATS, content_type, encode
from local.voice.synthesis import Kokoro, Speech, Styles
from local.voice.voices import VOICES

# Characters in one request, and credits to a character, by model.
MODELS = {
    "eleven_v3": (5_000, 1.0),
    "eleven_multilingual_v2": (10_000, 1.0),
    "eleven_flash_v2_5": (40_000, 0.5),
    "eleven_flash_v2": (30_000, 0.5),
    "eleven_turbo_v2_5": (40_000, 0.5),
}
DEFAULT_MODEL = "eleven_multilingual_v2"
LANGUAGES = frozenset({"en"})
# Kokoro stays clear between these; ElevenLabs itself allows 0.7 to 1.2.
SLOWEST, FASTEST = 0.7, 1.2
# 40,000 characters of four bytes, twice over (previous_text, next_text), and some room.
LARGEST_BODY = 1_000_000
PLAN_CHARACTERS = 10_000_000


class VoiceSettings(BaseModel):
    stability: float | None = Field(None, ge=0, le=1)
    similarity_boost: float | None = Field(None, ge=0, le=1)
    style: float | None = Field(None, ge=0, le=1)
    use_speaker_boost: bool | None = None
    speed: float | None = None


class SpeechRequest(BaseModel):
    text: StrictStr
    model_id: StrictStr = DEFAULT_MODEL
    language_code: StrictStr | None = None
    voice_settings: VoiceSettings | None = None
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] | None = None

    @property
    def speed(self) -> float:
        return self.voice_settings.speed if self.voice_settings and self.voice_settings.speed is not None else 1.0


class Refused(Exception):
    def __init__(self, http_status: int, status: str, message: str) -> None:
        super().__init__(message)
        self.http_status, self.status, self.message = http_status, status, message


@dataclass
class Desk:
    """How many speak at once, how many wait, and what has been charged so far."""

    concurrency: int
    queue: int
    present: int = 0
    characters: int = 0
    turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.turns = asyncio.Semaphore(self.concurrency)

    async def __aenter__(self) -> Self:
        if self.present >= self.concurrency + self.queue:
            message = f"Too many concurrent requests. Your current subscription is associated with a maximum of {self.concurrency} concurrent requests."
            raise Refused(429, "too_many_concurrent_requests", message)
        self.present += 1
        try:
            await self.turns.acquire()
        except BaseException:
            self.present -= 1
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.present -= 1
        self.turns.release()

    @property
    def speaking(self) -> int:
        return min(self.present, self.concurrency)


@dataclass
class VoiceServer:
    kokoro: Kokoro
    styles: dict[str, Styles]
    desk: Desk

    async def speech_with_timestamps(self, request: Request) -> Response:
        wanted, speech, audio, headers = await self._spoken(request)
        return JSONResponse(
            {
                "audio_base64": base64.b64encode(audio).decode(),
                "alignment": _alignment(wanted.text, speech.spans, speech.duration_s),
                "normalized_alignment": _alignment(speech.spoken, speech.spoken_spans, speech.duration_s),
            },
            headers=headers,
        )

    async def speech(self, request: Request) -> Response:
        _, _, audio, headers = await self._spoken(request)
        return Response(audio, media_type=content_type(request.query_params.get("output_format", DEFAULT_FORMAT)), headers=headers)

    async def _spoken(self, request: Request) -> tuple[SpeechRequest, Speech, bytes, dict[str, str]]:
        wanted = await _body(request)
        voice_id, output_format = request.path_params["voice_id"], request.query_params.get("output_format", DEFAULT_FORMAT)
        _check(wanted, voice_id, output_format, self.styles)
        async with self.desk as desk:
            speech = await run_in_threadpool(self.kokoro.speak, wanted.text, self.styles[voice_id], wanted.speed)
            audio = await run_in_threadpool(encode, speech.samples, output_format)
            cost = math.ceil(len(wanted.text) * MODELS[wanted.model_id][1])
            desk.characters += cost
            headers = {
                "character-cost": str(cost),
                "current-concurrent-requests": str(desk.speaking),
                "maximum-concurrent-requests": str(desk.concurrency),
            }
        return wanted, speech, audio, headers

    async def voices(self, _: Request) -> Response:
        return JSONResponse({"voices": [_voice(voice_id) for voice_id in self.styles], "has_more": False, "total_count": len(self.styles)})

    async def voice(self, request: Request) -> Response:
        _check_voice(request.path_params["voice_id"], self.styles)
        return JSONResponse(_voice(request.path_params["voice_id"]))

    async def models(self, _: Request) -> Response:
        return JSONResponse([_model(model_id, *facts) for model_id, facts in MODELS.items()])

    async def subscription(self, _: Request) -> Response:
        return JSONResponse(
            {
                "tier": "creator",
                "character_count": self.desk.characters,
                "character_limit": PLAN_CHARACTERS,
                "max_character_limit_extension": None,
                "can_extend_character_limit": False,
                "allowed_to_extend_character_limit": False,
                "next_character_count_reset_unix": 1_798_761_600,
                "voice_slots_used": 0,
                "professional_voice_slots_used": 0,
                "voice_limit": 30,
                "voice_add_edit_counter": 0,
                "professional_voice_limit": 1,
                "can_extend_voice_limit": False,
                "can_use_instant_voice_cloning": False,
                "can_use_professional_voice_cloning": False,
                "status": "active",
                "has_open_invoices": False,
                "open_invoices": [],
            }
        )


def application(server: VoiceServer) -> Counted:
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/v1/text-to-speech/{voice_id}/with-timestamps", _authorised(server.speech_with_timestamps), methods=["POST"]),
            Route("/v1/text-to-speech/{voice_id}", _authorised(server.speech), methods=["POST"]),
            Route("/v1/voices", _authorised(server.voices)),
            Route("/v2/voices", _authorised(server.voices)),
            Route("/v1/voices/{voice_id}", _authorised(server.voice)),
            Route("/v1/models", _authorised(server.models)),
            Route("/v1/user/subscription", _authorised(server.subscription)),
        ],
        exception_handlers={Refused: _refused, ValidationError: _invalid, HTTPException: _http_error, Exception: _failed},
    )
    counted = Counted(app)
    app.add_route("/stats", counted.stats)
    return counted


def _authorised(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        if not request.headers.get("xi-api-key", "").strip():
            raise Refused(401, "invalid_api_key", "Invalid API key")
        return await endpoint(request)

    return checked


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _body(request: Request) -> SpeechRequest:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise Refused(413, "payload_too_large", f"The body is larger than {LARGEST_BODY} bytes")
    return SpeechRequest.model_validate_json(content)


def _check(wanted: SpeechRequest, voice_id: str, output_format: str, styles: dict[str, Styles]) -> None:
    _check_voice(voice_id, styles)
    if wanted.model_id not in MODELS:
        raise Refused(400, "model_not_found", f"A model with model ID {wanted.model_id} does not exist")
    if output_format not in FORMATS:
        raise Refused(400, "invalid_output_format", f"The output format {output_format} is not one of {', '.join(FORMATS)}")
    if wanted.language_code is not None and wanted.language_code.lower() not in LANGUAGES:
        raise Refused(400, "unsupported_language", f"The local voice speaks English only; language_code {wanted.language_code!r} has no voice here")
    if not SLOWEST <= wanted.speed <= FASTEST:
        raise Refused(
            400, "invalid_voice_settings", f"Invalid setting for speed received, expected to be greater or equal to {SLOWEST} and less or equal to {FASTEST}"
        )
    limit = MODELS[wanted.model_id][0]
    if len(wanted.text) > limit:
        raise Refused(400, "max_character_limit_exceeded", f"The text has {len(wanted.text)} characters; the maximum for {wanted.model_id} is {limit}")
    if not wanted.text.strip():
        raise Refused(400, "empty_text", "The text is empty")


def _check_voice(voice_id: str, styles: dict[str, Styles]) -> None:
    if voice_id not in styles:
        raise Refused(404, "voice_not_found", f"A voice with the voice_id {voice_id} was not found")


def _alignment(text: str, spans: list[Span], duration_s: float) -> dict[str, list[Any]]:
    starts, ends = character_times(text, spans, duration_s)
    return {"characters": list(text), "character_start_times_seconds": starts, "character_end_times_seconds": ends}


def _voice(voice_id: str) -> dict[str, Any]:
    voice = next(voice for voice in VOICES if voice.voice_id == voice_id)
    labels = {"gender": voice.gender, "accent": voice.accent, "language": "en", "style": voice.style}
    return {"voice_id": voice_id, "name": voice.name, "category": "premade", "labels": labels, "available_for_tiers": [], "high_quality_base_model_ids": []}


def _model(model_id: str, limit: int, factor: float) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "name": model_id.replace("_", " ").title(),
        "can_do_text_to_speech": True,
        "token_cost_factor": factor,
        "maximum_text_length_per_request": limit,
        "languages": [{"language_id": "en", "name": "English"}],
        "model_rates": {"character_cost_multiplier": factor},
    }


def _error(request: Request, http_status: int, status: str, message: str) -> Response:
    # Both the long-standing `status` and the newer type, code and request_id: clients match on either.
    kind = {401: "authentication_error", 404: "not_found", 429: "rate_limit_error"}.get(http_status, "invalid_request")
    detail = {"status": status, "message": message, "type": kind, "code": status, "request_id": request.state.request_id}
    return JSONResponse({"detail": detail}, http_status)


async def _refused(request: Request, error: Exception) -> Response:
    return _error(request, error.http_status, error.status, error.message) if isinstance(error, Refused) else await _failed(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, ValidationError):
        return await _failed(request, error)
    found = [
        {"loc": ["body", *item["loc"]], "msg": item["msg"], "type": item["type"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return JSONResponse({"detail": found}, 422)


async def _http_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": error.detail}, error.status_code) if isinstance(error, HTTPException) else await _failed(request, error)


async def _failed(request: Request, _: Exception) -> Response:
    return _error(request, 500, "internal_server_error", "The voice could not speak this text; the server's log says why")


def build(kokoro: Kokoro, styles: dict[str, Styles], concurrency: int, queue: int) -> Counted:
    return application(VoiceServer(kokoro, styles, Desk(concurrency, queue)))
