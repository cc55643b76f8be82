"""Check a channel's settings against what exists: voices, logos, cloned voices."""

from typing import Any

from showrunner import config
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.production import voices
from showrunner.store.accounts import cloned_voices
from showrunner.store.studio import assets
from showrunner.web.routing import Request

# A backlog is low when it has topics for fewer days than this.
LOW_DAYS = 3


def low_backlog(settings: dict[str, Any]) -> int:
    """Return the number of waiting topics below which a channel's backlog is low."""
    return LOW_DAYS * int(settings.get("videos_per_day", 1))


def check_voice(settings: dict[str, Any]) -> None:
    """Raise InvalidRequest if the language doesn't have the voice."""
    language, voice = settings["language"], settings["voice"]
    if (
        voices.find(language, voice, settings.get("voice_clone_id"), setting=config.setting("VOICES", " "))
        is None
    ):
        reason = (
            "settings.voice_clone_id is missing" if voice == "ai_clone" else voices.missing(language, voice)
        )
        raise InvalidRequest(
            f"The voice can't be used: {reason}.", [{"field": "settings.voice", "message": reason}]
        )


def check_logo(tx: db.Transaction, request: Request, settings: dict[str, Any]) -> None:
    """Raise InvalidRequest unless the logo is an image that the organisation has uploaded completely."""
    logo = (settings.get("brand") or {}).get("logo")
    if logo and not any(
        row["kind"] == "image" for row in assets.list_ready(tx, request.organisation_id, [logo])
    ):
        reason = "not an image of yours that is uploaded completely"
        raise InvalidRequest("The logo can't be used.", [{"field": "settings.brand.logo", "message": reason}])


def check_cloned_voice(tx: db.Transaction, request: Request, settings: dict[str, Any]) -> None:
    """Raise InvalidRequest if the voice was cloned for another organisation."""
    voice = settings.get("voice_clone_id")
    if (
        voice
        and not voices.is_configured(voice, setting=config.setting("VOICES", " "))
        and not cloned_voices.belongs(tx, request.organisation_id, voice)
    ):
        reason = "not a voice of your organisation; we add it once it is yours"
        details = [{"field": "settings.voice_clone_id", "message": reason}]
        raise InvalidRequest("The cloned voice can't be used.", details)
