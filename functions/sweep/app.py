"""Schedule, every minute -> videos and publications that were left behind are started, ended or failed."""

import time
from collections.abc import Callable
from typing import Any

from showrunner.aws import schedules
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, ShowrunnerError
from showrunner.production import progress
from showrunner.store.studio import productions, publications
from showrunner.telemetry import entrypoint, logger
from showrunner.videos import executions, failure, publishing

# The API starts a machine within a second of the commit; what is still queued after this long was left
# behind.
UNSTARTED_SECONDS = 60
# Steps report at least this often but for the render, whose machine is asked before anything is concluded.
QUIET_SECONDS = 120
# A stop that the API's own call missed is repeated for this long.
CANCELLED_SECONDS = 900
# One run handles this many of each kind, oldest first: each needs a call of 50 ms, and the function has 60 s.
BATCH = 200
# Where AWS hangs, each call takes seconds: the next minute goes on before the function's own end does harm.
RUN_SECONDS = 45


def _start(video: dict[str, Any]) -> bool:
    if executions.start(str(video["id"]), str(video["organisation_id"]), video["attempt"]):
        return True
    # The machine knows this attempt: unless it runs, its end has been missed.
    return _end({**video, "current_step": None, "overdue": False})


def _end(video: dict[str, Any]) -> bool:
    """Fail a video whose execution has ended or is gone; stop an overdue one: its end comes as an event."""
    video_id, attempt = str(video["id"]), video["attempt"]
    status = executions.status(video_id, attempt)
    if status == "RUNNING":
        if video["overdue"]:
            executions.stop(video_id, attempt, "The production passed its deadline.")
        return False
    error = progress.explain(video["current_step"] or "prepare", status or "LOST", "")
    return bool(
        failure.fail(str(video["organisation_id"]), video_id, attempt, error, [])["status"] == "failed"
    )


def _stop(video: dict[str, Any]) -> bool:
    if executions.status(str(video["id"]), video["attempt"]) != "RUNNING":
        return False
    executions.stop(str(video["id"]), video["attempt"], "Cancelled by the user.")
    return True


def _publish(publication: dict[str, Any]) -> bool:
    return publishing.start(publication)


def _each(what: Callable[[dict[str, Any]], bool], videos: list[dict[str, Any]], until: float) -> int:
    """Do something for each video and return for how many it was done.

    A video that AWS refuses or doesn't answer for waits for the next minute; the others don't wait for it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    done = 0
    for number, video in enumerate(videos):
        if time.monotonic() > until:
            logger.warning("out of time", extra={"left": len(videos) - number})
            break
        try:
            done += what(video)
        except DatabaseUnavailable:
            raise
        except (BotoCoreError, ClientError, ShowrunnerError):
            logger.exception("left for the next minute", extra={"video_id": str(video["id"])})
    return done


def _sweep() -> dict[str, int]:
    until = time.monotonic() + RUN_SECONDS
    with db.transaction() as tx:
        unstarted = productions.list_unstarted(tx, UNSTARTED_SECONDS, BATCH)
        quiet = productions.list_processing(tx, QUIET_SECONDS, BATCH)
        cancelled = productions.list_cancelled(tx, CANCELLED_SECONDS, BATCH)
        unpublished = publications.list_unstarted(tx, UNSTARTED_SECONDS, BATCH)
        is_open = productions.is_any_open(tx, CANCELLED_SECONDS)
    counts = {
        "started": _each(_start, unstarted, until),
        "ended": _each(_end, quiet, until),
        "stopped": _each(_stop, cancelled, until),
    }
    counts["published"] = _each(_publish, unpublished, until)
    schedules.look_again("sweep", 0 if is_open else None)
    return counts


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    if not schedules.is_work_due("sweep"):
        return {}
    counts = _sweep()
    logger.info("swept", extra=counts)
    return counts
