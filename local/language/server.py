"""The part of OpenAI's HTTP interface that the product uses, over the local writer and model.

https://platform.openai.com/docs/api-reference/responses and https://platform.openai.com/docs/api-reference/chat
"""

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, replace
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.language import invented
from local.language.schema import SchemaError, check_strict, fill, valid
from local.language.writer import Brief, Writer, seed_of
from local.model_server import Counted

# Bytes: a million characters of source text and a schema.
LARGEST_BODY = 4_000_000
SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MODEL_CREATED = 1_790_000_000  # some second of September 2026: /v1/models must say one
FREE_TEXT_TOKENS = 200
# About 15 s of writing on an idle core; a client waits two minutes, also on a busy one.
MOST_INVENTED_WORDS = 350


class Tokens(Protocol):
    """What the server needs of a model: `local.language.model.Model`."""

    def count(self, text: str) -> int: ...

    def complete(self, system: str, user: str, most_tokens: int, seed: int) -> str: ...


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


@dataclass(frozen=True)
class LanguageRequest:
    """A request in either interface's form, read into one."""

    model: str
    system: str
    user: str
    schema: dict[str, Any] | None
    most_tokens: int | None
    seed: int


@dataclass(frozen=True)
class Answer:
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    cut: bool


@dataclass(frozen=True)
class LanguageServer:
    model: Tokens
    name: str
    names: tuple[str, ...]
    context_tokens: int

    async def responses(self, request: Request) -> Response:
        body = await _body(request)
        _only_known(body, "responses")
        question = self._read_request(body, _from_responses)
        answer = await run_in_threadpool(self._answer, question)
        return JSONResponse(_response(answer, body))

    async def chat(self, request: Request) -> Response:
        body = await _body(request)
        _only_known(body, "chat")
        question = self._read_request(body, _from_chat)
        return JSONResponse(_completion(await run_in_threadpool(self._answer, question)))

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(name) for name in self.names]})

    async def one_model(self, request: Request) -> Response:
        self._known(request.path_params["model"])
        return JSONResponse(_model(request.path_params["model"]))

    def _read_request(self, body: dict[str, Any], read: Callable[[dict[str, Any]], LanguageRequest]) -> LanguageRequest:
        if not isinstance(body.get("model"), str):
            raise Refused(400, "you must provide a model parameter", "missing_required_parameter", "model")
        self._known(body["model"])
        question = read(body)
        if question.schema is not None:
            try:
                check_strict(question.schema)
            except SchemaError as error:
                raise Refused(400, f"Invalid schema for response_format: {error}", "invalid_json_schema", "text.format.schema") from error
        return question

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise Refused(404, f"The model '{name}' does not exist or you do not have access to it.", "model_not_found", "model")

    def _answer(self, question: LanguageRequest) -> Answer:
        prompt = f"{question.system}\n{question.user}"
        input_tokens = self.model.count(prompt)
        if input_tokens > self.context_tokens:
            message = f"This model's maximum context length is {self.context_tokens} tokens. However, your messages resulted in {input_tokens} tokens."
            raise Refused(400, message, "context_length_exceeded", "input")
        method, text = self._written(question)
        output_tokens = self.model.count(text)
        cut = question.most_tokens is not None and output_tokens > question.most_tokens
        if cut:
            text = text[: len(text) * question.most_tokens // output_tokens] if question.most_tokens else ""
            output_tokens = question.most_tokens or 0
        return Answer(f"{self.name}-{method}", text, input_tokens, output_tokens, cut)

    def _written(self, question: LanguageRequest) -> tuple[str, str]:
        """(which way was taken, the answer's text)."""
        brief, source = read_prompt(question.user)
        if question.schema is None:
            return "generate", self.model.complete(question.system or "You are a helpful assistant.", question.user[-4000:], FREE_TEXT_TOKENS, question.seed)
        properties = question.schema.get("properties", {})
        method = "extract" if source else "generate"
        if not source:
            source = self._invented(brief, question, properties)
            # What the model wrote for one part is all of that part's: it isn't shared out among the parts.
            brief = replace(brief, part={**brief.part, "index": 0, "of": 1}) if brief.part else brief
        writer = Writer.of(source, brief, trusted=method == "extract")
        value = fill(question.schema, _content(writer, properties), source)
        if not valid(question.schema, value):
            raise ValueError("the answer does not keep the schema")
        return method, json.dumps(value, ensure_ascii=False)

    def _invented(self, brief: Brief, question: LanguageRequest, properties: Container[str]) -> str:
        """A source for this one answer, written by the model; an outline needs a few sentences for each part."""
        topic = brief.topic or " ".join(re.sub(r"<[^>]*>|[{}\[\]\"]", " ", question.user).split())[:200]
        covered = " ".join(text for text in brief.part.get("covered", []) if isinstance(text, str))
        words = 40 * brief.part_count if "parts" in properties else brief.words_target
        return invented.source(topic, min(words, MOST_INVENTED_WORDS), question.seed, self.model.complete, covered)


def _content(writer: Writer, properties: Container[str]) -> dict[str, Any]:
    if "parts" in properties or "chapters" in properties:
        return writer.outline()
    return writer.part() if writer.brief.part else writer.script()


def read_prompt(user: str) -> tuple[Brief, str]:
    """The brief and the source text that the product marks in its message; either may be missing."""
    marked = re.search(r"<brief>\s*(\{.*?\})\s*</brief>", user, re.DOTALL)
    try:
        found = json.loads(marked[1]) if marked else {}
    except json.JSONDecodeError:
        found = {}
    source = re.search(r"<source_text>\s*\n?(.*?)\n?\s*</source_text>", user, re.DOTALL)
    return Brief.read(found), source[1].strip() if source else ""


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise Refused(413, f"The request is larger than {LARGEST_BODY} bytes.", "request_too_large")
    try:
        body = json.loads(content)
    except ValueError as error:
        raise Refused(400, f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "The body of your request must be a JSON object.")
    return body


def _only_known(body: dict[str, Any], interface: str) -> None:
    """What this server can't do is refused, not ignored: a stream never came where one was asked for."""
    if body.get("stream"):
        raise Refused(400, "Streaming is not supported by this local server.", "unsupported_value", "stream")
    if "temperature" in body and body["temperature"] is not None and (body.get("reasoning") or {}).get("effort") != "none":
        raise Refused(400, "Unsupported parameter: 'temperature' is not supported with this model.", "unsupported_parameter", "temperature")
    if interface == "chat" and "max_tokens" in body:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise Refused(400, message, "unsupported_parameter", "max_tokens")


def _from_responses(body: dict[str, Any]) -> LanguageRequest:
    messages = body.get("input")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    instructions = body.get("instructions")
    read = _messages(messages, "input")
    system = "\n".join(filter(None, [instructions if isinstance(instructions, str) else "", read[0]]))
    form = (body.get("text") or {}).get("format") or {}
    return _language_request(body, system, read[1], form, form, body.get("max_output_tokens"), "text.format")


def _from_chat(body: dict[str, Any]) -> LanguageRequest:
    system, user = _messages(body.get("messages"), "messages")
    form = body.get("response_format") or {}
    return _language_request(body, system, user, form, form.get("json_schema") or {}, body.get("max_completion_tokens"), "response_format")


def _language_request(body: dict[str, Any], system: str, user: str, form: Any, details: Any, most_tokens: Any, place: str) -> LanguageRequest:
    schema = None
    kind = form.get("type", "text") if isinstance(form, dict) else None
    if kind == "json_schema":
        if not isinstance(details.get("name"), str) or not SCHEMA_NAME.fullmatch(details["name"]):
            raise Refused(400, f"Invalid '{place}.name': expected a string of letters, digits, '_' and '-', at most 64 long.", "invalid_value", f"{place}.name")
        schema = details.get("schema")
        if not isinstance(schema, dict):
            raise Refused(400, f"Missing required parameter: '{place}.schema'.", "missing_required_parameter", f"{place}.schema")
    elif kind != "text":
        raise Refused(400, f"Invalid value: {kind!r}. Supported values are: 'text' and 'json_schema'.", "invalid_value", f"{place}.type")
    if most_tokens is not None and (not isinstance(most_tokens, int) or most_tokens < 16):
        raise Refused(400, "Invalid maximum of output tokens: expected an integer of at least 16.", "integer_below_min_value", "max_output_tokens")
    seed = body.get("seed") if isinstance(body.get("seed"), int) else seed_of(system, user)
    return LanguageRequest(body["model"], system, user, schema, most_tokens, seed)  # type: ignore[arg-type]


def _messages(messages: Any, place: str) -> tuple[str, str]:
    """(what system and developer say, what the others say)."""
    if not isinstance(messages, list) or not messages:
        raise Refused(400, f"Missing required parameter: '{place}'.", "missing_required_parameter", place)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for number, message in enumerate(messages):
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if role not in {"system", "developer", "user", "assistant"}:
            raise Refused(400, f"Invalid value: {role!r} for '{place}[{number}].role'.", "invalid_value", f"{place}[{number}].role")
        pieces = [{"text": content}] if isinstance(content, str) else content
        if not isinstance(pieces, list) or not all(isinstance(piece, dict) and isinstance(piece.get("text"), str) for piece in pieces):
            raise Refused(400, f"Invalid type for '{place}[{number}].content': expected text.", "invalid_type", f"{place}[{number}].content")
        texts[role in {"system", "developer"}] += [piece["text"] for piece in pieces]
    return "\n".join(texts[True]), "\n".join(texts[False])


def _response(answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    status = "incomplete" if answer.cut else "completed"
    content = [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "model": answer.model,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "output": [{"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "status": status, "content": content}],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
        "store": bool(body.get("store", True)),
        "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def _completion(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "length" if answer.cut else "stop"}],
        "usage": {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "service_tier": "default",
    }


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODEL_CREATED, "owned_by": "showrunner-local", "shutdown_date": None}


def application(server: LanguageServer) -> Counted:
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/v1/responses", _authorised(server.responses), methods=["POST"]),
            Route("/v1/chat/completions", _authorised(server.chat), methods=["POST"]),
            Route("/v1/models", _authorised(server.models)),
            Route("/v1/models/{model}", _authorised(server.one_model)),
        ],
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _failed},
    )
    counted = Counted(app)
    app.add_route("/stats", counted.stats)
    return counted


def _authorised(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        if not request.headers.get("authorization", "").removeprefix("Bearer").strip():
            raise Refused(
                401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.", "invalid_api_key"
            )
        return await endpoint(request)

    return checked


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _error(status: int, message: str, code: str | None, param: str | None) -> Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


async def _refused(_: Request, error: Exception) -> Response:
    return _error(error.status, error.message, error.code, error.param) if isinstance(error, Refused) else await _failed(_, error)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, f"Invalid URL ({request.method} {request.url.path})", None, None)


async def _failed(_: Request, __: Exception) -> Response:
    return _error(500, "The local model could not answer this request; the server's log says why.", "server_error", None)
