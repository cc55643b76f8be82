"""Run the work of a request once per Idempotency-Key."""

from collections.abc import Callable

from showrunner.access import idempotency
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.store.access import idempotency_keys
from showrunner.web.answers import Answer
from showrunner.web.fields import TOKEN
from showrunner.web.routing import Request


def once(
    request: Request, work: Callable[[db.Transaction], Answer], *, secret: bool = False, variant: str = ""
) -> Answer:
    """Run `work` in one transaction. With an Idempotency-Key, return the first response to a repeat.

    secret: store the response encrypted with the key, because it is shown only once. variant: what the query
    changes of the request; a key that comes with another one is refused.
    """
    key = key_of(request)
    with db.transaction() as tx:
        if key is None:
            return work(tx)
        scope = request.organisation_id, request.route, idempotency.hidden(key) if secret else key
        stored = idempotency_keys.claim(
            tx, *scope, idempotency.digest(request.path + variant, request.raw_body)
        )
        if stored is not None:
            body = idempotency.opened(stored.body, key) if secret else stored.body
            return Answer(body, stored.status, {"idempotency-replayed": "true"})
        answer = work(tx)
        idempotency_keys.save(
            tx, *scope, answer.status, idempotency.sealed(answer.text(), key) if secret else answer.text()
        )
        return answer


def key_of(request: Request) -> str | None:
    """Return the request's Idempotency-Key, None without one. Raises InvalidRequest."""
    key = request.headers.get("idempotency-key")
    if key is not None and not TOKEN.fullmatch(key):
        raise InvalidRequest(
            "The Idempotency-Key must have 1 to 128 printable characters.",
            [{"field": "Idempotency-Key", "message": "not valid"}],
        )
    return key
