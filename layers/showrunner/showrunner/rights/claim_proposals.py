"""Check proposed claims and policies, row by row, against what the newest reports say."""

from collections.abc import Iterator
from typing import Any

from showrunner.database import db
from showrunner.rights import change_costs, owner_accounts
from showrunner.rights.change_files import Proposal
from showrunner.store.rights import catalogue, content_owners

type Row = dict[str, Any]

_NO_ID = (
    "The id of the content owner {name} at YouTube is unknown: a platform admin adds it with POST "
    "/api/v1/admin/organisations/{{id}}/content-owner."
)


def policy_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the policy that a row's fields name (change_schemas.PolicyChoice), as it is written."""
    if fields.get("policy_id"):
        return {"policy_id": fields["policy_id"], "rules": []}
    rule: dict[str, Any] = {"action": fields["action"]}
    if fields.get("territories"):
        where = {
            "type": "exclude" if fields.get("except_territories") else "include",
            "territories": sorted(set(fields["territories"])),
        }
        rule["conditions"] = {"requiredTerritories": where}
    return {"policy_id": None, "rules": [rule]}


def check(tx: db.Transaction, organisation_id: str, kind: str, proposals: list[Proposal]) -> Iterator[Row]:
    """Yield each row as the store takes it: pending, or invalid with what to do about it."""
    yield from _Check(tx, organisation_id, kind, proposals).rows()


class _Check:
    """Compare rows with what reports say of their assets and claims, and with the rows before."""

    def __init__(
        self, tx: db.Transaction, organisation_id: str, kind: str, proposals: list[Proposal]
    ) -> None:
        self._kind, self._proposals = kind, proposals
        right = [each for each in proposals if each.fault is None]
        owners = content_owners.list_of(tx, organisation_id)
        self._owners = {each["id"]: each for each in owners}
        self._connections = {
            each["id"]: owner_accounts.find_for_claims(tx, organisation_id, each) for each in owners
        }
        assets = list({each.fields["asset_id"] for each in right if "asset_id" in each.fields})
        claims = list({each.fields["claim_id"] for each in right if "claim_id" in each.fields})
        self._assets: dict[str, Row] = {}
        for each in catalogue.find_assets(tx, organisation_id, assets) if assets else []:
            self._assets.setdefault(each["asset_id"], each)
        self._claims = catalogue.find_claims(tx, organisation_id, claims) if claims else {}
        videos = list({each.video_id for each in right if kind == "claim"})
        self._made: dict[tuple[str, str, str], Row] = {}
        for each in catalogue.list_claims_on(tx, organisation_id, videos) if videos else []:
            self._made.setdefault((each["video_id"], each["asset_id"], each["content_type"]), each)
        self._seen: dict[tuple[str, ...], int] = {}

    def rows(self) -> Iterator[Row]:
        for proposal in self._proposals:
            row: Row = proposal.unchecked()
            yield row if proposal.fault is not None else self._row(proposal, row)

    def _row(self, proposal: Proposal, row: Row) -> Row:
        fields = proposal.fields
        key: tuple[str, ...]
        if self._kind == "claim":
            found = self._assets.get(fields["asset_id"])
            row["target"] = {
                name: fields[name] for name in ("asset_id", "content_type", "is_manual") if name in fields
            }
            row["changes"] = {"policy": policy_of(fields)}
            key = (row["video_id"], fields["asset_id"], fields["content_type"])
            known = self._made.get(key)
            row["known"] = {"claim_id": known["claim_id"] if known else None}
            missing = "The newest reports have no such asset."
        elif self._kind == "match_policy":
            found = self._assets.get(fields["asset_id"])
            row["target"] = {"asset_id": fields["asset_id"]}
            row["changes"] = {"policy": policy_of(fields)}
            row["known"] = {"match_policy": found["match_policy"]} if found else {}
            key, missing = (fields["asset_id"],), "The newest reports have no such asset."
        elif self._kind == change_costs.ASSET_METADATA:
            found = self._assets.get(fields["asset_id"])
            row["target"] = {"asset_id": fields["asset_id"]}
            row["changes"] = {name: value for name, value in fields.items() if name != "asset_id"}
            row["known"] = {name: found[name] for name in row["changes"] if name in found} if found else {}
            key, missing = (fields["asset_id"],), "The newest reports have no such asset."
        else:
            found = self._claims.get(fields["claim_id"])
            row["target"] = {"claim_id": fields["claim_id"]}
            key, missing = (fields["claim_id"],), "The newest reports have no such claim."
            if found:
                row["video_id"] = found["video_id"] or ""
                row["target"] |= {name: found[name] for name in ("asset_id", "content_type")}
                row["known"] = {"status": found["status"], "policy_id": found["policy_id"]}
            is_release = self._kind == "release"
            row["changes"] = {"status": "inactive"} if is_release else {"policy": policy_of(fields)}
        return self._owned(row, found, key, missing)

    def _owned(self, row: Row, found: Row | None, key: tuple[str, ...], missing: str) -> Row:
        """Return the row with the owner and the account that it is for, or with what is missing."""
        if found is None:
            return row | {"message": missing}
        first = self._seen.setdefault(key, row["number"])
        if first != row["number"]:
            return row | {"message": f"Row {first} is about the same: leave one of them out."}
        owner = self._owners[found["owner_id"]]
        if owner["youtube_id"] is None:
            return row | {"message": _NO_ID.format(name=owner["name"])}
        connection_id = self._connections[owner["id"]]
        if connection_id is None:
            return row | {"message": owner_accounts.NONE}
        row["target"]["content_owner"] = owner["youtube_id"]
        return row | {"connection_id": connection_id, "status": "pending", "message": None}
