"""POST /v1/embeddings: vectors of texts by their words, so that texts with words in common are near.

https://platform.openai.com/docs/api-reference/embeddings/create and the SDK's parameter types (2026-11-29).
The vectors know no synonyms: a word is hashed to a direction, and a text is the sum of its words. As the
real model knows many languages, Spanish nouns of a list have the direction of their English words.
"""

import base64
import hashlib
import math
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from local.language import requests, translation
from local.language.requests import ApiError
from local.language.text import STOPWORDS, stem

# Each model's dimensions, which a request may lower.
MODELS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
MOST_TEXTS, MOST_TOKENS, MOST_TOKENS_OF_ALL = 2048, 8192, 300_000


def answer(body: dict[str, Any], count: Callable[[str], int]) -> dict[str, Any]:
    """Return the response to a request; `count` counts tokens. Raises ApiError."""
    requests.require_model(str(body.get("model") or ""), MODELS)
    try:
        _parameters().validate_python(body)
    except ValidationError as error:
        raise requests.type_error(error) from error
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    tokens = _counted(texts, count)
    most = MODELS[body["model"]]
    dimensions = body.get("dimensions") or most
    if not 1 <= dimensions <= most:
        message = f"Invalid value for 'dimensions': this model has 1 to {most} dimensions."
        raise ApiError(400, message, "invalid_value", "dimensions")
    in_base64 = body.get("encoding_format") == "base64"
    vectors = [vector(text, dimensions) for text in texts]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(each) if in_base64 else each}
            for index, each in enumerate(vectors)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str, dimensions: int) -> list[float]:
    """Return the text's vector of length 1."""
    words = [word for word in re.findall(r"[^\W\d_]{2,}", text.lower()) if word not in STOPWORDS]
    total = [0.0] * dimensions
    for word in [stem(translation.in_english(word) or word) for word in words] or [text]:
        for index, value in enumerate(_direction(word, dimensions)):
            total[index] += value
    length = math.sqrt(sum(value * value for value in total))
    return [value / length for value in total]


@cache
def _direction(word: str, dimensions: int) -> list[float]:
    """Return a direction of the word's own: two words are nearly at right angles."""
    stream = hashlib.shake_256(word.encode()).digest(dimensions)
    return [byte - 127.5 for byte in stream]


def _counted(texts: Any, count: Callable[[str], int]) -> int:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "This local server takes texts, no tokens.", "unsupported_value", "input")
    if not 1 <= len(texts) <= MOST_TEXTS or not all(texts):
        message = f"Invalid 'input': expected 1 to {MOST_TEXTS} texts, none of them empty."
        raise ApiError(400, message, "invalid_value", "input")
    sizes = [count(text) for text in texts]
    if max(sizes) > MOST_TOKENS or sum(sizes) > MOST_TOKENS_OF_ALL:
        message = f"Invalid 'input': at most {MOST_TOKENS} tokens a text and {MOST_TOKENS_OF_ALL} in all."
        raise ApiError(400, message, "max_tokens_per_request", "input")
    return sum(sizes)


@cache
def _parameters() -> TypeAdapter[Any]:
    from openai.types.embedding_create_params import EmbeddingCreateParams

    requests.forbid_unknown_keys()
    return TypeAdapter(EmbeddingCreateParams)


def _written(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
