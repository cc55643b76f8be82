"""Ask language models through OpenAI's Responses API.

https://platform.openai.com/docs/api-reference/responses. It is priced by token; responses carry no price.
"""

import re
from typing import Any, Literal, NamedTuple

import openai
from openai.types.responses import Response

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.models import Usage
from showrunner.platforms import openai_account

# A script of 350 words takes a model 10 to 40 s with reasoning; past two minutes something hangs.
ANSWER_SECONDS = 120
# The largest answer asked for is a part of 400 words with its visuals, about 2,500 tokens; reasoning counts
# too.
ANSWER_TOKENS = 12_000

# Error codes of a failed response (HTTP 200) after which a retry may succeed. The prompt causes the others.
_TRANSIENT = ("server_error", "rate_limit_exceeded", "vector_store_timeout")
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
        self._client = openai_account.client(key, base_url, ANSWER_SECONDS)

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
                safety_identifier=openai_account.safety_identifier(tenant),
                **options,
            )
        except openai.APIError as error:
            raise openai_account.translated(error) from error
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
