"""Carry out a batch of changes at YouTube. Has no database; every step can be repeated.

A row's kind says who changes what: video_changes the metadata of videos, claim_changes claims and policies.
Both read what YouTube has right before they write it.
"""

import time
from datetime import UTC, datetime
from typing import Any, Protocol

from showrunner import quotas
from showrunner.accounts.youtube_access import Account
from showrunner.aws import change_marks
from showrunner.aws.change_marks import Lease, LeaseLost
from showrunner.errors import CredentialRejected, Disconnected, PlatformUnavailable, QuotaExceeded
from showrunner.publishing import steps
from showrunner.quotas import Project
from showrunner.rights import change_costs, change_files
from showrunner.rights.change_files import Batch, Row
from showrunner.rights.change_results import result
from showrunner.rights.claim_changes import ClaimChanges
from showrunner.rights.video_changes import VideoChanges

# The function has 900 s, and a call takes a minute at most.
WORK_SECONDS = 600
# A stop is noticed after this time at the latest.
MOST_WAIT_SECONDS = 900
# How long to wait for another worker: a row takes about a second, and one that has died has its batch for
# change_marks.LEASE_SECONDS.
BUSY_SECONDS = 20
# With retry_seconds, twenty failures in a row take about an hour.
MOST_TRIES = 20


class _Changes(Protocol):
    """Changes of one kind."""

    def prepare(self, rows: list[Row]) -> None:
        """Read what is read for many rows at once."""

    def change(self, row: Row) -> dict[str, Any] | None:
        """Return the result of a row, written if need be; None if it must be tried again later."""


def apply(event: dict[str, Any]) -> dict[str, Any]:
    """Carry out what is left of a batch. Returns its state for the machine.

    done: every row has a result, or a person has stopped the change set. later: go on after `wait_seconds`.
    """
    batch, tries = change_files.read_batch(event["key"]), event.get("tries", 0)
    lease = change_marks.lease_of_batch(batch.change_set_id, batch.attempt, batch.number)
    if not lease.take():
        return _waiting(tries)
    try:
        if change_marks.read(batch.change_set_id, batch.attempt).is_busy:
            return _waiting(tries)
        return _carry_out(batch, tries, lease)
    except LeaseLost:
        return _waiting(tries)
    finally:
        lease.give_back()


def _waiting(tries: int) -> dict[str, Any]:
    reason = "Another worker has this batch, or one of an earlier attempt hasn't ended."
    return {"state": "later", "tries": tries, "wait_seconds": BUSY_SECONDS, "reason": reason}


def _carry_out(batch: Batch, tries: int, lease: Lease) -> dict[str, Any]:
    work = _Work(batch, tries, lease)
    try:
        wait_seconds = work.run()
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
        if wait_seconds:
            return {"state": "later", "tries": 0, "wait_seconds": wait_seconds, "reason": ""}
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

    def __init__(self, batch: Batch, tries: int, lease: Lease) -> None:
        self.batch, self.tries, self._lease = batch, tries, lease
        self.ledger = change_costs.ledger(batch.kind, Project(*batch.project))
        account = Account(batch.connection_id, batch.organisation_id)
        kind = VideoChanges if batch.kind == change_costs.METADATA else ClaimChanges
        self._changes: _Changes = kind(batch, tries, account, self.ledger, lease)
        self.results = change_files.find_results(batch)
        self._until = time.monotonic() + WORK_SECONDS

    def run(self) -> int:
        """Carry out the rows that have no result yet.

        Returns 0, or after how many seconds to go on: rows are left because the time is over, or because
        others may be making their claims.
        """
        left = [row for row in self.batch.rows if str(row.number) not in self.results]
        if not left or self._is_stopped():
            return 0
        self._changes.prepare(left)
        wait_seconds = 0
        for row in left:
            if self._is_stopped():
                return 0
            if time.monotonic() > self._until:
                return 1
            found = self._changes.change(row)
            if found is None:
                wait_seconds = BUSY_SECONDS
                continue
            # Never over the results of a worker that has the batch now.
            self._lease.keep()
            self.results[str(row.number)] = found
            change_files.write_results(self.batch, self.results)
        return wait_seconds

    def _is_stopped(self) -> bool:
        return change_marks.read(self.batch.change_set_id, self.batch.attempt).is_stopped

    def fail_rest(self, status: str, message: str) -> None:
        """Give the rows without a result this one."""
        for row in self.batch.rows:
            if str(row.number) not in self.results:
                self.results[str(row.number)] = result(status, message)
        change_files.write_results(self.batch, self.results)
