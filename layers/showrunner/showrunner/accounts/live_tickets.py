"""Give out tickets for the Live API."""

from showrunner import config
from showrunner.accounts.schemas import LiveTicket
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.post(
    "/api/v1/live/tickets", permission="live:read", limits=((60, 30),), answer=LiveTicket, status=201
)
def add_live_ticket(request: Request) -> Answer:
    """Return a ticket for one connection to the Live API. It is valid for 30 seconds.

    Connect to `<url>?ticket=<ticket>`. Send `{"action": "subscribe", "topics": [...]}` with `video:<id>`,
    `videos`, `reports`, `syncs` or, as a platform admin, `feed`; the same with `unsubscribe`; and
    `{"action": "ping"}` every nine minutes, because AWS closes connections that are silent for ten. Each is
    answered by `connection_status` with the topics and the time at which the connection ends, or by `error`
    with a code and a message. Events come as `video_update`, `processing_update` and `sync_status_update`.
    """
    from showrunner.live import tickets

    ticket, seconds = tickets.issue(request.caller), tickets.TICKET_SECONDS
    return Answer({"ticket": ticket, "expires_in": seconds, "url": config.setting("LIVE_URL")}, 201)
