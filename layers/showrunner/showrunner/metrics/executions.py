"""Executions of the metrics machine for one artist. The schedule starts those for all."""

import json
from datetime import datetime

from showrunner import config, quotas
from showrunner.aws import correlation, sdk

# Asking for an artist again within this time joins the run before.
SAME_SECONDS = 600


def refresh(organisation_id: str, artist_id: str, platform: str, now: datetime) -> None:
    """Start a run for an artist's account on a platform, at most one in SAME_SECONDS.

    Raises QuotaExceeded if YouTube's units for refreshes are spent for today.
    """
    name = f"refresh-{platform}-{artist_id}-{int(now.timestamp()) // SAME_SECONDS}"
    if platform == "youtube":
        quotas.reserve("youtube", "refresh", 1, quotas.REFRESHES_A_DAY, name, now)
    client = sdk.client("stepfunctions")
    document = {
        "platform": platform,
        "organisation_id": organisation_id,
        "artist_id": artist_id,
        "request_id": correlation.current(),
    }
    try:
        client.start_execution(
            stateMachineArn=config.setting("METRICS_MACHINE_ARN"), name=name, input=json.dumps(document)
        )
    except client.exceptions.ExecutionAlreadyExists:
        return
