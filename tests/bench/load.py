"""make bench-load: 50 users at once over HTTP on a local stack of its own.

The calls take turns with calls of an empty function, which shows how much of the time is ours.

The stack has a home and ports apart and is stopped at the end. Nothing paid is asked: no video is made.
Closed loop: each user asks again when answered.
"""

import asyncio
import contextlib
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for _path in (ROOT, ROOT / "layers" / "showrunner"):
    sys.path.insert(0, str(_path))

import aiohttp  # noqa: E402
import psutil  # noqa: E402

HOME = ROOT / ".local" / "bench" / "load"
# Far from the everyday ports and those of the tests. By name, since local.settings reads the environment when
# it is imported.
PORTS = {
    "PLATFORM_PORT": 28000,
    "INGESTION_PORT": 28080,
    "LIVE_PORT": 28001,
    "ENGINE_PORT": 24566,
    "POSTGRES_PORT": 25433,
    "PLATFORMS_PORT": 28103,
}
USERS, ROUNDS, SECONDS = 50, 3, 6
# The engine starts a process for each environment of a function: that is not what is measured.
WARM_SECONDS = 8
# What template.yaml reserves for the function that is asked; more calls at once are refused with 503, here as
# in AWS.
AT_ONCE = 20
EMPTY = """def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
"""


def environment() -> dict[str, str]:
    ports = {name: str(port) for name, port in PORTS.items()}
    # With these keys set the stand-ins for language and voice are not started; nothing here calls them.
    nobody = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": "http://127.0.0.1:9",
        "ELEVENLABS_API_KEY": "none",
        "ELEVENLABS_BASE_URL": "http://127.0.0.1:9",
    }
    return {**os.environ, **ports, **nobody, "SHOWRUNNER_HOME": str(HOME), "RATE_LIMIT_FACTOR": "1000000"}


@contextlib.contextmanager
def stack() -> Iterator[None]:
    os.environ.update(environment())
    command = [ROOT / ".local" / "env" / "local" / "bin" / "python", "-m", "local"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        subprocess.run([*command, "up"], cwd=ROOT, env=clean, check=True, timeout=400)
        yield
    finally:
        subprocess.run([*command, "down"], cwd=ROOT, env=clean, check=False, timeout=60)


def empty_function() -> str:
    """Deploy an API with an empty function on the same engine. Returns its path."""
    from local import deploy

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", EMPTY)
    role = "arn:aws:iam::000000000000:role/empty"
    functions, name = deploy.aws("lambda"), f"empty-{uuid.uuid4().hex[:8]}"
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        MemorySize=512,
    )
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=AT_ONCE)
    apis = deploy.aws("apigatewayv2")
    api = apis.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    integration = apis.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=made["FunctionArn"], PayloadFormatVersion="2.0"
    )
    apis.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration['IntegrationId']}")
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"/_aws/execute-api/{api}/"


def fill() -> list[str]:
    """Insert videos to read, without productions. Returns their ids."""
    from pg8000.native import Connection

    from local import postgres
    from local.settings import DATABASE

    password = postgres.secrets_of(HOME)["database/owner_password"]
    where = {
        "host": DATABASE.host,
        "port": DATABASE.port,
        "database": DATABASE.name,
        "ssl_context": False,
    }
    with contextlib.closing(Connection(DATABASE.user, password=password, **where)) as owner:
        owner.run("DELETE FROM studio.videos")
        made = owner.run(
            """
            INSERT INTO studio.videos (organisation_id, channel_id, request, title, status, created_at)
            SELECT c.organisation_id, c.id, '{"topic": "Bees"}', 'Video ' || n, 'completed',
                   now() - make_interval(secs => n)
              FROM (SELECT organisation_id, id FROM studio.channels LIMIT 1) c,
                   generate_series(1, 500) n
            RETURNING id::text
            """
        )
    return [row[0] for row in made]


type Call = tuple[str, dict[str, str]]


def cases() -> dict[str, Callable[[int], Call]]:
    """Return, by case, a function that gives a user's next request: a path on the engine, and headers."""
    from local import access, deploy
    from local.settings import APPLICATION_STACK, address

    platform = f"/_aws/execute-api/{deploy.outputs(APPLICATION_STACK)['PlatformApiId']}"
    key, ids, empty, numbers = access.signing_key(HOME), fill(), empty_function(), itertools.count()
    # Fifty accounts, because the calls of one account are counted in one row.
    tokens = [
        access.service_token(
            key,
            issuer=address("PLATFORM_PORT"),
            name=f"user{number}",
            organisation_id=deploy.ORGANISATION,
            scopes=["videos:read"],
        )
        for number in range(USERS)
    ]
    bearer = [{"authorization": f"Bearer {token}"} for token in tokens]
    return {
        "empty function": lambda _: (empty, {}),
        "GET /videos/{id}": lambda user: (
            f"{platform}/api/v1/videos/{ids[next(numbers) % len(ids)]}",
            bearer[user],
        ),
        "GET /videos": lambda user: (f"{platform}/api/v1/videos?limit=20", bearer[user]),
    }


async def ask(session: aiohttp.ClientSession, call: Call) -> tuple[float, int]:
    path, headers = call
    begun = time.perf_counter()
    async with session.get(path, headers=headers) as answer:
        await answer.read()
        return (time.perf_counter() - begun) * 1000, answer.status


async def load(
    base: str, make: Callable[[int], Call], users: int, seconds: float
) -> tuple[list[float], Counter[int], float]:
    """Milliseconds of each good answer, answers by status, and the seconds that it took."""
    spent: list[float] = []
    statuses: Counter[int] = Counter()

    async def user(number: int, session: aiohttp.ClientSession, until: float) -> None:
        while time.perf_counter() < until:
            milliseconds, status = await ask(session, make(number))
            statuses[status] += 1
            if status == HTTPStatus.OK:
                spent.append(milliseconds)

    connector = aiohttp.TCPConnector(limit=users)
    async with aiohttp.ClientSession(
        base, connector=connector, timeout=aiohttp.ClientTimeout(total=60)
    ) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(user(number, session, begun + seconds) for number in range(users)))
        return spent, statuses, time.perf_counter() - begun


def parts() -> dict[str, list[psutil.Process]]:
    """Return the processes of the engine, its functions and PostgreSQL. The client is this process."""
    pids = {
        name: json.loads((HOME / "run" / f"{name}.json").read_text())["pid"]
        for name in ("engine", "postgres")
    }
    engine, postgres = (psutil.Process(pids[name]) for name in ("engine", "postgres"))
    return {
        "engine": [engine],
        "functions": engine.children(recursive=True),
        "postgres": [postgres, *postgres.children(recursive=True)],
        "users": [psutil.Process()],
    }


def cpu_seconds() -> dict[str, float]:
    found = {}
    for name, processes in parts().items():
        spent = 0.0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                spent += times.user + times.system
        found[name] = spent
    return found


def figures(
    spent: list[float], statuses: Counter[int], seconds: float, cpu: dict[str, float]
) -> dict[str, Any]:
    marks = statistics.quantiles(spent, n=100)
    return {
        "p50_ms": round(marks[49], 1),
        "p95_ms": round(marks[94], 1),
        "p99_ms": round(marks[98], 1),
        "answers_per_second": round(len(spent) / seconds, 1),
        "refused_percent": round(100 * (1 - len(spent) / statuses.total()), 2),
        "cpu_ms_a_request": {name: round(each * 1000 / statuses.total(), 2) for name, each in cpu.items()},
        "cores_busy": round(sum(cpu.values()) / seconds, 2),
    }


def measure(
    base: str, made: dict[str, Callable[[int], Call]], users: int, rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """Alternate the cases, so that a busy machine affects all equally."""
    spent: dict[str, list[float]] = {name: [] for name in made}
    statuses: dict[str, Counter[int]] = {name: Counter() for name in made}
    took, cpu = dict.fromkeys(made, 0.0), {name: Counter() for name in made}
    for _ in range(rounds):
        for name, make in made.items():
            before = cpu_seconds()
            answered, answers, seconds_ = asyncio.run(load(base, make, users, seconds))
            after = cpu_seconds()
            spent[name] += answered
            statuses[name] += answers
            took[name] += seconds_
            cpu[name].update({part: max(0.0, after[part] - before.get(part, 0.0)) for part in after})
    return {name: figures(spent[name], statuses[name], took[name], cpu[name]) for name in made}


def show(title: str, answers: dict[str, dict[str, Any]]) -> None:
    print(
        f"\n{title:24}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'per s':>8}{'refused %':>10}{'cores':>7}   CPU "
        "ms a request"
    )
    for name, each in answers.items():
        cpu = "  ".join(f"{part} {spent:.1f}" for part, spent in each["cpu_ms_a_request"].items())
        print(
            f"{name:24}{each['p50_ms']:9.1f}{each['p95_ms']:9.1f}{each['p99_ms']:9.1f}"
            f"{each['answers_per_second']:8.0f}{each['refused_percent']:10.1f}{each['cores_busy']:7.2f}   "
            f"{cpu}"
        )


def main() -> int:
    with stack():
        from local.settings import address

        base, made = address("ENGINE_PORT"), cases()
        for make in made.values():
            asyncio.run(load(base, make, USERS, WARM_SECONDS))
        alone = measure(base, made, 1, 1, 3)
        crowd = measure(base, made, USERS, ROUNDS, SECONDS)
    show("one user", alone)
    show(f"{USERS} users at once", crowd)
    figures_ = {"users": USERS, "cores": os.cpu_count(), "one_user": alone, "crowd": crowd}
    figures_["p50_over_empty_ms"] = {
        name: round(each["p50_ms"] - crowd["empty function"]["p50_ms"], 1) for name, each in crowd.items()
    }
    target = ROOT / ".local" / "bench" / "load.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures_, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
