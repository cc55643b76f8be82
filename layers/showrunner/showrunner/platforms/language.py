"""Ask language models through OpenAI's Responses API.

https://platform.openai.com/docs/api-reference/responses. It is priced by token; responses carry no price.
"""

import hashlib
import re
from typing import Any, Literal, NamedTuple

import openai
from openai.types.responses import Response

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Usage
from showrunner.platforms import credentials

# A script of 350 words takes a model 10 to 40 s with reasoning; past two minutes something hangs.
ANSWER_SECONDS = 120
# The largest answer asked for is a part of 400 words with its visuals, about 2,500 tokens; reasoning counts
# too.
ANSWER_TOKENS = 12_000
KEY = "openai/api_key"

# Error codes of a failed response (HTTP 200) after which a retry may succeed. The prompt causes the others.
_TRANSIENT = ("server_error", "rate_limit_exceeded", "vector_store_timeout")
# All have the type insufficient_quota, and a retry doesn't help:
# https://platform.openai.com/docs/guides/error-codes.
_REMEDIES = {
    "credit_balance_exhausted": "the account has no credits left: add some",
    "organization_spend_limit_exceeded": "the organisation reached its spend limit: "
    "raise it or wait for the next month",
    "project_spend_limit_exceeded": "the project reached its spend limit: "
    "raise it or wait for the next month",
    "organization_usage_limit_exceeded": "the organisation reached the usage limit that OpenAI gave it: "
    "ask OpenAI for a higher one",
}

Problem = Literal["", "refused", "truncated", "filtered"]


class Answer(NamedTuple):
    """A paid answer.

    `text` is the model's JSON, unchecked, or the words of a refusal. `model` is who answered.

    `problem`: "refused" (the model declines), "truncated" (its tokens ran out), "filtered" (the content
    filter ended it).
    """

    id: str
    text: str
    model: str
    usage: Usage
    problem: Problem = ""


class Language:
    """A client of one OpenAI account."""

    def __init__(self, key: str, base_url: str) -> None:
        # The step's own Retry waits and repeats, so the SDK must not.
        key = credentials.checked(key, "OpenAI", KEY)
        self._client = openai.OpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=ANSWER_SECONDS)

    def answer(
        self, model: str, name: str, schema: dict[str, Any], constant: str, prompt: str, tenant: str
    ) -> Answer:
        """Ask once, for an answer in the form of `schema` (strict structured output).

        `constant` is the same for all questions about a video and comes first, so that the provider can cache
        it. `tenant` is an id of who asks; OpenAI gets its hash, to block one tenant instead of the account.
        Raises CredentialRejected, QuotaExceeded, PlatformRejected, PlatformUnavailable.
        """
        text: dict[str, Any] = {"type": "input_text", "text": constant}
        options: dict[str, Any] = {}
        if _has_breakpoints(model):
            text["prompt_cache_breakpoint"] = {"mode": "explicit"}
            # Explicit only: what follows the mark differs from question to question, and writing it costs a
            # quarter more.
            options["prompt_cache_options"] = {"mode": "explicit"}
        try:
            response = self._client.responses.create(
                model=model,
                input=[{"role": "developer", "content": [text]}, {"role": "user", "content": prompt}],
                reasoning={"effort": "low"},
                max_output_tokens=ANSWER_TOKENS,
                store=False,
                text={"format": {"type": "json_schema", "name": name, "strict": True, "schema": schema}},
                safety_identifier=hashlib.sha256(tenant.encode()).hexdigest(),
                **options,
            )
        except openai.APIError as error:
            raise _translated(error) from error
        return _read(response)


def _has_breakpoints(model: str) -> bool:
    """Return True if the model takes marks of what to cache: GPT-5.6 and later families.

    https://developers.openai.com/api/docs/guides/prompt-caching
    """
    version = re.match(r"gpt-(\d+)(?:\.(\d+))?", model)
    return bool(version) and (int(version[1]), int(version[2] or 0)) >= (5, 6)  # type: ignore[index]


def _read(response: Any) -> Answer:
    if not isinstance(response, Response):
        raise PlatformUnavailable("OpenAI's answer is none: something between us and OpenAI answered.")
    if response.status == "failed" or response.error is not None:
        raise _failure(response)
    refusals = [
        part.refusal
        for item in response.output
        if item.type == "message"
        for part in item.content
        if part.type == "refusal"
    ]
    usage = _usage(response.usage)
    if refusals:
        return Answer(response.id, " ".join(refusals), response.model, usage, "refused")
    problem: Problem = ""
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        problem = "filtered" if reason == "content_filter" else "truncated"
    return Answer(response.id, response.output_text, response.model, usage, problem)


def _failure(response: Response) -> Exception:
    code = response.error.code if response.error else "server_error"
    if code in _TRANSIENT:
        return PlatformUnavailable(f"OpenAI failed while answering: {code}.")
    return PlatformRejected(
        f"OpenAI refuses the request: {response.error.message if response.error else code}"
    )


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage(0, 0, 0, 0)
    details = usage.input_tokens_details
    return Usage(
        usage.input_tokens,
        getattr(details, "cached_tokens", 0) or 0,
        getattr(details, "cache_write_tokens", 0) or 0,
        usage.output_tokens,
    )


def _translated(error: openai.APIError) -> Exception:
    """Return our error for one of OpenAI's: https://platform.openai.com/docs/guides/error-codes.

    429 means a rate limit, after which waiting helps, or a limit of money, where it doesn't.
    """
    status = getattr(error, "status_code", None)
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return CredentialRejected(f"OpenAI refuses the key: {error.message}")
    if status == 429 and (error.type == "insufficient_quota" or error.code == "insufficient_quota"):
        remedy = _REMEDIES.get(
            error.code or "", "the account has no credit left or reached a limit: see its billing page"
        )
        return QuotaExceeded(f"OpenAI: {remedy}.")
    if status == 429:
        return PlatformUnavailable("OpenAI's rate limit is reached.", _retry_after(error))
    if status is None or status in (408, 409) or status >= 500 or status < 400:
        return PlatformUnavailable(f"OpenAI doesn't answer: {error.message}", _retry_after(error))
    return PlatformRejected(f"OpenAI refuses the request: {error.message}")


def _retry_after(error: openai.APIError) -> float | None:
    """Return the seconds to wait, from the header in milliseconds if there is one: it is exact."""
    response = getattr(error, "response", None)
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = response.headers.get(name, "") if response is not None else ""
        if value.replace(".", "", 1).isdigit():
            return float(value) / divisor
    return None
