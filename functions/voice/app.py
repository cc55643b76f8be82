"""Step NarrateScene: one passage -> its recording and word times in S3 for every scene that says it.

A recording is paid for once for each (text, voice, model, language, settings).
"""

import io
from typing import Any

from mutagen.mp3 import MP3

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.errors import VoiceUnavailable
from showrunner.platforms.speech import Narrator
from showrunner.production import costs, files, voices
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.telemetry import entrypoint
from showrunner.videos import receipts, voice_checks


def _record(job: Job, text: str, model: str, name: str) -> dict[str, Any]:
    narrator = Narrator(ssm.secret("elevenlabs/api_key"), config.setting("ELEVENLABS_BASE_URL"))
    try:
        with breakers.guard("elevenlabs", "speak"):
            speech = narrator.speak(text, job.voice.provider_id, model, job.language, voices.SETTINGS)
    except VoiceUnavailable as error:
        # The next order with this voice is refused before its script is paid for.
        voice_checks.save(job.voice.provider_id, error.message)
        raise
    receipts.add(job.folder, costs.speech_charge(speech.request_id, model, len(text), speech.credits))
    audio_key = files.product_key(job.organisation_id, "voice", name, "mp3")
    sha256 = s3.put_product(audio_key, speech.audio, "audio/mpeg")
    product = {
        "text": text,
        "uri": s3.uri(audio_key),
        "sha256": sha256,
        "duration_seconds": round(MP3(io.BytesIO(speech.audio)).info.length, 3),
        "characters": speech.characters,
        "starts": speech.starts,
        "ends": speech.ends,
    }
    # The description is written last: if it exists, the recording is complete.
    s3.put_product_json(files.product_key(job.organisation_id, "voice", name, "json"), product)
    return product


def _find(job: Job, name: str) -> dict[str, Any] | None:
    """Return the description of a recording that exists. Both expire, but not in the same moment."""
    if s3.size(files.product_key(job.organisation_id, "voice", name, "mp3")) is None:
        return None
    found: dict[str, Any] | None = s3.find_json(files.product_key(job.organisation_id, "voice", name, "json"))
    return found


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    passages = Script.model_validate(s3.get_json(files.script_key(job.folder))["script"]).passages
    text = passages[event["scene"]]
    model = config.setting("ELEVENLABS_MODEL")
    name = voices.recording_name(text, job.voice.provider_id, model, job.language)
    product = _find(job, name) or _record(job, text, model, name)
    for scene in (scene for scene, passage in enumerate(passages) if passage == text):
        s3.put_json(files.voice_key(job.folder, scene), product)
    return {"scene": event["scene"]}
