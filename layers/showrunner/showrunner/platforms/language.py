"""OpenAI, Responses API: https://platform.openai.com/docs/api-reference/responses. An answer costs its tokens; replies carry no price."""

from typing import Any, NamedTuple

import openai

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Usage

# A script of 350 words takes a model 10 to 40 s with reasoning; past two minutes something hangs.
ANSWER_SECONDS = 120
# The largest answer asked for is a part of 400 words with its visuals, about 2,500 tokens; reasoning counts too.
ANSWER_TOKENS = 12_000


class Answer(NamedTuple):
    """`id` is the provider's; `text` is the model's JSON, unchecked; `model` is who answered, which may differ from who was asked."""

    id: str
    text: str
    model: str
    usage: Usage


class Language:
    """A client of one account."""

    def __init__(self, key: str, base_url: str) -> None:
        # The step's own Retry waits and repeats, so the SDK must not.
        self._client = openai.OpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=ANSWER_SECONDS)

    def answer(self, model: str, name: str, schema: dict[str, Any], instructions: str, prompt: str) -> Answer:
        """One answer in the form of `schema` (strict structured output). A refusal or a cut answer comes back as its text, for the caller's check to refuse.

        Raises CredentialRejected, QuotaExceeded, PlatformRejected, PlatformUnavailable."""
        try:
            response = self._client.responses.create(
                model=model,
                instructions=instructions,
                input=prompt,
                reasoning={"effort": "low"},
                max_output_tokens=ANSWER_TOKENS,
                store=False,
                text={"format": {"type": "json_schema", "name": name, "strict": True, "schema": schema}},
            )
        except openai.APIError as error:
            raise _translated(error) from error
        return Answer(response.id, response.output_text, response.model, _usage(response.usage))


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage(0, 0, 0, 0)
    details = usage.input_tokens_details
    return Usage(usage.input_tokens, getattr(details, "cached_tokens", 0) or 0, getattr(details, "cache_write_tokens", 0) or 0, usage.output_tokens)


def _translated(error: openai.APIError) -> Exception:
    """https://platform.openai.com/docs/guides/error-codes. 429 is two things: a rate (wait) or an empty account (don't)."""
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return CredentialRejected(f"OpenAI refuses the key: {error.message}")
        case openai.RateLimitError() if error.code == "insufficient_quota":
            return QuotaExceeded("The OpenAI account has no credit left.")
        case openai.RateLimitError():
            return PlatformUnavailable("OpenAI's rate limit is reached.", _retry_after(error))
        case openai.InternalServerError() | openai.APIConnectionError() | openai.ConflictError():
            return PlatformUnavailable(f"OpenAI doesn't answer: {error.message}", _retry_after(error))
        case _:
            return PlatformRejected(f"OpenAI refuses the request: {error.message}")


def _retry_after(error: openai.APIError) -> float | None:
    response = getattr(error, "response", None)
    value = response.headers.get("retry-after", "") if response is not None else ""
    return float(value) if value.replace(".", "", 1).isdigit() else None
