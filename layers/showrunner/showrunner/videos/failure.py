"""How a production fails: its final state, what was paid for it, and one event.

For the machine's own last step and for the sweeper.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import files
from showrunner.production.costs import Charge
from showrunner.store.ledger import video_costs
from showrunner.store.studio import productions
from showrunner.videos import announcements, receipts


def fail(
    organisation_id: str,
    video_id: str,
    attempt: int,
    error: dict[str, str],
    ran: list[Charge],
    *,
    repeat: bool = False,
) -> dict[str, Any]:
    """The video as it is now (productions.get_step): failed, unless it was cancelled, finished or retried since. `ran`: what was paid beside the receipts;
    `repeat`: this may be the second call for the same end, and the first may have died before its event."""
    folder = files.video_folder(organisation_id, video_id)
    job = s3.find_json(files.job_key(folder)) or {"demo": False}
    charges = [*receipts.list_(folder), *ran]
    with db.transaction() as tx:
        video_costs.add(tx, organisation_id, video_id, charges, job["demo"])
        changed = productions.fail(tx, video_id, attempt, error)
        video = productions.get_step(tx, video_id)
    if changed or (repeat and (video["status"], video["attempt"]) == ("failed", attempt)):
        announcements.announce("video.failed", video, message=error["message"], error=error)
    return video
