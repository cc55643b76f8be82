"""Step ChooseVisual: one scene -> the picture of each shot: the user's asset, else stock, else generated.

Step ReplaceClips: the clips that the renderer rejected -> the next candidates in their places.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.production import files, own, visuals
from showrunner.production.job import Asset, Job
from showrunner.production.own import Placed
from showrunner.production.script import Script
from showrunner.production.visuals import Shot
from showrunner.telemetry import entrypoint
from showrunner.videos import found_music, rejections, replacements
from showrunner.videos.choices import Chooser


def _of_asset(asset: Asset) -> dict[str, Any]:
    kind: Any = asset.kind
    return replacements.picture_of_asset(asset.id, kind, asset.key, asset.sha256, asset.licence)


def _shots(job: Job) -> list[list[Shot]]:
    """Return the shots of each scene. An execution that began before there were any has one for each."""
    document = s3.get_json(files.script_key(job.folder))
    if "shots" in document:
        return [[Shot.model_validate(each) for each in scene] for scene in document["shots"]]
    written = Script.model_validate(document["script"])
    return [
        [Shot(words=0, text=text, visual=visual, queries=[visual.description])]
        for text, visual in zip(written.passages, visuals.of_passages(written), strict=True)
    ]


def _chosen(chooser: Chooser, placed: Placed, scene: int, found: list[Shot]) -> list[dict[str, Any]]:
    whole = placed.of_scenes.get(scene)
    if whole is not None and whole.kind == "clip":
        # The user's own clip is not cut, unless its owner wants something else now.
        wanted = chooser.wanted(scene, 0, found[0])
        return [wanted or _of_asset(whole)]
    chosen = []
    for number, shot in enumerate(found):
        asset = placed.of_shots.get((scene, number)) or whole
        picture = chooser.wanted(scene, number, shot) or (_of_asset(asset) if asset else None)
        shown = picture or chooser.choose(scene, number, shot)
        chosen.append({"words": shot.words, **visuals.overlaid(shown, shot)})
    return chosen


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    if event.get("step") == "replace":
        seconds = (event["stopped_at"] - event["started_at"]) / 1000
        return {"replaced": rejections.replace(job, event["platform"], event["started_at"], seconds)}
    scene, found = event["scene"], _shots(job)
    placed = own.place([asset for asset in job.assets if asset.kind in ("image", "clip")], found)
    chooser = Chooser(job, found, scene)
    if scene == 0:
        # The scenes are chosen one after another: the first one searches for all.
        chooser.prepare(placed)
        if music := found_music.find(job):
            s3.put_json(files.music_key(job.folder), music)
    chosen = _chosen(chooser, placed, scene, found[scene])
    s3.put_json(files.visual_key(job.folder, scene), {"shots": chosen})
    return {"scene": scene}
