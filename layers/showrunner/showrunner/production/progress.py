"""Compute the progress of a video, and describe its failure to the person who ordered it."""

from typing import Any

# Percent that a video has reached when the step begins. Voice and render take most of the time, so they get
# most of the bar.
BEGUN = {"prepare": 1, "script": 5, "voice": 15, "visuals": 15, "timeline": 45, "render": 50, "finish": 96}


# What the render still does when every frame is drawn; each of these phases counts from 0 again.
AFTER_FRAMES = ("sound", "join", "inspect", "publish")


def rendering(said: dict[str, Any]) -> int:
    """Return the percent of a running render from its progress.json: {"phase", "done", "total"}."""
    share = min(1.0, said["done"] / said["total"]) if said.get("total") else 0.0
    share = 1.0 if said.get("phase") in AFTER_FRAMES else share
    return round(BEGUN["render"] + (BEGUN["finish"] - BEGUN["render"]) * share)


# State of the machine -> step as the user knows it.
STEP_OF_STATE = {
    "Prepare": "prepare",
    "WriteScript": "script",
    "ReserveScript": "script",
    "RecordScript": "script",
    "ReserveMeasurement": "script",
    "MeasureVoice": "voice",
    "NarrateScene": "voice",
    "ChooseVisual": "visuals",
    "PlanTimeline": "timeline",
    "RecordTimeline": "timeline",
    "RenderVideo": "render",
    "ReplaceClips": "visuals",
    "FindGpuJob": "render",
    "EndGpuJob": "render",
    "Finish": "finish",
}

_WORDS = {
    "QuotaExceeded": "The {provider} account has used up its quota. "
    "Add credit or wait for the new period, then retry the video.",
    "CredentialRejected": "{provider} refuses the key. "
    "Put a valid one into SSM ({parameter}), then retry the video.",
    "PlatformRejected": "{provider} refused the request: {message}",
    "VoiceUnavailable": "{message} Then retry the video: the script is kept.",
    "AnswerRefused": "{provider} declined to write this: {message} Change the brief; nothing was spoken.",
    "PlatformUnavailable": "{provider} didn't answer after several tries. "
    "Retry the video later; nothing paid for is lost.",
    "ScriptRejected": "No usable script came back: {message} Change the brief or retry; nothing was spoken.",
    "PromiseNotKept": "{message}",
    "StorageMissing": "A file that the video needs is gone: {message} Upload it again or retry.",
    "RenderIncomplete": "The rendered files are incomplete: {message} Retry the video: it is rendered again.",
    "ConfigurationMissing": "{message}",
    "PaymentRequired": "{message}",
    "InvalidRequest": "{message}",
    "States.TaskFailed": "The render ended without saying why: {message} "
    "Retry the video: what was rendered is kept.",
    "States.Timeout": "The step took longer than it may. Retry the video: finished work is kept.",
    "Runtime.ExitError": "The step's worker ended without an answer. Retry the video: finished work is kept.",
    "Sandbox.Timedout": "The step took longer than it may. Retry the video: finished work is kept.",
    "Lambda.Unknown": "The step's worker ended without an answer. Retry the video: finished work is kept.",
    "TIMED_OUT": "The production passed its deadline. Retry the video: finished work is kept.",
    "ABORTED": "The execution was stopped from outside. Retry the video: finished work is kept.",
    "LOST": "The execution no longer exists. Retry the video: finished work is kept.",
}

_PROVIDERS = {
    "script": ("OpenAI", "openai/api_key"),
    "voice": ("ElevenLabs", "elevenlabs/api_key"),
    "visuals": ("Pexels", "pexels/api_key"),
}


def explain(step: str, code: str, message: str) -> dict[str, str]:
    """Return the `error` of a failed video: step, class, and a message that says what to do."""
    provider, parameter = _PROVIDERS.get(step, ("The platform", "the platform's key"))
    words = _WORDS.get(code, "The step {step} failed: {message}").format(
        provider=provider, parameter=parameter, message=message, step=step
    )
    return {"step": step, "code": code, "message": words[:2000]}
