"""Tell who called, and refuse calls around CloudFront where a stage has it in front (template.edge.yaml)."""

import hmac

from showrunner import config
from showrunner.aws import ssm
from showrunner.errors import Forbidden


def caller_address(headers: dict[str, str], source_address: str) -> str:
    """Return the caller's address. Raises Forbidden if the call went around CloudFront.

    `source_address` is who opened the connection: behind CloudFront one of its servers, which replaces both
    headers. Without CloudFront anybody may send them, so they count for nothing.
    """
    if config.setting("EDGE", "off") != "on":
        return source_address
    given = headers.get("x-origin-secret", "").encode()
    # Two while it is replaced: first both are known here, then CloudFront sends the new one.
    known = ssm.secret("edge/origin_secret").split(",")
    if not any(hmac.compare_digest(given, each.encode()) for each in known):
        raise Forbidden("Call the API at its public address; this one is CloudFront's alone.")
    return headers["x-viewer-address"]
