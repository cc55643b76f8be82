"""The part of OpenAI's HTTP interface that the product uses, over the local writer and model.

POST /v1/responses, /v1/images/generations, /v1/embeddings and GET /v1/models:
https://platform.openai.com/docs/api-reference.
POST /_outcomes scripts what comes next (local/outcomes.py): see OUTCOMES in local/language/responses.py.
"""

import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.language import embeddings, images, invented, requests, responses
from local.language.requests import ApiError, LanguageRequest
from local.language.responses import Answer
from local.language.schema import fill, valid
from local.language.writer import Brief, Writer
from local.model_server import Counted
from local.outcomes import Outcome, Outcomes, UnknownOutcome

# Bytes: a million characters of source text and a schema.
LARGEST_BODY = 4_000_000
MODEL_CREATED = 1_790_000_000  # some second of September 2026: /v1/models must say one
FREE_TEXT_TOKENS = 200
# About 15 s of writing on an idle core; a client waits two minutes, also on a busy one.
MOST_INVENTED_WORDS = 350


class Tokens(Protocol):
    """The part of a language model that the server uses: `local.language.model.Model` has it."""

    def count(self, text: str) -> int: ...

    def complete(self, system: str, user: str, most_tokens: int, seed: int) -> str: ...


@dataclass
class LanguageServer:
    """`models` are the ids that the account may use; `name` is what responses say who wrote.

    `draw` returns a JPEG file for a request of an image.
    """

    model: Tokens
    name: str
    models: tuple[str, ...]
    context_tokens: int
    draw: images.Draw
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(responses.OUTCOMES))
    # The bodies of valid requests, newest last, for tests in the same process.
    received: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=100))
    keys: deque[str] = field(default_factory=lambda: deque(maxlen=100))
    # Those of the images and embeddings, which have outcomes of their own: the steps ask in parallel.
    picture_outcomes: Outcomes = field(default_factory=lambda: Outcomes(responses.PICTURE_OUTCOMES))
    drawn: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=100))
    embedded: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=100))

    def __post_init__(self) -> None:
        self._cache = responses.PromptCache(self.model.count)

    async def create_response(self, request: Request) -> Response:
        body = await _body(request)
        asked = requests.read(body, self.models)
        self.received.append(body)
        self.keys.append(request.headers["authorization"])
        outcome = self.outcomes.take()
        if outcome and outcome.name in responses.ERRORS:
            raise responses.ERRORS[outcome.name](outcome.details)
        if outcome and outcome.name == "bad_gateway":
            # What the edge in front of the API sends: no JSON, no request id of the API.
            return HTMLResponse("<html><title>502 Bad Gateway</title></html>", 502)
        document = await run_in_threadpool(self._document, asked, body, outcome)
        return JSONResponse(document, headers=responses.RATE_LIMITS)

    async def create_image(self, request: Request) -> Response:
        body = await _body(request)
        asked = images.read(body)
        self.drawn.append(body)
        if (outcome := self.picture_outcomes.take()) is not None:
            return responses.of_picture(outcome)
        content = await run_in_threadpool(self.draw, asked)
        found = images.document(asked, body, content, self.model.count(asked.prompt))
        return JSONResponse(found, headers=responses.RATE_LIMITS)

    async def create_embeddings(self, request: Request) -> Response:
        body = await _body(request)
        document = await run_in_threadpool(embeddings.answer, body, self.model.count)
        self.embedded.append(body)
        if (outcome := self.picture_outcomes.take()) is not None:
            return responses.of_picture(outcome)
        return JSONResponse(document, headers=responses.RATE_LIMITS)

    def _document(
        self, asked: LanguageRequest, body: dict[str, Any], outcome: Outcome | None
    ) -> dict[str, Any]:
        answer = self._answer(asked, outcome)
        cached = self._cache.use(asked.model, asked.prefixes)
        return (
            responses.scripted(outcome, answer, body, cached)
            if outcome
            else responses.document(answer, body, cached)
        )

    async def list_models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(name) for name in self.models]})

    async def one_model(self, request: Request) -> Response:
        requests.require_model(request.path_params["model"], self.models)
        return JSONResponse(_model(request.path_params["model"]))

    async def add_outcomes(self, request: Request) -> Response:
        try:
            self.outcomes.add_all(await request.json())
        except UnknownOutcome as error:
            raise ApiError(400, str(error), "unknown_outcome") from error
        return JSONResponse({"waiting": len(self.outcomes)})

    def _answer(self, asked: LanguageRequest, outcome: Outcome | None) -> Answer:
        input_tokens = self.model.count(f"{asked.system}\n{asked.user}")
        if input_tokens > self.context_tokens:
            message = (
                f"This model's maximum context length is {self.context_tokens} tokens. "
                f"However, your messages resulted in {input_tokens} tokens."
            )
            raise ApiError(400, message, "context_length_exceeded", "input")
        scripted = outcome.details.get("text") if outcome else None
        method, text = ("extract", str(scripted)) if scripted is not None else self._written(asked)
        name = asked.model if scripted is not None else f"{self.name}-{method}"
        return _limited(name, text, input_tokens, self.model.count(text), asked)

    def _written(self, asked: LanguageRequest) -> tuple[str, str]:
        """Return (method, text). The method is extract (from a source) or generate (by the small model)."""
        brief, source = read_prompt(asked.user, asked.system)
        if asked.schema is None:
            system = asked.system or "You are a helpful assistant."
            return "generate", self.model.complete(system, asked.user[-4000:], FREE_TEXT_TOKENS, asked.seed)
        properties = asked.schema.get("properties", {})
        method = "extract" if source else "generate"
        if not source:
            source = self._invented(brief, asked, properties)
            # The model wrote for this part alone: nothing of it is shared with other parts.
            brief = replace(brief, part={**brief.part, "index": 0, "of": 1}) if brief.part else brief
        writer = Writer.of(source, brief, trusted=method == "extract")
        value = fill(asked.schema, _content(writer, properties), source)
        if not valid(asked.schema, value):
            raise ValueError("the answer does not keep the schema")
        return method, json.dumps(value, ensure_ascii=False)

    def _invented(self, brief: Brief, asked: LanguageRequest, properties: Container[str]) -> str:
        """Return a source text that the model wrote; an outline needs a few sentences for each part."""
        topic = brief.topic or " ".join(re.sub(r"<[^>]*>|[{}\[\]\"]", " ", asked.user).split())[:200]
        covered = " ".join(text for text in brief.part.get("covered", []) if isinstance(text, str))
        words = 40 * brief.part_count if "parts" in properties else brief.words_target
        return invented.source(
            topic, min(words, MOST_INVENTED_WORDS), asked.seed, self.model.complete, covered
        )


def _limited(name: str, text: str, input_tokens: int, output_tokens: int, asked: LanguageRequest) -> Answer:
    """Return the answer within max_output_tokens. Reasoning counts first, as in the real service."""
    reasoning = 0 if asked.effort == "none" else responses.REASONING_TOKENS
    if asked.most_tokens is None or reasoning + output_tokens <= asked.most_tokens:
        return Answer(name, text, input_tokens, output_tokens, reasoning, cut=False)
    left = max(0, asked.most_tokens - reasoning)
    return Answer(
        name,
        text[: len(text) * left // output_tokens],
        input_tokens,
        left,
        min(reasoning, asked.most_tokens),
        cut=True,
    )


def _content(writer: Writer, properties: Container[str]) -> dict[str, Any]:
    if "parts" in properties or "chapters" in properties:
        return writer.outline()
    return writer.part() if writer.brief.part else writer.script()


def read_prompt(user: str, system: str = "") -> tuple[Brief, str]:
    """Return the brief and the source text that the product marks; either may be missing.

    The source stands in the constant part of a request.
    """
    marked = re.search(r"<brief>\s*(\{.*?\})\s*</brief>", user, re.DOTALL)
    try:
        found = json.loads(marked[1]) if marked else {}
    except json.JSONDecodeError:
        found = {}
    source = re.search(r"<source_text>\s*\n?(.*?)\n?\s*</source_text>", f"{system}\n{user}", re.DOTALL)
    return Brief.read(found), source[1].strip() if source else ""


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise ApiError(413, f"The request is larger than {LARGEST_BODY} bytes.", "request_too_large")
    try:
        body = json.loads(content)
    except ValueError as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The body of your request must be a JSON object.")
    return body


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": MODEL_CREATED,
        "owned_by": "showrunner-local",
        "shutdown_date": None,
    }


def application(server: LanguageServer) -> Counted:
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/v1/responses", _authorised(server.create_response), methods=["POST"]),
            Route("/v1/images/generations", _authorised(server.create_image), methods=["POST"]),
            Route("/v1/embeddings", _authorised(server.create_embeddings), methods=["POST"]),
            Route("/v1/models", _authorised(server.list_models)),
            Route("/_outcomes", server.add_outcomes, methods=["POST"]),
            Route("/v1/models/{model}", _authorised(server.one_model)),
        ],
        exception_handlers={ApiError: _refused, HTTPException: _http_error, Exception: _failed},
    )
    counted = Counted(app)
    app.add_route("/stats", counted.stats)
    return counted


def _authorised(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        if not request.headers.get("authorization", "").removeprefix("Bearer").strip():
            raise ApiError(
                401,
                "You didn't provide an API key. You need to provide your API key "
                "in an Authorization header using Bearer auth.",
                "invalid_api_key",
            )
        return await endpoint(request)

    return checked


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        return await _failed(request, error)
    return JSONResponse(error.body, error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(ApiError(status, f"Invalid URL ({request.method} {request.url.path})").body, status)


async def _failed(_: Request, __: Exception) -> Response:
    message = "The local model could not answer this request; the server's log says why."
    return JSONResponse(ApiError(500, message, "server_error").body, 500)
