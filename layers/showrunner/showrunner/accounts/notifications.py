"""Let people choose which emails they get, and unsubscribe by a link without logging in."""

from showrunner.access import roles
from showrunner.accounts.one_time_tokens import expired
from showrunner.accounts.schemas import (
    MessageResponse,
    NotificationChanges,
    NotificationsResponse,
    Unsubscription,
)
from showrunner.database import db
from showrunner.store.accounts import notifications
from showrunner.web import audit
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

# Emails about an account itself (confirmation, password, login) are always sent.
KINDS = ("low_backlog",)
PATH = "/api/v1/users/me/notifications"


@routes.get(PATH, permission="account:all", answer=NotificationsResponse)
def show_notifications(request: Request) -> dict[str, dict[str, bool]]:
    """Show which emails the caller gets."""
    with db.reading() as tx:
        return _shown(notifications.list_muted(tx, request.caller.subject))


@routes.put(PATH, permission="account:all", answer=NotificationsResponse)
def change_notifications(request: Request, body: NotificationChanges) -> dict[str, dict[str, bool]]:
    """Choose which emails the caller gets. Omitted fields keep their value."""
    wanted = body.model_dump(exclude_none=True)
    with db.transaction() as tx:
        before = notifications.list_muted(tx, request.caller.subject)
        muted = [kind for kind in KINDS if not wanted.get(kind, kind not in before)]
        notifications.save_muted(tx, request.caller.subject, muted)
        audit.record(tx, request, "change", "notifications", request.caller.subject, after=wanted)
        return _shown(muted)


def _shown(muted: list[str]) -> dict[str, dict[str, bool]]:
    return {"notifications": {kind: kind not in muted for kind in KINDS}}


@routes.post("/api/v1/auth/unsubscribe", permission=roles.PUBLIC, limits=((60, 20),), answer=MessageResponse)
def unsubscribe(request: Request, body: Unsubscription) -> dict[str, str]:
    """Stop emails of one kind with the token of the link in such an email."""
    key, _, kind = body.token.partition(".")
    with db.transaction() as tx:
        user_id = notifications.mute(tx, key, kind) if kind in KINDS else None
        if user_id is None:
            raise expired("token")
        audit.record(tx, request, "unsubscribe", "notifications", user_id)
    return {"message": "You get no more emails of this kind."}
