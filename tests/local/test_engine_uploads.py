"""local.engine <- uploads by the addresses that the Platform API gives to browsers."""

import hashlib
from typing import Any

import httpx
import pytest

from showrunner.aws import s3


def test_a_browser_uploads_by_the_signed_address_with_the_checksum_that_it_names(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, origin = b"picture", {"Origin": "http://localhost:5173"}
    engine.client("s3").create_bucket(Bucket="uploads")
    rule = {"AllowedOrigins": [origin["Origin"]], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}
    engine.client("s3").put_bucket_cors(Bucket="uploads", CORSConfiguration={"CORSRules": [rule]})
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.url)
    monkeypatch.setenv("MEDIA_BUCKET", "uploads")

    url, headers = s3.presigned_put(
        "picture", "image/png", len(picture), hashlib.sha256(picture).hexdigest(), 60
    )

    asks = {
        **origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(headers),
    }
    assert httpx.options(url, headers=asks).headers["access-control-allow-origin"] == origin["Origin"]
    assert httpx.put(url, content=picture, headers={**headers, **origin}).status_code == 200
    assert engine.client("s3").get_object(Bucket="uploads", Key="picture")["Body"].read() == picture
