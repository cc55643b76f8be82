"""Choose who asks YouTube for a content owner: the stage's service account, or a person's account."""

from typing import Any

from showrunner.database import db
from showrunner.models import SERVICE_ACCOUNT_CONNECTION
from showrunner.rights import claim_rules
from showrunner.store.accounts import connected_accounts

# Without it YouTube gives no reports with money. Importing Google's module here would cost a cold start.
MONETARY = "https://www.googleapis.com/auth/yt-analytics-monetary.readonly"
NONE = (
    "Nobody may act for your content owner at YouTube: connect an account that may, with GET "
    "/api/v1/auth/oauth/youtube/start, and allow to manage assets; or invite the stage's service account in "
    "Studio, and a platform admin says so here (docs/content-owners.md)."
)


def find(tx: db.Transaction, organisation_id: str, owner: dict[str, Any], *scopes: str) -> str | None:
    """Return the connection with which YouTube is asked for a content owner; None if nobody may.

    `owner`: a content owner with uses_service_account. `scopes`: permissions of Google's, the best first, of
    which a person's account needs one.
    """
    if owner["uses_service_account"]:
        return SERVICE_ACCOUNT_CONNECTION
    found = (connected_accounts.find_with_scope(tx, organisation_id, scope) for scope in scopes)
    return next((each for each in found if each is not None), None)


def find_for_claims(tx: db.Transaction, organisation_id: str, owner: dict[str, Any]) -> str | None:
    """Return the connection for claims, policies and assets; None if nobody may."""
    return find(tx, organisation_id, owner, claim_rules.SCOPE)


def find_for_reports(tx: db.Transaction, organisation_id: str, owner: dict[str, Any]) -> str | None:
    """Return the connection for reports, better one that may read those with money; None if nobody may."""
    return find(tx, organisation_id, owner, MONETARY, claim_rules.SCOPE)
