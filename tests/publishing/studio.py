"""A finished video of a connected channel, YouTube's stand-in, and the loop of the publication machine."""

import hashlib
import json
import os
import uuid
from typing import Any, NamedTuple

from functions.publish import app as publish
from functions.upload import app as upload
from local.platforms.google import Grant
from local.platforms.library import Library
from showrunner.accounts import connections
from showrunner.aws import dynamodb, s3
from showrunner.database import db
from showrunner.platforms import google
from showrunner.store.accounts import connected_accounts
from showrunner.store.studio import publications
from showrunner.videos import publishing
from tests.publishing.film import mp4

OWNER = "ada@example.com"
PLAYLIST = "PLaaaaaaaaaaaaaaaa"


class Studio(NamedTuple):
    """A connected channel with one finished video. `film` are its bytes."""

    world: Any
    tx: Any
    organisation_id: str
    channel_id: str
    youtube_channel_id: str
    connection_id: str
    video_id: str
    film: bytes

    @property
    def library(self) -> Library:
        return self.world.library

    def row(self) -> dict[str, Any]:
        found = publications.find(self.tx, self.organisation_id, self.video_id)
        assert found is not None
        return found

    def status(self) -> str:
        return str(db.value(self.tx, "SELECT status FROM studio.videos WHERE id = :id", id=self.video_id))

    def uploaded(self) -> list[Any]:
        """Every video on YouTube's side."""
        return list(self.library.videos.values())

    def order(
        self, action: str = "publish", privacy: Any = None, publish_at: Any = None, **more: Any
    ) -> dict[str, Any]:
        source = publications.get_source(self.tx, self.organisation_id, self.video_id)
        return publishing.order(
            self.tx, source, action, publishing.requested_metadata(source, privacy, publish_at), **more
        )

    def disconnect(self) -> None:
        connections.remove(self.connection_id)
        dynamodb.remove(f"connection#{self.connection_id}", "access")

    def reconnect(self) -> None:
        """Connect the same account again, as POST /auth/oauth/youtube does."""
        refresh_token = f"1//{uuid.uuid4().hex}"
        self.world.sign_ins.refresh_tokens[refresh_token] = Grant(OWNER, list(google.YOUTUBE))
        connections.save(self.connection_id, self.organisation_id, refresh_token)
        connection = {
            "id": self.connection_id,
            "organisation_id": self.organisation_id,
            "provider": "youtube",
            "subject": OWNER,
            "user_id": None,
            "scopes": [*google.YOUTUBE[1:]],
            "own_project": False,
        }
        connected_accounts.save(self.tx, connection)

    def expire_tokens(self) -> None:
        self.world.sign_ins.access_tokens.clear()


def make_studio(world, tx, organisation_id, monkeypatch, film: bytes | None = None) -> Studio:
    google._documents.clear()
    monkeypatch.setenv("YOUTUBE_BASE_URL", os.environ["GOOGLE_URL"])
    monkeypatch.setenv("YOUTUBE_UPLOAD_URL", os.environ["GOOGLE_URL"])
    film = mp4() if film is None else film
    youtube_channel_id = "UC" + uuid.uuid4().hex[:22]
    world.library, world.spent, world.quota = Library(), 0, 10_000
    world.channels[youtube_channel_id] = {"title": "Depths", "handle": "depths"}
    world.owned[OWNER] = [youtube_channel_id]
    world.library.playlists[PLAYLIST] = []
    refresh_token = f"1//{uuid.uuid4().hex}"
    world.sign_ins.refresh_tokens[refresh_token] = Grant(OWNER, list(google.YOUTUBE))
    connection_id = connections.id_of(organisation_id, "youtube", OWNER)
    connections.save(connection_id, organisation_id, refresh_token)
    channel_id, video_id = str(uuid.uuid4()), str(uuid.uuid4())
    db.run(
        tx,
        "INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes) "
        "VALUES (:id, :organisation, 'youtube', :subject, :scopes)",
        scopes=[*google.YOUTUBE[1:]],
        id=connection_id,
        organisation=organisation_id,
        subject=OWNER,
    )
    settings = {"language": "en", "privacy": "unlisted", "playlist": PLAYLIST, "category": 27}
    db.run(
        tx,
        "INSERT INTO studio.channels "
        "(id, organisation_id, name, settings, youtube_channel_id, connection_id, youtube_verified_at) "
        "VALUES (:id, :organisation, 'Depths', :settings, :youtube, :connection, now())",
        id=channel_id,
        organisation=organisation_id,
        settings=json.dumps(settings),
        youtube=youtube_channel_id,
        connection=connection_id,
    )
    product = finished(organisation_id, video_id, film)
    db.run(
        tx,
        "INSERT INTO studio.videos (id, organisation_id, channel_id, request, status, title, description, "
        "tags, product, duration_seconds, completed_at) "
        "VALUES (:id, :organisation, :channel, '{}', 'completed', "
        "'Cables under the sea', 'What carries the internet.', '{cables,internet}', "
        ":product, 5, now())",
        id=video_id,
        organisation=organisation_id,
        channel=channel_id,
        product=json.dumps(product),
    )
    return Studio(world, tx, organisation_id, channel_id, youtube_channel_id, connection_id, video_id, film)


def finished(organisation_id: str, video_id: str, film: bytes) -> dict[str, Any]:
    """Store the files as the render leaves them; return the product that the video's row keeps."""
    folder = f"organisations/{organisation_id}/videos/{video_id}/render"
    s3.put_bytes(f"{folder}/video.mp4", film)
    s3.put_bytes(f"{folder}/thumbnail.jpg", b"\xff\xd8\xffpicture")
    s3.put_bytes(f"{folder}/thumbnail.tall.jpg", b"\xff\xd8\xffupright")
    s3.put_bytes(f"{folder}/captions.srt", b"1\n00:00:00,000 --> 00:00:02,000\nCables\n")
    output = {"name": "9x16", "bytes": len(film), "width": 1080, "height": 1920}
    s3.put_json(
        f"{folder}/report.json",
        {"duration_s": 5.0, "outputs": [{**output, "sha256": hashlib.sha256(film).hexdigest()}]},
    )
    names = {
        "video": "video.mp4",
        "thumbnail": "thumbnail.jpg",
        "thumbnail_tall": "thumbnail.tall.jpg",
        "srt": "captions.srt",
    }
    return {
        "outputs": [{**output, **{name: f"{folder}/{file}" for name, file in names.items()}}],
        "report": f"{folder}/report.json",
    }


class Machine:
    """Runs the publication machine as statemachines/publication.asl.json does, without waiting.

    `waits`: the seconds that it would have waited.
    """

    def __init__(self, row: dict[str, Any], before: Any = None) -> None:
        self.ids = {name: row[name] for name in ("video_id", "organisation_id", "attempt")}
        self.waits: list[int] = []
        self.steps: list[str] = []
        self.before = before or (lambda step: None)

    def run(self, most: int = 200) -> "Machine":
        state: dict[str, Any] = {"do": "begin"}
        for _ in range(most):
            try:
                state = self.next(state)
            except Exception as error:  # noqa: BLE001 - the machine's Catch takes everything
                cause = json.dumps({"errorMessage": getattr(error, "message", str(error))})
                failure = {"error": type(error).__name__, "cause": cause}
                publish.handler({**self.ids, "step": "fail", "failure": failure}, None)
                return self
            if state["do"] == "end" or (state["do"] == "wait" and state["step"] == "reconcile"):
                return self
        raise AssertionError(f"the machine doesn't end: {self.steps[-10:]}")

    def next(self, state: dict[str, Any]) -> dict[str, Any]:
        match state["do"]:
            case "begin":
                return publish.handler({**self.ids, "step": "begin"}, None)
            case "record":
                return publish.handler({**self.ids, "step": "record", "next": state}, None)
            case "wait":
                self.waits.append(state["wait_seconds"])
                return {**state, "do": "work"}
        self.steps.append(state["step"])
        self.before(state["step"])
        return upload.handler({**self.ids, "step": state["step"]}, None)
