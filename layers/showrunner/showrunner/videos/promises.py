"""Compare what a channel promises its viewers with an order, and with the finished film."""

from typing import Any

from showrunner.aws import ssm
from showrunner.database import db
from showrunner.errors import InvalidRequest, PromiseNotKept
from showrunner.production.job import PROMISED_MOTION, Job
from showrunner.store.studio import assets


def motion(settings: dict[str, Any], style: str) -> float:
    """Return the part of the time in which a video of this style moves, by the channel's settings.

    Typeset and mixed videos promise no motion.
    """
    if style != "footage":
        return 0.0
    promised = (settings.get("promises") or {}).get("motion_share")
    return PROMISED_MOTION if promised is None else float(promised)


def require_source(
    tx: db.Transaction, organisation_id: str, order: dict[str, Any], settings: dict[str, Any], prefix: str
) -> None:
    """Raise InvalidRequest if the order promises motion, and nothing that moves can be found for it."""
    promised = motion(settings, order["visual_style"])
    keys = ssm.secrets(["pexels/api_key", "pixabay/api_key"], default=" ").values()
    if not promised or any(key.strip() for key in keys):
        return
    own = assets.list_ready(tx, organisation_id, order["assets"]) if order["assets"] else []
    if any(each["kind"] == "clip" for each in own):
        return
    message = (
        f"A video of footage must move in {promised:.0%} of its time, and this stage has no library of "
        "videos: an operator stores the key pexels/api_key or pixabay/api_key (make keys). Generated images "
        "stand still and don't count. Or name clips of your own in assets, or choose the visual style mixed "
        "or typographic."
    )
    raise InvalidRequest(message, [{"field": f"{prefix}visual_style", "message": message}])


def require_kept(job: Job, report: dict[str, Any]) -> None:
    """Raise PromiseNotKept if the finished film moves less than the channel promises.

    `report` is the render's; renderers of before don't measure the picture.
    """
    moving = (report.get("picture") or {}).get("motion_share")
    if moving is not None and moving < job.promised_motion:
        raise PromiseNotKept(
            f"The finished video moves in {moving:.0%} of its time, and the channel promises "
            f"{job.promised_motion:.0%}. Replace shots that stand still (POST …/shots/{{shot}}/replace), or "
            "change settings.promises.motion_share of the channel and retry the video."
        )
