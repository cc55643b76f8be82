"""The steps of a change set's execution that need the database: its batches, their results, its end."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from showrunner import config
from showrunner.accounts import emails, google_projects
from showrunner.aws import change_marks, correlation, events, s3, sdk
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.models import SyncEnded
from showrunner.quotas import Project
from showrunner.rights import change_costs, change_files, change_rules
from showrunner.rights.change_files import Batch, Row
from showrunner.store.accounts import connected_accounts
from showrunner.store.rights import change_sets

# The history of a child execution has at most 25,000 events, and each wait of 15 minutes adds ten.
MOST_DAYS = 20
# A read and a write take about a second, and so many batches are carried out at once.
PARALLEL, ROW_SECONDS = 3, 1.0


class Forecast(NamedTuple):
    """The cost of carrying out a change set, in units of YouTube's quota, and its end at the latest."""

    units: int
    end: datetime


def forecast(tx: db.Transaction, change_set_id: str, now: datetime) -> Forecast | None:
    """Return what is left to pay and when it will be done; None if no row is left."""
    units: dict[tuple[str, Project], int] = {}
    rows = 0
    for each in change_sets.count_to_do(tx, change_set_id):
        key = each["kind"], google_projects.of_connection(tx, each["connection_id"])
        units[key] = units.get(key, 0) + change_costs.units(each["kind"], each["number"])
        rows += each["number"]
    if not rows:
        return None
    working = timedelta(seconds=rows * ROW_SECONDS / PARALLEL)
    ends = [change_costs.end(kind, project, needed, now) for (kind, project), needed in units.items()]
    return Forecast(sum(units.values()), max(ends) + working)


def begin(tx: db.Transaction, organisation_id: str, change_set_id: str, now: datetime) -> None:
    """Start an execution for the rows that are left. Raises Conflict if nothing is left, or too much.

    Claims that another change set is making fail, and rows of content owners that aren't theirs any more.
    """
    expected = forecast(tx, change_set_id, now)
    if expected is None:
        raise Conflict("No row is left to send: read its rows.")
    if expected.end > now + timedelta(days=MOST_DAYS):
        days = (expected.end - now).days
        raise Conflict(
            f"With this quota it would take {days:,} days, and it may take {MOST_DAYS}: send fewer rows, or "
            "ask a platform admin to add a Google project of your own, which has a quota of its own."
        )
    attempt = change_sets.begin(tx, change_set_id, expected.end)
    change_sets.fail_rows_of_others(tx, change_set_id)
    change_sets.take_claims(tx, change_set_id)
    # Before the commit: Plan waits for it, and an execution without it does nothing.
    while not _start(organisation_id, change_set_id, attempt):
        attempt = change_sets.begin(tx, change_set_id, expected.end)
    change_marks.let_run(change_set_id, attempt)


def _start(organisation_id: str, change_set_id: str, attempt: int) -> bool:
    """Start the execution of an attempt. Returns False if there was one, begun by a call without a commit."""
    document = {
        "change_set_id": change_set_id,
        "organisation_id": organisation_id,
        "attempt": attempt,
        "step": "plan",
        "request_id": correlation.current(),
    }
    machines = sdk.client("stepfunctions")
    try:
        machines.start_execution(
            stateMachineArn=config.setting("CHANGES_MACHINE_ARN"),
            name=f"{change_set_id}-{attempt}",
            input=json.dumps(document),
        )
    except machines.exceptions.ExecutionAlreadyExists:
        return False
    return True


def plan(event: dict[str, Any]) -> dict[str, Any]:
    """Divide the rows that are left into batches of one connection each, and store them.

    Returns how many there are and where the list is. A repeat gets the same ones.
    """
    id_, attempt = event["change_set_id"], event["attempt"]
    key = change_files.plan_key(id_, attempt)
    place = {"bucket": config.setting("MEDIA_BUCKET"), "key": key}
    known = s3.find_json(key)
    if known is not None:
        return {"batches": len(known), **place}
    with db.transaction() as tx:
        running = change_sets.find_running(tx, id_, attempt)
        if running is None:
            return {"batches": 0, **place}
        items = []
        for number, batch in enumerate(_batches(tx, event, running["kind"])):
            change_files.write_batch(batch._replace(number=number))
            items.append(
                {
                    "change_set_id": id_,
                    "organisation_id": event["organisation_id"],
                    "attempt": attempt,
                    "key": change_files.batch_key(id_, attempt, number),
                    "request_id": correlation.current(),
                }
            )
    s3.put_json(key, items)
    return {"batches": len(items), **place}


def _batches(tx: db.Transaction, event: dict[str, Any], kind: str) -> Iterator[Batch]:
    rows = change_sets.list_pending(tx, event["change_set_id"])
    for connection_id, group in groupby(rows, key=lambda row: row["connection_id"]):
        project = google_projects.of_connection(tx, connection_id)
        found = [Row(**{name: row[name] for name in Row._fields}) for row in group]
        for first in range(0, len(found), change_rules.BATCH_ROWS):
            yield Batch(
                event["change_set_id"],
                event["organisation_id"],
                event["attempt"],
                0,
                connection_id,
                list(project),
                found[first : first + change_rules.BATCH_ROWS],
                kind,
            )


def record(event: dict[str, Any]) -> dict[str, Any]:
    """Save the results of a batch so far, and announce them. Recording again changes nothing."""
    batch = change_files.read_batch(event["key"])
    lost = None
    with db.transaction() as tx:
        saved = change_sets.save_results(tx, batch.change_set_id, change_files.find_results(batch))
        if event.get("is_disconnected"):
            reason = "Google says that the permission was withdrawn or has expired."
            lost = connected_accounts.mark_lost(tx, batch.organisation_id, batch.connection_id, reason)
        # Before the commit: a row that is announced twice has one event_id, one never announced has none.
        events.put([_event(batch, row) for row in saved])
    if lost:
        emails.tell(lost, emails.reconnect())
    return {"saved": len(saved)}


def _event(batch: Batch, row: dict[str, Any]) -> SyncEnded:
    is_success = row["status"] in ("success", "unchanged")
    return SyncEnded(
        f"sync-{row['id']}-{batch.attempt}",
        batch.organisation_id,
        row["video_id"],
        row["status"],
        row["at"],
        "sync.completed" if is_success else "sync.failed",
        row["asset_id"],
    )


def finish(event: dict[str, Any]) -> dict[str, Any]:
    """End the attempt. Rows that are left can be run again."""
    why = event["error"] or "see their messages"
    reason = f"Some rows were not carried out ({why}): run it again."
    with db.transaction() as tx:
        change_sets.end(tx, event["change_set_id"], event["attempt"], reason)
    return {"state": "ended", "at": datetime.now(UTC).isoformat()}


def ended_from_outside(detail: dict[str, Any]) -> dict[str, Any]:
    """End the attempt of an execution that ended without its last step, as EventBridge reports it.

    Without it the change set would run for ever: it could neither be stopped nor run again. Its functions may
    live on: they begin no further row.
    """
    given = json.loads(detail["input"])
    change_marks.end(given["change_set_id"], given["attempt"])
    return finish(given | {"error": f"the execution ended as {detail['status']}"})
