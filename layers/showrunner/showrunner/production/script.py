"""A script: its shape, what is asked of a model, and the rules that an answer must keep."""

import json
import re
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from showrunner.production.job import PART_SECONDS, Job
from showrunner.production.text import count_words, is_speakable

# https://developers.google.com/youtube/v3/docs/videos: snippet.title, snippet.description (bytes),
# snippet.tags.
TITLE_CHARACTERS = 100
DESCRIPTION_BYTES = 5000
TAGS_CHARACTERS = 500
# How far the number of words may be off what the length needs: beyond it the video is audibly too short or
# too long.
WORDS_TOLERANCE = 0.10
# A tenth of a short part is less than models can count: 2 words of 20 were hit by chance only.
WORDS_TOLERANCE_WORDS = 8
# Of several answers that miss the length, the closest is taken if it is off by this many tolerances at most.
CLOSE_ENOUGH = 2

# Names of the libraries in credits.
LIBRARIES = {
    "pexels": "Pexels",
    "pixabay": "Pixabay",
    "commons": "Wikimedia Commons",
    "nasa": "NASA",
    "openai": "OpenAI",
}

# More scenes than this in one answer of a model (two minutes) flicker, and are a fault of the answer.
MAX_ANSWER_SCENES = 60
# timeline.schema.json allows 200 characters; a longer heading can't be read on a phone.
HEADING_CHARACTERS = 80
# The hook and the call to action are one recording each.
FRAME_CHARACTERS = 400

Template = Literal[
    "title", "phrase", "number", "list", "quote", "chart_bar", "chart_line", "counter", "steps", "gradient"
]
# What a shot shows: a moving or a still picture, or one of the kinds of text that are typeset.
Kind = Literal["footage", "photograph", "chart", "number", "quote", "list", "diagram", "title"]


def _require_all(schema: dict[str, Any]) -> None:
    """Require every key, and name no default, as structured output wants it."""
    schema["required"] = list(schema["properties"])
    for each in schema["properties"].values():
        each.pop("default", None)


class _Strict(BaseModel):
    # Structured output wants every key required and no others (https://platform.openai.com/docs/guides/structured-outputs).
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_require_all)


class Figure(_Strict):
    label: str
    value: float


class Visual(_Strict):
    """The picture of a scene. `description` finds footage; the rest typesets a backdrop if there is none."""

    description: str
    template: Template
    text: str | None
    items: list[str]
    value: str | None
    label: str | None
    attribution: str | None
    series: list[Figure]


class ShotDescription(_Strict):
    """Describe what one shot of a scene shows.

    `begins`: the shot's first words, as the narration has them. `searches`: phrases for stock libraries, the
    best first. `avoid`: what must not appear.
    """

    begins: str
    kind: Kind
    searches: list[str]
    avoid: list[str]


class Scene(_Strict):
    """A scene's texts. `visual` has the words and figures of its card; scripts of users have no `shots`."""

    heading: str
    narration: str
    visual: Visual
    shots: list[ShotDescription] = []


class Script(_Strict):
    """The spoken texts in their order (hook, scenes, call to action), with the pictures of the scenes."""

    title: str
    description: str
    tags: list[str]
    hook: str
    scenes: list[Scene]
    call_to_action: str

    @property
    def passages(self) -> list[str]:
        """Return what the voice speaks, one recording each. Texts without a letter or digit are left out."""
        return [
            text
            for text in (self.hook, *(scene.narration for scene in self.scenes), self.call_to_action)
            if is_speakable(text)
        ]

    @property
    def scene_of_passage(self) -> list[Scene | None]:
        """Return the scene of each passage, None for the hook and the call to action."""
        opening: list[Scene | None] = [None] if is_speakable(self.hook) else []
        closing: list[Scene | None] = [None] if is_speakable(self.call_to_action) else []
        return [*opening, *(scene for scene in self.scenes if is_speakable(scene.narration)), *closing]

    @property
    def narrations(self) -> list[int]:
        """Return the passages to record: of those with the same text only the first."""
        return [index for index, text in enumerate(self.passages) if text not in self.passages[:index]]


class OutlinePart(_Strict):
    heading: str
    points: list[str]


class Outline(_Strict):
    """The plan of a long video: everything but its narration."""

    title: str
    description: str
    tags: list[str]
    hook: str
    parts: list[OutlinePart]
    call_to_action: str


class Part(_Strict):
    scenes: list[Scene]


class ModelAnswer(NamedTuple):
    """The text that a model returned. `is_cut`: it ended at the limit of tokens."""

    text: str
    is_cut: bool = False


class Question(BaseModel):
    """One request to a model: how the answer must look, and which rules it must keep.

    `instructions` and `source` are the same for all questions about a video: together they are what the
    provider caches.
    """

    model_config = ConfigDict(frozen=True)
    shape: Literal["Script", "Outline", "Part"]
    instructions: str
    source: str
    prompt: str
    words_target: int
    part_count: int = 0

    @property
    def schema_(self) -> dict[str, Any]:
        return _SHAPES[self.shape].model_json_schema()

    @property
    def constant(self) -> str:
        return f"{self.instructions}\n\n{self.source}" if self.source else self.instructions


_SHAPES: dict[str, type[_Strict]] = {"Script": Script, "Outline": Outline, "Part": Part}

_INSTRUCTIONS = """You write scripts for narrated videos on YouTube.
You answer with the JSON that the schema describes and nothing else.
Rules:
- The voice speaks the hook, every scene's narration in order, then the call to action.
  Together they must come within {tolerance} % of words_target, or {tolerance_words} words if that is more.
- Write for the ear: plain sentences of at most 20 words, no lists, no stage directions, no emojis,
  no headings inside the narration.
- State only what the source text says; where there is none, only what is well established.
  Never invent figures, names or quotations.
- The hook has at most 20 words and gives a reason to stay.
  The first scene must stand on its own: no "However", no pronoun without its noun.
- title: at most 100 characters. description: two or three sentences. tags: 5 to 12, without "#",
  names and nouns that viewers search for.
- visual.description: what footage would show, in English, at most 12 words, concrete.
- visual.template typesets a backdrop: "number" when the narration turns on one figure
  (value and label filled; text: what it is about in at most 4 words),
  "chart_bar" or "chart_line" for two or more comparable figures (series; label: their unit),
  "list" for enumerations (2 to 4 short items), "steps" for a process (2 to 5 short items in order),
  "quote" for a quotation (text, attribution),
  else "phrase" (text: the scene's key phrase, at most 6 words). Unused fields are null or empty.
  Write value, items and text as the narration has them: they are shown while they are spoken.
- shots divide a scene's narration into pictures of 2 to 6 seconds (5 to 15 words), at the ends of
  sentences and clauses. begins: the first three words of the shot, exactly as in the narration.
  kind: "footage" for what moves, "photograph" for what stands still, and for the words of visual, once
  in a scene, "number", "chart" (chart_bar, chart_line), "list", "diagram" (steps) or "quote";
  "title" for a few words that deserve to stand alone. Kinds take turns.
  searches: 2 or 3 phrases, always in English, of 2 to 5 words that find this picture in a stock
  library, the most exact first: things one can see, no ideas, and no names of persons, products or
  small places.
  avoid: at most 5 words, also in English, for what must not appear, such as another sense of a word
  (["money"] for the bank of a river); empty if nothing can be confused.
- channel says where the video appears: its niche, what it is about, and for whom it is. Choose angle,
  examples and vocabulary for that audience; never mention the channel or its audience.
- Style {style}: {style_words}. Language of everything but visual.description: {language}."""

_STYLES = {
    "educational": "explain one thing at a time, concrete before abstract, an example for each claim",
    "entertainment": "lively, surprising turns, short sentences, a wink but no exaggeration",
    "news": "the most important fact first, then who, when and why; sober, no opinion",
}


def question(job: Job) -> Question:
    """Return the question for the whole of a short script, or for the outline of a long one."""
    if job.is_long:
        return Question(
            shape="Outline",
            instructions=_instructions(job),
            source=_source(job),
            prompt=_prompt(job, {"part_count": part_count(job)}),
            words_target=0,
            part_count=part_count(job),
        )
    return Question(
        shape="Script",
        instructions=_instructions(job),
        source=_source(job),
        prompt=_prompt(job, {}),
        words_target=job.words_target,
    )


def part_count(job: Job) -> int:
    return max(2, round(job.length_seconds / PART_SECONDS))


def part_question(job: Job, outline: Outline, written: list[Part]) -> Question:
    """Return the question for the next part of a long script, which must not repeat the parts before it."""
    index = len(written)
    framing = count_words(outline.hook) + count_words(outline.call_to_action)
    so_far = sum(count_words(scene.narration) for part in written for scene in part.scenes)
    # The remaining words are divided again before each part, so that the parts' errors don't add up.
    words = max(20, round((job.words_target - framing - so_far) / (len(outline.parts) - index)))
    covered = [scene.narration for part in written for scene in part.scenes]
    part = {
        "index": index,
        "of": len(outline.parts),
        "heading": outline.parts[index].heading,
        "points": outline.parts[index].points,
        "words_target": words,
        "covered": covered,
    }
    scenes = max(1, round(job.scene_count / len(outline.parts)))
    prompt = _prompt(
        job, {"outline": outline.model_dump(), "part": part, "words_target": words, "scene_count": scenes}
    )
    return Question(
        shape="Part", instructions=_instructions(job), source=_source(job), prompt=prompt, words_target=words
    )


_CUT_OFF = (
    "answer: it was cut off at the limit of tokens; think and write less: "
    "short descriptions, empty fields where they may be empty, the same words of narration"
)


def repair(asked: Question, answer: ModelAnswer, breaches: list[str]) -> Question:
    """Return the question of the last try: the same one with the answer and what is wrong with it.

    An answer that was cut off is not repeated: it would only make the prompt longer.
    """
    complaint = (
        "Your answer breaks these rules:\n- "
        + "\n- ".join(breaches)
        + "\nAnswer again, the whole JSON, with these mended and the rest kept."
    )
    shown = "" if answer.is_cut or not answer.text.strip() else f"You answered:\n{answer.text}\n\n"
    return asked.model_copy(update={"prompt": f"{asked.prompt}\n\n{shown}{complaint}"})


def read(asked: Question, given: ModelAnswer) -> tuple[Script | Outline | Part | None, list[str]]:
    """Return the answer and what is wrong with it, in words that a model can act on.

    None: not of the shape at all.
    """
    if given.is_cut:
        return None, [_CUT_OFF]
    if not given.text.strip():
        return None, ["answer: it is empty"]
    try:
        found = _SHAPES[asked.shape].model_validate_json(_json_of(given.text))
    except ValidationError as error:
        return None, [
            f"{'.'.join(str(place) for place in each['loc']) or 'answer'}: {each['msg']}"
            for each in error.errors()[:10]
        ]
    return found, _breaches(asked, found)  # type: ignore[arg-type, return-value]


def _json_of(answer: str) -> str:
    """Return the JSON object of an answer that has a Markdown code fence or a sentence around it."""
    first, last = answer.find("{"), answer.rfind("}")
    return answer[first : last + 1] if 0 <= first < last else answer


def assemble(outline: Outline, parts: list[Part]) -> Script:
    scenes = [scene for part in parts for scene in part.scenes]
    return Script(**outline.model_dump(exclude={"parts"}), scenes=scenes)


def tags_length(tags: list[str]) -> int:
    """Return the length of the tags as YouTube counts it.

    Commas between tags count, and a tag with a space counts two more for the quotes around it.
    https://developers.google.com/youtube/v3/docs/videos#snippet.tags[]
    """
    return sum(len(tag) + (2 if " " in tag else 0) for tag in tags) + max(0, len(tags) - 1)


def with_chapters(description: str, chapters: list[tuple[float, str]]) -> str:
    """Return the description with a line for each chapter: (start in seconds, heading).

    YouTube shows chapters if there are three or more, the first at 0:00, each of ten seconds or longer:
    https://support.google.com/youtube/answer/9884579
    """
    kept: list[tuple[float, str]] = []
    for start, heading in chapters:
        if heading and (not kept or start - kept[-1][0] >= 10):
            kept.append((start if kept else 0.0, heading))
    if len(kept) < 3:
        return description
    lines = "\n".join(f"{_clock(start)} {heading}" for start, heading in kept)
    whole = f"{description}\n\n{lines}"
    return whole if len(whole.encode()) <= DESCRIPTION_BYTES else description


def with_credits(description: str, shown: list[dict[str, Any]]) -> str:
    """Return the description with the authors of what is shown, as the visuals step stored it.

    Libraries ask for a line each (https://www.pexels.com/api/documentation/#guidelines), which is left out
    where there is no room. A licence that demands a credit gets one with its address and the work's: for it
    the description is shortened.
    """
    named: dict[str, dict[str, None]] = {}
    demanded: dict[str, None] = {}
    for each in shown:
        # What an earlier release stored is from Pexels, or is an upload or typeset and has no author.
        if not each.get("author"):
            continue
        author = _one_line(each["author"])[:60]
        kind = {"clip": "Videos", "audio": "Music"}.get(each["kind"], "Photos")
        if each.get("library") == "openai":
            kind = "Images"
        if each.get("must_credit"):
            changed = "shortened" if kind == "Music" else "cropped"
            line = f"{each['licence']} {each['licence_url']}, {changed}: {each['source']}"
            demanded[f"{kind.removesuffix('s')} by {author}, {line}"] = None
        else:
            named.setdefault(f"{kind}: %s ({LIBRARIES[each.get('library') or 'pexels']})", {})[author] = None
    asked = [line % ", ".join(authors) for line, authors in sorted(named.items(), reverse=True)]
    must = "\n".join(demanded)
    room = DESCRIPTION_BYTES - len(must.encode()) - 2
    text = description
    if must and len(text.encode()) > room:
        text = text.encode()[: max(0, room)].decode(errors="ignore")
    whole = "\n".join([f"{text}\n", *asked])
    if asked and len(whole.encode()) <= (room if must else DESCRIPTION_BYTES):
        return f"{whole}\n{must}" if must else whole
    return f"{text}\n\n{must}" if must else text


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"[<>]", "", text).split())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _instructions(job: Job) -> str:
    return _INSTRUCTIONS.format(
        tolerance=round(WORDS_TOLERANCE * 100),
        tolerance_words=WORDS_TOLERANCE_WORDS,
        style=job.style,
        style_words=_STYLES[job.style],
        language=job.language,
    )


def _prompt(job: Job, more: dict[str, Any]) -> str:
    brief = {
        "topic": job.topic,
        "style": job.style,
        "length_seconds": job.length_seconds,
        "words_target": job.words_target,
        "words_tolerance": WORDS_TOLERANCE,
        "words_tolerance_at_least": WORDS_TOLERANCE_WORDS,
        "scene_count": job.scene_count,
        "language": job.language,
        "channel": job.channel,
        "outline": None,
        "part": None,
        **more,
    }
    # Without "<" no text of a user can end the brief.
    text = json.dumps(brief, ensure_ascii=False).replace("<", "\\u003c")
    return f"<brief>\n{text}\n</brief>"


def _source(job: Job) -> str:
    """Return the user's text between marks; marks inside it are removed. It is data, not instructions."""
    source = re.sub(r"</?(source_text|brief)>", "", job.source_text or "")
    return f"<source_text>\n{source}\n</source_text>" if source.strip() else ""


def _breaches(asked: Question, found: Script | Outline | Part) -> list[str]:
    match found:
        case Script():
            return [
                *_frame_breaches(found),
                *_scene_breaches(found.scenes),
                *_length_breaches(sum(map(count_words, found.passages)), asked.words_target),
            ]
        case Outline():
            wrong = (
                []
                if len(found.parts) == asked.part_count
                else [f"parts: there must be {asked.part_count}, there are {len(found.parts)}"]
            )
            return [*_frame_breaches(found), *wrong]
        case Part():
            return [
                *_scene_breaches(found.scenes),
                *_length_breaches(
                    sum(count_words(scene.narration) for scene in found.scenes), asked.words_target
                ),
            ]


def _frame_breaches(found: Script | Outline) -> list[str]:
    wrong = []
    if not 1 <= len(found.title.strip()) <= TITLE_CHARACTERS:
        wrong.append(
            f"title: must have 1 to {TITLE_CHARACTERS} characters, it has {len(found.title.strip())}"
        )
    if re.search(r"[<>]", found.title + found.description):
        wrong.append("title and description: must not contain < or >")
    if len(found.description.encode()) > DESCRIPTION_BYTES:
        wrong.append(f"description: must be at most {DESCRIPTION_BYTES} bytes")
    if not is_speakable(found.hook):
        wrong.append("hook: must have words, not only signs or emoji")
    wrong += [
        f"{name}: must have at most {FRAME_CHARACTERS} characters, it has {len(text)}"
        for name, text in (("hook", found.hook), ("call_to_action", found.call_to_action))
        if len(text) > FRAME_CHARACTERS
    ]
    return wrong


def _scene_breaches(scenes: list[Scene]) -> list[str]:
    if not scenes:
        return ["scenes: must not be empty"]
    if len(scenes) > MAX_ANSWER_SCENES:
        return [f"scenes: there must be at most {MAX_ANSWER_SCENES}, there are {len(scenes)}"]
    return [
        f"scenes.{index}.narration: must have words, not only signs or emoji"
        for index, scene in enumerate(scenes)
        if not is_speakable(scene.narration)
    ]


def _length_breaches(words: int, target: int) -> list[str]:
    allowed = words_tolerance(target)
    if abs(words - target) <= allowed:
        return []
    return [
        (
            f"length: hook, narration and call to action together must have {target} words "
            f"(at most {allowed} more or fewer), they have {words}"
        )
    ]


def words_tolerance(target: int) -> int:
    """Return by how many words an answer may miss its target."""
    return max(round(target * WORDS_TOLERANCE), WORDS_TOLERANCE_WORDS)


def closest(asked: Question, answers: list[Script | Outline | Part]) -> Script | Outline | Part | None:
    """Return the answer closest to its length if it breaks no other rule, None if none is close enough."""

    def off(found: Script | Outline | Part) -> int:
        spoken = (
            found.passages
            if isinstance(found, Script)
            else [scene.narration for scene in getattr(found, "scenes", [])]
        )
        return abs(sum(map(count_words, spoken)) - asked.words_target)

    usable = [
        found for found in answers if all(breach.startswith("length:") for breach in _breaches(asked, found))
    ]
    best = min(usable, key=off, default=None)
    return (
        best if best is not None and off(best) <= CLOSE_ENOUGH * words_tolerance(asked.words_target) else None
    )
