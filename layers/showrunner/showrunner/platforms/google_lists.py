"""Read Google's lists page by page: https://google.aip.dev/158."""

from collections.abc import Callable, Iterator
from typing import Any

from showrunner.errors import PlatformRejected


def items(
    fetch: Callable[[dict[str, str]], dict[str, Any]], query: dict[str, str], name: str, most_pages: int
) -> Iterator[dict[str, Any]]:
    """Yield the items of all pages. `fetch` returns the answer to a query, which has the items as `name`.

    Raises PlatformRejected after `most_pages`, which no list of ours has.
    """
    for _ in range(most_pages):
        answer = fetch(query)
        yield from answer.get(name, [])
        if not answer.get("nextPageToken"):
            return
        query = {**query, "pageToken": str(answer["nextPageToken"])}
    raise PlatformRejected(
        f"YouTube has more than {most_pages} pages of results: narrow the search.", "tooMany"
    )
