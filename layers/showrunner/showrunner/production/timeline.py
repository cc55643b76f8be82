"""Plan a video: when each passage is heard and each picture is seen.

The timeline's schema is functions/render/timeline.schema.json.
"""

import itertools
import re
from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict

from showrunner.errors import PromiseNotKept
from showrunner.production import captions, cards, moods, visuals
from showrunner.production.job import LEAD_IN_SECONDS, PAUSE_SECONDS, TAIL_SECONDS, Job
from showrunner.production.script import HEADING_CHARACTERS, Script
from showrunner.production.segmentation import sentence_ends

# How long the title stands: until the hook has been heard, but never so long that it hides the picture.
TITLE_SECONDS = (2.2, 4.0)
TRANSITION_SECONDS = 0.4
# A pause between two passages that still sounds natural, and how far a length may be off to be mended by it.
PAUSES_SECONDS = (0.2, 0.9)
MENDABLE = 0.25
# A shorter shot flickers: it becomes a part of its neighbour. A longer one is divided: nobody looks at one
# picture for more than seven seconds.
SHORTEST_SHOT_SECONDS = 1.5
LONGEST_SHOT_SECONDS = 6.5
# A card over footage can be read in this time, and goes a moment after its sentence. Where little is left of
# its shot then, it stays.
SHORTEST_OVERLAY_SECONDS, CARD_LINGERS_SECONDS = 1.5, 0.3
# A number is seen at most so long before it is spoken, and no empty gauge instead of it.
LONGEST_LEAD_SECONDS = 2.0
# More words than these aren't read on a card while they are spoken.
_READ_CHARACTERS = 90
# So much more of a plan must be clips than is promised of the film: a calm sea may stand as still as a
# photograph for a moment, and transitions take their part.
MOTION_MARGIN = 0.1
# A picture changes a moment before its first word, but in the pause where there is one.
CUT_LEAD_SECONDS = 0.12
_CLIP_OPENING_SECONDS = 1.0
# Loops of motions, framings and transitions that never repeat one shot's pair in the next.
_MOTIONS = ("zoom_in", "pan_right", "zoom_out", "pan_left", "pan_up")
_AMOUNTS = (0.10, 0.16, 0.12, 0.2)
_TRANSITIONS = {
    "educational": ("fade", "slide", "fade", "push"),
    "entertainment": ("zoom", "push", "wipe", "slide"),
    "news": ("cut", "wipe", "fade", "cut"),
}
# Two ways of typesetting a text.
_OTHERS = {"phrase": "title", "title": "phrase"}
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
    """The picture that the visuals step chose for one shot.

    `words`: how many caption words the shot has; None: all of its scene's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    words: int | None = None
    # The shot's number among those that were planned for its scene.
    place: int = 0
    kind: str
    uri: str | None = None
    sha256: str | None = None
    generated: dict[str, Any] | None = None
    # The card over a clip or photograph, as `generated` has cards.
    overlay: dict[str, Any] | None = None
    # Length of a clip, where the library told it.
    seconds: float | None = None
    # The stock library that it is from, and how many clips of it the renderer has rejected for this shot.
    library: str | None = None
    rejected: int = 0
    source: str
    author: str | None = None
    licence: str
    licence_url: str | None = None
    fetched_at: str | None = None


def plan(
    job: Job,
    script: Script,
    recordings: list[Recording],
    pictures: list[list[Picture]],
    music: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the timeline: a scene for each passage, cut in the middle of the pause between two.

    `pictures` are those of each scene's shots. `music` is what was found in a library, if anything was.
    """
    scenes = _scenes(job, script, recordings, pictures)
    return {
        "schema_version": 2,
        "video_id": job.video_id,
        "title": script.title,
        "language": job.language,
        "seed": job.seed,
        "fps": 30,
        "brand": {"palette": job.palette, "font": job.font, "logo": _asset_of_logo(job)},
        "outputs": [output.model_dump() for output in job.outputs],
        "title_card": _title_card(script, recordings[0]),
        "scenes": scenes,
        "music": _music(job, script, music),
        "captions": {"preset": job.caption_preset or _CAPTIONS[job.style], "burn_in": True, "overrides": {}},
        "loudness": {"integrated_lufs": -14.0, "true_peak_dbtp": -1.0},
        "demo": job.demo,
    }


def require_motion(job: Job, timeline: dict[str, Any]) -> None:
    """Raise PromiseNotKept if the clips fill too little of the plan for what the channel promises."""
    shots = [shot for scene in timeline["scenes"] for shot in scene["shots"]]
    clips = [shot for shot in shots if shot["visual"]["kind"] == "clip"]
    share = sum(shot["end_s"] - shot["start_s"] for shot in clips) / duration(timeline)
    needed = min(1.0 - MOTION_MARGIN, job.promised_motion + MOTION_MARGIN)
    # Rounded, as the message and the report name it.
    if job.promised_motion and round(share, 2) < max(needed, job.promised_motion):
        raise PromiseNotKept(
            f"Clips were found for {share:.0%} of the video, and the channel promises motion in "
            f"{job.promised_motion:.0%}, for which {max(needed, job.promised_motion):.0%} are needed: some "
            "clips hardly move. Nothing was rendered. Photographs and generated images stand still and don't "
            "count. Check the key pexels/api_key and its quota and retry the video, or remake it "
            "in the visual style mixed or typographic (POST …/remake)."
        )


def without_replacing(timeline: dict[str, Any]) -> dict[str, Any]:
    """Return the timeline for a renderer that cannot ask for other clips."""
    scenes = [
        {
            **scene,
            "shots": [
                {
                    **shot,
                    "visual": {
                        name: value for name, value in shot["visual"].items() if name != "replaceable"
                    },
                }
                for shot in scene["shots"]
            ],
        }
        for scene in timeline["scenes"]
    ]
    return {**timeline, "scenes": scenes}


def without_overlays(timeline: dict[str, Any]) -> dict[str, Any]:
    """Return the timeline for a renderer that sets no cards over footage and moves nothing around numbers."""

    def plain(visual: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in visual.items() if not name.startswith("overlay")}
        if card := kept.get("generated"):
            kept["generated"] = {name: value for name, value in card.items() if name != "figure"}
        return kept

    scenes = [
        {**scene, "shots": [{**shot, "visual": plain(shot["visual"])} for shot in scene["shots"]]}
        for scene in timeline["scenes"]
    ]
    return {**timeline, "scenes": scenes}


def as_version_1(timeline: dict[str, Any]) -> dict[str, Any]:
    """Return the timeline for a renderer that knows no shots: each shot is a scene.

    Heading and narration are those of a scene's first shot; the narration goes on over the others. An
    execution that began before the renderer's release names a renderer of version 1.
    """
    scenes = [
        {
            **shot,
            "visual": _visual_of_version_1(shot["visual"]),
            "heading": scene["heading"] if number == 0 else None,
            "narration": _narration_1(scene["narration"]) if number == 0 else None,
        }
        for scene in timeline["scenes"]
        for number, shot in enumerate(scene["shots"])
    ]
    music = {**timeline["music"], "mood": moods.NEAREST_OF_THREE[timeline["music"]["mood"]]}
    del music["start_s"]
    return {**timeline, "schema_version": 1, "scenes": scenes, "music": music}


def _visual_of_version_1(visual: dict[str, Any]) -> dict[str, Any]:
    if "asset" not in visual:
        return visual
    known = ("uri", "sha256", "source", "author", "licence")
    return {**visual, "asset": {name: visual["asset"][name] for name in known}}


def duration(timeline: dict[str, Any]) -> float:
    """Return the seconds of the whole video."""
    last = timeline["scenes"][-1]
    return float(last.get("shots", [last])[-1]["end_s"])


def chapters(timeline: dict[str, Any]) -> list[tuple[float, str]]:
    """Return (start, heading) of the scenes where a new heading begins."""
    found: list[tuple[float, str]] = []
    for scene in timeline["scenes"]:
        if scene["heading"] and (not found or found[-1][1] != scene["heading"]):
            found.append((scene.get("shots", [scene])[0]["start_s"], scene["heading"]))
    return found


def headings(script: Script) -> list[str | None]:
    """Return the heading of each passage: the hook and the call to action have none."""
    return [
        (scene.heading[:HEADING_CHARACTERS] or None) if scene else None for scene in script.scene_of_passage
    ]


def _scenes(
    job: Job, script: Script, recordings: list[Recording], pictures: list[list[Picture]]
) -> list[dict[str, Any]]:
    scenes: list[dict[str, Any]] = []
    spoken_from, cut, pause = LEAD_IN_SECONDS, 0.0, _pause(job, recordings)
    kinds = _TRANSITIONS[job.style]
    # The motion of the next shot, counted over the whole video.
    turn, template = itertools.count(job.seed), ""
    for index, (recording, chosen, heading) in enumerate(
        zip(recordings, pictures, headings(script), strict=True)
    ):
        spoken_to = spoken_from + recording.duration_seconds
        last = index == len(recordings) - 1
        end = spoken_to + (TAIL_SECONDS if last else pause / 2)
        narration = _narration(recording, spoken_from, job.language)
        into = "cut" if index == 0 else kinds[(job.seed + index) % len(kinds)]
        placed = [each.model_copy(update={"place": place}) for place, each in enumerate(chosen)]
        timed, template = _alternating(_timed(placed, narration["words"], cut, end), template)
        shots = [
            {
                "id": name,
                "start_s": round(first, 3),
                "end_s": round(last, 3),
                "visual": _with_card(
                    _visual(picture, heading, next(turn), last - first), picture, (first, last), narration
                ),
                # Inside a scene the picture changes with the thought: a hard cut, as in any edited film.
                "transition": {
                    "kind": "cut" if number else into,
                    "duration_s": TRANSITION_SECONDS,
                },
            }
            for number, (name, (first, last, picture)) in enumerate(
                zip(_names(index, timed), timed, strict=True)
            )
        ]
        scenes.append({"id": str(index), "heading": heading, "narration": narration, "shots": shots})
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


type _Timed = tuple[float, float, Picture]


def _names(scene: int, shots: list[_Timed]) -> list[str]:
    """Return the ids of a scene's shots, by which `visuals.place_of` finds what was planned."""
    counts: Counter[int] = Counter()
    found = []
    for _, _, picture in shots:
        part = counts[picture.place]
        counts[picture.place] += 1
        found.append(f"{scene}-{picture.place}" + (f".{part}" if part else ""))
    return found


def _timed(chosen: list[Picture], words: list[dict[str, Any]], start: float, end: float) -> list[_Timed]:
    """Return (start, end, picture) of a scene's shots in [start, end], none too short and none too long."""
    edges, at = [start], 0
    for picture in chosen[:-1]:
        at += picture.words or 0
        edges.append(_cut_before(words, at, start, end))
    edges.append(end)
    shots = [
        (first, last, each) for (first, last), each in zip(itertools.pairwise(edges), chosen, strict=True)
    ]
    while len(shots) > 1 and min(last - first for first, last, _ in shots) < SHORTEST_SHOT_SECONDS:
        shots = _without_shortest(shots)
    return [last for shot in shots for part in _divided(shot, words) for last in _led_in(part, words)]


def _cut_before(words: list[dict[str, Any]], at: int, start: float, end: float) -> float:
    """Return the time of a cut before the word at this index: in the pause, or just before the word."""
    if not 0 < at < len(words):
        return start if at <= 0 else end
    before, after = words[at - 1]["end_s"], words[at]["start_s"]
    return float(max((before + after) / 2, after - CUT_LEAD_SECONDS))


def _without_shortest(shots: list[_Timed]) -> list[_Timed]:
    """Join the shortest shot with the shorter of its neighbours. The longer one's picture is shown."""
    lengths = [last - first for first, last, _ in shots]
    index = lengths.index(min(lengths))
    beside = min((each for each in (index - 1, index + 1) if 0 <= each < len(shots)), key=lengths.__getitem__)
    left, right = sorted((index, beside))
    picture = shots[max(left, right, key=lengths.__getitem__)][2]
    return [*shots[:left], (shots[left][0], shots[right][1], picture), *shots[right + 1 :]]


def _divided(shot: _Timed, words: list[dict[str, Any]]) -> list[_Timed]:
    """Divide a shot that is too long at the pause nearest to equal parts.

    A photograph goes on in another framing, and a generated card is one of the parts; a clip moves by itself.
    """
    first, last, picture = shot
    count = int((last - first) // LONGEST_SHOT_SECONDS) + 1
    # A cut lies before its word's start, so the cuts themselves are compared, not the words.
    inside = [
        cut
        for cut in (_cut_before(words, at, first, last) for at in range(1, len(words)))
        if first + SHORTEST_SHOT_SECONDS <= cut <= last - SHORTEST_SHOT_SECONDS
    ]
    if count == 1 or picture.kind == "clip" or len(inside) < count - 1:
        return [shot]
    cuts: list[float] = []
    for aim in (first + (last - first) * number / count for number in range(1, count)):
        free = [cut for cut in inside if not cuts or cut >= cuts[-1] + SHORTEST_SHOT_SECONDS]
        if free:
            cuts.append(min(free, key=lambda cut: abs(cut - aim)))
    parts = list(itertools.pairwise([first, *cuts, last]))
    card = picture.generated if picture.kind == "generated" else None
    if not card:
        return [(*part, picture) for part in parts]
    # A figure is shown while it is spoken, and its subject before and after it.
    spoken = (_figure_place(card, _words_in(words, *part)) is not None for part in parts)
    shows = next((number for number, found in enumerate(spoken) if found), 0)
    about = card.get("text") if card["template"] == "number" else None
    return [
        (*part, picture if number == shows else _beside(picture, _words_in(words, *part), about))
        for number, part in enumerate(parts)
    ]


def _alternating(shots: list[_Timed], before: str) -> tuple[list[_Timed], str]:
    """Return the shots with no phrase after a phrase and no title after a title, and the last template.

    The planned ones differ, but some of them were joined or divided. `before` is the template of the shot
    before these.
    """
    found = []
    for first, last, picture in shots:
        card = (picture.generated or {}) if picture.kind == "generated" else {}
        same = card.get("template") == before
        before = _OTHERS.get(before, before) if same else card.get("template", "")
        shown = (
            picture.model_copy(update={"generated": {**card, "template": before}})
            if same and card
            else picture
        )
        found.append((first, last, shown))
    return found, before


def _led_in(shot: _Timed, words: list[dict[str, Any]]) -> list[_Timed]:
    """Divide a shot whose number is typeset alone and spoken late: before it, the words that lead to it."""
    first, last, picture = shot
    card = picture.generated or {}
    spoken = _words_in(words, first, last)
    place = (
        _figure_place(card, spoken) if picture.kind == "generated" and card["template"] == "number" else None
    )
    if not place or spoken[place]["start_s"] - first <= LONGEST_LEAD_SECONDS:
        return [shot]
    at, number_s = words.index(spoken[0]), spoken[place]["start_s"]
    options = []
    for before, word in enumerate(spoken[:place]):
        cut = _cut_before(words, at + before + 1, first, last)
        if first + SHORTEST_SHOT_SECONDS <= cut <= last - SHORTEST_SHOT_SECONDS:
            # Seconds until the number, and more where a cut parts what belongs together.
            options.append((number_s - cut + _parting_cost(word["text"]), cut))
    if not options:
        return [shot]
    cut = min(options)[1]
    return [(first, cut, _beside(picture, _words_in(words, first, cut))), (cut, last, picture)]


def _parting_cost(word: str) -> float:
    """Return what a cut after this word costs, in seconds: nothing after a clause, most after a name."""
    if word[-1:] in ",;:—–.!?…":
        return 0.0
    return 1.2 if word[:1].isupper() else 0.5


def _beside(picture: Picture, words: list[dict[str, Any]], about: str | None = None) -> Picture:
    """Return what is seen beside a card's own time: what it is `about`, else the words that are spoken."""
    text = " ".join(word["text"] for word in words)
    plain: dict[str, Any] = {"template": "gradient"}
    if about:
        plain = {"template": "title", "text": about}
    elif 0 < len(text) <= _READ_CHARACTERS:
        is_whole = text[-1] in ".!?…"
        plain = {"template": "phrase", "text": text if is_whole else f"{text.rstrip(',;:')}…"}
    return picture.model_copy(update={"generated": plain})


def align(recording: Recording, language: str) -> captions.Alignment:
    """Return the words of a recording with their times, repaired where the provider's times are wrong."""
    given = recording.characters, recording.starts, recording.ends
    return captions.align(recording.text, *given, recording.duration_seconds, language)


def _narration_1(narration: dict[str, Any]) -> dict[str, Any]:
    """Return a narration without what a renderer of version 1 refuses."""
    names = ("text", "start_s", "end_s")
    return {**narration, "words": [{name: word[name] for name in names} for word in narration["words"]]}


def _narration(recording: Recording, start: float, language: str) -> dict[str, Any]:
    words = align(recording, language).words
    ends = sentence_ends(recording.text, [word.text for word in words], language)
    placed = [
        {
            "text": word.text,
            "start_s": round(start + word.start_s, 3),
            "end_s": round(start + word.end_s, 3),
            # The renderer, which has no sentence splitter, breaks captions at sentences, not after "Prof.".
            "ends_sentence": index in ends,
        }
        for index, word in enumerate(words)
    ]
    return {
        "audio": {"uri": recording.uri, "sha256": recording.sha256},
        "start_s": round(start, 3),
        "duration_s": recording.duration_seconds,
        "words": placed,
    }


def _visual(picture: Picture, heading: str | None, turn: int, seconds: float) -> dict[str, Any]:
    """Return the visual of a shot of so many seconds; `turn` chooses motion and framing."""
    motion = {"kind": _MOTIONS[turn % len(_MOTIONS)], "amount": _AMOUNTS[turn % len(_AMOUNTS)]}
    visual: dict[str, Any] = {"kind": picture.kind, "fit": "smart", "motion": motion}
    if picture.kind == "generated":
        card = picture.generated or {"template": "gradient"}
        # The heading is shown above the card, so a card doesn't repeat it. A number shows no text of its own.
        repeats = (
            card["template"] in ("phrase", "title", "quote")
            and heading
            and " ".join(heading.casefold().split()) == (card.get("text") or "").casefold()
        )
        return {**visual, "generated": {"template": "gradient"} if repeats else card}
    spare = (picture.seconds or 0.0) - seconds - TRANSITION_SECONDS
    if spare > 0:
        # The first moments of a clip are often a fade or a shaking camera.
        visual["trim"] = {"start_s": round(min(_CLIP_OPENING_SECONDS, spare / 2), 3)}
    if picture.kind == "clip" and picture.library and picture.rejected < visuals.MOST_REJECTED:
        visual["replaceable"] = True
    return {
        **visual,
        "asset": {
            "uri": picture.uri,
            "sha256": picture.sha256,
            "source": picture.source,
            "author": picture.author,
            "licence": picture.licence,
            "licence_url": picture.licence_url,
            "fetched_at": picture.fetched_at,
        },
    }


def _with_card(
    visual: dict[str, Any], picture: Picture, seen: tuple[float, float], narration: dict[str, Any]
) -> dict[str, Any]:
    """Return the visual of a shot in the seconds `seen` with its card over it, and the times of its figure.

    A figure appears when it is spoken. Over footage it is seen until its sentence ends, other cards as long
    as their shot.
    """
    if picture.overlay:
        until = _read_until(picture.overlay, seen, narration)
        visual = {**visual, "overlay": picture.overlay, "overlay_end_s": until}
    name = "overlay" if picture.overlay else "generated"
    card = visual.get(name) or {}
    words = _words_in(narration["words"], *seen)
    place = _figure_place(card, words)
    if place is None or not card.get("figure"):
        return visual
    spoken_s = round(max(seen[0], words[place]["start_s"]), 3)
    return {**visual, name: {**card, "figure": {**card["figure"], "spoken_s": spoken_s}}}


def _words_in(words: list[dict[str, Any]], first: float, last: float) -> list[dict[str, Any]]:
    return [word for word in words if first <= word["start_s"] < last]


def _figure_place(card: dict[str, Any], words: list[dict[str, Any]]) -> int | None:
    """Return the index of the word with which a card's figure is spoken, None if it has or finds none."""
    # The first number of the value: the sign of its unit is spoken as a word.
    number = re.search(r"\d(?:[\d.,’ \u00a0\u202f]*\d)?", card.get("value") or "")
    found = cards.find_words(number[0], [word["text"] for word in words]) if number else None
    return found[0] if found else None


def _read_until(card: dict[str, Any], seen: tuple[float, float], narration: dict[str, Any]) -> float:
    """Return when a card leaves a shot: after the sentence about its figure, or with the shot."""
    first, last = seen
    words = _words_in(narration["words"], first, last)
    place = _figure_place(card, words)
    if place is None:
        return round(last, 3)
    end = next((word["end_s"] for word in words[place:] if word["ends_sentence"]), last)
    until = max(end + CARD_LINGERS_SECONDS, words[place]["start_s"] + SHORTEST_OVERLAY_SECONDS)
    return round(until if until < last - SHORTEST_SHOT_SECONDS / 2 else last, 3)


def _title_card(script: Script, first: Recording) -> dict[str, Any]:
    shortest, longest = TITLE_SECONDS
    end = min(longest, max(shortest, LEAD_IN_SECONDS + first.duration_seconds))
    return {"text": script.title, "kicker": None, "start_s": 0.0, "end_s": round(end, 3)}


def _music(job: Job, script: Script, found: dict[str, Any] | None) -> dict[str, Any]:
    """Return the music: the user's own, else what was found in a library, else a track of the mood."""
    own = next((asset for asset in job.assets if asset.kind == "audio"), None)
    asset = _asset(own.key, own.sha256) if own else None
    if asset is None and found:
        asset = _asset(found["uri"], found["sha256"])
    return {
        "asset": asset,
        "start_s": job.music_start_seconds,
        "mood": moods.of_script(script, job.style, job.language),
        "level_db": -22.0,
        "duck_db": 12.0,
    }


def _asset_of_logo(job: Job) -> dict[str, str] | None:
    return _asset(job.logo.key, job.logo.sha256) if job.logo else None


def _asset(uri: str, sha256: str) -> dict[str, str]:
    return {"uri": uri, "sha256": sha256}
