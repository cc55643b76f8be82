"""POST /v1/images/generations: check a request as OpenAI does, and answer with a drawn picture.

https://developers.openai.com/api/docs/guides/image-generation and the SDK's parameter types (2026-11-29).
"""

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from local.language import requests
from local.language.requests import ApiError

# gpt-image-1 and DALL-E are shut down; gpt-image-1.5 and -1-mini end on 2026-12-01.
MODELS = (
    "gpt-image-2",
    "gpt-image-2.5-flare",
    "gpt-image-2.5-sunburst",
    "gpt-image-2.6-flare",
    "gpt-image-2.6-sunburst",
)
LONGEST_PROMPT = 32_000
QUALITIES = ("low", "medium", "high", "auto")
# Which models have which further qualities.
FINER = re.compile(r"gpt-image-2\.5-")
FORMATS = ("png", "jpeg", "webp")
# https://community.openai.com/t/1382699: the limits of a size and the tokens of an image, as OpenAI's own
# calculator has them for gpt-image-2. It names none for later models.
STEP, LEAST_PIXELS, MOST_PIXELS, LONGEST_SIDE, LONGEST_RATIO = 16, 655_360, 8_294_400, 3840, 3
FACTORS = {"low": 16, "medium": 48, "high": 96}
REFUSED = ApiError(
    400,
    "Your request was rejected by the safety system. If you believe this is an error, contact us at "
    "help.openai.com and include the request ID.",
    "moderation_blocked",
    type_="image_generation_user_error",
)


@dataclass(frozen=True)
class ImageRequest:
    model: str
    prompt: str
    width: int
    height: int
    quality: str


type Draw = Callable[[ImageRequest], bytes]


def read(body: dict[str, Any]) -> ImageRequest:
    """Return the request. Raises ApiError with the code that OpenAI gives."""
    if body.get("model") not in MODELS:
        requests.require_model(str(body.get("model") or ""), MODELS)
    try:
        _parameters().validate_python(body)
    except ValidationError as error:
        raise requests.type_error(error) from error
    prompt = body["prompt"]
    if not 0 < len(prompt) <= LONGEST_PROMPT:
        raise _invalid("prompt", f"Expected 1 to {LONGEST_PROMPT} characters, got {len(prompt)}.")
    for name in ("response_format", "style", "frame_count", "frame_duration_ms", "svg", "partial_images"):
        if body.get(name) is not None:
            raise ApiError(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
    _check_output(body)
    if (body.get("n") or 1) != 1:
        raise ApiError(400, "This local server draws one image a request.", "unsupported_value", "n")
    width, height = _size(body.get("size") or "auto")
    quality = body.get("quality") or "auto"
    if quality not in QUALITIES and not (quality in ("xhigh", "max") and FINER.match(body["model"])):
        raise _invalid("quality", f"'{quality}' is not supported with this model.")
    return ImageRequest(body["model"], prompt, width, height, quality)


def document(asked: ImageRequest, body: dict[str, Any], content: bytes, prompt_tokens: int) -> dict[str, Any]:
    """Return the response: the image as base64, and its tokens."""
    quality = asked.quality if asked.quality in FACTORS else "high"
    tokens = image_tokens(quality, asked.width, asked.height)
    return {
        "created": int(time.time()),
        "background": "opaque",
        "data": [{"b64_json": base64.b64encode(content).decode()}],
        "output_format": body.get("output_format") or "png",
        "quality": quality,
        "size": f"{asked.width}x{asked.height}",
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": prompt_tokens},
            "output_tokens": tokens,
            "output_tokens_details": {"image_tokens": tokens, "text_tokens": 0},
            "total_tokens": prompt_tokens + tokens,
        },
    }


def image_tokens(quality: str, width: int, height: int) -> int:
    """Return the tokens of an image of gpt-image-2."""
    factor, long, short = FACTORS[quality], max(width, height), min(width, height)
    across = (2 * factor * short + long) // (2 * long)
    return -(-factor * across * (2_000_000 + width * height) // 4_000_000)


@cache
def _parameters() -> TypeAdapter[Any]:
    from openai.types.image_generate_params import ImageGenerateParamsNonStreaming

    requests.forbid_unknown_keys()
    return TypeAdapter(ImageGenerateParamsNonStreaming)


def _check_output(body: dict[str, Any]) -> None:
    form = body.get("output_format") or "png"
    if form != "jpeg":
        kind = "unsupported_value" if form in FORMATS else "invalid_value"
        raise ApiError(400, "This local server draws JPEG files only.", kind, "output_format")
    compression = body.get("output_compression")
    if compression is not None and not 0 <= compression <= 100:
        raise _invalid("output_compression", "Expected a value from 0 to 100.")
    if body.get("background") == "transparent":
        raise _invalid("background", "Transparent backgrounds need the output format png or webp.")
    if len(body.get("safety_identifier") or "") > requests.LONGEST_IDENTIFIER:
        raise _invalid("safety_identifier", "Expected at most 64 characters.")


def _size(written: str) -> tuple[int, int]:
    if written == "auto":
        return 1024, 1024
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", written)
    if not found:
        raise _invalid("size", f"'{written}' is no size.")
    width, height = int(found[1]), int(found[2])
    fits = (
        width % STEP == 0
        and height % STEP == 0
        and max(width, height) <= min(LONGEST_SIDE, LONGEST_RATIO * min(width, height))
        and LEAST_PIXELS <= width * height <= MOST_PIXELS
    )
    if not fits:
        raise _invalid("size", f"'{written}' is not supported with this model.")
    return width, height


def _invalid(name: str, message: str) -> ApiError:
    return ApiError(400, f"Invalid value for '{name}': {message}", "invalid_value", name)
