"""Connect an artist's account on YouTube, TikTok or Instagram with its owner's consent.

TikTok and Instagram answer only with it. YouTube has public figures too; Analytics needs the owner.
"""

import secrets

from showrunner import config
from showrunner.access import oauth
from showrunner.access.digests import sha256
from showrunner.accounts import authorization
from showrunner.accounts.reauthentication import credential_owner
from showrunner.accounts.schemas import AuthorizationResponse, AuthorizationUrl
from showrunner.artists.management import collect_soon
from showrunner.artists.schemas import ArtistAuthorization, ArtistResponse
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound, PlatformRejected
from showrunner.metrics import grants
from showrunner.metrics.definitions import CONNECTABLE
from showrunner.metrics.grants import Account
from showrunner.models import Tokens
from showrunner.store.access import oauth_states
from showrunner.store.metrics import accounts, artists, days
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import parse
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/artists/{artist_id}/accounts/{platform}"
# Without these scopes there is no figure to show.
_NEEDED = {
    "youtube": "https://www.googleapis.com/auth/yt-analytics.readonly",
    "tiktok": "user.info.stats",
    "instagram": "instagram_business_basic",
}
# Google's access tokens last an hour, less the time that has passed since it was made.
_GOOGLE_SECONDS = 3_300


@routes.get(
    f"{PATH}/connect",
    permission="artists:write",
    limits=((60, 20),),
    answer=AuthorizationUrl,
    errors=(502,),
    verified=True,
)
def connect(request: Request, artist_id: str, platform: str, query: ArtistAuthorization) -> Answer:
    """Return the address to send the artist's browser to, to let us read the account's figures.

    platform: `youtube`, `tiktok`, or `instagram` for a business or creator account. A cookie ties the
    response to this browser and this person for ten minutes.
    """
    from showrunner.metrics import clients

    owner = credential_owner(request)
    _require_platform(platform)
    with db.reading() as tx:
        artists.get(tx, request.organisation_id, artist_id)
    if platform == "youtube":
        return _begin_at_google(query, owner, request.organisation_id, artist_id.lower())
    redirect_uri = authorization.allowed_redirect(query.redirect_uri)
    browser, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    address = clients.address(platform, redirect_uri, state)
    bound = oauth.bound(browser, owner, request.organisation_id, artist_id.lower())
    with db.transaction() as tx:
        oauth_states.add(tx, sha256(state), bound, platform, redirect_uri, oauth.SECONDS)
    body = {"authorization_url": address, "state": state, "expires_in": oauth.SECONDS}
    return Answer(body, headers={"set-cookie": oauth.cookie(browser)})


@routes.post(
    f"{PATH}/callback",
    permission="artists:write",
    limits=((60, 20),),
    answer=ArtistResponse,
    errors=(409, 502),
    verified=True,
)
def finish(request: Request, artist_id: str, platform: str, body: AuthorizationResponse) -> Answer:
    """Connect the account with `code` and `state` as the platform sent them to the page of `redirect_uri`.

    Its figures are collected from the next hour on. Another account of the artist on TikTok or Instagram is
    replaced, with its figures; on YouTube it must be the artist's channel, if one is set. When the platform
    ends the permission, the person who has connected the account gets an email.
    """
    from showrunner.metrics import clients

    owner = credential_owner(request)
    _require_platform(platform)
    state = authorization.take_state(
        request, body, platform, owner, request.organisation_id, artist_id.lower()
    )
    with db.reading() as tx:
        artists.get(tx, request.organisation_id, artist_id)
    if body.code is None:
        raise InvalidRequest(
            "The code is missing: the platform sends one if its owner agrees.",
            [{"field": "code", "message": "missing"}],
            code="MISSING_FIELD",
        )
    tokens = (
        _exchange_at_google(request, body, state["redirect_uri"])
        if platform == "youtube"
        else clients.exchange(platform, body.code, state["redirect_uri"])
    )
    _require_scope(platform, tokens)
    if platform == "youtube":
        _require_same_channel(request.organisation_id, artist_id, tokens.account_id)
    given = {"artist_id": artist_id, "platform": platform, "account_id": tokens.account_id}
    with db.transaction() as tx:
        artists.save_accounts(tx, request.organisation_id, [given])
        accounts.save_connected(tx, request.organisation_id, artist_id, platform, owner)
        artist = artists.get(tx, request.organisation_id, artist_id)
        audit.record(
            tx, request, "connect", "artist", artist_id.lower(), platform=platform, scopes=list(tokens.scopes)
        )
        # Last, so that a token is stored only for an account that is there.
        grants.save(Account(platform, request.organisation_id, artist_id.lower()), tokens)
    collect_soon(request)
    return Answer(f'{{"artist":{artist}}}', headers={"set-cookie": oauth.cookie("")})


@routes.delete(PATH, permission="artists:write", status=204)
def disconnect(request: Request, artist_id: str, platform: str) -> Answer:
    """Forget an account on `tiktok` or `instagram`, with its tokens and figures.

    On `youtube` the permission is forgotten with the figures that it gave; public ones are still collected.
    """
    _require_platform(platform)
    removed = {"artist_id": artist_id, "platform": platform, "account_id": None}
    with db.transaction() as tx:
        artists.get(tx, request.organisation_id, artist_id)
        if platform == "youtube":
            accounts.save_unconnected(tx, request.organisation_id, artist_id, platform)
            days.remove(tx, artist_id, platform)
        else:
            artists.save_accounts(tx, request.organisation_id, [removed])
        audit.record(tx, request, "disconnect", "artist", artist_id.lower(), platform=platform)
        grants.remove(Account(platform, request.organisation_id, artist_id.lower()))
    return Answer(status=204)


def _require_platform(platform: str) -> None:
    if platform not in CONNECTABLE:
        raise NotFound(f"Accounts are connected on {', '.join(CONNECTABLE)}; set others with PUT.")


def _begin_at_google(query: ArtistAuthorization, *bound_to: str) -> Answer:
    from showrunner.accounts import google_authorization
    from showrunner.platforms import google

    scopes = ("openid", google.READ, google.ANALYTICS, *((google.REVENUE,) if query.revenue else ()))
    return google_authorization.begin(query, "youtube", scopes, *bound_to, offline=True)


def _exchange_at_google(request: Request, body: AuthorizationResponse, redirect_uri: str) -> Tokens:
    """Return the tokens of the channel that its owner chose on Google's page.

    Raises InvalidRequest for an account without a channel, and PlatformRejected without a lasting permission.
    """
    from showrunner import quotas
    from showrunner.accounts import google_authorization
    from showrunner.metrics import clients
    from showrunner.platforms.youtube import Youtube

    _, granted = google_authorization.exchange_code(request, body, redirect_uri)
    if granted.refresh_token is None:
        raise PlatformRejected(
            "Google gave no lasting permission: "
            "remove showrunner at myaccount.google.com/permissions and connect again."
        )
    youtube = Youtube("", config.setting("YOUTUBE_BASE_URL"), quotas.metrics_ledger(), granted.access_token)
    channel = youtube.own()
    if channel is None:
        raise InvalidRequest(
            "This Google account has no YouTube channel: choose the account of the artist's channel."
        )
    return clients.google_tokens(
        channel.channel_id, granted.access_token, _GOOGLE_SECONDS, granted.refresh_token, granted.scopes
    )


def _require_same_channel(organisation_id: str, artist_id: str, channel_id: str) -> None:
    """Raise Conflict if the artist has another channel: its figures would be lost by a wrong click."""
    with db.reading() as tx:
        artist = parse(artists.get(tx, organisation_id, artist_id).encode())
    known = artist["accounts"]["youtube"]
    if known not in (None, channel_id):
        raise Conflict(
            f"The connected channel is {channel_id}, and the artist's is {known}: choose that one on Google's"
            " page, or change the artist with PUT first."
        )


def _require_scope(platform: str, tokens: Tokens) -> None:
    """Raise InvalidRequest if the owner declined what every figure needs."""
    if _NEEDED[platform] not in tokens.scopes:
        raise InvalidRequest(
            "The permission to read the account's figures was declined: connect again, and leave it on.",
            [{"field": "code", "message": f"doesn't grant {_NEEDED[platform]}"}],
        )
