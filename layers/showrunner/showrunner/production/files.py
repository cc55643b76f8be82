"""Name the S3 objects of a video: the only module that knows their keys.

`folder` is what `video_folder` returns. The steps pass it on, so that none of them builds keys from ids.
"""

import hashlib
import json
import re
from typing import Any

# What the renderer writes below `render_folder`; tests/contract/test_files.py compares these names with
# functions/render and template.yaml.
PROGRESS_NAME = "progress.json"
REPORT_NAME = "report.json"
ERROR_NAME = "error.json"
# Fields of an output, in the render's report and in the product, that name a file beside the video.
BESIDE_A_VIDEO = ("thumbnail", "thumbnail_tall", "srt", "vtt")
VOICE_SUFFIX = ".voice.json"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PROGRESS_KEY = re.compile(
    rf"organisations/({_UUID})/videos/({_UUID})/render/{re.escape(PROGRESS_NAME)}", re.ASCII
)
_OWNED_KEY = re.compile(rf"organisations/({_UUID})/(videos|assets|products)/([^/]+)(?:/.+)?", re.ASCII)


def video_folder(organisation_id: str, video_id: str) -> str:
    """Return the prefix of a video's own objects in the media bucket, without a slash at the end."""
    return f"organisations/{organisation_id}/videos/{video_id}"


def job_key(folder: str) -> str:
    """Return the key of the job document, written by Prepare for the steps without a database."""
    return f"{folder}/job.json"


def publication_key(folder: str) -> str:
    """Return the key of the job document of a publication, written for the worker without a database."""
    return f"{folder}/publication.json"


def script_key(folder: str) -> str:
    """Return the key of the script and the names of the models that wrote it."""
    return f"{folder}/script.json"


def edited_script_key(folder: str) -> str:
    """Return the key of the script as its owner edited it; it takes the place of the written one."""
    return f"{folder}/script.edited.json"


def replacements_key(folder: str) -> str:
    """Return the key of what the owner wants to see in single shots instead."""
    return f"{folder}/replacements.json"


def repairs_key(folder: str) -> str:
    """Return the key of the list of recordings whose word times were repaired: [{"scene", "repair"}]."""
    return f"{folder}/repairs.json"


def scenes_prefix(folder: str) -> str:
    """Return the prefix of what was made for single scenes."""
    return f"{folder}/scenes/"


def voice_key(folder: str, scene: int) -> str:
    """Return the key of the recording's description (uri, times of its characters) for one scene."""
    return f"{scenes_prefix(folder)}{scene}{VOICE_SUFFIX}"


def visual_key(folder: str, scene: int) -> str:
    """Return the key of the chosen picture's description for one scene."""
    return f"{folder}/scenes/{scene}.visual.json"


def pictures_key(folder: str) -> str:
    """Return the key of all scenes' pictures, stored with the timeline: one object for all."""
    return f"{folder}/pictures.json"


def music_key(folder: str) -> str:
    """Return the key of the music that was found for the video, with its author and licence."""
    return f"{folder}/music.json"


def allowance_key(folder: str) -> str:
    """Return the key of what the video's pictures may cost: {"usd"}."""
    return f"{folder}/allowance.json"


def timeline_key(folder: str) -> str:
    """Return the key of the timeline, the renderer's input."""
    return f"{folder}/timeline.json"


def charges_prefix(folder: str) -> str:
    """Return the prefix of the receipts: one object per charge."""
    return f"{folder}/charges/"


def charge_prefix(folder: str, step: str) -> str:
    """Return the prefix of a step's receipts."""
    return f"{charges_prefix(folder)}{step}-"


def charge_key(folder: str, charge: str) -> str:
    """Return the key of the receipt of one charge."""
    return f"{charges_prefix(folder)}{charge.replace(':', '-')}.json"


def render_folder(folder: str) -> str:
    """Return the prefix that the render job writes its outputs to, without a slash at the end."""
    return f"{folder}/render"


def output_key(folder: str, name: str) -> str:
    """Return the key of a file that the render wrote; `name` as its report has it."""
    return f"{render_folder(folder)}/{name}"


def report_key(folder: str) -> str:
    """Return the key of the render's report: outputs, measured values, versions."""
    return output_key(folder, REPORT_NAME)


def error_key(folder: str) -> str:
    """Return the key of the reason that a failed render leaves: {"error", "message"}."""
    return output_key(folder, ERROR_NAME)


def progress_key(folder: str) -> str:
    """Return the key of the render's progress: {"phase", "done", "total"}."""
    return output_key(folder, PROGRESS_NAME)


def parse_progress_key(key: str) -> tuple[str, str] | None:
    """Return (organisation_id, video_id) of a progress object's key; None for any other key."""
    found = _PROGRESS_KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def parse_owner(key: str) -> tuple[str, str, str] | None:
    """Return (organisation_id, kind, id) of an object: the row that owns it. None for a key of no known form.

    kind is videos, assets or products. A product belongs to its organisation; its id is the step's name.
    """
    found = _OWNED_KEY.fullmatch(key)
    return (found[1], found[2], found[3]) if found else None


def product_key(organisation_id: str, step: str, digest: str, suffix: str) -> str:
    """Return the key of something paid for, by the digest of its inputs: it is not paid for twice."""
    return f"organisations/{organisation_id}/products/{step}/{digest}.{suffix}"


def digest(*parts: Any) -> str:
    """Return the sha256 (hex) over the parts in order: the name of a product."""
    return hashlib.sha256(
        json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
