"""Write rows into a base at Airtable and archive the answer (airtable_sync.py plans them). No database."""

import json
from functools import cache

from showrunner import breakers, config, rates
from showrunner.aws import ssm
from showrunner.errors import ConfigurationMissing, PlatformUnavailable, QuotaExceeded
from showrunner.metrics import archive, fetching
from showrunner.metrics.airtable_rows import KEYS, Write
from showrunner.metrics.fetching import Result
from showrunner.platforms.airtable import Airtable

# Until the next attempt when a month's calls are spent: a workspace may get a larger plan.
SPENT_SECONDS = 86_400


def write(planned: Write) -> Result:
    """Write rows into their base and archive the answer. Returns and raises what `archive_once` does.

    A stage without a token skips them.
    """
    batch = archive.Batch("airtable", list(planned.digests), planned.key)

    def ask() -> bytes:
        client = _client(ssm.secret("airtable/token"))
        bucket = f"airtable:{planned.base}"
        rates.reserve(bucket, rates.AIRTABLE_BASE)
        try:
            with breakers.guard("airtable", "upsert"):
                answer = client.upsert(planned.base, planned.table, KEYS[planned.table], planned.rows)
        except QuotaExceeded:
            rates.pause(bucket, SPENT_SECONDS)
            raise
        except PlatformUnavailable as error:
            if error.was_sent and error.retry_after is not None:
                rates.pause(bucket, error.retry_after)
            raise
        written = {
            "organisation_id": planned.organisation_id,
            "table": planned.table,
            "digests": planned.digests,
            "answer": answer,
        }
        return json.dumps(written).encode()

    try:
        return fetching.archive_once(batch, ask, json.loads)
    except ConfigurationMissing as error:
        return fetching.skipped(error.message)


@cache
def _client(token: str) -> Airtable:
    return Airtable(token, config.setting("AIRTABLE_BASE_URL"))
