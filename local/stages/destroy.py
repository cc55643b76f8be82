"""`make destroy STAGE=dev DATA=keep|delete`: the application goes; the data stay and rest, or go with it.

Run again, it goes on where it stopped.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from local.settings import Refused
from local.stages import edge
from local.stages.stage import Stage

KEEP, DELETE = "keep", "delete"
# A key that is deleted takes everything with it that it has sealed; so long it can be brought back.
KEY_DAYS = 30


def destroy(stage: Stage, data: str, ask: Callable[[str], str] = input) -> None:
    """Delete the application stack and, if `data` is "delete", the data stack with everything in it.

    If `data` is "keep", the data stack stays; only its way out (NAT) is removed and the database sleeps.
    Asks for a sentence to be typed. Raises Refused without it.
    """
    if data not in (KEEP, DELETE):
        raise Refused(
            f"DATA={data}: say DATA=keep (videos, accounts and database stay) or DATA=delete (nothing stays)"
        )
    account = stage.caller()["account"]
    sentence = f"destroy {stage.name}" if data == KEEP else f"delete all data of {stage.name} in {account}"
    if ask(f"This can't be undone. Type '{sentence}' to go on: ").strip() != sentence:
        raise Refused("nothing was destroyed")
    left = what_is_left(stage) if data == DELETE else {}
    if stage.parameters().get("Edge") == "on":
        edge.remove(stage, edge.cloudformation(stage))
    remove(stage, stage.application_stack)
    if data == KEEP:
        rest(stage)
        print(
            f"The data of {stage.name} stay: media bucket, state table, database (asleep), keys and "
            f"secrets. make deploy STAGE={stage.name} brings it back."
        )
        return
    unprotect(stage)
    remove(stage, stage.data_stack)
    delete_data(stage, left, account)
    print(f"Nothing of {stage.name} is left but its key, which AWS deletes in {KEY_DAYS} days.")


def remove(stage: Stage, name: str) -> None:
    """Delete a stack and wait until it is gone."""
    client = stage.aws("cloudformation")
    status = stage.status(name)
    if status is None:
        return
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        stage.wait(name)
    if stage.status(name) is None:
        return
    client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    print(f"Deleting stack {name} ...", flush=True)
    client.delete_stack(StackName=name)
    if stage.wait(name) is not None:
        reasons = "".join(f"\n    {reason}" for reason in stage.failures(name))
        raise Refused(
            f"stack {name} could not be deleted; put right what it says and run it again:{reasons}", code=1
        )


def update(stage: Stage, changes: dict[str, str]) -> None:
    """Deploy the data stack's own template again with other parameters."""
    name, client = stage.data_stack, stage.aws("cloudformation")
    deployed = stage.deployed(name)
    if not stage.has_data_stack() or all(deployed.get(key) == value for key, value in changes.items()):
        return
    parameters: list[dict[str, Any]] = [
        {"ParameterKey": key, "UsePreviousValue": True} for key in deployed if key not in changes
    ]
    parameters += [{"ParameterKey": key, "ParameterValue": value} for key, value in changes.items()]
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    client.update_stack(
        StackName=name, UsePreviousTemplate=True, Parameters=parameters, Capabilities=capabilities
    )
    if (status := stage.wait(name)) != "UPDATE_COMPLETE":
        raise Refused(f"stack {name} is in {status}; look at its events, then run it again", code=1)


def rest(stage: Stage) -> None:
    """Remove the way out of the VPC and let the database pause: without functions nobody needs them."""
    update(stage, {"Egress": "none", "DatabaseMinCapacity": "0"})


def unprotect(stage: Stage) -> None:
    update(stage, {"Protected": "false"})


def what_is_left(stage: Stage) -> dict[str, str]:
    """Return the names of what the data stack keeps when it is deleted. Call it while the stack exists."""
    outputs = stage.outputs(stage.data_stack)
    return {
        name: outputs[name]
        for name in ("MediaBucket", "BackupBucket", "StateTable", "StageKeyArn", "DatabaseCluster")
        if outputs.get(name)
    }


def delete_data(stage: Stage, left: dict[str, str], account: str) -> None:
    """Delete buckets, table, snapshots and secrets; the key's deletion is scheduled.

    What is gone already is passed over.
    """
    delete_bucket(stage, left.get("MediaBucket", f"showrunner-{stage.name}-media-{account}"))
    delete_bucket(stage, left.get("BackupBucket", f"showrunner-{stage.name}-backups-{account}"))
    table = stage.aws("dynamodb")
    with contextlib.suppress(table.exceptions.ResourceNotFoundException):
        table.delete_table(TableName=left.get("StateTable", f"showrunner-{stage.name}-state"))
    delete_snapshots(stage)
    delete_secrets(stage)
    if "StageKeyArn" in left:
        key = stage.aws("kms")
        with contextlib.suppress(
            key.exceptions.KMSInvalidStateException, key.exceptions.NotFoundException
        ):  # scheduled by a run before this one
            key.schedule_key_deletion(KeyId=left["StageKeyArn"], PendingWindowInDays=KEY_DAYS)


def delete_bucket(stage: Stage, name: str) -> None:
    client = stage.aws("s3")
    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            found = [
                {"Key": each["Key"], "VersionId": each["VersionId"]}
                for kind in ("Versions", "DeleteMarkers")
                for each in page.get(kind, [])
            ]
            if found:
                client.delete_objects(Bucket=name, Delete={"Objects": found, "Quiet": True})
        client.delete_bucket(Bucket=name)
    except client.exceptions.NoSuchBucket:
        pass


def delete_snapshots(stage: Stage) -> None:
    client = stage.aws("rds")
    for page in client.get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual"):
        for each in page["DBClusterSnapshots"]:
            if each["DBClusterIdentifier"].startswith(f"showrunner-{stage.name}-"):
                client.delete_db_cluster_snapshot(
                    DBClusterSnapshotIdentifier=each["DBClusterSnapshotIdentifier"]
                )


def delete_secrets(stage: Stage) -> None:
    client = stage.aws("ssm")
    pages = client.get_paginator("get_parameters_by_path").paginate(
        Path=f"/showrunner/{stage.name}/", Recursive=True
    )
    names = [each["Name"] for page in pages for each in page["Parameters"]]
    for start in range(0, len(names), 10):
        client.delete_parameters(Names=names[start : start + 10])
