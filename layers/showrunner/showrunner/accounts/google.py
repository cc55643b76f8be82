"""Log in with Google (authorization.py and access/oauth.py have what all authorizations share)."""

from typing import Any

from showrunner.access import oauth, roles
from showrunner.access.digests import sha256
from showrunner.accounts import emails, google_authorization, live_sessions, login, second_factor
from showrunner.accounts.authorization import take_state
from showrunner.accounts.one_time_tokens import expired
from showrunner.accounts.schemas import (
    AuthorizationRequest,
    AuthorizationUrl,
    EmailAddress,
    GoogleLogin,
    TokenPair,
)
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden
from showrunner.store.access import login_attempts, oauth_states, refresh_tokens
from showrunner.store.accounts import identities, members, organisations, users
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import checked
from showrunner.web.routing import Request

routes = Routes()


@routes.get(
    "/api/v1/auth/oauth/google/start",
    permission=roles.PUBLIC,
    limits=((60, 20),),
    open_in_maintenance=True,
    answer=AuthorizationUrl,
    errors=(502,),
)
def start_google(request: Request, query: AuthorizationRequest) -> Answer:
    """Return the address to send the browser to for a login with Google.

    A cookie ties the response to this browser for ten minutes: call this and the POST from a page of the
    API's own site, with credentials.
    """
    from showrunner.platforms import google

    return google_authorization.begin(query, "google", google.LOGIN, offline=False)


@routes.post(
    "/api/v1/auth/oauth/google",
    permission=roles.PUBLIC,
    limits=((60, 20),),
    open_in_maintenance=True,
    answer=TokenPair,
    errors=(401, 403, 404, 409, 502),
)
def log_in_with_google(request: Request, body: GoogleLogin) -> Answer:
    """Log in with a Google account.

    The first time, link the account that has confirmed the same address, or create one.
    """
    state = take_state(request, body, "google")
    user_id, subject = state["user_id"], state["subject"]
    if user_id is None:
        person, _ = google_authorization.exchange_code(request, body, state["redirect_uri"])
        with db.transaction() as tx:
            user_id, subject = _user_of(tx, request, person), person.subject
            oauth_states.save_proven(tx, sha256(body.state), user_id, subject)
    with db.reading() as tx:
        user = users.get_login(tx, user_id, login.places(request))
    secret = second_factor.confirmed_secret(user)
    with audit.failures(request, "login", "user", user_id):
        linked, pair = _log_in(request, body, user, subject, secret)
    if linked:
        live_sessions.end(request, user_id)
        emails.send(request, user["email"], emails.linked())
    return Answer(pair, headers={"set-cookie": oauth.cookie("")})


def _log_in(
    request: Request, body: GoogleLogin, user: dict[str, Any], subject: str, secret: str | None
) -> tuple[bool, dict[str, Any]]:
    """Return whether the Google account was linked now, and the TokenPair."""
    attempt = _count_attempt(user) if secret else None
    user_id = user["id"]
    with db.transaction() as tx:
        # First of all, and undone if anything below fails: of several requests with one state only one may
        # log in.
        if not oauth_states.remove(tx, sha256(body.state)):
            raise expired("state")
        linked = identities.add(tx, "google", subject, user_id)
        if linked:
            audit.record(tx, request, "link", "user", user_id, provider="google")
            # Before this session starts: who got in with the password must not stay logged in.
            refresh_tokens.revoke_other_families(tx, user_id, None)
        # Rolls the link back if the second factor is missing: access to the mailbox alone links nothing.
        pair = login.finish(tx, request, body, user, secret=secret, attempt=attempt)
    return linked, pair


def _user_of(tx: db.Transaction, request: Request, person: oauth.Person) -> str:
    """Return the id of the user with this Google account. Raises Forbidden or Conflict.

    The address counts only if Google and we have both confirmed it: anyone can register somebody else's
    address and wait for its owner.
    """
    linked = identities.find_user(tx, "google", person.subject)
    if linked is not None:
        return linked
    if person.email is None or not person.email_verified:
        raise Forbidden(
            "Google hasn't confirmed this account's address: confirm it there, or log in with a password."
        )
    email = checked(EmailAddress, {"email": person.email}).email
    user = users.find(tx, email)
    if user is None:
        return _register(tx, request, email, person.subject, person.name)
    if user["verified_at"] is None:
        raise Conflict(
            "This address has an account that nobody has confirmed: "
            "reset its password by email, then log in with Google."
        )
    if not person.owns_mailbox:
        # Google confirmed the address once; only who runs the mailbox knows whose it is now.
        raise Conflict(
            "This address has an account, and its mailbox isn't Google's: "
            "log in with the password (POST /auth/password/forgot sets a new one)."
        )
    return str(user["id"])


def _register(tx: db.Transaction, request: Request, email: str, subject: str, name: str | None) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in name or "")
    full_name = " ".join(printable.split())[:200] or email.partition("@")[0]
    user_id = users.add(tx, email, None, full_name, None, None)
    members.add(tx, organisations.add(tx, full_name), user_id, "user", owner=True)
    users.save_verified(tx, user_id)
    identities.add(tx, "google", subject, user_id)
    audit.record(tx, request, "register", "user", user_id, provider="google")
    return user_id


def _count_attempt(user: dict[str, Any]) -> str:
    with db.transaction() as tx:
        return login_attempts.take(tx, user["email"], "known" if user["known"] else None)
