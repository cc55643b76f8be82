"""The routes of a channel's calendar: show it, skip a slot, pause and resume the channel."""

from datetime import UTC, datetime, timedelta

from showrunner.channels.schemas import CalendarFilter, ChannelCalendar, ChannelResponse
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest
from showrunner.publishing.calendar import HORIZON_DAYS
from showrunner.store.studio import channels, slots
from showrunner.web import audit, background
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import parse
from showrunner.web.routing import Request

routes = Routes()

CHANNEL = "/api/v1/channels/{channel_id}"
# The longest calendar of one call.
LONGEST_DAYS = 92


@routes.get(f"{CHANNEL}/calendar", permission="channels:read", answer=ChannelCalendar)
def show(request: Request, channel_id: str, query: CalendarFilter) -> Answer:
    """Show the channel's slots with their states, and why one was moved, held or missed.

    Without dates: from a week ago to the last day that is planned.
    """
    now = datetime.now(UTC)
    date_from = query.date_from or (now - timedelta(days=7)).isoformat()
    date_to = query.date_to or (now + timedelta(days=HORIZON_DAYS + 2)).isoformat()
    days = datetime.fromisoformat(date_to) - datetime.fromisoformat(date_from)
    if not timedelta(0) < days <= timedelta(days=LONGEST_DAYS):
        message = f"must be after date_from, and {LONGEST_DAYS} days later at most"
        raise InvalidRequest("The dates are not valid.", [{"field": "date_to", "message": message}])
    with db.reading() as tx:
        channel = parse(channels.get(tx, request.organisation_id, channel_id).encode())
        found = slots.list_calendar(tx, channel_id, date_from, date_to)
    zone = channel["settings"].get("time_zone", "UTC")
    return Answer({"status": channel["status"], "time_zone": zone, "slots": parse(found.encode())})


@routes.post(f"{CHANNEL}/calendar/{{slot_id}}/skip", permission="channels:write", status=204, errors=(409,))
def skip(request: Request, channel_id: str, slot_id: str) -> Answer:
    """Let a planned slot pass without a video. Its topic stays in the backlog."""
    with db.transaction() as tx:
        channels.lock(tx, request.organisation_id, channel_id)
        slots.skip(tx, channel_id, slot_id)
        audit.record(tx, request, "skip_slot", "channel", channel_id.lower(), slot_id=slot_id.lower())
    return Answer(status=204)


@routes.post(f"{CHANNEL}/pause", permission="channels:write", answer=ChannelResponse, errors=(409,))
def pause(request: Request, channel_id: str) -> Answer:
    """Stop planning and ordering videos. What is in production goes on."""
    return _set_status(request, channel_id, "pause", "paused")


@routes.post(f"{CHANNEL}/resume", permission="channels:write", answer=ChannelResponse, errors=(409,))
def resume(request: Request, channel_id: str) -> Answer:
    """Plan the channel's coming slots again. Those that passed meanwhile are not made up for."""
    return _set_status(request, channel_id, "resume", "active")


def _set_status(request: Request, channel_id: str, action: str, status: str) -> Answer:
    background.expect_work(request, "channels")
    with db.transaction() as tx:
        before = channels.lock(tx, request.organisation_id, channel_id)["status"]
        if before == "disabled":
            raise Conflict("The channel is disabled: PUT /channels/{id} with another status enables it.")
        channel = channels.save(tx, request.organisation_id, channel_id, {"status": status}, {})
        if before != status:
            audit.record(tx, request, action, "channel", channel_id.lower())
    return Answer(f'{{"channel":{channel}}}')
