"""The route of the streams of reports that YouTube makes for content owners by itself."""

from typing import Literal

from showrunner.database import db
from showrunner.store.rights import streams
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import Result, Timestamp, timestamp
from showrunner.web.routing import Request

routes = Routes()

_TIMES = ("newest_end", "newest_created", "deprecated_at", "checked_at")


class ReportStream(Result):
    """The reports of one type that YouTube makes for a content owner, as of the last look, every night.

    late: a newer report should be there. gap: one is missing in between. expiring: YouTube deletes reports
    that were not fetched, or ends the job. unknown: we have no table for the type. ended: the job is gone.
    """

    content_owner: str
    job_id: str
    report_type: str
    name: str
    kind: str | None
    state: Literal["ok", "new", "late", "gap", "expiring", "failed", "unknown", "ended"]
    reason: str | None
    reports: int
    fetched: int
    newest_end: Timestamp | None
    newest_created: Timestamp | None
    deprecated_at: Timestamp | None
    checked_at: Timestamp


class ReportStreams(Result):
    """All streams of the organisation."""

    streams: list[ReportStream]


@routes.get("/api/v1/cms/streams", permission="cms:read", answer=ReportStreams)
def list_streams(request: Request) -> Answer:
    """List the reports that YouTube makes by itself: whether each type comes, and until when."""
    with db.reading() as tx:
        found = streams.list_of(tx, request.organisation_id)
    rows = [row | {name: timestamp(row[name]) if row[name] else None for name in _TIMES} for row in found]
    return Answer({"streams": rows})
