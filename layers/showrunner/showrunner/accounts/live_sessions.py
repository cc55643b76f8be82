"""Close Live connections when the login behind them ends."""

from showrunner.errors import ServiceUnavailable
from showrunner.web import log
from showrunner.web.routing import Request


def end(request: Request, account: str, *, family: str | None = None, but: str | None = None) -> None:
    """Close the Live connections of an account: all, those of one login or token (`family`), or all except those of one
    (`but`). A failure is only logged: connections end with their tokens anyway."""
    from showrunner.aws import rpc
    from showrunner.live import connections

    try:
        connections.end(account, family=family, but=but)
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "live connections stay open until their tokens expire", reason=error.message)
