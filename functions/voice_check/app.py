"""Schedule, every night, and each deployment -> what ElevenLabs says of the stage's voices, for orders.

No database.
"""

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
    """Check the stage's voices, and organisations' voices that failed.

    Raises VoiceUnavailable, for the alarm, if one of the stage's can't be used.
    """
    catalogue = VoiceCatalogue(ssm.secret("elevenlabs/api_key"), config.setting("ELEVENLABS_BASE_URL"))
    of_stage = voices.configured(config.setting("VOICES", " "))
    problems: dict[str, str] = {}
    for voice_id in {*of_stage.values(), *voice_checks.list_problems()}:
        with breakers.guard("elevenlabs", "voice"):
            state = catalogue.look_up(voice_id)
        voice_checks.save(voice_id, state.problem, state.preview_url)
        if state.problem:
            problems[voice_id] = state.problem
    lost = [f"{name}: {problems[voice_id]}" for name, voice_id in of_stage.items() if voice_id in problems]
    if lost:
        raise VoiceUnavailable(f"The parameter Voices has voices that can't be used. {'; '.join(lost)}")
