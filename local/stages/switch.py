"""`make switch STAGE=dev DATABASE=showrunner_restore_...`: a restored copy becomes the stage's database.

`POST /api/v1/backups/{id}/restore` makes the copy, `GET /api/v1/backups` names it. The database before it is
kept for seven days under a name of the same kind, and the same command goes back to it.
"""

import json
from collections.abc import Callable
from typing import Any

from local.settings import Refused
from local.stages.stage import Stage

COPY = "showrunner_restore_"
# The migrate function's own limit.
SWITCH_TIMEOUT_S = 900


def switch(stage: Stage, database: str, ask: Callable[[str], str] = input) -> None:
    """Ask for a sentence to be typed, then switch.

    Raises Refused without it, and for a copy that differs from its backup or is not complete.
    """
    if not database.startswith(COPY):
        raise Refused(
            f"DATABASE={database}: the name of a copy begins with {COPY}; GET /api/v1/backups has it"
        )
    by = stage.caller()["arn"]
    if (backup := _backup_of(stage, database)) is None:
        print(f"No backup names {database}: it was the stage's own before a switch.", flush=True)
    elif backup["restore"]["status"] != "identical":
        raise Refused(
            f"the restore of {database} is {backup['restore']['status']}, not identical; "
            "GET /api/v1/backups says more"
        )
    else:
        print(f"{database} holds the rows of {backup['started_at']}; later ones go aside.", flush=True)
    sentence = f"switch {stage.name}"
    if ask(f"Type '{sentence}' to go on: ").strip() != sentence:
        raise Refused("nothing was switched")
    command = {"command": "switch", "database": database, "by": by}
    done = stage.invoke_migrate(command, SWITCH_TIMEOUT_S)
    print(
        f"{stage.name} uses the copy now; {done['deleted']} deletions were repeated in it. The one before "
        f"stays for seven days; back to it: make switch STAGE={stage.name} DATABASE={done['before']}",
        flush=True,
    )


def _backup_of(stage: Stage, database: str) -> dict[str, Any] | None:
    """Return the manifest of the backup that was last restored into this database."""
    client, bucket = stage.aws("s3"), stage.output(stage.data_stack, "BackupBucket")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="manifests/")
    for key in [each["Key"] for page in pages for each in page.get("Contents", ())]:
        found: dict[str, Any] = json.load(client.get_object(Bucket=bucket, Key=key)["Body"])
        if (found.get("restore") or {}).get("database") == database:
            return found
    return None
