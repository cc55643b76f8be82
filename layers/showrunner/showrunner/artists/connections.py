"""Connect an artist's account on TikTok or Instagram, which answer only with their owners' consent."""

import secrets

from showrunner.access import oauth
from showrunner.access.digests import sha256
from showrunner.accounts import authorization
from showrunner.accounts.reauthentication import credential_owner
from showrunner.accounts.schemas import AuthorizationRequest, AuthorizationResponse, AuthorizationUrl
from showrunner.artists.management import collect_soon
from showrunner.artists.schemas import ArtistResponse
from showrunner.database import db
from showrunner.errors import InvalidRequest, NotFound
from showrunner.metrics import grants
from showrunner.metrics.definitions import CONNECTED
from showrunner.metrics.grants import Account
from showrunner.models import Tokens
from showrunner.store.access import oauth_states
from showrunner.store.metrics import accounts, artists
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/artists/{artist_id}/accounts/{platform}"
# Without these scopes there is no figure to show.
_NEEDED = {"tiktok": "user.info.stats", "instagram": "instagram_business_basic"}


@routes.get(
    f"{PATH}/connect",
    permission="artists:write",
    limits=((60, 20),),
    answer=AuthorizationUrl,
    verified=True,
)
def connect(request: Request, artist_id: str, platform: str, query: AuthorizationRequest) -> Answer:
    """Return the address to send the artist's browser to, to let us read the account's figures.

    platform: `tiktok`, or `instagram` for a business or creator account. A cookie ties the response to this
    browser and this person for ten minutes.
    """
    from showrunner.metrics import clients

    owner = credential_owner(request)
    _require_platform(platform)
    with db.reading() as tx:
        artists.get(tx, request.organisation_id, artist_id)
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

    Its figures are collected from the next hour on. Another account of the artist on this platform is
    replaced, with its figures.
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
    tokens = clients.exchange(platform, body.code, state["redirect_uri"])
    _require_scope(platform, tokens)
    given = {"artist_id": artist_id, "platform": platform, "account_id": tokens.account_id}
    with db.transaction() as tx:
        artists.save_accounts(tx, request.organisation_id, [given])
        accounts.save_connected(tx, request.organisation_id, artist_id, platform)
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
    """Forget an account on `tiktok` or `instagram`, with its tokens and figures."""
    _require_platform(platform)
    removed = {"artist_id": artist_id, "platform": platform, "account_id": None}
    with db.transaction() as tx:
        artists.get(tx, request.organisation_id, artist_id)
        artists.save_accounts(tx, request.organisation_id, [removed])
        audit.record(tx, request, "disconnect", "artist", artist_id.lower(), platform=platform)
        grants.remove(Account(platform, request.organisation_id, artist_id.lower()))
    return Answer(status=204)


def _require_platform(platform: str) -> None:
    if platform not in CONNECTED:
        raise NotFound(f"Accounts are connected on {' and '.join(CONNECTED)}; set others with PUT.")


def _require_scope(platform: str, tokens: Tokens) -> None:
    """Raise InvalidRequest if the owner declined what every figure needs."""
    if _NEEDED[platform] not in tokens.scopes:
        raise InvalidRequest(
            "The permission to read the account's figures was declined: connect again, and leave it on.",
            [{"field": "code", "message": f"doesn't grant {_NEEDED[platform]}"}],
        )
