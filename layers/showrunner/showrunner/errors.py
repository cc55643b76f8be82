"""Errors, named by what whoever receives them should do.

Step Functions matches the class names in Retry and Catch, so renaming a class changes the state machines.

- The caller must change something: InvalidRequest, Unauthorized, Forbidden, NotFound, Conflict,
  PayloadTooLarge, LimitExceeded, PaymentRequired.
- A platform: QuotaExceeded (wait), CredentialRejected (replace the key), Disconnected (connect again),
  UploadUnknown (a person decides), PlatformRejected (change the request), PlatformUnavailable (try again),
  VoiceUnavailable (choose another voice or plan), AnswerRefused (change the brief).
- Our own stores: StorageMissing, StorageDenied, DatabaseUnavailable.
- A step of a state machine: ScriptRejected (the model's answer is not usable), PromiseNotKept (too little
  moves), ProductionCancelled (stop).
- The deployment: ConfigurationMissing, ServiceUnavailable.
"""

from datetime import datetime


class ShowrunnerError(Exception):
    """Base of our errors. `message` is for the user and says what to do next."""

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
    """The request has no credentials, or credentials that are not valid."""

    def __init__(self, message: str, code: str = "INVALID_TOKEN") -> None:
        super().__init__(message)
        self.code = code


class Forbidden(ShowrunnerError):
    """The caller is known, but may not do this."""

    def __init__(self, message: str, code: str = "INSUFFICIENT_PERMISSIONS") -> None:
        super().__init__(message)
        self.code = code


class NotFound(ShowrunnerError):
    """The thing doesn't exist, or belongs to another organisation."""


class Conflict(ShowrunnerError):
    """The state of the thing doesn't allow this now."""

    def __init__(
        self, message: str, code: str = "CONFLICT", details: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or []


class PayloadTooLarge(ShowrunnerError):
    """The body is over the route's limit."""


class PaymentRequired(ShowrunnerError):
    """The organisation's credits or budget don't cover this."""


class LimitExceeded(ShowrunnerError):
    """Too many calls. retry_after: seconds to wait. limit: calls that the window allows."""

    def __init__(
        self, message: str, retry_after: int, code: str = "RATE_LIMIT_EXCEEDED", limit: int | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code
        self.limit = limit


class QuotaExceeded(ShowrunnerError):
    """A platform's quota is used up until `retry_at` (UTC), or for good if that is None."""

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class CredentialRejected(ShowrunnerError):
    """A platform refuses our key: no call succeeds until an operator replaces it."""


class Disconnected(ShowrunnerError):
    """The owner of a connected account withdrew our permission: the account must be connected again."""


class UploadUnknown(ShowrunnerError):
    """All bytes were sent, but neither a response nor the video can be found: a person must decide."""


class PlatformRejected(ShowrunnerError):
    """A platform refuses this request. Repeating it unchanged gives the same answer.

    `reason` is the platform's name for the error.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class VoiceUnavailable(ShowrunnerError):
    """The account has no such voice, or its plan doesn't allow it: choose another voice or plan."""


class AnswerRefused(ShowrunnerError):
    """The language model refuses to answer, or a content filter stopped it: the brief must change."""


class PlatformUnavailable(ShowrunnerError):
    """A platform is down or busy.

    `retry_after`: seconds, when it said so. `was_sent`: False if the request never left, so it cost nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, was_sent: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.was_sent = was_sent


class StorageMissing(ShowrunnerError):
    """An object is missing from the object store."""


class StorageDenied(ShowrunnerError):
    """The object store refuses our call: a policy is missing."""


class DatabaseUnavailable(ShowrunnerError):
    """The database doesn't answer: try again."""


class RenderIncomplete(ShowrunnerError):
    """A file of a render is missing, or isn't the one that its report describes."""


class ScriptRejected(ShowrunnerError):
    """No model returned a usable script, even after repair. No speech was paid for."""


class PromiseNotKept(ShowrunnerError):
    """The plan, or the finished film, is not what the channel promises its viewers."""


class ProductionCancelled(ShowrunnerError):
    """The user cancelled the video: the production stops before its next paid call."""


class ConfigurationMissing(ShowrunnerError):
    """A setting or secret is missing. The message names it and where it belongs."""


class ServiceUnavailable(ShowrunnerError):
    """The API can't serve the request now. `retry_after` is in seconds."""

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
