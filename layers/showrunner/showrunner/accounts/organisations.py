"""Show and rename the caller's organisation, and manage its members and invitations."""

import secrets
from typing import Any

from showrunner.access.digests import sha256
from showrunner.accounts import emails, live_sessions
from showrunner.accounts.reauthentication import credential_owner, require_password
from showrunner.accounts.schemas import (
    EmailAddress,
    Invitation,
    MemberList,
    MessageResponse,
    OrganisationChanges,
    OrganisationResponse,
    OwnershipTransfer,
    RemovalConfirmation,
    RoleChange,
)
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden, NotFound
from showrunner.store.access import email_tokens
from showrunner.store.accounts import members, organisations
from showrunner.store.studio import videos
from showrunner.web import answers, audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import Page
from showrunner.web.routing import Request

routes = Routes()

INVITE_MINUTES = 7 * 24 * 60
CONFIRMATION_MINUTES = 10


@routes.get(
    "/api/v1/organisations/{organisation_id}", permission="organisation:read", answer=OrganisationResponse
)
def show_organisation(request: Request, organisation_id: str) -> dict[str, Any]:
    """Show the caller's organisation."""
    with db.reading() as tx:
        return {"organisation": organisations.get(tx, _own(request, organisation_id))}


def _own(request: Request, organisation_id: str) -> str:
    """Return the id in lower case. Raises NotFound for another organisation, so that ids don't leak."""
    if organisation_id.lower() != request.organisation_id:
        raise NotFound("There is no such organisation.")
    return request.organisation_id


@routes.put(
    "/api/v1/organisations/{organisation_id}", permission="organisation:write", answer=OrganisationResponse
)
def change_organisation(request: Request, organisation_id: str, body: OrganisationChanges) -> dict[str, Any]:
    """Rename the organisation."""
    with db.transaction() as tx:
        organisations.save(tx, _own(request, organisation_id), body.name)
        # Without the names: they may be a person's, and audit records outlive people.
        audit.record(tx, request, "change", "organisation", request.organisation_id, fields=["name"])
        return {"organisation": organisations.get(tx, request.organisation_id)}


@routes.get(
    "/api/v1/organisations/{organisation_id}/members", permission="organisation:read", answer=MemberList
)
def list_members(request: Request, organisation_id: str, query: Page) -> Answer:
    """List members and open invitations."""
    with db.reading() as tx:
        return answers.listed("members", members.list_(tx, _own(request, organisation_id), query.request()))


@routes.put(
    "/api/v1/organisations/{organisation_id}/members",
    permission="organisation:write",
    answer=MessageResponse,
    errors=(409,),
)
def change_role(request: Request, organisation_id: str, body: RoleChange) -> dict[str, str]:
    """Change a member's role, effective from their next request."""
    credential_owner(request)
    with db.transaction() as tx:
        user_id = members.save_role(tx, _own(request, organisation_id), body.email, body.role)
        audit.record(tx, request, "change_role", "member", user_id, role=body.role)
    return {"message": f"The member's role is {body.role} now."}


@routes.post(
    "/api/v1/organisations/{organisation_id}/transfer",
    permission="organisation:write",
    limits=((60, 5),),
    answer=MessageResponse,
    errors=(409,),
    verified=True,
)
def transfer_ownership(request: Request, organisation_id: str, body: OwnershipTransfer) -> dict[str, str]:
    """Make another member the owner. The caller becomes an admin of the organisation."""
    owner = credential_owner(request)
    _own(request, organisation_id)
    require_password(request, body.password)
    with db.transaction() as tx:
        user_id = members.transfer(tx, request.organisation_id, owner, body.email)
        audit.record(
            tx,
            request,
            "transfer",
            "organisation",
            request.organisation_id,
            owner={"before": owner, "after": user_id},
        )
    return {"message": "The organisation has a new owner."}


@routes.delete(
    "/api/v1/organisations/{organisation_id}", permission="organisation:write", status=204, errors=(409,)
)
def remove_organisation(request: Request, organisation_id: str, query: RemovalConfirmation) -> Answer:
    """Delete the organisation with everything that it made. Only its owner can.

    The first call answers 409 with a confirmation token; repeat it with the token. Everything is closed at
    once, and purged after 30 days; until then a platform admin can restore it.
    """
    owner = credential_owner(request)
    _own(request, organisation_id)
    if query.confirmation_token is None:
        raise _confirmation_required(request, owner)
    with db.transaction() as tx:
        _require_owner(tx, request, owner)
        if not organisations.confirm_removal(tx, request.organisation_id, sha256(query.confirmation_token)):
            raise Conflict("The confirmation is not valid or has expired: ask again without it.")
        videos.cancel_all(tx, request.organisation_id, None)
        organisations.remove(tx, request.organisation_id)
        audit.record(tx, request, "remove", "organisation", request.organisation_id)
    return Answer(status=204)


def _confirmation_required(request: Request, owner: str) -> Conflict:
    token = secrets.token_urlsafe(24)
    with db.transaction() as tx:
        _require_owner(tx, request, owner)
        organisations.ask_removal(tx, request.organisation_id, sha256(token), CONFIRMATION_MINUTES)
    message = (
        "This deletes the organisation with its channels, videos and files. "
        f"Repeat the call within {CONFIRMATION_MINUTES} minutes with ?confirmation_token=…"
    )
    return Conflict(message, details=[{"field": "confirmation_token", "message": token}])


def _require_owner(tx: db.Transaction, request: Request, user_id: str) -> None:
    if not members.is_owner(tx, request.organisation_id, user_id):
        raise Forbidden("Only the owner can delete the organisation.")


@routes.post(
    "/api/v1/organisations/{organisation_id}/members",
    permission="organisation:write",
    limits=((3600, 50),),
    answer=MessageResponse,
    status=202,
    idempotent=True,
    verified=True,
    errors=(409,),
)
def invite(request: Request, organisation_id: str, body: Invitation) -> Answer:
    """Invite a person by email. A second invitation replaces the first."""
    credential_owner(request)
    token = secrets.token_urlsafe(32)
    invited: list[str] = []

    def work(tx: db.Transaction) -> Answer:
        organisation = organisations.get(tx, _own(request, organisation_id))
        if members.is_member(tx, organisation["id"], body.email):
            raise Conflict("This person is a member already.")
        about = {"organisation_id": organisation["id"], "role": body.role}
        email_tokens.add(tx, sha256(token), "invite", body.email, INVITE_MINUTES, **about)
        audit.record(tx, request, "invite", "organisation", organisation["id"], role=body.role)
        invited.append(organisation["name"])
        return Answer({"message": "The invitation is on its way."}, 202)

    answer = idempotency.once(request, work)
    for organisation in invited:  # empty if an earlier call with the same key has sent it
        emails.send(request, body.email, emails.invite(token, organisation))
    return answer


@routes.delete("/api/v1/organisations/{organisation_id}/members", permission="organisation:write", status=204)
def withdraw(request: Request, organisation_id: str, body: EmailAddress) -> Answer:
    """Withdraw an invitation. The link in its email stops working."""
    credential_owner(request)
    with db.transaction() as tx:
        members.remove_invitation(tx, _own(request, organisation_id), body.email)
        audit.record(tx, request, "withdraw", "organisation", request.organisation_id)
    return Answer(status=204)


@routes.delete(
    "/api/v1/organisations/{organisation_id}/members/{user_id}",
    permission="organisation:write",
    status=204,
    errors=(409,),
)
def remove_member(request: Request, organisation_id: str, user_id: str) -> Answer:
    """Remove a member and end their sessions here.

    A person without another organisation gets one of their own.
    """
    credential_owner(request)
    with db.transaction() as tx:
        name = members.remove(tx, _own(request, organisation_id), user_id)
        if name is not None:
            members.add(tx, organisations.add(tx, name), user_id, "user", owner=True)
        audit.record(tx, request, "remove", "member", user_id)
    live_sessions.end(request, user_id.lower())
    return Answer(status=204)
