"""Platform API: /api/v1/assets -> users' own images, clips and sounds, uploaded straight to S3."""

from typing import Any

from showrunner.database import db
from showrunner.store.studio import assets
from showrunner.videos.asset_schemas import (
    Asset,
    AssetFilter,
    AssetList,
    AssetResponse,
    NewAsset,
    NewAssetResponse,
)
from showrunner.web import answers, application, audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import parse
from showrunner.web.routing import Request

app = Application("assets")


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

    uploads.check_announced(body)

    def work(tx: db.Transaction) -> Answer:
        uploads.require_space(tx, request.organisation_id, body.bytes)
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
    """Show an asset. The first call after the upload checks its type, size, hash, and a thumbnail's width."""
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
