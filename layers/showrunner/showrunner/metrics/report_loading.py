"""Load the archived reports of a channel: each takes the place of the one that YouTube made before it."""

import json
from datetime import UTC, datetime
from typing import Any

from showrunner.database import db
from showrunner.metrics import archive, report_states
from showrunner.metrics.archive import Answer
from showrunner.platforms import youtube_channel_reports as channel_reports
from showrunner.quotas import pacific_days
from showrunner.reports import streams
from showrunner.store.accounts import members
from showrunner.store.metrics import accounts, days, reports, video_days
from showrunner.store.metrics import readings as readings_store


def load(answer: Answer) -> dict[str, Any]:
    """Load the reports that an answer of `report_fetching` names. Returns how many were new.

    `ending`, if a type of report ends within 90 days and the organisation wasn't told yet: the `email` of the
    person who connected the channel, or else of the organisation's owner, the `types`, and what `announced`
    takes once the email is sent. Loading again, or an older report after its successor, changes nothing. If
    reports are left at YouTube, the account stays due.
    """
    found = json.loads(answer.body)
    added = sum(_load_report(answer, each) for each in found["reports"])
    with db.transaction() as tx:
        reports.save_jobs(tx, answer.artist_id, answer.platform, answer.fetched_at, found["jobs"])
        if found["is_complete"]:
            readings_store.save_covered(
                tx, answer.platform, answer.reading, answer.artist_id, answer.fetched_at, None
            )
        now = datetime.now(UTC)
        before = now + streams.ANNOUNCED
        states: dict[str, str] = {
            job["subject"]: report_states.health(job, now).state
            for job in reports.list_of(tx, answer.artist_id)
            if job["platform"] == answer.platform
        }
        reports.save_states(tx, answer.artist_id, answer.platform, states)
        ending = reports.list_unannounced(tx, answer.artist_id, answer.platform, before)
        email = _person(tx, answer) if ending else None
        if email is None:
            reports.save_announced(tx, answer.artist_id, answer.platform, before)
    of = {"artist_id": answer.artist_id, "platform": answer.platform, "before": before}
    told = {"ending": {"email": email, "types": ending, "of": of}} if email else {}
    return {"artists": 1, "items": 0, "runs": 0, "reports": added, **told}


def announced(of: dict[str, Any]) -> None:
    """Record that the email about the ending types is sent. `of`: as `load` returns it."""
    with db.transaction() as tx:
        reports.save_announced(tx, **of)


def _person(tx: db.Transaction, answer: Answer) -> str | None:
    """Return the email of the person who connected the channel, or else of the organisation's owner."""
    found = accounts.find_connected(tx, answer.artist_id, answer.platform)
    if found is None:
        return None
    email: str | None = found["email"] or members.find_owner(tx, found["organisation_id"])
    return email


def _load_report(answer: Answer, report: dict[str, Any]) -> bool:
    """Load a report in one transaction. Returns False if it, or one made later, was loaded before."""
    [channel_id] = answer.accounts
    subject, created_at = report["subject"], datetime.fromisoformat(report["created_at"])
    first, last = pacific_days(
        datetime.fromisoformat(report["start_at"]), datetime.fromisoformat(report["end_at"])
    )
    content = archive.read_report(report["key"], report["sha256"])
    stated = channel_reports.read(content, subject, channel_id, first, last)
    with db.transaction() as tx:
        if not reports.take(tx, answer.artist_id, answer.platform, channel_id, report):
            return False
        metrics = channel_reports.metrics_of(subject)
        days.remove_stated(tx, answer.artist_id, answer.platform, metrics, first, last, created_at)
        days.save(
            tx,
            answer.artist_id,
            answer.platform,
            channel_id,
            created_at,
            [each._asdict() for each in stated],
        )
        if subject == "reach":
            videos = channel_reports.read_videos(content, channel_id)
            found = [each._asdict() for each in videos]
            video_days.replace(tx, answer.artist_id, answer.platform, first, last, found)
    return True
