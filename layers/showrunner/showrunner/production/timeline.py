"""Plan a video: when each passage is heard and each picture is seen.

The timeline's schema is functions/render/timeline.schema.json.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from showrunner.production import captions
from showrunner.production.job import LEAD_IN_SECONDS, PAUSE_SECONDS, TAIL_SECONDS, Job
from showrunner.production.script import HEADING_CHARACTERS, Script
from showrunner.production.text import is_speakable

# How long the title stands: until the hook has been heard, but never so long that it hides the picture.
TITLE_SECONDS = (2.2, 4.0)
TRANSITION_SECONDS = 0.4
# A loop of motions and transitions that never repeats one scene's pair in the next.
_MOTIONS = ("zoom_in", "pan_right", "zoom_out", "pan_left", "pan_up")
_TRANSITIONS = {
    "educational": ("fade", "slide", "fade", "push"),
    "entertainment": ("zoom", "push", "wipe", "slide"),
    "news": ("cut", "wipe", "fade", "cut"),
}
_MOODS = {"educational": "calm", "entertainment": "bright", "news": "news"}
_CAPTIONS = {"educational": "bold", "entertainment": "bold", "news": "boxed"}


class Recording(BaseModel):
    """A spoken passage as the voice step stores it: file, length, and the times of its characters."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    text: str
    uri: str
    sha256: str
    duration_seconds: float
    characters: list[str]
    starts: list[float]
    ends: list[float]


class Picture(BaseModel):
    """What the visuals step chose for one scene."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: str
    uri: str | None = None
    sha256: str | None = None
    generated: dict[str, Any] | None = None
    source: str
    author: str | None = None
    licence: str


def plan(job: Job, script: Script, recordings: list[Recording], pictures: list[Picture]) -> dict[str, Any]:
    """Return the timeline: a scene for each passage, cut in the middle of the pause between two."""
    scenes = _scenes(job, script, recordings, pictures)
    return {
        "schema_version": 1,
        "video_id": job.video_id,
        "title": script.title,
        "language": job.language,
        "seed": job.seed,
        "fps": 30,
        "brand": {"palette": job.palette, "font": job.font, "logo": _asset_of_logo(job)},
        "outputs": [output.model_dump() for output in job.outputs],
        "title_card": _title_card(script, recordings[0]),
        "scenes": scenes,
        "music": _music(job),
        "captions": {"preset": job.caption_preset or _CAPTIONS[job.style], "burn_in": True, "overrides": {}},
        "loudness": {"integrated_lufs": -14.0, "true_peak_dbtp": -1.0},
        "demo": job.demo,
    }


def duration(timeline: dict[str, Any]) -> float:
    """Return the seconds of the whole video."""
    return float(timeline["scenes"][-1]["end_s"])


def chapters(timeline: dict[str, Any]) -> list[tuple[float, str]]:
    """Return (start, heading) of the scenes where a new heading begins."""
    found: list[tuple[float, str]] = []
    for scene in timeline["scenes"]:
        if scene["heading"] and (not found or found[-1][1] != scene["heading"]):
            found.append((scene["start_s"], scene["heading"]))
    return found


def headings(script: Script) -> list[str | None]:
    """Return the heading of each passage: the hook and the call to action have none."""
    hook: list[str | None] = [None] if is_speakable(script.hook) else []
    return [
        *hook,
        *(
            scene.heading[:HEADING_CHARACTERS] or None
            for scene in script.scenes
            if is_speakable(scene.narration)
        ),
        *([None] if is_speakable(script.call_to_action) else []),
    ]


def _scenes(
    job: Job, script: Script, recordings: list[Recording], pictures: list[Picture]
) -> list[dict[str, Any]]:
    scenes, spoken_from, cut = [], LEAD_IN_SECONDS, 0.0
    kinds = _TRANSITIONS[job.style]
    for index, (recording, picture, heading) in enumerate(
        zip(recordings, pictures, headings(script), strict=True)
    ):
        spoken_to = spoken_from + recording.duration_seconds
        last = index == len(recordings) - 1
        end = spoken_to + (TAIL_SECONDS if last else PAUSE_SECONDS / 2)
        scenes.append(
            {
                "id": str(index),
                "start_s": round(cut, 3),
                "end_s": round(end, 3),
                "heading": heading,
                "narration": _narration(recording, spoken_from, job.language),
                "visual": _visual(picture, _MOTIONS[(job.seed + index) % len(_MOTIONS)]),
                "transition": {
                    "kind": "cut" if index == 0 else kinds[(job.seed + index) % len(kinds)],
                    "duration_s": TRANSITION_SECONDS,
                },
            }
        )
        spoken_from, cut = spoken_to + PAUSE_SECONDS, end
    return scenes


def align(recording: Recording, language: str) -> captions.Alignment:
    """Return the words of a recording with their times, repaired where the provider's times are wrong."""
    given = recording.characters, recording.starts, recording.ends
    return captions.align(recording.text, *given, recording.duration_seconds, language)


def _narration(recording: Recording, start: float, language: str) -> dict[str, Any]:
    words = align(recording, language).words
    placed = [
        {"text": word.text, "start_s": round(start + word.start_s, 3), "end_s": round(start + word.end_s, 3)}
        for word in words
    ]
    return {
        "audio": {"uri": recording.uri, "sha256": recording.sha256},
        "start_s": round(start, 3),
        "duration_s": recording.duration_seconds,
        "words": placed,
    }


def _visual(picture: Picture, motion: str) -> dict[str, Any]:
    visual: dict[str, Any] = {
        "kind": picture.kind,
        "fit": "smart",
        "motion": {"kind": motion, "amount": 0.12},
    }
    if picture.kind == "generated":
        return {**visual, "generated": picture.generated}
    return {
        **visual,
        "asset": {
            "uri": picture.uri,
            "sha256": picture.sha256,
            "source": picture.source,
            "author": picture.author,
            "licence": picture.licence,
        },
    }


def _title_card(script: Script, first: Recording) -> dict[str, Any]:
    shortest, longest = TITLE_SECONDS
    end = min(longest, max(shortest, LEAD_IN_SECONDS + first.duration_seconds))
    return {"text": script.title, "kicker": None, "start_s": 0.0, "end_s": round(end, 3)}


def _music(job: Job) -> dict[str, Any]:
    bed = next((asset for asset in job.assets if asset.kind == "audio"), None)
    return {
        "asset": _asset(bed.key, bed.sha256) if bed else None,
        "mood": _MOODS[job.style],
        "level_db": -22.0,
        "duck_db": 12.0,
    }


def _asset_of_logo(job: Job) -> dict[str, str] | None:
    return _asset(job.logo.key, job.logo.sha256) if job.logo else None


def _asset(uri: str, sha256: str) -> dict[str, str]:
    return {"uri": uri, "sha256": sha256}
