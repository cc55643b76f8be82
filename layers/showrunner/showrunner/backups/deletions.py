"""Repeat in a restored database what was deleted on request since its backup or snapshot."""

from collections.abc import Callable
from typing import Any

from showrunner.database import db, owner
from showrunner.errors import Conflict, NotFound
from showrunner.store import backups
from showrunner.store.access import api_keys
from showrunner.store.accounts import members, organisations, personal_data
from showrunner.store.studio import assets, channels, videos


def repeat(tx: db.Session, deletions: list[dict[str, Any]]) -> None:
    """Repeat deletions, as `backups.list_deletions` returns them. What the database never had is no error."""
    for deletion in deletions:
        _delete(tx, deletion)


def list_since(moment: str) -> dict[str, Any]:
    """Return the deletions since a time, of the stage's database: the migrate function's answer."""
    with owner.session() as tx:
        return {"deletions": backups.list_deletions(tx, moment)}


def repeat_in_stage(deletions: list[dict[str, Any]]) -> dict[str, Any]:
    """Repeat deletions in the stage's database, which is from a snapshot. Returns the answer."""
    with owner.session() as tx:
        repeat(tx, deletions)
    return {"deleted": len(deletions)}


def repeat_since(copy: db.Session, live: db.Session, moment: str) -> int:
    """Repeat in a copy what was deleted in the stage's database since a time. Returns how many deletions."""
    found = backups.list_deletions(live, moment)
    repeat(copy, found)
    return len(found)


def _delete(tx: db.Session, deletion: dict[str, Any]) -> None:
    thing_id, organisation_id = deletion["thing_id"], deletion["organisation_id"]
    within: dict[str, Callable[..., Any]] = {
        "channel": channels.remove,
        "video": videos.remove,
        "asset": assets.remove,
        "member": members.remove,
        "api_key": api_keys.remove,
    }
    with owner.transaction(tx):
        tx.command("SAVEPOINT deletion")
        try:
            if deletion["thing"] == "user":
                personal_data.erase(tx, thing_id)
            elif deletion["thing"] == "organisation":
                organisations.remove(tx, thing_id)
            else:
                within[deletion["thing"]](tx, organisation_id, thing_id)
        except (NotFound, Conflict):
            tx.command("ROLLBACK TO deletion")
