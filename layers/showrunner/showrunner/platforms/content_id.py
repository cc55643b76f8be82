"""YouTube Content ID API (youtubePartner v1) for a content owner: assets, policies and claims.

https://developers.google.com/youtube/partner/reference/rest

Google publishes no costs and no default quota for this API: we count calls (quotas.CONTENT_ID_CALLS_A_DAY).
Its discovery document isn't in google-api-python-client, and each call is one small JSON document: so the
calls go through the one HTTP sender, and local/platforms checks them against the document.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from showrunner.platforms import google_lists
from showrunner.platforms.http import Sender
from showrunner.platforms.youtube_errors import failure

SCOPE = "https://www.googleapis.com/auth/youtubepartner"
SECONDS = 30
# 50 claims with long policies have 300 KB.
ANSWER_BYTES = 4 << 20
# Ids of one call. The reference names no limit; the Data API's is 50.
MOST_IDS = 50
# A search that matches everything ends here.
MOST_PAGES = 50
_PATH = "youtube/partner/v1"
# A claim in one of these has an effect on its video; a released one is inactive.
LIVE = ("active", "pending", "potential", "disputed", "appealed")

# A policy: `policy_id` of a saved one, or None, and `rules` as Google writes them (PolicyRule). One that is
# written has either.
type Policy = dict[str, Any]

# Our names of an asset's metadata -> Google's (Metadata). Values are text, artist and genre lists of text.
METADATA = {name: name for name in ("title", "artist", "genre", "album", "label", "isrc", "upc")} | {
    "custom_id": "customId"
}


class Claim(NamedTuple):
    """A claim of the content owner. content_type: audio, video or audiovisual."""

    id: str
    video_id: str
    asset_id: str
    content_type: str
    status: str
    policy: Policy
    created_at: str

    @property
    def is_live(self) -> bool:
        """True unless the claim has ended."""
        return self.status in LIVE


class FoundAsset(NamedTuple):
    """An asset, as the search for assets has it."""

    id: str
    type: str
    title: str
    isrc: str | None


class Share(NamedTuple):
    """A share of an asset. kind: general, performance, mechanical or synchronization.

    territories: ISO 3166 codes in which it is valid, or with `is_except` those in which it is not.
    """

    kind: str
    owner: str
    percent: float
    is_except: bool
    territories: list[str]


class ContentId:
    """The API for one content owner.

    `base_url`: https://youtubepartner.googleapis.com or a stand-in. `token`: an access token with SCOPE of
    somebody who may act for the owner, `owner_id` the owner's id at YouTube, `seconds` how long a call may
    take. Every method raises
    QuotaExceeded, CredentialRejected, PlatformRejected or PlatformUnavailable.
    """

    def __init__(self, base_url: str, token: str, owner_id: str, seconds: float = SECONDS) -> None:
        self._sender, self._seconds = Sender("YouTube", seconds, ANSWER_BYTES), seconds
        self._base_url, self._token, self._owner_id = base_url.rstrip("/"), token, owner_id

    def list_owners(self) -> dict[str, str]:
        """Return id and name of the content owners that the account may act for."""
        answer = self._send("GET", "contentOwners", {"fetchMine": "true"}, for_owner=False)
        return {str(each["id"]): str(each.get("displayName", "")) for each in answer.get("items", [])}

    def search_assets(
        self, text: str | None = None, isrc: str | None = None, type_: str | None = None
    ) -> Iterator[FoundAsset]:
        """Yield the owner's assets that have this text in their metadata, or this ISRC."""
        query = {"ownershipRestriction": "mine"}
        query |= {name: each for name, each in (("q", text), ("isrcs", isrc), ("type", type_)) if each}
        for each in self._pages("assetSearch", query):
            yield FoundAsset(
                str(each["id"]), str(each.get("type", "")), str(each.get("title", "")), each.get("isrc")
            )

    def list_shares(self, asset_id: str) -> list[Share]:
        """Return who owns which share of an asset where. Raises PlatformRejected if it isn't the owner's."""
        answer = self._send("GET", f"assets/{_part(asset_id)}/ownership")
        return [
            Share(
                kind,
                str(each.get("owner", "")),
                float(each.get("ratio", 0)),
                each.get("type") == "exclude",
                list(each.get("territories", [])),
            )
            for kind in ("general", "performance", "mechanical", "synchronization")
            for each in answer.get(kind, [])
        ]

    def list_policies(self) -> dict[str, str]:
        """Return id and name of the owner's saved policies."""
        answer = self._send("GET", "policies")
        return {str(each["id"]): str(each.get("name", "")) for each in answer.get("items", [])}

    def list_claims(self, claim_ids: list[str]) -> dict[str, Claim]:
        """Return claims by id, ended ones too; those that aren't the owner's are left out. At most 50 ids."""
        found = map(read_claim, self._pages("claims", {"id": ",".join(claim_ids)}))
        return {claim.id: claim for claim in found}

    def list_claims_of(self, video_id: str, asset_id: str) -> list[Claim]:
        """Return the owner's claims for an asset on a video, ended ones too."""
        return [
            read_claim(each) for each in self._pages("claims", {"videoId": video_id, "assetId": asset_id})
        ]

    def search_claims(self, **filters: str) -> Iterator[dict[str, str]]:
        """Yield id, video_id, asset_id, status and content_type of claims.

        `filters`: those of claimSearch.list, such as videoId, assetId, status and contentType.
        """
        for each in self._pages("claimSearch", filters):
            yield {
                "id": str(each["id"]),
                "video_id": str(each["videoId"]),
                "asset_id": str(each["assetId"]),
                "status": str(each["status"]),
                "content_type": str(each["contentType"]),
            }

    def insert_claim(
        self, video_id: str, asset_id: str, content_type: str, policy: Policy, *, is_manual: bool = False
    ) -> Claim:
        """Claim a video for an asset. Inserting twice may claim twice: ask list_claims_of first.

        `is_manual`: the video is of somebody else's channel, which needs the owner's permission at YouTube.
        """
        body = {
            "videoId": video_id,
            "assetId": asset_id,
            "contentType": content_type,
            "policy": _written(policy, "id"),
        }
        query = {"isManualClaim": "true"} if is_manual else None
        return read_claim(self._send("POST", "claims", query, body=body))

    def release_claim(self, claim_id: str) -> Claim:
        """End a claim. It can't be made active again."""
        return read_claim(self._send("PATCH", f"claims/{_part(claim_id)}", body={"status": "inactive"}))

    def set_policy(self, claim_id: str, policy: Policy) -> Claim:
        """Give a claim another policy."""
        body = {"policy": _written(policy, "id")}
        return read_claim(self._send("PATCH", f"claims/{_part(claim_id)}", body=body))

    def find_match_policy(self, asset_id: str) -> Policy:
        """Return the owner's policy for videos that match an asset; without rules if there is none."""
        return _read_policy(self._send("GET", f"assets/{_part(asset_id)}/matchPolicy"), "policyId")

    def set_match_policy(self, asset_id: str, policy: Policy) -> Policy:
        """Give an asset another match policy. Returns it."""
        body = _written(policy, "policyId")
        return _read_policy(
            self._send("PATCH", f"assets/{_part(asset_id)}/matchPolicy", body=body), "policyId"
        )

    def find_metadata(self, asset_id: str) -> dict[str, Any]:
        """Return what this owner says of an asset, by our names; a field that it doesn't give is None."""
        answer = self._send("GET", f"assets/{_part(asset_id)}", {"fetchMetadata": "mine"})
        return _read_metadata(answer.get("metadataMine", {}))

    def set_metadata(self, asset_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change some fields of an asset's metadata; None takes a field away. Returns all of them.

        The answer needn't have them, and they are read again then.
        """
        body = {"metadata": {METADATA[name]: value for name, value in changes.items()}}
        answer = self._send("PATCH", f"assets/{_part(asset_id)}", body=body)
        found = answer.get("metadataMine") or answer.get("metadata")
        return _read_metadata(found) if found else self.find_metadata(asset_id)

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        return google_lists.items(lambda asked: self._send("GET", path, asked), query, "items", MOST_PAGES)

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        body: dict[str, Any] | None = None,
        for_owner: bool = True,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self._sender.send(
            method,
            f"{self._base_url}/{_PATH}/{path}",
            query={**(query or {}), **({"onBehalfOfContentOwner": self._owner_id} if for_owner else {})},
            body=None if body is None else json.dumps(body),
            headers=headers,
            until=time.monotonic() + self._seconds,
        )
        if answer.status != 200:
            raise failure(answer.status, answer.body)
        document = answer.json("YouTube")
        return document if isinstance(document, dict) else {}


def read_claim(document: dict[str, Any]) -> Claim:
    """Return Google's resource as ours."""
    return Claim(
        str(document["id"]),
        str(document["videoId"]),
        str(document["assetId"]),
        str(document.get("contentType", "")).lower(),
        str(document.get("status", "unknown")).lower(),
        _read_policy(document.get("policy", {}), "id"),
        str(document.get("timeCreated", "")),
    )


def _read_metadata(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document.get(foreign) for name, foreign in METADATA.items()}


def _read_policy(document: dict[str, Any], id_name: str) -> Policy:
    return {"policy_id": document.get(id_name), "rules": document.get("rules", [])}


def _written(policy: Policy, id_name: str) -> dict[str, Any]:
    if policy.get("policy_id"):
        return {id_name: policy["policy_id"]}
    return {"rules": policy["rules"]}


def _part(id_: str) -> str:
    """Return an id as a part of a path."""
    return quote(id_, safe="")
