"""Show the secrets of the stage, never their values, and replace them."""

import re
import time
from datetime import UTC, datetime
from typing import Any

from showrunner.admin.schemas import KeyList, NewKey, RotationStarted
from showrunner.aws import secret_uses, ssm
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound
from showrunner.keys import ages, executions, readers, state
from showrunner.keys.inventory import (
    APPSYNC,
    BY_NAME,
    GOOGLE_TOKENS,
    HUB_SECRETS,
    INGESTION_KEYS,
    INSTAGRAM_TOKENS,
    ORGANISATION_CLIENTS,
    SECRETS,
    TIKTOK_TOKENS,
    Secret,
    is_configured,
)
from showrunner.keys.signing import PUBLISHED_SECONDS
from showrunner.store.access import api_keys
from showrunner.store.accounts import connected_accounts
from showrunner.store.feed import subscriptions
from showrunner.store.metrics import accounts
from showrunner.web import audit
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()
DAY_SECONDS = 86_400
ROUTE = {
    "permission": "admin:all",
    "answer": RotationStarted,
    "errors": (404, 409),
    "status": 202,
    "open_in_maintenance": True,
}


@routes.get("/api/v1/admin/keys", permission="admin:all", answer=KeyList, open_in_maintenance=True)
def list_keys(request: Request) -> dict[str, Any]:
    """List the secrets of the stage with version, age, reads and newest rotation. Values are never returned.

    A read is known to the hour, by reader and version.
    """
    stored, uses = ssm.stored(), secret_uses.list_()
    return {"keys": [_shown(secret, stored, uses) for secret in SECRETS], "many": _many(stored)}


@routes.post("/api/v1/admin/keys/{service}/{name}/rotate", **ROUTE)
def rotate_key(request: Request, service: str, name: str, body: NewKey) -> dict[str, Any]:
    """Replace a secret: the new one is tested before anything reads it, and the old one stays for a rollback.

    A key that a person has to bring comes as `value`. It is stored under a name that no reader uses and
    tested with a harmless call; if that fails, the old key stays in use. `GET /admin/keys` shows the result.
    """
    secret = _secret(service, name)
    if secret.rotation in ("manual", "derived"):
        raise Conflict(
            f"{secret.title} is not replaced here: docs/runbooks/KeysOverdue.md says how.",
            code="NOT_ROTATED_HERE",
        )
    if secret.name == APPSYNC:
        _require_appsync()
    if (body.value is None) != (secret.rotation == "automatic"):
        needs = "makes its own new value: send no `value`" if body.value else "needs the new key as `value`"
        raise InvalidRequest(f"{secret.title} {needs}.", [{"field": "value", "message": needs}])
    if body.value is not None:
        ssm.check_value(body.value)
    rotation_id = state.begin(secret, "rotate")
    return _start(request, secret, "rotate", rotation_id, body.value)


@routes.post("/api/v1/admin/keys/{service}/{name}/rollback", **ROUTE)
def roll_back_key(request: Request, service: str, name: str) -> dict[str, Any]:
    """Return to the version before, after the same test. 409 if there is none."""
    secret = _with_previous(service, name)
    return _start(request, secret, "rollback", state.begin(secret, "rollback"))


@routes.post("/api/v1/admin/keys/{service}/{name}/revoke", **ROUTE)
def revoke_key(request: Request, service: str, name: str) -> dict[str, Any]:
    """End the version before at once, for example because it leaked. 409 if there is none.

    If the current version leaked, rotate it first. Tokens that a revoked signing key has signed are refused
    from then on. A service's own key must be deleted at the service, too. Six minutes later no cache has the
    version any more, and `GET /admin/keys` and the audit log name the functions that were refused with it.
    """
    secret = _with_previous(service, name)
    return _start(request, secret, "revoke", state.begin(secret, "revoke"))


def _secret(service: str, name: str) -> Secret:
    try:
        return BY_NAME[f"{service}/{name}"]
    except KeyError as error:
        raise NotFound("There is no such secret: GET /api/v1/admin/keys lists them.") from error


def _require_appsync() -> None:
    """Raise Conflict without an AppSync API, or while caches may hold a key that a rotation would delete."""
    if not is_configured(APPSYNC):
        raise Conflict(
            "This stage has no AppSync API: set the parameter AppSyncApiId.", code="NOT_CONFIGURED"
        )
    before = ssm.stored().get(state.previous(APPSYNC))
    if before and time.time() - before.written_at < PUBLISHED_SECONDS:
        raise Conflict(
            "The key before this one may still be in use, and a rotation would delete it: try again in "
            f"{PUBLISHED_SECONDS // 60} minutes.",
            code="ROTATED_JUST_NOW",
        )


def _with_previous(service: str, name: str) -> Secret:
    secret = _secret(service, name)
    if state.previous(secret.name) not in ssm.stored():
        raise Conflict(f"{secret.title} has no version before this one.", code="NO_PREVIOUS_VERSION")
    return secret


def _start(
    request: Request, secret: Secret, kind: state.Kind, rotation_id: str, candidate: str | None = None
) -> dict[str, Any]:
    """Start a claimed rotation. One that can't be started is over at once: nobody has to wait for its end."""
    caller = request.caller
    try:
        if candidate is not None:
            ssm.write(state.candidate(secret.name), candidate)
        with db.transaction() as tx:
            audit.record(tx, request, f"key_{kind}_requested", "secret", secret.name, rotation_id=rotation_id)
    except Exception:
        state.settle(secret.name, "failed", executions.NOT_STARTED)
        raise
    executions.start(secret.name, kind, rotation_id, caller.subject, caller.organisation_id)
    return {"rotation_id": rotation_id, "name": secret.name, "kind": kind}


def _shown(secret: Secret, stored: dict[str, ssm.Stored], uses: list[secret_uses.Use]) -> dict[str, Any]:
    there, before = stored.get(secret.name), stored.get(state.previous(secret.name))
    newest = state.find(secret.name)
    mine = [use for use in uses if use.secret == secret.name]
    last = max(mine, key=_read_at, default=None)
    return {
        "name": secret.name,
        "title": secret.title,
        "rotation": secret.rotation,
        "readers": list(secret.readers),
        "required": not secret.without,
        "configured": is_configured(secret.name),
        "source": secret.source or None,
        "version": there.version if there else None,
        "written_at": _time(there.written_at) if there else None,
        "age_days": ages.age_days(there) if there else None,
        "max_age_days": secret.max_age_days,
        "next_rotation_at": _time(there.written_at + secret.max_age_days * DAY_SECONDS) if there else None,
        "overdue": ages.is_overdue(secret, there),
        "has_previous": before is not None,
        "previous_ends_at": _time(before.written_at + secret.overlap_hours * 3600) if before else None,
        "previous_used_by": readers.behind(mine, secret.name, there.version) if before and there else [],
        "last_read_at": _time(_read_at(last)) if last and last.read else None,
        "last_read_by": last.reader if last and last.read else None,
        "reads": [_read(use) for use in mine if use.read],
        "newest_rotation": {
            "rotation_id": newest["rotation_id"],
            "kind": newest["kind"],
            "progress": newest["progress"],
            "begun_at": _time(newest["begun_at"]),
            "finished_at": _time(newest["finished_at"]) if "finished_at" in newest else None,
            "error": newest.get("error"),
            "refused_readers": newest["refused"].split(", ") if newest.get("refused") else [],
        }
        if newest
        else None,
    }


def _organisation_clients(stored: dict[str, ssm.Stored]) -> dict[str, Any]:
    """Return count and oldest_at of the clients of organisations, and how many are overdue."""
    name = re.compile(r"organisations/[^/]+/google/client_secret")
    written = [each.written_at for key, each in stored.items() if name.fullmatch(key)]
    last = time.time() - (ORGANISATION_CLIENTS.max_age_days or 0) * DAY_SECONDS
    oldest = datetime.fromtimestamp(min(written), UTC) if written else None
    return {"count": len(written), "oldest_at": oldest, "overdue": sum(at < last for at in written)}


def _many(stored: dict[str, ssm.Stored]) -> list[dict[str, Any]]:
    with db.reading() as tx:
        found = (
            (INGESTION_KEYS, api_keys.ingestion_ages(tx, INGESTION_KEYS.max_age_days or 0, 0)),
            (HUB_SECRETS, subscriptions.secret_ages(tx, HUB_SECRETS.max_age_days or 0)),
            (GOOGLE_TOKENS, connected_accounts.ages(tx)),
            (TIKTOK_TOKENS, accounts.connection_ages(tx, "tiktok")),
            (INSTAGRAM_TOKENS, accounts.connection_ages(tx, "instagram")),
            (ORGANISATION_CLIENTS, _organisation_clients(stored)),
        )
    return [
        {
            **many._asdict(),
            "count": ages_["count"],
            "oldest_at": ages_["oldest_at"].isoformat() if ages_["oldest_at"] else None,
            "overdue": ages_.get("overdue", 0),
        }
        for many, ages_ in found
    ]


def _read_at(use: secret_uses.Use) -> int:
    return max(use.read.values(), default=0)


def _read(use: secret_uses.Use) -> dict[str, Any]:
    refused_at = max(use.refused.values(), default=None)
    return {
        "reader": use.reader,
        "version": use.version,
        "read_at": _time(_read_at(use)),
        "refused_at": _time(refused_at) if refused_at else None,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
