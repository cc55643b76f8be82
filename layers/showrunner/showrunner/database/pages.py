"""Paged lists with keyset pagination: a page costs the same at any depth.

A cursor is base64url of JSON: the list's name, the sort, the values of the page's last row, the total and
its relation. It comes back from the caller, so all of it is checked: the sort must be one that the list
offers, and values reach SQL as parameters only.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from showrunner.database import db
from showrunner.errors import InvalidRequest

# Counting stops here. A capped count takes 5 ms, an exact one of millions takes seconds.
TOTAL_CAP = 10_000
# PostgreSQL reads the rows before an offset to skip them. Deeper pages need a cursor.
OFFSET_CAP = 10_000
# Lambda answers with 6 MB at most, and a page doubles in size when its JSON is quoted inside JSON.
PAGE_BYTES = 3_000_000

# How PostgreSQL writes the types, with the time zone that every session has (db.connect).
_WRITTEN = {
    "timestamptz": re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+00|-?infinity"
    ),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|-?infinity"),
    "uuid": re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "bigint": re.compile("-?[0-9]{1,18}"),
    "numeric": re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?"),
}


class Column(NamedTuple):
    """A column to sort by: an SQL expression that is never NULL, and its SQL type."""

    expression: str
    type: str


class List(NamedTuple):
    """Definition of a list."""

    # Its name, as cursors have it.
    name: str
    # Table (or query in parentheses) and alias: "studio.videos v".
    source: str
    # Condition that holds for every row.
    always: str
    # SQL expression of a row's JSON.
    item: str
    columns: dict[str, Column]
    # The order without a sort parameter: "-created_at".
    default: str
    # Name of a parameter -> condition that applies when the parameter has a value.
    filters: Mapping[str, str] = {}
    # Name of the unique column that ends every order.
    key: str = "id"
    # SQL expression of a row's size in bytes, at least; for lists with rows so large that even making the
    # JSON of a page is expensive.
    bytes: str = "0"
    # SQL expression of the title that title_search looks into; it needs a trigram index.
    title: str = ""
    # Condition that looks something up for each row, such as being the first of several. A search by title
    # applies it to its matches only.
    once: str = ""
    # Where counting stops, for lists whose rows cost more to find than those of TOTAL_CAP. 0: TOTAL_CAP.
    total_cap: int = 0


class PageRequest(NamedTuple):
    """The caller's parameters of a list."""

    limit: int
    page: int | None
    cursor: str | None
    sort: str | None


class PageResult(NamedTuple):
    """A page: `rows` is a JSON array as text, `pagination` has the fields of the HTTP contract."""

    rows: str
    pagination: dict[str, Any]


class Total(NamedTuple):
    """The number of rows of a list. `relation`: eq (exactly), gte (at least) or approx (an estimate)."""

    number: int
    relation: str


class _Place(NamedTuple):
    """The place at which a cursor continues.

    `values` are the sort values of the last row, as text; `total` is that of the first page.
    """

    values: list[str]
    total: Total


class Query(NamedTuple):
    """A list with the filters, order and place of one request.

    `where` are all conditions, `broad` those but the definition's `once`.
    """

    definition: List
    where: str
    broad: str
    parameters: dict[str, Any]
    order: list[tuple[str, bool]]  # name of a column, whether it descends
    place: _Place | None


class Rows(NamedTuple):
    """Rows of a page as a JSON array, their number, the last one's place, and whether more follow.

    `matches` is the number of the rows of `fetch`'s parameter `matches` that the list has, up to its cap.
    """

    rows: str
    number: int
    place: str | None
    more: bool
    matches: int | None


def select(
    tx: db.Transaction, definition: List, request: PageRequest, parameters: dict[str, Any]
) -> PageResult:
    """Return a page of a list. `parameters` has the values for its conditions; a filter with None is off.

    Raises InvalidRequest.
    """
    first = offset(request)
    query = prepare(definition, request.sort, request.cursor, parameters)
    total = query.place.total if query.place else count(tx, query)
    found = fetch(tx, query, request.limit, first)
    place = found.place if found.more else None
    return PageResult(found.rows, pagination(query, request, place, total))


def pagination(query: Query, request: PageRequest, place: str | None, total: Total) -> dict[str, Any]:
    """Return the fields of a page beside its rows. `place`: where the next page begins, None at the end."""
    return {
        "limit": request.limit,
        "page": None if request.cursor else request.page or 1,
        "total": total.number,
        "total_relation": total.relation,
        "next_cursor": cursor(query, place, total) if place else None,
    }


def prepare(definition: List, sort: str | None, cursor: str | None, parameters: dict[str, Any]) -> Query:
    """Return the query of a request. Without `sort` the cursor's or the default applies.

    Raises InvalidRequest for an unknown sort, an invalid cursor, or a cursor of another sort.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    broad = definition.always + "".join(
        f" AND {condition}" for name, condition in definition.filters.items() if name in given
    )
    where = f"{broad} AND {definition.once}" if definition.once else broad
    order = _order(sort or definition.default, definition)
    if cursor is None:
        return Query(definition, where, broad, given, order, None)
    written, place = _read(cursor, definition)
    if sort is not None and written != order:
        raise invalid(
            "cursor", "The cursor belongs to another order: give the same one, or begin again without it."
        )
    return Query(definition, where, broad, given, written, place)


def fetch(
    tx: db.Transaction, query: Query, limit: int, offset: int = 0, *, source: str = "", matches: str = ""
) -> Rows:
    """Return a page of a query. It ends before `limit` if its JSON gets larger than PAGE_BYTES.

    `source` (a query in parentheses) takes the place of the list's table. `matches` is a query too, without
    the definition's `once`: it runs once, and its rows are sorted before any is looked up for that.
    """
    item, short, size = query.definition.item, alias(query.definition), query.definition.bytes
    begin, counted = "", "NULL::bigint"
    table = f"{source} {short}" if source else query.definition.source
    where, row_order, later = query.where, order_by(query), after(query)
    if matches:
        where = query.definition.once or "true"
        begin = f"WITH matches AS MATERIALIZED ({matches})"
        # Sorted before the look-ups, these end when the page is full.
        table = f"{in_order(query, f'matches {short} WHERE true{later}')} {short}"
        row_order, later = order_by(sorted_by(query)), ""
        cap = f" LIMIT {query.definition.total_cap + 1}" if query.definition.total_cap else ""
        counted = f"(SELECT count(*) FROM (SELECT FROM matches {short} WHERE {where}{cap}) capped)"
    places = ", ".join(f"({query.definition.columns[name].expression})::text" for name, _ in query.order)
    # The JSON of a row is made only if the row may belong to the page.
    sql = f"""
        {begin}
        SELECT '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE shown), '') || ']' AS rows,
               count(*) FILTER (WHERE shown) AS number,
               (array_agg(place ORDER BY n DESC) FILTER (WHERE shown))[1] AS place,
               count(*) > count(*) FILTER (WHERE shown) AS more,
               {counted} AS matches
          FROM (
            SELECT *, item IS NOT NULL
                      AND (n = 1 OR sum(octet_length(item)) OVER so_far <= {PAGE_BYTES}) AS shown
              FROM (
                SELECT CASE WHEN row_number() OVER so_far = 1
                              OR row_number() OVER so_far <= :limit
                             AND sum({size}) OVER so_far <= {PAGE_BYTES}
                            THEN ({item})::text END AS item,
                       json_build_array({places})::text AS place,
                       row_number() OVER so_far AS n
                  FROM (SELECT * FROM {table} WHERE {where}{later}
                         ORDER BY {row_order} LIMIT :limit + 1 OFFSET {offset}) {short}
                WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)) items
            WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)) page
    """
    row = db.one(tx, sql, limit=limit, **bindings(query))
    if row is None:
        raise AssertionError("an aggregate always returns a row")
    return Rows(**row)


def count(tx: db.Transaction, query: Query) -> Total:
    """Count a list's rows, up to its cap."""
    cap = query.definition.total_cap or TOTAL_CAP
    source = f"SELECT 1 FROM {query.definition.source} WHERE {query.where} LIMIT {cap + 1}"
    counted = int(db.value(tx, f"SELECT count(*) FROM ({source}) capped", **query.parameters))
    return Total(min(counted, cap), "gte" if counted > cap else "eq")


def estimate(tx: db.Transaction, query: Query) -> int:
    """Return how many rows the list's table had when it was last analysed."""
    # A partitioned table has the sum of its partitions, but only when somebody has analysed it.
    sql = """
        SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
         WHERE c.relkind = 'r'
           AND (c.oid = :table::regclass
                OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = :table::regclass))
    """
    return int(db.value(tx, sql, table=query.definition.source.split(" ")[0]))


def order_by(query: Query) -> str:
    """Return the columns of ORDER BY."""
    columns = query.definition.columns
    return ", ".join(
        f"{columns[name].expression} {'DESC' if descending else 'ASC'}" for name, descending in query.order
    )


def in_order(query: Query, source: str, rows: int | None = None) -> str:
    """Return the query, in parentheses, of a source's rows in the order of the list, at most `rows` of them.

    `source`: what follows FROM, with its condition. What the rows are sorted by is in the columns order_0,
    order_1 …, by which the planner knows that `sorted_by` needs no other sort.
    """
    columns = "".join(
        f", {query.definition.columns[name].expression} AS order_{number}"
        for number, (name, _) in enumerate(query.order)
    )
    end = "OFFSET 0" if rows is None else f"LIMIT {rows}"
    return f"(SELECT {alias(query.definition)}.*{columns} FROM {source} ORDER BY {order_by(query)} {end})"


def sorted_by(query: Query) -> Query:
    """Return the query of rows that come from `in_order`."""
    columns, short = query.definition.columns, alias(query.definition)
    named = {
        name: columns[name]._replace(expression=f"{short}.order_{number}")
        for number, (name, _) in enumerate(query.order)
    }
    return query._replace(definition=query.definition._replace(columns=columns | named))


def after(query: Query) -> str:
    """Return the condition for rows after the cursor's place, with AND before it; "" without a cursor."""
    if query.place is None:
        return ""
    terms = [
        (column.expression, f":place_{number}::{column.type}", "<" if descending else ">")
        for number, (column, descending) in enumerate(
            (query.definition.columns[name], descending) for name, descending in query.order
        )
    ]
    if len({sign for *_, sign in terms}) == 1:
        # One direction throughout is a comparison of rows, which an index serves from its first column on.
        left, right = ", ".join(term[0] for term in terms), ", ".join(term[1] for term in terms)
        return f" AND ({left}) {terms[0][2]} ({right})"
    steps = []
    for number, (expression, parameter, sign) in enumerate(terms):
        equal = "".join(f"{before[0]} = {before[1]} AND " for before in terms[:number])
        steps.append(f"({equal}{expression} {sign} {parameter})")
    # An index serves the first column's bound: without it all rows before the place would be read.
    expression, parameter, sign = terms[0]
    return f" AND {expression} {sign}= {parameter} AND ({' OR '.join(steps)})"


def bindings(query: Query) -> dict[str, Any]:
    """Return the SQL parameters of a query: those of its filters and of its place."""
    values = query.place.values if query.place else []
    return query.parameters | {f"place_{number}": value for number, value in enumerate(values)}


def cursor(query: Query, place: str, total: Total) -> str:
    """Return the cursor that continues after `place`, a JSON array as `Rows` has it."""
    content = [query.definition.name, _sort(query.order), json.loads(place), *total]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def invalid(field: str, message: str) -> InvalidRequest:
    """Return the error of an invalid query parameter."""
    return InvalidRequest(message, [{"field": field, "message": message}])


def alias(definition: List) -> str:
    """Return the name that the list's table has in its expressions."""
    return definition.source.rsplit(" ", 1)[1]


def offset(request: PageRequest) -> int:
    """Return how many rows come before a numbered page, 0 without a number. Raises InvalidRequest."""
    if request.page is None:
        return 0
    if request.cursor is not None:
        raise invalid("page", "Give either page or cursor, not both.")
    first = (request.page - 1) * request.limit
    if first + request.limit > OFFSET_CAP:
        raise invalid("page", f"Pages end at row {OFFSET_CAP}: go on with `cursor`, which has no end.")
    return first


def _order(sort: str, definition: List) -> list[tuple[str, bool]]:
    """Return (name, descending) of each column. The key ends every order, so that no two rows are equal."""
    columns, key = definition.columns, definition.key
    order = [(name.removeprefix("-"), name.startswith("-")) for name in sort.split(",")]
    names = [name for name, _ in order]
    if len(set(names)) != len(names) or not set(names) <= columns.keys():
        offered = ", ".join(name for name in columns if name != "id")
        raise invalid("sort", f"Sort by {offered}, each once, with - before it for descending.")
    if any(columns[name].expression == columns[key].expression for name in names):
        return order
    return [*order, (key, order[-1][1])]


def _sort(order: list[tuple[str, bool]]) -> str:
    return ",".join(("-" if descending else "") + name for name, descending in order)


def _read(cursor: str, definition: List) -> tuple[list[tuple[str, bool]], _Place]:
    """Return a cursor's order and place. Raises InvalidRequest."""
    try:
        name, sort, values, count, relation = json.loads(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        )
        order = _order(sort, definition)
        if name != definition.name or len(values) != len(order):
            raise ValueError("list")
        if not all(
            _is_written(value, definition.columns[column].type)
            for value, (column, _) in zip(values, order, strict=True)
        ):
            raise ValueError("values")
        if type(count) is not int or not 0 <= count < 1 << 62 or relation not in ("eq", "gte", "approx"):
            raise ValueError("total")
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error, InvalidRequest) as error:
        raise invalid(
            "cursor", "This is not a cursor of this list: take next_cursor of a page as it is."
        ) from error
    return order, _Place(values, Total(count, relation))


def _is_written(value: object, kind: str) -> bool:
    """Tell whether `value` is text as PostgreSQL writes this type.

    It can read such text again. The errors that it has for other text mean nothing to the caller.
    """
    if not isinstance(value, str) or len(value) > 1000:
        return False
    if kind in _WRITTEN and not _WRITTEN[kind].fullmatch(value):
        return False
    try:
        value.encode()
        if kind in ("timestamptz", "date") and not value.endswith("infinity"):
            datetime.fromisoformat(value)
    except ValueError:
        return False  # half a surrogate pair, or a day that doesn't exist
    return "\0" not in value
