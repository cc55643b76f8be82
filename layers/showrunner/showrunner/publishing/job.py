"""The job document of a publication: everything that the worker without a database needs.

It is stored in S3 beside the video.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from showrunner.production import files

Privacy = Literal["public", "unlisted", "private"]


class Metadata(BaseModel):
    """The requested metadata. A video with `publish_at` (UTC) is private until then."""

    model_config = ConfigDict(frozen=True)
    title: str
    description: str
    tags: list[str]
    category_id: int
    language: str
    made_for_kids: bool
    # Altered or synthetic content (generated voices, realistic generated pictures) must be declared.
    synthetic: bool
    privacy: Privacy
    publish_at: datetime | None = None


class Caption(BaseModel):
    model_config = ConfigDict(frozen=True)
    language: str
    name: str
    key: str


class PublicationJob(BaseModel):
    """`attempt` is the publication's.

    `key` and `size` are the film's in the media bucket; `sha256` is hex, as the render reported it.
    """

    model_config = ConfigDict(frozen=True)
    publication_id: str
    attempt: int
    organisation_id: str
    video_id: str
    connection_id: str
    youtube_channel_id: str
    key: str
    size: int
    sha256: str
    duration_s: float
    is_short: bool
    metadata: Metadata
    thumbnail: str | None
    captions: list[Caption]
    playlist: str | None
    # The Google project that the calls count for, and its quotas of a day.
    project: str = "youtube"
    units_a_day: int = 10_000
    inserts_a_day: int = 100
    # A person has accepted that a second video may appear, because the result of the first upload is unknown.
    confirm_repeat: bool = False

    @property
    def folder(self) -> str:
        return files.video_folder(self.organisation_id, self.video_id)

    @property
    def marker(self) -> str:
        """The tag by which the video is found again among the channel's uploads when an answer was lost."""
        return f"sr-{self.publication_id.replace('-', '')[:16]}"
