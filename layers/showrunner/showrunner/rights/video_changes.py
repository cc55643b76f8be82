"""Change the metadata of videos: read, merge, write with the etag of what was read.

What the fields were is stored before the write. So a row whose answer was lost is recognised by what YouTube
has, and is not written again.
"""

from collections.abc import Callable
from typing import Any

from showrunner import breakers, config, quotas
from showrunner.accounts.youtube_access import Account
from showrunner.aws.change_marks import Lease
from showrunner.errors import PlatformRejected
from showrunner.platforms.youtube_studio import Studio
from showrunner.quotas import Ledger, Project
from showrunner.rights import change_files, change_rules
from showrunner.rights.change_files import Batch, Row
from showrunner.rights.change_results import result

# After so many writes in a row that lost to somebody else's change the row fails.
MOST_CONFLICTS = 3


class VideoChanges:
    """One invocation's changes of the videos of a batch."""

    def __init__(self, batch: Batch, tries: int, account: Account, ledger: Ledger, lease: Lease) -> None:
        self._batch, self._tries, self._account, self._ledger = batch, tries, account, ledger
        self._lease = lease
        self._shown: dict[str, dict[str, Any]] = {}

    def prepare(self, rows: list[Row]) -> None:
        """Read the videos of all rows at once, those of each content owner for themselves."""
        for owner in {_owner(row) for row in rows}:
            self._shown |= self._read([row.video_id for row in rows if _owner(row) == owner], owner)

    def change(self, row: Row) -> dict[str, Any]:
        """Return the result of a row, written if need be."""
        shown = self._shown.get(row.video_id)
        journal = change_files.find_journal(self._batch, row)
        for number in range(MOST_CONFLICTS):
            if shown is None:
                return result("failed", "The connected account sees no such video on YouTube.")
            if journal and change_rules.is_done(shown_ := _values(shown, journal), journal["changes"]):
                return result("success", None, journal["before"], shown_)
            changes = change_rules.complete(shown, row.changes)
            before = change_rules.read(shown, changes)
            if problem := change_rules.find_difference(change_rules.read(shown, row.expected), row.expected):
                return result("failed", problem, before)
            if change_rules.is_done(before, changes):
                return result("unchanged", "YouTube has these values already.", before, before)
            self._reserve(row, number)
            change_files.write_journal(self._batch, row, changes, before)
            try:
                written = self._write(shown, changes, _owner(row))
            except PlatformRejected as error:
                if error.reason != "conditionNotMet":
                    return result("failed", error.message, before)
                # Somebody has changed the video since it was read: merge into what it is now.
                shown = self._read([row.video_id], _owner(row)).get(row.video_id)
                continue
            return result("success", None, before, change_rules.read(written, changes))
        return result("failed", "Somebody else keeps changing the video: run the change set again.")

    def _reserve(self, row: Row, number: int) -> None:
        """Reserve the units of a write, once for each call of YouTube."""
        holder = f"{self._batch.change_set_id[:13]}-{row.number}-{self._tries}-{number}"
        project = Project(*self._batch.project)
        quotas.reserve_of_share(project, change_rules.WRITE_UNITS, holder, change_rules.SHARE)

    def _read(self, video_ids: list[str], owner: str | None) -> dict[str, dict[str, Any]]:
        self._ledger.spend(change_rules.READ_UNITS)
        found = self._call(owner, lambda studio: studio.list_details(video_ids))
        return {each["id"]: each for each in found}

    def _write(self, shown: dict[str, Any], changes: dict[str, Any], owner: str | None) -> dict[str, Any]:
        return self._call(owner, lambda studio: studio.update(shown, change_rules.by_part(changes)))

    def _call[T](self, owner: str | None, call: Callable[[Studio], T]) -> T:
        def guarded(token: str) -> T:
            self._lease.keep()
            with breakers.guard("youtube", "metadata"):
                return call(Studio(config.setting("YOUTUBE_BASE_URL"), token, owner))

        return self._account.call(guarded)


def _owner(row: Row) -> str | None:
    """Return the content owner, by its id at YouTube, that a row's account acts for, if any."""
    return row.target.get("content_owner")


def _values(shown: dict[str, Any], journal: dict[str, Any]) -> dict[str, Any]:
    return change_rules.read(shown, journal["changes"])
