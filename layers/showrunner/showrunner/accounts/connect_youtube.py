"""Connect a YouTube account, so that the organisation may act on it (connections.py stores its token)."""

from typing import Any

from showrunner import config
from showrunner.access import oauth
from showrunner.accounts import google_authorization as authorization
from showrunner.accounts.authorization import take_state
from showrunner.accounts.reauthentication import credential_owner
from showrunner.accounts.schemas import (
    AuthorizationRequest,
    AuthorizationResponse,
    AuthorizationUrl,
    ConnectionResponse,
)
from showrunner.database import db
from showrunner.errors import (
    CredentialRejected,
    InvalidRequest,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.store.accounts import connected_accounts, google_projects, organisations
from showrunner.web import audit, log
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get(
    "/api/v1/auth/oauth/youtube/start",
    permission="channels:write",
    limits=((60, 20),),
    answer=AuthorizationUrl,
    errors=(502,),
    verified=True,
)
def start_youtube(request: Request, query: AuthorizationRequest) -> Answer:
    """Return the address to send the browser to, to let the organisation act on a YouTube account.

    A cookie ties the response to this browser and this person."""
    from showrunner.platforms import google

    owner = credential_owner(request)
    with db.reading() as tx:
        partner = organisations.get(tx, request.organisation_id)["content_owner"]
        own = google_projects.find(tx, request.organisation_id) is not None
    scopes = (*google.YOUTUBE, *google.OWNER) if partner else google.YOUTUBE
    return authorization.begin(
        query,
        "youtube",
        scopes,
        owner,
        request.organisation_id,
        offline=True,
        organisation_id=request.organisation_id if own else None,
    )


@routes.post(
    "/api/v1/auth/oauth/youtube",
    permission="channels:write",
    limits=((60, 20),),
    answer=ConnectionResponse,
    errors=(502,),
    verified=True,
)
def connect_youtube(request: Request, body: AuthorizationResponse) -> Answer:
    """Store what Google granted, sealed. `missing_scopes` are those that the person declined."""
    from showrunner.accounts import connections
    from showrunner.platforms import google

    owner, organisation_id = credential_owner(request), request.organisation_id
    state = take_state(request, body, "youtube", owner, organisation_id)
    with db.reading() as tx:
        project = google_projects.find(tx, organisation_id)
        own = project is not None
    person, granted = authorization.exchange_code(
        request, body, state["redirect_uri"], organisation_id if own else None
    )
    ledger = _ledger(organisation_id, project)
    with db.reading() as tx:
        partner = organisations.get(tx, organisation_id)["content_owner"]
    requested = {*google.YOUTUBE, *google.OWNER} if partner else {*google.YOUTUBE}
    scopes = _usable_scopes(granted, requested)
    channel = _chosen_channel(request, granted.access_token, ledger) if google.READ in scopes else None
    channel_id, channel_title = channel or (None, None)
    subject = person.subject if channel_id is None else f"{person.subject}/{channel_id}"
    connection_id = connections.id_of(organisation_id, "youtube", subject)
    connections.save(connection_id, organisation_id, granted.refresh_token, own_project=own)
    with db.transaction() as tx:
        connection = {
            "id": connection_id,
            "organisation_id": organisation_id,
            "provider": "youtube",
            "subject": subject,
            "user_id": owner,
            "scopes": scopes,
            "own_project": own,
        }
        row = connected_accounts.save(tx, connection)
        audit.record(tx, request, "connect", "connection", connection_id, provider="youtube", scopes=scopes)
    response = {
        **row,
        "missing_scopes": sorted(requested - {"openid", *scopes}),
        "channel_id": channel_id,
        "channel_title": channel_title,
    }
    return Answer({"connection": response}, headers={"set-cookie": oauth.cookie("")})


def _ledger(organisation_id: str, project: dict[str, Any] | None) -> Any:
    """Return the ledger of the general units: the organisation's own project's, or the stage's."""
    from showrunner import quotas

    used = (
        quotas.own_project(organisation_id, project["units_a_day"], project["inserts_a_day"])
        if project
        else quotas.STAGE
    )
    return quotas.Ledger(used.name, "general", used.units)


def _chosen_channel(request: Request, access_token: str, ledger: Any) -> Any:
    """Return (id, title) of the channel that was chosen on Google's page, None while YouTube doesn't answer.

    Raises InvalidRequest if the account has no channel.
    """
    from showrunner.platforms.youtube import Youtube

    youtube = Youtube("", config.setting("YOUTUBE_BASE_URL"), ledger, access_token)
    try:
        channel = youtube.own()
    except (PlatformUnavailable, PlatformRejected, QuotaExceeded, CredentialRejected) as error:
        log.warn(request, "the connected channel is unknown", reason=error.message)
        return None
    if channel is None:
        raise InvalidRequest(
            "This Google account has no YouTube channel: create one at youtube.com, or use another account."
        )
    return channel


def _usable_scopes(granted: Any, requested: set[str]) -> list[str]:
    """Return the granted scopes, including those that the account granted earlier, which Google adds.

    The content owner's scope is left out unless it was requested. Raises PlatformRejected or InvalidRequest
    if the grant can't be used.
    """
    from showrunner.platforms import google

    scopes = sorted(set(granted.scopes) - {"openid"})
    if granted.refresh_token is None:
        raise PlatformRejected(
            "Google gave no lasting permission: "
            "remove showrunner at myaccount.google.com/permissions and connect again."
        )
    if not requested.intersection(scopes):
        raise InvalidRequest(
            "Google gave none of the permissions: connect again, and leave the boxes of YouTube ticked."
        )
    return [scope for scope in scopes if scope in requested or scope not in google.OWNER]
