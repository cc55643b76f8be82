"""Platform API: /api/v1/assets -> users' own images, clips and sounds, uploaded straight to S3."""

from typing import Annotated, Any, Literal

from pydantic import Field

from showrunner.access import limits
from showrunner.database import db
from showrunner.errors import InvalidRequest, LimitExceeded
from showrunner.store.studio import assets
from showrunner.web import answers, application, audit, fields, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import parse
from showrunner.web.fields import Body, Line, Page, Pagination, Result, Timestamp
from showrunner.web.routing import Request

app = Application("assets")

Kind = Literal["image", "clip", "audio", "thumbnail"]
ContentType = Literal[
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/webm",
    "video/quicktime",
    "audio/mpeg",
    "audio/wav",
    "audio/mp4",
    "audio/ogg",
]


fields.PATTERN_WORDS["^[0-9a-f]{64}$"] = "is no SHA-256: 64 hexadecimal digits in small letters"


class NewAsset(Body):
    """A file to upload. At most 2 MB for a thumbnail, 20 for an image, 50 for audio, 200 for a clip."""

    kind: Kind
    content_type: ContentType
    bytes: Annotated[int, Field(ge=1, le=209_715_200, strict=True)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    licence: Annotated[Line, Field(max_length=200)] | None = None
    name: Annotated[Line, Field(max_length=200, description="By which it is found again.")] | None = None
    tags: Annotated[
        list[Annotated[Line, Field(max_length=50)]],
        Field(max_length=20, description="By which it is found again, whatever their capitals."),
    ] = Field(default_factory=list)


class AssetFilter(Page):
    """Filters and page of the list of assets. Sorted by created_at, name or bytes."""

    kind: Kind | None = None
    tag: Annotated[Line, Field(max_length=50)] | None = None
    name: Annotated[Line, Field(max_length=200, description="A part of the name.")] | None = None


class Asset(Result):
    id: str
    kind: str
    content_type: str
    bytes: int
    sha256: str
    licence: str | None
    name: str | None
    tags: list[str]
    status: Literal["pending", "ready", "refused"]
    created_at: Timestamp


class AssetList(Result):
    """One page of assets."""

    assets: list[Asset]
    pagination: Pagination


class PresignedUpload(Result):
    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_in: int


class NewAssetResponse(Result):
    asset: Asset
    upload: PresignedUpload


class AssetResponse(Result):
    asset: Asset
    download_url: str | None


@app.post(
    "/api/v1/assets",
    permission="videos:write",
    answer=NewAssetResponse,
    status=201,
    idempotent=True,
    verified=True,
)
def add(request: Request, body: NewAsset) -> Answer:
    """Announce a file.

    Returns where to PUT it, and with which headers; the address accepts only these bytes, for an hour.
    """
    from showrunner.aws import s3
    from showrunner.videos import uploads

    check(body)

    def work(tx: db.Transaction) -> Answer:
        require_space(tx, request.organisation_id, body.bytes)
        row = assets.add(
            tx,
            request.organisation_id,
            body.kind,
            body.content_type,
            body.bytes,
            body.sha256,
            body.licence,
            body.name,
            body.tags,
        )
        audit.record(tx, request, "add", "asset", row["id"], kind=body.kind, bytes=body.bytes)
        # Signing needs no call to AWS, so the transaction isn't kept open for one.
        url, headers = s3.presigned_put(
            row["object_key"], body.content_type, body.bytes, body.sha256, uploads.UPLOAD_SECONDS
        )
        upload = {"method": "PUT", "url": url, "headers": headers, "expires_in": uploads.UPLOAD_SECONDS}
        return Answer({"asset": parse(row["item"].encode()), "upload": upload}, 201)

    return idempotency.once(request, work)


def check(body: NewAsset) -> None:
    """Raise InvalidRequest if the type isn't one of this kind, or the file is too large for it."""
    from showrunner.videos import uploads

    if body.kind not in uploads.TYPES[body.content_type][0]:
        message = f"{body.content_type} can't be a {body.kind}"
        raise InvalidRequest(f"{message}.", [{"field": "content_type", "message": message}])
    most = uploads.MAX_BYTES[body.kind]
    if body.bytes > most:
        message = f"a {body.kind} has at most {most} bytes"
        raise InvalidRequest(f"The file is too large: {message}.", [{"field": "bytes", "message": message}])


def require_space(tx: db.Transaction, organisation_id: str, size_bytes: int) -> None:
    """Raise LimitExceeded (QUOTA_EXCEEDED) if the plan allows no more assets or bytes."""
    assets.lock(tx, organisation_id)
    limit = limits.of_organisation(tx, organisation_id)
    count, used = assets.usage(tx, organisation_id)
    if count >= limit["assets"] or used + size_bytes > limit["asset_bytes"]:
        message = (
            f"Your organisation may store {limit['assets']} files with {limit['asset_bytes']} bytes in all "
            f"and has {count} with {used}: "
            "delete some (DELETE /assets/{id}), or ask for more."
        )
        raise LimitExceeded(message, retry_after=limits.DAY, code="QUOTA_EXCEEDED")


@app.get("/api/v1/assets", permission="videos:read", answer=AssetList)
def list_assets(request: Request, query: AssetFilter) -> Answer:
    """List the organisation's assets, newest first."""
    with db.reading() as tx:
        found = assets.list_(
            tx, request.organisation_id, query.model_dump(include={"kind", "tag", "name"}), query.request()
        )
    return answers.listed("assets", found)


@app.get("/api/v1/assets/{asset_id}", permission="videos:read", answer=AssetResponse)
def show(request: Request, asset_id: str) -> dict[str, Any]:
    """Show an asset. The first call after the upload checks its type, size and hash."""
    from showrunner.aws import s3
    from showrunner.videos import uploads

    status = uploads.check(request.organisation_id, asset_id)
    with db.reading() as tx:
        row = assets.get(tx, request.organisation_id, asset_id)
    url = s3.presigned_get(row["object_key"], uploads.UPLOAD_SECONDS) if status == "ready" else None
    return {"asset": {name: row[name] for name in Asset.model_fields}, "download_url": url}


@app.delete("/api/v1/assets/{asset_id}", permission="videos:write", status=204)
def remove(request: Request, asset_id: str) -> Answer:
    """Remove the asset and its file. Videos made with it keep what was rendered."""
    from showrunner.aws import s3

    with db.transaction() as tx:
        key = assets.remove(tx, request.organisation_id, asset_id)
        audit.record(tx, request, "remove", "asset", asset_id.lower())
    s3.remove([key])
    return Answer(status=204)


handler = application.handler(app)
