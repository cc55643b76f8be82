"""Log people in and out, and refresh their tokens. Refresh-token reuse detection: access/sessions.py."""

from typing import Any

from showrunner.access import passwords, roles, sessions
from showrunner.access.digests import sha256
from showrunner.accounts import live_sessions, second_factor
from showrunner.accounts.schemas import Login, LoginOptions, RefreshRequest, TokenPair
from showrunner.database import db
from showrunner.errors import Unauthorized
from showrunner.store.access import login_attempts
from showrunner.store.accounts import members, users
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.post(
    "/api/v1/auth/login",
    permission=roles.PUBLIC,
    limits=((60, 10),),
    open_in_maintenance=True,
    answer=TokenPair,
    errors=(401, 403, 404, 502),
)
def log_in(request: Request, body: Login) -> dict[str, Any]:
    """Return an access token for an hour and a refresh token for seven days.

    Five wrong attempts lock the login of the address for 15 minutes.
    """
    with db.reading() as tx:
        user = users.find_login(tx, body.email, places(request))
    with audit.failures(request, "login", "user", user["id"] if user else "unknown"):
        return _log_in(request, body, user)


def _log_in(request: Request, body: Login, user: dict[str, Any] | None) -> dict[str, Any]:
    with db.transaction() as tx:
        attempt = login_attempts.take(tx, body.email, "known" if user and user["known"] else None)
    # The attempt is counted, and no transaction is open while the hash is computed.
    if not passwords.matches(body.password, user["password_hash"] if user else None) or user is None:
        raise Unauthorized("The email address or the password is wrong.", code="INVALID_CREDENTIALS")
    secret = second_factor.confirmed_secret(user)
    new_hash = passwords.digest(body.password) if passwords.is_outdated(user["password_hash"]) else None
    with db.transaction() as tx:
        return finish(tx, request, body, user, secret=secret, attempt=attempt, new_hash=new_hash)


def finish(
    tx: db.Transaction,
    request: Request,
    options: LoginOptions,
    user: dict[str, Any],
    *,
    secret: str | None,
    attempt: str | None,
    new_hash: str | None = None,
) -> dict[str, Any]:
    """Check the second factor of a user who has proven who they are otherwise, and start a session.

    secret: of the second factor, None without one. attempt: key of the counted attempt, which is forgiven.
    new_hash: replaces the password's hash if that was made at another cost. Returns a TokenPair. Raises
    Unauthorized.
    """
    user_id = user["id"]
    if not users.hold_login(tx, user):
        # The owner has ended every session meanwhile; this login must not survive that.
        raise Unauthorized(
            "The password or the second factor was changed just now: log in again.",
            code="INVALID_CREDENTIALS",
        )
    second_factor.require_code(tx, user_id, secret, options.mfa_code)
    member = members.get(tx, user_id, options.organisation_id)
    sessions.refuse_suspended(member)
    sessions.refuse_in_maintenance(tx, member)
    if attempt is not None:
        login_attempts.forgive(tx, attempt)
    users.save_login(tx, user_id, places(request), new_hash)
    audit.record(tx, request, "login", "user", user_id)
    return sessions.begin(tx, member)


def places(request: Request) -> list[str]:
    """Return hashes of where the login comes from: the network, and the device if the client names one.

    A client names its device by the header X-Device-Id, a random text that it stores.
    """
    device = request.headers.get("x-device-id", "")
    known = [f"address {request.place}"] + ([f"device {device}"] if len(device) >= 16 else [])
    return [sha256(place) for place in known]


@routes.post(
    "/api/v1/auth/refresh",
    permission=roles.PUBLIC,
    open_in_maintenance=True,
    answer=TokenPair,
    errors=(401, 403),
)
def refresh(request: Request, body: RefreshRequest) -> dict[str, Any]:
    """Exchange a refresh token for the next pair. Each works once; a reused one ends the whole login.

    During maintenance only platform admins can; the token of anybody else stays valid.
    """
    token = body.refresh_token
    with audit.failures(request, "refresh", "user", lambda: sessions.owner_of(token) or "unknown"):
        return sessions.renew(token)


@routes.post("/api/v1/auth/logout", permission="account:all", status=204)
def log_out(request: Request) -> Answer:
    """End this login: its refresh tokens, and the access token of this request."""
    with db.transaction() as tx:
        sessions.end(tx, request.caller)
        audit.record(tx, request, "logout", "user", request.caller.subject)
    live_sessions.end(
        request, request.caller.account, family=request.caller.family or request.caller.token_id
    )
    return Answer(status=204)
