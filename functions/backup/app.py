"""Backup machine, every step, and a schedule every night -> tables in the backup bucket, or a copy of them.

The schedule only starts the machine. A step returns the machine's next state.
"""

from typing import Any

from showrunner.backups import executions, export, manifest, restore
from showrunner.telemetry import entrypoint

BACKUP = {"begin": export.begin, "export": export.export, "seal": export.seal, "fail": export.fail}
RESTORE = {
    "prepare": restore.prepare,
    "load": restore.load,
    "finish": restore.finish,
    "fail": restore.fail,
}


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "step" not in event:
        backup_id = manifest.new_id()
        executions.start(f"backup-{backup_id}", kind="nightly", step="begin", id=backup_id)
        return {"started": backup_id}
    steps = RESTORE if event["kind"] == "restore" else BACKUP
    return steps[event["step"]](event)
