"""YouTube Reporting API v1: jobs that make reports every day, week or month, and their files.

https://developers.google.com/youtube/reporting/v1/reports

YouTube makes the system-managed reports of a content owner by itself; other jobs are created. A report that
is made anew has the same start and end and a later createTime. Google publishes no quota table for this API,
and a run asks some tens of times.
"""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.platforms import google_lists
from showrunner.platforms.http import Answer, Sender
from showrunner.platforms.youtube_errors import failure

SECONDS = 30
# A page of reports has some hundred entries of 400 bytes.
ANSWER_BYTES = 4 << 20
MOST_PAGES = 100
# A part of a file: a break costs no more than this.
PART_BYTES = 16 << 20
# The largest known report has 180 MB packed; it is held in memory.
MOST_BYTES = 400 << 20
# How often a part is asked for before the file is left for the next run.
PART_TRIES = 3


class ReportType(NamedTuple):
    """A type of report. deprecated_at: when YouTube stops making it, None if it doesn't say so."""

    id: str
    name: str
    deprecated_at: datetime | None


class Job(NamedTuple):
    """A job that makes reports of one type. expires_at: when it ends, None if it goes on."""

    id: str
    report_type: str
    name: str
    expires_at: datetime | None


class Report(NamedTuple):
    """A report of a job. It is about the time from start to end (exclusive)."""

    id: str
    job_id: str
    start_at: datetime
    end_at: datetime
    created_at: datetime
    url: str


class Reporting:
    """The API for one account.

    `base_url`: https://youtubereporting.googleapis.com or a stand-in. `token`: an access token with the scope
    yt-analytics.readonly, for money also yt-analytics-monetary.readonly. `owner_id`: the content owner that
    the account acts for; None for the account's own channel. Every method raises QuotaExceeded,
    CredentialRejected, PlatformRejected or PlatformUnavailable.
    """

    def __init__(self, base_url: str, token: str, owner_id: str | None = None) -> None:
        self._sender = Sender("YouTube", SECONDS, ANSWER_BYTES)
        self._base_url, self._token, self._owner_id = base_url.rstrip("/"), token, owner_id

    def list_types(self) -> dict[str, ReportType]:
        """Return the types of reports that there are for the account, by id."""
        found = [
            ReportType(str(each["id"]), str(each.get("name", "")), _time(each.get("deprecateTime")))
            for each in self._pages("reportTypes", "reportTypes", {"includeSystemManaged": "true"})
        ]
        return {each.id: each for each in found}

    def list_jobs(self) -> list[Job]:
        """Return the account's jobs, those that YouTube manages too."""
        return [read_job(each) for each in self._pages("jobs", "jobs", {"includeSystemManaged": "true"})]

    def create_job(self, report_type: str, name: str) -> Job:
        """Create a job. Its reports come within two days; a second job of a type is refused by YouTube."""
        body = json.dumps({"reportTypeId": report_type, "name": name})
        answer = self._send("POST", f"{self._base_url}/v1/jobs", {}, body=body)
        return read_job(_document(answer))

    def list_reports(self, job_id: str, created_after: datetime | None = None) -> list[Report]:
        """Return a job's reports that YouTube still has, by the time of their making.

        Raises PlatformRejected if they are described in another form than is known here.
        """
        query = {} if created_after is None else {"createdAfter": _text(created_after)}
        try:
            found = [_read_report(each) for each in self._pages(f"jobs/{job_id}/reports", "reports", query)]
        except (KeyError, ValueError) as error:
            message = f"YouTube describes a report of this type in a new form: {error!s:.100}."
            raise PlatformRejected(message) from error
        return sorted(found, key=lambda report: report.created_at)

    def download(self, report: Report, most_bytes: int = MOST_BYTES) -> bytes:
        """Return a report's file, packed by gzip as YouTube sends it. A break continues where it was.

        Raises PlatformRejected for an address that isn't the API's, and for a file over `most_bytes`.
        """
        if urlsplit(report.url).netloc != urlsplit(self._base_url).netloc:
            raise PlatformRejected("YouTube names another host for the file; nothing was sent to it.")
        content, total, tries = bytearray(), None, 0
        while total is None or len(content) < total:
            first = len(content)
            headers = {"Accept-Encoding": "gzip", "Range": f"bytes={first}-{first + PART_BYTES - 1}"}
            try:
                answer = self._send("GET", report.url, None, headers=headers, max_bytes=most_bytes)
            except PlatformUnavailable:
                tries += 1
                if tries == PART_TRIES:
                    raise
                continue
            tries = 0
            if answer.status == 200:
                return answer.body
            total = _total(answer)
            if total > most_bytes:
                raise PlatformRejected(f"The report has more than {most_bytes >> 20} MB: drop it by hand.")
            if not answer.body:
                raise PlatformUnavailable("YouTube's answer has no part of the file.")
            content += answer.body
        return bytes(content)

    def _pages(self, path: str, name: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        url = f"{self._base_url}/v1/{path}"
        return google_lists.items(
            lambda asked: _document(self._send("GET", url, asked)), query, name, MOST_PAGES
        )

    def _send(
        self,
        method: str,
        url: str,
        query: dict[str, str] | None,
        *,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        """Send a request. `query` None: that of the address is kept, which names the owner itself."""
        if query is not None and self._owner_id is not None:
            query = {**query, "onBehalfOfContentOwner": self._owner_id}
        answer = self._sender.send(
            method,
            url,
            query=query,
            body=body,
            headers={
                "Authorization": f"Bearer {self._token}",
                **({} if body is None else {"Content-Type": "application/json"}),
                **(headers or {}),
            },
            until=time.monotonic() + SECONDS,
            max_bytes=max_bytes,
            decode=max_bytes is None,
        )
        if answer.status not in (200, 206):
            raise failure(answer.status, answer.body)
        return answer


def read_job(document: dict[str, Any]) -> Job:
    """Return Google's resource as ours."""
    return Job(
        str(document["id"]),
        str(document["reportTypeId"]),
        str(document.get("name", "")),
        _time(document.get("expireTime")),
    )


def _read_report(document: dict[str, Any]) -> Report:
    return Report(
        str(document["id"]),
        str(document["jobId"]),
        datetime.fromisoformat(document["startTime"]),
        datetime.fromisoformat(document["endTime"]),
        datetime.fromisoformat(document["createTime"]),
        str(document["downloadUrl"]),
    )


def _document(answer: Answer) -> dict[str, Any]:
    found = answer.json("YouTube")
    return found if isinstance(found, dict) else {}


def _total(answer: Answer) -> int:
    """Return the size of the whole file: https://www.rfc-editor.org/rfc/rfc9110#field.content-range."""
    size = answer.headers.get("content-range", "").rpartition("/")[2]
    if not size.isdigit():
        raise PlatformUnavailable("YouTube's answer doesn't say how large the file is.")
    return int(size)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
