"""ElevenLabs' error bodies: the newer type, code and request_id beside the legacy `status`.

https://elevenlabs.io/docs/developers/resources/error-messages (2026-11-28). The body of paid_plan_required
was seen in github.com/dograh-hq/dograh/issues/290.
"""

from typing import NamedTuple, Self


class Kind(NamedTuple):
    """`status` is the legacy name."""

    http_status: int
    type: str
    status: str
    message: str


KINDS = {
    "invalid_api_key": Kind(401, "authentication_error", "invalid_api_key", "Invalid API key"),
    "missing_permissions": Kind(
        401, "authentication_error", "missing_permissions", "The API key lacks the permission {permission}."
    ),
    "quota_exceeded": Kind(
        401,
        "payment_required",
        "quota_exceeded",
        "You have {left} credits remaining, while {cost} credits are required for this request.",
    ),
    "detected_unusual_activity": Kind(
        401,
        "authentication_error",
        "detected_unusual_activity",
        "Unusual activity detected. Free Tier usage disabled.",
    ),
    "paid_plan_required": Kind(
        402,
        "payment_required",
        "payment_required",
        "Free users cannot use library voices via the API. "
        "Please upgrade your subscription to use this voice.",
    ),
    "output_format_not_allowed": Kind(
        403,
        "permission_error",
        "output_format_not_allowed",
        "The output format {output_format} is only available from the {plan} plan.",
    ),
    "voice_not_found": Kind(
        404, "not_found", "voice_not_found", "A voice with voice_id {voice_id} was not found."
    ),
    "not_found": Kind(404, "not_found", "not_found", "Not found: {path}"),
    "model_not_found": Kind(
        400, "invalid_request", "model_not_found", "A model with model ID {model} does not exist."
    ),
    "invalid_output_format": Kind(
        400, "invalid_request", "invalid_output_format", "The output format {output_format} does not exist."
    ),
    "unsupported_language": Kind(
        400,
        "invalid_request",
        "unsupported_language",
        "The local voice speaks English and Spanish; it has no voice for {language}.",
    ),
    "invalid_voice_settings": Kind(
        400,
        "invalid_request",
        "invalid_voice_settings",
        "Invalid setting for speed received, expected to be at least 0.7 and at most 1.2.",
    ),
    "text_too_long": Kind(
        400,
        "invalid_request",
        "max_character_limit_exceeded",
        "The text has {characters} characters; the maximum for {model} is {limit}.",
    ),
    "empty_text": Kind(400, "invalid_request", "empty_text", "The text is empty."),
    "stitching_not_supported": Kind(
        400, "invalid_request", "unsupported_model", "{model} does not support request stitching."
    ),
    "content_against_policy": Kind(
        403, "permission_error", "content_against_policy", "The text violates our terms of service."
    ),
    "payload_too_large": Kind(
        413, "invalid_request", "payload_too_large", "The body is larger than {limit} bytes."
    ),
    "request_timeout": Kind(408, "timeout_error", "request_timeout", "The request timed out."),
    "already_running": Kind(409, "conflict", "already_running", "The same request is being processed."),
    "too_early": Kind(425, "conflict", "too_early", "The previous request is not ready yet."),
    "concurrent_limit_exceeded": Kind(
        429,
        "rate_limit_error",
        "too_many_concurrent_requests",
        "Too many concurrent requests. Your subscription allows {concurrency} concurrent requests.",
    ),
    "system_busy": Kind(
        429,
        "rate_limit_error",
        "system_busy",
        "The system is experiencing heavy traffic. Please try again later.",
    ),
    "internal_server_error": Kind(
        500, "internal_error", "internal_server_error", "The voice could not speak this text."
    ),
    "unknown_outcome": Kind(400, "invalid_request", "unknown_outcome", "{message}"),
}


class _Blank(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return f"({name})"


class ApiError(Exception):
    """An error of one of KINDS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message, self.kind = code, message, KINDS[code]

    @classmethod
    def of(cls, code: str, **values: object) -> Self:
        """Return the error of this code; `values` fill its message."""
        return cls(code, KINDS[code].message.format_map(_Blank(values)))

    def body(self, request_id: str) -> dict[str, dict[str, str]]:
        detail = {
            "type": self.kind.type,
            "code": self.code,
            "message": self.message,
            "status": self.kind.status,
        }
        return {"detail": {**detail, "request_id": request_id}}
