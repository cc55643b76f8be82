"""Fetch the reports that YouTube makes for a content owner by itself into the owner's folder of drops.

Has no database; every step can be repeated. A report is known by its job, start, end and createTime, which
its key has: one that YouTube makes anew is another object, and one that was fetched is not fetched again.
Reports of a stream are dropped in the order in which they were made. What goes wrong with a stream stops no
other.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from showrunner import breakers, config
from showrunner.accounts.youtube_access import Account
from showrunner.aws import s3
from showrunner.errors import (
    CredentialRejected,
    Disconnected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.platforms.youtube_reporting import Job, Report, Reporting, ReportType
from showrunner.quotas import pacific_day
from showrunner.reports import names, streams
from showrunner.reports.streams import Span
from showrunner.rights.messages import PREFIX
from showrunner.rights.stream_tasks import Task, result_key

# The function has 900 s, and a part of a file takes half a minute at most.
WORK_SECONDS = 600
_REFUSALS = (PlatformRejected, PlatformUnavailable, QuotaExceeded)


def object_key(owner: str, report_type: str, report: Report) -> str:
    """Return where a report is dropped. Its folders say what its period is (reports/names.py)."""
    first = pacific_day(report.start_at)
    last = pacific_day(report.end_at - timedelta(seconds=1))
    made = report.created_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    folder = f"{_folder(owner, report_type)}{first}_{last}/{made}-{report.job_id}"
    return f"{folder}/{report_type}.csv.gz"


def _folder(owner: str, report_type: str) -> str:
    return f"{PREFIX}{owner}/api/{report_type}/"


def fetch(event: dict[str, Any]) -> dict[str, Any]:
    """Fetch the new reports of an owner. Returns its state for the machine.

    done: what was found is stored. later: the time was over; go on.
    """
    task = Task(**s3.get_json(event["key"]))
    work = _Work(task)
    problem, is_disconnected = None, False
    try:
        found = work.run()
    except (Disconnected, CredentialRejected, *_REFUSALS) as error:
        found, problem, is_disconnected = None, error.message, isinstance(error, Disconnected)
    if work.is_over:
        return {"state": "later", "wait_seconds": 1}
    document = {
        "streams": found or [],
        "problem": problem,
        "is_disconnected": is_disconnected,
        "at": datetime.now(UTC).isoformat(),
    }
    s3.put_json(result_key(event["key"]), document)
    return {"state": "done", "wait_seconds": 0}


class _Work:
    """One invocation's work for an owner."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._account = Account(task.connection_id, task.organisation_id)
        self._until = time.monotonic() + WORK_SECONDS
        self.is_over = False

    def run(self) -> list[dict[str, Any]]:
        """Return the state of each stream, after its new reports were dropped."""
        types = self._call(lambda api: api.list_types())
        jobs = self._call(lambda api: api.list_jobs())
        return [self._follow(job, types.get(job.report_type)) for job in jobs]

    def _follow(self, job: Job, type_: ReportType | None) -> dict[str, Any]:
        kind = names.kind_of_type(job.report_type)
        stream: dict[str, Any] = {
            "job_id": job.id,
            "report_type": job.report_type,
            "name": job.name,
            "kind": kind.name if kind else None,
            "deprecated_at": _text(type_.deprecated_at if type_ else None),
            "reports": 0,
            "fetched": 0,
            "newest_end": None,
            "newest_created": None,
        }
        if kind is None:
            reason = "No table is known for this type, so its reports are not fetched."
            return stream | {"state": "unknown", "reason": reason}
        problem, spans = None, []
        try:
            reports = self._call(lambda api: api.list_reports(job.id))
            dropped = set(s3.list_keys(_folder(self._task.name, job.report_type)))
            spans = [self._span(job, each, dropped) for each in reports]
            problem = self._drop_new(job, reports, spans)
        except _REFUSALS as error:
            problem = error.message
        health = streams.assess(spans, job.expires_at, datetime.now(UTC))
        if problem and health.state not in ("expiring", "ended"):
            health = streams.Health("failed", problem)
        return stream | {
            "state": health.state,
            "reason": health.reason,
            "reports": len(spans),
            "fetched": sum(each.fetched for each in spans),
            "newest_end": _text(max((each.end_at for each in spans), default=None)),
            "newest_created": _text(max((each.created_at for each in spans), default=None)),
        }

    def _span(self, job: Job, report: Report, dropped: set[str]) -> Span:
        key = object_key(self._task.name, job.report_type, report)
        return Span(report.start_at, report.end_at, report.created_at, key in dropped)

    def _drop_new(self, job: Job, reports: list[Report], spans: list[Span]) -> str | None:
        """Drop the reports that are not there yet, in their order. Returns what went wrong, if anything."""
        for number, report in enumerate(reports):
            if spans[number].fetched:
                continue
            if time.monotonic() > self._until:
                self.is_over = True
                return None
            try:
                content = self._call(lambda api, report=report: api.download(report))
            except _REFUSALS as error:
                # A later one before it would make it outdated when it comes.
                return error.message
            s3.put_bytes(object_key(self._task.name, job.report_type, report), content, "application/gzip")
            spans[number] = spans[number]._replace(fetched=True)
        return None

    def _call[T](self, call: Any) -> Any:
        def guarded(token: str) -> Any:
            with breakers.guard("youtube", "reports"):
                return call(Reporting(config.setting("REPORTING_URL"), token, self._task.youtube_id))

        return self._account.call(guarded)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
