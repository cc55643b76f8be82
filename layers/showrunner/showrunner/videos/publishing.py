"""Order the publication of a finished video, its changes and its removal."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from showrunner import config, quotas
from showrunner.aws import correlation, s3, sdk
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound
from showrunner.production.files import publication_key
from showrunner.publishing.job import Caption, Metadata, Privacy, PublicationJob
from showrunner.publishing.metadata import SOONEST, find_faults
from showrunner.store.studio import productions, publications, slots
from showrunner.videos.schemas import Publication, PublishRequest, Status
from showrunner.web import log
from showrunner.web.fields import timestamp
from showrunner.web.routing import Request

CONNECT_FIRST = (
    "The channel is not connected to YouTube: GET /auth/oauth/youtube/start, "
    "then POST /channels/{id}/connect-youtube."
)
UPLOAD_SCOPE = "https://www.googleapis.com/auth/youtube.upload"
EDIT_SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"
# Action -> the permission without which YouTube refuses it.
_NEEDED = {"publish": UPLOAD_SCOPE, "change": EDIT_SCOPE}
DECLINED = (
    "The owner of the YouTube account has declined the permission for this: "
    "connect it again with GET /auth/oauth/youtube/start, and leave all boxes ticked."
)
# YouTube's own names of the languages, as a viewer chooses them.
LANGUAGES = {"en": "English", "es": "Español", "fr": "Français", "de": "Deutsch"}
# A vertical or square film of up to three minutes is a Short: https://support.google.com/youtube/answer/15424877
SHORT_SECONDS = 180


def requested_metadata(
    source: dict[str, Any], privacy: Privacy | None = None, publish_at: datetime | None = None
) -> Metadata:
    """Return the requested metadata, from the video and its channel's settings.

    A scheduled video becomes public at its time.
    """
    settings = source["settings"]
    return Metadata(
        title=source["title"] or "",
        description=source["description"] or "",
        tags=source["tags"],
        category_id=settings.get("category", 22),
        language=settings.get("language", "en"),
        made_for_kids=settings.get("made_for_kids", False),
        synthetic=True,  # every video of ours is spoken by a generated voice
        privacy=privacy or ("public" if publish_at else settings.get("privacy", "private")),
        publish_at=publish_at,
    )


def publish(
    tx: db.Transaction, organisation_id: str, video_id: str, wanted: PublishRequest
) -> tuple[dict[str, Any], bool]:
    """Order the publication of a video. Returns its row, and whether a new attempt begins.

    A video that is being sent or is on YouTube already isn't sent again.

    Raises NotFound, Conflict, InvalidRequest.
    """
    source = publications.get_source(tx, organisation_id, video_id)
    known = publications.find(tx, organisation_id, video_id)
    status = source["status"]
    if source["is_removed"]:
        raise NotFound("There is no such video.")
    if known and (status == "publishing" or (status in ("published", "scheduled") and not known["problems"])):
        return known, False
    if status == "publish_unknown" and not wanted.confirm_repeat:
        raise Conflict(
            "It is unknown whether the first upload arrived: look in YouTube Studio, "
            "and repeat with confirm_repeat if the video isn't there."
        )
    if status == "review" or (source["settings"].get("review") and not source["is_approved"]):
        raise Conflict("The channel wants an approval first: POST …/approve gives it.")
    if status not in ("completed", "published", "scheduled", "publish_unknown"):
        raise Conflict(f"The video is {status}: only a finished one can be published.")
    publish_at = (
        datetime.fromisoformat(wanted.schedule_time).astimezone(UTC) if wanted.schedule_time else None
    )
    if known and known["youtube_video_id"]:
        # The video is there: only what is missing of it is done again.
        return order(tx, source, "publish", Metadata.model_validate(known["metadata"]), is_repeat=True), True
    metadata = requested_metadata(source, wanted.privacy, publish_at)
    return order(tx, source, "publish", metadata, confirm_repeat=wanted.confirm_repeat), True


def publish_automatically(tx: db.Transaction, organisation_id: str, video_id: str) -> dict[str, Any] | None:
    """Order the publication of a video that was just finished or approved, if its channel wants that.

    In a channel with `review` an unapproved video waits for its approval (status review) instead. Returns the
    row, None if nothing begins.
    """
    source = publications.get_source(tx, organisation_id, video_id)
    settings, is_connected = source["settings"], bool(source["connection_id"] and source["is_verified"])
    if source["status"] != "completed":
        return None
    if settings.get("review") and not source["is_approved"]:
        publications.save_status(tx, video_id, "review")
        return None
    if not settings.get("auto_publish", True) or not is_connected:
        return None
    if source["demo"] and is_real_youtube():
        return None
    if is_declined(source, "publish"):
        productions.add_log(tx, video_id, 0, "publish", DECLINED, level="error")
        return None
    try:
        return order(tx, source, "publish", requested_metadata(source, publish_at=_slot_time(tx, source)))
    except InvalidRequest as error:
        productions.add_log(tx, video_id, 0, "publish", error.message, level="error")
        return None


def _slot_time(tx: db.Transaction, source: dict[str, Any]) -> datetime | None:
    """Return when YouTube should make the video public: at its slot. None means at once.

    Only a channel that publishes publicly schedules: a scheduled video becomes public. A slot whose time is
    over or too near is published at once.
    """
    if source["settings"].get("privacy") != "public":
        return None
    at = slots.get_publish_at(tx, source["video_id"])
    return at if at and at >= datetime.now(UTC) + SOONEST else None


def describe(row: dict[str, Any], status: Status) -> Publication:
    """Return a publication as the API shows it."""
    metadata, youtube_video_id = row["metadata"], row["youtube_video_id"]
    published_at = row["published_at"]
    return Publication(
        video_id=row["video_id"],
        status=status,
        youtube_video_id=youtube_video_id,
        youtube_url=f"https://www.youtube.com/watch?v={youtube_video_id}" if youtube_video_id else None,
        privacy=metadata["privacy"],
        schedule_time=metadata["publish_at"],
        published_at=timestamp(published_at) if published_at else None,
        waiting_for=row["waiting_for"],
        problems=row["problems"],
    )


def change(tx: db.Transaction, organisation_id: str, video_id: str) -> dict[str, Any] | None:
    """Order that YouTube shows a video's new texts and thumbnail.

    Returns the row, None if the video isn't on YouTube. Raises Conflict while it is being sent.
    """
    known = publications.find(tx, organisation_id, video_id)
    if known is None or not known["youtube_video_id"]:
        return None
    source = publications.get_source(tx, organisation_id, video_id)
    if source["status"] == "publishing":
        raise Conflict("The video is being published: change it when it is there.")
    texts = {
        "title": source["title"] or "",
        "description": source["description"] or "",
        "tags": source["tags"],
    }
    return order(
        tx,
        source,
        "change",
        Metadata.model_validate(known["metadata"]).model_copy(update=texts),
        is_repeat=True,
    )


def remove(
    tx: db.Transaction, organisation_id: str, video_id: str
) -> tuple[dict[str, Any] | None, str | None]:
    """Order that a removed video is deleted on YouTube too.

    Returns the row of an attempt to start, and the id of a publication whose upload must stop.
    """
    known = publications.find(tx, organisation_id, video_id)
    if known is None:
        return None, None
    source = publications.get_source(tx, organisation_id, video_id)
    if source["status"] == "publishing" and known["is_open"]:
        return None, known["id"]
    if not known["youtube_video_id"] or not source["connection_id"]:
        return None, None
    return order(tx, source, "remove", Metadata.model_validate(known["metadata"]), is_repeat=True), None


def order(
    tx: db.Transaction,
    source: dict[str, Any],
    action: str,
    metadata: Metadata,
    *,
    confirm_repeat: bool = False,
    is_repeat: bool = False,
) -> dict[str, Any]:
    """Begin an attempt; the caller starts the machine after the commit.

    `source` is locked (publications.get_source). Raises Conflict or InvalidRequest.

    `is_repeat`: the video is on YouTube already, so its time of publication may be near or over.
    """
    require_connected(source)
    if is_declined(source, action):
        raise Conflict(DECLINED)
    if source["demo"] and is_real_youtube():
        raise Conflict(
            "This video is a demo: stand-ins wrote or spoke it, so it is never published on the real "
            "YouTube. Order it again on a stage with keys."
        )
    faults = find_faults(
        metadata.model_copy(update={"publish_at": None}) if is_repeat else metadata, datetime.now(UTC)
    )
    if faults:
        raise InvalidRequest(
            "YouTube would refuse the video: "
            + "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
            + ".",
            faults,
        )
    row = publications.open_(
        tx, source, action, metadata.model_dump(mode="json"), confirm_repeat=confirm_repeat
    )
    if action == "publish":
        publications.save_status(tx, source["video_id"], "publishing")
    return row


def require_connected(source: dict[str, Any]) -> None:
    """Raise Conflict if the channel has no verified connection."""
    if not (source["connection_id"] and source["is_verified"]):
        raise Conflict(CONNECT_FIRST)


def is_declined(source: dict[str, Any], action: str) -> bool:
    """Return True if the account's owner declined the scope that the action needs when they connected it."""
    return action in _NEEDED and _NEEDED[action] not in source["scopes"]


def is_real_youtube() -> bool:
    """Return True if uploads go to Google, False for a stand-in."""
    host = urlsplit(config.setting("YOUTUBE_UPLOAD_URL")).hostname or ""
    return host == "youtube.com" or host.endswith((".youtube.com", ".googleapis.com"))


def write_job(row: dict[str, Any], source: dict[str, Any], project: quotas.Project) -> None:
    """Write the document that the worker without a database reads.

    The first output is the one that is published.
    """
    product = source["product"]
    output, report = product["outputs"][0], s3.get_json(product["report"])
    measured = next(each for each in report["outputs"] if each["name"] == output["name"])
    if "sha256" not in measured:
        raise Conflict(
            "The video was rendered by an older version that kept no checksum: POST …/retry renders it again."
        )
    metadata = Metadata.model_validate(row["metadata"])
    language = metadata.language
    captions = (
        [Caption(language=language, name=LANGUAGES.get(language, language), key=output["srt"])]
        if output.get("srt")
        else []
    )
    is_short = output["height"] >= output["width"] and report["duration_s"] <= SHORT_SECONDS
    job = PublicationJob(
        publication_id=row["id"],
        attempt=row["attempt"],
        organisation_id=row["organisation_id"],
        video_id=row["video_id"],
        connection_id=source["connection_id"] or "",
        youtube_channel_id=source["youtube_channel_id"] or "",
        key=output["video"],
        size=output["bytes"],
        sha256=measured["sha256"],
        duration_s=report["duration_s"],
        is_short=is_short,
        metadata=metadata,
        thumbnail=source["thumbnail_key"] or _rendered_thumbnail(output, is_short),
        captions=captions,
        playlist=source["settings"].get("playlist"),
        project=project.name,
        units_a_day=project.units,
        inserts_a_day=project.inserts,
        confirm_repeat=row["confirm_repeat"],
    )
    s3.put_json(publication_key(job.folder), job.model_dump(mode="json"))


def _rendered_thumbnail(output: dict[str, Any], is_short: bool) -> str | None:
    """Return the key of the fitting thumbnail: YouTube takes upright ones for Shorts since 2026-11-03."""
    upright: str | None = output.get("thumbnail_tall")
    return upright if is_short and upright else output.get("thumbnail")


def start(row: dict[str, Any]) -> bool:
    """Start the machine for an attempt. Returns False if it was started before."""
    client = sdk.client("stepfunctions")
    document = {
        "video_id": row["video_id"],
        "organisation_id": row["organisation_id"],
        "attempt": row["attempt"],
        "step": "begin",
        "request_id": correlation.current(),
    }
    name = f"{row['video_id']}-{row['attempt']}"
    try:
        client.start_execution(
            stateMachineArn=config.setting("PUBLICATION_MACHINE_ARN"), name=name, input=json.dumps(document)
        )
    except client.exceptions.ExecutionAlreadyExists:
        return False
    return True


def start_patiently(request: Request, row: dict[str, Any]) -> None:
    """Start the machine. If that fails, the sweeper starts it later."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        start(row)
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "not started", video_id=row["video_id"], reason=str(error)[:500])
