"""Make botocore clients for the AWS services that `rpc` does not cover."""

from functools import cache
from typing import Any


@cache
def client(service: str, endpoint: str | None = None) -> Any:
    """Return a client of an AWS service. `endpoint` is the address of our own API for API Gateway's services.

    botocore is imported here, because a route that calls no AWS service must not pay 200 ms for it. boto3
    would make the same client and take 60 ms more.
    """
    import botocore.session
    from botocore.config import Config

    # Connect fast or fail; a read waits less than the shortest function's timeout. Retries are AWS's standard
    # mode, bounded at three.
    settings = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
    make: Any = (
        botocore.session.get_session().create_client
    )  # its stubs know each service by a literal name only
    return make(service, endpoint_url=endpoint, config=settings)
