"""Make the first platform admin of a new stage, which no API call can do."""

import secrets
from typing import Any

from showrunner.access import email_addresses
from showrunner.access.digests import sha256
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.store.access import api_keys, email_tokens
from showrunner.store.accounts import members, organisations, users
from showrunner.store.audit import audit_log

# As long as the link of an email that resets a password.
PASSWORD_MINUTES = 60


def make_admin(tx: db.Transaction, command: dict[str, Any]) -> dict[str, Any]:
    """Make the person with this email address a platform admin. Running it again changes nothing.

    command: email, organisation (name of a new organisation, for a person who belongs to none), by (the
    caller's ARN, for the audit log). Returns user_id and organisation_id, and two secrets that are shown only
    now: `password_token` for POST /api/v1/auth/password/reset if the person has no password yet, and
    `ingestion_key` if the organisation had none. Raises InvalidRequest.
    """
    by = str(command.get("by") or "")
    try:
        email = email_addresses.stored(str(command.get("email") or "").strip())
    except ValueError as error:
        raise InvalidRequest(f"The email of the new admin {error}.") from error
    if not by:
        raise InvalidRequest("The command needs by: who runs it, for the audit log.")
    user_id, password_token = _user(tx, email)
    organisation_id = _organisation(
        tx, user_id, str(command.get("organisation") or "").strip() or email.partition("@")[2]
    )
    promoted = users.save_platform_admin(tx, user_id)
    ingestion_key = (
        None
        if api_keys.has_ingestion_key(tx, organisation_id)
        else _ingestion_key(tx, user_id, organisation_id)
    )
    change = {
        "platform_admin": {"before": not promoted, "after": True},
        "by": by,
        "ingestion_key": ingestion_key is not None,
    }
    who = {
        "organisation_id": organisation_id,
        "subject": "operator",
        "actor": None,
        "request_id": "make admin",
        "address": None,
    }
    audit_log.add(tx, who, "make_admin", "user", user_id, change)
    return {
        "user_id": user_id,
        "organisation_id": organisation_id,
        "password_token": password_token,
        "ingestion_key": ingestion_key,
    }


def _user(tx: db.Transaction, email: str) -> tuple[str, str | None]:
    """Return the id of the person, who is added if new, and a token that sets a first password, if needed.

    The address counts as confirmed, because the operator named it.
    """
    found = users.find_login(tx, email, [])
    user_id = found["id"] if found else users.add(tx, email, None, email.partition("@")[0], None, None)
    users.save_verified(tx, user_id)
    if found and found["password_hash"]:
        return user_id, None
    token = secrets.token_urlsafe(32)
    email_tokens.add(tx, sha256(token), "reset", email, PASSWORD_MINUTES, user_id=user_id)
    return user_id, token


def _organisation(tx: db.Transaction, user_id: str, name: str) -> str:
    found = members.find_organisation(tx, user_id)
    if found is None:
        found = organisations.add(tx, name)
        members.add(tx, found, user_id, "user", owner=True)
    return found


def _ingestion_key(tx: db.Transaction, user_id: str, organisation_id: str) -> str:
    text = f"sr_{secrets.token_urlsafe(32)}"
    row = {
        "created_by": user_id,
        "name": "first",
        "prefix": text[:10],
        "key_sha256": sha256(text),
        "scopes": ["ingestion"],
        "expires_at": None,
    }
    api_keys.add(tx, organisation_id, row)
    return text
