"""Define the request and response bodies of /api/v1/assets."""

from typing import Annotated, Literal

from pydantic import Field

from showrunner.web.fields import PATTERN_WORDS, Body, Line, Page, Pagination, Result, Timestamp

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


PATTERN_WORDS["^[0-9a-f]{64}$"] = "is no SHA-256: 64 hexadecimal digits in small letters"


class NewAsset(Body):
    """A file to upload. At most 3 MB for a thumbnail, 20 for an image, 50 for audio, 200 for a clip."""

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
