"""Read and check proposed changes, row by row: what is wrong with each, and what it would change."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.rights import change_costs, change_rules, claim_proposals, owner_accounts
from showrunner.rights.change_files import Proposal
from showrunner.rights.change_schemas import (
    AssetMetadataRow,
    ChangeRow,
    ClaimPolicyRow,
    ClaimRow,
    CmsVideoChanges,
    MatchPolicyRow,
    NewChangeSet,
    ReleaseRow,
    SongFields,
)
from showrunner.store.accounts import connected_accounts
from showrunner.store.rights import catalogue, content_owners
from showrunner.web import tables
from showrunner.web.body import checked
from showrunner.web.fields import Body

MOST_ROWS = 100_000


class Kind(NamedTuple):
    """The form of a kind's rows, its column that a table needs, and columns with several values."""

    model: type[Body]
    required: str
    lists: tuple[str, ...]


KINDS = {
    "metadata": Kind(ChangeRow, "video_id", ("tags",)),
    "claim": Kind(ClaimRow, "video_id", ("territories",)),
    "release": Kind(ReleaseRow, "claim_id", ()),
    "claim_policy": Kind(ClaimPolicyRow, "claim_id", ("territories",)),
    "match_policy": Kind(MatchPolicyRow, "asset_id", ("territories",)),
    "asset_metadata": Kind(AssetMetadataRow, "asset_id", ("artist", "genre")),
}


def read(body: NewChangeSet) -> list[Proposal]:
    """Return the rows of a body. Raises InvalidRequest if it is no table, is empty or has too many rows."""
    kind = KINDS[body.kind]
    found = list(_of_csv(kind, body.csv) if body.csv is not None else _of_list(kind, body.rows or []))
    if not found:
        raise InvalidRequest("There are no rows.", [{"field": "rows", "message": "there are none"}])
    if len(found) > MOST_ROWS:
        raise tables.invalid([f"has {len(found):,} rows; send at most {MOST_ROWS:,} at a time"])
    return found


def of_video(
    tx: db.Transaction, organisation_id: str, video_id: str, changes: CmsVideoChanges
) -> Iterator[tuple[str, Proposal]]:
    """Yield the change of a video itself, and that of the asset that it is claimed for, each with its kind.

    Raises InvalidRequest if it is claimed for no asset, or for several.
    """
    fields = changes.model_dump(exclude_none=True)
    song = {name: fields.pop(name) for name in SongFields.model_fields if name in fields}
    if fields:
        yield change_costs.METADATA, Proposal(1, video_id, fields, None)
    if song:
        asset_id = _asset_of(tx, organisation_id, video_id)
        yield change_costs.ASSET_METADATA, Proposal(1, video_id, {**song, "asset_id": asset_id}, None)


def _asset_of(tx: db.Transaction, organisation_id: str, video_id: str) -> str:
    found = sorted({each["asset_id"] for each in catalogue.list_claims_on(tx, organisation_id, [video_id])})
    if len(found) == 1:
        return str(found[0])
    if not found:
        words = "they belong to an asset, and the newest reports have no claim of yours on this video"
    else:
        words = (
            f"the video is claimed for {len(found)} assets, {', '.join(found[:5])}: change the right one "
            "with POST /api/v1/cms/changes and kind asset_metadata"
        )
    raise InvalidRequest(f"artist and genre: {words}", [{"field": "artist", "message": words}])


def _of_csv(kind: Kind, text: str) -> Iterator[Proposal]:
    optional = tuple(name for name in kind.model.model_fields if name != kind.required)
    for number, line in enumerate(tables.read(text, kind.required, optional), 1):
        given: dict[str, Any] = {name: cell for name, cell in line.cells.items() if cell}
        for name in kind.lists:
            if name in given:
                given[name] = [each.strip() for each in given[name].split("|") if each.strip()]
        yield _row(kind, number, given, line.fault)


def _of_list(kind: Kind, rows: list[dict[str, Any]]) -> Iterator[Proposal]:
    for number, row in enumerate(rows, 1):
        yield _row(kind, number, row, None)


def _row(kind: Kind, number: int, given: dict[str, Any], fault: str | None) -> Proposal:
    video_id = str(given.get("video_id", ""))[:100]
    if fault is None:
        try:
            fields = checked(kind.model, given).model_dump(exclude_none=True, exclude={"video_id"})
            return Proposal(number, video_id, fields, None)
        except InvalidRequest as error:
            fault = "; ".join(f"{each['field']}: {each['message']}" for each in error.details)
    return Proposal(number, video_id, {}, fault)


def check(
    tx: db.Transaction, organisation_id: str, kind: str, proposals: list[Proposal]
) -> Iterator[dict[str, Any]]:
    """Yield each row as the store takes it: pending, or invalid with what to do about it."""
    if kind != change_costs.METADATA:
        yield from claim_proposals.check(tx, organisation_id, kind, proposals)
        return
    ids = list({each.video_id for each in proposals if each.fault is None})
    known = catalogue.find_videos(tx, organisation_id, ids)
    channels, owners = _connections(tx, organisation_id), _connections_of_owners(tx, organisation_id)
    for each in known.values():
        own, none = channels.get(each["channel_id"]), (None, None)
        who = (own, None) if own else owners.get(each["owner_id"], none)
        each["connection_id"], each["content_owner"] = who
    seen: dict[str, int] = {}
    for proposal in proposals:
        yield _check(proposal, known.get(proposal.video_id), seen)


def _connections(tx: db.Transaction, organisation_id: str) -> dict[str, str]:
    """Return the connection that may change the videos of each YouTube channel: the newest one."""
    found = connected_accounts.list_channels(tx, organisation_id)
    return {
        each["youtube_channel_id"]: each["id"]
        for each in reversed(found)
        if change_rules.SCOPE in each["scopes"]
    }


def _connections_of_owners(tx: db.Transaction, organisation_id: str) -> dict[int, tuple[str | None, str]]:
    """Return the connection that may act for each content owner, if any, and the owner's id at YouTube.

    With onBehalfOfContentOwner it changes the videos of all channels that are linked to the owner:
    https://developers.google.com/youtube/v3/docs/videos/update
    """
    return {
        each["id"]: (owner_accounts.find_for_claims(tx, organisation_id, each), each["youtube_id"])
        for each in content_owners.list_of(tx, organisation_id)
        if each["youtube_id"] is not None
    }


def _check(proposal: Proposal, known: dict[str, Any] | None, seen: dict[str, int]) -> dict[str, Any]:
    row = proposal.unchecked()
    if proposal.fault is not None:
        return row
    try:
        row["changes"] = change_rules.values_of(proposal.fields)
    except InvalidRequest as error:
        return row | {"message": error.message}
    if known is None:
        return row | {"message": "The newest reports have no such video."}
    row["known"] = {name: known[name] for name in proposal.fields if name in known}
    first = seen.setdefault(proposal.video_id, proposal.number)
    if first != proposal.number:
        return row | {"message": f"Row {first} changes the same video: put both changes into one row."}
    if known["connection_id"] is None:
        message = (
            f"No connected account may change the videos of the channel {known['channel_id']}: connect the "
            "account that owns it, or one that may act for your content owner, GET "
            "/api/v1/auth/oauth/youtube/start."
        )
        return row | {"message": message}
    if known["content_owner"] is not None:
        row["target"] = {"content_owner": known["content_owner"]}
    return row | {"connection_id": known["connection_id"], "status": "pending", "message": None}
