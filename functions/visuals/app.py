"""Step ChooseVisual: one scene -> the picture of each shot: the user's asset, else stock, else generated."""

from typing import Any

from showrunner.aws import s3
from showrunner.production import files, visuals
from showrunner.production.job import Asset, Job
from showrunner.production.script import Script
from showrunner.production.visuals import Shot
from showrunner.telemetry import entrypoint
from showrunner.videos.footage import Footage


def _own(job: Job, scene: int) -> dict[str, Any] | None:
    """Return the user's asset for this scene, None after the last one: assets are not repeated."""
    own = [asset for asset in job.assets if asset.kind in ("image", "clip")]
    return _of_asset(own[scene]) if scene < len(own) else None


def _of_asset(asset: Asset) -> dict[str, Any]:
    return {
        "kind": asset.kind,
        "uri": s3.uri(asset.key),
        "sha256": asset.sha256,
        "source": f"asset:{asset.id}",
        "licence": asset.licence or "provided by the user",
    }


def _shown_before(job: Job, scene: int) -> set[str]:
    """Return the sources of the earlier scenes. The Map state runs scenes one after another for this."""
    earlier = (s3.find_json(files.visual_key(job.folder, number)) for number in range(scene))
    return {picture["source"] for each in earlier if each for picture in visuals.pictures_of(each)}


def _shots(job: Job, scene: int) -> list[Shot]:
    """Return the shots of a scene. A script of an execution that began before there were any has one."""
    document = s3.get_json(files.script_key(job.folder))
    if "shots" in document:
        return [Shot.model_validate(each) for each in document["shots"][scene]]
    written = Script.model_validate(document["script"])
    text, visual = written.passages[scene], visuals.of_passages(written)[scene]
    return [Shot(words=0, text=text, visual=visual, queries=[visual.description])]


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    scene = event["scene"]
    own, footage = _own(job, scene), Footage(job, _shown_before(job, scene))
    chosen = []
    for number, shot in enumerate(_shots(job, scene)):
        # A shot that turns on a figure, a list or a quotation says more typeset than over somebody's footage.
        picture = own or (None if shot.is_card else footage.find(shot.queries))
        picture = picture or visuals.generated(shot.visual, f"{job.seed}-{scene}-{number}")
        chosen.append({"words": shot.words, **picture})
    # The user's own clip is not cut.
    whole = own is not None and own["kind"] == "clip"
    s3.put_json(files.visual_key(job.folder, scene), {"shots": [own] if whole else chosen})
    return {"scene": scene}
