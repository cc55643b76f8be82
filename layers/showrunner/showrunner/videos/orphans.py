"""Find objects that no row owns, and rows whose objects are missing. Nothing is deleted."""

import time
from typing import Any, Literal

from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import files
from showrunner.store.studio import owners

Kind = Literal["objects", "assets", "videos"]

FIRST_ID = "00000000-0000-0000-0000-000000000000"
# Rows of one query. Each costs a request to S3, about 10 ms.
ROWS = 200
# An answer of Lambda has at most 6 MB.
MOST_FOUND = 5_000


def find(kind: Kind, after: str, until: float) -> dict[str, Any]:
    """Look behind `after` until `until` (time.monotonic()); "" begins at the first.

    objects: keys that no row owns. assets and videos: keys that a row names and that are missing. Returns
    {"found": keys, "checked": number of objects or rows, "next": where to go on, None at the end}.
    """
    found: list[str] = []
    checked, following = 0, after
    while time.monotonic() < until and len(found) < MOST_FOUND:
        ids, missing, more = _PAGES[kind](following)
        found += missing
        checked += len(ids)
        if not more:
            return {"found": found, "checked": checked, "next": None}
        following = ids[-1]
    return {"found": found, "checked": checked, "next": following}


def _objects(after: str) -> tuple[list[str], list[str], bool]:
    """Return a page of keys, those of them that no row owns, and whether there are more."""
    keys, more = s3.list_page("", after)
    owned = {key: files.parse_owner(key) for key in keys}
    places = [owner for owner in owned.values() if owner]
    with db.reading() as tx:
        organisations = owners.list_organisations(tx, sorted({owner[0] for owner in places}))
        videos = owners.list_videos(tx, sorted({owner[2] for owner in places if owner[1] == "videos"}))
        assets = owners.list_assets(tx, keys)

    def is_owned(key: str) -> bool:
        owner = owned[key]
        if owner is None:
            return False
        organisation_id, kind, thing_id = owner
        if kind == "products":
            return organisation_id in organisations
        return key in assets if kind == "assets" else (organisation_id, thing_id) in videos

    return keys, [key for key in keys if not is_owned(key)], more


def _assets(after: str) -> tuple[list[str], list[str], bool]:
    with db.reading() as tx:
        rows = owners.list_ready_assets(tx, after or FIRST_ID, ROWS)
    missing = [row["object_key"] for row in rows if row["object_key"] not in s3.list_keys(row["object_key"])]
    return [row["id"] for row in rows], missing, len(rows) == ROWS


def _videos(after: str) -> tuple[list[str], list[str], bool]:
    with db.reading() as tx:
        rows = owners.list_finished_videos(tx, after or FIRST_ID, ROWS)
    missing: list[str] = []
    for row in rows:
        folder = files.video_folder(row["organisation_id"], row["id"])
        there = set(s3.list_keys(f"{files.render_folder(folder)}/"))
        names = [
            output[kind]
            for output in row["outputs"]
            for kind in ("video", "thumbnail", "srt", "vtt")
            if output.get(kind)
        ]
        missing += [key for key in names if key not in there]
    return [row["id"] for row in rows], missing, len(rows) == ROWS


_PAGES = {"objects": _objects, "assets": _assets, "videos": _videos}
