"""The job document: what the steps without a database know of a video, and what its length needs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from showrunner.production import files
from showrunner.production.voices import Voice

# Seconds between two passages: long enough to hear a new thought, short enough not to drag.
PAUSE_SECONDS = 0.35
# The title card is shown for this long before the voice begins, which then speaks over its end.
LEAD_IN_SECONDS = 0.6
# What the picture holds after the last word, so that the end isn't cut off.
TAIL_SECONDS = 0.8
# A scene of this length holds one thought and one picture; shorter ones flicker, longer ones tire.
SCENE_SECONDS = 9.0
# Up to this length one answer holds the whole script; beyond it models lose the count of words, so an outline
# comes first.
SINGLE_ANSWER_SECONDS = 120
# Seconds that one part of a long script covers: about 220 words, which a model hits within a tenth.
PART_SECONDS = 80
# How long a channel's shots last.
type Pace = Literal["calm", "normal", "fast"]
# What a video shows: footage wherever there is some, footage and cards in turn, or text only.
type VisualStyle = Literal["footage", "mixed", "typographic"]
# Looks of captions that the renderer has.
CaptionPreset = Literal["bold", "clean", "boxed", "karaoke", "impact", "panel", "documentary"]
# The part of the time with real movement that a channel with footage promises, if its settings say no other.
PROMISED_MOTION = 0.6
SIZES = {"9:16": ("9x16", 1080, 1920), "16:9": ("16x9", 1920, 1080), "1:1": ("1x1", 1080, 1080)}


class Asset(BaseModel):
    """A user's own file: `key` is in the media bucket; name and tags are its owner's."""

    model_config = ConfigDict(frozen=True)
    id: str
    kind: Literal["image", "clip", "audio"]
    key: str
    sha256: str
    licence: str | None = None
    name: str = ""
    tags: list[str] = []


class Output(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    width: int
    height: int


class Job(BaseModel):
    """The job document: the step Prepare writes it, and every later step reads it.

    Nothing in it changes between attempts but `attempt`.
    """

    model_config = ConfigDict(frozen=True)
    video_id: str
    organisation_id: str
    attempt: int
    topic: str | None
    source_text: str | None
    manual_script: str | None
    style: Literal["educational", "entertainment", "news"]
    language: str
    length_seconds: int
    voice: Voice
    palette: dict[str, str]
    font: str | None = None
    logo: Asset | None = None
    caption_preset: str | None
    outputs: list[Output]
    assets: list[Asset]
    demo: bool
    # "script": the production stops when the script is written, and waits for the user.
    stop_after: Literal["script"] | None = None
    # Words change, pictures and their motion don't: the seed comes from what was asked, so the same brief
    # looks the same.
    seed: int
    pace: Pace = "normal"
    visual_style: VisualStyle = "mixed"
    # The part of the time, 0 to 1, in which the channel promises real movement.
    promised_motion: float = 0.0
    # Pages of clips and photographs that the channel's last videos show: others are chosen first.
    used_sources: list[str] = []
    # As briefs name it: the second speech service has voices of its own for these names.
    voice_name: str = ""
    # Where the section of the user's own music begins, in seconds of the file.
    music_start_seconds: float = 0.0
    # What music is searched for, if the user brings none.
    music_search: str | None = None
    # The channel's niche, description and audience, as far as it has them.
    channel: dict[str, str] = {}

    @property
    def words_target(self) -> int:
        """Words that fill the length at this voice's pace, pauses taken off."""
        pauses = LEAD_IN_SECONDS + TAIL_SECONDS + PAUSE_SECONDS * (self.scene_count + 1)
        return max(12, round((self.length_seconds - pauses) * self.voice.words_per_minute / 60))

    @property
    def scene_count(self) -> int:
        """Scenes between the hook and the call to action."""
        return max(1, round(self.length_seconds / SCENE_SECONDS) - 1)

    @property
    def is_long(self) -> bool:
        return self.length_seconds > SINGLE_ANSWER_SECONDS

    @property
    def folder(self) -> str:
        return files.video_folder(self.organisation_id, self.video_id)
