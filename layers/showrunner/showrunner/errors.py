"""Errors by what their receiver should do.

The class name is the contract: Step Functions matches it exactly in Retry and Catch.

ShowrunnerError
├── the caller must change something: InvalidRequest Unauthorized Forbidden NotFound Conflict PayloadTooLarge
LimitExceeded PaymentRequired ├── a platform: QuotaExceeded (wait until) CredentialRejected (replace the key)
Disconnected (connect again) │     UploadUnknown (a person decides) PlatformRejected (change the request)
PlatformUnavailable (try again) │     VoiceUnavailable (choose another voice or plan) AnswerRefused (change
the brief) ├── our own stores: StorageMissing StorageDenied DatabaseUnavailable ├── a step of a machine:
ScriptRejected (the model's answer stays unusable) ProductionCancelled (stop, nothing is wrong) └── the
deployment: ConfigurationMissing ServiceUnavailable
"""

from datetime import datetime


class ShowrunnerError(Exception):
    """Every error of ours: `message` is for the user and says what to do next."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(ShowrunnerError):
    """The request breaks a rule; `details` lists {"field", "message"}."""

    def __init__(
        self, message: str, details: list[dict[str, str]] | None = None, code: str = "VALIDATION_ERROR"
    ) -> None:
        super().__init__(message)
        self.details = details or []
        self.code = code


class Unauthorized(ShowrunnerError):
    """No identity, or one that can't be believed."""

    def __init__(self, message: str, code: str = "INVALID_TOKEN") -> None:
        super().__init__(message)
        self.code = code


class Forbidden(ShowrunnerError):
    """Known, but not allowed to."""

    def __init__(self, message: str, code: str = "INSUFFICIENT_PERMISSIONS") -> None:
        super().__init__(message)
        self.code = code


class NotFound(ShowrunnerError):
    """No such thing, or none of the caller's."""


class Conflict(ShowrunnerError):
    """The state of the thing forbids it now."""

    def __init__(
        self, message: str, code: str = "CONFLICT", details: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or []


class PayloadTooLarge(ShowrunnerError):
    """The body is over the route's limit."""


class PaymentRequired(ShowrunnerError):
    """The organisation's credits don't cover it."""


class LimitExceeded(ShowrunnerError):
    """Too many calls. retry_after: seconds. limit: calls that the window which refused allows."""

    def __init__(
        self, message: str, retry_after: int, code: str = "RATE_LIMIT_EXCEEDED", limit: int | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code
        self.limit = limit


class QuotaExceeded(ShowrunnerError):
    """A platform's quota is spent until `retry_at` (UTC), or for good when that is None."""

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class CredentialRejected(ShowrunnerError):
    """A platform refuses our key: nobody can go on before it is replaced."""


class Disconnected(ShowrunnerError):
    """The owner of a connected account has ended our permission: nobody can go on before the account is connected again."""


class UploadUnknown(ShowrunnerError):
    """Every byte was sent, and neither an answer nor the video can be found: a person decides whether to send it again."""


class PlatformRejected(ShowrunnerError):
    """A platform refuses this request; repeating it unchanged gives the same answer.

    `reason` is the platform's own word for it.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class VoiceUnavailable(ShowrunnerError):
    """The account has no such voice, or its plan may not use it: another voice or plan is needed."""


class AnswerRefused(ShowrunnerError):
    """The language model declines to answer, or a content filter stopped it: only another brief helps.

    Paid once.
    """


class PlatformUnavailable(ShowrunnerError):
    """A platform is down or busy; `retry_after` in seconds when it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageMissing(ShowrunnerError):
    """An object that should be there isn't."""


class StorageDenied(ShowrunnerError):
    """The object store refuses us: a policy is missing."""


class DatabaseUnavailable(ShowrunnerError):
    """The database doesn't answer: try again."""


class ScriptRejected(ShowrunnerError):
    """No model gave a usable script, repair included; nothing was spoken."""


class ProductionCancelled(ShowrunnerError):
    """The user cancelled the video: stop before the next paid call."""


class ConfigurationMissing(ShowrunnerError):
    """A setting or secret isn't there: the message names it and where it belongs."""


class ServiceUnavailable(ShowrunnerError):
    """We can't serve now; `retry_after` in seconds."""

    def __init__(
        self, message: str, retry_after: int | None = None, code: str = "SERVICE_UNAVAILABLE"
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code


# Class -> HTTP status and the contract's code; a class that carries `code` says its own.
HTTP: dict[type[ShowrunnerError], tuple[int, str]] = {
    InvalidRequest: (400, "VALIDATION_ERROR"),
    Unauthorized: (401, "INVALID_TOKEN"),
    PaymentRequired: (402, "INSUFFICIENT_CREDITS"),
    Forbidden: (403, "INSUFFICIENT_PERMISSIONS"),
    NotFound: (404, "NOT_FOUND"),
    Conflict: (409, "CONFLICT"),
    PayloadTooLarge: (413, "PAYLOAD_TOO_LARGE"),
    LimitExceeded: (429, "RATE_LIMIT_EXCEEDED"),
    QuotaExceeded: (429, "QUOTA_EXCEEDED"),
    CredentialRejected: (502, "UPSTREAM_ERROR"),
    Disconnected: (409, "CONFLICT"),
    UploadUnknown: (409, "CONFLICT"),
    PlatformRejected: (502, "UPSTREAM_ERROR"),
    VoiceUnavailable: (502, "UPSTREAM_ERROR"),
    AnswerRefused: (502, "UPSTREAM_ERROR"),
    PlatformUnavailable: (502, "UPSTREAM_ERROR"),
    StorageMissing: (503, "SERVICE_UNAVAILABLE"),
    StorageDenied: (503, "SERVICE_UNAVAILABLE"),
    DatabaseUnavailable: (503, "SERVICE_UNAVAILABLE"),
    ServiceUnavailable: (503, "SERVICE_UNAVAILABLE"),
    ConfigurationMissing: (503, "SERVICE_UNAVAILABLE"),
}
