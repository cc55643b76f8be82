"""End a production that failed: its final state, its charges, and one event.

Called by the machine's last step and by the sweeper.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import files
from showrunner.production.costs import Charge
from showrunner.store.studio import productions
from showrunner.videos import announcements, budgets, receipts


def fail(
    organisation_id: str,
    video_id: str,
    attempt: int,
    error: dict[str, str],
    ran: list[Charge],
    *,
    repeat: bool = False,
) -> dict[str, Any]:
    """Mark an attempt as failed and return the video (productions.get_step).

    Changes nothing if the video was cancelled, finished or retried since. `ran`: charges beside the receipts.
    `repeat`: this may be the second call for the same failure, whose event may be missing.
    """
    folder = files.video_folder(organisation_id, video_id)
    job = s3.find_json(files.job_key(folder)) or {"demo": False}
    charges = [*receipts.list_(folder), *ran]
    with db.transaction() as tx:
        budgets.settle(tx, organisation_id, video_id, charges, list_price_only=job["demo"])
        changed = productions.fail(tx, video_id, attempt, error)
        video = productions.get_step(tx, video_id)
    if changed or (repeat and (video["status"], video["attempt"]) == ("failed", attempt)):
        announcements.announce("video.failed", video, message=error["message"], error=error)
    return video
