"""Register people and confirm their email addresses."""

import secrets

from showrunner.access import limits, passwords, roles
from showrunner.access.digests import sha256
from showrunner.accounts import emails
from showrunner.accounts.one_time_tokens import expired
from showrunner.accounts.schemas import EmailToken, MessageResponse, RegisteredUser, Registration
from showrunner.database import db
from showrunner.store.access import email_tokens
from showrunner.store.accounts import members, organisations, second_factors, users
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

VERIFY_MINUTES = 24 * 60
# Five registrations an hour.
PER_ADDRESS = ((3600, 5),)


@routes.post(
    "/api/v1/auth/register",
    permission=roles.PUBLIC,
    answer=RegisteredUser,
    status=201,
    errors=(409,),
)
def register(request: Request, body: Registration) -> Answer:
    """Create an account. An email asks to confirm the address.

    With `invitation` the person joins the organisation that invited them; without, they get an organisation
    of their own.
    """
    passwords.require(body.password, body.email, body.full_name, body.username or "")
    # Counted only now: a request that is not valid must not use up the few that an address has.
    with db.transaction() as tx:
        limits.spend(tx, limits.windows(f"register:{request.place}", PER_ADDRESS)[0])
    password_hash = passwords.digest(body.password)
    token = secrets.token_urlsafe(32)
    with db.transaction() as tx:
        user_id = users.add(tx, body.email, password_hash, body.full_name, body.company, body.username)
        organisation_id, role, invited = _organisation(tx, body)
        members.add(tx, organisation_id, user_id, role, owner=not invited)
        if invited:
            users.save_verified(tx, user_id)  # the invitation was sent to this address
        else:
            email_tokens.add(tx, sha256(token), "verify", body.email, VERIFY_MINUTES, user_id=user_id)
        audit.record(tx, request, "register", "user", user_id)
    if not invited:
        emails.send(request, body.email, emails.verify(token))
    return Answer({"user_id": user_id, "email": body.email, "verification_required": not invited}, 201)


def _organisation(tx: db.Transaction, body: Registration) -> tuple[str, str, bool]:
    """Return the organisation's id, the person's role in it, and whether they were invited."""
    if body.invitation is None:
        return organisations.add(tx, body.company or body.full_name), "user", False
    invitation = email_tokens.take(tx, sha256(body.invitation), ["invite"])
    if invitation is None or invitation["email"] != body.email:
        raise expired("invitation")
    return invitation["organisation_id"], invitation["role"], True


@routes.post("/api/v1/auth/verify", permission=roles.PUBLIC, limits=((60, 20),), answer=MessageResponse)
def verify(request: Request, body: EmailToken) -> dict[str, str]:
    """Confirm an email address with the token of its email, or accept an invitation.

    An invitation is accepted here by a person who has an account; others register with it.
    """
    with db.transaction() as tx:
        token = email_tokens.take(tx, sha256(body.token), ["verify", "invite"])
        user = users.find(tx, token["email"]) if token else None
        if token is None or user is None:
            raise expired("token")
        users.save_verified(tx, user["id"])
        if token["kind"] == "invite":
            if user["verified_at"] is None:
                remove_unconfirmed_credentials(tx, user["id"])
            members.add(tx, token["organisation_id"], user["id"], token["role"])
        audit.record(tx, request, token["kind"], "user", user["id"])
    return {"message": "Thank you."}


def remove_unconfirmed_credentials(tx: db.Transaction, user_id: str) -> None:
    """Remove password and second factor of an unconfirmed address: anyone may have registered it."""
    users.save_password(tx, user_id, None)
    second_factors.save(tx, user_id, None, confirmed=False, codes=[])
