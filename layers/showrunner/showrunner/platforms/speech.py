"""Have text spoken by ElevenLabs, with the time of each character.

https://elevenlabs.io/docs/api-reference/text-to-speech/convert-with-timestamps. A character costs half a
credit or one, depending on the model.
"""

import base64
import uuid
from typing import Any, NamedTuple

import httpx
from elevenlabs import ElevenLabs, VoiceSettings
from elevenlabs.core.api_error import ApiError
from elevenlabs.core.parse_error import ParsingError

from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    VoiceUnavailable,
)
from showrunner.platforms import credentials

# A passage of 5,000 characters takes half a minute; the local voice is slower than real time on a busy
# machine.
ANSWER_SECONDS = 150
AUDIO_FORMAT = "mp3_44100_128"
KEY = "elevenlabs/api_key"
_VOICE_REMEDY = (
    "Choose a voice that the account has, or a plan that includes it "
    "(voices of the Voice Library need a paid plan)."
)


class Speech(NamedTuple):
    """A recording (mp3), with the start and end of each character in seconds.

    The lists are empty if the provider gave no times.
    """

    audio: bytes
    characters: list[str]
    starts: list[float]
    ends: list[float]
    credits: int | None
    request_id: str


class Narrator:
    """A client of one ElevenLabs account."""

    def __init__(self, key: str, base_url: str) -> None:
        self._client = ElevenLabs(
            api_key=credentials.checked(key, "ElevenLabs", KEY), base_url=base_url, timeout=ANSWER_SECONDS
        )

    def speak(self, text: str, voice_id: str, model: str, language: str, settings: dict[str, Any]) -> Speech:
        """Speak one passage.

        Raises CredentialRejected, QuotaExceeded, VoiceUnavailable, PlatformRejected, PlatformUnavailable.
        """
        try:
            answer = self._client.text_to_speech.with_raw_response.convert_with_timestamps(
                voice_id,
                text=text,
                model_id=model,
                language_code=language,
                output_format=AUDIO_FORMAT,
                voice_settings=VoiceSettings(**settings),
                request_options={"max_retries": 0},
            )
        except ApiError as error:
            raise _translated(error) from error
        except (httpx.HTTPError, ParsingError) as error:
            raise PlatformUnavailable(f"ElevenLabs doesn't answer: {type(error).__name__}") from error
        return _speech(answer.data, answer.headers)


def _speech(data: Any, headers: Any) -> Speech:
    credits = headers.get("character-cost", "")
    alignment = data.alignment
    if alignment is None:
        return Speech(base64.b64decode(data.audio_base_64), [], [], [], _whole(credits), _request_id(headers))
    return Speech(
        base64.b64decode(data.audio_base_64),
        list(alignment.characters),
        list(alignment.character_start_times_seconds),
        list(alignment.character_end_times_seconds),
        _whole(credits),
        _request_id(headers),
    )


def _request_id(headers: Any) -> str:
    """Return ElevenLabs' id, which finds a charge in its history, or a new one if a proxy removed it."""
    return str(headers.get("request-id") or uuid.uuid4())


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _translated(error: ApiError) -> Exception:
    """Return our error for one of ElevenLabs': https://elevenlabs.io/docs/developers/resources/error-messages.

    The body's code is more exact than the HTTP status.
    """
    code, message = _detail(error.body)
    status = error.status_code or 0
    if code in ("quota_exceeded", "insufficient_credits"):
        return QuotaExceeded(
            f"The ElevenLabs account has too few credits: add some or wait for the new period. {message}"
        )
    if code in ("paid_plan_required", "payment_required", "voice_not_found") or status == 402:
        return VoiceUnavailable(f"ElevenLabs: {message} {_VOICE_REMEDY}")
    if status == 401 or code in ("invalid_api_key", "missing_permissions"):
        return CredentialRejected(f"ElevenLabs refuses the key: {message}")
    if status in (408, 409, 425, 429) or status >= 500 or status < 400:
        return PlatformUnavailable(
            f"ElevenLabs is busy: {message}", _seconds((error.headers or {}).get("retry-after", ""))
        )
    return PlatformRejected(f"ElevenLabs refuses the request: {message}")


def _seconds(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() else None


def _detail(body: Any) -> tuple[str, str]:
    detail = body.get("detail", body) if isinstance(body, dict) else body
    if isinstance(detail, dict):
        # `code` is exact; the legacy `status` calls several errors by one name.
        return str(detail.get("code") or detail.get("status") or ""), str(detail.get("message") or detail)
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        return "invalid", "; ".join(
            f"{'.'.join(map(str, each.get('loc', [])))}: {each.get('msg', '')}" for each in detail
        )
    return "", str(detail)[:500]
