"""Remake a finished video: one shot, the text of one scene, or its style, aspect and captions.

Each writes down what is wanted and starts the next attempt, in which every step finds what it made before and
makes only what has changed.
"""

from collections.abc import Callable
from typing import Any

from showrunner.access import limits
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound, ScriptRejected
from showrunner.production import files, planning, visuals
from showrunner.production.script import FRAME_CHARACTERS, Script
from showrunner.production.visuals import Shot
from showrunner.store.ledger import billing
from showrunner.store.studio import assets, channels, publications, videos
from showrunner.videos import attempts, ordering, promises, replacements, scripts
from showrunner.videos.replacements import Replacement
from showrunner.videos.schemas import OrderedVideo, SceneChanges, ShotReplacement, VideoRemake
from showrunner.web.answers import Answer
from showrunner.web.application import LATER, Routes
from showrunner.web.routing import Request

routes = Routes()

_OPTIONS: dict[str, Any] = {
    "permission": "videos:write",
    **LATER,
    "answer": OrderedVideo,
    "errors": (402, 409),
}
# What a video may be that is remade. One that waits for its script is edited and continued instead.
_REMAKEABLE = ("completed", "review", "failed", "cancelled")


@routes.post("/api/v1/videos/{video_id}/scenes/{scene}/shots/{shot}/replace", **_OPTIONS)
def replace_shot(request: Request, video_id: str, scene: str, shot: str, body: ShotReplacement) -> Answer:
    """Show another picture in one shot: the next candidate, what a search finds, or an asset of yours.

    Scene and shot are numbered as GET /videos/{id}/sources numbers them. Only this shot is made again.
    """
    if body.asset_id:
        ordering.check_uploads(request, [body.asset_id])

    def work(tx: db.Transaction, state: dict[str, Any]) -> None:
        folder = files.video_folder(request.organisation_id, state["id"])
        known, planned, picture = _planned_shot(folder, state, scene, shot)
        replacements.save(folder, _wish(tx, request, folder, known, planned, picture, body))

    return _remake(request, video_id, "replace_shot", work)


@routes.put("/api/v1/videos/{video_id}/scenes/{scene}", **_OPTIONS)
def change_scene(request: Request, video_id: str, scene: str, body: SceneChanges) -> Answer:
    """Change what is spoken in one scene, or its heading. Only this scene is spoken and drawn again.

    Scenes are numbered as GET /videos/{id}/sources numbers them: the hook is one, too.
    """

    def work(tx: db.Transaction, state: dict[str, Any]) -> None:
        job, written = scripts.read(request.organisation_id, state)
        s3.put_json(
            files.edited_script_key(job.folder), _edited(written, scene, body, job.language).model_dump()
        )

    return _remake(request, video_id, "change_scene", work)


@routes.post("/api/v1/videos/{video_id}/remake", **_OPTIONS)
def remake(request: Request, video_id: str, body: VideoRemake) -> Answer:
    """Make a video again in another visual style, aspect or caption preset. What is spoken stays.

    Omitted fields keep their value.
    """
    changes = body.model_dump(exclude_none=True)
    if not changes:
        raise InvalidRequest("Name what is to be different: visual_style, aspect or caption_preset.")

    def work(tx: db.Transaction, state: dict[str, Any]) -> None:
        videos.change_order(tx, request.organisation_id, state["id"], changes)
        order = videos.get_order(tx, request.organisation_id, state["id"])
        channel_id = state["channel_id"]
        channel = channels.get_for_production(tx, request.organisation_id, [channel_id]).get(channel_id)
        settings = channel["settings"] if channel else {}
        if "visual_style" in changes:
            promises.require_source(tx, request.organisation_id, order, settings, "")

    return _remake(request, video_id, "remake", work)


def _remake(
    request: Request, video_id: str, action: str, work: Callable[[db.Transaction, dict[str, Any]], None]
) -> Answer:
    """Lock the video, let `work` store what is wanted, and start the next attempt.

    Raises NotFound, Conflict, PaymentRequired, LimitExceeded, and what `work` raises.
    """

    def queue(tx: db.Transaction) -> tuple[OrderedVideo, int]:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        _require_remakeable(tx, request, state)
        billing.require_credit(tx, request.organisation_id)
        limits.spend_videos(tx, request.caller, "retry")
        _keep_script(request.organisation_id, state)
        work(tx, state)
        return attempts.queue_next(tx, request, state, action)

    return attempts.start_next(request, video_id.lower(), queue)


def _require_remakeable(tx: db.Transaction, request: Request, state: dict[str, Any]) -> None:
    known = publications.find(tx, request.organisation_id, state["id"])
    if known and known["youtube_video_id"]:
        raise Conflict("The video is on YouTube already, where no film can be exchanged: order it again.")
    if state["status"] == "script_ready":
        raise Conflict("The video waits for you: PUT …/script edits it, POST …/continue goes on.")
    if state["status"] not in _REMAKEABLE:
        raise Conflict(f"The video is {state['status']}: only one that is finished or failed can be remade.")


def _keep_script(organisation_id: str, state: dict[str, Any]) -> None:
    """Store the script as its owner's, so that no model is asked for it again. Raises Conflict."""
    job, written = scripts.read(organisation_id, state)
    s3.put_json(files.edited_script_key(job.folder), written.model_dump())


def _planned_shot(
    folder: str, state: dict[str, Any], scene: str, shot: str
) -> tuple[Replacement, Shot, dict[str, Any]]:
    """Return the wish so far, the planned shot and its picture. Raises NotFound, Conflict."""
    planned, document = s3.find_json(files.timeline_key(folder)), s3.find_json(files.script_key(folder))
    if planned is None or document is None:
        raise Conflict(f"The video is {state['status']}: its pictures are not chosen yet.")
    if planned["schema_version"] < 2 or "shots" not in document:
        raise Conflict("An earlier release made this video, whose shots can't be replaced: remake it first.")
    shown = [each["shots"] for each in planned["scenes"]]
    at = _number(scene, len(shown), "scene")
    place = visuals.place_of(shown[at][_number(shot, len(shown[at]), "shot")]["id"])
    known = Shot.model_validate(document["shots"][at][place])
    picture = visuals.pictures_of(s3.get_json(files.visual_key(folder, at)))[place]
    wish = replacements.find(replacements.list_(folder), at, known.text)
    return wish or Replacement(scene=at, text=known.text), known, picture


def _number(text: str, count: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < count):
        raise NotFound(f"There is no such {name}: GET …/sources lists scenes and shots by their numbers.")
    return int(text)


def _wish(
    tx: db.Transaction,
    request: Request,
    folder: str,
    known: Replacement,
    planned: Shot,
    picture: dict[str, Any],
    body: ShotReplacement,
) -> Replacement:
    """Return what the owner wants instead of a picture. Raises InvalidRequest, NotFound, Conflict."""
    refused = [*known.refused, *([picture["source"]] if picture.get("library") else [])]
    wish = Replacement(scene=known.scene, text=planned.text, refused=list(dict.fromkeys(refused)))
    if body.asset_id:
        return wish.model_copy(update={"picture": _asset(tx, request, body.asset_id)})
    if body.query:
        return wish.model_copy(update={"query": body.query})
    left = [each for each in picture.get("runners_up") or [] if each["work"]["page"] not in wish.refused]
    if not left:
        raise Conflict("No further picture was found for this shot: send a query, or an asset of yours.")
    return wish.model_copy(update={"candidates": left})


def _asset(tx: db.Transaction, request: Request, asset_id: str) -> dict[str, Any]:
    found = assets.list_ready(tx, request.organisation_id, [asset_id.lower()])
    if not found or found[0]["kind"] not in ("image", "clip"):
        message = "not an image or clip of yours that is uploaded completely"
        raise InvalidRequest("The asset can't be shown.", [{"field": "asset_id", "message": message}])
    row = found[0]
    return replacements.picture_of_asset(
        str(row["id"]), row["kind"], row["object_key"], row["sha256"], row["licence"]
    )


def _edited(written: Script, scene: str, body: SceneChanges, language: str) -> Script:
    """Return the script with other texts of one scene. Raises NotFound, InvalidRequest."""
    found = written.scene_of_passage
    kept = found[_number(scene, len(found), "scene")]
    if kept is None:
        return _with_frame(written, int(scene) == 0, body)
    heading = kept.heading if body.heading is None else body.heading
    narration = body.narration or kept.narration
    changed = scripts.changed_scene(kept, heading, narration, language)
    scenes = [changed if each is kept else each for each in written.scenes]
    try:
        return planning.finished(written.model_copy(update={"scenes": scenes}), language)
    except ScriptRejected as error:
        message = f"The scene can't be spoken: {error.message}."
        raise InvalidRequest(message, [{"field": "narration", "message": message}]) from error


def _with_frame(written: Script, is_hook: bool, body: SceneChanges) -> Script:
    """Return the script with another hook or call to action."""
    if body.heading is not None:
        message = "The hook and the call to action have no heading."
        raise InvalidRequest(message, [{"field": "heading", "message": message}])
    narration = body.narration or ""
    if len(narration) > FRAME_CHARACTERS:
        message = f"must have at most {FRAME_CHARACTERS} characters: it is one recording"
        raise InvalidRequest("The text is too long.", [{"field": "narration", "message": message}])
    return written.model_copy(update={"hook" if is_hook else "call_to_action": narration})
