"""Count what changes cost: units of the Data API's quota for metadata, calls for what Content ID does."""

from datetime import datetime, timedelta

from showrunner import quotas
from showrunner.quotas import Ledger, Project
from showrunner.rights import change_rules

# Metadata counts in the general units; all other kinds are calls of the Content ID API.
METADATA, ASSET_METADATA = "metadata", "asset_metadata"
CONTENT_ID = "content_id"
# A claim or policy is read right before it is written.
ROW_CALLS = 2


def units(kind: str, rows: int) -> int:
    """Return what so many rows cost at most, with one try for each."""
    if kind != METADATA:
        return rows * ROW_CALLS
    reads = -(-rows // change_rules.BATCH_ROWS)
    return reads * change_rules.READ_UNITS + rows * change_rules.WRITE_UNITS


def end(kind: str, project: Project, needed: int, now: datetime) -> datetime:
    """Return when a project has had so many units for a kind to spend: now, or after a number of midnights.

    After SHARED_FROM_HOUR metadata uses units that others leave too, so it may end sooner.
    """
    daily, used, row = _day(kind, project, now)
    left = max(0, daily - used)
    if needed <= left:
        return now
    # A row's units are not divided over two days.
    usable = max(daily - daily % row, row)
    days = -(-(needed - left) // usable)
    return quotas.pacific_midnight(now) + timedelta(days=days - 1)


def _day(kind: str, project: Project, now: datetime) -> tuple[int, int, int]:
    """Return the units of a day, those used today, and those of a row."""
    if kind != METADATA:
        used = quotas.spent(project.name, CONTENT_ID, now)
        return quotas.CONTENT_ID_CALLS_A_DAY, used, ROW_CALLS
    if project.is_own:
        return project.units, quotas.spent(project.name, "general", now), change_rules.WRITE_UNITS
    share = change_rules.SHARE
    return quotas.SHARES[share], quotas.spent_by_share(project.name, now)[share], change_rules.WRITE_UNITS


def ledger(kind: str, project: Project) -> Ledger:
    """Return the ledger that the calls of a kind count in."""
    if kind != METADATA:
        return Ledger(project.name, CONTENT_ID, quotas.CONTENT_ID_CALLS_A_DAY)
    share = None if project.is_own else change_rules.SHARE
    return Ledger(project.name, "general", project.units, share)
