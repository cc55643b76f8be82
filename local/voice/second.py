"""OpenAI's POST /v1/audio/speech over the local voice, checked with the SDK's own parameter types.

https://platform.openai.com/docs/api-reference/audio/createSpeech. Its voices are OpenAI's; the local voices
speak for them. Only the formats that need no encoder are here: pcm (24 kHz, 16 bits, mono).
"""

import json
import sys
from collections import deque
from functools import cache
from typing import Any, Protocol

from pydantic import ConfigDict, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from typing_extensions import is_typeddict

from local.outcomes import Outcomes
from local.voice.audio import Speech, Styles
from local.voice.encoding import encode
from local.voice.ids import FEMALE, MALE
from local.voice.spoken import language_of

MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
# OpenAI's built-in voices -> ours.
VOICES = {
    **dict.fromkeys(("alloy", "coral", "nova", "sage", "shimmer", "fable", "marin"), FEMALE),
    **dict.fromkeys(("ash", "ballad", "echo", "onyx", "verse", "cedar"), MALE),
}
MOST_CHARACTERS, LARGEST_BODY = 4096, 1_000_000
# name -> (HTTP status, type, code, message)
ERRORS = {
    "invalid_api_key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "insufficient_quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your quota."),
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for tts-1."),
    "server_error": (500, "server_error", None, "The server had an error while processing your request."),
}
OUTCOMES = frozenset({*ERRORS, "bad_gateway"})


class Speaker(Protocol):
    """A voice, as far as the endpoint needs one."""

    def speak(
        self, text: str, style: Styles, speed: float, language: str = "en", *, normalize: bool = True
    ) -> Speech: ...


class Refusal(Exception):
    """OpenAI's error body, with its HTTP status."""

    def __init__(
        self, status: int, kind: str, code: str | None, message: str, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class SecondServer:
    """`styles` by the local voice's id and language. `received`: valid requests, newest last, for tests."""

    def __init__(self, speaker: Speaker, styles: dict[str, dict[str, Styles]]) -> None:
        self.speaker, self.styles = speaker, styles
        self.outcomes = Outcomes(OUTCOMES)
        self.received: deque[dict[str, Any]] = deque(maxlen=100)

    async def speech(self, request: Request) -> Response:
        try:
            asked = await self._read(request)
            outcome = self.outcomes.take()
            if outcome and outcome.name in ERRORS:
                raise Refusal(*ERRORS[outcome.name])
        except Refusal as error:
            return JSONResponse(error.body, error.status)
        if outcome:
            return HTMLResponse("<html><title>502 Bad Gateway</title></html>", 502)
        language = language_of(asked["input"])  # The request has no field for it.
        style = self.styles[VOICES[asked["voice"]]][language]
        speech = await run_in_threadpool(
            self.speaker.speak, asked["input"], style, asked.get("speed", 1.0), language
        )
        audio = await run_in_threadpool(encode, speech.samples, "pcm_24000")
        return Response(audio, media_type="audio/pcm")

    async def _read(self, request: Request) -> dict[str, Any]:
        if not request.headers.get("authorization", "").removeprefix("Bearer").strip():
            raise Refusal(*ERRORS["invalid_api_key"])
        content = b""
        async for chunk in request.stream():
            content += chunk
            if len(content) > LARGEST_BODY:
                raise Refusal(413, "invalid_request_error", None, "The request is too large.")
        try:
            body: dict[str, Any] = parameters().validate_python(json.loads(content))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise _invalid(f"{first['msg']}", ".".join(map(str, first["loc"][:1]))) from error
        except ValueError as error:
            raise _invalid("We could not parse the JSON body of your request.", None) from error
        _check(body)
        self.received.append(body)
        return body


def _check(body: dict[str, Any]) -> None:
    """Raise Refusal for what the types allow but OpenAI refuses, or the local voice lacks."""
    if body["model"] not in MODELS:
        raise Refusal(
            404, "invalid_request_error", "model_not_found", f"The model '{body['model']}' does not exist."
        )
    if body["voice"] not in VOICES:
        raise _invalid(
            f"Invalid value: '{body['voice']}'. Supported values are: {', '.join(VOICES)}.", "voice"
        )
    if not 0 < len(body["input"]) <= MOST_CHARACTERS:
        raise _invalid(f"The input has 1 to {MOST_CHARACTERS} characters.", "input")
    if not 0.25 <= body.get("speed", 1.0) <= 4.0:
        raise _invalid("The speed is 0.25 to 4.0.", "speed")
    if body.get("instructions") and body["model"].startswith("tts-1"):
        raise _invalid("Instructions are not supported with this model.", "instructions")
    if body.get("response_format") != "pcm":
        raise _invalid("The local voice has the format pcm only.", "response_format")


def _invalid(message: str, param: str | None) -> Refusal:
    return Refusal(400, "invalid_request_error", None, message, param)


@cache
def parameters() -> TypeAdapter[Any]:
    """Return the SDK's type of the parameters; it forbids unknown keys."""
    from openai.types.audio import speech_create_params

    for member in vars(sys.modules[speech_create_params.__name__]).values():
        if is_typeddict(member):
            member.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(speech_create_params.SpeechCreateParams)
