"""Check that the owner of an account is calling, before its credentials change."""

from showrunner.access import passwords
from showrunner.database import db
from showrunner.errors import Forbidden, InvalidRequest
from showrunner.store.access import login_attempts
from showrunner.store.accounts import second_factors, users
from showrunner.web import audit
from showrunner.web.routing import Request


def credential_owner(request: Request) -> str:
    """Return the caller's user id.

    Raises Forbidden for services, and for admins who act as somebody else.
    """
    caller = request.caller
    if caller.is_service:
        raise Forbidden("A service has no account.")
    if caller.actor is not None:
        raise Forbidden("Credentials can't be changed while acting as somebody else.")
    return caller.subject


def require_password(request: Request, password: str) -> None:
    """Compare with the caller's password. A wrong one counts as a failed login. Raises InvalidRequest."""
    with audit.failures(request, "confirm_password", "user", request.caller.subject):
        _require_password(request, password)


def _require_password(request: Request, password: str) -> None:
    with db.transaction() as tx:
        email = second_factors.get(tx, request.caller.subject)["email"]
        user = users.find_login(tx, email, [])
        attempt = login_attempts.take(tx, email, "known")
    if user is not None and user["password_hash"] is None:
        message = "The account has no password yet: POST /auth/password/forgot sets one."
        raise InvalidRequest(message, [{"field": "password", "message": "there is none yet"}])
    if user is None or not passwords.matches(password, user["password_hash"]):
        raise InvalidRequest("The password is wrong.", [{"field": "password", "message": "wrong"}])
    with db.transaction() as tx:
        login_attempts.forgive(tx, attempt)
