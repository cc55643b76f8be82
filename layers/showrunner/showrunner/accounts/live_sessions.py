"""Close Live connections when the login behind them ends."""

from showrunner.errors import ServiceUnavailable
from showrunner.web import log
from showrunner.web.routing import Request


def end(request: Request, account: str, *, family: str | None = None, but: str | None = None) -> None:
    """Close the Live connections of an account.

    family: only those of this login or token. but: all except those of this login. A failure is only logged:
    connections end with their tokens anyway.
    """
    from showrunner.aws import rpc
    from showrunner.live import connections

    try:
        connections.end(account, family=family, but=but)
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "live connections stay open until their tokens expire", reason=error.message)
