"""Fetch the daily reports of a channel that its owner connected: YouTube's Reporting API. Uses no database.

The jobs that make them are created at the first look; YouTube has their reports within two days, and those of
the 30 days before. A report's file is archived under a key of its own, so that a repeat fetches only what is
missing. What goes wrong with one subject stops no other.
"""

import gzip
import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from showrunner import breakers, config, rates
from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.metrics import archive, fetching
from showrunner.metrics.archive import Batch
from showrunner.platforms import youtube_channel_reports as channel_reports
from showrunner.platforms.youtube_channel_reports import GZIP, Unreadable
from showrunner.platforms.youtube_reporting import Job, Report, Reporting, ReportType
from showrunner.quotas import pacific_days

# No file is begun after this: the function has 120 s, and a file whose parts break takes 90 s at most.
WORK_SECONDS = 25
# So that a batch takes about five seconds, as the alarm for slow fetches expects. The first sixty reports of
# a channel come in four hourly runs; later there are two a day.
MOST_REPORTS = 16
# A channel's report has some hundred kilobytes when packed. It is held in the function's memory.
MOST_BYTES = 32 << 20
# Several reports are made in the same moment, and a run may have loaded the first of them only.
_OVERLAP = timedelta(seconds=1)


def ask(batch: Batch, token: str) -> bytes:
    """Archive a channel's new reports. Returns {jobs, reports, is_complete}, which `report_loading` reads.

    `batch.after`: subject -> createTime of the newest report that is loaded. is_complete: False if reports
    are left for the next run. Raises QuotaExceeded, CredentialRejected, PlatformRejected or
    PlatformUnavailable; files that are archived already stay.
    """
    return _Work(batch, Reporting(config.setting("REPORTING_URL"), token)).run()


class _Work:
    """Do one call's work for a channel."""

    def __init__(self, batch: Batch, api: Reporting) -> None:
        self._batch, self._api = batch, api
        self._until = time.monotonic() + WORK_SECONDS
        self._reports: list[dict[str, Any]] = []
        # Files that are archived already don't count: reports that were made in the moment of the cursor are
        # listed again each time, and may be more than MOST_REPORTS.
        self._downloads = 0
        self._is_complete = True

    def run(self) -> bytes:
        offered = self._call(self._api.list_types)
        known = {each.report_type: each for each in self._call(self._api.list_jobs)}
        jobs = [self._follow(subject, offered, known) for subject in channel_reports.SUBJECTS]
        found = {"jobs": jobs, "reports": self._reports, "is_complete": self._is_complete}
        return json.dumps(found, default=datetime.isoformat).encode()

    def _follow(self, subject: str, offered: dict[str, ReportType], known: dict[str, Job]) -> dict[str, Any]:
        """Archive the new reports about a subject. Returns its job, with what went wrong."""
        type_ = channel_reports.choose(subject, offered.values(), datetime.now(UTC))
        found: dict[str, Any] = dict.fromkeys(("job_id", "report_type", "deprecated_at", "expires_at"))
        found |= {"subject": subject, "problem": None}
        if type_ is None:
            return found | {"problem": "YouTube offers no type of report about this."}
        found |= {"report_type": type_.id, "deprecated_at": type_.deprecated_at}
        try:
            job = known.get(type_.id) or self._create(type_)
            found |= {"job_id": job.id, "expires_at": job.expires_at}
            found["problem"] = self._archive_new(subject, job)
        except PlatformRejected as error:
            # Asked again tomorrow: the next run's answer would be the same.
            found["problem"] = error.message
        except PlatformUnavailable as error:
            found["problem"] = error.message
            self._is_complete = False
        return found

    def _create(self, type_: ReportType) -> Job:
        """Create a job, or return the one that somebody else has created meanwhile."""
        try:
            return self._call(lambda: self._api.create_job(type_.id, f"showrunner {type_.id}"))
        except PlatformRejected:
            for job in self._call(self._api.list_jobs):
                if job.report_type == type_.id:
                    return job
            raise

    def _archive_new(self, subject: str, job: Job) -> str | None:
        """Archive the job's reports by their createTime. Returns what is wrong with files, if anything."""
        problem = None
        for report in self._call(lambda: self._api.list_reports(job.id, self._cursor(subject))):
            first, last = pacific_days(report.start_at, report.end_at)
            key = archive.report_key(self._batch, job.report_type, first, report.created_at, job.id)
            content = archive.find_report(key)
            if content is None:
                if time.monotonic() > self._until or self._downloads == MOST_REPORTS:
                    self._is_complete = False
                    break
                try:
                    content = self._download(report)
                    channel_reports.read(content, subject, self._batch.accounts[0], first, last)
                except (PlatformRejected, Unreadable) as error:
                    # Its days are a gap, unless YouTube makes the report anew.
                    problem = error.message
                    continue
                archive.write_report(key, content)
            self._reports.append(
                {
                    "subject": subject,
                    "report_type": job.report_type,
                    "start_at": report.start_at,
                    "end_at": report.end_at,
                    "created_at": report.created_at,
                    "key": key,
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            )
        return problem

    def _download(self, report: Report) -> bytes:
        """Return a report's file, packed."""
        self._downloads += 1
        content = self._call(lambda: self._api.download(report, MOST_BYTES))
        return content if content.startswith(GZIP) else gzip.compress(content, mtime=0)

    def _cursor(self, subject: str) -> datetime | None:
        after = (self._batch.after or {}).get(subject)
        return datetime.fromisoformat(after) - _OVERLAP if after else None

    def _call[T](self, call: Callable[[], T]) -> T:
        rates.reserve("youtube_reporting", rates.YOUTUBE_REPORTING)
        with (
            fetching.heeding("youtube", "youtube_reporting"),
            breakers.guard("youtube", "reports"),
        ):
            return call()
