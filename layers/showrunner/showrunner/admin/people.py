"""What platform admins do with users and organisations."""

from typing import Any

from showrunner.access import sessions, tokens
from showrunner.accounts.schemas import OrganisationResponse
from showrunner.admin.schemas import AdminUserList, ClonedVoices, ContentOwnerMark, ImpersonationToken, UserFilter
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden
from showrunner.store.accounts import cloned_voices, members, organisations, users
from showrunner.web import answers, audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/admin/users", permission="admin:all", answer=AdminUserList, open_in_maintenance=True)
def list_users(request: Request, query: UserFilter) -> Answer:
    """List all users, newest first. `email` matches any part of the address."""
    with db.reading() as tx:
        return answers.listed("users", users.list_(tx, query.email, query.request()))


@routes.post(
    "/api/v1/admin/users/{user_id}/impersonate",
    permission="admin:all",
    answer=ImpersonationToken,
    errors=(409,),
    open_in_maintenance=True,
)
def impersonate(request: Request, user_id: str) -> dict[str, Any]:
    """Return a token to act as a user for half an hour. Every action with it is audited with both identities."""
    caller = request.caller
    if caller.actor is not None:
        raise Forbidden("Nobody acts as somebody while acting as somebody else.")
    with db.transaction() as tx:
        member = members.get(tx, user_id)
        if member["platform_admin"]:
            raise Conflict("Nobody acts as an admin.")
        audit.record(tx, request, "impersonate", "user", member["user_id"])
    user = {
        "id": member["user_id"],
        "role": member["role"],
        **{name: member[name] for name in ("email", "full_name", "organisation_id")},
    }
    return {
        "access_token": sessions.access_token(member, actor=caller.subject, family=caller.family),
        "token_type": "Bearer",
        "expires_in": tokens.IMPERSONATION_SECONDS,
        "user": user,
    }


@routes.post(
    "/api/v1/admin/organisations/{organisation_id}/content-owner",
    permission="admin:all",
    answer=OrganisationResponse,
    open_in_maintenance=True,
)
def mark_content_owner(request: Request, organisation_id: str, body: ContentOwnerMark) -> dict[str, Any]:
    """Grant or remove the Content ID permissions of an organisation, effective from the next request."""
    with db.transaction() as tx:
        organisations.save_content_owner(tx, organisation_id, content_owner=body.content_owner)
        after = {"content_owner": body.content_owner}
        audit.record(tx, request, "content_owner", "organisation", organisation_id.lower(), after=after)
        return {"organisation": organisations.get(tx, organisation_id)}


@routes.put(
    "/api/v1/admin/organisations/{organisation_id}/voices",
    permission="admin:all",
    answer=OrganisationResponse,
    errors=(409,),
    open_in_maintenance=True,
)
def save_voices(request: Request, organisation_id: str, body: ClonedVoices) -> dict[str, Any]:
    """Set which cloned voices belong to an organisation. Only its channels may speak with them."""
    with db.transaction() as tx:
        organisations.get(tx, organisation_id)
        cloned_voices.save(tx, organisation_id, sorted(set(body.voice_ids)))
        audit.record(tx, request, "voices", "organisation", organisation_id.lower(), after={"voices": body.voice_ids})
        return {"organisation": organisations.get(tx, organisation_id)}
