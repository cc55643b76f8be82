"""Show, change, export and erase the caller's own account, and show usage and billing."""

import time
import uuid
from typing import Any

from showrunner.access import limits, passwords, sessions
from showrunner.accounts import linked_accounts, live_sessions
from showrunner.accounts.reauthentication import credential_owner, require_password
from showrunner.accounts.schemas import (
    BillingResponse,
    ErasureResponse,
    PasswordConfirmation,
    ProfileChanges,
    ProfileResponse,
    UsageResponse,
)
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden, InvalidRequest
from showrunner.store.access import windows
from showrunner.store.accounts import connected_accounts, members, personal_data, users
from showrunner.store.ledger import billing, budgets
from showrunner.store.studio import assets, channels
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

# The text of an erasure receipt about the data that stay.
KEPT = (
    "Audit records: they name the id and the network (a /24 or /48) of the calls. What organisations have "
    "made, under their ids; those without members have lost their names. In organisations with other "
    "members, responses to repeated calls, which name the id, for up to seven days."
)


@routes.get("/api/v1/users/me", permission="account:all", answer=ProfileResponse)
def show_me(request: Request) -> Answer:
    """Show the caller's profile."""
    with db.reading() as tx:
        return Answer(f'{{"user":{users.get_profile(tx, request.caller.subject)}}}')


@routes.put("/api/v1/users/me", permission="account:all", answer=ProfileResponse, errors=(409,))
def change_me(request: Request, body: ProfileChanges) -> Answer:
    """Change the given fields. A new password needs the current one and ends every session."""
    password_hash = _new_password_hash(request, body)
    changes = body.model_dump(exclude_unset=True, exclude={"password", "current_password"})
    with db.transaction() as tx:
        profile = users.save_profile(tx, request.caller.subject, changes)
        if password_hash is not None:
            users.save_password(tx, request.caller.subject, password_hash)
        audit.record(
            tx, request, "change", "user", request.caller.subject, fields=sorted(body.model_fields_set)
        )
    if password_hash is not None:
        live_sessions.end(request, request.caller.subject)
    return Answer(f'{{"user":{profile}}}')


def _new_password_hash(request: Request, body: ProfileChanges) -> str | None:
    if body.password is None:
        return None
    credential_owner(request)
    if body.current_password is None:
        details = [{"field": "current_password", "message": "missing"}]
        raise InvalidRequest("The current password is missing.", details, code="MISSING_FIELD")
    passwords.require(body.password, body.full_name or "")
    require_password(request, body.current_password)
    return passwords.digest(body.password)


@routes.get("/api/v1/users/me/export", permission="account:all", answer={"type": "object"})
def export_me(request: Request) -> Answer:
    """Return everything that is stored about the caller, as JSON."""
    if request.caller.actor is not None:
        raise Forbidden("Nobody exports a person's data while acting as them.")
    with db.transaction() as tx:
        audit.record(tx, request, "export", "user", request.caller.subject)
        return Answer(personal_data.export(tx, request.caller.subject))


@routes.delete(
    "/api/v1/users/me", permission="account:all", limits=((60, 5),), answer=ErasureResponse, errors=(409,)
)
def erase_me(request: Request, body: PasswordConfirmation) -> Answer:
    """Erase the caller's account now. Audit records keep only its id. The receipt says what was done."""
    user_id = credential_owner(request)
    require_password(request, body.password)
    with db.transaction() as tx:
        if members.list_owned(tx, user_id):
            raise Conflict(
                "You own an organisation with other members: "
                "transfer it (POST /organisations/{id}/transfer) or delete it first."
            )
        connected = connected_accounts.list_(tx, user_id)
        left_empty = personal_data.erase(tx, user_id)
        in_use = connected_accounts.accounts_in_use(tx, [connection["account"] for connection in connected])
        sessions.end(tx, request.caller)
        audit.record(tx, request, "erase", "user", user_id, organisations_left_empty=left_empty)
    # After the commit: an erasure that fails must not disconnect accounts.
    for connection in connected:
        revoke = connection["account"] not in in_use
        linked_accounts.disconnect(request, connection["id"], connection["organisation_id"], revoke=revoke)
    live_sessions.end(request, user_id)
    receipt = {
        "id": str(uuid.uuid4()),
        "user_id": user_id,
        "erased_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "organisations_left_empty": left_empty,
        "kept": KEPT,
    }
    return Answer({"receipt": receipt})


@routes.get("/api/v1/users/me/usage", permission="account:all", answer=UsageResponse)
def show_usage(request: Request) -> dict[str, Any]:
    """Show what was used today and this month, and the limits."""
    with db.reading() as tx:
        limit = limits.of_organisation(tx, request.organisation_id)
        used = {
            "videos_today": (
                windows.used(tx, f"generate:{request.caller.holder}", limits.DAY),
                limit["videos_per_day"],
            ),
            "channels": (channels.count(tx, request.caller.holder), limit["channels"]),
        }
        count, size = assets.usage(tx, request.organisation_id)
        month = {**budgets.get_month(tx, request.organisation_id), "limit": str(limit["month_usd"])}
    used |= {"assets": (count, limit["assets"]), "asset_bytes": (size, limit["asset_bytes"])}
    counted = {name: {"used": spent, "limit": most} for name, (spent, most) in used.items()}
    return {"usage": {**counted, "month_usd": month}}


@routes.get("/api/v1/users/me/billing", permission="account:all", answer=BillingResponse)
def show_billing(request: Request) -> Answer:
    """Show what the organisation has used this month, its credits and its invoices."""
    with db.reading() as tx:
        return Answer(f'{{"billing":{billing.get(tx, request.organisation_id)}}}')
