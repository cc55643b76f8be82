"""Read timeline.json: validate it against timeline.schema.json and return it as typed objects with all
defaults set.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from render.errors import TimelineInvalid

SCHEMA_FILE = Path(__file__).parents[1] / "timeline.schema.json"

# The planning step rounds times to milliseconds. A gap of more than one frame at 60 fps is a mistake, not
# rounding.
GAP_TOLERANCE_S = 1 / 60


@dataclass(frozen=True)
class Asset:
    uri: str
    sha256: str | None = None


@dataclass(frozen=True)
class Palette:
    background: str = "#0f1226"
    surface: str = "#1b2040"
    primary: str = "#5b7cfa"
    accent: str = "#ffb84d"
    text: str = "#f7f8ff"


@dataclass(frozen=True)
class Margins:
    """Safe-area margins: the share of the width (left, right) or height (top, bottom) that a platform's
    controls cover.
    """

    top: float
    right: float
    bottom: float
    left: float


# Shorts, Reels and TikTok cover about the lower quarter and a strip at the right; players cover the last
# tenth of a wide video while paused.
_SAFE_TALL = Margins(0.15, 0.11, 0.25, 0.11)
_SAFE_WIDE = Margins(0.06, 0.06, 0.10, 0.06)
_SAFE_SQUARE = Margins(0.07, 0.07, 0.10, 0.07)


@dataclass(frozen=True)
class Output:
    name: str
    width: int
    height: int
    codec: str = "h264"
    safe_area: Margins = _SAFE_TALL

    @property
    def shape(self) -> str:
        ratio = self.width / self.height
        return "tall" if ratio < 0.8 else "wide" if ratio > 1.25 else "square"


@dataclass(frozen=True)
class Word:
    """A spoken word with its punctuation, and its time in the video.

    `ends_sentence` is None if the plan doesn't say it.
    """

    text: str
    start_s: float
    end_s: float
    ends_sentence: bool | None = None


@dataclass(frozen=True)
class Narration:
    audio: Asset
    start_s: float
    duration_s: float
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Figure:
    """Hold what moves around a number: its motif, and the share (0 to 1) or the count that the motif shows.

    The number is spoken at `spoken_s` of the video.
    """

    motif: str
    share: float | None = None
    count: int | None = None
    spoken_s: float | None = None


@dataclass(frozen=True)
class Generated:
    template: str
    text: str | None = None
    items: tuple[str, ...] = ()
    value: str | None = None
    label: str | None = None
    attribution: str | None = None
    series: tuple[tuple[str, float], ...] = ()
    figure: Figure | None = None


@dataclass(frozen=True)
class Framing:
    """Describe how a clip fills an output: `kind` is crop or blur (the whole picture before a blurred copy).

    `path` is the centre of the crop over time: (seconds from the clip's start, x, y), x and y as shares of
    the picture.
    """

    kind: str
    path: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Take:
    """Hold what was measured of a clip (picture/takes.py). It is not part of timeline.json.

    `inset` is the picture inside black borders, as shares: (left, top, right, bottom). `grade` is (gain and
    offset of luma, offsets of U and V). `framings` are by output name.
    """

    inset: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    grade: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    framings: tuple[tuple[str, Framing], ...] = ()


@dataclass(frozen=True)
class Visual:
    """The picture of a shot. `replaceable`: another clip can take its place if this one has a fault.

    `overlay` is a card over an image or clip until `overlay_end_s` of the video, or as long as the shot.
    """

    kind: str
    asset: Asset | None = None
    fit: str = "smart"
    focus: tuple[float, float] | None = None
    trim: tuple[float, float | None] = (0.0, None)
    generated: Generated | None = None
    motion: str = "zoom_in"
    amount: float = 0.12
    take: Take | None = None
    replaceable: bool = False
    overlay: Generated | None = None
    overlay_end_s: float | None = None

    @property
    def card(self) -> Generated | None:
        """Return what is typeset: the generated picture or the card over another one."""
        return self.generated or self.overlay


@dataclass(frozen=True)
class Transition:
    kind: str = "cut"
    duration_s: float = 0.4
    sound: str = "none"


@dataclass(frozen=True)
class Shot:
    """A part of a scene with a picture of its own. `transition` leads into it."""

    id: str
    start_s: float
    end_s: float
    visual: Visual
    transition: Transition = field(default_factory=Transition)


@dataclass(frozen=True)
class Scene:
    """A passage with its heading. Its shots follow one another without a gap and fill it."""

    id: str
    shots: tuple[Shot, ...]
    heading: str | None = None
    narration: Narration | None = None

    @property
    def start_s(self) -> float:
        return self.shots[0].start_s

    @property
    def end_s(self) -> float:
        return self.shots[-1].end_s


@dataclass(frozen=True)
class TitleCard:
    text: str
    start_s: float
    end_s: float
    kicker: str | None = None


@dataclass(frozen=True)
class Music:
    asset: Asset | None = None
    start_s: float = 0.0
    mood: str = "calm"
    level_db: float = -22.0
    duck_db: float = 12.0


@dataclass(frozen=True)
class CaptionStyle:
    preset: str = "bold"
    burn_in: bool = True
    overrides: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Timeline:
    video_id: str
    title: str
    outputs: tuple[Output, ...]
    scenes: tuple[Scene, ...]
    language: str = "en"
    seed: int = 0
    fps: int = 30
    palette: Palette = field(default_factory=Palette)
    font: str | None = None
    logo: Asset | None = None
    title_card: TitleCard | None = None
    music: Music | None = None
    captions: CaptionStyle | None = field(default_factory=CaptionStyle)
    integrated_lufs: float = -14.0
    true_peak_dbtp: float = -1.0
    thumbnail_text: str | None = None
    thumbnail_source: str = "auto"
    demo: bool = False

    @property
    def duration_s(self) -> float:
        return self.frame_count / self.fps

    @property
    def frame_count(self) -> int:
        return round(self.scenes[-1].end_s * self.fps)

    @property
    def shots(self) -> tuple[Shot, ...]:
        """Return the shots of all scenes in order."""
        return tuple(shot for scene in self.scenes for shot in scene.shots)

    def assets(self) -> Iterator[tuple[str, Asset]]:
        """Yield (role, asset) for every asset.

        The role is a phrase for messages: "the logo", "the visual of scene 3".
        """
        if self.logo:
            yield "the logo", self.logo
        for scene in self.scenes:
            for shot in scene.shots:
                if shot.visual.asset:
                    yield f"the visual of scene {shot.id}", shot.visual.asset
            if scene.narration:
                yield f"the narration of scene {scene.id}", scene.narration.audio
        if self.music and self.music.asset:
            yield "the music", self.music.asset

    def texts(self) -> Iterator[str]:
        """Yield every text that is drawn as letters."""
        yield self.title if self.thumbnail_text is None else self.thumbnail_text
        if self.title_card:
            yield from (self.title_card.text, self.title_card.kicker or "")
        for scene in self.scenes:
            yield scene.heading or ""
            if scene.narration:
                yield from (word.text for word in scene.narration.words)
        for plan in (shot.visual.card for shot in self.shots):
            if plan:
                yield from (
                    plan.text or "",
                    plan.value or "",
                    plan.label or "",
                    plan.attribution or "",
                    *plan.items,
                    *(label for label, _ in plan.series),
                )


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


def parse(document: Any) -> Timeline:
    """Validate `document` and return it as a Timeline.

    Raises TimelineInvalid with the first invalid field and the number of further errors.
    """
    faults = sorted(
        _validator().iter_errors(document), key=lambda fault: [str(part) for part in fault.absolute_path]
    )
    if faults:
        first = jsonschema.exceptions.best_match(faults) or faults[0]
        where = ".".join(map(str, first.absolute_path)) or "the document"
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise TimelineInvalid(f"The timeline is not valid at {where}: {first.message[:300]}{more}")
    timeline = _timeline(document)
    _check_times(timeline)
    return timeline


def _timeline(raw: dict[str, Any]) -> Timeline:
    brand, loudness, thumbnail = raw.get("brand") or {}, raw.get("loudness") or {}, raw.get("thumbnail") or {}
    return Timeline(
        video_id=raw["video_id"],
        title=raw["title"],
        outputs=tuple(_output(item) for item in raw["outputs"]),
        scenes=tuple(_scene(item) for item in raw["scenes"]),
        language=raw.get("language", "en"),
        seed=raw.get("seed", 0),
        fps=raw.get("fps", 30),
        palette=replace(Palette(), **(brand.get("palette") or {})),
        font=brand.get("font"),
        logo=_asset(brand.get("logo")),
        title_card=TitleCard(**raw["title_card"]) if raw.get("title_card") else None,
        music=_music(raw.get("music")),
        captions=_captions(raw.get("captions", {})),
        integrated_lufs=float(loudness.get("integrated_lufs", -14)),
        true_peak_dbtp=float(loudness.get("true_peak_dbtp", -1)),
        thumbnail_text=thumbnail.get("text"),
        thumbnail_source=thumbnail.get("source", "auto"),
        demo=raw.get("demo", False),
    )


def _asset(raw: dict[str, Any] | None) -> Asset | None:
    return Asset(raw["uri"], raw.get("sha256")) if raw else None


def _music(raw: dict[str, Any] | None) -> Music | None:
    return None if raw is None else Music(**{**raw, "asset": _asset(raw.get("asset"))})


def _captions(raw: dict[str, Any] | None) -> CaptionStyle | None:
    if raw is None:
        return None
    return CaptionStyle(
        raw.get("preset", "bold"),
        raw.get("burn_in", True),
        tuple(sorted((raw.get("overrides") or {}).items(), key=lambda item: item[0])),
    )


def _output(raw: dict[str, Any]) -> Output:
    plain = Output(raw["name"], raw["width"], raw["height"], raw.get("codec", "h264"))
    margins = {"tall": _SAFE_TALL, "wide": _SAFE_WIDE, "square": _SAFE_SQUARE}[plain.shape]
    return replace(plain, safe_area=replace(margins, **(raw.get("safe_area") or {})))


def _scene(raw: dict[str, Any]) -> Scene:
    # A scene of version 1 has one picture: it is its own shot.
    return Scene(
        id=raw["id"],
        shots=tuple(map(_shot, raw.get("shots") or [raw])),
        heading=(raw.get("heading") or "").strip() or None,
        narration=_narration(raw.get("narration")),
    )


def _shot(raw: dict[str, Any]) -> Shot:
    return Shot(
        id=raw["id"],
        start_s=float(raw["start_s"]),
        end_s=float(raw["end_s"]),
        visual=_visual(raw["visual"]),
        transition=Transition(**(raw.get("transition") or {})),
    )


def _visual(raw: dict[str, Any]) -> Visual:
    motion, trim, focus = raw.get("motion") or {}, raw.get("trim") or {}, raw.get("focus")
    overlay = raw.get("overlay") if raw["kind"] != "generated" else None
    return Visual(
        kind=raw["kind"],
        asset=_asset(raw.get("asset")) if raw["kind"] != "generated" else None,
        fit=raw.get("fit", "smart"),
        focus=(focus["x"], focus["y"]) if focus else None,
        trim=(float(trim.get("start_s", 0)), trim.get("end_s")),
        generated=_generated(raw["generated"]) if raw["kind"] == "generated" else None,
        motion=motion.get("kind", "zoom_in"),
        amount=float(motion.get("amount", 0.12)),
        replaceable=raw.get("replaceable", False),
        overlay=_generated(overlay) if overlay else None,
        overlay_end_s=raw.get("overlay_end_s"),
    )


def _generated(raw: dict[str, Any]) -> Generated:
    series = tuple((point["label"], float(point["value"])) for point in raw.get("series") or [])
    return Generated(
        raw["template"],
        raw.get("text"),
        tuple(raw.get("items") or []),
        raw.get("value"),
        raw.get("label"),
        raw.get("attribution"),
        series,
        Figure(**raw["figure"]) if raw.get("figure") else None,
    )


def _narration(raw: dict[str, Any] | None) -> Narration | None:
    if raw is None:
        return None
    words = tuple(
        Word(word["text"].strip(), float(word["start_s"]), float(word["end_s"]), word.get("ends_sentence"))
        for word in raw["words"]
        if word["text"].strip()
    )
    return Narration(
        Asset(raw["audio"]["uri"], raw["audio"].get("sha256")),
        float(raw["start_s"]),
        float(raw["duration_s"]),
        words,
    )


def _check_times(timeline: Timeline) -> None:
    if len({output.name for output in timeline.outputs}) < len(timeline.outputs):
        raise TimelineInvalid("Two outputs have the same name.")
    expected = 0.0
    for shot in timeline.shots:
        if abs(shot.start_s - expected) > GAP_TOLERANCE_S:
            raise TimelineInvalid(
                f"Scene {shot.id} starts at {shot.start_s:.3f} s, "
                f"but the scene before it ends at {expected:.3f} s."
            )
        if shot.end_s - shot.start_s < 2 / timeline.fps:
            raise TimelineInvalid(f"Scene {shot.id} is shorter than two frames.")
        expected = shot.end_s
    for scene in timeline.scenes:
        _check_narration(scene)


def _check_narration(scene: Scene) -> None:
    previous = 0.0
    for word in scene.narration.words if scene.narration else ():
        if word.end_s < word.start_s or word.start_s < previous - GAP_TOLERANCE_S:
            raise TimelineInvalid(
                f"The words of scene {scene.id} are not in order of time "
                f"at {word.text!r} ({word.start_s:.3f} s)."
            )
        previous = word.start_s
