"""`make smoke STAGE=dev`: order a video of ten seconds from the stage, watch it being made, and check it."""

import json
import time

import httpx

from local import run_video
from local.deploy import ensure_channel
from local.settings import Refused
from local.stages.admin import ORGANISATION
from local.stages.secrets import SIGNING_KEY
from local.stages.stage import Stage
from showrunner.access import tokens

SCOPES = ["channels:read", "channels:write", "videos:all", "internal:read"]
TOKEN_SECONDS = 3600
SECONDS = 10
# A narrator's pace differs; a video that is half as long or twice as long is not the one that was ordered.
SHORTEST_S, LONGEST_S = 5.0, 20.0
BRIEF = {
    "manual_script": (
        "The sea covers most of our planet. "
        "Every wave that reaches a beach began far away, in a wind that nobody here has felt."
    ),
    "length_seconds": SECONDS,
    "aspect": ["9:16"],
}


def smoke(stage: Stage) -> None:
    """Print the finished video's table. Raises Refused with what is wrong."""
    address = stage.deployed(stage.application_stack).get("PlatformUrl", "")
    known = stage.secrets_there([SIGNING_KEY, ORGANISATION])
    if not address.startswith("https://") or SIGNING_KEY not in known:
        raise Refused(f"stage {stage.name} is not deployed completely; run make deploy STAGE={stage.name}")
    if ORGANISATION not in known:
        raise Refused(
            f"stage {stage.name} has no organisation yet; run make admin STAGE={stage.name} "
            "EMAIL=you@label.com"
        )
    claims = tokens.service_claims("smoke", known[ORGANISATION], SCOPES, address, TOKEN_SECONDS)
    token = tokens.sign(claims, json.loads(known[SIGNING_KEY]))
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60) as api:
        order(api)


def order(api: httpx.Client) -> None:
    """Order the video, wait for it, and check it."""
    begun = time.time()
    health = run_video.ask_patiently(api, "/api/v1/admin/health")
    print(f"The API answers: {health['status']}.", flush=True)
    video_id = run_video.ask(api, {**BRIEF, "channel_id": ensure_channel(api)})
    print(f"Making video {video_id} ...", flush=True)
    run_video.follow(api, video_id)
    summary = run_video.collect(api, video_id)
    if not SHORTEST_S <= float(summary["duration_s"]) <= LONGEST_S:
        raise Refused(f"video {video_id} is {summary['duration_s']} s long, ordered were {SECONDS}", code=1)
    if summary["bytes"].get("video", 0) < 100_000 or not summary["bytes"].get("thumbnail"):
        raise Refused(f"video {video_id} has no proper files: {summary['bytes']}", code=1)
    run_video.show(
        summary | {"production_s": round(time.time() - begun, 1), "wall_s": round(time.time() - begun, 1)}
    )
