"""Make the SDK's client of an OpenAI account for all its endpoints, and turn its errors into ours.

https://platform.openai.com/docs/guides/error-codes
"""

import hashlib

import openai

from showrunner.errors import (
    AnswerRefused,
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.platforms import credentials

KEY = "openai/api_key"
# Codes of a request for a picture that OpenAI's content filter stops, before or after it was drawn:
# https://developers.openai.com/api/docs/guides/image-generation.
_FILTERED = ("moderation_blocked", "content_policy_violation")
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


def client(key: str, base_url: str, seconds: float) -> openai.OpenAI:
    """Return a client that gives up after so many seconds. Raises CredentialRejected if the key is none."""
    # The caller waits and repeats, or does without: the SDK must do neither.
    key = credentials.checked(key, "OpenAI", KEY)
    return openai.OpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=seconds)


def safety_identifier(tenant: str) -> str:
    """Return the hash of a tenant's id, by which OpenAI can block one tenant instead of the account."""
    return hashlib.sha256(tenant.encode()).hexdigest()


def translated(error: openai.APIError) -> Exception:
    """Return our error for one of OpenAI's: https://platform.openai.com/docs/guides/error-codes.

    429 means a rate limit, after which waiting helps, or a limit of money, where it doesn't. AnswerRefused
    is the content filter's.
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
    if error.code in _FILTERED:
        return AnswerRefused(f"OpenAI's content filter stopped the request: {error.message}")
    return PlatformRejected(f"OpenAI refuses the request: {error.message}")


def _retry_after(error: openai.APIError) -> float | None:
    """Return the seconds to wait, from the header in milliseconds if there is one: it is exact."""
    response = getattr(error, "response", None)
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = response.headers.get(name, "") if response is not None else ""
        if value.replace(".", "", 1).isdigit():
            return float(value) / divisor
    return None
