"""Which provider voice speaks for a (language, voice) pair, and how fast."""

from typing import NamedTuple


class Voice(NamedTuple):
    """A provider's voice. `words_per_minute` is its pace without the pauses between scenes."""

    provider_id: str
    words_per_minute: int


# Ids are ElevenLabs' own default voices ("Rachel" and "Adam"), which speak every language of its multilingual models.
# English paces were measured on 190 words (shared facts: 66.7 s and 76.7 s); the others follow the usual ratio of each language to English.
_RACHEL, _ADAM = "21m00Tcm4TlvDq8ikWAM", "pNInz6obpgDQGcFmaJgB"
_VOICES = {
    ("en", "female1"): Voice(_RACHEL, 171),
    ("en", "male1"): Voice(_ADAM, 149),
    ("es", "female1"): Voice(_RACHEL, 165),
    ("es", "male1"): Voice(_ADAM, 155),
    ("fr", "female1"): Voice(_RACHEL, 160),
    ("fr", "male1"): Voice(_ADAM, 150),
    ("de", "female1"): Voice(_RACHEL, 140),
    ("de", "male1"): Voice(_ADAM, 130),
}


def is_configured(provider_id: str) -> bool:
    """Whether it is one of the voices above, which are everybody's."""
    return any(voice.provider_id == provider_id for voice in _VOICES.values())


def find(language: str, voice: str, clone_id: str | None = None) -> Voice | None:
    """None when the pair has no voice; `ai_clone` speaks with the channel's own voice id, when it has one."""
    if voice == "ai_clone":
        return Voice(clone_id, 155) if clone_id else None
    return _VOICES.get((language, voice))
