"""Steps NarrateScene, MeasureVoice: one passage -> its recording and word times in S3 for each of its scenes.

A recording is paid for once for each (text, voice, model, language, settings). MeasureVoice speaks a fixed
sentence once for each voice, to know its pace before a script is written for it. While ElevenLabs isn't
called, a second service may speak (videos/second_voice.py).
"""

import io
from typing import Any

from tinytag import TinyTag, TinyTagException

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.errors import PlatformRejected, PlatformUnavailable, VoiceUnavailable
from showrunner.platforms.speech import Narrator, Speech
from showrunner.production import costs, files, voices
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.telemetry import entrypoint, logger
from showrunner.videos import paces, receipts, second_voice, voice_checks


def _speak(job: Job, text: str, model: str) -> Speech:
    """Speak a text and store its charge. Raises as Narrator.speak."""
    narrator = Narrator(ssm.secret("elevenlabs/api_key"), config.setting("ELEVENLABS_BASE_URL"))
    try:
        with breakers.guard("elevenlabs", "speak"):
            speech = narrator.speak(text, job.voice.provider_id, model, job.language, voices.SETTINGS)
    except VoiceUnavailable as error:
        # The next order with this voice is refused before its script is paid for.
        voice_checks.save(job.voice.provider_id, error.message)
        raise
    receipts.add(job.folder, costs.speech_charge(speech.request_id, model, len(text), speech.credits))
    return speech


def _seconds(speech: Speech) -> float:
    try:
        seconds = TinyTag.get(file_obj=io.BytesIO(speech.audio), tags=False).duration
    except TinyTagException:
        seconds = None
    if not seconds:
        # It isn't asked again: each answer is paid for.
        raise PlatformRejected("The voice service's answer is no sound that can be played.")
    return seconds


def _measure(job: Job) -> dict[str, Any]:
    """Measure the pace of the job's voice, unless somebody has, and write it into the job document."""
    model = config.setting("ELEVENLABS_MODEL")
    pace = paces.find(job.voice, model, job.language)
    if pace is None and second_voice.is_chosen(job):
        return {"words_per_minute": job.voice.words_per_minute}
    if pace is None:
        try:
            speech = _speak(job, voices.SAMPLES[job.language], model)
        except PlatformUnavailable as error:
            if error.was_sent or not second_voice.may_replace(job):
                raise
            return {"words_per_minute": job.voice.words_per_minute}
        found = voices.pace(job.language, _seconds(speech))
        if found is None:
            logger.warning("the pace of a voice can't be measured", extra={"voice": job.voice.provider_id})
        # Kept even so: the sentence would be paid for before each script.
        pace = paces.save(job.voice, model, job.language, found or job.voice.words_per_minute)
    changed = job.model_copy(update={"voice": job.voice._replace(words_per_minute=pace)})
    s3.put_json(files.job_key(job.folder), changed.model_dump(mode="json"))
    return {"words_per_minute": pace}


def _record(job: Job, text: str, model: str, name: str) -> dict[str, Any]:
    speech = _speak(job, text, model)
    audio_key = files.product_key(job.organisation_id, "voice", name, "mp3")
    sha256 = s3.put_product(audio_key, speech.audio, "audio/mpeg")
    product = {
        "text": text,
        "uri": s3.uri(audio_key),
        "sha256": sha256,
        "duration_seconds": round(_seconds(speech), 3),
        "characters": speech.characters,
        "starts": speech.starts,
        "ends": speech.ends,
    }
    # The description is written last: if it exists, the recording is complete.
    s3.put_product_json(files.product_key(job.organisation_id, "voice", name, "json"), product)
    return product


def _record_or_replace(job: Job, text: str, model: str, name: str) -> dict[str, Any]:
    try:
        return _record(job, text, model, name)
    except PlatformUnavailable as error:
        # Only while the breaker is open: a short failure is tried again.
        if error.was_sent or not second_voice.may_replace(job):
            raise
        logger.warning("the second service speaks", extra={"video_id": job.video_id})
        return second_voice.record(job, text)


def _find(job: Job, name: str) -> dict[str, Any] | None:
    """Return the description of a recording that exists. Both expire, but not in the same moment."""
    if s3.size(files.product_key(job.organisation_id, "voice", name, "mp3")) is None:
        return None
    found: dict[str, Any] | None = s3.find_json(files.product_key(job.organisation_id, "voice", name, "json"))
    return found


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    if event.get("step") == "measure":
        return _measure(job)
    passages = Script.model_validate(s3.get_json(files.script_key(job.folder))["script"]).passages
    text = passages[event["scene"]]
    model = config.setting("ELEVENLABS_MODEL")
    name = voices.recording_name(text, job.voice.provider_id, model, job.language)
    if second_voice.is_chosen(job):
        product = second_voice.record(job, text)
    else:
        product = _find(job, name) or _record_or_replace(job, text, model, name)
    for scene in (scene for scene, passage in enumerate(passages) if passage == text):
        s3.put_json(files.voice_key(job.folder, scene), product)
    return {"scene": event["scene"]}
