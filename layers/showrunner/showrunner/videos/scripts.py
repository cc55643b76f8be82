"""Read and edit the script of a video whose production stopped after it."""

from typing import Any

from showrunner import config
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, ScriptRejected
from showrunner.production import cards, estimate, files, planning, ranking, visuals
from showrunner.production.job import Job
from showrunner.production.ranking import Candidate
from showrunner.production.script import Scene, Script
from showrunner.store.studio import videos
from showrunner.videos import shown
from showrunner.videos.schemas import (
    EstimatedCosts,
    FoundMusic,
    RunnerUp,
    ScriptChanges,
    ScriptScene,
    ShownSource,
    SourceList,
    Transcript,
    TranscriptSegment,
    VideoScript,
)
from showrunner.web import audit
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/videos/{video_id}/script", permission="videos:read", answer=VideoScript, errors=(409,))
def show_script(request: Request, video_id: str) -> VideoScript:
    """Return the script, and what the rest of the production would cost."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    return _shown(*read(request.organisation_id, state))


@routes.get(
    "/api/v1/videos/{video_id}/transcript", permission="videos:read", answer=Transcript, errors=(409,)
)
def show_transcript(request: Request, video_id: str) -> Transcript:
    """Return what is spoken in the video, with the times of each passage."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    folder = files.video_folder(request.organisation_id, state["id"])
    planned = s3.find_json(files.timeline_key(folder))
    if planned is None:
        raise Conflict(f"The video is {state['status']}: its script is not spoken yet.")
    # In a plan of version 1 a narration goes on over scenes without one.
    segments = [_segment(scene["narration"]) for scene in planned["scenes"] if scene["narration"]]
    return Transcript(
        video_id=state["id"],
        language=planned["language"],
        text="\n".join(segment.text for segment in segments),
        segments=segments,
    )


@routes.get("/api/v1/videos/{video_id}/sources", permission="videos:read", answer=SourceList, errors=(409,))
def list_sources(request: Request, video_id: str) -> SourceList:
    """Return what each shot of the video shows, with its author and licence, and what was found beside it."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    folder = files.video_folder(request.organisation_id, state["id"])
    planned = s3.find_json(files.timeline_key(folder))
    if planned is None:
        raise Conflict(f"The video is {state['status']}: its pictures are not chosen yet.")
    pictures = shown.list_pictures(folder, len(planned["scenes"]))
    return SourceList(
        video_id=state["id"],
        sources=[
            _source(scene, number, shot["visual"], pictures[scene][visuals.place_of(shot.get("id", ""))])
            for scene, each in enumerate(planned["scenes"])
            for number, shot in enumerate(each.get("shots", [each]))
        ],
        music=_music(planned, s3.find_json(files.music_key(folder))),
    )


def _music(planned: dict[str, Any], found: dict[str, Any] | None) -> FoundMusic | None:
    """Return the music that was found, None if the planned video doesn't play it."""
    asset = (planned.get("music") or {}).get("asset")
    if not found or not asset or asset["uri"] != found["uri"]:
        return None
    names = ("author", "licence", "licence_url", "fetched_at", "sha256", "query")
    return FoundMusic(address=found["source"], **{name: found[name] for name in names})


# What is stored of the choice of a library's work.
_CHOSEN_BY = ("library", "query", "score", "relevance", "sharpness", "subject_kept")


def _source(scene: int, number: int, visual: dict[str, Any], picture: dict[str, Any]) -> ShownSource:
    asset = visual.get("asset") or {
        "source": f"generated:{visual['generated']['template']}",
        "licence": visuals.LICENCE,
    }
    rights = ("author", "licence_url", "fetched_at", "sha256")
    return ShownSource(
        scene=scene,
        shot=number,
        kind=visual["kind"],
        address=asset["source"] or "",
        licence=asset["licence"] or "",
        **{name: asset.get(name) for name in rights},
        **{name: picture.get(name) for name in _CHOSEN_BY},
        runners_up=[_runner_up(ranking.read(each)) for each in picture.get("runners_up") or []],
    )


def _runner_up(candidate: Candidate) -> RunnerUp:
    work = candidate.work
    return RunnerUp(
        kind="clip" if work.kind == "clip" else "image",
        address=work.page,
        author=work.author,
        licence=work.licence,
        score=candidate.score,
        relevance=candidate.relevance,
        sharpness=candidate.sharpness,
        subject_kept=candidate.subject_kept,
    )


def _segment(narration: dict[str, Any]) -> TranscriptSegment:
    return TranscriptSegment(
        start_s=narration["start_s"],
        end_s=round(narration["start_s"] + narration["duration_s"], 3),
        text=" ".join(word["text"] for word in narration["words"]),
    )


@routes.put("/api/v1/videos/{video_id}/script", permission="videos:write", answer=VideoScript, errors=(409,))
def edit_script(request: Request, video_id: str, body: ScriptChanges) -> VideoScript:
    """Edit the script of a video that waits for its owner (script_ready)."""
    with db.transaction() as tx:
        # Locked until the script is stored: a continuation that comes meanwhile waits and reads the edited
        # one.
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        if state["status"] != "script_ready":
            raise Conflict(
                f"The video is {state['status']}: only a script that waits (script_ready) can be edited."
            )
        job, written = read(request.organisation_id, state)
        edited = _edited(job, written, body)
        s3.put_json(files.edited_script_key(job.folder), edited.model_dump())
        audit.record(tx, request, "edit_script", "video", state["id"], fields=sorted(body.model_fields_set))
    return _shown(job, edited)


def read(organisation_id: str, state: dict[str, Any]) -> tuple[Job, Script]:
    """Return the job and the script of a video as it is by now. Raises Conflict if it has none yet."""
    folder = files.video_folder(organisation_id, state["id"])
    job, document = s3.find_json(files.job_key(folder)), s3.find_json(files.script_key(folder))
    if job is None or document is None:
        raise Conflict(f"The video is {state['status']}: it has no script yet.")
    edited = s3.find_json(files.edited_script_key(folder))
    return Job.model_validate(job), Script.model_validate(edited or document["script"])


def _edited(job: Job, written: Script, changes: ScriptChanges) -> Script:
    update: dict[str, Any] = changes.model_dump(exclude_none=True, exclude={"scenes"})
    if changes.scenes is not None:
        update["scenes"] = [
            changed_scene(
                written.scenes[number] if number < len(written.scenes) else None,
                scene.heading,
                scene.narration,
                job.language,
            )
            for number, scene in enumerate(changes.scenes)
        ]
    try:
        return planning.finished(written.model_copy(update=update), job.language)
    except ScriptRejected as error:
        message = f"The script can't be spoken: {error.message}."
        raise InvalidRequest(message, [{"field": "scenes", "message": message}]) from error


def changed_scene(kept: Scene | None, heading: str, narration: str, language: str) -> Scene:
    """Return a scene with other texts, and the picture of the scene that was at this place.

    Its card is chosen anew if it says what the scene no longer says.
    """
    if kept is None or not (kept.narration == narration or cards.says(kept.visual, narration)):
        return Scene(heading=heading, narration=narration, visual=cards.from_words(narration, language))
    # Descriptions of shots whose words are gone are left out when the scene is divided.
    return Scene(heading=heading, narration=narration, visual=kept.visual, shots=kept.shots)


def _shown(job: Job, script: Script) -> VideoScript:
    speech_model = config.setting("ELEVENLABS_MODEL", "-")
    found = estimate.of_passages(script.passages, job.voice.words_per_minute, len(job.outputs), speech_model)
    return VideoScript(
        video_id=job.video_id,
        **script.model_dump(include={"title", "description", "tags", "hook", "call_to_action"}),
        scenes=[ScriptScene(heading=scene.heading, narration=scene.narration) for scene in script.scenes],
        estimated_duration=found.duration_seconds,
        cost_usd=EstimatedCosts(**found.cost_usd),
    )
