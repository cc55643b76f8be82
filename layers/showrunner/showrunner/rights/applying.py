"""Carry out a batch of changes at YouTube: read, merge, write. Has no database; every step can be repeated.

A row is written with the etag of what was read, so that no change of somebody else is lost. What the fields
were is stored before the write. So a row whose answer was lost is recognised by what YouTube has, and is not
written again.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from showrunner import breakers, config, quotas
from showrunner.accounts import youtube_access
from showrunner.errors import (
    CredentialRejected,
    Disconnected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.platforms.youtube_studio import Studio
from showrunner.publishing import steps
from showrunner.quotas import Ledger, Project
from showrunner.rights import change_files, change_rules
from showrunner.rights.change_files import Batch, Row

# The function has 900 s, and a call takes a minute at most.
WORK_SECONDS = 600
# A stop is noticed after this time at the latest.
MOST_WAIT_SECONDS = 900
# After so many writes in a row that lost to somebody else's change the row fails.
MOST_CONFLICTS = 3
# With retry_seconds, twenty failures in a row take about an hour.
MOST_TRIES = 20


def apply(event: dict[str, Any]) -> dict[str, Any]:
    """Carry out what is left of a batch. Returns its state for the machine.

    done: every row has a result, or a person has stopped the change set. later: go on after `wait_seconds`.
    """
    work = _Work(change_files.read_batch(event["key"]), event.get("tries", 0))
    tries = work.tries
    try:
        finished = work.run()
    except QuotaExceeded as error:
        return _later(_seconds_until(work, error), tries, error)
    except PlatformUnavailable as error:
        if tries + 1 < MOST_TRIES:
            return _later(error.retry_after or steps.retry_seconds(tries + 1), tries + 1, error)
        work.fail_rest("error", f"{error.message} Run the change set again later.")
    except (Disconnected, CredentialRejected) as error:
        work.fail_rest("error", error.message)
        return {"state": "done", "tries": 0, "is_disconnected": isinstance(error, Disconnected)}
    else:
        if not finished:
            return {"state": "later", "tries": 0, "wait_seconds": 1, "reason": ""}
    return {"state": "done", "tries": 0, "is_disconnected": False}


def _later(seconds: float, tries: int, error: QuotaExceeded | PlatformUnavailable) -> dict[str, Any]:
    wait = int(min(max(seconds, 1), MOST_WAIT_SECONDS))
    return {"state": "later", "tries": tries, "wait_seconds": wait, "reason": error.message}


def _seconds_until(work: "_Work", error: QuotaExceeded) -> float:
    """Return how long to wait for quota. If YouTube said so, nobody else asks in vain today."""
    if error.retry_at is None:
        error = work.ledger.exhaust(quotas.pacific_day(datetime.now(UTC)))
    return (error.retry_at - datetime.now(UTC)).total_seconds() if error.retry_at else MOST_WAIT_SECONDS


class _Work:
    """One invocation's work on a batch."""

    def __init__(self, batch: Batch, tries: int) -> None:
        self.batch, self.tries = batch, tries
        self.project = Project(*batch.project)
        share = None if self.project.is_own else change_rules.SHARE
        self.ledger = Ledger(self.project.name, "general", self.project.units, share)
        self.results = change_files.find_results(batch)
        self._until = time.monotonic() + WORK_SECONDS
        self._token: str | None = None

    def run(self) -> bool:
        """Carry out the rows that have no result yet. Returns False if the time is over before the end."""
        left = [row for row in self.batch.rows if str(row.number) not in self.results]
        if not left or change_files.is_stopped(self.batch.change_set_id):
            return True
        shown = self._read([row.video_id for row in left])
        for row in left:
            if change_files.is_stopped(self.batch.change_set_id):
                return True
            if time.monotonic() > self._until:
                return False
            self._save(row, self._change(row, shown.get(row.video_id)))
        return True

    def fail_rest(self, status: str, message: str) -> None:
        """Give the rows without a result this one."""
        for row in self.batch.rows:
            if str(row.number) not in self.results:
                self.results[str(row.number)] = _result(status, message)
        change_files.write_results(self.batch, self.results)

    def _save(self, row: Row, result: dict[str, Any]) -> None:
        self.results[str(row.number)] = result
        change_files.write_results(self.batch, self.results)

    def _change(self, row: Row, shown: dict[str, Any] | None) -> dict[str, Any]:
        """Return the result of a row, written if need be."""
        journal = change_files.find_journal(self.batch, row)
        for number in range(MOST_CONFLICTS):
            if shown is None:
                return _result("failed", "The connected account's channel has no such video on YouTube.")
            if journal and change_rules.is_done(shown_ := _values(shown, journal), journal["changes"]):
                return _result("success", None, journal["before"], shown_)
            changes = change_rules.complete(shown, row.changes)
            before = change_rules.read(shown, changes)
            if problem := change_rules.find_difference(change_rules.read(shown, row.expected), row.expected):
                return _result("failed", problem, before)
            if change_rules.is_done(before, changes):
                return _result("unchanged", "YouTube has these values already.", before, before)
            self._reserve(row, number)
            change_files.write_journal(self.batch, row, changes, before)
            try:
                written = self._write(shown, changes)
            except PlatformRejected as error:
                if error.reason != "conditionNotMet":
                    return _result("failed", error.message, before)
                # Somebody has changed the video since it was read: merge into what it is now.
                shown = self._read([row.video_id]).get(row.video_id)
                continue
            return _result("success", None, before, change_rules.read(written, changes))
        return _result("failed", "Somebody else keeps changing the video: run the change set again.")

    def _reserve(self, row: Row, number: int) -> None:
        """Reserve the units of a write, once for each call of YouTube."""
        holder = f"{self.batch.change_set_id[:13]}-{row.number}-{self.tries}-{number}"
        quotas.reserve_of_share(self.project, change_rules.WRITE_UNITS, holder, change_rules.SHARE)

    def _read(self, video_ids: list[str]) -> dict[str, dict[str, Any]]:
        self.ledger.spend(change_rules.READ_UNITS)
        found = self._call(lambda studio: studio.list_details(video_ids))
        return {each["id"]: each for each in found}

    def _write(self, shown: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        return self._call(lambda studio: studio.update(shown, change_rules.by_part(changes)))

    def _call[T](self, call: Callable[[Studio], T]) -> T:
        """Call YouTube. A token that it refuses is renewed once."""
        if self._token is None:
            self._token = youtube_access.access_token(self.batch.connection_id, self.batch.organisation_id)
        try:
            return self._guarded(call, self._token)
        except CredentialRejected:
            self._token = youtube_access.access_token(
                self.batch.connection_id, self.batch.organisation_id, refused=self._token
            )
            return self._guarded(call, self._token)

    def _guarded[T](self, call: Callable[[Studio], T], token: str) -> T:
        with breakers.guard("youtube", "metadata"):
            return call(Studio(config.setting("YOUTUBE_BASE_URL"), token))


def _values(shown: dict[str, Any], journal: dict[str, Any]) -> dict[str, Any]:
    return change_rules.read(shown, journal["changes"])


def _result(
    status: str,
    message: str | None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"status": status, "message": message, "before": before, "after": after, "at": at}
