"""The part of ElevenLabs' HTTP interface that the product uses, over the local voice.

https://elevenlabs.io/docs/api-reference/text-to-speech/convert-with-timestamps
"""

import base64
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.model_server import Counted
from local.outcomes import Outcome, Outcomes, UnknownOutcome
from local.voice.account import PLANS, Account
from local.voice.alignment import Span, character_times
from local.voice.audio import Speech, Styles
from local.voice.encoding import DEFAULT_FORMAT, content_type, encode
from local.voice.errors import KINDS, ApiError
from local.voice.ids import LIBRARY
from local.voice.requests import LARGEST_BODY, MODELS, Model, SpeechRequest, check
from local.voice.second import SecondServer
from local.voice.voices import VOICES

# Speech whose description differs from the ordinary; every code of KINDS is an outcome, too.
SPOKEN = ("stray_spaces", "unequal_alignment", "no_alignment", "encoder_delay", "bad_gateway")
PREVIEW = "The tide comes twice a day, and nobody has to wait for it."
OUTCOMES = frozenset({*KINDS, *SPOKEN})


class Speaker(Protocol):
    """The part of a speech model that the server uses: `local.voice.synthesis.Kokoro` has it."""

    def speak(
        self, text: str, style: Styles, speed: float, language: str = "en", *, normalize: bool = True
    ) -> Speech: ...


@dataclass
class VoiceServer:
    """`styles` by voice id and language: the account's voices."""

    speaker: Speaker
    styles: dict[str, dict[str, Styles]]
    account: Account
    encode: Callable[..., bytes] = encode
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    # Valid requests, newest last, for tests in the same process.
    received: deque[SpeechRequest] = field(default_factory=lambda: deque(maxlen=100))

    async def speech_with_timestamps(self, request: Request) -> Response:
        outcome = self.outcomes.take()
        if outcome and outcome.name == "bad_gateway":
            return HTMLResponse("<html><title>502 Bad Gateway</title></html>", 502)
        asked, speech, audio, headers = await self._spoken(request, outcome)
        alignment: dict[str, list[Any]] | None = _alignment(asked.text, speech.spans, speech.duration_s)
        # The real service puts a space around the normalized text; its written text comes back unchanged.
        normalized: dict[str, list[Any]] | None = _padded(
            _alignment(speech.spoken, speech.spoken_spans, speech.duration_s)
        )
        if not asked.normalizes:
            normalized = _padded(_alignment(asked.text, speech.spans, speech.duration_s))
        match outcome.name if outcome else "":
            case "stray_spaces":
                alignment = _padded(alignment or {})
            case "unequal_alignment":
                alignment = {
                    **(alignment or {}),
                    "character_end_times_seconds": (alignment or {})["character_end_times_seconds"][:-1],
                }
            case "no_alignment":
                alignment = normalized = None
        body = {
            "audio_base64": base64.b64encode(audio).decode(),
            "alignment": alignment,
            "normalized_alignment": normalized,
        }
        return JSONResponse(body, headers=headers)

    async def speech(self, request: Request) -> Response:
        _, _, audio, headers = await self._spoken(request, self.outcomes.take())
        return Response(
            audio,
            media_type=content_type(request.query_params.get("output_format", DEFAULT_FORMAT)),
            headers=headers,
        )

    async def _spoken(
        self, request: Request, outcome: Outcome | None
    ) -> tuple[SpeechRequest, Speech, bytes, dict[str, str]]:
        asked = await _body(request)
        output_format = request.query_params.get("output_format", DEFAULT_FORMAT)
        styles = self._styles(request.path_params["voice_id"])
        check(asked, output_format, self.account)
        self.received.append(asked)
        if outcome and outcome.name in KINDS:
            raise ApiError.of(outcome.name, **outcome.details)
        cost = math.ceil(len(asked.text) * asked.model.credits)
        self.account.require_credits(cost)
        async with self.account as account:
            speech = await run_in_threadpool(
                self.speaker.speak,
                asked.text,
                styles[asked.language],
                asked.speed,
                asked.language,
                normalize=asked.normalizes,
            )
            gapless = not (outcome and outcome.name == "encoder_delay")
            audio = await run_in_threadpool(self.encode, speech.samples, output_format, gapless=gapless)
            account.used += cost
            headers = {
                "character-cost": str(cost),
                "current-concurrent-requests": str(account.speaking),
                "maximum-concurrent-requests": str(account.concurrency),
            }
        return asked, speech, audio, headers

    def _styles(self, voice_id: str) -> dict[str, Styles]:
        if voice_id not in self.styles:
            raise ApiError.of("voice_not_found", voice_id=voice_id)
        if voice_id == LIBRARY:
            self.account.require_library()
        return self.styles[voice_id]

    async def add_outcomes(self, request: Request) -> Response:
        try:
            self.outcomes.add_all(await request.json())
        except UnknownOutcome as error:
            raise ApiError.of("unknown_outcome", message=str(error)) from error
        return JSONResponse({"waiting": len(self.outcomes)})

    async def voices(self, request: Request) -> Response:
        return JSONResponse(
            {
                "voices": [_voice(voice_id, request) for voice_id in self.styles],
                "has_more": False,
                "total_count": len(self.styles),
            }
        )

    async def voice(self, request: Request) -> Response:
        self._styles(request.path_params["voice_id"])
        return JSONResponse(_voice(request.path_params["voice_id"], request))

    async def preview(self, request: Request) -> Response:
        """Speak the preview. The real service has it as a public file on another host, hence no key."""
        styles = self._styles(request.path_params["voice_id"])
        speech = await run_in_threadpool(self.speaker.speak, PREVIEW, styles["en"], 1.0)
        audio = await run_in_threadpool(self.encode, speech.samples, DEFAULT_FORMAT, gapless=True)
        return Response(audio, media_type=content_type(DEFAULT_FORMAT))

    async def models(self, _: Request) -> Response:
        return JSONResponse([_model(model_id, model) for model_id, model in MODELS.items()])

    async def subscription(self, _: Request) -> Response:
        return JSONResponse(
            {
                "tier": self.account.plan.name,
                "character_count": self.account.used,
                "character_limit": self.account.credits,
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
    # Another service's endpoint, over the same voice: the product's second one.
    second = SecondServer(server.speaker, server.styles)
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route(
                "/v1/text-to-speech/{voice_id}/with-timestamps",
                _authorised(server.speech_with_timestamps),
                methods=["POST"],
            ),
            Route("/v1/text-to-speech/{voice_id}", _authorised(server.speech), methods=["POST"]),
            Route("/v1/voices", _authorised(server.voices)),
            Route("/v2/voices", _authorised(server.voices)),
            Route("/v1/voices/{voice_id}", _authorised(server.voice)),
            Route("/previews/{voice_id}.mp3", server.preview),
            Route("/v1/models", _authorised(server.models)),
            Route("/v1/user/subscription", _authorised(server.subscription)),
            Route("/v1/audio/speech", second.speech, methods=["POST"]),
            Route("/_outcomes", server.add_outcomes, methods=["POST"]),
        ],
        exception_handlers={
            ApiError: _refused,
            ValidationError: _invalid,
            HTTPException: _http_error,
            Exception: _failed,
        },
    )
    counted = Counted(app)
    app.add_route("/stats", counted.stats)
    return counted


def _authorised(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        if not request.headers.get("xi-api-key", "").strip():
            raise ApiError.of("invalid_api_key")
        return await endpoint(request)

    return checked


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _body(request: Request) -> SpeechRequest:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise ApiError.of("payload_too_large", limit=LARGEST_BODY)
    return SpeechRequest.model_validate_json(content)


def _alignment(text: str, spans: list[Span], duration_s: float) -> dict[str, list[Any]]:
    starts, ends = character_times(text, spans, duration_s)
    return {
        "characters": list(text),
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    }


def _padded(alignment: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the alignment with a space before and after the text, as the real service pads it."""
    starts, ends = alignment["character_start_times_seconds"], alignment["character_end_times_seconds"]
    first, last = (starts[0], ends[-1]) if starts else (0.0, 0.0)
    return {
        "characters": [" ", *alignment["characters"], " "],
        "character_start_times_seconds": [first, *starts, last],
        "character_end_times_seconds": [first, *ends, last],
    }


def _voice(voice_id: str, request: Request) -> dict[str, Any]:
    voice = next(voice for voice in VOICES if voice.voice_id == voice_id)
    labels = {"gender": voice.gender, "accent": voice.accent, "language": "en", "style": voice.styles["en"]}
    return {
        "voice_id": voice_id,
        "name": voice.name,
        "category": "professional" if voice_id == LIBRARY else "generated",
        "labels": labels,
        "preview_url": f"{request.base_url}previews/{voice_id}.mp3",
        "available_for_tiers": [],
        "high_quality_base_model_ids": [],
    }


def _model(model_id: str, model: Model) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "name": model_id.replace("_", " ").title(),
        "can_do_text_to_speech": True,
        "token_cost_factor": model.credits,
        "maximum_text_length_per_request": model.characters,
        "languages": [{"language_id": "en", "name": "English"}, {"language_id": "es", "name": "Spanish"}],
        "model_rates": {"character_cost_multiplier": model.credits},
    }


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        return await _failed(request, error)
    return JSONResponse(error.body(request.state.request_id), error.kind.http_status)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, ValidationError):
        return await _failed(request, error)
    found = [
        {"loc": ["body", *item["loc"]], "msg": item["msg"], "type": item["type"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return JSONResponse({"detail": found}, 422)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return await _failed(request, error)
    return JSONResponse({"detail": error.detail}, error.status_code)


async def _failed(request: Request, _: Exception) -> Response:
    return JSONResponse(ApiError.of("internal_server_error").body(request.state.request_id), 500)


def build(
    speaker: Speaker, styles: dict[str, dict[str, Styles]], plan: str, concurrency: int, queue: int
) -> Counted:
    return application(VoiceServer(speaker, styles, Account(PLANS[plan], concurrency, queue)))
