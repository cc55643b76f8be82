"""Make and release claims, set policies and the metadata of assets, through YouTube's Content ID API.

Its resources have no etag: what a row changes is read right before it is written. What it was is stored
before the write, so that a row whose answer was lost is recognised by what YouTube has, and is not written
again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from showrunner import breakers, config, quotas
from showrunner.accounts.youtube_access import Account
from showrunner.aws import change_marks
from showrunner.aws.change_marks import FUNCTION_SECONDS, Lease
from showrunner.errors import PlatformRejected
from showrunner.platforms.content_id import Claim, ContentId, Policy
from showrunner.quotas import Ledger, Project
from showrunner.rights import change_costs, change_files, change_rules, claim_rules
from showrunner.rights.change_files import Batch, Row
from showrunner.rights.change_results import result

type Result = dict[str, Any]

# YouTube's clock may differ from ours by so much.
CLOCKS_SECONDS = 60
_NO_CLAIM: Result = {"claim_id": None}


class ClaimChanges:
    """One invocation's changes of the claims or policies of a batch."""

    def __init__(self, batch: Batch, tries: int, account: Account, ledger: Ledger, lease: Lease) -> None:
        self._batch, self._tries, self._account, self._ledger = batch, tries, account, ledger
        self._lease = lease
        # Content owner -> ids of its saved policies.
        self._saved: dict[str, set[str]] = {}
        self._kinds: dict[str, Callable[[Row], Result | None]] = {
            "claim": self._claim,
            "release": self._release,
            "claim_policy": self._set_policy,
            "match_policy": self._set_match_policy,
            "asset_metadata": self._set_metadata,
        }

    def prepare(self, rows: list[Row]) -> None:
        """Read nothing: each row is read right before it is written."""

    def change(self, row: Row) -> Result | None:
        """Return the result of a row, written if need be; None while another worker may make its claim."""
        try:
            return self._kinds[self._batch.kind](row)
        except PlatformRejected as error:
            return result("failed", error.message)

    def _claim(self, row: Row) -> Result | None:
        """Make a claim, unless there is one for this video, asset and content type."""
        target = row.target
        claim = change_marks.lease_of_claim(
            target["content_owner"], row.video_id, target["asset_id"], target["content_type"]
        )
        # Before the read: a claim that is made between a read and a write is made twice.
        is_mine = claim.take()
        try:
            if (found := self._find_live(row)) is not None:
                return self._made_before(row, found)
            if not is_mine:
                return None
            policy = self._writable(row, row.changes["policy"])
            self._reserve(row)
            change_files.write_journal(self._batch, row, row.changes, _NO_CLAIM)
            # A worker that dies now may have made it, and YouTube may not show it yet.
            claim.keep(FUNCTION_SECONDS)
            return result("success", None, _NO_CLAIM, _state(self._insert(row, policy)))
        finally:
            if is_mine:
                claim.give_back()

    def _made_before(self, row: Row, found: Claim) -> Result:
        """Return the result of a row whose claim YouTube has: by this row, or by somebody else."""
        journal = change_files.find_journal(self._batch, row)
        if journal and _is_made_by(journal, found):
            return result("success", None, _NO_CLAIM, _state(found))
        message = f"YouTube has this claim already, {found.id}: it is left as it is."
        return result("unchanged", message, _state(found), _state(found))

    def _insert(self, row: Row, policy: Policy) -> Claim:
        target = row.target
        return self._call(
            row,
            lambda api: api.insert_claim(
                row.video_id,
                target["asset_id"],
                target["content_type"],
                policy,
                is_manual=bool(target.get("is_manual")),
            ),
        )

    def _find_live(self, row: Row) -> Claim | None:
        found = self._read(row, lambda api: api.list_claims_of(row.video_id, row.target["asset_id"]))
        live = [each for each in found if each.is_live and each.content_type == row.target["content_type"]]
        return live[0] if live else None

    def _release(self, row: Row) -> Result:
        claim = self._find(row)
        if claim is None:
            return _no_claim()
        journal = change_files.find_journal(self._batch, row)
        state = _state(claim)
        if not claim.is_live:
            if journal:
                return result("success", None, journal["before"], state)
            return result("unchanged", "The claim has ended already.", state, state)
        if problem := claim_rules.find_difference(state, row.expected):
            return result("failed", problem, state)
        before = state | {"is_manual": bool(row.target.get("is_manual"))}
        self._reserve(row)
        change_files.write_journal(self._batch, row, row.changes, before)
        ended = self._call(row, lambda api: api.release_claim(claim.id))
        return result("success", None, before, _state(ended))

    def _set_policy(self, row: Row) -> Result:
        claim = self._find(row)
        if claim is None:
            return _no_claim()
        if not claim.is_live:
            return result("failed", "The claim has ended, so it can have no other policy.", _state(claim))
        return self._set(
            row, claim.policy, lambda api, policy: api.set_policy(row.target["claim_id"], policy).policy
        )

    def _set_match_policy(self, row: Row) -> Result:
        asset_id = row.target["asset_id"]
        found = self._read(row, lambda api: api.find_match_policy(asset_id))
        return self._set(row, found, lambda api, policy: api.set_match_policy(asset_id, policy))

    def _set_metadata(self, row: Row) -> Result:
        asset_id = row.target["asset_id"]
        found = self._read(row, lambda api: api.find_metadata(asset_id))
        state = {name: found[name] for name in row.changes}
        if change_rules.is_done(state, row.changes):
            if journal := change_files.find_journal(self._batch, row):
                return result("success", None, journal["before"], state)
            return result("unchanged", "YouTube has these values already.", state, state)
        if problem := change_rules.find_difference(found, row.expected):
            return result("failed", problem, state)
        self._reserve(row)
        change_files.write_journal(self._batch, row, row.changes, state)
        written = self._call(row, lambda api: api.set_metadata(asset_id, row.changes))
        after = {name: written[name] for name in row.changes}
        if problem := change_rules.find_difference(after, row.changes):
            return result("failed", f"YouTube has not taken all of it. {problem}", state, after)
        return result("success", None, state, after)

    def _set(self, row: Row, found: Policy, write: Callable[[ContentId, Policy], Policy]) -> Result:
        """Write a policy over the one that was found."""
        state, wanted = {"policy": found}, row.changes["policy"]
        journal = change_files.find_journal(self._batch, row)
        if claim_rules.is_same_policy(found, wanted):
            if journal:
                return result("success", None, journal["before"], state)
            return result("unchanged", "YouTube has this policy already.", state, state)
        if problem := claim_rules.find_difference(state, row.expected):
            return result("failed", problem, state)
        if not wanted.get("policy_id") and not wanted["rules"]:
            return result("failed", "There was no policy before, and YouTube can't take one away.", state)
        policy = self._writable(row, wanted)
        self._reserve(row)
        change_files.write_journal(self._batch, row, row.changes, state)
        written = self._call(row, lambda api: write(api, policy))
        return result("success", None, state, {"policy": written})

    def _writable(self, row: Row, policy: Policy) -> Policy:
        """Return a policy as it can be written.

        YouTube gives the rules of a claim an id too. Only that of a saved policy can be used again, so one
        that has both id and rules, as YouTube had it once, is looked up.
        """
        if not policy.get("policy_id") or not policy["rules"]:
            return policy
        owner = row.target["content_owner"]
        if owner not in self._saved:
            self._saved[owner] = set(self._read(row, lambda api: api.list_policies()))
        return policy if policy["policy_id"] in self._saved[owner] else policy | {"policy_id": None}

    def _find(self, row: Row) -> Claim | None:
        claim_id = row.target["claim_id"]
        return self._read(row, lambda api: api.list_claims([claim_id])).get(claim_id)

    def _reserve(self, row: Row) -> None:
        """Reserve the call of a write, once for each try."""
        quotas.reserve(
            Project(*self._batch.project).name,
            change_costs.CONTENT_ID,
            1,
            quotas.CONTENT_ID_CALLS_A_DAY,
            f"{self._batch.change_set_id[:13]}-{row.number}-{self._batch.attempt}-{self._tries}",
        )

    def _read[T](self, row: Row, call: Callable[[ContentId], T]) -> T:
        self._ledger.spend(1)
        return self._call(row, call)

    def _call[T](self, row: Row, call: Callable[[ContentId], T]) -> T:
        def guarded(token: str) -> T:
            self._lease.keep()
            with breakers.guard("content_id", "change"):
                return call(ContentId(config.setting("CONTENT_ID_URL"), token, row.target["content_owner"]))

        return self._account.call(guarded)


def _is_made_by(journal: dict[str, Any], claim: Claim) -> bool:
    """Tell whether the call of which the journal tells has made a claim: nobody else could at that time."""
    if "at" not in journal or not claim.created_at:
        return True
    after = (datetime.fromisoformat(claim.created_at) - datetime.fromisoformat(journal["at"])).total_seconds()
    return -CLOCKS_SECONDS <= after <= FUNCTION_SECONDS + CLOCKS_SECONDS


def _state(claim: Claim) -> dict[str, Any]:
    """Return what is shown and stored of a claim."""
    return {
        "claim_id": claim.id,
        "asset_id": claim.asset_id,
        "content_type": claim.content_type,
        "status": claim.status,
        "policy": claim.policy,
    }


def _no_claim() -> Result:
    return result("failed", "The content owner has no such claim at YouTube.")
