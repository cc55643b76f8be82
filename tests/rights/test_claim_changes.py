"""Claims and policies at YouTube: proposed, approved, made, released, changed and undone."""

import copy
import json
import threading
import time

import pytest
import requests

from functions.publish import app as publish
from functions.upload import app as upload
from showrunner import quotas
from showrunner.accounts import connections, youtube_access
from showrunner.aws import dynamodb, s3, ssm
from showrunner.caches import reads
from showrunner.caches.reads import Memory
from showrunner.database import db
from showrunner.store.accounts import organisations
from tests.rights import partner as partners
from tests.rights.change_work import CHANGES, ROWS, SYNCS, execute, reset_quota
from tests.rights.conftest import add_owner

HALF = {"action": "block", "territories": ["DE", "FR"]}


def test_a_proposal_is_checked_row_by_row_and_sends_nothing(own):
    first, second, *_ = own.ids()
    table = (
        "video_id,asset_id,content_type,policy_id,action,territories\n"
        f"{first},{own.asset_id},audio,,block,DE|FR\n"
        f"{second},{own.asset_id},,S1,,\n"
        f"{first},{own.asset_id},audio,S1,,\n"
        f"{first},A999999999999999,audio,S1,,\n"
        f"{first},{own.asset_id},video,S1,track,\n"
        f"{first},{own.asset_id},video,,,\n"
        f"{first},A1,video,S1,,\n"
        f"{first},{own.asset_id},smell,S1,,\n"
        f"{first},{own.asset_id},video,,block,Germany\n"
        f"{first},{own.asset_id},video,S1,,DE\n"
    )
    answer = own.client("POST", CHANGES, {"kind": "claim", "csv": table})

    assert answer.status == 201, answer.body
    found = answer.body["change_set"]
    assert (found["kind"], found["status"], found["rows"]["pending"]) == ("claim", "ready", 2)
    assert answer.body["units"] == 4
    rows = own.rows(found["id"])
    where = {"requiredTerritories": {"type": "include", "territories": ["DE", "FR"]}}
    assert rows[0]["changes"]["policy"]["rules"] == [{"action": "block", "conditions": where}]
    assert (rows[0]["asset_id"], rows[0]["content_type"], rows[0]["claim_id"]) == (
        own.asset_id,
        "audio",
        None,
    )
    assert rows[0]["before"] == {"claim_id": None}
    assert (rows[1]["content_type"], rows[1]["changes"]["policy"]["policy_id"]) == ("audiovisual", "S1")
    words = [
        *("Row 1 is about the same", "no such asset", *["either policy_id or action"] * 2),
        *("id of an asset", "content_type", "country", "countries of its own"),
    ]
    for row, word in zip(rows[2:], words, strict=True):
        assert row["status"] == "invalid"
        assert word in row["message"], row
    assert sum(own.partner.rights.calls.values()) == 0


def test_claims_are_made_once_and_the_undo_releases_them(own):
    change_set_id = own.propose_claims()
    rows = own.carry_out(change_set_id)

    assert [row["status"] for row in rows] == ["success"] * ROWS
    made = own.partner.live()
    assert [each["videoId"] for each in made] == own.ids()
    assert [row["claim_id"] for row in rows] == [each["id"] for each in made]
    assert (rows[0]["before"], rows[0]["is_exact"]) == ({"claim_id": None}, True)
    # Repeating any step changes nothing.
    calls = own.partner.rights.calls.total()
    assert execute(own, change_set_id) == ["done"]
    assert own.partner.rights.calls.total() == calls

    undo = own.undo(change_set_id)
    assert own.set(undo)["kind"] == "release"
    somebody = own.partner.rights.claims[rows[1]["claim_id"]]
    somebody["policy"] = {"rules": [{"action": "track"}]}
    released = own.carry_out(undo)
    assert [row["status"] for row in released] == ["success", "failed", "success", "success"]
    assert "policy has been changed since: it is track everywhere now" in released[1]["message"]
    assert [each["id"] for each in own.partner.live()] == [somebody["id"]]


def test_released_claims_come_back_with_their_policy(own):
    made = own.carry_out(own.propose_claims(**HALF))
    own.report_claims()
    release = own.propose("release", [{"claim_id": row["claim_id"]} for row in made])
    assert [row["video_id"] for row in own.rows(release)] == own.ids()
    own.carry_out(release)
    assert own.partner.live() == []

    again = own.carry_out(own.undo(release))
    assert [row["status"] for row in again] == ["success"] * ROWS
    keys = ("videoId", "assetId", "contentType")
    before, after = own.partner.claims()[:ROWS], own.partner.live()
    assert [[each[key] for key in keys] for each in after] == [[each[key] for key in keys] for each in before]
    assert [each["policy"]["rules"] for each in after] == [each["policy"]["rules"] for each in before]


@pytest.mark.parametrize("kind", ["claim_policy", "match_policy"])
def test_policies_are_changed_and_restored(own, kind):
    own.partner.rights.assets[own.asset_id]["match_policies"] = {
        own.partner.youtube_id: {"id": "S2", "rules": [{"action": "track"}]}
    }
    made = own.carry_out(own.propose_claims())
    own.report_claims()
    before = copy.deepcopy((own.partner.live(), own.partner.rights.assets))
    rows = (
        [{"claim_id": row["claim_id"], "policy_id": "S2"} for row in made]
        if kind == "claim_policy"
        else [
            {"asset_id": own.asset_id, "action": "block", "territories": ["JP"], "except_territories": True}
        ]
    )
    change_set_id = own.propose(kind, rows)
    found = own.carry_out(change_set_id)
    assert {row["status"] for row in found} == {"success"}
    if kind == "claim_policy":
        assert {each["policy"]["id"] for each in own.partner.live()} == {"S2"}
    else:
        policy = own.partner.rights.assets[own.asset_id]["match_policies"][own.partner.youtube_id]
        where = {"requiredTerritories": {"type": "exclude", "territories": ["JP"]}}
        assert policy["rules"] == [{"action": "block", "conditions": where}]
        assert found[0]["before"]["policy"]["policy_id"] == "S2"
        assert (found[0]["video_id"], found[0]["asset_id"]) == (None, own.asset_id)

    own.carry_out(own.undo(change_set_id))
    assert without_new_ids(own.partner.live()) == without_new_ids(before[0])
    assert own.partner.rights.assets == before[1]
    same = (
        {"claim_id": made[0]["claim_id"], "action": "monetize"}
        if kind == "claim_policy"
        else {"asset_id": own.asset_id, "policy_id": "S2"}
    )
    unchanged = own.carry_out(own.propose(kind, [same]))
    assert unchanged[0]["status"] == "unchanged"


def without_new_ids(claims):
    """Return claims without the ids that YouTube gives to rules that aren't saved."""
    return [{**each, "policy": each["policy"]["rules"]} for each in claims]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["claim", "release", "claim_policy"])
def test_a_step_that_is_killed_after_any_call_of_any_row_writes_none_twice(own, kind):
    """Each row is a read and a write: killed after each of them, and YouTube's answer is lost."""
    write = own.write if kind == "claim" else "claims.patch"
    for killed_after in range(1, 2 * ROWS + 1):
        reset_quota()
        own.partner.rights.claims.clear()
        if kind == "claim":
            change_set_id = own.propose_claims()
        else:
            made = own.carry_out(own.propose_claims())
            own.report_claims()
            policy = {} if kind == "release" else HALF
            change_set_id = own.propose(kind, [{"claim_id": row["claim_id"], **policy} for row in made])
        before = own.calls(write)
        own.run(change_set_id)
        execute(own, change_set_id, killed_after=killed_after)

        assert [row["status"] for row in own.rows(change_set_id)] == ["success"] * ROWS, killed_after
        assert own.calls(write) == before + ROWS, killed_after
        assert len(own.partner.claims()) == ROWS
        assert len(own.partner.live()) == (0 if kind == "release" else ROWS)


def test_two_people_never_make_the_same_claim(own):
    """Both change sets are begun before either is carried out: the second one's rows fail."""
    first, second = own.propose_claims(), own.propose_claims()
    own.run(first)
    own.run(second)
    assert {row["status"] for row in own.rows(second)} == {"failed"}
    assert "Another change set" in own.rows(second)[0]["message"]
    execute(own, second)
    execute(own, first)
    assert own.set(second)["status"] == "done"
    assert len(own.partner.claims()) == own.calls("claims.insert") == ROWS

    third = own.carry_out(own.propose_claims())
    assert {row["status"] for row in third} == {"unchanged"}
    assert own.calls("claims.insert") == ROWS
    assert db.value(own.tx, "SELECT count(*) FROM rights.claims_in_work") == 0


def test_two_workers_at_once_make_each_claim_once(own):
    """Two change sets for different content types of the same videos, and the same batch twice at once."""
    sets = [own.propose_claims(content_type=each) for each in ("audio", "video")]
    for each in sets:
        own.run(each)
    batches = []
    for each in sets:
        ids = {"change_set_id": each, "organisation_id": own.organisation_id, "attempt": 1, "request_id": "r"}
        batches += s3.get_json(publish.handler({**ids, "step": "plan"}, None)["key"])

    def work(batch):
        # One of them renews the token, and the others come back later, as the machine lets them.
        for _ in range(50):
            if upload.handler({**batch, "tries": 0}, None)["state"] == "done":
                return
            time.sleep(0.05)

    threads = [threading.Thread(target=work, args=(batch,)) for batch in batches]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(own.partner.live()) == own.calls("claims.insert") == 2 * ROWS


def test_a_claim_that_somebody_makes_meanwhile_stays_the_only_one(own, monkeypatch):
    real, waiting = requests.Session.request, ["once"]

    def request(session, method, url, **more):
        if method == "POST" and url.endswith("/claims") and waiting:
            waiting.clear()
            real(session, method, url, **more)  # somebody in Studio is faster
        return real(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", request)
    rows = own.carry_out(own.propose_claims())
    assert rows[0]["status"] == "failed"
    assert "has this claim already" in rows[0]["message"]
    assert len(own.partner.claims()) == ROWS


def test_a_row_that_youtube_refuses_fails_alone(own):
    own.partner.rights.videos[own.ids()[0]]["owner"] = None
    del own.partner.rights.videos[own.ids()[3]]
    rows = own.carry_out(own.propose_claims())
    assert [row["status"] for row in rows] == ["failed", "success", "success", "failed"]
    assert "of no channel of this content owner" in rows[0]["message"]
    assert len(own.client("GET", f"{SYNCS}?status=failed").body["syncs"]) == 2


def test_a_stopped_change_set_frees_its_claims(own):
    change_set_id = own.propose_claims()
    own.run(change_set_id)
    assert own.client("POST", f"{CHANGES}/{change_set_id}/stop").status == 200
    execute(own, change_set_id)
    assert (own.set(change_set_id)["status"], own.partner.claims()) == ("stopped", [])
    other = own.carry_out(own.propose_claims())
    assert {row["status"] for row in other} == {"success"}
    assert {row["status"] for row in own.carry_out(change_set_id)} == {"unchanged"}


def test_a_service_account_makes_claims_and_searches_for_an_owner_that_has_invited_it(own, tx):
    key = partners.use_service_account(own.world, tx, own.partner, own.owner_id)
    rows = own.carry_out(own.propose_claims())
    assert [row["status"] for row in rows] == ["success"] * ROWS
    assert len(own.partner.live()) == ROWS
    assert own.client("GET", "/api/v1/cms/assets/search?q=Song").status == 200

    # The content owner takes the rights away again; then somebody deletes the key at Google.
    own.world.rights.members.clear()
    release = own.propose("release", [{"claim_id": own.partner.claims()[0]["id"]}])
    assert own.rows(release)[0]["status"] == "invalid"
    own.report_claims()
    release = own.propose("release", [{"claim_id": own.partner.claims()[0]["id"]}])
    (row,) = own.carry_out(release)
    assert row["status"] == "failed"
    assert key.email in row["message"]
    own.world.sign_ins.service_accounts.clear()
    youtube_access._service_tokens.clear()
    own.report_claims()
    release = own.propose("release", [{"claim_id": own.partner.claims()[1]["id"]}])
    own.run(release)
    ssm.forget()  # each function has secrets of its own in memory
    execute(own, release)
    (row,) = own.rows(release)
    assert row["status"] == "error"
    assert "rotate google/service_account" in row["message"]
    assert len(own.partner.live()) == ROWS


def test_what_is_missing_is_said_when_it_is_proposed(own, tx):
    rows = [{"video_id": own.ids()[0], "asset_id": own.asset_id, "action": "track"}]
    db.run(tx, "UPDATE accounts.connections SET scopes = '{}' WHERE id = :id", id=own.connection_id)
    assert "Nobody may act for your content owner" in own.rows(own.propose("claim", rows))[0]["message"]
    db.run(tx, "UPDATE rights.content_owners SET youtube_id = NULL WHERE id = :id", id=own.owner_id)
    assert "a platform admin adds it" in own.rows(own.propose("claim", rows))[0]["message"]
    assert "no such claim" in own.rows(own.propose("release", [{"claim_id": "cl1"}]))[0]["message"]


def test_one_video_is_claimed_gets_another_policy_and_its_channel_is_shown(own, tx):
    video = own.ids()[0]
    path, body = f"/api/v1/cms/videos/{video}", {"asset_id": own.asset_id, "action": "monetize"}
    shown = own.client("POST", f"{path}/claims?dry_run=true", body)
    assert (shown.status, shown.body["change_set"]) == (202, None)
    assert shown.body["rows"][0]["changes"]["policy"]["rules"] == [{"action": "monetize"}]
    assert own.client("GET", CHANGES).body["changes"] == []
    dry = [
        own.client("POST", f"{path}/claims?dry_run=true", body, idempotency_key="dry").body for _ in range(2)
    ]
    assert dry == [shown.body] * 2
    assert own.client("POST", f"{path}/claims", body, idempotency_key="dry").status == 409
    made = own.client("POST", f"{path}/claims", body, idempotency_key="once")
    assert made.body == own.client("POST", f"{path}/claims", body, idempotency_key="once").body
    execute(own, made.body["change_set"]["id"])
    assert len(own.partner.live()) == 1

    assert own.client("PUT", f"{path}/policy", HALF).status == 404
    own.report_claims()
    changed = own.client("PUT", f"{path}/policy", HALF)
    assert changed.status == 202, changed.body
    execute(own, changed.body["change_set"]["id"])
    assert own.partner.live()[0]["policy"]["rules"][0]["action"] == "block"

    channel = own.client("GET", f"/api/v1/cms/channels/UC{'a' * 22}")
    assert (channel.status, channel.body["claims"]["active"], channel.body["videos"]["total"]) == (200, 1, 0)
    assert own.client("GET", f"/api/v1/cms/channels/UC{'b' * 22}").status == 404
    assert own.client("POST", "/api/v1/cms/videos/short/claims", body).status == 404
    for wrong in ({}, {**body, "policy_id": "S1"}, {**body, "content_type": "x"}, {"asset_id": "A1"}):
        assert own.client("POST", f"{path}/claims", wrong).status == 400, wrong

    organisations.save_need_of_approval(tx, own.organisation_id, required=True)
    waiting = own.client("PUT", f"{path}/policy", {"policy_id": "S1"}).body["change_set"]
    assert waiting["status"] == "ready"
    assert own.second("POST", f"{CHANGES}/{waiting['id']}/approve").status == 200


def test_results_are_announced_to_the_organisation_alone(own, monkeypatch):
    sent = []
    monkeypatch.setattr("showrunner.aws.events.put", sent.extend)
    own.carry_out(own.propose("match_policy", [{"asset_id": own.asset_id, "policy_id": "S1"}]))
    (event,) = sent
    assert (event.organisation_id, event.video_id, event.asset_id) == (own.organisation_id, "", own.asset_id)
    assert json.dumps(event._asdict())


def test_youtube_is_asked_for_assets_owners_and_policies(own, tx, service):
    found = own.client("GET", "/api/v1/cms/assets/search?q=song")
    assert [each["asset_id"] for each in found.body["assets"]] == [own.asset_id]
    shares = own.client("GET", f"/api/v1/cms/assets/{own.asset_id}/ownership").body["shares"]
    assert [(each["owner"], each["percent"]) for each in shares] == [(own.partner.youtube_id, 100.0)]
    policies = own.client("GET", "/api/v1/cms/policies").body["policies"]
    assert [each["policy_id"] for each in policies] == ["S1", "S2"]
    assert quotas.spent("youtube", "content_id") == 3

    assert own.client("GET", "/api/v1/cms/assets/search").status == 400
    assert own.client("GET", "/api/v1/cms/assets/A1/ownership").status == 404
    assert own.client("GET", "/api/v1/cms/policies?content_owner=Somebody").status == 400
    own.world.library.add_faults([{"on": "assetSearch.list", "kind": "close"}])
    assert own.client("GET", "/api/v1/cms/assets/search?q=song").status == 502
    stranger = service(add_owner(tx)["organisation_id"], "cms:read")
    for path in ("policies", "assets/search?q=song", f"assets/{own.asset_id}/ownership"):
        assert stranger("GET", f"/api/v1/cms/{path}").status == 409
    name = db.value(tx, "SELECT name FROM rights.content_owners WHERE id = :id", id=own.owner_id)
    assert stranger("GET", f"/api/v1/cms/policies?content_owner={name}").status == 400


def test_policies_are_read_once_in_15_minutes_and_say_their_age(own, monkeypatch):
    path = "/api/v1/cms/policies"
    first = own.client("GET", path)
    begun = time.time()
    monkeypatch.setattr("showrunner.caches.reads._memory", Memory())
    again = own.client("GET", path)
    assert (again.body, first.headers.get("age")) == (first.body, None)
    assert quotas.spent("youtube", "content_id") == 1

    age_policies(own, begun - 1_000)
    own.world.library.add_faults([{"on": "policies.list", "kind": "close"}])
    old = own.client("GET", path)
    assert (old.status, old.body) == (200, first.body)
    assert 1_000 <= int(old.headers["age"]) < 1_100
    assert old.headers["etag"] == first.headers["etag"]

    age_policies(own, begun - 1_000)
    own.world.rights.policies[own.partner.youtube_id]["S3"] = {
        "name": "Block",
        "rules": [{"action": "block"}],
    }
    assert [each["policy_id"] for each in own.client("GET", path).body["policies"]] == ["S1", "S2", "S3"]


def test_policies_of_an_account_that_withdrew_its_permission_are_not_shown_from_the_cache(own):
    path = "/api/v1/cms/policies"
    assert own.client("GET", path).status == 200
    age_policies(own, time.time() - 1_000)
    own.world.rights.members.clear()

    assert own.client("GET", path).status >= 400


def age_policies(own, checked_at):
    """Make the kept answer as old as this, at all levels."""
    reads._memory.__init__()
    connection = connections.id_of(own.organisation_id, "youtube", f"{own.partner.account}/")
    request = f"content_id/{own.partner.youtube_id}/policies"
    key = reads.of_connection(own.organisation_id, connection, request)
    kept = reads.unpacked(dynamodb.find(key.item, "answer")["packed"])
    packed = reads._packed(kept._replace(checked_at=checked_at))
    dynamodb.put(key.item, "answer", {"packed": packed}, checked_at + reads.TABLE_SECONDS)
