"""Make the stage's KMS key before the first secret is stored.

The key belongs to the data stack, whose database needs a secret at its creation. So the stack begins with
nothing but the key; `make deploy` adds the rest by an update, and the key stays the same.
"""

from local import build
from local.settings import Refused
from local.stages.stage import Stage

RESOURCES = ("StageKey", "StageKeyAlias")


def make(stage: Stage) -> None:
    """Create the data stack with the stage's key, unless it has one.

    A stack whose creation failed is deleted first. Raises Refused if the key can't be made.
    """
    name = stage.data_stack
    if stage.outputs(name).get("StageKeyArn"):
        return
    stage.settle(name)
    if stage.status(name) is None:
        print(f"Stack {name} begins with the stage's key ...", flush=True)
        stage.aws("cloudformation").create_stack(
            StackName=name,
            TemplateBody=template(),
            Parameters=[{"ParameterKey": "Stage", "ParameterValue": stage.name}],
        )
        if stage.wait(name) != "CREATE_COMPLETE":
            reasons = "".join(f"\n    {reason}" for reason in stage.failures(name))
            raise Refused(f"the stage's key could not be made; run it again:{reasons}", code=1)
    stage.output(name, "StageKeyArn")


def template() -> str:
    """Return the part of the data template that makes the key."""
    whole = build.TEMPLATES["data"].read_text(encoding="utf-8")
    resources = "".join(f"  {name}:\n{build.block(name, whole)}" for name in RESOURCES)
    (output,) = [line for line in whole.splitlines(keepends=True) if line.startswith("  StageKeyArn:")]
    return (
        "AWSTemplateFormatVersion: '2010-09-09'\n"
        "Description: showrunner - the stage's key; make deploy adds everything else\n"
        f"Parameters:\n  Stage:\n{build.block('Stage', whole)}"
        f"Resources:\n{resources}Outputs:\n{output}"
    )
