"""Errors of a render: a message for the video's owner, and an exit code that tells the job queue whether to
retry.

Exit codes: 0 finished; 2 wrong arguments; 3 the timeline, an asset or the finished file is at fault (a retry
gives the same result); 4 the host is at fault (a retry may succeed); 5 the GPU's encoder does not work
(continue on a CPU); 6 clips have faults and others can take their places (choose others). A killed process
ends with the signal's code (137 for SIGKILL), which is the host's fault too.
"""

from typing import Any

EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_HOST = 4
EXIT_GPU = 5
EXIT_CLIPS = 6


class RenderError(Exception):
    """Base class. `message` is shown to the user; `asset` and `findings` go into error.json."""

    exit_code = EXIT_INPUT

    def __init__(
        self, message: str, *, asset: str | None = None, findings: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.asset, self.findings = message, asset, findings or []

    def as_document(self) -> dict[str, Any]:
        """Return the content of error.json."""
        document: dict[str, Any] = {
            "error": type(self).__name__,
            "message": self.message,
            "retryable": self.exit_code in (EXIT_HOST, EXIT_GPU),
        }
        if self.asset:
            document["asset"] = self.asset
        if self.findings:
            document["findings"] = self.findings
        return document


class TimelineInvalid(RenderError):
    """The timeline does not match its schema, or its times contradict each other."""


class AssetMissing(RenderError):
    """Report an asset whose URI names no file or object."""


class AssetCorrupt(RenderError):
    """An asset cannot be decoded, is empty, or has a different SHA-256 than the timeline says."""


class AssetRefused(RenderError):
    """An asset is never read for safety: a playlist, an SVG, an address outside S3, or too many pixels."""


class FontMissing(RenderError):
    """A font is not installed, or no font has a letter of the text."""


class QualityRejected(RenderError):
    """The finished file did not pass the inspection; `findings` lists the faults."""


class ClipsRejected(RenderError):
    """Clips have faults, and the timeline says that others can take their places; nothing was drawn.

    `findings` lists them as {shot, asset, reason, drawable}.
    """

    exit_code = EXIT_CLIPS


class HostFailure(RenderError):
    """The machine is at fault, not the input: a retry on another machine may succeed."""

    exit_code = EXIT_HOST


class DiskFull(HostFailure):
    """Report a disk without space for intermediate files or the result."""


class EncoderFailed(HostFailure):
    """No suitable encoder works on this machine, or it failed while encoding."""


class GpuUnavailable(EncoderFailed):
    """The GPU's encoder was required and does not work on this machine. The job queue continues on a CPU."""

    exit_code = EXIT_GPU


class StorageUnavailable(HostFailure):
    """S3 did not answer, or it refused the request."""
