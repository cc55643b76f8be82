"""Connect a channel to the YouTube channel that its videos are published on."""

from showrunner.channels.schemas import ConnectedChannel, YoutubeChoice
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden
from showrunner.store.accounts import connected_accounts
from showrunner.store.studio import channels
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import parse
from showrunner.web.routing import Request

routes = Routes()

# Scope of Google -> the features that need it.
FEATURES = {
    "https://www.googleapis.com/auth/youtube.upload": "publishing",
    "https://www.googleapis.com/auth/youtube.force-ssl": (
        "captions, playlists, changes and deletion of published videos"
    ),
    "https://www.googleapis.com/auth/yt-analytics.readonly": "statistics",
}


@routes.post(
    "/api/v1/channels/{channel_id}/connect-youtube",
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
    disabled = [feature for scope, feature in FEATURES.items() if scope not in owned["scopes"]]
    return Answer(
        {"channel": parse(text.encode()), "connection_id": owned["id"], "disabled_features": disabled}
    )


def _only(youtube_channel_ids: list[str]) -> str:
    if len(youtube_channel_ids) > 1:
        raise Conflict(
            "Several YouTube channels are connected: name one of "
            f"{', '.join(youtube_channel_ids)} in youtube_channel_id."
        )
    return youtube_channel_ids[0]
