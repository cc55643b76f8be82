"""Check a request to POST /v1/responses as OpenAI does: by the SDK's parameter types and further rules.

https://platform.openai.com/docs/api-reference/responses/create
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import is_typeddict  # the SDK's own TypedDict, which typing does not recognise

from local.language.schema import SchemaError, check_strict
from local.language.writer import seed_of

SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FEWEST_OUTPUT_TOKENS = 16
LONGEST_IDENTIFIER = 64
# https://developers.openai.com/api/docs/guides/prompt-caching: breakpoints exist since the GPT-5.6 family;
# four a request.
NO_BREAKPOINTS = re.compile(r"gpt-(?:4|5(?:$|-|\.[0-5]))")
MOST_BREAKPOINTS = 4
ROLES = ("system", "developer", "user", "assistant")


class ApiError(Exception):
    """OpenAI's error body: {"error": {message, type, param, code}}. `headers` go with it."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        type_: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        kind = type_ or ("server_error" if status >= 500 else "invalid_request_error")
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class LanguageRequest:
    """A valid request. `prefixes` are the texts up to each cache breakpoint, shortest first."""

    model: str
    system: str
    user: str
    schema: dict[str, Any] | None
    most_tokens: int | None
    seed: int
    effort: str | None = None
    prefixes: tuple[str, ...] = field(default=())


def read(body: dict[str, Any], models: Iterable[str]) -> LanguageRequest:
    """Return the request. Raises ApiError with the code that OpenAI gives."""
    _check_model(body, models)
    _check_types(body)
    _check_rules(body)
    system, user, prefixes = _messages(body)
    return LanguageRequest(
        model=body["model"],
        system=system,
        user=user,
        schema=_schema(body),
        most_tokens=body.get("max_output_tokens"),
        seed=seed_of(system, user),
        effort=(body.get("reasoning") or {}).get("effort"),
        prefixes=prefixes,
    )


def _check_model(body: dict[str, Any], models: Iterable[str]) -> None:
    name = body.get("model")
    if not isinstance(name, str):
        raise ApiError(400, "you must provide a model parameter", "missing_required_parameter", "model")
    require_model(name, models)


def require_model(name: str, models: Iterable[str]) -> None:
    if name not in models:
        message = f"The model '{name}' does not exist or you do not have access to it."
        raise ApiError(404, message, "model_not_found", "model")


def _check_types(body: dict[str, Any]) -> None:
    for number, message in enumerate(body["input"] if isinstance(body.get("input"), list) else []):
        # By hand: the SDK's type is a union of thirty kinds of items, whose errors name none of them.
        if isinstance(message, dict) and "role" in message and message["role"] not in ROLES:
            place = f"input[{number}].role"
            raise ApiError(400, f"Invalid value: '{message['role']}' for '{place}'.", "invalid_value", place)
    if body.get("stream"):
        raise ApiError(400, "Streaming is not supported by this local server.", "unsupported_value", "stream")
    try:
        parameters().validate_python({name: value for name, value in body.items() if name != "stream"})
    except ValidationError as error:
        raise type_error(error) from error


@cache
def parameters() -> TypeAdapter[Any]:
    """Return the SDK's type of the parameters; it and all types in it forbid unknown keys."""
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

    forbid_unknown_keys()
    return TypeAdapter(ResponseCreateParamsNonStreaming)


def forbid_unknown_keys() -> None:
    """Let the SDK's types of parameters refuse keys that they don't name."""
    import openai.types  # noqa: F401 - its modules are looked through

    for name, module in list(sys.modules.items()):
        if name.startswith("openai.types."):
            for member in vars(module).values():
                if is_typeddict(member):
                    member.__pydantic_config__ = ConfigDict(extra="forbid")


def type_error(error: ValidationError) -> ApiError:
    """Return the error of one parameter.

    An unknown key comes first: the SDK's unions report it beside others.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [each for each in found if each["type"] == "extra_forbidden" and len(each["loc"]) == 1]
    missing = [each for each in found if each["type"] == "missing" and len(each["loc"]) == 1]
    nested = [each for each in found if each["type"] == "extra_forbidden"]
    first = next(iter([*unknown, *missing, *nested]), found[0])
    # Names of union branches, such as `list[union[...]]`, are not part of the request.
    param = ".".join(
        str(part) for part in first["loc"] if isinstance(part, int) or re.fullmatch(r"[a-z_]+", part)
    )
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"Unknown parameter: '{param}'.", "unknown_parameter", param)
    if first["type"] == "missing":
        return ApiError(400, f"Missing required parameter: '{param}'.", "missing_required_parameter", param)
    return ApiError(400, f"Invalid value for '{param}': {first['msg']}.", "invalid_value", param)


def _check_rules(body: dict[str, Any]) -> None:
    """Raise ApiError for what the types allow but OpenAI refuses."""
    if body.get("temperature") is not None and (body.get("reasoning") or {}).get("effort") != "none":
        message = "Unsupported parameter: 'temperature' is not supported with this model."
        raise ApiError(400, message, "unsupported_parameter", "temperature")
    most = body.get("max_output_tokens")
    if most is not None and most < FEWEST_OUTPUT_TOKENS:
        message = (
            "Invalid 'max_output_tokens': integer below minimum value. "
            f"Expected a value >= 16, but got {most}."
        )
        raise ApiError(400, message, "integer_below_min_value", "max_output_tokens")
    for name in ("safety_identifier", "prompt_cache_key"):
        if len(body.get(name) or "") > LONGEST_IDENTIFIER:
            message = (
                f"Invalid '{name}': string too long. "
                f"Expected a string with maximum length {LONGEST_IDENTIFIER}."
            )
            raise ApiError(400, message, "string_above_max_length", name)
    if body.get("prompt_cache_options") and body.get("prompt_cache_retention"):
        message = "'prompt_cache_options' and 'prompt_cache_retention' cannot be used together."
        raise ApiError(400, message, "invalid_value", "prompt_cache_retention")


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    form = (body.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] == "text":
        return None
    if form["type"] != "json_schema":
        raise ApiError(
            400,
            "This local server supports 'text' and 'json_schema'.",
            "unsupported_value",
            "text.format.type",
        )
    if not SCHEMA_NAME.fullmatch(form["name"]):
        message = "Invalid 'text.format.name': expected letters, digits, '_' and '-', at most 64."
        raise ApiError(400, message, "invalid_value", "text.format.name")
    schema: dict[str, Any] = form["schema"]
    try:
        check_strict(schema)
    except SchemaError as error:
        message = f"Invalid schema for response_format: {error}"
        raise ApiError(400, message, "invalid_json_schema", "text.format.schema") from error
    return schema


def _messages(body: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Return the texts of system and developer, those of the others, and the prefixes that may be cached."""
    messages = body.get("input")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not messages:
        raise ApiError(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    instructions = body.get("instructions") or ""
    texts: dict[bool, list[str]] = {True: [instructions] if instructions else [], False: []}
    rendered, prefixes = instructions, []
    for number, message in enumerate(messages):
        if "role" not in message or "content" not in message:
            raise ApiError(
                400, "This local server supports messages only.", "unsupported_value", f"input[{number}]"
            )
        for piece in (
            [{"text": message["content"]}] if isinstance(message["content"], str) else message["content"]
        ):
            if "text" not in piece:
                place = f"input[{number}].content"
                raise ApiError(400, "This local server supports text only.", "unsupported_value", place)
            texts[message["role"] in {"system", "developer"}].append(piece["text"])
            rendered += f"\n{message['role']}: {piece['text']}"
            if piece.get("prompt_cache_breakpoint"):
                prefixes.append(rendered)
    _check_breakpoints(body["model"], len(prefixes))
    if (body.get("prompt_cache_options") or {}).get("mode") != "explicit":
        prefixes.append(rendered)
    return "\n".join(texts[True]), "\n".join(texts[False]), tuple(prefixes)


def _check_breakpoints(model: str, count: int) -> None:
    if count and NO_BREAKPOINTS.match(model):
        message = (
            f"Unsupported parameter: 'prompt_cache_breakpoint' is not supported with the model '{model}'."
        )
        raise ApiError(400, message, "unsupported_parameter", "prompt_cache_breakpoint")
    if count > MOST_BREAKPOINTS:
        message = f"A request can have {MOST_BREAKPOINTS} cache breakpoints at most."
        raise ApiError(400, message, "invalid_value", "prompt_cache_breakpoint")
