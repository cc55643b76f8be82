"""Generate images through OpenAI's POST /images/generations.

https://developers.openai.com/api/docs/guides/image-generation. It is priced by token; responses carry no
price. A connection that breaks off loses the image, and it is billed.
"""

import base64
import binascii
from typing import Literal, NamedTuple

import openai
from openai.types import ImagesResponse

from showrunner.errors import PlatformUnavailable
from showrunner.platforms import openai_account
from showrunner.platforms.stock import PHOTO_BYTES

# GPT Image 2.6 Flare draws in 8 to 12 s, others in up to a minute; past this something hangs.
IMAGE_SECONDS = 75
# Of JPEG, 0 to 100: the renderer scales the image anyway.
_QUALITY_OF_FILE = 90
_JPEG = b"\xff\xd8\xff"


type Quality = Literal["low", "medium", "high"]


class Image(NamedTuple):
    """A paid image: a JPEG file, the tokens that it cost, and the request's id, empty if there is none."""

    content: bytes
    input_tokens: int
    output_tokens: int
    request_id: str


class Images:
    """A client of one OpenAI account."""

    def __init__(self, key: str, base_url: str) -> None:
        self._client = openai_account.client(key, base_url, IMAGE_SECONDS)

    def generate(self, model: str, prompt: str, size: str, quality: Quality, tenant: str) -> Image:
        """Return one image. `size` is such as 1152x2048; `quality` is low, medium or high.

        Raises AnswerRefused if the content filter stops it, CredentialRejected, QuotaExceeded,
        PlatformRejected, PlatformUnavailable.
        """
        try:
            response = self._client.images.generate(
                model=model,
                prompt=prompt,
                size=size,
                quality=quality,
                output_format="jpeg",
                output_compression=_QUALITY_OF_FILE,
                n=1,
                safety_identifier=openai_account.safety_identifier(tenant),
            )
        except openai.APIError as error:
            raise openai_account.translated(error) from error
        return _read(response)


def _read(response: object) -> Image:
    if not isinstance(response, ImagesResponse) or not response.data or not response.data[0].b64_json:
        raise PlatformUnavailable("OpenAI's answer has no image.")
    try:
        content = base64.b64decode(response.data[0].b64_json, validate=True)
    except binascii.Error as error:
        raise PlatformUnavailable("OpenAI's answer has no image that can be read.") from error
    if not content.startswith(_JPEG) or len(content) > PHOTO_BYTES:
        raise PlatformUnavailable("OpenAI's answer has another file than a JPEG of a usable size.")
    usage = response.usage
    read, written = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    return Image(content, read, written, getattr(response, "_request_id", None) or "")
