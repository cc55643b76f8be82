"""`make restore-drill`: back up, destroy and restore the local stack's data; compare counts and checksums.

The drill works on database, media and state table of the running stack, with PostgreSQL's own dump and
through the engine's AWS API. In AWS the same three come back from snapshots and points of time; what the
drill shows is that the data are whole when they do, and that the functions go on with them.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pg8000.native

from local import deploy, postgres
from local.settings import DATA_STACK, DATABASE, HOME, STAGE, Refused

Sums = dict[str, dict[str, str]]
# A function that a schedule has just called, and a video that was just ordered, end within this time.
SETTLE_SECONDS = 300
SETTLE_PAUSE_SECONDS = 3
TABLES = """
SELECT format('%I.%I', schemaname, tablename)
  FROM pg_tables
 WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY 1
"""


def drill() -> None:
    """Print what was compared, how old the restored data were (RPO), and how long they were gone (RTO).

    Raises Refused for any difference.
    """
    if not deploy.is_complete(DATA_STACK):
        raise Refused("the local stack isn't up; run make up first")
    with schedules_off():
        settle()
        _drill()


def _drill() -> None:
    folder = HOME / "backups" / time.strftime("%Y%m%dT%H%M%S")
    folder.mkdir(parents=True, mode=0o700)
    taken_at = time.monotonic()
    back_up(folder)
    before = sums()
    lost_at = time.monotonic()
    print(f"Backed up {summary(before)} to {folder} in {lost_at - taken_at:.1f} s.", flush=True)
    destroy()
    if left := [kind for kind, found in sums().items() if found]:
        raise Refused(
            f"the drill could not destroy {', '.join(left)}, so a restore would show nothing; the backup "
            f"is in {folder}",
            code=1,
        )
    print("Destroyed: no table, no object and no item is left.", flush=True)
    restore(folder)
    gone_s = time.monotonic() - lost_at
    after = sums()
    if wrong := differences(before, after):
        raise Refused(
            f"{len(wrong)} differences after the restore; the backup is in {folder}:\n    "
            + "\n    ".join(wrong[:20]),
            code=1,
        )
    answers()
    print(
        f"Restored {summary(after)}; counts and checksums are as before, and the API lists the demo channel.",
        flush=True,
    )
    print(
        f"RPO {lost_at - taken_at:.1f} s (age of the backup), RTO {gone_s:.1f} s (data gone until they "
        "were back).",
        flush=True,
    )


# ---------------------------------------------------------------- A quiet stage


@contextlib.contextmanager
def schedules_off() -> Iterator[None]:
    """Switch the stage's schedules off meanwhile: what they write would be taken for a difference.

    The local stage has all of them on. A drill that is killed leaves them off until the next one has ended.
    """
    client = deploy.aws("scheduler")
    pages = client.get_paginator("list_schedules").paginate(NamePrefix=f"showrunner-{STAGE}-")
    names = [each["Name"] for page in pages for each in page["Schedules"]]
    try:
        for name in names:
            switch_schedule(client, name, "DISABLED")
        yield
    finally:
        for name in names:
            switch_schedule(client, name, "ENABLED")


def switch_schedule(client: Any, name: str, state: str) -> None:
    """Set a schedule's state. Scheduler replaces a schedule as a whole, so the rest is given again."""
    found = client.get_schedule(Name=name)
    kept = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    client.update_schedule(**{key: found[key] for key in kept if key in found}, State=state)


def settle() -> None:
    """Wait until nothing is written any more. Raises Refused after SETTLE_SECONDS."""
    deadline, before = time.monotonic() + SETTLE_SECONDS, sums()
    while True:
        time.sleep(SETTLE_PAUSE_SECONDS)
        if (now := sums()) == before:
            return
        if time.monotonic() > deadline:
            raise Refused(f"the stack is in use: {differences(before, now)[0]}; run it again when it rests")
        before = now


# ---------------------------------------------------------------- What is there


def sums() -> Sums:
    """Return checksums by name: of each table with its number of rows, of each object and of each item."""
    return {"tables": dict(_tables()), "objects": dict(_objects()), "items": dict(_items())}


def _tables() -> Iterator[tuple[str, str]]:
    with connected(DATABASE.name) as connection:
        for (name,) in connection.run(TABLES):
            ((count, checksum),) = connection.run(
                # The names are from pg_tables.
                f"""
                SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {name} t
                """  # noqa: S608
            )
            yield name, f"{count} {checksum}"


def _objects() -> Iterator[tuple[str, str]]:
    s3, bucket = deploy.aws("s3"), media()
    for key in keys(s3, bucket):
        yield key, hashlib.sha256(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()


def _items() -> Iterator[tuple[str, str]]:
    for item in scan():
        yield (
            f"{item['pk']['S']} {item['sk']['S']}",
            hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest(),
        )


def keys(s3: Any, bucket: str) -> list[str]:
    return [
        each["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for each in page.get("Contents", [])
    ]


def scan() -> list[dict[str, Any]]:
    pages = deploy.aws("dynamodb").get_paginator("scan").paginate(TableName=table())
    return [item for page in pages for item in page["Items"]]


def media() -> str:
    return deploy.outputs(DATA_STACK)["MediaBucket"]


def table() -> str:
    return deploy.outputs(DATA_STACK)["StateTable"]


def summary(found: Sums) -> str:
    rows = sum(int(each.split()[0]) for each in found["tables"].values())
    tables, objects, items = (len(found[kind]) for kind in ("tables", "objects", "items"))
    return f"{rows} rows of {tables} tables, {objects} objects, {items} items"


def differences(before: Sums, after: Sums) -> list[str]:
    """Return the names that are missing, new or have another checksum."""
    found = []
    for kind, known in before.items():
        now = after[kind]
        found += [f"{kind}: {name} is missing" for name in sorted(known.keys() - now.keys())]
        found += [f"{kind}: {name} is new" for name in sorted(now.keys() - known.keys())]
        found += [
            f"{kind}: {name} was {known[name]}, is {now[name]}"
            for name in sorted(known.keys() & now.keys())
            if known[name] != now[name]
        ]
    return found


# ---------------------------------------------------------------- There and back


def back_up(folder: Path) -> None:
    tool("pg_dump", "--format=custom", f"--file={folder / 'database.dump'}", DATABASE.name)
    s3, bucket = deploy.aws("s3"), media()
    for key in keys(s3, bucket):
        path = folder / "media" / hashlib.sha256(key.encode()).hexdigest()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        path.with_suffix(".key").write_text(key, encoding="utf-8")
    (folder / "state.json").write_text(json.dumps(scan(), default=str), encoding="utf-8")


def destroy() -> None:
    name = DATABASE.name
    with connected("postgres", postgres.SUPERUSER) as connection:
        connection.run(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.run(f'CREATE DATABASE "{name}" OWNER "{DATABASE.user}"')
    s3, bucket = deploy.aws("s3"), media()
    for key in keys(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key)
    for item in scan():
        deploy.aws("dynamodb").delete_item(TableName=table(), Key={"pk": item["pk"], "sk": item["sk"]})


def restore(folder: Path) -> None:
    tool(
        "pg_restore",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={DATABASE.name}",
        str(folder / "database.dump"),
    )
    s3, bucket = deploy.aws("s3"), media()
    for path in sorted(folder.glob("media/*.key")):
        s3.put_object(
            Bucket=bucket, Key=path.read_text(encoding="utf-8"), Body=path.with_suffix("").read_bytes()
        )
    for item in json.loads((folder / "state.json").read_text(encoding="utf-8")):
        deploy.aws("dynamodb").put_item(TableName=table(), Item=item)


def answers() -> None:
    """Check that the functions work with the restored data: the API lists the demo channel.

    The token is one from before.
    """
    with deploy.client() as api:
        listed = deploy.answered(api.get("/api/v1/channels", params={"limit": 100}))
    if deploy.CHANNEL not in [channel["name"] for channel in listed["channels"]]:
        raise Refused("the API answers, but has lost the demo channel", code=1)


def tool(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's as the owner.

    The password goes by the environment, which other users can't read.
    """
    options = ["--host", DATABASE.host, "--port", str(DATABASE.port), "--username", DATABASE.user]
    environment = {**os.environ, "PGPASSWORD": postgres.secrets_of(HOME)["database/owner_password"]}
    done = subprocess.run(
        [postgres.binary(name), *options, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"{name} failed: {done.stderr.strip()[-500:]}", code=1)


@contextlib.contextmanager
def connected(database: str, user: str | None = None) -> Iterator[pg8000.native.Connection]:
    connection = pg8000.native.Connection(
        user or DATABASE.user,
        host=DATABASE.host,
        port=DATABASE.port,
        database=database,
        password=postgres.secrets_of(HOME)["database/owner_password"],
        ssl_context=False,
    )
    try:
        yield connection
    finally:
        connection.close()
