"""Read the files of a video for its owner: the render's progress and signed download links."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from showrunner.aws import s3
from showrunner.errors import Conflict
from showrunner.production import files, progress
from showrunner.videos.schemas import VideoProgress
from showrunner.web.fields import timestamp

# As long as an access token lives: enough for a big download to begin, and a forwarded link soon expires.
LINK_SECONDS = 3600


def show_progress(organisation_id: str, state: dict[str, Any]) -> VideoProgress:
    """Return how far a video is, as the API shows it. `state` is what videos.get_state returns."""
    return VideoProgress(
        video_id=state["id"],
        status=state["status"],
        progress=_percent(organisation_id, state),
        current_step=state["current_step"],
        attempt=state["attempt"],
        errors=[state["error"]] if state["error"] else [],
    )


def _percent(organisation_id: str, state: dict[str, Any]) -> int:
    """Return the progress in percent. The render has no database: it writes its progress to S3."""
    if state["current_step"] != "render" or state["status"] != "processing":
        return int(state["progress"])
    reported = s3.find_json(files.progress_key(files.video_folder(organisation_id, state["id"])))
    return max(int(state["progress"]), progress.rendering(reported or {}))


def download_links(state: dict[str, Any]) -> dict[str, Any]:
    """Return {"outputs", "expires_at"} with signed links. Raises Conflict if the video has no files yet."""
    if state["status"] == "failed":
        reason = (state["error"] or {}).get("message", "")
        raise Conflict(
            f"The production failed, so there is nothing to download. {reason} POST …/retry resumes it.",
            code="VIDEO_GENERATION_FAILED",
        )
    if not state["product"].get("outputs"):
        raise Conflict(f"The video is {state['status']}: there is nothing to download yet.")
    stem = re.sub(r"[^a-z0-9]+", "-", (state["title"] or "video").lower()).strip("-")[:60] or "video"
    expires_at = datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)
    return {
        "outputs": [_signed(output, stem) for output in state["product"]["outputs"]],
        "expires_at": timestamp(expires_at),
    }


def _ending(kind: str, key: str) -> str:
    """Return the end of a downloaded file's name: both thumbnails are JPEG files."""
    return f"{'.tall' if kind == 'thumbnail_tall' else ''}.{key.rpartition('.')[2]}"


def _signed(output: dict[str, Any], stem: str) -> dict[str, Any]:
    keys = {kind: output[kind] for kind in ("video", *files.BESIDE_A_VIDEO) if output.get(kind)}
    links = {
        kind: s3.presigned_get(key, LINK_SECONDS, f"{stem}.{output['name']}{_ending(kind, key)}")
        for kind, key in keys.items()
    }
    return {**{name: value for name, value in output.items() if name not in keys}, **links}
