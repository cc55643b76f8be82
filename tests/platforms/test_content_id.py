"""The Content ID API: every call against the discovery document, and each error by its class."""

import copy
import json
import os
from pathlib import Path

import pytest
import requests

from local.platforms import content_id as stand_in
from local.platforms import discovery
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms import content_id, google
from showrunner.platforms.content_id import ContentId
from tests.rights import partner as partners

# https://developers.google.com/youtube/partner/reference/rest: method -> HTTP method and path.
DESCRIBED = {
    "assetMatchPolicy.get": ("GET", "assets/{assetId}/matchPolicy"),
    "assetMatchPolicy.patch": ("PATCH", "assets/{assetId}/matchPolicy"),
    "assetSearch.list": ("GET", "assetSearch"),
    "assets.get": ("GET", "assets/{assetId}"),
    "assets.patch": ("PATCH", "assets/{assetId}"),
    "claimSearch.list": ("GET", "claimSearch"),
    "claims.insert": ("POST", "claims"),
    "claims.list": ("GET", "claims"),
    "claims.patch": ("PATCH", "claims/{claimId}"),
    "contentOwners.list": ("GET", "contentOwners"),
    "ownership.get": ("GET", "assets/{assetId}/ownership"),
    "policies.list": ("GET", "policies"),
}
MONETIZE = {"policy_id": None, "rules": [{"action": "monetize"}]}


@pytest.fixture
def partner(platforms):
    return partners.add(platforms)


@pytest.fixture
def api(platforms, partner):
    return ContentId(os.environ["GOOGLE_URL"], partners.token(platforms, partner), partner.youtube_id)


def test_the_document_has_what_the_public_description_has():
    document = discovery.document(stand_in.API)
    methods = {
        each["id"].removeprefix("youtubePartner."): each
        for resource in document["resources"].values()
        for each in resource["methods"].values()
    }
    for name, (verb, path) in DESCRIBED.items():
        assert (methods[name]["httpMethod"], methods[name]["path"]) == (verb, f"youtube/partner/v1/{path}")
        assert methods[name]["scopes"] == [content_id.SCOPE]
        assert "onBehalfOfContentOwner" in methods[name]["parameters"]
    references = {word.split('"')[0] for word in json.dumps(document).split('"$ref": "')[1:]}
    assert references <= document["schemas"].keys()
    assert stand_in.METHODS.keys() <= methods.keys()


def test_google_s_own_client_reads_the_document():
    from googleapiclient import discovery as google_discovery

    # Google's library adds parameters to the document that it is given, and the stand-in checks calls by it.
    document = copy.deepcopy(discovery.document(stand_in.API))
    built = google_discovery.build_from_document(document, http=object())
    request = built.claims().patch(claimId="c/1", onBehalfOfContentOwner="o", body={"status": "inactive"})
    assert request.method == "PATCH"
    assert request.uri.endswith("youtube/partner/v1/claims/c%2F1?onBehalfOfContentOwner=o&alt=json")


def test_a_claim_is_made_found_changed_and_released(api, partner):
    asset, video = partner.add_asset(1), partner.add_video("vid00000001")
    made = api.insert_claim(video, asset, "audio", {"policy_id": "S1", "rules": []})
    assert (made.video_id, made.asset_id, made.content_type, made.status) == (video, asset, "audio", "active")
    assert made.policy == {"policy_id": "S1", "rules": [{"action": "monetize"}]}
    assert api.list_claims_of(video, asset) == [made]
    assert api.list_claims([made.id, "nowhere"]) == {made.id: made}
    assert [each["id"] for each in api.search_claims(videoId=video, status="active")] == [made.id]

    where = {"requiredTerritories": {"type": "include", "territories": ["DE", "FR"]}}
    rules = [{"action": "block", "conditions": where}]
    assert api.set_policy(made.id, {"policy_id": None, "rules": rules}).policy["rules"] == rules
    released = api.release_claim(made.id)
    assert (released.status, released.is_live) == ("inactive", False)
    for call in (lambda: api.release_claim(made.id), lambda: api.set_policy(made.id, MONETIZE)):
        with pytest.raises(PlatformRejected) as refused:
            call()
        assert refused.value.reason == "invalidClaimStatus"


def test_all_pages_of_a_list_are_read(api, partner):
    asset = partner.add_asset(1)
    for number in range(45):
        api.insert_claim(partner.add_video(f"vid{number:08}"), asset, "audio", MONETIZE)
    assert len({each["id"] for each in api.search_claims(assetId=asset)}) == 45
    for number in range(2, 30):
        partner.add_asset(number)
    assert len(list(api.search_assets("song"))) == 29
    (found,) = api.search_assets(isrc="QZABC2600007")
    assert (found.id, found.title, found.type) == ("A000000000000007", "Song 7", "sound_recording")


def test_policies_and_ownership_are_read(api, partner):
    asset = partner.add_asset(1)
    assert api.list_policies() == {"S1": "Monetize everywhere", "S2": "Track everywhere"}
    assert api.list_owners() == {partner.youtube_id: "A label"}
    assert api.find_match_policy(asset) == {"policy_id": None, "rules": []}
    saved = {"policy_id": "S2", "rules": [{"action": "track"}]}
    assert api.set_match_policy(asset, {"policy_id": "S2", "rules": []}) == saved
    assert api.find_match_policy(asset) == saved


def test_the_shares_of_an_asset_are_read(api, partner):
    parts = [
        {"owner": partner.youtube_id, "ratio": 60, "type": "include", "territories": ["DE"]},
        {"owner": "Other", "ratio": 40.5, "type": "exclude", "territories": ["DE"]},
    ]
    shares = api.list_shares(partner.add_asset(1, ownership=parts))
    assert [tuple(each) for each in shares] == [
        ("general", partner.youtube_id, 60.0, False, ["DE"]),
        ("general", "Other", 40.5, True, ["DE"]),
    ]


def test_a_second_claim_of_the_same_kind_is_refused(api, partner):
    asset, video = partner.add_asset(1), partner.add_video("vid00000001")
    api.insert_claim(video, asset, "audio", MONETIZE)
    api.insert_claim(video, asset, "video", MONETIZE)
    with pytest.raises(PlatformRejected) as refused:
        api.insert_claim(video, asset, "audio", MONETIZE)
    assert refused.value.reason == "claimExists"
    assert len(partner.claims()) == 2


def test_a_video_of_somebody_else_needs_a_permission(api, partner):
    asset, video = partner.add_asset(1), partner.add_video("vid00000001", owner=None)
    for is_manual in (False, True):
        with pytest.raises(PlatformRejected, match="403"):
            api.insert_claim(video, asset, "audio", MONETIZE, is_manual=is_manual)
    partner.rights.manual.add(partner.youtube_id)
    with pytest.raises(PlatformRejected, match="403"):
        api.insert_claim(video, asset, "audio", MONETIZE)
    assert api.insert_claim(video, asset, "audio", MONETIZE, is_manual=True).is_live


def test_who_may_not_call_is_told_so(platforms, partner, api):
    base, asset = os.environ["GOOGLE_URL"], partner.add_asset(1)
    with pytest.raises(CredentialRejected):
        ContentId(base, "ya29.old", partner.youtube_id).list_policies()
    narrow = partners.token(platforms, partner, list(google.YOUTUBE))
    with pytest.raises(PlatformRejected) as refused:
        ContentId(base, narrow, partner.youtube_id).list_policies()
    assert refused.value.reason == "insufficientPermissions"
    stranger = partners.Partner(partner.rights, "somebody@example.com", "x" * 22)
    with pytest.raises(PlatformRejected, match="can't act for this content owner"):
        ContentId(base, partners.token(platforms, stranger), partner.youtube_id).find_match_policy(asset)
    partner.rights.assets[asset]["owner"] = "y" * 22
    with pytest.raises(PlatformRejected, match="doesn't own"):
        api.find_match_policy(asset)
    plain = requests.get(
        f"{base}/youtube/partner/v1/policies",
        headers={"Authorization": f"Bearer {partners.token(platforms, partner)}"},
        timeout=5,
    )
    assert plain.status_code == 403


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, PlatformUnavailable),
        ({"kind": "status", "status": 429, "reason": "rateLimitExceeded"}, PlatformUnavailable),
        ({"kind": "status", "status": 403, "reason": "quotaExceeded"}, QuotaExceeded),
        ({"kind": "status", "status": 401}, CredentialRejected),
        ({"kind": "status", "status": 403, "reason": "forbidden"}, PlatformRejected),
        ({"kind": "close"}, PlatformUnavailable),
        ({"kind": "lost"}, PlatformUnavailable),
    ],
)
def test_each_failure_has_its_error(platforms, api, partner, fault, error):
    platforms.library.add_faults([{"on": "policies.list", **fault}])
    with pytest.raises(error):
        api.list_policies()
    assert len(api.list_policies()) == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("claims", {"videoId": "vid00000001", "assetId": "A000000000000001", "contentType": "audio"}, 400),
        ("claims", {"videoId": "vid00000001", "assetId": "A1", "contentType": "audio", "policy": {}}, 400),
        ("claims", {"videoId": "vid00000001", "state": "active"}, 400),
        ("claims?kind=x", {}, 400),
        ("policies", {"name": "x"}, 404),
    ],
)
def test_the_stand_in_refuses_what_the_description_does_not_have(platforms, partner, path, body, status):
    answer = requests.post(
        f"{os.environ['GOOGLE_URL']}/youtube/partner/v1/{path}",
        params={"onBehalfOfContentOwner": partner.youtube_id},
        headers={"Authorization": f"Bearer {partners.token(platforms, partner)}"},
        data=json.dumps(body),
        timeout=5,
    )
    assert answer.status_code == status


def test_the_document_says_that_it_was_rebuilt():
    path = Path(stand_in.__file__).parent / "documents" / f"{stand_in.API}.json"
    assert "Rebuilt by hand" in json.loads(path.read_text(encoding="utf-8"))["description"]
