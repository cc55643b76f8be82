"""Start and finish authorizations at Google (authorization.py and access/oauth.py have what all share)."""

import secrets
from typing import Any

from showrunner import config
from showrunner.access import oauth
from showrunner.access.digests import sha256
from showrunner.accounts import google_clients
from showrunner.accounts.authorization import allowed_redirect
from showrunner.accounts.one_time_tokens import expired
from showrunner.accounts.schemas import AuthorizationRequest, AuthorizationResponse
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.store.access import oauth_states
from showrunner.web.answers import Answer
from showrunner.web.routing import Request


def begin(
    query: AuthorizationRequest,
    provider: str,
    scopes: tuple[str, ...],
    *bound_to: str,
    offline: bool,
    organisation_id: str | None = None,
) -> Answer:
    """Start an authorization.

    bound_to: ids that must be the same when the response is sent (user, organisation). offline: ask for a
    refresh token. organisation_id: the one whose own client is used, None for the stage's.
    """
    from showrunner import breakers
    from showrunner.platforms.google import Google

    redirect_uri = allowed_redirect(query.redirect_uri)
    browser, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    parameters = {
        "state": state,
        "nonce": oauth.nonce(browser, state),
        "code_challenge": oauth.challenge(oauth.verifier(browser, state)),
    }
    client_id = google_clients.client(organisation_id)[0]
    with breakers.guard("google", "discovery"):
        google = Google(config.setting("GOOGLE_URL"))
        address = google.address(client_id, redirect_uri, scopes, offline=offline, **parameters)
    with db.transaction() as tx:
        oauth_states.add(
            tx, sha256(state), oauth.bound(browser, *bound_to), provider, redirect_uri, oauth.SECONDS
        )
    body = {"authorization_url": address, "state": state, "expires_in": oauth.SECONDS}
    return Answer(body, headers={"set-cookie": oauth.cookie(browser)})


def exchange_code(
    request: Request, body: AuthorizationResponse, redirect_uri: str, organisation_id: str | None = None
) -> tuple[oauth.Person, Any]:
    """Return the person and the grant (platforms.google.Grant) of an authorization.

    `organisation_id` as it was given to `begin`.

    Timeouts and a circuit breaker limit how long the caller waits for Google.
    """
    from showrunner import breakers
    from showrunner.platforms.google import Google

    google, browser = Google(config.setting("GOOGLE_URL")), oauth.browser_of(request.cookies)
    if body.code is None:
        raise InvalidRequest(
            "The code is missing.", [{"field": "code", "message": "missing"}], code="MISSING_FIELD"
        )
    if body.iss not in (None, google.issuer):
        raise expired("iss")
    client_id, client_secret = google_clients.client(organisation_id)
    with breakers.guard("google", "exchange"):
        granted = google.exchange(
            client_id, client_secret, redirect_uri, body.code, oauth.verifier(browser, body.state)
        )
        nonce = oauth.nonce(browser, body.state)
        person = oauth.person(granted.id_token, google.keys, client_id, google.issuer, nonce)
    return person, granted
