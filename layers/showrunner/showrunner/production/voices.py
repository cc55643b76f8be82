"""Which provider's voice speaks for a (language, voice) pair, and how fast.

The ids are settings of the stage (VOICES): ElevenLabs' premade voices end on 2026-12-31, accounts younger
than March 2026 have none of them, and every account has other voices of its own (docs/services.md).
"""

from typing import NamedTuple

from showrunner.production import files
from showrunner.production.text import count_words

# ElevenLabs' own defaults but for stability, which keeps the pace even over scenes that are recorded apart.
SETTINGS = {"stability": 0.6, "similarity_boost": 0.75, "style": 0.0, "use_speaker_boost": True, "speed": 1.0}


class Voice(NamedTuple):
    """A provider's voice. `words_per_minute` is its pace without the pauses between scenes."""

    provider_id: str
    words_per_minute: int


# Spoken once by each voice, before its first script, to measure its pace; then the pace is kept for good, so
# that the same brief is planned the same way again. Statements with commas, as narrations have them; no
# figures, which each model reads in its own way. About 40 words: 15 s, 0.02 USD.
SAMPLES = {
    "en": "Twice a day the sea comes in, covers the sand and the rocks, and goes out again. People who live "
    "by the coast know the hours by heart. They look at the moon, they watch the birds, and they pull "
    "their boats up in time.",
    "es": "Dos veces al día el mar sube, cubre la arena y las rocas, y vuelve a bajar. Quienes viven en la "
    "costa conocen las horas de memoria. Miran la luna, observan las aves y recogen sus barcas a tiempo.",
    "fr": "Deux fois par jour la mer monte, recouvre le sable et les rochers, puis se retire. Ceux qui "
    "vivent sur la côte connaissent les heures par cœur. Ils regardent la lune, observent les oiseaux et "
    "remontent leurs bateaux à temps.",
    "de": "Zweimal am Tag kommt das Meer, bedeckt den Sand und die Felsen und geht wieder zurück. Wer an der "
    "Küste lebt, kennt die Stunden auswendig. Man schaut auf den Mond, beobachtet die Vögel und zieht die "
    "Boote rechtzeitig an Land.",
}
# A pace outside of this was not measured on the sample: silence, or another language.
SLOWEST, FASTEST = 90, 260
# What holds until a voice is measured. English paces were measured on 190 words spoken by the local voices
# (66.7 s and 76.7 s); the others follow the usual ratio of each language to English.
_WORDS_PER_MINUTE = {
    ("en", "female1"): 171,
    ("en", "male1"): 149,
    ("es", "female1"): 165,
    ("es", "male1"): 155,
    ("fr", "female1"): 160,
    ("fr", "male1"): 150,
    ("de", "female1"): 140,
    ("de", "male1"): 130,
}
_CLONE_WORDS_PER_MINUTE = 155


def configured(setting: str) -> dict[str, str]:
    """Return voice -> provider's id from a setting such as "female1=<id>,male1=<id>".

    Parts without an id are left out.
    """
    pairs = (part.strip().partition("=") for part in setting.split(","))
    return {
        name.strip(): provider_id.strip()
        for name, _, provider_id in pairs
        if name.strip() and provider_id.strip()
    }


def languages(name: str) -> list[str]:
    """Return the languages for which the pace of a voice is known."""
    return sorted(language for language, voice in _WORDS_PER_MINUTE if voice == name)


def is_configured(provider_id: str, *, setting: str) -> bool:
    """Return True if it is one of the stage's voices, which are everybody's."""
    return provider_id in configured(setting).values()


def find(language: str, voice: str, clone_id: str | None = None, *, setting: str) -> Voice | None:
    """Return the voice, None if there is none.

    `ai_clone` speaks with the channel's own voice id, if it has one.
    """
    if voice == "ai_clone":
        return Voice(clone_id, _CLONE_WORDS_PER_MINUTE) if clone_id else None
    pace, provider_id = _WORDS_PER_MINUTE.get((language, voice)), configured(setting).get(voice)
    return Voice(provider_id, pace) if pace and provider_id else None


def recording_name(text: str, provider_id: str, model: str, language: str) -> str:
    """Return the name under which a recording is stored: the same text and voice are paid for once."""
    return files.digest(text, provider_id, model, language, SETTINGS)


def pace_name(provider_id: str, model: str, language: str) -> str:
    """Return the name under which the pace of a voice is kept."""
    return recording_name(SAMPLES[language], provider_id, model, language)


def pace(language: str, seconds: float) -> int | None:
    """Return the words per minute of a sample that took so long, None if that is no pace of speech."""
    found = round(count_words(SAMPLES[language]) * 60 / seconds) if seconds > 0 else 0
    return found if SLOWEST <= found <= FASTEST else None


def missing(language: str, voice: str) -> str:
    """Return why `find` returned None, and what to do."""
    if (language, voice) in _WORDS_PER_MINUTE:
        return (
            f"this stage has no id for the voice {voice}: "
            "set the parameter Voices of template.yaml (female1=<id>,male1=<id>)"
        )
    return f"there is no voice {voice} for language {language}"
