"""Run the channels that run themselves: keep their slots planned, order due videos, report low backlogs.

The decisions are in publishing/calendar.py; here they are carried out, each in a transaction of its own.
"""

import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from showrunner import quotas
from showrunner.access import tokens
from showrunner.accounts import emails, google_projects
from showrunner.aws import email, events, rpc
from showrunner.channels.settings import LOW_DAYS, low_backlog
from showrunner.database import db
from showrunner.errors import (
    Conflict,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PaymentRequired,
    ServiceUnavailable,
)
from showrunner.models import BacklogLow
from showrunner.publishing import calendar
from showrunner.store.studio import slots
from showrunner.telemetry import logger
from showrunner.videos import budgets, ordering
from showrunner.videos.schemas import Brief
from showrunner.web.routing import Request

# Channels planned in one run. A channel takes about 10 ms.
BATCH = 500
# The function has 60 s. An order takes about 0.1 s.
RUN_SECONDS = 40
# A slot that can't begin is looked at again after this.
HELD = timedelta(minutes=10)
# The units of a publication (videos/publication.py).
PUBLICATION_UNITS, PLAYLIST_UNITS = 455, 51
UPLOADS_SPENT = "The uploads to YouTube of this day (Pacific time) are used up."
UNITS_SPENT = "The YouTube quota for publications of this day (Pacific time) is used up."


def run(now: datetime) -> tuple[dict[str, int], datetime | None]:
    """Do what is due. Returns the numbers of what was done, and when something is due next."""
    counts = {"planned": _plan_channels(now), "ordered": 0, "moved": 0, "held": 0, "missed": 0}
    with db.reading() as tx:
        found = slots.list_next(tx, now, now + calendar.LONGEST_LEAD, now - HELD)
        rows = slots.list_channels(tx, sorted({row["channel_id"] for row in found}))
    channels = {row["id"]: _channel(row) for row in rows}
    coming = [calendar.Slot(**row) for row in found]
    due = [each for each in coming if calendar.is_due(each, channels[each.channel_id].lead, now)]
    by_id = {row["id"]: row for row in rows}
    until = time.monotonic() + RUN_SECONDS
    for slot, decision in _decide(now, channels, by_id, due):
        if time.monotonic() > until:
            return counts, now  # the next minute goes on
        counts[_carry_out(now, by_id[slot.channel_id], channels[slot.channel_id], slot, decision)] += 1
    counts["low"] = _report_low_backlogs()
    waiting = [each.publish_at - channels[each.channel_id].lead for each in coming if each not in due]
    if counts["held"]:
        waiting.append(now + HELD)
    return counts, min(waiting, default=None)


def _plan_channels(now: datetime) -> int:
    through = now.date() + timedelta(days=calendar.HORIZON_DAYS)
    with db.transaction() as tx:
        rows = slots.list_channels_to_plan(tx, through, BATCH)
        for row in rows:
            _plan(tx, row, now)
            slots.save_planned(tx, row["id"], through)
            if row["topics"] >= low_backlog(row["settings"]):
                slots.clear_low_backlog(tx, row["id"])
    return len(rows)


def _plan(tx: db.Transaction, row: dict[str, Any], now: datetime) -> None:
    channel = _channel(row)
    today = now.astimezone(ZoneInfo(channel.time_zone)).date()
    known = [calendar.Slot(**slot) for slot in slots.list_known(tx, channel.id, today)]
    new = []
    for change in calendar.lay_out(channel, known, now):
        match change:
            case calendar.Add(_, day, time, at):
                new.append((day, time, at))
            case calendar.Restore(slot_id, at):
                slots.restore(tx, slot_id, at)
            case calendar.Withdraw(slot_id, reason):
                slots.save(tx, slot_id, "withdrawn", reason)
    slots.add(tx, channel.organisation_id, channel.id, new)


def _channel(row: dict[str, Any]) -> calendar.Channel:
    settings = row["settings"]
    return calendar.Channel(
        id=row["id"],
        organisation_id=row["organisation_id"],
        time_zone=settings.get("time_zone", "UTC"),
        videos_per_day=settings.get("videos_per_day", 1),
        publish_times=tuple(settings.get("publish_times", ())),
        lead=calendar.lead(row["production_seconds"]),
        is_active=row["is_active"],
        catch_up=settings.get("catch_up", False),
        topics=row["topics"],
    )


def _decide(
    now: datetime,
    channels: dict[str, calendar.Channel],
    by_id: dict[str, dict[str, Any]],
    due: list[calendar.Slot],
) -> list[tuple[calendar.Slot, calendar.Decision]]:
    if not due:
        return []
    limits: dict[str, calendar.Limit] = {}
    planned = {}
    with db.reading() as tx:
        for channel_id in sorted({slot.channel_id for slot in due}):
            needs = _budgets(tx, now, by_id[channel_id], limits) | _quotas(tx, now, by_id[channel_id], limits)
            channel = channels[channel_id]
            planned[channel_id] = replace(channel, needs=needs)
        rows = slots.list_occupied(tx, sorted({slot.channel_id for slot in due}), now)
    occupied: dict[str, dict[str, datetime]] = defaultdict(dict)
    for row in rows:
        occupied[row["channel_id"]][row["id"]] = row["publish_at"]
    of_id = {slot.id: slot for slot in due}
    decided = calendar.decide(now, planned, due, limits, occupied)
    return [(of_id[each.slot_id], each) for each in decided]


def _budgets(
    tx: db.Transaction, now: datetime, row: dict[str, Any], limits: dict[str, calendar.Limit]
) -> dict[str, float]:
    """Add the budgets of a channel to `limits`. Returns what one of its videos takes of each, by its name.

    A budget that is too small for any video is left out: waiting doesn't help, and the order's refusal says
    what to change.
    """
    try:
        usd = ordering.expected_usd(row["id"], row["settings"])
    except InvalidRequest:
        return {}  # the order is refused, with the reason
    needs = {}
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    month = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    for scope, budget in budgets.find_left(tx, row["organisation_id"], row["id"], usd).items():
        if budget.limit < usd:
            continue
        name = f"day:{row['id']}" if scope == "day" else f"month:{row['organisation_id']}"
        reason = (
            f"{budgets.NAMES[scope]} is {budget.limit:.2f} USD, {max(budget.left, Decimal(0)):.2f} USD are "
            f"left, and a video is expected to cost {usd:.2f} USD."
        )
        found = calendar.Limit(float(budget.left), midnight if scope == "day" else month, reason)
        # Of an organisation's month each channel sees its own forecast: the smallest counts.
        limits[name] = min(limits.get(name, found), found, key=lambda each: each.left)
        needs[name] = float(usd)
    return needs


def _quotas(
    tx: db.Transaction, now: datetime, row: dict[str, Any], limits: dict[str, calendar.Limit]
) -> dict[str, float]:
    """Add what is left of the quotas of the channel's Google project to `limits`.

    Videos in production are going to take their part, too. Returns what the publication of one video takes of
    each quota: nothing if it isn't automatic.
    """
    settings = row["settings"]
    if not row["is_connected"] or not settings.get("auto_publish", True) or settings.get("review"):
        return {}
    project = google_projects.of_connection(tx, row["connection_id"])
    uploads, units = f"uploads:{project.name}", f"units:{project.name}"
    if uploads not in limits:
        own = row["organisation_id"] if project.is_own else None
        in_production = slots.count_in_production(tx, own)
        renews_at = quotas.pacific_midnight(now)
        left = project.inserts - quotas.spent(project.name, "insert", now) - in_production
        limits[uploads] = calendar.Limit(left, renews_at, UPLOADS_SPENT)
        left = _units_left(project, now) - in_production * PUBLICATION_UNITS
        limits[units] = calendar.Limit(left, renews_at, UNITS_SPENT)
    return {uploads: 1, units: PUBLICATION_UNITS + (PLAYLIST_UNITS if settings.get("playlist") else 0)}


def _units_left(project: quotas.Project, now: datetime) -> int:
    """Return the general units that publications may still take today."""
    if project.is_own:
        return project.units - quotas.spent(project.name, "general", now)
    return quotas.SHARES["publication"] - quotas.spent_by_share(project.name, now)["publication"]


def _carry_out(
    now: datetime,
    row: dict[str, Any],
    channel: calendar.Channel,
    slot: calendar.Slot,
    decision: calendar.Decision,
) -> str:
    """Do what was decided and return its name in the counts."""
    if isinstance(decision, calendar.Order):
        try:
            _order(row, slot, decision)
            return "ordered"
        except LimitExceeded as error:
            at = now + timedelta(seconds=error.retry_after or 0) + channel.lead
            decision = calendar.postpone(slot, at, error.message, set())
        except (PaymentRequired, InvalidRequest, Conflict, NotFound) as error:
            decision = calendar.Hold(slot.id, error.message)
    with db.transaction() as tx:
        match decision:
            case calendar.Move(_, at, reason):
                slots.save(tx, slot.id, "planned", reason, at)
                return "moved"
            case calendar.Hold(_, reason):
                slots.save(tx, slot.id, "held", reason)
                return "held"
            case calendar.Miss(_, reason):
                slots.save(tx, slot.id, "missed", reason)
    return "missed"


def _order(row: dict[str, Any], slot: calendar.Slot, decision: calendar.Order) -> None:
    """Order the slot's video with the next topic of the backlog. Raises as ordering.accept."""
    request = _request(row, slot)
    ordering.announce_work(request)
    with db.transaction() as tx:
        if not slots.save(tx, slot.id, "ordered", decision.reason, decision.at):
            return  # skipped or withdrawn meanwhile
        video = ordering.accept(tx, request, Brief(channel_id=row["id"]))
        slots.save_video(tx, slot.id, video.video_id)
    ordering.start(request, [video.video_id])


def _request(row: dict[str, Any], slot: calendar.Slot) -> Request:
    """Return the request that an order needs. Its videos count for the person who made the channel."""
    scheduler = tokens.Identity(
        subject="service:scheduler",
        organisation_id=row["organisation_id"],
        permissions=frozenset(),
        token_id="",
        expires_at=0,
        role="service",
        creator=row["created_by"],
    )
    return Request(f"slot-{slot.id}", "", "", "", {}, "", identity=scheduler)


def _report_low_backlogs() -> int:
    """Tell the bus and the owner of each backlog that has become low, once until it is filled."""
    with db.reading() as tx:
        low = slots.list_low_backlogs(tx, LOW_DAYS)
    for row in low:
        events.put(
            [
                BacklogLow(
                    event_id=f"{row['id']}:{datetime.now(UTC).date()}",
                    organisation_id=row["organisation_id"],
                    channel_id=row["id"],
                    waiting=row["topics"],
                )
            ]
        )
        if row["email"]:
            _send(row["email"], _low_backlog_email(row))
        with db.transaction() as tx:
            slots.save_low_backlog(tx, row["id"])
    return len(low)


def _low_backlog_email(row: dict[str, Any]) -> email.Email:
    number = row["topics"]
    waiting = f"{number} topic{' waits' if number == 1 else 's wait'}" if number else "No topic waits"
    return email.Email(
        f"{row['name']} is running out of topics",
        (
            f"{waiting} in the backlog of the channel {row['name']}.",
            "Without a topic its next videos will not be made. Add topics to the channel.",
            *emails.unsubscribe_lines(row["unsubscribe_key"], "low_backlog"),
        ),
    )


def _send(to: str, message: email.Email) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        email.send(to, message)
    except (BotoCoreError, ClientError, ServiceUnavailable, rpc.AwsError):
        logger.warning("email not sent", exc_info=True)
