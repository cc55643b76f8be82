"""Schedule, every night -> delete expired rows, and purge with its files what was removed a month ago.

`make orphans` calls it with {"orphans": kind, "after": key or id} -> a list; nothing is deleted then.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from showrunner.accounts import connections
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import ServiceUnavailable
from showrunner.keys.inventory import EXPIRY_DAYS, INGESTION_KEYS
from showrunner.metrics import grants
from showrunner.metrics.definitions import CONNECTABLE
from showrunner.production.files import video_folder
from showrunner.rights.messages import PREFIX
from showrunner.store import retention
from showrunner.store.access import api_keys
from showrunner.store.accounts import connected_accounts
from showrunner.store.audit import audit_log
from showrunner.store.feed import polls
from showrunner.store.metrics import accounts, items, points
from showrunner.store.rights import content_owners, removal
from showrunner.telemetry import entrypoint, logger, metrics
from showrunner.videos import orphans

# A batch keeps its locks for a few hundredths of a second.
BATCH = 5_000
# Videos a night, oldest first; the rest follows in the next nights.
VIDEOS = 200
# The function has 300 s: this leaves time for the batch or video that has been started.
RUN_SECONDS = 240
# Partitions are made for this many months ahead, so that the schedule may fail for that long.
MONTHS_AHEAD = 2


def _remove_all(remove: Callable[[db.Transaction, int], int], until: float) -> int:
    """Remove batch after batch, each in its own transaction. The next night continues what is left."""
    removed, batch = 0, BATCH
    while batch == BATCH and time.monotonic() < until:
        with db.transaction() as tx:
            batch = remove(tx, BATCH)
        removed += batch
    return removed


def _purge(
    until: float,
    list_due: Callable[[db.Transaction, int], list[dict[str, Any]]],
    keys: Callable[[dict[str, Any]], list[str]],
    remove: Callable[[db.Transaction, Any], int],
) -> int:
    """Delete the objects and then the row of each thing that is due. Returns the number of rows.

    Objects first: if the run ends in between, the row is still there, so no object is left without a row.
    """
    with db.reading() as tx:
        due = list_due(tx, VIDEOS)
    purged = 0
    for row in due:
        if time.monotonic() > until:
            break
        s3.remove(keys(row))
        with db.transaction() as tx:
            purged += remove(tx, row["id"])
    return purged


def _video_keys(video: dict[str, Any]) -> list[str]:
    return s3.list_keys(f"{video_folder(str(video['organisation_id']), str(video['id']))}/")


def _asset_keys(asset: dict[str, Any]) -> list[str]:
    return [asset["object_key"]]


def _purge_organisations(until: float) -> int:
    """Delete an organisation's files, then the tokens of its connected accounts, then its rows.

    What the time doesn't suffice for is deleted in the next night.
    """
    with db.reading() as tx:
        deleted = retention.list_deleted_organisations(tx, VIDEOS)
    purged = 0
    for organisation_id in deleted:
        for key in s3.list_keys(f"organisations/{organisation_id}/"):
            if time.monotonic() > until:
                return purged
            s3.remove([key])
        with db.reading() as tx:
            owners = content_owners.list_of(tx, organisation_id)
        if not all(_purge_content_owner(owner, until) for owner in owners):
            return purged
        _forget_tokens(organisation_id)
        with db.transaction() as tx, db.long_statements(tx, RUN_SECONDS):
            purged += retention.remove_organisation(tx, organisation_id)
    return purged


def _forget_tokens(organisation_id: str) -> None:
    """Delete the sealed tokens of the accounts that an organisation and its artists have connected."""
    with db.reading() as tx:
        connected = connected_accounts.list_ids(tx, organisation_id)
        followed = accounts.list_of_organisation(tx, organisation_id)
    for connection_id in connected:
        connections.remove(connection_id)
    for each in followed:
        if each["platform"] in CONNECTABLE:
            grants.remove(grants.Account(each["platform"], organisation_id, each["artist_id"]))


def _purge_content_owner(owner: dict[str, Any], until: float) -> bool:
    """Delete a content owner's files and rows, a report at a time. Returns False if time has run out."""
    for key in s3.list_keys(f"{PREFIX}{owner['name']}/"):
        if time.monotonic() > until:
            return False
        s3.remove([key])
    with db.reading() as tx:
        reports = removal.list_reports(tx, owner["id"])
    for report in reports:
        if time.monotonic() > until:
            return False
        # A report may have a million rows.
        with db.transaction() as tx, db.long_statements(tx, RUN_SECONDS):
            removal.remove_report(tx, report["id"], report["month"])
    with db.transaction() as tx, db.long_statements(tx, RUN_SECONDS):
        removal.remove_owner(tx, owner["id"])
    return True


def _remover(name: str) -> Callable[[db.Transaction, int], int]:
    return lambda tx, limit: retention.remove_expired(tx, name, limit)


def _prepare(month: int) -> int:
    with db.transaction() as tx:
        polls.prepare_month(tx, month)
        audit_log.prepare_month(tx, month)
        points.prepare_month(tx, month)
    return 0


def _count_aged_keys() -> int:
    """Count the keys of the Ingestion API that are overdue or end soon, for two alarms. Deletes nothing."""
    with db.reading() as tx:
        ages = api_keys.ingestion_ages(tx, INGESTION_KEYS.max_age_days or 0, EXPIRY_DAYS)
    metrics.add_metric("IngestionKeysOverdue", MetricUnit.Count, ages["overdue"])
    metrics.add_metric("IngestionKeysExpiring", MetricUnit.Count, ages["ending"])
    return 0


def _parts(until: float) -> dict[str, Callable[[], int]]:
    """Return the parts of the night's work in order. Each returns how many rows it deleted."""
    months = {f"month {month}": partial(_prepare, month) for month in range(MONTHS_AHEAD + 1)}
    removals = {name: partial(_remove_all, _remover(name), until) for name in retention.EXPIRING}
    return {
        **months,
        **removals,
        "points": partial(_remove_all, points.remove_expired, until),
        "responses": partial(_remove_all, points.remove_responses, until),
        "item points": partial(_remove_all, items.remove_expired_points, until),
        "items": partial(_remove_all, items.remove_expired, until),
        "videos": partial(_purge, until, retention.list_removed_videos, _video_keys, retention.remove_video),
        "assets": partial(_purge, until, retention.list_unused_assets, _asset_keys, retention.remove_asset),
        "organisations": partial(_purge_organisations, until),
        "channels": partial(_remove_all, retention.remove_channels, until),
        "ingestion keys": _count_aged_keys,
    }


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "orphans" in event:
        return orphans.find(event["orphans"], event["after"], time.monotonic() + RUN_SECONDS)
    done, failed = {}, []
    for name, work in _parts(time.monotonic() + RUN_SECONDS).items():
        try:
            done[name] = work()
        except Exception:  # noqa: BLE001 - a fault in one table must not stop the work on the others
            logger.exception("a part of the night's work failed", extra={"part": name})
            failed.append(name)
    logger.info("removed", extra={"rows": done})
    if failed:
        raise ServiceUnavailable(
            f"The rest is done, but not {', '.join(failed)}: the log says why, the next night tries again."
        )
    return done
