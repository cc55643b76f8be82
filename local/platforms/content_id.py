"""YouTube Content ID API (youtubePartner v1): assets, policies and claims of a content owner.

Calls are checked against the discovery document in `documents`, which was rebuilt from the public one:
https://developers.google.com/youtube/partner/reference/rest. Where that leaves a case open, this stand-in is
the stricter one: every call but contentOwners.list needs onBehalfOfContentOwner, and a second claim for the
same video, asset and content type is refused.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.platforms import discovery, owner, schemas, youtube
from local.platforms.http import Reply, Request
from local.platforms.rights import Rights
from local.platforms.world import World
from local.platforms.youtube import ApiError

Json = dict[str, Any]
API = "youtubePartner.v1"
PREFIX = "/youtube/partner/v1/"
PAGE = 20
# A claim that is not in one of these has no effect on the video any more.
LIVE = ("active", "pending", "potential", "disputed", "appealed")
VIDEO, ASSET = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII), re.compile(r"A\d{15}", re.ASCII)
DOMAIN = "youtubePartner.global"
# https://developers.google.com/youtube/reporting/v1/reports/fields
MOST_NAME_BYTES = 255


class Call:
    """A checked call: its content owner, query, path values and body."""

    def __init__(
        self, world: World, owner_id: str, query: dict[str, str], path: dict[str, str], body: Json
    ) -> None:
        self.rights: Rights = world.rights
        self.owner, self.query, self.path, self.body = owner_id, query, path, body


def answer(world: World, request: Request) -> Reply | None:
    """Return the reply to a call below PREFIX, None for other paths. Raises owner.HangUp."""
    if not request.path.startswith(PREFIX):
        return None
    found = discovery.match(API, request.method, request.path)
    name = found[0]["id"].removeprefix("youtubePartner.") if found else ""
    if found is None or name not in METHODS:
        return Reply(404, b"<!doctype html><title>Error 404 (Not Found)</title>", "text/html; charset=UTF-8")
    called, path = found
    fault = world.library.take_fault(name)
    world.rights.calls[name] += 1
    try:
        owner.scripted(fault, before=True)
        call = _checked(world, request, called, path)
        with world.rights.lock:
            document = METHODS[name](call)
        owner.scripted(fault, before=False)
    except ApiError as error:
        return Reply.json(error.body, error.status)
    except youtube.BadGateway:
        return Reply(502, b"<!doctype html><title>502. That's an error.</title>", "text/html; charset=UTF-8")
    return Reply.json(document)


def _checked(world: World, request: Request, called: Json, path: dict[str, str]) -> Call:
    """Check token, scope, quota, query and body. Raises ApiError."""
    youtube.raise_outcome(world.outcomes.take())
    grant = owner.granted(world, request, called)
    if sum(world.rights.calls.values()) > world.rights.calls_a_day:
        raise youtube.ERRORS["daily_quota"]
    query = request.query
    if problem := discovery.check(API, called, query):
        raise ApiError(400, problem.reason, problem.message, DOMAIN, "INVALID_ARGUMENT")
    owner_id = query.get("onBehalfOfContentOwner", "")
    mine = world.rights.members.get(grant.email, [])
    if not owner_id and called["id"] != "youtubePartner.contentOwners.list":
        raise ApiError(
            403, "forbidden", "The request must name onBehalfOfContentOwner.", DOMAIN, "PERMISSION_DENIED"
        )
    if owner_id and owner_id not in mine:
        raise ApiError(
            403, "forbidden", "The account can't act for this content owner.", DOMAIN, "PERMISSION_DENIED"
        )
    call = Call(world, owner_id, query, path, _body(called, request.body))
    if not owner_id:
        call.body = {"mine": mine}
    return call


def _body(called: Json, raw: bytes) -> Json:
    if "request" not in called:
        if raw:
            raise ApiError(400, "badRequest", "The request body must be empty.", DOMAIN)
        return {}
    try:
        document: Json = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, "parseError", "Parse Error", "global") from error
    if problem := schemas.check_body(API, called, document):
        raise ApiError(400, problem.reason, problem.message, DOMAIN, "INVALID_ARGUMENT")
    return document


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _page(call: Call, kind: str, items: list[Json]) -> Json:
    """Return a page of 20 items. A page token is the number of the first one."""
    token = call.query.get("pageToken", "0")
    if not token.isdigit() or int(token) > len(items):
        raise ApiError(400, "invalidPageToken", "Invalid page token.", DOMAIN)
    first = int(token)
    document: Json = {
        "kind": f"youtubePartner#{kind}",
        "pageInfo": {"totalResults": len(items), "resultsPerPage": PAGE, "startIndex": first},
        "items": items[first : first + PAGE],
    }
    return document | ({"nextPageToken": str(first + PAGE)} if first + PAGE < len(items) else {})


# ------------------------------------------------------------------------------------------------ Assets


def list_owners(call: Call) -> Json:
    ids = call.query.get("id", "").split(",") if "id" in call.query else []
    mine = [call.owner] if call.owner else call.body["mine"]
    if call.query.get("fetchMine") != "true" and not ids:
        raise ApiError(400, "badRequest", "Give fetchMine or id.", DOMAIN)
    items = [
        {"kind": "youtubePartner#contentOwner", "id": each, "displayName": call.rights.owners[each]}
        for each in mine
        if not ids or each in ids
    ]
    return {"kind": "youtubePartner#contentOwnerList", "items": items}


def _asset(call: Call, asset_id: str) -> Json:
    """Return an asset of which the owner owns a part. Raises ApiError."""
    found = call.rights.assets.get(asset_id)
    if found is None:
        raise ApiError(404, "assetNotFound", f"The asset {asset_id} can't be found.", DOMAIN)
    if call.owner not in _owners(found):
        raise ApiError(403, "assetOwnershipRequired", "The owner doesn't own the asset.", DOMAIN)
    return found


def _owners(asset: Json) -> set[str]:
    return {asset["owner"], *(each["owner"] for each in asset.get("ownership", []))}


def search_assets(call: Call) -> Json:
    text, isrcs = call.query.get("q", "").casefold(), call.query.get("isrcs", "").split(",")
    items = [
        {
            "kind": "youtubePartner#assetSnippet",
            "id": id_,
            "type": each.get("type", "sound_recording"),
            "title": each.get("title", ""),
            **({"isrc": each["isrc"]} if "isrc" in each else {}),
        }
        for id_, each in sorted(call.rights.assets.items())
        if call.owner in _owners(each)
        and text in each.get("title", "").casefold()
        and (not isrcs[0] or each.get("isrc") in isrcs)
        and call.query.get("type", each.get("type")) == each.get("type")
    ]
    return _page(call, "assetSnippetList", items)


def _asset_document(call: Call, id_: str) -> Json:
    asset = _asset(call, id_)
    document: Json = {
        "kind": "youtubePartner#asset",
        "id": id_,
        "type": asset.get("type", "sound_recording"),
        "status": "active",
    }
    if call.query.get("fetchMetadata") == "mine":
        document["metadataMine"] = _metadata(call, asset)
    return document


def _metadata(call: Call, asset: Json) -> Json:
    """Return what the owner says of an asset. Another owner's words are not seen."""
    first = {name: asset[name] for name in ("title", "isrc") if name in asset}
    found: Json = asset.setdefault("metadata", {}).setdefault(
        call.owner, first if asset["owner"] == call.owner else {}
    )
    return found


def patch_asset(call: Call) -> Json:
    """Answer assets.patch: the fields that are given take the place of the old ones, null takes one away."""
    asset = _asset(call, call.path["assetId"])
    given = call.body.get("metadata")
    if set(call.body) != {"metadata"} or not given:
        raise ApiError(400, "badRequest", "Only metadata can be patched.", DOMAIN)
    texts = [each for value in given.values() for each in (value if isinstance(value, list) else [value])]
    if any(each is not None and (not each.strip() or set(each) & set("<>")) for each in texts):
        raise ApiError(400, "invalidMetadata", "A value is empty, or has < or >.", DOMAIN)
    if any(len(each.encode()) > MOST_NAME_BYTES for each in given.get("artist") or []):
        raise ApiError(400, "invalidMetadata", "A name is too long.", DOMAIN)
    merged = {**_metadata(call, asset), **given}
    if not merged.get("title"):
        raise ApiError(400, "invalidMetadata", "An asset has a title.", DOMAIN)
    kept = {name: value for name, value in merged.items() if value not in (None, [])}
    asset["metadata"][call.owner] = kept
    return _asset_document(call, call.path["assetId"]) | {"metadata": kept}


def get_asset(call: Call) -> Json:
    return _asset_document(call, call.path["assetId"])


def list_assets(call: Call) -> Json:
    ids = [each for each in call.query["id"].split(",") if each in call.rights.assets]
    return {"kind": "youtubePartner#assetList", "items": [_asset_document(call, each) for each in ids]}


def get_ownership(call: Call) -> Json:
    asset = _asset(call, call.path["assetId"])
    whole = [{"owner": asset["owner"], "ratio": 100.0, "type": "exclude", "territories": []}]
    return {"kind": "youtubePartner#rightsOwnership", "general": asset.get("ownership", whole)}


# ------------------------------------------------------------------------------------------------ Policies


def list_policies(call: Call) -> Json:
    wanted = call.query.get("id", "").split(",") if "id" in call.query else None
    saved = call.rights.policies.get(call.owner, {})
    items = [
        {"kind": "youtubePartner#policy", "id": id_, **policy}
        for id_, policy in sorted(saved.items())
        if wanted is None or id_ in wanted
    ]
    return {"kind": "youtubePartner#policyList", "items": items}


def get_policy(call: Call) -> Json:
    return {
        "kind": "youtubePartner#policy",
        "id": call.path["policyId"],
        **_saved(call, call.path["policyId"]),
    }


def _saved(call: Call, policy_id: str) -> Json:
    found = call.rights.policies.get(call.owner, {}).get(policy_id)
    if found is None:
        raise ApiError(404, "policyNotFound", f"The policy {policy_id} can't be found.", DOMAIN)
    return found


def _policy(call: Call, policy_id: str | None, rules: list[Json] | None) -> Json:
    """Return what a policy of a body stands for. Raises ApiError for one with both, or with neither."""
    if (policy_id is None) == (rules is None):
        raise ApiError(400, "invalidPolicy", "A policy has either an id or rules.", DOMAIN)
    if policy_id is not None:
        return {"id": policy_id, "rules": _saved(call, policy_id)["rules"]}
    for rule in rules or []:
        territories = rule.get("conditions", {}).get("requiredTerritories")
        if "action" not in rule or (
            territories and not all(re.fullmatch("[A-Z]{2}", each) for each in territories["territories"])
        ):
            raise ApiError(400, "invalidPolicyRule", "A rule has an action and ISO 3166 codes.", DOMAIN)
    if not rules:
        raise ApiError(400, "invalidPolicy", "A policy has rules.", DOMAIN)
    # YouTube gives rules that aren't saved an id too, which can't be used again.
    return {"id": f"P{next(call.rights.numbers):010}", "rules": rules}


def get_match_policy(call: Call) -> Json:
    policy = _asset(call, call.path["assetId"]).get("match_policies", {}).get(call.owner, {"rules": []})
    return _match_document(policy)


def set_match_policy(call: Call) -> Json:
    asset = _asset(call, call.path["assetId"])
    policy = _policy(call, call.body.get("policyId"), call.body.get("rules"))
    asset.setdefault("match_policies", {})[call.owner] = policy
    return _match_document(policy)


def _match_document(policy: Json) -> Json:
    named = {"policyId": policy["id"]} if "id" in policy else {}
    return {"kind": "youtubePartner#assetMatchPolicy", **named, "rules": policy["rules"]}


# ------------------------------------------------------------------------------------------------ Claims


def _mine(call: Call) -> list[Json]:
    found = [each for each in call.rights.claims.values() if each["owner"] == call.owner]
    return sorted(found, key=lambda each: (each["timeCreated"], each["id"]), reverse=True)


def _shown(claim: Json) -> Json:
    return {"kind": "youtubePartner#claim"} | {key: each for key, each in claim.items() if key != "owner"}


def _own(call: Call, claim_id: str) -> Json:
    found = call.rights.claims.get(claim_id)
    if found is None or found["owner"] != call.owner:
        raise ApiError(404, "claimNotFound", f"The claim {claim_id} can't be found.", DOMAIN)
    return found


def get_claim(call: Call) -> Json:
    return _shown(_own(call, call.path["claimId"]))


def _matches(call: Call, claim: Json, names: dict[str, str]) -> bool:
    return all(
        parameter not in call.query or claim[name] in call.query[parameter].split(",")
        for parameter, name in names.items()
    )


def list_claims(call: Call) -> Json:
    """Answer claims.list: by ids, or by video and asset. Claims that were released are listed too."""
    names = {"id": "id", "videoId": "videoId", "assetId": "assetId"}
    return _page(call, "claimList", [_shown(each) for each in _mine(call) if _matches(call, each, names)])


def search_claims(call: Call) -> Json:
    names = {
        "videoId": "videoId",
        "assetId": "assetId",
        "status": "status",
        "contentType": "contentType",
    }
    items = [
        {
            "kind": "youtubePartner#claimSnippet",
            **{
                key: each[key] for key in ("id", "assetId", "videoId", "status", "contentType", "timeCreated")
            },
            "thirdPartyClaim": False,
            "videoTitle": call.rights.videos[each["videoId"]].get("title", ""),
            "videoViews": str(call.rights.videos[each["videoId"]].get("views", 0)),
        }
        for each in _mine(call)
        if _matches(call, each, names)
    ]
    return _page(call, "claimSnippetList", items)


def insert_claim(call: Call) -> Json:
    body = call.body
    if missing := [each for each in ("videoId", "assetId", "contentType", "policy") if each not in body]:
        raise ApiError(400, "required", f"Missing: {', '.join(missing)}", DOMAIN)
    if given := set(body) - {"videoId", "assetId", "contentType", "policy", "blockOutsideOwnership"}:
        raise ApiError(400, "badRequest", f"Can't be set: {', '.join(sorted(given))}", DOMAIN)
    if not VIDEO.fullmatch(body["videoId"]) or not ASSET.fullmatch(body["assetId"]):
        raise ApiError(400, "invalidValue", "The id of a video or asset has another form.", DOMAIN)
    video = call.rights.videos.get(body["videoId"])
    if video is None:
        raise ApiError(404, "videoNotFound", f"The video {body['videoId']} can't be found.", DOMAIN)
    _asset(call, body["assetId"])
    is_manual = call.query.get("isManualClaim") == "true"
    if video.get("owner") != call.owner and not (is_manual and call.owner in call.rights.manual):
        raise ApiError(403, "forbidden", "The video is of no channel of this content owner.", DOMAIN)
    policy = _policy(call, body["policy"].get("id"), body["policy"].get("rules"))
    key = ("videoId", "assetId", "contentType")
    if any(each["status"] in LIVE and all(each[name] == body[name] for name in key) for each in _mine(call)):
        raise ApiError(409, "claimExists", "The video has this claim already.", DOMAIN)
    at, id_ = _now(), f"cl{next(call.rights.numbers):010}"
    call.rights.claims[id_] = {
        "owner": call.owner,
        "id": id_,
        **{name: body[name] for name in key},
        "status": "active",
        "policy": policy,
        "isPartnerUploaded": not is_manual,
        "timeCreated": at,
        "timeStatusLastModified": at,
    }
    return _shown(call.rights.claims[id_])


def patch_claim(call: Call) -> Json:
    """Answer claims.patch: a new policy, or the end of a claim. An ended claim takes neither."""
    claim = _own(call, call.path["claimId"])
    same = ("id", "videoId", "assetId", "contentType")
    if any(call.body.get(name, claim[name]) != claim[name] for name in same):
        raise ApiError(400, "badRequest", "Only policy and status can be changed.", DOMAIN)
    if set(call.body) - {*same, "status", "policy"} or not set(call.body) & {"status", "policy"}:
        raise ApiError(400, "badRequest", "Only policy and status can be changed.", DOMAIN)
    status = call.body.get("status", claim["status"])
    if claim["status"] not in LIVE or status not in (claim["status"], "inactive"):
        words = f"A claim that is {claim['status']} can't become {status}."
        raise ApiError(400, "invalidClaimStatus", words, DOMAIN)
    if "policy" in call.body:
        claim["policy"] = _policy(call, call.body["policy"].get("id"), call.body["policy"].get("rules"))
    if status != claim["status"]:
        claim |= {"status": status, "timeStatusLastModified": _now()}
    return _shown(claim)


METHODS: dict[str, Callable[[Call], Json]] = {
    "assetMatchPolicy.get": get_match_policy,
    "assetMatchPolicy.patch": set_match_policy,
    "assetSearch.list": search_assets,
    "assets.get": get_asset,
    "assets.list": list_assets,
    "assets.patch": patch_asset,
    "claimSearch.list": search_claims,
    "claims.get": get_claim,
    "claims.insert": insert_claim,
    "claims.list": list_claims,
    "claims.patch": patch_claim,
    "contentOwners.list": list_owners,
    "ownership.get": get_ownership,
    "policies.get": get_policy,
    "policies.list": list_policies,
}
