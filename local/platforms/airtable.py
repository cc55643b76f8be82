"""Airtable's Web API v0: reading and upserting records of bases that have our two tables.

https://airtable.com/developers/web/api/update-multiple-records, .../list-records, .../rate-limits. Five calls
a second for each base; after a refusal it takes none for 30 s. Any base id of the right form exists.
"""

import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local.outcomes import Outcomes
from local.platforms import limits
from local.platforms.http import Reply, Request

Json = dict[str, Any]
LIMITS = limits.of("airtable")
PATH = re.compile(r"/v0/(app[A-Za-z0-9]{14})/([^/]+)", re.ASCII)
WHOAMI = "/v0/meta/whoami"
OUTCOMES = ("rate_limit", "month_spent", "bad_gateway", "server_error", "truncated", "lost_answer")
# Table -> field -> type of its values.
TABLES: dict[str, dict[str, type]] = {
    "Catalogue": {
        **dict.fromkeys(("Artist ID", "Artist", "Tier", "YouTube", "Spotify", "TikTok", "Instagram"), str),
        **dict.fromkeys(
            (
                *("YouTube followers", "Spotify followers", "TikTok followers", "Instagram followers"),
                *("YouTube views", "TikTok views"),
            ),
            int,
        ),
    },
    "Videos": dict.fromkeys(("Video ID", "Title", "Artist", "Platform", "Published"), str),
}


@dataclass
class Base:
    """The records of a base by table and record id, and its calls."""

    records: dict[str, dict[str, Json]] = field(default_factory=dict)
    window: limits.Window = field(
        default_factory=lambda: limits.Window(LIMITS["window_calls"], LIMITS["window_seconds"])
    )
    # Until when no call is taken.
    penalty_until: float = 0.0
    # Held by the call that writes: a record is found and added in one step.
    writing: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class App:
    """A workspace on the plan Free. `calls` counts those of the month; `calls_a_month` is None for plans
    without a limit. All calls have the app's token, which has a window too.

    `writes` counts the records that calls have named. With `factor` its clock runs so many times as fast.
    """

    token: str = "local"  # noqa: S105 - the launcher's default
    bases: dict[str, Base] = field(default_factory=dict)
    calls: int = 0
    calls_a_month: int | None = LIMITS["free_calls_a_month"]
    writes: int = 0
    refused: int = 0
    factor: float = 1.0
    token_window: limits.Window | None = None
    # A month's calls begin again on its first day.
    renewal: limits.Renewal = field(default_factory=lambda: limits.Renewal("UTC", length=7))
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))

    def window(self) -> limits.Window:
        """Return the window of the token's calls."""
        if self.token_window is None:
            self.token_window = limits.Window(LIMITS["token_calls"], LIMITS["window_seconds"], self.factor)
        return self.token_window

    def base(self, id_: str) -> Base:
        """Return a base, a new one if nobody has used it."""
        if id_ not in self.bases:
            window = limits.Window(LIMITS["window_calls"], LIMITS["window_seconds"], self.factor)
            self.bases[id_] = Base(window=window)
        return self.bases[id_]

    def learn(self, known: Json) -> None:
        """Apply `airtable` of POST /_state: calls_a_month, outcomes."""
        self.calls_a_month = known.get("calls_a_month", self.calls_a_month)
        self.outcomes.add_all(known.get("outcomes", []))


def answer(app: App, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't Airtable's."""
    found = PATH.fullmatch(request.path)
    if request.path != WHOAMI and not found:
        return None
    if request.headers.get("authorization") != f"Bearer {app.token}":
        return _error(401, "AUTHENTICATION_REQUIRED", "Authentication required")
    if found is None:
        return Reply.json({"id": "usrL2PNC5o3H4lBEi"})
    return _call(app, app.base(found[1]), unquote(found[2]), request)


def _call(app: App, base: Base, table: str, request: Request) -> Reply:
    outcome = app.outcomes.take()
    scripted = outcome.name if outcome else ""
    if refused := _limited(app, base, scripted):
        return refused
    match scripted:
        case "server_error":
            return _error(503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable")
        case "bad_gateway":
            return Reply(502, b"<html>Bad gateway</html>", "text/html")
        case "truncated":
            return Reply(200, b'{"records": [{"id": "rec')
    if table not in TABLES:
        words = "Invalid permissions, or the requested model was not found."
        return _error(403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND", words)
    if request.method == "GET":
        return _list(base, table, request.query)
    if request.method != "PATCH":
        return _error(404, "NOT_FOUND", "Not found")
    with base.writing:
        reply = _upsert(app, base, table, request)
    # What was asked for has happened, but nobody learns of it.
    return Reply(502, b"<html>Bad gateway</html>", "text/html") if scripted == "lost_answer" else reply


def _limited(app: App, base: Base, scripted: str) -> Reply | None:
    """Return the refusal of a call over a limit, in one of Airtable's two forms."""
    now = time.monotonic() * app.factor
    if now < base.penalty_until or app.window().take() or base.window.take() or scripted == "rate_limit":
        app.refused += scripted != "rate_limit"
        base.penalty_until = now + (0 if scripted == "rate_limit" else LIMITS["penalty_seconds"])
        words = "Rate limit exceeded. Please try again later"
        return Reply.json({"errors": [{"error": "RATE_LIMIT_REACHED", "message": words}]}, 429)
    app.calls += 1
    used = app.renewal.used("calls", app.calls)
    if scripted == "month_spent" or (app.calls_a_month is not None and used > app.calls_a_month):
        words = "API billing plan limit exceeded. Upgrade your plan or wait until the limit is reset."
        return Reply.json({"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "message": words}]}, 429)
    return None


def _list(base: Base, table: str, query: dict[str, str]) -> Reply:
    size, offset = query.get("pageSize", "100"), query.get("offset", "0")
    if not set(query) <= {"pageSize", "offset"} or not size.isdigit() or not 1 <= int(size) <= 100:
        return _error(422, "INVALID_REQUEST_UNKNOWN", "Invalid request: parameter validation failed")
    if not offset.isdigit():
        return _error(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE", "The iterator has expired")
    found = list(base.records.get(table, {}).values())
    first, after = int(offset), int(offset) + int(size)
    page: Json = {"records": found[first:after]}
    return Reply.json(page | ({"offset": str(after)} if after < len(found) else {}))


def _upsert(app: App, base: Base, table: str, request: Request) -> Reply:
    try:
        body = json.loads(request.body)
        merge, records = body["performUpsert"]["fieldsToMergeOn"], body["records"]
        fields = [each["fields"] for each in records]
    except (ValueError, KeyError, TypeError):
        return _error(422, "INVALID_REQUEST_MISSING_FIELDS", 'Could not find field "fields" in the request')
    if problem := _problem(table, body, merge, records, fields):
        return problem
    known = base.records.setdefault(table, {})
    by_values = _by_values(known, merge)
    matches = [by_values.get(_values(each, merge), []) for each in fields]
    if any(len(each) > 1 for each in matches):
        words = "Cannot upsert: several records match the fields to merge on"
        return _error(422, "INVALID_RECORDS", words)
    created: list[str] = []
    updated: list[str] = []
    written: list[Json] = []
    for each, match in zip(fields, matches, strict=True):
        # A record that this call has added matches too.
        ids = match or by_values.get(_values(each, merge), [])
        id_ = ids[0] if ids else f"rec{secrets.token_hex(7)}"
        by_values[_values(each, merge)] = [id_]
        (updated if ids else created).append(id_)
        stored = known.setdefault(id_, {"id": id_, "createdTime": "2026-11-29T08:00:00.000Z", "fields": {}})
        stored["fields"] = {k: v for k, v in (stored["fields"] | each).items() if v is not None}
        written.append(stored)
    app.writes += len(fields)
    return Reply.json({"createdRecords": created, "updatedRecords": updated, "records": written})


def _values(fields: Json, merge: list[str]) -> tuple[Any, ...]:
    return tuple(fields.get(name) for name in merge)


def _by_values(known: dict[str, Json], merge: list[str]) -> dict[tuple[Any, ...], list[str]]:
    """Return the ids of the records by the values of the fields to merge on."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for id_, each in known.items():
        found.setdefault(_values(each["fields"], merge), []).append(id_)
    return found


def _problem(
    table: str, body: Json, merge: list[str], records: list[Json], fields: list[Json]
) -> Reply | None:
    """Return the refusal of a body that Airtable doesn't take."""
    types = TABLES[table]
    if not set(body) <= {"performUpsert", "records", "typecast", "returnFieldsByFieldId"}:
        return _error(422, "INVALID_REQUEST_UNKNOWN", "Invalid request: parameter validation failed")
    if not 1 <= len(records) <= LIMITS["records"]:
        return _error(422, "INVALID_RECORDS", f"At most {LIMITS['records']} records")
    if not 1 <= len(merge) <= LIMITS["merge_fields"]:
        return _error(422, "INVALID_REQUEST_UNKNOWN", "fieldsToMergeOn must have one to three fields")
    for each in fields:
        if unknown := [name for name in (*each, *merge) if name not in types]:
            return _error(422, "UNKNOWN_FIELD_NAME", f'Unknown field name: "{unknown[0]}"')
        if missing := [name for name in merge if each.get(name) is None]:
            return _error(422, "INVALID_RECORDS", f'Field "{missing[0]}" is missing in a record')
        for name, value in each.items():
            if value is not None and (not isinstance(value, types[name]) or isinstance(value, bool)):
                return _error(422, "INVALID_VALUE_FOR_COLUMN", f'Field "{name}" cannot accept the value')
    return None


def _error(status: int, kind: str, message: str) -> Reply:
    if kind == "NOT_FOUND":
        return Reply.json({"error": kind}, status)
    return Reply.json({"error": {"type": kind, "message": message}}, status)
