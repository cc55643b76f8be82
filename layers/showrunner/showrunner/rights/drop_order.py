"""Let the daily reports of a stream be loaded in their order.

Each is compared with the one before. One that comes after a later one would be outdated, and what its day has
changed would be missing in the history: two functions load at once, and events of S3 come in any order.
"""

import re
from datetime import UTC, date, datetime, timedelta

from showrunner.aws import s3
from showrunner.database import db
from showrunner.reports import names
from showrunner.rights.messages import PREFIX, ReportDropped
from showrunner.store.rights import reports

# How long a report waits until it is looked whether those before it are loaded.
WAIT_SECONDS = 30
# Longer than the reports of a first fetch take to load. A lost event of S3 holds nobody up for longer.
MOST_WAIT = timedelta(hours=6)
# YouTube keeps daily reports for so long: none is fetched later.
KEPT = timedelta(days=60)
# As stream_fetching.object_key makes it: the days of the period stand first, then when it was made.
_KEY = re.compile(
    rf"(?P<folder>{PREFIX}[^/]+/api/(?P<type>[^/]+)/)(?P<day>\d{{4}}-\d\d-\d\d)_[^/]+/[^/]+/[^/]+"
)


def must_wait(message: ReportDropped) -> bool:
    """Tell whether a daily report was dropped that is about an earlier day, and isn't loaded yet."""
    found = _KEY.fullmatch(message.object_key)
    kind = names.kind_of_type(found["type"]) if found else None
    if found is None or kind is None or not kind.is_snapshot:
        return False
    if datetime.now(UTC) - message.dropped_at > MOST_WAIT:
        return False
    first = date.fromisoformat(found["day"]) - KEPT
    keys, _ = s3.list_page(found["folder"], f"{found['folder']}{first}")
    earlier = [each for each in keys if each < message.object_key]
    if not earlier:
        return False
    with db.reading() as tx:
        return reports.count_ended(tx, earlier) < len(earlier)
