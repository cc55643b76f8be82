"""Every response that POST /v1/responses can give, in OpenAI's form.

Sources: https://platform.openai.com/docs/api-reference/responses/object,
https://platform.openai.com/docs/guides/error-codes and https://platform.openai.com/docs/guides/rate-limits
(2026-11-28).
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from local.language import images
from local.language.requests import ApiError
from local.outcomes import Outcome

# https://developers.openai.com/api/docs/guides/prompt-caching: shorter prefixes are not cached.
CACHEABLE_TOKENS = 1024
REASONING_TOKENS = 64
RATE_LIMITS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "199000",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "300ms",
}


@dataclass(frozen=True)
class Answer:
    """The text that the model wrote, with its tokens. `cut` is True if the token limit ended it."""

    model: str
    text: str
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cut: bool


class PromptCache:
    """Remember prefixes, as OpenAI does: the first request writes a prefix, later ones read it for less."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def use(self, model: str, prefixes: tuple[str, ...]) -> tuple[int, int]:
        """Return (cached tokens, tokens written to the cache)."""
        sizes = [(prefix, self._count(prefix)) for prefix in prefixes]
        eligible = [(prefix, size) for prefix, size in sizes if size >= CACHEABLE_TOKENS]
        with self._lock:
            cached = max((size for prefix, size in eligible if (model, prefix) in self._known), default=0)
            self._known |= {(model, prefix) for prefix, _ in eligible}
        longest = max((size for _, size in eligible), default=0)
        return cached, max(0, longest - cached)


def document(answer: Answer, body: dict[str, Any], cached: tuple[int, int]) -> dict[str, Any]:
    """Return a completed response, or an incomplete one if the answer was cut."""
    status = "incomplete" if answer.cut else "completed"
    details = {"reason": "max_output_tokens"} if answer.cut else None
    content = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
    output = [_reasoning()] if answer.reasoning_tokens else []
    if answer.text:
        output.append(_message(status, content))
    return _response(body, answer.model, status, output, _usage(answer, cached), incomplete_details=details)


def refusal(answer: Answer, body: dict[str, Any], cached: tuple[int, int]) -> dict[str, Any]:
    """Return a response of status completed whose message is a refusal."""
    content = {"type": "refusal", "refusal": "I'm sorry, but I can't help with that."}
    return _response(
        body,
        answer.model,
        "completed",
        [_reasoning(), _message("completed", content)],
        _usage(answer, cached),
    )


def only_reasoning(answer: Answer, body: dict[str, Any], cached: tuple[int, int]) -> dict[str, Any]:
    """Return an incomplete response whose whole budget went into reasoning: it has no message."""
    details = {"reason": "max_output_tokens"}
    return _response(
        body, answer.model, "incomplete", [_reasoning()], _usage(answer, cached), incomplete_details=details
    )


def filtered(answer: Answer, body: dict[str, Any], cached: tuple[int, int]) -> dict[str, Any]:
    """Return an incomplete response that the content filter ended in the middle of its text."""
    half = answer.text[: len(answer.text) // 2]
    content = {"type": "output_text", "text": half, "annotations": [], "logprobs": []}
    output = [_reasoning(), _message("incomplete", content)]
    details = {"reason": "content_filter"}
    return _response(
        body, answer.model, "incomplete", output, _usage(answer, cached), incomplete_details=details
    )


def failed(answer: Answer, body: dict[str, Any], code: str) -> dict[str, Any]:
    """Return a response of status failed: HTTP 200, an error inside, no output and no usage."""
    error = {
        "code": code,
        "message": "An error occurred while processing your request. You can retry your request.",
    }
    return _response(body, answer.model, "failed", [], None, error=error)


def _reasoning() -> dict[str, Any]:
    return {"type": "reasoning", "id": f"rs_{uuid.uuid4().hex}", "summary": []}


def _message(status: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "id": f"msg_{uuid.uuid4().hex}",
        "role": "assistant",
        "status": status,
        "content": [content],
    }


def _usage(answer: Answer, cached: tuple[int, int]) -> dict[str, Any]:
    read, written = cached
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": answer.output_tokens + answer.reasoning_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.input_tokens + answer.output_tokens + answer.reasoning_tokens,
    }


def _response(
    body: dict[str, Any],
    model: str,
    status: str,
    output: list[dict[str, Any]],
    usage: dict[str, Any] | None,
    error: dict[str, Any] | None = None,
    incomplete_details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "model": model,
        "error": error,
        "incomplete_details": incomplete_details,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
        "safety_identifier": body.get("safety_identifier"),
        "store": bool(body.get("store", True)),
        "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
    }


def _rate(code: str, type_: str, message: str) -> Callable[[dict[str, Any]], ApiError]:
    def error(details: dict[str, Any]) -> ApiError:
        seconds = str(details.get("retry_after", 2))
        return ApiError(429, message, code, type_=type_, headers={"retry-after": seconds, **RATE_LIMITS})

    return error


def _billing(code: str, message: str) -> Callable[[dict[str, Any]], ApiError]:
    return lambda _: ApiError(429, message, code, type_="insufficient_quota")


def _plain(
    status: int, code: str | None, message: str, type_: str | None = None
) -> Callable[[dict[str, Any]], ApiError]:
    return lambda _: ApiError(status, message, code, type_=type_)


# https://platform.openai.com/docs/guides/error-codes
ERRORS: dict[str, Callable[[dict[str, Any]], ApiError]] = {
    "invalid_api_key": _plain(401, "invalid_api_key", "Incorrect API key provided."),
    "unsupported_country": _plain(
        403,
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
        "request_forbidden",
    ),
    "invalid_prompt": _plain(
        400,
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
    ),
    "request_timeout": _plain(408, None, "The request timed out."),
    "conflict": _plain(409, None, "The resource was updated by another request."),
    "rate_limit": _rate(
        "rate_limit_exceeded", "tokens", "Rate limit reached for tokens per min. Please try again in 2s."
    ),
    "slow_down": _rate(
        "slow_down", "rate_limit_error", "Your request rate rose too fast. Reduce it and try again."
    ),
    "insufficient_quota": _billing(
        "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."
    ),
    "credit_balance_exhausted": _billing(
        "credit_balance_exhausted", "Your organization has no credits left."
    ),
    "organization_spend_limit": _billing(
        "organization_spend_limit_exceeded", "Your organization reached its spend limit."
    ),
    "project_spend_limit": _billing("project_spend_limit_exceeded", "Your project reached its spend limit."),
    "organization_usage_limit": _billing(
        "organization_usage_limit_exceeded", "Your organization reached its usage limit."
    ),
    "server_error": _plain(500, None, "The server had an error while processing your request."),
    "overloaded": _plain(
        503, "server_is_overloaded", "The server is overloaded.", "service_unavailable_error"
    ),
}
# Outcomes that need the request, and `text`, which answers with the given text instead of the writer's.
WRITTEN = ("text", "refusal", "only_reasoning", "content_filter", "failed", "incomplete", "bad_gateway")
OUTCOMES = frozenset({*ERRORS, *WRITTEN})
# Those of images and embeddings: an error, the content filter's, no image, no JPEG, or a page of the edge.
PICTURE_OUTCOMES = frozenset({*ERRORS, "moderation_blocked", "no_image", "no_jpeg", "bad_gateway"})


def of_picture(outcome: Outcome) -> Response:
    """Return the response of one of PICTURE_OUTCOMES. Raises ApiError."""
    if outcome.name in ERRORS:
        raise ERRORS[outcome.name](outcome.details)
    if outcome.name == "moderation_blocked":
        raise images.REFUSED
    if outcome.name == "bad_gateway":
        return HTMLResponse("<html><title>502 Bad Gateway</title></html>", 502)
    data = [{"b64_json": "bm8gcGljdHVyZQ=="}] if outcome.name == "no_jpeg" else []
    return JSONResponse({"created": int(time.time()), "data": data})


def scripted(
    outcome: Outcome, answer: Answer, body: dict[str, Any], cached: tuple[int, int]
) -> dict[str, Any]:
    """Return the response of an outcome in WRITTEN."""
    match outcome.name:
        case "refusal":
            return refusal(answer, body, cached)
        case "only_reasoning":
            return only_reasoning(answer, body, cached)
        case "content_filter":
            return filtered(answer, body, cached)
        case "incomplete":
            return document(replace(answer, cut=True), body, cached)
        case "failed":
            return failed(answer, body, outcome.details.get("code", "server_error"))
        case _:
            return document(answer, body, cached)
