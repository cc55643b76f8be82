"""What can go wrong, said to the person whose video it is, and the exit code that tells the job queue whether another try could help.

Exit codes: 0 finished · 2 wrong call · 3 the timeline, an asset or the finished file is at fault (another try gives the same) ·
4 the host is at fault (another try may help).
A process that is killed ends with the signal's code (137 by SIGKILL), which counts as the host's fault too.
"""

from typing import Any

EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_HOST = 4


class RenderError(Exception):
    """Base of everything that ends a render with a sentence for the user."""

    exit_code = EXIT_INPUT

    def __init__(self, message: str, *, asset: str | None = None, findings: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.message, self.asset, self.findings = message, asset, findings or []

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"error": type(self).__name__, "message": self.message, "retryable": self.exit_code == EXIT_HOST}
        if self.asset:
            document["asset"] = self.asset
        if self.findings:
            document["findings"] = self.findings
        return document


class TimelineInvalid(RenderError):
    """The timeline breaks its schema or contradicts itself."""


class AssetMissing(RenderError):
    """An asset is not where the timeline says."""


class AssetCorrupt(RenderError):
    """An asset cannot be decoded, is empty, or is not the file that was planned."""


class AssetRefused(RenderError):
    """An asset that is never read, whatever it holds: a playlist, a drawing with links, a place outside the timeline's own store, a bomb."""


class FontMissing(RenderError):
    """A face is absent, or none has the letters of a text."""


class QualityRejected(RenderError):
    """The finished file was inspected and does not pass; `findings` names each breach."""


class HostFailure(RenderError):
    """The machine, not the input: another try, elsewhere, may work."""

    exit_code = EXIT_HOST


class DiskFull(HostFailure):
    """No space left for the intermediate files or the result."""


class EncoderFailed(HostFailure):
    """The encoder ended with an error although it worked when probed."""


class StorageUnavailable(HostFailure):
    """The object store did not answer or refused."""
