"""Tell the stand-ins for Content ID and the Reporting API of a synthetic content owner of partner_data.

So what they answer and what the owner's files say agree: the same assets, videos, claims and reports.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from local import partner_data
from local.partner_data import Owner

Json = dict[str, Any]
# The clock of YouTube's days.
PACIFIC = ZoneInfo("America/Los_Angeles")
# Some claims to try changes on; the stand-in keeps them in memory.
MOST_CLAIMS = 500
# Saved policies that the claims of partner_data name.
POLICIES: Json = {
    "S0000001": {"name": "Monetize everywhere", "rules": [{"action": "monetize"}]},
    "S0000002": {"name": "Track everywhere", "rules": [{"action": "track"}]},
}


class SystemReport(NamedTuple):
    """A report that YouTube makes by itself. `start_at` and `end_at`: the Pacific day that it is about."""

    job_id: str
    report_type: str
    start_at: datetime
    end_at: datetime
    created_at: datetime
    written: partner_data.Written


def content_id(owner: Owner, youtube_id: str, email: str, day: date) -> Json:
    """Return what Content ID knows of the owner (`rights` of POST /_state): claims as of a day's report.

    `email`: the account that may act for the owner.
    """
    assets: Json = {}
    videos: Json = {}
    claims: Json = {}
    for row in islice(partner_data.claim_rows(owner, day), MOST_CLAIMS):
        claim = dict(zip(partner_data.CLAIMS, row, strict=True))
        video_id, asset_id = str(claim["video_id"]), str(claim["asset_id"])
        assets[asset_id] = {
            "owner": youtube_id,
            "type": "sound_recording",
            "title": claim["asset_title"],
            "isrc": claim["isrc"],
        }
        videos[video_id] = {"owner": youtube_id, "title": claim["video_title"], "views": claim["views"]}
        policy_id, at = str(claim["claim_policy_id"]), f"{claim['claim_created_date']}T12:00:00.000Z"
        claims[str(claim["claim_id"])] = {
            "owner": youtube_id,
            "id": claim["claim_id"],
            "videoId": video_id,
            "assetId": asset_id,
            "contentType": "audio",
            "status": str(claim["claim_status"]).lower(),
            "policy": {"id": policy_id, "rules": POLICIES[policy_id]["rules"]},
            "isPartnerUploaded": False,
            "timeCreated": at,
            "timeStatusLastModified": at,
        }
    return {
        "owners": {youtube_id: owner.name},
        "members": {email: [youtube_id]},
        "policies": {youtube_id: POLICIES},
        "assets": assets,
        "videos": videos,
        "claims": claims,
    }


def write_reports(owner: Owner, folder: Path, days: list[date], made_at: datetime) -> list[SystemReport]:
    """Write the daily reports of rights of some days, as YouTube makes them by itself."""
    found = []
    for number, day in enumerate(days):
        start_at, end_at = (
            datetime.combine(each, time(), PACIFIC).astimezone(UTC) for each in (day, day + timedelta(days=1))
        )
        for type_, header, rows in partner_data.snapshot_reports(owner, day):
            written = partner_data.write(folder / f"{day}" / f"{type_}.csv.gz", header, rows)
            found.append(
                SystemReport(
                    f"{owner.name}-{type_}",
                    type_,
                    start_at,
                    end_at,
                    made_at + timedelta(seconds=number),
                    written,
                )
            )
    return found


def reporting(youtube_id: str, reports: list[SystemReport]) -> Json:
    """Return what the Reporting API knows of the owner (`reporting` of POST /_state)."""
    types = {each.report_type for each in reports}
    return {
        "types": {each: {"name": each, "systemManaged": True} for each in sorted(types)},
        "jobs": {
            each.job_id: {
                "account": youtube_id,
                "reportTypeId": each.report_type,
                "name": each.report_type,
                "systemManaged": True,
            }
            for each in reports
        },
        "reports": {
            f"{each.job_id}-{each.created_at:%Y%m%dT%H%M%S}": {
                "jobId": each.job_id,
                "startTime": _text(each.start_at),
                "endTime": _text(each.end_at),
                "createTime": _text(each.created_at),
                "file": str(each.written.path.resolve()),
            }
            for each in reports
        },
    }


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
