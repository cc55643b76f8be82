"""List and disconnect accounts at Google (to log in with) and YouTube (on which the organisation acts)."""

import json
from typing import Any

from showrunner import config
from showrunner.access import roles
from showrunner.accounts.reauthentication import credential_owner
from showrunner.accounts.schemas import LinkedAccountList
from showrunner.database import db
from showrunner.database.pages import PageResult
from showrunner.errors import Conflict, Forbidden, NotFound, ServiceUnavailable, ShowrunnerError
from showrunner.store.accounts import connected_accounts, linked_accounts, users
from showrunner.web import answers, audit, log
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import Page
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/auth/connections", permission="account:all", answer=LinkedAccountList)
def list_connections(request: Request, query: Page) -> Answer:
    """List the caller's accounts to log in with, and the accounts that the organisation may act on.

    `state` is `disconnected` when the account's owner withdrew the permission: connect it again.
    """
    user_id = None if request.caller.is_service else request.caller.subject
    with db.reading() as tx:
        found = linked_accounts.list_(tx, user_id, request.organisation_id, query.request())
    rows = [_with_state(row) for row in json.loads(found.rows)]
    return answers.listed("connections", PageResult(json.dumps(rows), found.pagination))


def _with_state(row: dict[str, Any]) -> dict[str, Any]:
    from showrunner.accounts import connections

    connected = row["provider"] == "google" or connections.exists(row["id"])
    return row | {"state": "connected" if connected else "disconnected"}


@routes.delete(
    "/api/v1/auth/connections/{connection_id}",
    permission="account:all",
    limits=((60, 20),),
    status=204,
    errors=(409,),
)
def remove_connection(request: Request, connection_id: str) -> Answer:
    """Disconnect an account: it logs nobody in any more, or the organisation can't act on it any more.

    An organisation's account needs the permission channels:write. Our permission is withdrawn at Google too,
    unless the same Google account is still connected elsewhere.
    """
    owner, id_ = credential_owner(request), connection_id.lower()
    with db.transaction() as tx:
        found = linked_accounts.find(tx, owner, request.organisation_id, id_)
        if found is None:
            raise NotFound("There is no such connection.")
        if found["provider"] == "google":
            _remove_login(tx, owner)
        elif not roles.allows(request.caller.permissions, "channels:write"):
            raise Forbidden("Disconnecting an account of the organisation needs channels:write.")
        else:
            linked_accounts.remove_connection(tx, request.organisation_id, id_)
        audit.record(tx, request, "disconnect", "connection", id_, provider=found["provider"])
        in_use = connected_accounts.accounts_in_use(tx, [found["account"]])
    if found["provider"] != "google":
        disconnect(request, id_, request.organisation_id, revoke=not in_use)
    return Answer(status=204)


def _remove_login(tx: db.Transaction, user_id: str) -> None:
    """Remove the login with Google. Raises Conflict if the person has no other way to log in."""
    if users.get_login(tx, user_id, [])["password_hash"] is None:
        raise Conflict("You have no password: set one with POST /auth/password/forgot, or you can't log in.")
    linked_accounts.remove_login(tx, user_id, "google")


def disconnect(request: Request, connection_id: str, organisation_id: str, *, revoke: bool) -> None:
    """Remove a connection's tokens, and revoke them at Google. Failures are logged.

    revoke: False if the same Google account is connected elsewhere, because Google ends all tokens of an
    account with one.
    """
    from showrunner import breakers
    from showrunner.accounts import connections, youtube_access
    from showrunner.aws import rpc
    from showrunner.platforms.google import Google

    try:
        token = connections.find(connection_id, organisation_id)
        if token is not None and revoke:
            with breakers.guard("google", "revoke"):
                Google(config.setting("GOOGLE_URL")).revoke(token)
    except ShowrunnerError as error:
        log.warn(request, "not revoked", connection_id=connection_id, reason=error.message)
    try:
        connections.remove(connection_id)
        youtube_access.forget(connection_id)
    except (ServiceUnavailable, rpc.AwsError) as error:
        message = "the sealed token is left: remove it from the state table"
        log.warn(request, message, connection_id=connection_id, reason=error.message)
