"""Connect a channel to the YouTube channel that its videos are published on, and read it from there."""

import json
from datetime import datetime
from typing import Any

from showrunner import config
from showrunner.aws import correlation, sdk
from showrunner.channels import sync
from showrunner.channels.schemas import ChannelConnection, ChannelSync, ConnectedChannel, YoutubeChoice
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden, ServiceUnavailable
from showrunner.store.accounts import connected_accounts
from showrunner.store.studio import channel_syncs, channels
from showrunner.videos.publishing import EDIT_SCOPE, UPLOAD_SCOPE
from showrunner.web import audit, log
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import parse
from showrunner.web.fields import timestamp
from showrunner.web.routing import Request

routes = Routes()

CHANNEL = "/api/v1/channels/{channel_id}"
# Scope of Google -> the features that need it.
FEATURES = {
    UPLOAD_SCOPE: "publishing",
    EDIT_SCOPE: "captions, playlists, changes and deletion of published videos",
    "https://www.googleapis.com/auth/yt-analytics.readonly": "statistics",
}


@routes.post(
    f"{CHANNEL}/connect-youtube",
    permission="channels:write",
    answer=ConnectedChannel,
    errors=(409,),
)
def connect_youtube(request: Request, channel_id: str, body: YoutubeChoice) -> Answer:
    """Connect a channel to a YouTube channel of an account that was connected through /auth/oauth/youtube.

    Only a YouTube channel that Google listed for one of these accounts counts as the caller's.
    `disabled_features` lists what doesn't work because its scope was declined.
    """
    with db.transaction() as tx:
        channel = channels.lock(tx, request.organisation_id, channel_id)
        connections = connected_accounts.list_channels(tx, request.organisation_id)
        if not connections:
            raise Conflict(
                "No YouTube account is connected: GET /auth/oauth/youtube/start leads to Google's page."
            )
        wanted = (
            body.youtube_channel_id
            or channel["youtube_channel_id"]
            or _only(sorted({each["youtube_channel_id"] for each in connections}))
        )
        owned = next((each for each in connections if each["youtube_channel_id"] == wanted), None)
        if owned is None:
            message = (
                "None of your connected accounts owns this YouTube channel: connect the one that does, "
                "and choose the channel on Google's page."
            )
            raise Forbidden(message, code="RESOURCE_NOT_OWNED")
        text = channels.connect(
            tx, request.organisation_id, channel_id, owned["youtube_channel_id"], owned["id"]
        )
        audit.record(
            tx,
            request,
            "connect",
            "channel",
            channel_id.lower(),
            youtube_channel_id=owned["youtube_channel_id"],
        )
    return Answer(
        {
            "channel": parse(text.encode()),
            "connection_id": owned["id"],
            "disabled_features": _disabled(owned["scopes"]),
        }
    )


def _disabled(scopes: list[str]) -> list[str]:
    """Return the features whose scope was declined."""
    return [feature for scope, feature in FEATURES.items() if scope not in scopes]


@routes.get(f"{CHANNEL}/connect-youtube", permission="channels:read", answer=ChannelConnection)
def show_connection(request: Request, channel_id: str) -> ChannelConnection:
    """Show the channel's YouTube connection, and the YouTube channels that it could be connected to."""
    with db.reading() as tx:
        channels.get(tx, request.organisation_id, channel_id)
        found = channels.get_connection(tx, channel_id)
        known = connected_accounts.list_channels(tx, request.organisation_id)
    is_lost = found["lost_reason"] is not None
    return ChannelConnection(
        state="lost" if is_lost else "connected" if found["is_connected"] else "none",
        youtube_channel_id=found["youtube_channel_id"],
        connection_id=found["connection_id"],
        connected_at=_time(found["connected_at"]),
        lost_reason=found["lost_reason"],
        disabled_features=_disabled(found["scopes"] or []) if found["connection_id"] else [],
        available=sorted({each["youtube_channel_id"] for each in known}),
    )


@routes.delete(f"{CHANNEL}/connect-youtube", permission="channels:write", status=204, errors=(409,))
def disconnect_youtube(request: Request, channel_id: str) -> Answer:
    """Release the channel from its YouTube connection: nothing more is published there.

    The account stays connected to the organisation; DELETE /auth/connections/{id} disconnects it.
    """
    with db.transaction() as tx:
        channels.lock(tx, request.organisation_id, channel_id)
        channels.disconnect(tx, request.organisation_id, channel_id)
        audit.record(tx, request, "disconnect", "channel", channel_id.lower())
    return Answer(status=204)


@routes.post(
    f"{CHANNEL}/sync",
    permission="channels:write",
    answer=ChannelSync,
    status=202,
    errors=(409, 429),
)
def sync_youtube(request: Request, channel_id: str) -> Answer:
    """Read the channel and its videos from YouTube: their states, views, likes and comments.

    The result is in GET /channels/{id} (`youtube`) and in each video's `publication` (`shown`) about a minute
    later. It costs one unit of the quota, and one for each 50 videos. A reading that runs, or has ended
    within the last minute, is not repeated.
    """
    id_, attempt, reserved = channel_id.lower(), None, None
    with db.transaction() as tx:
        channels.lock(tx, request.organisation_id, channel_id)
        connection = channels.get_connection(tx, channel_id)
        _require_connected(connection)
        known = channel_syncs.find(tx, channel_id)
        if known is None or _may_be_repeated(known):
            attempt = channel_syncs.begin(tx, request.organisation_id, channel_id)
            audit.record(tx, request, "sync", "channel", id_, attempt=attempt)
            reserved = sync.reserve(tx, id_, connection["connection_id"], attempt)
            known = channel_syncs.find(tx, channel_id)
    if attempt is not None and reserved is not None:
        _start(request, id_, attempt, reserved)
    return Answer(describe(known), 202)


def _may_be_repeated(known: dict[str, Any]) -> bool:
    if known["is_running"]:
        return bool(known["seconds"] > sync.RUNNING_SECONDS)
    return known["error"] is not None or bool(known["seconds"] > sync.FRESH_SECONDS)


def _require_connected(connection: dict[str, Any]) -> None:
    """Raise Conflict if YouTube can't be asked for the channel."""
    if not connection["is_connected"]:
        why = connection["lost_reason"] or "The channel is not connected to YouTube."
        raise Conflict(f"{why} GET /auth/oauth/youtube/start, then POST /channels/{{id}}/connect-youtube.")


def _start(request: Request, channel_id: str, attempt: int, reserved: sync.Reservation) -> None:
    """Start the machine. Raises ServiceUnavailable: nobody else would start it.

    If AWS refuses, the reserved units are given back. Without an answer they stay reserved, because the
    machine may run all the same.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    document = {
        "channel_id": channel_id,
        "organisation_id": request.organisation_id,
        "attempt": attempt,
        "step": "begin",
        "request_id": correlation.current(),
    }
    try:
        sdk.client("stepfunctions").start_execution(
            stateMachineArn=config.setting("PUBLICATION_MACHINE_ARN"),
            name=f"sync-{channel_id}-{attempt}",
            input=json.dumps(document),
        )
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "not started", channel_id=channel_id, reason=str(error)[:500])
        with db.transaction() as tx:
            channel_syncs.end(tx, channel_id, "The reading could not be started; try again.")
        if isinstance(error, ClientError):
            sync.release(reserved)
        raise ServiceUnavailable("The reading could not be started; try again in a minute.", 60) from error


def describe(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a reading as the API shows it (ChannelSync), None if there was none."""
    if row is None:
        return None
    shown = row["shown"] or {}
    return {
        "status": "running" if row["is_running"] else "failed" if row["error"] else "done",
        "begun_at": _time(row["begun_at"]),
        "ended_at": _time(row["ended_at"]),
        "error": row["error"],
        **{name: shown.get(name) for name in ("title", "subscribers", "views", "videos")},
        "shown_at": _time(row["shown_at"]),
    }


def _time(at: datetime | None) -> str | None:
    return timestamp(at) if at else None


def _only(youtube_channel_ids: list[str]) -> str:
    if len(youtube_channel_ids) > 1:
        raise Conflict(
            "Several YouTube channels are connected: name one of "
            f"{', '.join(youtube_channel_ids)} in youtube_channel_id."
        )
    return youtube_channel_ids[0]
