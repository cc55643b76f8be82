"""Import a roster: a CSV table of artists, whose rows add and change them by name."""

from collections import Counter
from typing import Any, NamedTuple

from showrunner.artists.management import collect_soon, require_room
from showrunner.artists.schemas import ImportedRoster, ImportedRow, Roster, RosterRow
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.store.metrics import artists
from showrunner.web import audit, idempotency, tables
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import checked
from showrunner.web.routing import Request

routes = Routes()

# Their statements and their answer of 1 MB fit well into a call; a longer roster comes in several.
MAX_ROWS = 5_000
PLATFORMS = ("youtube", "spotify")


class _Row(NamedTuple):
    """A row of the table: `artist` is None if `fault` says why it is rejected."""

    line: int
    name: str
    artist: RosterRow | None
    fault: str | None


@routes.post(
    "/api/v1/artists/import",
    permission="artists:write",
    answer=ImportedRoster,
    idempotent=True,
    errors=(409,),
)
def import_roster(request: Request, body: Roster) -> Answer:
    """Import a roster. A row whose name exists changes that artist; an empty cell changes nothing.

    Each row has its own result. A rejected row stops no other.
    """
    rows = read(body.csv)

    def work(tx: db.Transaction) -> Answer:
        result = import_rows(tx, request.organisation_id, rows)
        counts = result.model_dump(exclude={"rows"})
        audit.record(tx, request, "import", "artist", request.organisation_id, **counts)
        return Answer(result)

    answer = idempotency.once(request, work)
    collect_soon(request)
    return answer


def read(text: str) -> list[_Row]:
    """Return the rows of a roster. Raises InvalidRequest if it is no such table or has too many rows."""
    lines = tables.read(text, "name", ("tier", *PLATFORMS))
    if len(lines) > MAX_ROWS:
        raise tables.invalid([f"has {len(lines):,} rows; send at most {MAX_ROWS:,} at a time"])
    return [_read_row(line) for line in lines]


def _read_row(line: tables.Line) -> _Row:
    name = line.cells.get("name", "")[:200]
    if line.fault is not None:
        return _Row(line.number, name, None, line.fault)
    given = {column: cell for column, cell in line.cells.items() if cell}
    try:
        return _Row(line.number, name, checked(RosterRow, given), None)
    except InvalidRequest as error:
        faults = "; ".join(f"{each['field']}: {each['message']}" for each in error.details)
        return _Row(line.number, name, None, faults)


def _reject_repeats(rows: list[_Row], lowered: dict[str, str]) -> list[_Row]:
    """Reject the rows that name an artist or an account a second time."""
    seen: Counter[tuple[str, str]] = Counter()
    result = []
    for row in rows:
        keys = [("name", lowered[row.artist.name]), *_accounts(row.artist).items()] if row.artist else []
        repeated = next((kind for kind, value in keys if seen[kind, value]), None)
        if repeated:
            result.append(row._replace(artist=None, fault=f"{repeated}: an earlier row has it already"))
        else:
            seen.update(keys)
            result.append(row)
    return result


def _accounts(artist: RosterRow) -> dict[str, str]:
    return {name: value for name in PLATFORMS if (value := getattr(artist, name)) is not None}


def import_rows(tx: db.Transaction, organisation_id: str, rows: list[_Row]) -> ImportedRoster:
    """Add and change the artists of the rows. Raises Conflict if they are too many."""
    rows = _reject_repeats(rows, artists.lowered(tx, [row.artist.name for row in rows if row.artist]))
    known = artists.find_by_name(tx, organisation_id, [row.artist.name for row in rows if row.artist])
    rows = _reject_taken(tx, organisation_id, rows, {name: each["name"] for name, each in known.items()})
    new = [row.artist for row in rows if row.artist and row.artist.name not in known]
    require_room(tx, organisation_id, len(new))
    added = artists.add(
        tx, organisation_id, [{"name": each.name, "tier": each.tier or "standard"} for each in new]
    )
    results = [_result(row, known, added) for row in rows]
    changed = {each.artist_id for each in results if each.result in ("added", "updated")}
    pairs = [(row.artist, each.artist_id) for row, each in zip(rows, results, strict=True)]
    given = [(artist, artist_id) for artist, artist_id in pairs if artist and artist_id in changed]
    updated = [
        {"id": artist_id, "name": artist.name, "tier": artist.tier}
        for artist, artist_id in given
        if artist.name not in added
    ]
    artists.save(tx, organisation_id, updated)
    accounts = [
        {"artist_id": artist_id, "platform": platform, "account_id": account_id}
        for artist, artist_id in given
        for platform, account_id in _accounts(artist).items()
    ]
    artists.save_accounts(tx, organisation_id, accounts)
    counts = Counter(each.result for each in results)
    return ImportedRoster(
        added=counts["added"],
        updated=counts["updated"],
        unchanged=counts["unchanged"],
        rejected=counts["rejected"],
        rows=results,
    )


def _reject_taken(
    tx: db.Transaction, organisation_id: str, rows: list[_Row], known: dict[str, str]
) -> list[_Row]:
    """Reject the rows whose account belongs to another artist. `known`: given name -> name of its artist."""
    for platform in PLATFORMS:
        given = [account for row in rows if row.artist and (account := _accounts(row.artist).get(platform))]
        owners = artists.find_owners(tx, organisation_id, platform, given)
        rows = [_reject_owned(row, platform, owners, known) for row in rows]
    return rows


def _reject_owned(row: _Row, platform: str, owners: dict[str, str], known: dict[str, str]) -> _Row:
    if row.artist is None:
        return row
    owner = owners.get(_accounts(row.artist).get(platform, ""))
    if owner is None or owner == known.get(row.artist.name):
        return row
    return row._replace(artist=None, fault=f"{platform}: the account belongs to {owner}")


def _result(row: _Row, known: dict[str, dict[str, Any]], added: dict[str, str]) -> ImportedRow:
    if row.artist is None:
        return ImportedRow(line=row.line, name=row.name, result="rejected", artist_id=None, message=row.fault)
    name = row.artist.name
    if name in added:
        return ImportedRow(line=row.line, name=name, result="added", artist_id=added[name], message=None)
    before = known[name]
    is_changed = (
        before["name"] != name
        or row.artist.tier not in (None, before["tier"])
        or any(before["accounts"].get(each) != value for each, value in _accounts(row.artist).items())
    )
    return ImportedRow(
        line=row.line,
        name=name,
        result="updated" if is_changed else "unchanged",
        artist_id=before["id"],
        message=None,
    )
