"""Search lists by part of a title.

With ORDER BY and LIMIT the planner walks through millions of rows for a rare word instead of asking the
trigram index. So a sample of the newest rows tells how frequent the title is: a frequent one is found by
scanning in the list's order until the page is full, a rare one by the index.
"""

import re
from typing import Any, NamedTuple

from showrunner.database import db, pages
from showrunner.database.pages import List, PageRequest, PageResult, Query, Rows, Total

# This many rows are sampled in 3 ms.
SAMPLE_ROWS = 2_000
# A row that the index finds costs so many times more than a row of a scan: 11 us of CPU, with its sort,
# against 1 to 3 (five million videos in tests/bench/lists.py).
INDEX_COST = 5
# A few hits of the sample may be twice what they should be, and a scan that ends too early is wasted. One
# that finds the page ends there, so rows to spare cost nothing.
SPARE = 4
# This many rows are scanned in 15 ms for a title that the index doesn't support: the index needs three
# letters or digits in a row.
SCAN_ROWS = 10_000
# The index answers within a second even for a word in every fifth of five million titles. A search that
# takes longer would make others wait.
TIMEOUT_MS = 3_000

_ASCII_RUN, _RUN = re.compile(r"[A-Za-z0-9]{3}"), re.compile(r"[^\W_]{3,}")


class TitlePage(NamedTuple):
    """A page of a search. `place` is where the next page continues, None after the last one."""

    rows: Rows
    place: str | None
    total: Total


def select(
    tx: db.Transaction, definition: List, request: PageRequest, parameters: dict[str, Any], title: str
) -> PageResult:
    """Return a page of the rows whose title contains `title`, as pages.select does without one."""
    offset = pages.offset(request)
    query = pages.prepare(definition, request.sort, request.cursor, parameters)
    rows, place, total = search(tx, query, title, request.limit, offset)
    return PageResult(rows.rows, pages.pagination(query, request, place, total))


def search(tx: db.Transaction, query: Query, title: str, limit: int, offset: int) -> TitlePage:
    """Return a page of the rows whose title contains `title`.

    The total of a page that a scan has filled is what was counted so far: counting all would take a second.
    A title that the index doesn't support is searched in steps of SCAN_ROWS: such a page may have fewer
    rows than `limit` and still a place where to continue. Raises InvalidRequest.
    """
    db.value(tx, "SELECT set_config('statement_timeout', :milliseconds::text, true)", milliseconds=TIMEOUT_MS)
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", title) + "%"
    matching = query._replace(parameters=query.parameters | {"title": pattern})
    if not _is_indexed(tx, pattern):
        return _search_in_steps(tx, query, matching, limit, offset)
    sampled, hits = _sample(tx, matching, SAMPLE_ROWS, query.broad)
    is_all = sampled < SAMPLE_ROWS
    rows = SAMPLE_ROWS if is_all else _rows_to_scan(tx, query, limit + offset, hits)
    if rows:
        found = _scan(tx, matching, rows, limit, offset, query.broad)
        if found.more or is_all:
            return _page(query, found, offset, hits if is_all else None)
    source = f"SELECT * FROM {query.definition.source} WHERE {_matches(query)} AND {query.broad}"
    found = pages.fetch(tx, matching, limit, offset, matches=source)
    counted, cap = found.matches or 0, query.definition.total_cap
    total = Total(cap, "gte") if cap and counted > cap else Total(counted, "eq")
    return TitlePage(found, found.place if found.more else None, total)


def _search_in_steps(tx: db.Transaction, query: Query, matching: Query, limit: int, offset: int) -> TitlePage:
    found = _scan(tx, matching, SCAN_ROWS, limit, offset, query.where)
    if found.more:
        return _page(query, found, offset, None)
    places = ", ".join(f"({query.definition.columns[name].expression})::text" for name, _ in query.order)
    sql = f"""
        SELECT json_build_array({places})::text FROM {query.definition.source}
         WHERE {query.where}{pages.after(query)}
         ORDER BY {pages.order_by(query)} LIMIT 1 OFFSET {SCAN_ROWS - 1}
    """
    last: str | None = db.value(tx, sql, **pages.bindings(query))
    if last is None:
        return _page(query, found, offset, _sample(tx, matching, SCAN_ROWS, query.where)[1])
    if offset:
        raise pages.invalid(
            "offset",
            "so short a title is searched step by step: begin without offset and go on with `cursor`",
        )
    return _page(query, found._replace(more=True, place=last), offset, None)


def _matches(query: Query) -> str:
    return f"{query.definition.title} ILIKE :title"


def _is_indexed(tx: db.Transaction, pattern: str) -> bool:
    """Tell whether the trigram index supports the pattern.

    The database's locale decides which characters beyond ASCII count as letters.
    """
    run = _RUN.search(pattern)
    return _ASCII_RUN.search(pattern) is not None or (
        run is not None and bool(db.value(tx, "SELECT cardinality(show_trgm(:run)) > 0", run=run[0]))
    )


def _window(query: Query, rows: int, where: str) -> str:
    """Return the query of the first `rows` rows after the cursor's place."""
    return pages.in_order(query, f"{query.definition.source} WHERE {where}{pages.after(query)}", rows)


def _sample(tx: db.Transaction, matching: Query, rows: int, where: str) -> tuple[int, int]:
    """Return how many rows follow the cursor's place, up to `rows`, and how many of them match."""
    row = db.one(
        tx,
        f"""
        SELECT count(*) AS sampled, count(*) FILTER (WHERE {_matching_rows(matching)}) AS hits
          FROM {_window(matching, rows, where)} {pages.alias(matching.definition)}
        """,
        **pages.bindings(matching),
    )
    return (row["sampled"], row["hits"]) if row else (0, 0)


def _matching_rows(query: Query) -> str:
    once = query.definition.once
    return f"{_matches(query)} AND {once}" if once else _matches(query)


def _rows_to_scan(tx: db.Transaction, query: Query, wanted: int, hits: int) -> int:
    """Return how many rows to scan at most for `wanted` matches. 0 if the index is cheaper."""
    if not hits:
        return 0
    needed = (wanted + 1) * SAMPLE_ROWS // hits
    matches = pages.estimate(tx, query) * hits // SAMPLE_ROWS
    return SPARE * needed if needed < matches * INDEX_COST else 0


def _scan(tx: db.Transaction, matching: Query, rows: int, limit: int, offset: int, where: str) -> Rows:
    """Return a page of the matches among the first `rows` rows after the cursor's place."""
    # The window has the filters and the place already.
    inner = pages.sorted_by(matching)._replace(
        where=_matching_rows(matching), parameters=pages.bindings(matching), place=None
    )
    return pages.fetch(tx, inner, limit, offset, source=_window(matching, rows, where))


def _page(query: Query, found: Rows, offset: int, hits: int | None) -> TitlePage:
    """Return the page with its total. `hits` is the number of matches if all rows were looked at."""
    total = query.place.total if query.place else None
    if total is None or total.relation != "eq":
        if total is None and hits is not None:
            total = Total(hits, "eq")
        else:
            counted = offset + found.number + found.more
            total = Total(max(total.number if total else 0, counted), "gte")
    return TitlePage(found, found.place if found.more else None, total)
