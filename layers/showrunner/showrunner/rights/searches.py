"""The routes of /cms/searches: searches that people save under a name for all of their organisation."""

import json
from typing import Any
from urllib.parse import urlencode

from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.rights.catalogue_schemas import (
    CmsAssetFilter,
    CmsClaimFilter,
    CmsConflictFilter,
    CmsVideoFilter,
    NewSearch,
    SavedSearch,
    SavedSearches,
)
from showrunner.store.rights import searches
from showrunner.web import audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import checked
from showrunner.web.fields import Page
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/cms/searches"
# The list has no pages: so many names are still read.
MOST_SEARCHES = 200
FILTERS: dict[str, type[Page]] = {
    "videos": CmsVideoFilter,
    "assets": CmsAssetFilter,
    "claims": CmsClaimFilter,
    "conflicts": CmsConflictFilter,
}


@routes.get(PATH, permission="cms:read", answer=SavedSearches)
def list_searches(request: Request) -> Answer:
    """List the organisation's saved searches, by list and name."""
    with db.reading() as tx:
        found = json.loads(searches.list_(tx, request.organisation_id))
    return Answer({"searches": [_with_path(each) for each in found]})


@routes.post(PATH, permission="cms:write", answer=SavedSearch, status=201, idempotent=True, errors=(409,))
def save(request: Request, body: NewSearch) -> Answer:
    """Save the filters and the order of a list under a name."""
    checked(FILTERS[body.list], {name: _text(value) for name, value in body.filters.items()})
    filters = {name: value for name, value in body.filters.items() if name not in ("limit", "page", "cursor")}

    def work(tx: db.Transaction) -> Answer:
        if searches.count(tx, request.organisation_id) >= MOST_SEARCHES:
            raise Conflict(f"An organisation has at most {MOST_SEARCHES} saved searches: delete one first.")
        saved = searches.add(
            tx, request.organisation_id, body.name, body.list, filters, request.caller.subject
        )
        audit.record(tx, request, "save", "search", saved["id"], after={"list": body.list, **filters})
        return Answer(_with_path(saved), 201)

    return idempotency.once(request, work)


@routes.delete(f"{PATH}/{{search_id}}", permission="cms:write", status=204)
def remove(request: Request, search_id: str) -> Answer:
    """Delete a saved search."""
    with db.transaction() as tx:
        searches.remove(tx, request.organisation_id, search_id)
        audit.record(tx, request, "remove", "search", search_id.lower())
    return Answer(status=204)


def _with_path(saved: dict[str, Any]) -> dict[str, Any]:
    query = urlencode({name: _text(value) for name, value in saved["filters"].items()})
    return {**saved, "path": f"/api/v1/cms/{saved['list']}{'?' if query else ''}{query}"}


def _text(value: object) -> str:
    """Return a value as it stands in a query."""
    return str(value).lower() if isinstance(value, bool) else str(value)
