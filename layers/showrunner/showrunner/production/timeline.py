"""Plan a video: when each passage is heard and each picture is seen.

The timeline's schema is functions/render/timeline.schema.json.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from showrunner.production import captions, cards
from showrunner.production.job import LEAD_IN_SECONDS, PAUSE_SECONDS, TAIL_SECONDS, Job
from showrunner.production.script import HEADING_CHARACTERS, Script
from showrunner.production.text import is_speakable

# How long the title stands: until the hook has been heard, but never so long that it hides the picture.
TITLE_SECONDS = (2.2, 4.0)
TRANSITION_SECONDS = 0.4
# A pause between two passages that still sounds natural, and how far a length may be off to be mended by it.
PAUSES_SECONDS = (0.2, 0.9)
MENDABLE = 0.25
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
    scenes: list[dict[str, Any]] = []
    spoken_from, cut, pause = LEAD_IN_SECONDS, 0.0, _pause(job, recordings)
    kinds = _TRANSITIONS[job.style]
    for index, (recording, picture, heading) in enumerate(
        zip(recordings, pictures, headings(script), strict=True)
    ):
        spoken_to = spoken_from + recording.duration_seconds
        last = index == len(recordings) - 1
        end = spoken_to + (TAIL_SECONDS if last else pause / 2)
        scenes += _with_timed_card(
            {
                "id": str(index),
                "start_s": round(cut, 3),
                "end_s": round(end, 3),
                "heading": heading,
                "narration": _narration(recording, spoken_from, job.language),
                "visual": _visual(picture, heading, _MOTIONS[(job.seed + index) % len(_MOTIONS)]),
                "transition": {
                    "kind": "cut" if index == 0 else kinds[(job.seed + index) % len(kinds)],
                    "duration_s": TRANSITION_SECONDS,
                },
            },
            job.language,
        )
        spoken_from, cut = spoken_to + pause, end
    return scenes


def _pause(job: Job, recordings: list[Recording]) -> float:
    """Return the pause between two passages: the usual one, or the one that brings the video to its length.

    A script of the user's own determines the length, so it gets the usual pause.
    """
    gaps = len(recordings) - 1
    silent = (
        job.length_seconds
        - LEAD_IN_SECONDS
        - TAIL_SECONDS
        - sum(recording.duration_seconds for recording in recordings)
    )
    usual = job.length_seconds - silent + PAUSE_SECONDS * gaps
    if job.manual_script or not gaps or abs(usual - job.length_seconds) > MENDABLE * job.length_seconds:
        return PAUSE_SECONDS
    shortest, longest = PAUSES_SECONDS
    return min(longest, max(shortest, silent / gaps))


def _with_timed_card(scene: dict[str, Any], language: str) -> list[dict[str, Any]]:
    """Divide a scene so that its card appears with its words and leaves after their sentence.

    The parts before and after the card show its ground. The narration belongs to the first part.
    """
    card = scene["visual"].get("generated")
    if card is None:
        return [scene]
    start_s, end_s = scene["start_s"], scene["end_s"]
    appears, leaves = cards.span(card, scene["narration"]["words"], language, start_s, end_s)
    ground = {**scene["visual"], "generated": {"template": "gradient"}}
    fade = {"kind": "fade", "duration_s": TRANSITION_SECONDS}
    parts = [
        ("before", start_s, appears, ground),
        ("card", appears, leaves, scene["visual"]),
        ("after", leaves, end_s, ground),
    ]
    shown = [part for part in parts if part[2] > part[1]]
    first, *rest = shown
    return [
        {**scene, "end_s": first[2], "visual": first[3]},
        *(
            {
                **scene,
                "id": f"{scene['id']}-{name}",
                "start_s": part_start,
                "end_s": part_end,
                "heading": None,
                "narration": None,
                "visual": visual,
                "transition": fade,
            }
            for name, part_start, part_end, visual in rest
        ),
    ]


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


def _visual(picture: Picture, heading: str | None, motion: str) -> dict[str, Any]:
    visual: dict[str, Any] = {
        "kind": picture.kind,
        "fit": "smart",
        "motion": {"kind": motion, "amount": 0.12},
    }
    if picture.kind == "generated":
        card = picture.generated or {"template": "gradient"}
        # The heading is shown above the card, so a card doesn't repeat it.
        repeats = heading and " ".join(heading.casefold().split()) == (card.get("text") or "").casefold()
        return {**visual, "generated": {"template": "gradient"} if repeats else card}
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
