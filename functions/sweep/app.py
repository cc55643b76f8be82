"""Schedule, every minute -> videos that fell between two chairs: never started, lost by their machine, past their deadline, or cancelled but still running."""

from typing import Any

from showrunner import db, machines
from showrunner.production import progress
from showrunner.store import productions
from showrunner.telemetry import entrypoint, logger

# The API starts a machine within a second of the commit; what is still queued after this long was left behind.
UNSTARTED_SECONDS = 60
# Steps report at least this often but for the render, whose machine is asked before anything is concluded.
QUIET_SECONDS = 120
# A stop that the API's own call missed is repeated for this long.
CANCELLED_SECONDS = 900
# One run handles this many of each kind, oldest first: each needs a call of 50 ms, and the function has 60 s.
BATCH = 200


def _start(video: dict[str, Any]) -> bool:
    if machines.start(str(video["id"]), str(video["organisation_id"]), video["attempt"]):
        return True
    # The machine knows this attempt: unless it runs, its end has been missed.
    return _end({**video, "current_step": None, "overdue": False})


def _end(video: dict[str, Any]) -> bool:
    """Fails a video whose execution is over or gone; stops one that is overdue, whose end then comes as an event."""
    video_id, attempt = str(video["id"]), video["attempt"]
    status = machines.status(video_id, attempt)
    if status == "RUNNING":
        if video["overdue"]:
            machines.stop(video_id, attempt, "The production passed its deadline.")
        return False
    with db.transaction() as tx:
        return productions.fail(tx, video_id, attempt, progress.explain(video["current_step"] or "prepare", status or "LOST", ""))


def _stop(video: dict[str, Any]) -> bool:
    if machines.status(str(video["id"]), video["attempt"]) != "RUNNING":
        return False
    machines.stop(str(video["id"]), video["attempt"], "Cancelled by the user.")
    return True


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    with db.transaction() as tx:
        unstarted = productions.list_unstarted(tx, UNSTARTED_SECONDS, BATCH)
        quiet = productions.list_processing(tx, QUIET_SECONDS, BATCH)
        cancelled = productions.list_cancelled(tx, CANCELLED_SECONDS, BATCH)
    counts = {"started": sum(map(_start, unstarted)), "ended": sum(map(_end, quiet)), "stopped": sum(map(_stop, cancelled))}
    logger.info("swept", extra=counts)
    return counts
