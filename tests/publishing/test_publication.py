"""Publications against YouTube's stand-in: what arrives, and what the video's row says of it."""

import hashlib
from datetime import UTC, datetime, timedelta

from showrunner import quotas
from showrunner.database import db
from tests.publishing.studio import PLAYLIST, Machine


def test_a_finished_video_is_on_youtube_as_requested(studio):
    Machine(studio.order()).run()

    (video,) = studio.uploaded()
    row = studio.row()
    assert (studio.status(), row["problems"], row["youtube_video_id"], row["is_open"]) == (
        "published",
        [],
        video.id,
        False,
    )
    assert video.sha256 == hashlib.sha256(studio.film).hexdigest()
    assert video.resource["snippet"]["title"] == "Cables under the sea"
    assert video.resource["status"]["privacyStatus"] == "unlisted"
    assert video.resource["status"]["containsSyntheticMedia"] is True
    assert video.thumbnail[1] == b"\xff\xd8\xffupright"
    assert [each["snippet"]["language"] for each in video.captions] == ["en"]
    assert studio.library.playlists[PLAYLIST] == [video.id]


def test_a_film_that_is_no_short_gets_the_wide_thumbnail(studio):
    width = (
        "UPDATE studio.videos SET product = jsonb_set(product, '{outputs,0,width}', '3413') WHERE id = :id"
    )
    db.run(studio.tx, width, id=studio.video_id)

    Machine(studio.order()).run()

    (video,) = studio.uploaded()
    assert video.thumbnail[1] == b"\xff\xd8\xffpicture"


def test_the_units_of_a_publication_are_reserved_and_enough(studio):
    Machine(studio.order()).run()

    reserved = quotas.spent_by_share("youtube")["publication"]
    assert studio.world.spent <= reserved == quotas.spent("youtube", "general")
    assert quotas.spent("youtube", "insert") == studio.library.inserts == 1


def test_a_scheduled_video_is_private_until_its_time(studio):
    at = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)

    Machine(studio.order(publish_at=at)).run()

    (video,) = studio.uploaded()
    assert (studio.status(), studio.row()["problems"], studio.row()["is_open"]) == ("scheduled", [], True)
    assert video.resource["status"]["privacyStatus"] == "private"
    assert datetime.fromisoformat(video.resource["status"]["publishAt"]) == at


def test_tags_without_room_beside_the_mark_are_written_when_the_video_has_its_id(studio):
    tags = [f"tag{number:02} " + "x" * 40 for number in range(10)]  # 490 of 500 characters
    db.run(studio.tx, "UPDATE studio.videos SET tags = :tags WHERE id = :id", tags=tags, id=studio.video_id)
    sent = []
    machine = Machine(
        studio.order(),
        before=lambda step: (
            sent.extend(studio.uploaded()[0].resource["snippet"]["tags"]) if step == "tags" else None
        ),
    )

    machine.run()

    (video,) = studio.uploaded()
    assert sent[0].startswith("sr-")  # the mark, while the id could still be lost
    assert video.resource["snippet"]["tags"] == tags
    assert (studio.status(), studio.row()["problems"]) == ("published", [])
    assert studio.world.spent <= quotas.spent_by_share("youtube")["publication"]
