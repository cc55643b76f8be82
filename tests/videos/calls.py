"""Bodies of orders, and what the tests read of executions and answers."""

import os

from showrunner.aws import sdk

TEXT = {
    "source_text": "Bees dance to tell each other where flowers are. "
    "The angle of the dance is the angle to the sun."
}


def order(channel_id, **more):
    return {"channel_id": channel_id, **TEXT, **more}


def started_executions():
    found = sdk.client("stepfunctions").list_executions(stateMachineArn=os.environ["PRODUCTION_MACHINE_ARN"])[
        "executions"
    ]
    return {execution["name"]: execution for execution in found}


def fields(response):
    return [detail["field"] for detail in response.body["error"]["details"]]
