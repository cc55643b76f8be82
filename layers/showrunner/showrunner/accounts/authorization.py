"""The steps that all OAuth 2 authorizations share, on whatever platform (access/oauth.py)."""

from typing import Any

from showrunner import config
from showrunner.access import oauth
from showrunner.access.digests import sha256
from showrunner.accounts.one_time_tokens import expired
from showrunner.accounts.schemas import AuthorizationResponse
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.store.access import oauth_states
from showrunner.web.routing import Request


def allowed_redirect(requested: str | None) -> str:
    """Return the address if it is in the stage's list. Compared exactly, to prevent open redirects."""
    allowed = config.setting("OAUTH_REDIRECTS").split(",")
    if (requested or allowed[0]) not in allowed:
        message = "not one of the addresses that a login may return to"
        raise InvalidRequest(
            f"The redirect_uri is {message}.", [{"field": "redirect_uri", "message": message}]
        )
    return requested or allowed[0]


def take_state(
    request: Request, body: AuthorizationResponse, provider: str, *bound_to: str
) -> dict[str, Any]:
    """Return what was started with this state in this browser, once. Raises InvalidRequest."""
    browser = oauth.browser_of(request.cookies)
    with db.transaction() as tx:
        found = (
            oauth_states.take(tx, sha256(body.state), oauth.bound(browser, *bound_to), provider)
            if browser
            else None
        )
    if found is None:
        raise expired("state")
    return found
