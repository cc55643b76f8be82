"""Read the lists of the Ingestion API: pages, single rows, and the ids in their paths."""

from typing import Any

from showrunner.database import db
from showrunner.database.pages import List
from showrunner.errors import NotFound
from showrunner.store.feed import lists
from showrunner.store.feed.lists import ListRequest
from showrunner.web.answers import Answer


def page(what: List, query: Any, filters: dict[str, Any], title: str | None = None) -> Answer:
    """Return the page of a list that the query asks for, searched by title if there is one."""
    # A search bounds its own time, which takes a transaction.
    with db.transaction() if title else db.reading() as tx:
        return Answer(
            lists.select(
                tx,
                what,
                ListRequest(query.limit, query.offset, query.cursor, query.order_by, query.order),
                filters,
                title,
            )
        )


def row(what: List, key: str | int, name: str) -> Answer:
    """Return one row of a list by its key. Raises NotFound with the row's `name`."""
    with db.reading() as tx:
        return Answer(lists.get(tx, what, key, name))


def number(text: str, name: str) -> int:
    """Read an id in a path. Raises NotFound for what can't be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound(f"{name} with id '{text[:50]}' not found")
    return int(text)


def youtube_id(text: str, name: str) -> str:
    """Read an id of YouTube's in a path. Raises NotFound for what can't be one."""
    if not text.isascii() or len(text) > 50 or not text.isprintable():
        raise NotFound(f"{name} with id '{text[:50]!a}' not found")
    return text
