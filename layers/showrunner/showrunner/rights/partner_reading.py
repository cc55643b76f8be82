"""The routes that ask YouTube's Content ID while the caller waits: assets, who owns them, saved policies."""

import json
import re
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from showrunner import breakers, config
from showrunner.accounts import google_projects
from showrunner.caches import reads
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound, PlatformRejected
from showrunner.models import Representation
from showrunner.quotas import Project
from showrunner.rights import change_costs, owner_accounts
from showrunner.store.rights import catalogue, content_owners
from showrunner.web import answers
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import Isrc, Line, Query, Result
from showrunner.web.routing import Request

if TYPE_CHECKING:
    from showrunner.platforms.content_id import ContentId

routes = Routes()

# API Gateway waits for 30 s; renewing a token takes some of them.
SECONDS = 10
# More than anybody reads; a narrower search finds the rest.
MOST_FOUND = 100
# Policies change seldom, and are read with each form. If YouTube fails, they are used for an hour.
POLICIES_SECONDS = 900
_ASSET = re.compile(r"A\d{15}", re.ASCII)

type _Owner = Annotated[
    Line | None,
    Field(description="One of the organisation's content owners; needed if it has several.", max_length=100),
]


class OwnerQuery(Query):
    """Name the content owner that is asked for."""

    content_owner: _Owner = None


class AssetSearch(OwnerQuery):
    """A search for assets at YouTube: by words of their metadata, or by ISRC."""

    q: Annotated[Line, Field(max_length=200)] | None = None
    isrc: Isrc | None = None


class FoundAsset(Result):
    """An asset, as YouTube's search has it."""

    asset_id: str
    title: str
    type: str
    isrc: str | None


class FoundAssets(Result):
    """The first 100 assets that were found."""

    assets: list[FoundAsset]


class OwnershipShare(Result):
    """A share of an asset. territories: where it is valid; with except_territories everywhere else."""

    kind: str
    owner: str
    percent: float
    territories: list[str]
    except_territories: bool


class Ownership(Result):
    """Tell who owns an asset, as YouTube has it now."""

    asset_id: str
    shares: list[OwnershipShare]


class SavedPolicy(Result):
    """A policy that is saved at YouTube; changes name it by its id."""

    policy_id: str
    name: str


class SavedPolicies(Result):
    """The content owner's saved policies."""

    policies: list[SavedPolicy]


@routes.get("/api/v1/cms/assets/search", permission="cms:read", answer=FoundAssets, errors=(409,))
def search_assets(request: Request, query: AssetSearch) -> Answer:
    """Search your assets at YouTube, also those that no report has yet."""
    if query.q is None and query.isrc is None:
        raise InvalidRequest("Give q or isrc.", [{"field": "q", "message": "give q or isrc"}])
    found = _ask(
        request,
        query.content_owner,
        lambda api: list(islice(api.search_assets(query.q, query.isrc), MOST_FOUND)),
    )
    return Answer(
        {
            "assets": [
                {"asset_id": each.id, "title": each.title, "type": each.type, "isrc": each.isrc}
                for each in found
            ]
        }
    )


@routes.get("/api/v1/cms/assets/{asset}/ownership", permission="cms:read", answer=Ownership, errors=(409,))
def show_ownership(request: Request, asset: str, query: OwnerQuery) -> Answer:
    """Show who owns which share of an asset where, as YouTube has it now. It can be read, not changed."""
    if not _ASSET.fullmatch(asset):
        raise NotFound("There is no such asset.")
    try:
        shares = _ask(request, query.content_owner, lambda api: api.list_shares(asset))
    except PlatformRejected as error:
        with db.reading() as tx:
            is_known = bool(catalogue.find_assets(tx, request.organisation_id, [asset]))
        if is_known:
            raise
        raise NotFound("Your reports have no such asset, and YouTube shows you none.") from error
    return Answer(
        {
            "asset_id": asset,
            "shares": [
                {
                    **{name: getattr(each, name) for name in ("kind", "owner", "percent", "territories")},
                    "except_territories": each.is_except,
                }
                for each in shares
            ],
        }
    )


@routes.get("/api/v1/cms/policies", permission="cms:read", answer=SavedPolicies, errors=(409,))
def list_policies(request: Request, query: OwnerQuery) -> Answer:
    """List the policies that are saved at YouTube, for claims and match policies.

    They are read once in 15 minutes, and kept for an hour in case that YouTube fails. The header `Age` says
    how many seconds ago YouTube gave them.
    """
    partner = _partner(request, query.content_owner)

    def ask(_: str | None) -> Representation:
        found = _call(partner, lambda api: api.list_policies())
        # One that lists none may have its first at any moment.
        return Representation(json.dumps(found).encode(), None, POLICIES_SECONDS if found else 0)

    key = reads.of_connection(
        partner.organisation_id, partner.connection_id, f"content_id/{partner.youtube_id}/policies"
    )
    known = reads.read(key, ask)
    policies = [{"policy_id": id_, "name": name} for id_, name in json.loads(known.body).items()]
    return Answer({"policies": policies}, headers=answers.age(known.age_seconds))


class _Partner(NamedTuple):
    """A content owner of an organisation, and the connection that may act for it."""

    organisation_id: str
    youtube_id: str
    connection_id: str
    project: Project


def _ask[T](request: Request, content_owner: str | None, call: "Callable[[ContentId], T]") -> T:
    """Return what YouTube answers for a content owner of the organisation. Raises as `_partner` does."""
    return _call(_partner(request, content_owner), call)


def _partner(request: Request, content_owner: str | None) -> _Partner:
    """Return the content owner that is asked for.

    Raises InvalidRequest for an owner that isn't the organisation's, and Conflict if it can't be asked for.
    """
    with db.reading() as tx:
        owner = _owner(content_owners.list_of(tx, request.organisation_id), content_owner)
        connection_id = owner_accounts.find_for_claims(tx, request.organisation_id, owner)
        project = google_projects.of_connection(tx, connection_id)
    if owner["youtube_id"] is None:
        raise Conflict("The content owner's id at YouTube is unknown: a platform admin adds it.")
    if connection_id is None:
        raise Conflict(owner_accounts.NONE)
    return _Partner(request.organisation_id, owner["youtube_id"], connection_id, project)


def _call[T](partner: _Partner, call: "Callable[[ContentId], T]") -> T:
    """Return what YouTube answers. Counts as a call of the day."""
    from showrunner.accounts.youtube_access import Account
    from showrunner.platforms.content_id import ContentId

    change_costs.ledger("claim", partner.project).spend(1)

    def guarded(token: str) -> T:
        with breakers.guard("content_id", "read"):
            return call(ContentId(config.setting("CONTENT_ID_URL"), token, partner.youtube_id, SECONDS))

    return Account(partner.connection_id, partner.organisation_id).call(guarded)


def _owner(owners: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    """Return the content owner of this name, or the only one."""
    if name is None and len(owners) == 1:
        return owners[0]
    found = next((each for each in owners if name and each["name"].casefold() == name.casefold()), None)
    if found is None:
        names = ", ".join(each["name"] for each in owners) or "there is none"
        message = f"name one of your content owners: {names}"
        raise InvalidRequest(f"content_owner: {message}.", [{"field": "content_owner", "message": message}])
    return found
