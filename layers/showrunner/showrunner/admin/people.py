"""Routes with which platform admins list, suspend and promote users, and change organisations."""

from typing import Any

from showrunner import quotas
from showrunner.access import limits, sessions, tokens
from showrunner.accounts import live_sessions
from showrunner.accounts.schemas import MessageResponse, OrganisationResponse
from showrunner.admin.schemas import (
    AdminUserList,
    AdminUserResponse,
    ClonedVoices,
    ContentOwnerMark,
    ImpersonationToken,
    LimitChanges,
    LimitsResponse,
    OwnProject,
    OwnProjectResponse,
    Suspension,
    UserFilter,
)
from showrunner.aws import change_marks, ssm
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden
from showrunner.store.accounts import cloned_voices, google_projects, members, organisations, users
from showrunner.store.rights import change_sets, content_owners
from showrunner.store.studio import videos
from showrunner.web import answers, audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/admin/users", permission="admin:all", answer=AdminUserList, open_in_maintenance=True)
def list_users(request: Request, query: UserFilter) -> Answer:
    """List all users, newest first. `email` matches any part of the address."""
    with db.transaction() as tx:
        audit.record(tx, request, "read", "user", "all", filtered=query.email is not None)
        return answers.listed("users", users.list_(tx, query.email, query.request()))


@routes.post(
    "/api/v1/admin/users/{user_id}/impersonate",
    permission="admin:all",
    answer=ImpersonationToken,
    errors=(409,),
    open_in_maintenance=True,
)
def impersonate(request: Request, user_id: str) -> dict[str, Any]:
    """Return a token to act as a user for half an hour.

    Every action with it is audited with both identities.
    """
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
    errors=(409,),
    open_in_maintenance=True,
)
def mark_content_owner(request: Request, organisation_id: str, body: ContentOwnerMark) -> dict[str, Any]:
    """Grant or remove the Content ID permissions of an organisation, effective from the next request.

    Changes that it sends to YouTube for a content owner that it has no more are stopped.
    """
    with db.transaction() as tx:
        organisations.save_content_owner(tx, organisation_id, content_owner=body.content_owner)
        if body.changes_need_approval is not None:
            organisations.save_need_of_approval(tx, organisation_id, required=body.changes_need_approval)
        if body.name is not None:
            content_owners.save(
                tx,
                organisation_id,
                body.name,
                body.other_names,
                body.youtube_id,
                uses_service_account=body.uses_service_account,
            )
        after = body.model_dump(exclude_defaults=True) | {"content_owner": body.content_owner}
        audit.record(tx, request, "content_owner", "organisation", organisation_id.lower(), after=after)
        for change_set_id in change_sets.stop_those_of_others(tx, organisation_id):
            audit.record(tx, request, "stop", "change_set", change_set_id)
            change_marks.stop(change_set_id)
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
        audit.record(
            tx, request, "voices", "organisation", organisation_id.lower(), after={"voices": body.voice_ids}
        )
        return {"organisation": organisations.get(tx, organisation_id)}


@routes.post(
    "/api/v1/admin/users/{user_id}/suspend",
    permission="admin:all",
    answer=AdminUserResponse,
    errors=(409,),
    open_in_maintenance=True,
)
def suspend_user(request: Request, user_id: str, body: Suspension) -> Answer:
    """Refuse a user everywhere from their next request on, and stop what their channels have in production.

    Nothing is deleted; stopped videos can be retried after a restore.
    """
    with db.transaction() as tx:
        _not_oneself(request, user_id)
        if users.get(tx, user_id)["platform_admin"]:
            raise Conflict("This is a platform admin: demote them first.")
        users.save_suspension(tx, user_id, body.reason)
        stopped = videos.cancel_all(tx, None, user_id.lower())
        audit.record(
            tx, request, "suspend", "user", user_id.lower(), reason=body.reason, videos_stopped=stopped
        )
        user = users.get(tx, user_id)["user"]
    live_sessions.end(request, user_id.lower())
    return Answer(f'{{"user":{user}}}')


@routes.post(
    "/api/v1/admin/users/{user_id}/restore",
    permission="admin:all",
    answer=AdminUserResponse,
    open_in_maintenance=True,
)
def restore_user(request: Request, user_id: str) -> Answer:
    """End a user's suspension."""
    with db.transaction() as tx:
        users.save_suspension(tx, user_id, None)
        audit.record(tx, request, "restore", "user", user_id.lower())
        return Answer(f'{{"user":{users.get(tx, user_id)["user"]}}}')


@routes.post(
    "/api/v1/admin/users/{user_id}/promote",
    permission="admin:all",
    answer=AdminUserResponse,
    errors=(409,),
    open_in_maintenance=True,
)
def promote_user(request: Request, user_id: str) -> Answer:
    """Make a user a platform admin from their next login on."""
    with db.transaction() as tx:
        if not users.get(tx, user_id)["verified"]:
            raise Conflict("Only somebody who has confirmed their email address can become a platform admin.")
        promoted = users.save_platform_admin(tx, user_id)
        audit.record(tx, request, "promote", "user", user_id.lower(), before={"platform_admin": not promoted})
        return Answer(f'{{"user":{users.get(tx, user_id)["user"]}}}')


@routes.post(
    "/api/v1/admin/users/{user_id}/demote",
    permission="admin:all",
    answer=AdminUserResponse,
    errors=(409,),
    open_in_maintenance=True,
)
def demote_user(request: Request, user_id: str) -> Answer:
    """Take the rights of a platform admin away, effective from their next request.

    The last admin can't be demoted.
    """
    with db.transaction() as tx:
        users.get(tx, user_id)
        demoted = users.remove_platform_admin(tx, user_id.lower())
        audit.record(tx, request, "demote", "user", user_id.lower(), before={"platform_admin": demoted})
        return Answer(f'{{"user":{users.get(tx, user_id)["user"]}}}')


def _not_oneself(request: Request, user_id: str) -> None:
    if user_id.lower() == request.caller.subject:
        raise Conflict("Nobody suspends themselves.")


@routes.post(
    "/api/v1/admin/organisations/{organisation_id}/suspend",
    permission="admin:all",
    answer=MessageResponse,
    open_in_maintenance=True,
)
def suspend_organisation(request: Request, organisation_id: str, body: Suspension) -> dict[str, str]:
    """Refuse an organisation's people and programs from their next request on, and stop its productions."""
    with db.transaction() as tx:
        organisations.save_suspension(tx, organisation_id, body.reason)
        stopped = videos.cancel_all(tx, organisation_id, None)
        audit.record(
            tx,
            request,
            "suspend",
            "organisation",
            organisation_id.lower(),
            reason=body.reason,
            videos_stopped=stopped,
        )
    return {"message": f"The organisation is suspended; {stopped} videos were stopped."}


@routes.post(
    "/api/v1/admin/organisations/{organisation_id}/restore",
    permission="admin:all",
    answer=MessageResponse,
    open_in_maintenance=True,
)
def restore_organisation(request: Request, organisation_id: str) -> dict[str, str]:
    """End an organisation's suspension, or bring a deleted one back within its 30 days.

    Keys must be created again then.
    """
    with db.transaction() as tx:
        organisations.save_suspension(tx, organisation_id, None)
        audit.record(tx, request, "restore", "organisation", organisation_id.lower())
    return {"message": "The organisation is restored."}


@routes.put(
    "/api/v1/admin/organisations/{organisation_id}/google-project",
    permission="admin:all",
    answer=OwnProjectResponse,
    errors=(409,),
    open_in_maintenance=True,
)
def save_google_project(request: Request, organisation_id: str, body: OwnProject) -> OwnProjectResponse:
    """Let an organisation work with a Google project of its own: accounts are connected through its client.

    First store its client with `make keys STAGE=… ORGANISATION=…`. Accounts that are connected already
    stay with the stage's project until they are connected again. Quotas of projects are never pooled.
    """
    id_ = organisation_id.lower()
    names = [f"organisations/{id_}/google/{name}" for name in ("client_id", "client_secret")]
    with db.reading() as tx:
        organisations.get(tx, id_)
    stored = ssm.stored()
    missing = [name for name in names if name not in stored]
    if missing:
        raise Conflict(
            f"These secrets are not in SSM: {', '.join(missing)}. "
            f"Store them with make keys STAGE=… ORGANISATION={id_}."
        )
    with db.transaction() as tx:
        google_projects.save(tx, id_, body.units_a_day, body.inserts_a_day)
        audit.record(tx, request, "google_project", "organisation", id_, after=body.model_dump())
    project = quotas.own_project(id_, body.units_a_day, body.inserts_a_day)
    return OwnProjectResponse(project=project.name, units_a_day=project.units, inserts_a_day=project.inserts)


@routes.delete(
    "/api/v1/admin/organisations/{organisation_id}/google-project",
    permission="admin:all",
    status=204,
    errors=(409,),
    open_in_maintenance=True,
)
def remove_google_project(request: Request, organisation_id: str) -> Answer:
    """Let an organisation work with the stage's project again. Its accounts must be disconnected before."""
    id_ = organisation_id.lower()
    with db.transaction() as tx:
        organisations.get(tx, id_)
        if google_projects.count_connections(tx, id_):
            raise Conflict(
                "Accounts are connected through this project: disconnect them first "
                "(DELETE /auth/connections/{id}), since their tokens are valid for its client only."
            )
        google_projects.remove(tx, id_)
        audit.record(tx, request, "remove_google_project", "organisation", id_)
    return Answer(status=204)


@routes.put(
    "/api/v1/admin/organisations/{organisation_id}/limits",
    permission="admin:all",
    answer=LimitsResponse,
    open_in_maintenance=True,
)
def save_limits(request: Request, organisation_id: str, body: LimitChanges) -> dict[str, Any]:
    """Set the limits that differ from the plan's. Omitted ones are the plan's."""
    overrides = body.model_dump(exclude_none=True)
    with db.transaction() as tx:
        before = organisations.get_limits(tx, organisation_id)
        organisations.save_limits(tx, organisation_id, overrides)
        audit.record(
            tx, request, "limits", "organisation", organisation_id.lower(), before=before, after=overrides
        )
    return {"limits": limits.of_plan(overrides)}
