"""Do the streams machine's steps with a database: whose reports are fetched, and what was found."""

from datetime import UTC, datetime
from typing import Any

from showrunner import config
from showrunner.accounts import emails
from showrunner.aws import correlation, s3
from showrunner.database import db
from showrunner.reports import streams as rules
from showrunner.rights import owner_accounts
from showrunner.rights.stream_tasks import Task, plan_key, result_key, task_key
from showrunner.store.accounts import connected_accounts, members
from showrunner.store.rights import streams
from showrunner.telemetry import logger, metrics


def plan(event: dict[str, Any]) -> dict[str, Any]:
    """Store a task for each content owner that has an id at YouTube and an account that may read its reports.

    Returns how many there are and where the list is. A repeat gets the same ones.
    """
    run = event["stream_run"]
    key = plan_key(run)
    place = {"bucket": config.setting("MEDIA_BUCKET"), "key": key}
    known = s3.find_json(key)
    if known is not None:
        return {"batches": len(known), **place}
    items = []
    with db.reading() as tx:
        for owner in streams.list_owners(tx):
            connection_id = owner_accounts.find_for_reports(tx, owner["organisation_id"], owner)
            if connection_id is None:
                continue
            place_of_task = task_key(run, owner["id"])
            values = {name: owner[name] for name in Task._fields if name in owner}
            s3.put_json(place_of_task, Task(**values, connection_id=connection_id)._asdict())
            items.append({"stream_run": run, "key": place_of_task, "request_id": correlation.current()})
    s3.put_json(key, items)
    return {"batches": len(items), **place}


def record(event: dict[str, Any]) -> dict[str, Any]:
    """Save what was found of an owner's streams. Recording again changes nothing.

    The person who connected the account, or else the organisation's owner, is told of types that end within
    90 days, once for each.
    """
    task = Task(**s3.get_json(event["key"]))
    found = s3.get_json(result_key(event["key"]))
    owner = {"id": task.id, "organisation_id": task.organisation_id}
    ending: list[dict[str, Any]] = []
    lost = None
    before = (datetime.now(UTC) + rules.ANNOUNCED).isoformat()
    with db.transaction() as tx:
        if found["problem"] is None:
            streams.save(tx, owner, found["streams"], found["at"])
            ending = streams.take_announcements(tx, task.id, before)
        else:
            streams.fail(tx, owner, found["problem"])
        if found["is_disconnected"]:
            reason = "Google says that the permission was withdrawn or has expired."
            lost = connected_accounts.mark_lost(tx, task.organisation_id, task.connection_id, reason)
        person = None
        if ending:
            person = connected_accounts.find_person(tx, task.connection_id) or members.find_owner(
                tx, task.organisation_id
            )
        standing = streams.count_standing(tx)
    if lost:
        emails.tell(lost, emails.reconnect())
    if person:
        emails.tell(person, emails.reports_end(task.name, ending))
    metrics.add_metric("ReportStreamsStanding", "Count", standing)
    if standing:
        logger.error("streams of reports are late, have gaps or fail", extra={"count": standing})
    return {"saved": len(found["streams"]), "standing": standing}
