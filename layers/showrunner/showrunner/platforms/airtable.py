"""Airtable's Web API v0: write records into a base with a personal access token.

https://airtable.com/developers/web/api/update-multiple-records. Ten records are a call; each base takes five
calls a second: https://airtable.com/developers/web/api/rate-limits.

Records are found by a field (performUpsert), so a call that is repeated adds nothing twice.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ShowrunnerError,
)
from showrunner.platforms import credentials
from showrunner.platforms.http import Answer, Sender

SECONDS = 8
CALL_SECONDS = 12
# Ten records with long texts have 200 KB.
MOST_BYTES = 2 << 20
TOKEN = "airtable/token"  # noqa: S105 - the name of a secret
# Records of one call.
MOST_RECORDS = 10
# How long a base takes no call after too many: https://airtable.com/developers/web/api/rate-limits
PENALTY_SECONDS = 30
# The month's calls of the workspace's plan are spent.
_MONTH_SPENT = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"


class Airtable:
    """A client with a token. `url` is https://api.airtable.com."""

    def __init__(self, token: str, url: str) -> None:
        self._sender = Sender("Airtable", SECONDS, MOST_BYTES)
        self._token = credentials.checked(token, "Airtable", TOKEN)
        self._url = url.rstrip("/")

    def upsert(self, base: str, table: str, key: str, records: list[dict[str, Any]]) -> dict[str, Any]:
        """Add or change up to ten records, {field: value} each, that are found by the field `key`.

        Fields that aren't given keep their value; None empties one. Returns Airtable's answer. Raises
        QuotaExceeded when the month's calls are spent, CredentialRejected, PlatformRejected (such as for a
        field that the table lacks) or PlatformUnavailable.
        """
        if len(records) > MOST_RECORDS:
            raise PlatformRejected(f"At most {MOST_RECORDS} records can be written at once.")
        body = {
            "performUpsert": {"fieldsToMergeOn": [key]},
            "records": [{"fields": fields} for fields in records],
        }
        answer = self._sender.send(
            "PATCH",
            f"{self._url}/v0/{base}/{quote(table, safe='')}",
            body=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            until=time.monotonic() + CALL_SECONDS,
        )
        if answer.status != 200:
            raise failure(answer, datetime.now(UTC))
        document = answer.json("Airtable")
        if not isinstance(document, dict) or len(document.get("records") or []) != len(records):
            raise PlatformUnavailable("Airtable's answer isn't the list of records that it should be.")
        return document


def failure(answer: Answer, now: datetime) -> ShowrunnerError:
    """Return the error that an answer means. Airtable has two kinds of 429, told apart by the body.

    https://airtable.com/developers/web/api/errors
    """
    kind, words = _reason(answer.body)
    said = f"Airtable answers {answer.status} {kind}: {words}"
    if kind == _MONTH_SPENT:
        return QuotaExceeded("The workspace's calls of this month at Airtable are spent.", _next_month(now))
    if answer.status == 429:
        return PlatformUnavailable(said, max(PENALTY_SECONDS, answer.retry_after or 0))
    if answer.status >= 500:
        return PlatformUnavailable(said, answer.retry_after)
    if answer.status == 401:
        return CredentialRejected(f"Airtable refuses the token: store a valid one in SSM as {TOKEN}.")
    if kind == "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND":
        # It says the same for both.
        words = "the base or table doesn't exist, or the token may not write into it (data.records:write)"
        return PlatformRejected(f"Airtable answers {answer.status}: {words}.", kind)
    return PlatformRejected(said, kind)


def _next_month(now: datetime) -> datetime:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)


def _reason(body: bytes) -> tuple[str, str]:
    """Return the error's type and message. There are three forms: a list, an object and a text."""
    try:
        document = json.loads(body)
        error: Any = document["errors"][0] if "errors" in document else document["error"]
        if isinstance(error, str):
            return error, ""
        return str(error.get("type") or error.get("error") or ""), str(error.get("message") or "")[:300]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", ""
