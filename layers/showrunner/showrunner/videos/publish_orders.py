"""Take orders to publish from the API.

Apart from `publishing`, which the machine's functions import without the text packages of `ordering`.
"""

from typing import Any

from showrunner.database import db
from showrunner.store.studio import videos
from showrunner.videos import ordering, publishing
from showrunner.videos.schemas import Publication, PublishRequest
from showrunner.web import audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import LATER, Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.post(
    "/api/v1/videos/{video_id}/publish",
    permission="videos:write",
    **LATER,
    answer=Publication,
    errors=(409,),
)
def publish(request: Request, video_id: str, body: PublishRequest) -> Answer:
    """Publish a finished video on YouTube, or repeat what is missing of one that is there.

    Two calls at once make one upload.
    """
    ordering.announce_work(request)
    begun: list[dict[str, Any]] = []

    def work(tx: db.Transaction) -> Answer:
        row, begins = publishing.publish(tx, request.organisation_id, video_id, body)
        if begins:
            begun.append(row)
            audit.record(
                tx,
                request,
                "publish",
                "video",
                row["video_id"],
                attempt=row["attempt"],
                privacy=row["metadata"]["privacy"],
            )
        return Answer(
            publishing.describe(row, videos.get_state(tx, request.organisation_id, video_id)["status"]), 202
        )

    answer = idempotency.once(request, work)
    for row in begun:
        publishing.start_patiently(request, row)
    return answer
