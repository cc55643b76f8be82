"""List, create, change and remove channels."""

import secrets
from typing import Any

from showrunner.access import limits
from showrunner.access.digests import sha256
from showrunner.channels import backlog, youtube
from showrunner.channels.schemas import (
    ChannelChanges,
    ChannelFilter,
    ChannelList,
    ChannelOverview,
    ChannelResponse,
    ChannelSettings,
    NewChannel,
    NewChannelResponse,
    RemovalConfirmation,
)
from showrunner.channels.settings import check_cloned_voice, check_logo, check_voice, low_backlog
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.store.studio import channel_syncs, channels, topics
from showrunner.web import answers, audit, background, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import checked, parse
from showrunner.web.routing import Request

routes = Routes()

CONFIRMATION_MINUTES = 10
CONNECT_AGAIN = (
    "Connect the account again: GET /auth/oauth/youtube/start, then POST /channels/{id}/connect-youtube. "
    "Publications wait for it for seven days."
)
PRIVATE = (
    "Videos are uploaded as private as soon as they are ready, and nobody else sees them. To publish them at "
    "the minutes of the calendar, set settings.privacy to public. If private is what you want, nothing is to "
    "be done."
)


@routes.get("/api/v1/channels", permission="channels:read", answer=ChannelList, max_age=60)
def list_channels(request: Request, query: ChannelFilter) -> Answer:
    """List the organisation's channels, newest first."""
    with db.reading() as tx:
        page = channels.list_(tx, request.organisation_id, query.status, query.request())
    return answers.listed("channels", page)


@routes.post(
    "/api/v1/channels",
    permission="channels:write",
    answer=NewChannelResponse,
    status=201,
    idempotent=True,
    errors=(409,),
)
def add(request: Request, body: NewChannel) -> Answer:
    """Create a channel. `setup_tasks` lists what to do before its first video can be published."""
    settings = checked(ChannelSettings, body.settings.model_dump(exclude_none=True)).model_dump(
        exclude_none=True
    )
    check_voice(settings)
    waiting = settings.pop("topics", [])
    background.expect_work(request, "channels")

    def work(tx: db.Transaction) -> Answer:
        check_logo(tx, request, settings)
        check_cloned_voice(tx, request, settings)
        limit = limits.of_organisation(tx, request.organisation_id)["channels"]
        fields = body.name, body.niche, body.youtube_channel_id, settings, limit
        added = parse(channels.add(tx, request.organisation_id, request.caller.holder, *fields).encode())
        backlog.add(tx, request.organisation_id, added["id"], waiting)
        channel = parse(channels.get(tx, request.organisation_id, added["id"]).encode())
        audit.record(tx, request, "add", "channel", channel["id"], after=channel)
        return Answer({"channel": channel, "setup_tasks": _setup_tasks(tx, channel)}, 201)

    return idempotency.once(request, work)


def _setup_tasks(tx: db.Transaction, channel: dict[str, Any]) -> list[dict[str, Any]]:
    settings = channel["settings"]
    waiting = topics.count_waiting(tx, channel["id"])
    connection = channels.get_connection(tx, channel["id"])
    connect = "Connect the YouTube account, so that videos can be published."
    if connection["lost_reason"]:
        connect = f"{connection['lost_reason']} {CONNECT_AGAIN}"
    done = {
        "connect_youtube": connection["is_connected"],
        # Without a choice videos arrive as private, which surprises whoever expects them at their minute.
        "choose_privacy": settings.get("privacy", "private") != "private"
        or not settings.get("auto_publish", True),
        "add_brand": bool(settings.get("brand")),
        "add_topics": waiting >= low_backlog(settings),
    }
    descriptions = {
        "connect_youtube": connect,
        "choose_privacy": PRIVATE,
        "add_brand": "Choose colours, logo and caption style.",
        "add_topics": f"Fill the backlog that scheduled videos draw their topics from: {waiting} wait.",
    }
    return [{"task": task, "done": done[task], "description": text} for task, text in descriptions.items()]


@routes.get("/api/v1/channels/{channel_id}", permission="channels:read", answer=ChannelOverview, max_age=30)
def show(request: Request, channel_id: str) -> Answer:
    """Show a channel with its statistics, newest videos, and what is left to do for it to run itself."""
    with db.reading() as tx:
        overview = parse(channels.get_overview(tx, request.organisation_id, channel_id).encode())
        read = youtube.describe(channel_syncs.find(tx, channel_id))
        return Answer({**overview, "youtube": read, "setup_tasks": _setup_tasks(tx, overview["channel"])})


@routes.put(
    "/api/v1/channels/{channel_id}", permission="channels:write", answer=ChannelResponse, errors=(409,)
)
def change(request: Request, channel_id: str, body: ChannelChanges) -> Answer:
    """Change the given fields."""
    changes = body.model_dump(exclude_unset=True, exclude={"settings"})
    given = body.settings.model_dump(exclude_unset=True) if body.settings else {}
    waiting = given.pop("topics", None)
    background.expect_work(request, "channels")
    with db.transaction() as tx:
        channels.lock(tx, request.organisation_id, channel_id)
        before = parse(channels.get(tx, request.organisation_id, channel_id).encode())
        settings = {
            name: value for name, value in {**before["settings"], **given}.items() if value is not None
        }
        check_voice({"language": "en", "voice": "female1", **settings})
        check_logo(tx, request, given)
        check_cloned_voice(tx, request, given)
        if waiting is not None:
            backlog.replace(tx, request.organisation_id, channel_id, waiting)
        channel = channels.save(tx, request.organisation_id, channel_id, changes, given)
        after = parse(channel.encode())
        old, new = _differences(before, after)
        audit.record(tx, request, "change", "channel", after["id"], before=old, after=new)
    return Answer(f'{{"channel":{channel}}}')


def _differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the old and the new values of the fields and settings that differ."""
    old, new = (
        {**channel, **{f"settings.{name}": value for name, value in channel["settings"].items()}}
        for channel in (before, after)
    )
    names = [name for name in {**old, **new} if name not in ("settings", "updated_at")]
    changed = [name for name in names if old.get(name) != new.get(name)]
    return {name: old.get(name) for name in changed}, {name: new.get(name) for name in changed}


@routes.delete("/api/v1/channels/{channel_id}", permission="channels:write", status=204, errors=(409,))
def remove(request: Request, channel_id: str, query: RemovalConfirmation) -> Answer:
    """Remove a channel with its videos.

    The first call answers 409 with a confirmation token; repeat it with the token.
    """
    if query.confirmation_token is None:
        raise _confirmation_required(request, channel_id)
    with db.transaction() as tx:
        channels.get(tx, request.organisation_id, channel_id)
        if not channels.confirm_removal(
            tx, request.organisation_id, channel_id, sha256(query.confirmation_token)
        ):
            raise Conflict("The confirmation is not valid or has expired: ask again without it.")
        channels.remove(tx, request.organisation_id, channel_id)
        audit.record(tx, request, "remove", "channel", channel_id.lower())
    return Answer(status=204)


def _confirmation_required(request: Request, channel_id: str) -> Conflict:
    token = secrets.token_urlsafe(24)
    with db.transaction() as tx:
        channels.get(tx, request.organisation_id, channel_id)
        channels.ask_removal(tx, request.organisation_id, channel_id, sha256(token), CONFIRMATION_MINUTES)
    message = (
        "This removes the channel and its videos. "
        f"Repeat the call within {CONFIRMATION_MINUTES} minutes with ?confirmation_token=…"
    )
    return Conflict(message, details=[{"field": "confirmation_token", "message": token}])
