"""Check a request to speak as ElevenLabs does, and what the local voice cannot do beside that.

https://elevenlabs.io/docs/api-reference/text-to-speech/convert-with-timestamps. tests/contract compares the
fields with those of the SDK's method.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from local.voice.account import Account
from local.voice.encoding import DEFAULT_FORMAT, FORMATS
from local.voice.errors import ApiError
from local.voice.ids import LANGUAGES
from local.voice.spoken import language_of


class Model(NamedTuple):
    """`characters` is the limit of one request, `credits` the price of a character.

    `normalizes` is True if the model reads numbers, units and dates as words: Flash does not unless the
    account is an enterprise's (https://elevenlabs.io/docs/best-practices/prompting/normalization).
    `stitches`: previous_request_ids.
    """

    characters: int
    credits: float
    normalizes: bool
    stitches: bool


MODELS = {
    "eleven_v3": Model(5_000, 1.0, normalizes=True, stitches=False),
    "eleven_multilingual_v2": Model(10_000, 1.0, normalizes=True, stitches=True),
    "eleven_flash_v2_5": Model(40_000, 0.5, normalizes=False, stitches=True),
    "eleven_flash_v2": Model(30_000, 0.5, normalizes=False, stitches=True),
}
DEFAULT_MODEL = "eleven_multilingual_v2"
SLOWEST, FASTEST = 0.7, 1.2
# 40,000 characters of four bytes, twice over (previous_text, next_text), and some room.
LARGEST_BODY = 1_000_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VoiceSettings(_Strict):
    stability: float | None = Field(None, ge=0, le=1)
    similarity_boost: float | None = Field(None, ge=0, le=1)
    style: float | None = Field(None, ge=0, le=1)
    use_speaker_boost: bool | None = None
    speed: float | None = None
    clone_strength: float | None = None


class DictionaryLocator(_Strict):
    pronunciation_dictionary_id: StrictStr
    version_id: StrictStr | None = None


class SpeechRequest(_Strict):
    """The body.

    Fields that the local voice has no use for are checked and then ignored, as they change no words.
    """

    text: StrictStr
    model_id: StrictStr = DEFAULT_MODEL
    language_code: StrictStr | None = None
    voice_settings: VoiceSettings | None = None
    pronunciation_dictionary_locators: Annotated[list[DictionaryLocator], Field(max_length=3)] | None = None
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] | None = None
    previous_text: StrictStr | None = None
    next_text: StrictStr | None = None
    previous_request_ids: Annotated[list[StrictStr], Field(max_length=3)] | None = None
    next_request_ids: Annotated[list[StrictStr], Field(max_length=3)] | None = None
    use_pvc_as_ivc: bool | None = None
    apply_text_normalization: Literal["auto", "on", "off"] | None = None
    apply_language_text_normalization: bool | None = None
    audio_effects: dict[str, Any] | None = None

    @property
    def model(self) -> Model:
        return MODELS[self.model_id]

    @property
    def speed(self) -> float:
        return (
            self.voice_settings.speed
            if self.voice_settings and self.voice_settings.speed is not None
            else 1.0
        )

    @property
    def language(self) -> str:
        """Return the language to speak: the one asked for, or that of the text."""
        return self.language_code.lower() if self.language_code else language_of(self.text)

    @property
    def normalizes(self) -> bool:
        return self.model.normalizes and self.apply_text_normalization != "off"


def check(request: SpeechRequest, output_format: str, account: Account) -> None:
    """Raises ApiError as ElevenLabs would, or for what the local voice lacks."""
    if request.model_id not in MODELS:
        raise ApiError.of("model_not_found", model=request.model_id)
    if output_format not in FORMATS:
        raise ApiError.of("invalid_output_format", output_format=output_format)
    account.require_format(output_format)
    if request.language_code is not None and request.language_code.lower() not in LANGUAGES:
        raise ApiError.of("unsupported_language", language=request.language_code)
    if not SLOWEST <= request.speed <= FASTEST:
        raise ApiError.of("invalid_voice_settings")
    if len(request.text) > request.model.characters:
        raise ApiError.of(
            "text_too_long",
            characters=len(request.text),
            model=request.model_id,
            limit=request.model.characters,
        )
    if not request.text.strip():
        raise ApiError.of("empty_text")
    if (request.previous_request_ids or request.next_request_ids) and not request.model.stitches:
        raise ApiError.of("stitching_not_supported", model=request.model_id)


__all__ = ["DEFAULT_FORMAT", "LARGEST_BODY", "MODELS", "SpeechRequest", "check"]
