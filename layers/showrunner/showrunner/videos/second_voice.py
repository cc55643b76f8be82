"""Speak a video with the second speech service while ElevenLabs is away, or always, as the stage is set.

A video is never spoken by two voices: the service that has spoken its first passage speaks all of them.
"""

import io
import wave
from typing import Any

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.platforms.second_speech import RATE, SecondSpeaker
from showrunner.production import costs, files, speech_times, voices
from showrunner.production.job import Job
from showrunner.videos import receipts

PROVIDER = "second_speech"


def is_chosen(job: Job) -> bool:
    """Return whether the second service speaks this video, whatever the state of ElevenLabs."""
    if _voice(job) is None:
        return False
    return config.setting("SPEECH_FALLBACK") == "always" or _provider_of(job) == PROVIDER


def may_replace(job: Job) -> bool:
    """Return whether the second service may speak this video while ElevenLabs isn't called.

    Not if ElevenLabs has spoken a part of it: then the video waits.
    """
    return (
        config.setting("SPEECH_FALLBACK") == "outage"
        and _voice(job) is not None
        and _provider_of(job) in (None, PROVIDER)
    )


def record(job: Job, text: str) -> dict[str, Any]:
    """Return the description of a recording by the second service, made if there is none yet.

    Raises as SecondSpeaker.speak.
    """
    voice, model = _voice(job) or "", config.setting("SPEECH_FALLBACK_MODEL")
    name = voices.recording_name(text, f"{PROVIDER}:{voice}", model, job.language)
    audio_key = files.product_key(job.organisation_id, "voice", name, "wav")
    json_key = files.product_key(job.organisation_id, "voice", name, "json")
    found: dict[str, Any] | None = s3.find_json(json_key) if s3.size(audio_key) is not None else None
    if found is not None:
        return found
    speaker = SecondSpeaker(ssm.secret("speech/api_key"), config.setting("SPEECH_FALLBACK_URL"))
    with breakers.guard("second_speech", "speak"):
        sound = speaker.speak(text, voice, model)
    receipts.add(job.folder, costs.second_speech_charge(sound.request_id, model, len(text)))
    starts, ends = speech_times.of_sound(text, sound.samples, RATE)
    product = {
        "text": text,
        "uri": s3.uri(audio_key),
        "sha256": s3.put_product(audio_key, _wav(sound.samples), "audio/wav"),
        "duration_seconds": round(sound.seconds, 3),
        "characters": list(text) if starts else [],
        "starts": starts,
        "ends": ends,
        "provider": PROVIDER,
    }
    s3.put_product_json(json_key, product)
    return product


def _voice(job: Job) -> str | None:
    """Return the second service's voice for the voice of the brief, None without one."""
    if config.setting("SPEECH_FALLBACK", "off") == "off":
        return None
    return voices.configured(config.setting("SPEECH_FALLBACK_VOICES", " ")).get(job.voice_name)


def _provider_of(job: Job) -> str | None:
    """Return which service has spoken a passage of the video, None if none has yet."""
    listed = s3.list_keys(files.scenes_prefix(job.folder))
    keys = [key for key in listed if key.endswith(files.VOICE_SUFFIX)]
    return str(s3.get_json(keys[0]).get("provider", "elevenlabs")) if keys else None


def _wav(samples: bytes) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    return target.getvalue()
