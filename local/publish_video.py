"""`make run PUBLISH=1`: publish the video on the stand-in for YouTube, as a person would.

The person logs in through the stand-in for Google, connects their YouTube channel, and orders a video for it.
"""

import hashlib
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from local import deploy
from local.deploy import answered
from local.settings import Refused, address

EMAIL = "demo@example.com"
CHANNEL = "Published demo"
ASK_EVERY_S = 3.0
# Upload, processing and captions take seconds; quota and breakdowns make a publication wait for longer.
MOST_S = 600


def log_in(api: httpx.Client) -> None:
    """Make `api` act for the demo person."""
    pair = _through_google(api, "google")
    api.headers["Authorization"] = f"Bearer {pair['access_token']}"


def ensure_channel(api: httpx.Client) -> str:
    """Return the id of the person's channel, connected to a YouTube channel of the stand-in."""
    channel_id = deploy.ensure_channel(api, CHANNEL, privacy="public")
    _through_google(api, "youtube")
    answered(api.post(f"/api/v1/channels/{channel_id}/connect-youtube", json={}))
    return channel_id


def publish(api: httpx.Client, video_id: str) -> dict[str, Any]:
    """Publish the video and wait for it. Returns its video_id, url, privacy_status and sha256 on YouTube.

    Raises Refused if it isn't published, or has problems there.
    """
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answered(api.post(f"/api/v1/videos/{video_id}/publish", json={}, headers=headers))
    until = time.monotonic() + MOST_S
    while time.monotonic() < until:
        video = answered(api.get(f"/api/v1/videos/{video_id}"))["video"]
        if video["status"] != "publishing":
            break
        time.sleep(ASK_EVERY_S)
    publication = video["publication"] or {}
    faults = [f"{each['message']} {each['next_step']}" for each in publication.get("problems", [])]
    if video["status"] != "published" or faults:
        words = "; ".join(faults) or publication.get("waiting_for") or "see make open and the logs"
        raise Refused(f"the video is {video['status']} on YouTube: {words}", code=1)
    return _on_youtube(publication["youtube_video_id"], publication["privacy"])


def _on_youtube(youtube_video_id: str, privacy: str) -> dict[str, Any]:
    stand_in, digest = address("PLATFORMS_PORT"), hashlib.sha256()
    with httpx.stream("GET", f"{stand_in}/film/{youtube_video_id}", trust_env=False) as film:
        film.raise_for_status()
        for part in film.iter_bytes():
            digest.update(part)
    return {
        "video_id": youtube_video_id,
        "url": f"{stand_in}/watch?v={youtube_video_id}",
        "privacy_status": privacy,
        "sha256": digest.hexdigest(),
    }


def _through_google(api: httpx.Client, provider: str) -> Any:
    """Return the answer of a login or a connection; the browser's part is played here."""
    started = api.get(f"/api/v1/auth/oauth/{provider}/start")
    page = str(answered(started)["authorization_url"])
    if not page.startswith(address("PLATFORMS_PORT")):
        raise Refused("PUBLISH=1 shows the video on the stand-in: unset GOOGLE_CLIENT_ID, then make up")
    consent = httpx.get(f"{page}&{urlencode({'as': EMAIL})}", follow_redirects=False, trust_env=False)
    returned = parse_qs(urlsplit(consent.headers["location"]).query)
    body = {"code": returned["code"][0], "state": returned["state"][0]}
    # Browsers send Secure cookies to loopback addresses, httpx does not.
    cookie = started.headers["set-cookie"].partition(";")[0]
    return answered(api.post(f"/api/v1/auth/oauth/{provider}", json=body, headers={"Cookie": cookie}))
