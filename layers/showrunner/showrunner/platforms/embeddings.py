"""Get vectors of texts through OpenAI's POST /embeddings: texts of near meaning have near vectors.

https://platform.openai.com/docs/api-reference/embeddings. It is priced by token; responses carry no price.
"""

import base64
import struct
from typing import NamedTuple

import openai
from openai.types import CreateEmbeddingResponse

from showrunner.errors import PlatformUnavailable
from showrunner.platforms import openai_account

SECONDS = 30
# Texts of a few words are told apart by fewer dimensions than the model's 1,536, in a sixth of the space.
DIMENSIONS = 256


class Vectors(NamedTuple):
    """The vectors of the texts in their order, each of length 1, the tokens that they cost, and an id."""

    vectors: list[tuple[float, ...]]
    tokens: int
    request_id: str


class Embeddings:
    """A client of one OpenAI account."""

    def __init__(self, key: str, base_url: str) -> None:
        self._client = openai_account.client(key, base_url, SECONDS)

    def of(self, model: str, texts: list[str], tenant: str) -> Vectors:
        """Return the vectors of up to 2,048 texts of 300,000 tokens together, none of them empty.

        Raises CredentialRejected, QuotaExceeded, PlatformRejected, PlatformUnavailable.
        """
        try:
            response = self._client.embeddings.create(
                model=model,
                input=texts,
                dimensions=DIMENSIONS,
                encoding_format="base64",
                user=openai_account.safety_identifier(tenant),
            )
        except openai.APIError as error:
            raise openai_account.translated(error) from error
        return _read(response, len(texts))


def _read(response: object, count: int) -> Vectors:
    if not isinstance(response, CreateEmbeddingResponse) or len(response.data) != count:
        raise PlatformUnavailable("OpenAI's answer doesn't have a vector for each text.")
    ordered = sorted(response.data, key=lambda each: each.index)
    try:
        vectors = [_vector(each.embedding) for each in ordered]
    except (ValueError, struct.error) as error:
        raise PlatformUnavailable("OpenAI's answer has vectors that can't be read.") from error
    request_id = getattr(response, "_request_id", None) or ""
    return Vectors(vectors, response.usage.total_tokens, request_id)


def _vector(written: object) -> tuple[float, ...]:
    """Return a vector of base64, little-endian 32-bit floats. Raises ValueError, struct.error."""
    if not isinstance(written, str):
        raise ValueError("not base64")
    return struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(written, validate=True))
