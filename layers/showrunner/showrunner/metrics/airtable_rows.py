"""Define the rows that are written to Airtable in one call, as the plan hands them to the writer."""

from typing import Any, NamedTuple

CATALOGUE, VIDEOS = "Catalogue", "Videos"
KEYS = {CATALOGUE: "Artist ID", VIDEOS: "Video ID"}
# Rows of one call.
MOST_ROWS = 10


class Write(NamedTuple):
    """Rows for one call: those of `table` in a base, field -> value each.

    `digests`: the row's value of its key field -> digest of the row. `key` is where the result is archived.
    """

    platform: str
    organisation_id: str
    base: str
    table: str
    rows: list[dict[str, Any]]
    digests: dict[str, str]
    key: str
    request_id: str = ""
