"""Pages of a list by keyset: where the last row stood, instead of how many rows lie before it.

A cursor is base64url of JSON: the sort, the last row's values, and the total that the first page counted.
Nothing in it is trusted: the sort must be one that the list offers, and values reach SQL as parameters.
"""

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Any, NamedTuple

from showrunner.database import db
from showrunner.errors import InvalidRequest

# Counting stops here: a capped count is 3 ms, an exact one of millions is seconds, and nobody reads the
# difference.
TOTAL_CAP = 10_000
# Pages by number skip their rows by reading them; behind this they would cost too much.
OFFSET_CAP = 10_000

# How the server writes them, in the time zone that every session has (db.connect).
_WRITTEN = {
    "timestamptz": re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+00|infinity"
    ),
    "uuid": re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "bigint": re.compile("-?[0-9]{1,18}"),
    "numeric": re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?"),
}


class Column(NamedTuple):
    """Something to sort by: an SQL expression that is never NULL, and its type in SQL."""

    expression: str
    type: str


class PageRequest(NamedTuple):
    """What the caller asked for."""

    limit: int
    page: int | None
    cursor: str | None
    sort: str | None


class PageResult(NamedTuple):
    """`rows` is a JSON array as text; the pagination is the contract's."""

    rows: str
    pagination: dict[str, Any]


class _Place(NamedTuple):
    sort: str
    values: list[str]
    total: int


def select(
    tx: db.Transaction,
    source: str,
    item: str,
    columns: dict[str, Column],
    default: str,
    wanted: PageRequest,
    filters: dict[str, tuple[str, Any]],
) -> PageResult:
    """A page of `source` (FROM and WHERE without filters) with `item` as each row's JSON expression.

    `filters` maps parameter names to (condition, value); those whose value is None don't apply. `columns`
    must hold "id", which ends every order.
    """
    place = _read(wanted, columns)
    order = _order(place.sort if place else wanted.sort or default, columns)
    applied = {name: value for name, (_, value) in filters.items() if value is not None}
    where = "".join(f" AND {condition}" for name, (condition, _) in filters.items() if name in applied)
    total = place.total if place else _count(tx, source + where, applied)
    offset = _offset(wanted)
    sql = f"""
        SELECT '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= :limit), '') || ']' AS rows,
               count(*) > :limit AS more, max(place) FILTER (WHERE n = :limit) AS place
          FROM (SELECT item, place, row_number() OVER () AS n
                  FROM (SELECT ({item})::text AS item, json_build_array({_texts(order, columns)})::text AS place
                          FROM {source}{where}{_after(place, order, columns)}
                         ORDER BY {_by(order, columns)} LIMIT :limit + 1 OFFSET {offset}) page) numbered
    """
    position = {f"p{number}": value for number, value in enumerate(place.values)} if place else {}
    row = db.one(tx, sql, limit=wanted.limit, **applied, **position)
    if row is None:
        raise AssertionError("an aggregate always gives a row")
    sort = ",".join(("-" if descending else "") + name for name, descending in order)
    following = _write(sort, row["place"], total) if row["more"] else None
    return PageResult(row["rows"], _pagination(wanted, total, following))


def _pagination(wanted: PageRequest, total: int, following: str | None) -> dict[str, Any]:
    relation = "gte" if total > TOTAL_CAP else "eq"
    number = None if wanted.cursor else wanted.page or 1
    return {
        "limit": wanted.limit,
        "page": number,
        "total": min(total, TOTAL_CAP),
        "total_relation": relation,
        "next_cursor": following,
    }


def _count(tx: db.Transaction, source: str, applied: dict[str, Any]) -> int:
    return int(
        db.value(tx, f"SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {TOTAL_CAP + 1}) capped", **applied)
    )


def _offset(wanted: PageRequest) -> int:
    if wanted.page is None:
        return 0
    if wanted.cursor is not None:
        raise _invalid("page", "Give either page or cursor, not both.")
    offset = (wanted.page - 1) * wanted.limit
    if offset + wanted.limit > OFFSET_CAP:
        raise _invalid("page", f"Pages end at row {OFFSET_CAP}: go on with `cursor`, which has no end.")
    return offset


def _order(sort: str, columns: dict[str, Column]) -> list[tuple[str, bool]]:
    """[("created_at", True), ("id", True)]: names with whether they descend; id comes last, so that no two rows are equal."""
    order = [(name.removeprefix("-"), name.startswith("-")) for name in sort.split(",")]
    names = [name for name, _ in order]
    unknown = [name for name in names if name not in columns]
    if unknown or len(set(names)) != len(names):
        offered = ", ".join(name for name in columns if name != "id")
        raise _invalid("sort", f"Sort by {offered}, each once, with - before it for descending.")
    return order if "id" in names else [*order, ("id", order[-1][1])]


def _by(order: list[tuple[str, bool]], columns: dict[str, Column]) -> str:
    return ", ".join(
        f"{columns[name].expression} {'DESC' if descending else 'ASC'}" for name, descending in order
    )


def _texts(order: list[tuple[str, bool]], columns: dict[str, Column]) -> str:
    return ", ".join(f"({columns[name].expression})::text" for name, _ in order)


def _after(place: _Place | None, order: list[tuple[str, bool]], columns: dict[str, Column]) -> str:
    """The condition for rows behind the place.

    One direction throughout is a row comparison, which an index serves from its first byte.
    """
    if place is None:
        return ""
    terms = [
        (columns[name].expression, f":p{number}::{columns[name].type}", ">" if not descending else "<")
        for number, (name, descending) in enumerate(order)
    ]
    if len({sign for *_, sign in terms}) == 1:
        left, right = ", ".join(term[0] for term in terms), ", ".join(term[1] for term in terms)
        return f" AND ({left}) {terms[0][2]} ({right})"
    steps = []
    for number, (expression, parameter, sign) in enumerate(terms):
        equal = "".join(f"{before[0]} = {before[1]} AND " for before in terms[:number])
        steps.append(f"({equal}{expression} {sign} {parameter})")
    return f" AND ({' OR '.join(steps)})"


def _write(sort: str, values: str, total: int) -> str:
    text = json.dumps([sort, json.loads(values), total], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read(wanted: PageRequest, columns: dict[str, Column]) -> _Place | None:
    if wanted.cursor is None:
        return None
    try:
        sort, values, total = json.loads(
            base64.urlsafe_b64decode(wanted.cursor + "=" * (-len(wanted.cursor) % 4))
        )
        order = _order(sort, columns)
        if len(values) != len(order) or not all(
            fits(value, columns[name].type) for value, (name, _) in zip(values, order, strict=True)
        ):
            raise ValueError("values")
        if type(total) is not int or not 0 <= total <= TOTAL_CAP + 1:
            raise ValueError("total")
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error, InvalidRequest) as error:
        raise _invalid(
            "cursor", "This is not a cursor of this list: take next_cursor of a page as it is."
        ) from error
    if wanted.sort is not None and _order(wanted.sort, columns) != order:
        raise _invalid("cursor", "The cursor belongs to another sort: begin again without it.")
    return _Place(sort, values, total)


def fits(value: object, kind: str) -> bool:
    """Whether it is a text as the server itself writes this type, which it reads again.

    It would refuse others with words that mean nothing to the caller.
    """
    if not isinstance(value, str) or len(value) > 1000:
        return False
    if kind in _WRITTEN and not _WRITTEN[kind].fullmatch(value):
        return False
    try:
        value.encode()
        if kind == "timestamptz" and value != "infinity":
            datetime.fromisoformat(value)
    except ValueError:
        return False  # half a character, or a day that no calendar has
    return "\0" not in value


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, [{"field": field, "message": message}])
