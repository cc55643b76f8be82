"""Look up voices in an ElevenLabs account: https://elevenlabs.io/docs/api-reference/voices/get.

Without ElevenLabs' SDK, whose import takes half a second. A look-up costs nothing.
"""

import json
import time
from typing import Any

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable
from showrunner.platforms import credentials
from showrunner.platforms.http import Answer, Sender

SECONDS = 10
# A voice with its samples and labels has a few KB.
ANSWER_BYTES = 1 << 20
KEY = "elevenlabs/api_key"


class VoiceCatalogue:
    """The voices of one account."""

    def __init__(self, key: str, base_url: str) -> None:
        self._sender = Sender("ElevenLabs", SECONDS, ANSWER_BYTES)
        self._key = credentials.checked(key, "ElevenLabs", KEY)
        self._base_url = base_url.rstrip("/")

    def problem(self, voice_id: str) -> str | None:
        """Return why the account can't speak with this voice, None if it can.

        Raises CredentialRejected, PlatformRejected, PlatformUnavailable.
        """
        answer = self._sender.send(
            "GET",
            f"{self._base_url}/v1/voices/{voice_id}",
            headers={"xi-api-key": self._key},
            until=time.monotonic() + SECONDS,
        )
        if answer.status == 200:
            return None
        message = _message(answer)
        if answer.status in (400, 402, 404, 422):
            return message
        if answer.status == 401:
            raise CredentialRejected(f"ElevenLabs refuses the key: {message}")
        if answer.status in (408, 409, 425, 429) or answer.status >= 500:
            raise PlatformUnavailable(f"ElevenLabs answers {answer.status}.", answer.retry_after)
        raise PlatformRejected(f"ElevenLabs refuses the look-up with {answer.status}: {message}")


def _message(answer: Answer) -> str:
    try:
        detail: Any = json.loads(answer.body)["detail"]
        return str(detail["message"] if isinstance(detail, dict) else detail)[:300]
    except (ValueError, KeyError, TypeError):
        return f"ElevenLabs answers {answer.status}."
