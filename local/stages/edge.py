"""`make edge STAGE=dev`: CloudFront and WAF in front of the stage's HTTP APIs.

AWS wants both in us-east-1, so they are a stack of their own there (template.edge.yaml). The APIs refuse
calls around it once the stage's file says Edge = "on" and `make deploy` has run.
"""

import contextlib
from typing import Any

from local.settings import ROOT, Refused
from local.stages.stage import Stage

TEMPLATE = ROOT / "template.edge.yaml"
REGION = "us-east-1"
SECRET = "edge/origin_secret"  # noqa: S105 - its name
# CloudFront takes about five minutes to reach all its places, and AWS says up to fifteen.
WAITING = {"Delay": 15, "MaxAttempts": 120}
FROM_FILE = ("PlatformDomain", "IngestionDomain", "EdgeCertificateArn", "EdgeRate")


def cloudformation(stage: Stage) -> Any:
    return stage.session().client("cloudformation", region_name=REGION)


def stack_name(stage: Stage) -> str:
    return f"showrunner-edge-{stage.name}"


def deploy(stage: Stage, client: Any) -> None:
    """Create or update the stack, and print what has to be in the stage's file.

    `client`: CloudFormation's in us-east-1. Raises Refused if the stage is not deployed yet.
    """
    from botocore.exceptions import ClientError

    values, name = parameters(stage), stack_name(stage)
    request = {
        "StackName": name,
        "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    }
    try:
        client.create_stack(**request, EnableTerminationProtection=True)
        kind = "stack_create_complete"
    except client.exceptions.AlreadyExistsException:
        kind = "stack_update_complete"
        try:
            client.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
    print(f"Stack {name} in {REGION} is being deployed; CloudFront takes some minutes ...", flush=True)
    client.get_waiter(kind).wait(StackName=name, WaiterConfig=WAITING)
    tell(stage, client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"])


def parameters(stage: Stage) -> dict[str, str]:
    """Return the stack's parameters. The secret is never printed; CloudFormation doesn't show it either."""
    outputs = stage.outputs(stage.application_stack)
    secret = stage.secrets_there([SECRET]).get(SECRET)
    if secret is None or "PlatformApiUrl" not in outputs:
        raise Refused(f"deploy the stage first: make deploy STAGE={stage.name}")
    given = stage.parameters()
    return {
        "Stage": stage.name,
        "PlatformOrigin": outputs["PlatformApiUrl"].removeprefix("https://"),
        "IngestionOrigin": outputs["IngestionApiUrl"].removeprefix("https://"),
        "OriginSecret": secret.split(",")[-1],
        **{name: given[name] for name in FROM_FILE if name in given},
    }


def tell(stage: Stage, outputs: list[dict[str, str]]) -> None:
    """Print the lines for the stage's file, or the DNS records of its domains."""
    hosts = {each["OutputKey"]: each["OutputValue"] for each in outputs}
    given = stage.parameters()
    print(f'Put into stages/{stage.name}.toml, then run make deploy STAGE={stage.name}:\n  Edge = "on"')
    for api in ("Platform", "Ingestion"):
        if domain := given.get(f"{api}Domain"):
            print(f"  # DNS: {domain} has to be a CNAME of {hosts[f'{api}Host']}")
        else:
            print(f'  {api}Url = "https://{hosts[f"{api}Host"]}"')


def remove(stage: Stage, client: Any) -> None:
    """Delete the stack if there is one, and wait until it is gone."""
    name = stack_name(stage)
    with contextlib.suppress(client.exceptions.ClientError):  # there is none
        client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        print(f"Deleting stack {name} in {REGION} ...", flush=True)
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAITING)
