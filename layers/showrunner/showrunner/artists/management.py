"""List, add, change and remove artists."""

from typing import Any

from showrunner.artists.schemas import (
    Accounts,
    ArtistChanges,
    ArtistFilter,
    ArtistList,
    ArtistResponse,
    NewArtist,
)
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.metrics import grants
from showrunner.metrics.definitions import CONNECTABLE, METRICS, items_schedule, schedule
from showrunner.metrics.grants import Account
from showrunner.metrics.readings import READINGS
from showrunner.store.metrics import artists
from showrunner.web import answers, audit, background, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import parse
from showrunner.web.routing import Request

routes = Routes()

# All of them once a day cost 400 units of YouTube's quota, with 50 channels to a unit: the metrics' share.
MAX_ARTISTS = 20_000


@routes.get("/api/v1/artists", permission="artists:read", answer=ArtistList)
def list_artists(request: Request, query: ArtistFilter) -> Answer:
    """List the organisation's artists, newest first."""
    with db.reading() as tx:
        return answers.listed(
            "artists", artists.list_(tx, request.organisation_id, query.tier, query.request())
        )


@routes.post(
    "/api/v1/artists",
    permission="artists:write",
    answer=ArtistResponse,
    status=201,
    idempotent=True,
    errors=(409,),
)
def add_artist(request: Request, body: NewArtist) -> Answer:
    """Add an artist. Figures are collected for each account from the next hour on."""

    def work(tx: db.Transaction) -> Answer:
        require_room(tx, request.organisation_id, 1)
        added = artists.add(tx, request.organisation_id, [{"name": body.name, "tier": body.tier}])
        artist_id = added[body.name]
        artists.save_accounts(tx, request.organisation_id, _accounts(artist_id, body.accounts))
        artist = artists.get(tx, request.organisation_id, artist_id)
        audit.record(tx, request, "add", "artist", artist_id, after=parse(artist.encode()))
        return Answer(f'{{"artist":{artist}}}', 201)

    answer = idempotency.once(request, work)
    collect_soon(request)
    return answer


def collect_soon(request: Request) -> None:
    """Let the next hour's collections look for accounts that are due, after the commit that changes them."""
    for name in (*map(schedule, METRICS), *map(items_schedule, READINGS)):
        background.look_at_next_run(request, name)


def require_room(tx: db.Transaction, organisation_id: str, number: int) -> None:
    """Raise Conflict if the organisation can't have so many artists more.

    Calls at the same moment don't see each other's artists: together they may pass the limit a little.
    """
    if artists.count(tx, organisation_id) + number > MAX_ARTISTS:
        raise Conflict(f"An organisation has at most {MAX_ARTISTS:,} artists: remove some first.")


def _accounts(artist_id: str, given: Accounts) -> list[dict[str, Any]]:
    return [
        {"artist_id": artist_id, "platform": platform, "account_id": account_id}
        for platform, account_id in given.model_dump(exclude_unset=True).items()
    ]


@routes.get("/api/v1/artists/{artist_id}", permission="artists:read", answer=ArtistResponse)
def show(request: Request, artist_id: str) -> Answer:
    """Show an artist."""
    with db.reading() as tx:
        return Answer(f'{{"artist":{artists.get(tx, request.organisation_id, artist_id)}}}')


@routes.put("/api/v1/artists/{artist_id}", permission="artists:write", answer=ArtistResponse, errors=(409,))
def change(request: Request, artist_id: str, body: ArtistChanges) -> Answer:
    """Change the given fields. The figures of an account that is replaced or removed are deleted."""
    with db.transaction() as tx:
        before = artists.get(tx, request.organisation_id, artist_id)
        artists.save(tx, request.organisation_id, [{"id": artist_id, "name": body.name, "tier": body.tier}])
        if body.accounts:
            artists.save_accounts(tx, request.organisation_id, _accounts(artist_id, body.accounts))
        after = artists.get(tx, request.organisation_id, artist_id)
        changed = {"before": parse(before.encode()), "after": parse(after.encode())}
        audit.record(tx, request, "change", "artist", artist_id.lower(), **changed)
    collect_soon(request)
    return Answer(f'{{"artist":{after}}}')


@routes.delete("/api/v1/artists/{artist_id}", permission="artists:write", status=204)
def remove(request: Request, artist_id: str) -> Answer:
    """Remove an artist with all of its figures, at once and for good."""
    with db.transaction() as tx:
        before = artists.get(tx, request.organisation_id, artist_id)
        artists.remove(tx, request.organisation_id, artist_id)
        for platform in CONNECTABLE:
            grants.remove(Account(platform, request.organisation_id, artist_id.lower()))
        audit.record(tx, request, "remove", "artist", artist_id.lower(), before=parse(before.encode()))
    return Answer(status=204)
