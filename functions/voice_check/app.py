"""Ask ElevenLabs every night whether the account still has the stage's voices. No database."""

from typing import Any

from showrunner import breakers, config
from showrunner.aws import ssm
from showrunner.errors import VoiceUnavailable
from showrunner.platforms.voice_catalogue import VoiceCatalogue
from showrunner.production import voices
from showrunner.telemetry import entrypoint
from showrunner.videos import voice_checks


@entrypoint
def handler(event: dict[str, Any], context: Any) -> None:
    """Check each voice and save the result. Raises VoiceUnavailable, for the alarm, if one can't be used."""
    catalogue = VoiceCatalogue(ssm.secret("elevenlabs/api_key"), config.setting("ELEVENLABS_BASE_URL"))
    problems: dict[str, str] = {}
    for name, voice_id in voices.configured(config.setting("VOICES", " ")).items():
        with breakers.guard("elevenlabs", "voice"):
            problem = catalogue.problem(voice_id)
        voice_checks.save(voice_id, problem)
        if problem:
            problems[name] = problem
    if problems:
        reasons = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise VoiceUnavailable(f"The parameter Voices has voices that can't be used. {reasons}")
