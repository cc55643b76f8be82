"""Speak through OpenAI's POST /audio/speech, or through another service that answers the same request.

https://platform.openai.com/docs/api-reference/audio/createSpeech. OpenAI ends its models of this endpoint on
2027-01-06; others, such as AssemblyAI, take the same request at their own address. It is priced by the
character; the response carries neither price nor times.
"""

import json
import uuid
from typing import NamedTuple

from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    VoiceUnavailable,
)
from showrunner.platforms import credentials
from showrunner.platforms.http import Answer, Sender

SECONDS = 120
# Five minutes of sound; a passage has 4,096 characters at most, four minutes of it.
ANSWER_BYTES = 15_000_000
# https://platform.openai.com/docs/api-reference/audio/createSpeech: input, and response_format pcm.
MOST_CHARACTERS, RATE = 4096, 24_000
KEY = "speech/api_key"


class Sound(NamedTuple):
    """A recording: mono, RATE samples a second of 16 bits, little-endian."""

    samples: bytes
    request_id: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / 2 / RATE


class SecondSpeaker:
    """A client of one account. `base_url` ends before /audio/speech, such as https://api.openai.com/v1."""

    def __init__(self, key: str, base_url: str) -> None:
        self._sender = Sender("The second speech service", SECONDS, ANSWER_BYTES)
        self._key = credentials.checked(key, "the second speech service", KEY)
        self._base_url = base_url.rstrip("/")

    def speak(self, text: str, voice: str, model: str) -> Sound:
        """Speak one passage.

        Raises CredentialRejected, QuotaExceeded, VoiceUnavailable, PlatformRejected, PlatformUnavailable.
        """
        if len(text) > MOST_CHARACTERS:
            raise PlatformRejected(
                f"A passage has {len(text)} characters; the second speech service takes {MOST_CHARACTERS}."
            )
        body = {"model": model, "voice": voice, "input": text, "response_format": "pcm"}
        answer = self._sender.send(
            "POST",
            f"{self._base_url}/audio/speech",
            body=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        if answer.status != 200:
            raise _failure(answer)
        if len(answer.body) < 2 or "json" in answer.headers.get("content-type", ""):
            raise PlatformUnavailable("The second speech service answers without sound.")
        return Sound(answer.body, answer.headers.get("x-request-id") or str(uuid.uuid4()))


def _failure(answer: Answer) -> Exception:
    """Return our error for one of theirs: https://platform.openai.com/docs/guides/error-codes."""
    kind, code, message, param = _read(answer.body)
    if answer.status in (401, 403):
        return CredentialRejected(f"The second speech service refuses the key: {message}")
    if answer.status == 429 and "insufficient_quota" in (kind, code):
        return QuotaExceeded("The account of the second speech service has no credit left: see its billing.")
    if answer.status in (408, 409, 429) or answer.status >= 500:
        return PlatformUnavailable(
            f"The second speech service answers {answer.status}: {message}", answer.retry_after
        )
    if param == "voice":
        return VoiceUnavailable(
            f"The second speech service: {message} Set the parameter SpeechFallbackVoices."
        )
    return PlatformRejected(f"The second speech service refuses the request: {message}")


def _read(body: bytes) -> tuple[str, str, str, str]:
    try:
        error = json.loads(body)["error"]
        found = [str(error.get(name) or "") for name in ("type", "code", "message", "param")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", "", "an answer that isn't the service's own.", ""
    return found[0], found[1], found[2][:300], found[3]
