"""Write rows into a base at Airtable and archive the answer (airtable_sync.py plans them). No database."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from showrunner import breakers, config, quotas, rates
from showrunner.aws import ssm
from showrunner.errors import ConfigurationMissing, PlatformUnavailable, QuotaExceeded
from showrunner.metrics import archive, fetching
from showrunner.metrics.airtable_rows import KEYS, Write
from showrunner.metrics.fetching import Result
from showrunner.platforms.airtable import Airtable

# Until the next attempt when a month's calls are spent: a workspace may get a larger plan.
SPENT_SECONDS = 86_400
# More calls than a month has at fifty a second.
UNLIMITED = 1_000_000_000


def write(planned: Write) -> Result:
    """Write rows into their base and archive the answer. Returns and raises what `archive_once` does.

    A stage without a token skips them.
    """
    batch = archive.Batch("airtable", list(planned.digests), planned.key)

    def ask() -> bytes:
        client = _client(ssm.secret("airtable/token"))
        answer = _within_limits(
            f"airtable:{planned.base}",
            lambda: client.upsert(planned.base, planned.table, KEYS[planned.table], planned.rows),
        )
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


def _within_limits(base: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Send a call within the rates of the base and of the token, and within the plan's calls of the month."""
    rates.reserve(base, rates.AIRTABLE_BASE)
    rates.reserve("airtable", rates.AIRTABLE)
    # Without a limit they are counted all the same.
    month = quotas.Ledger("airtable", "calls", quotas.airtable_calls_a_month() or UNLIMITED)
    day = month.spend(1)
    try:
        with breakers.guard("airtable", "upsert"):
            return call()
    except QuotaExceeded:
        quotas.observe("airtable", "plan", 100)
        rates.pause(base, SPENT_SECONDS)
        raise
    except PlatformUnavailable as error:
        if not error.was_sent:
            month.give_back(1, day)
        elif error.retry_after is not None:
            rates.pause(base, error.retry_after)
        raise


@cache
def _client(token: str) -> Airtable:
    return Airtable(token, config.setting("AIRTABLE_BASE_URL"))
