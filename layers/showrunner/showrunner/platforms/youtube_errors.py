"""Read the errors of YouTube's Data API: https://developers.google.com/youtube/v3/docs/errors."""

import json
from datetime import UTC, datetime, timedelta

from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ShowrunnerError,
)

# The channel's own limit over site, app and API counts 24 hours; so does the one for thumbnails.
CHANNEL_LIMITS = {
    "uploadLimitExceeded": "The channel has reached YouTube's own limit of uploads in 24 hours.",
    "uploadRateLimitExceeded": "The channel has reached YouTube's own limit of thumbnails.",
}
DAILY = ("quotaExceeded", "dailyLimitExceeded")
BUSY = ("rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError")


def failure(status: int, body: bytes) -> ShowrunnerError:
    """Return the error that an answer means. Its message quotes YouTube's reason, not its HTML."""
    reason, words = _reason(body)
    said = f"YouTube answers {status} {reason}: {words}" if reason else f"YouTube answers {status}."
    if reason in CHANNEL_LIMITS:
        return QuotaExceeded(
            f"{CHANNEL_LIMITS[reason]} Try again in 24 hours.", datetime.now(UTC) + timedelta(hours=24)
        )
    if reason in DAILY:
        return QuotaExceeded("The project's daily quota at YouTube is spent.")
    if status == 401:
        return CredentialRejected(said)
    if status >= 500 or status in (408, 429) or reason in BUSY:
        return PlatformUnavailable(said)
    return PlatformRejected(said, reason)


def _reason(body: bytes) -> tuple[str, str]:
    """The first error's reason and message; empty where the answer isn't Google's JSON."""
    try:
        error = json.loads(body)["error"]
        first = (error.get("errors") or [{}])[0]
        return str(first.get("reason", "")), str(error.get("message", ""))[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
