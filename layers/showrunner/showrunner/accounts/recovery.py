"""Let people set a new password through an email."""

import secrets
import time

from showrunner.access import limits, passwords, roles
from showrunner.access.digests import sha256
from showrunner.accounts import emails, live_sessions
from showrunner.accounts.one_time_tokens import expired
from showrunner.accounts.registration import remove_unconfirmed_credentials
from showrunner.accounts.schemas import EmailAddress, MessageResponse, PasswordReset
from showrunner.database import db
from showrunner.errors import LimitExceeded
from showrunner.store.access import email_tokens
from showrunner.store.accounts import users
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

RESET_MINUTES = 60
# Enough for somebody whose email is slow, too few to annoy anyone.
EMAILS_AN_HOUR = 5
# Longer than SES takes, so that the response time doesn't tell which addresses have an account.
RESPONSE_SECONDS = 1.0


@routes.post(
    "/api/v1/auth/password/forgot",
    permission=roles.PUBLIC,
    limits=((60, 5), (3600, 20)),
    answer=MessageResponse,
    status=202,
)
def forgot_password(request: Request, body: EmailAddress) -> Answer:
    """Send an email with a link, if there is such an account. The response is the same either way.

    Links of earlier emails stay valid for their hour.
    """
    token, started_at = secrets.token_urlsafe(32), time.monotonic()
    with db.transaction() as tx:
        user = users.find(tx, body.email)
        if user is not None and _may_send(tx, body.email):
            email_tokens.add(tx, sha256(token), "reset", body.email, RESET_MINUTES, user_id=user["id"])
            audit.record(tx, request, "password_forgotten", "user", user["id"], subject="anybody")
        else:
            user = None
    if user is not None:
        emails.send(request, body.email, emails.reset(token))
    time.sleep(max(0.0, started_at + RESPONSE_SECONDS - time.monotonic()))
    return Answer({"message": "If there is an account with this address, an email is on its way to it."}, 202)


def _may_send(tx: db.Transaction, email: str) -> bool:
    """Return whether this address may get another email now.

    A refusal is silent: an error would reveal that the account exists.
    """
    try:
        limits.spend(tx, limits.windows(f"forgot:{email}", ((3600, EMAILS_AN_HOUR),))[0])
    except LimitExceeded:
        return False
    return True


@routes.post(
    "/api/v1/auth/password/reset", permission=roles.PUBLIC, limits=((60, 10),), answer=MessageResponse
)
def reset_password(request: Request, body: PasswordReset) -> dict[str, str]:
    """Set a new password with the token of the email. Every session ends."""
    with db.reading() as tx:
        email = email_tokens.find(tx, sha256(body.token), "reset")
    if email is None:
        raise expired("token")  # before hashing: a guessed token must not cost 240 ms of CPU
    passwords.require(body.password, email)
    password_hash = passwords.digest(body.password)
    with db.transaction() as tx:
        token = email_tokens.take(tx, sha256(body.token), ["reset"])
        user = users.find(tx, token["email"]) if token else None
        if token is None or user is None:
            raise expired("token")
        if user["verified_at"] is None:
            remove_unconfirmed_credentials(tx, user["id"])
        users.save_password(tx, token["user_id"], password_hash)
        users.save_verified(tx, token["user_id"])
        audit.record(tx, request, "password_reset", "user", token["user_id"])
    live_sessions.end(request, token["user_id"])
    return {"message": "The password is changed: log in with it."}
