"""Common parts of the benchmarks.

PostgreSQL of their own, moto in another process, an organisation with videos, and timing by turns.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for _path in (ROOT, ROOT / "layers" / "showrunner"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))

HOME = ROOT / ".local" / "bench"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:production"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "STAGE": "test",
    "PLATFORM_URL": "http://127.0.0.1:8000",
    "MEDIA_BUCKET": "showrunner-media-test",
    "STATE_TABLE": "state",
    "EVENT_BUS_NAME": "default",
    "PRODUCTION_MACHINE_ARN": MACHINE,
    # The rate limit's statement runs as in production; only the limits are raised.
    "RATE_LIMIT_FACTOR": "1000000",
    "RENDER_PLATFORM": "cpu",
    "VOICES": "female1=LocalFemaleVoice0001,male1=LocalMaleVoice000001",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def aws() -> Iterator[None]:
    """Start moto in its own process, so that its CPU time is not measured."""
    port = free_port()
    command = [sys.executable, str(ROOT / "tests" / "moto_server.py"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def stage(videos: int) -> Iterator[dict[str, Any]]:
    """{"token", "organisation_id", "channel_id", "video_ids"}: everything that a request needs."""
    import shutil

    from functions.migrate import app as migrate
    from local import postgres
    from showrunner.access import tokens
    from showrunner.aws import sdk
    from showrunner.database import db

    shutil.rmtree(HOME / "postgres", ignore_errors=True)  # delete what an interrupted run left
    with aws(), postgres.server(HOME, free_port(), throwaway=True) as server:
        stage_key = sdk.client("kms").create_key()["KeyMetadata"]["Arn"]
        os.environ.update(server.environment, STAGE_KEY_ARN=stage_key)
        key = tokens.new_key()
        secrets = {
            **server.secrets,
            "auth/jwks": json.dumps(tokens.jwk_set(key)),
            "auth/signing_key": json.dumps(key),
        }
        for name, value in secrets.items():
            put_secret(name, value)
        definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
        keys = {"pk": "HASH", "sk": "RANGE"}
        sdk.client("dynamodb").create_table(
            TableName=ENVIRONMENT["STATE_TABLE"],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )
        sdk.client("s3").create_bucket(Bucket=ENVIRONMENT["MEDIA_BUCKET"])
        sdk.client("stepfunctions").create_state_machine(
            name="production", roleArn="arn:aws:iam::123456789012:role/machine", definition=definition
        )
        migrate.handler({}, None)
        yield {**_fill(videos), "key": key, "port": server.port, "password": server.password}
        db.close()
    shutil.rmtree(HOME / "postgres", ignore_errors=True)


def put_secret(name: str, value: str) -> None:
    from showrunner.aws import sdk

    sdk.client("ssm").put_parameter(
        Name=f"/showrunner/test/{name}", Value=value, Type="SecureString", Overwrite=True
    )


def _fill(videos: int) -> dict[str, Any]:
    from showrunner.database import db

    with db.transaction() as tx:
        db.run(tx, "SET LOCAL statement_timeout = 0")
        # Thousands of orders are made: no budget ends them.
        organisation = """
            INSERT INTO accounts.organisations (name, limits) VALUES ('Bench', '{"month_usd": "1000000"}')
            RETURNING id
        """
        organisation_id = str(db.value(tx, organisation))
        channel = """
            INSERT INTO studio.channels (organisation_id, name, settings)
            VALUES (:o, 'Bench', '{"budget": {"day": "1000000"}}') RETURNING id
        """
        channel_id = str(db.value(tx, channel, o=organisation_id))
        db.run(
            tx,
            """
            INSERT INTO studio.videos
              (organisation_id, channel_id, request, title, description, tags, status, created_at)
            SELECT :o::uuid, :c::uuid, '{"topic": "Bees", "style": "educational"}', 'Title of video ' || n,
                   repeat('What it is about. ', 10),
                   ARRAY['bees', 'dance'], 'completed', now() - make_interval(secs => n)
              FROM generate_series(1, :n::integer) n
            """,
            o=organisation_id,
            c=channel_id,
            n=videos,
        )
        db.run(
            tx,
            """
            INSERT INTO studio.video_log (video_id, attempt, step, message)
            SELECT id, 1, s, 'Done.' FROM studio.videos, unnest(ARRAY['script','voice','render']) s
            """,
        )
        db.run(
            tx,
            """
            INSERT INTO ledger.costs
              (organisation_id, video_id, charge, step, provider, item, quantity, unit, amount_usd)
            SELECT organisation_id, id, s, s, 'p', 'i', 10, 'token', 0.00125
              FROM studio.videos, unnest(ARRAY['script','voice','render']) s
            """,
        )
        video_ids = [row["id"] for row in db.rows(tx, "SELECT id::text FROM studio.videos LIMIT 5000")]
    with db.reading() as tx:
        for table in ("studio.videos", "studio.video_log", "ledger.costs"):
            tx.command(f"ANALYZE {table}")
    return {"organisation_id": organisation_id, "channel_id": channel_id, "video_ids": video_ids}


def event(method: str, path: str, token: str | None = None, body: object = None) -> dict[str, Any]:
    raw_path, _, query = path.partition("?")
    headers = {
        "accept": "application/json",
        "host": "127.0.0.1",
        "user-agent": "bench",
        "content-type": "application/json",
    }
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    http = {
        "method": method,
        "path": raw_path,
        "protocol": "HTTP/1.1",
        "sourceIp": "192.0.2.1",
        "userAgent": "bench",
    }
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": headers,
        "isBase64Encoded": False,
    }
    made["requestContext"] = {"http": http, "requestId": "r", "stage": "$default"}
    if query:
        made["queryStringParameters"] = dict(pair.split("=") for pair in query.split("&"))
    if body is not None:
        made["body"] = json.dumps(body)
    return made


def by_turns(cases: dict[str, Callable[[], object]], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the CPU microseconds per call for each case and round.

    The cases alternate, so that a busy machine affects all equally.
    """
    counts = {}
    for name, case in cases.items():
        for _ in range(5):
            case()
        begun = time.perf_counter()
        for _ in range(10):
            case()
        counts[name] = max(5, int(seconds / max((time.perf_counter() - begun) / 10, 1e-7)))
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            begun = time.process_time()
            for _ in range(counts[name]):
                case()
            spent[name].append((time.process_time() - begun) / counts[name] * 1e6)
    return spent


def ratio(one: list[float], other: list[float]) -> float:
    """Median of `one` over `other`, round by round."""
    return round(statistics.median(a / b for a, b in zip(one, other, strict=True)), 2)


def write(name: str, figures: dict[str, Any]) -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
