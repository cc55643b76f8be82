"""Copy all secrets of the stage into a bucket, every night: for the loss of the account's region.

The bucket is the template's KeyBackupBucket, best one in a second region; without it, the stage's own bucket
for backups. S3 encrypts the object as the bucket says: the stage's own has the stage's key. (A request for
`aws:kms` without a key would take the account's own key for S3.) `make restore-keys` reads it.
"""

import hashlib
import json
import time
from typing import Any

from showrunner import config
from showrunner.aws import sdk, ssm
from showrunner.keys.state import candidate

# candidates/ are left out: nothing uses them, and the rotation that made them is lost with the stage.
_CANDIDATES = candidate("")


def save() -> dict[str, Any]:
    """Write the backup of today and return its bucket and key, and how many secrets it has."""
    parameters = [
        {
            "name": name,
            "version": version,
            "sha256": hashlib.sha256(value.encode()).hexdigest(),
            "value": value,
        }
        for name, version, value in ssm.everything()
        if not name.startswith(_CANDIDATES)
    ]
    day = time.strftime("%Y-%m-%d", time.gmtime())
    bucket, key = config.setting("PARAMETER_BACKUP_BUCKET"), f"keys/{config.setting('STAGE')}/{day}.json"
    document = {"stage": config.setting("STAGE"), "made_at": int(time.time()), "parameters": parameters}
    body = json.dumps(document).encode()
    # The SDK finds the bucket's region by itself.
    sdk.client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return {"bucket": bucket, "key": key, "secrets": len(parameters)}
