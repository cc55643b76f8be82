"""The routes of a channel's backlog: list, add, reorder and remove topics."""

from showrunner.channels.schemas import (
    AddedTopics,
    NewTopics,
    RemovedTopics,
    TopicFilter,
    TopicIds,
    TopicList,
    TopicText,
)
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound
from showrunner.store.studio import channels, topics
from showrunner.web import answers, audit, background, fields, idempotency, tables
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import checked
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/channels/{channel_id}/topics"
# Topics of one channel that wait. Ten videos a day use them in a hundred days.
MAX_WAITING = 1000
# The name of the column in an imported table.
COLUMN = "topic"


@routes.get(PATH, permission="channels:read", answer=TopicList)
def list_topics(request: Request, channel_id: str, query: TopicFilter) -> Answer:
    """List the backlog in its order, or the topics that were used."""
    with db.reading() as tx:
        channels.get(tx, request.organisation_id, channel_id)
        return answers.listed("topics", topics.list_(tx, channel_id, query.state, query.request()))


@routes.post(
    PATH,
    permission="channels:write",
    answer=AddedTopics,
    status=201,
    idempotent=True,
    errors=(409,),
)
def add_topics(request: Request, channel_id: str, body: NewTopics) -> Answer:
    """Add topics behind the waiting ones, or before them with `first`: as a list, or as a CSV table.

    A topic that the channel has had already is not added again; `skipped` names it.
    """
    given = read_table(body.csv) if body.csv is not None else list(body.topics or [])
    if not given:
        raise InvalidRequest(
            "Give topics or csv.", [{"field": "topics", "message": "missing"}], code="MISSING_FIELD"
        )
    background.expect_work(request, "channels")

    def work(tx: db.Transaction) -> Answer:
        channels.lock(tx, request.organisation_id, channel_id)
        added = add(tx, request.organisation_id, channel_id, given, first=body.first)
        skipped = _left_out(given, added)
        audit.record(tx, request, "add_topics", "channel", channel_id.lower(), number=len(added))
        waiting = topics.count_waiting(tx, channel_id)
        return Answer(AddedTopics(added=len(added), skipped=skipped, waiting=waiting), 201)

    return idempotency.once(request, work)


def add(
    tx: db.Transaction, organisation_id: str, channel_id: str, given: list[str], *, first: bool = False
) -> list[str]:
    """Add topics to the backlog of a locked channel and return those that were new. Raises Conflict."""
    added = topics.add(tx, organisation_id, channel_id, [each.strip() for each in given], first=first)
    if topics.count_waiting(tx, channel_id) > MAX_WAITING:
        raise Conflict(f"A backlog holds {MAX_WAITING:,} topics: remove some, or wait until they are used.")
    if added:
        channels.plan_again(tx, channel_id)
    return added


def replace(tx: db.Transaction, organisation_id: str, channel_id: str, given: list[str]) -> None:
    """Make these the waiting topics of a locked channel, in this order. Raises Conflict."""
    topics.remove(tx, channel_id)
    add(tx, organisation_id, channel_id, given)


def _left_out(given: list[str], added: list[str]) -> list[str]:
    left = list(added)
    skipped = []
    for topic in (each.strip() for each in given):
        if topic in left:
            left.remove(topic)
        else:
            skipped.append(topic)
    return skipped


def read_table(text: str) -> list[str]:
    """Return the topics of a CSV table with the column "topic". Raises InvalidRequest for bad lines."""
    faults, found = [], []
    for line in tables.read(text, COLUMN, None):
        if line.fault is not None:
            faults.append(line.fault)
            continue
        try:
            found.append(checked(TopicText, {"topic": line.cells[COLUMN]}).topic)
        except InvalidRequest as error:
            faults.append(f"line {line.number}: {error.details[0]['message']}")
    if len(found) > MAX_WAITING:
        faults.append(f"has {len(found)} topics; a backlog holds {MAX_WAITING}")
    if faults:
        raise tables.invalid(faults)
    return found


@routes.put(PATH, permission="channels:write", answer=TopicList)
def reorder_topics(request: Request, channel_id: str, body: TopicIds) -> Answer:
    """Put these topics first, in this order. The others follow in the order that they had."""
    with db.transaction() as tx:
        channels.lock(tx, request.organisation_id, channel_id)
        _require_waiting(tx, channel_id, body.ids)
        topics.reorder(tx, channel_id, body.ids)
        audit.record(tx, request, "reorder_topics", "channel", channel_id.lower(), number=len(body.ids))
        page = fields.Page(limit=100).request()
        return answers.listed("topics", topics.list_(tx, channel_id, "waiting", page))


@routes.delete(PATH, permission="channels:write", answer=RemovedTopics)
def remove_topics(request: Request, channel_id: str, body: TopicIds) -> RemovedTopics:
    """Remove topics that wait."""
    with db.transaction() as tx:
        channels.lock(tx, request.organisation_id, channel_id)
        _require_waiting(tx, channel_id, body.ids)
        removed = topics.remove(tx, channel_id, body.ids)
        audit.record(tx, request, "remove_topics", "channel", channel_id.lower(), number=removed)
        return RemovedTopics(removed=removed, waiting=topics.count_waiting(tx, channel_id))


def _require_waiting(tx: db.Transaction, channel_id: str, topic_ids: list[str]) -> None:
    missing = topics.list_missing(tx, channel_id, topic_ids)
    if missing:
        raise NotFound(f"These are no waiting topics of the channel: {', '.join(missing[:5])}.")
