"""Take other clips for the shots whose clips the renderer has rejected.

Only the renderer can look at a clip: functions have no ffmpeg. It looks before it draws anything and ends at
once, so a rejected clip costs the start of a render job and no drawing.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.production import costs, files, ranking, visuals
from showrunner.production.job import Job
from showrunner.production.visuals import Shot
from showrunner.telemetry import logger
from showrunner.videos import receipts
from showrunner.videos.choices import ASKED
from showrunner.videos.footage import Footage


def replace(job: Job, platform: str, started_at: int, seconds: float) -> int:
    """Store the next candidate for each shot that the render's error.json names. Returns how many shots.

    Without a further candidate the clip stays and is drawn as it is, or, if it cannot be drawn, the shot is
    typeset. The job that ended is paid for: it ran for so many seconds and is known by its start. A repeated
    call changes nothing more.
    """
    charge = costs.render_charge(job.attempt, platform, seconds)
    # Beside the charge of the attempt's last job.
    receipts.add(job.folder, charge.model_copy(update={"charge": f"{charge.charge}:{started_at}"}))
    found = {each["shot"]: each for each in s3.get_json(files.error_key(job.folder)).get("findings", [])}
    planned = s3.get_json(files.script_key(job.folder))["shots"]
    shown = _shown(job, len(planned))
    looks = {picture["look"] for picture in shown if "look" in picture}
    footage = Footage(job, {picture["source"] for picture in shown}, looks)
    for shot_id, fault in found.items():
        scene, place = int(shot_id.partition("-")[0]), visuals.place_of(shot_id)
        stored = s3.get_json(files.visual_key(job.folder, scene))
        picture = visuals.pictures_of(stored)[place]
        # Otherwise an earlier call has replaced it.
        if picture.get("uri") == fault["asset"]:
            shot = Shot.model_validate(planned[scene][place])
            other = _next(footage, picture, shot, f"{job.seed}-{scene}-{place}", fault["drawable"])
            stored["shots"][place] = other
            s3.put_json(files.visual_key(job.folder, scene), stored)
            about = {"shot": shot_id, "source": picture["source"], "now": other["source"]}
            logger.info("clip rejected", extra={**about, "reason": fault["reason"]})
    return len(found)


def _next(footage: Footage, picture: dict[str, Any], shot: Shot, name: str, drawable: bool) -> dict[str, Any]:
    """Return what a shot shows instead of a rejected clip."""
    kept = {field: picture[field] for field in ("words", ASKED, "overlay") if field in picture}
    candidates = [ranking.read(each) for each in picture.get("runners_up") or []]
    if other := footage.first(candidates):
        return {**kept, **other, "rejected": picture.get("rejected", 0) + 1}
    if drawable:
        return {**picture, "rejected": visuals.MOST_REJECTED}
    kept.pop("overlay", None)
    return {**kept, **visuals.generated(shot.visual, name, shot.motif)}


def _shown(job: Job, scenes: int) -> list[dict[str, Any]]:
    stored = [s3.get_json(files.visual_key(job.folder, scene)) for scene in range(scenes)]
    return [picture for each in stored for picture in visuals.pictures_of(each)]
