"""Rotations of every kind of secret, killed at each remote call, beside callers that cache what they read.

    python tests/bench/keys.py [--cache-seconds 0.5] [--callers 2] [--kinds NAME ...]

Each kind of secret is rotated: keys that a person brings, the signing key, the database's login, AppSync's
keys, keys of the Ingestion API and secrets of the hub (many_keys.py).

Each rotation is killed at one remote call: before it is sent, while it is under way, or after it was done and
before its answer was read; then the step is repeated, as the machine does. The callers are processes of their
own: they read the secret through showrunner.aws.ssm, keep it for the cache time and use it all the time.
.local/bench/keys.json has what must be 0: failed_calls, orphan_keys, leaks, moments_without_a_valid_key.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parents[2]
for _path in (ROOT, ROOT / "layers" / "showrunner", ROOT / "tests" / "keys", ROOT / "tests" / "bench"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))

import many_keys  # noqa: E402 - found by the path above

# Where a process that measures one kind of several keeps its stage and its results.
PART = "BENCH_PART"
OUT = Path(os.environ.get(PART) or ROOT / ".local" / "bench")
# On two cores: each waits for its callers' caches most of the time.
AT_ONCE = 5
SIGNING_KEY, DATABASE, APPSYNC = "auth/signing_key", "database/password", "appsync/api_key"
OPENAI, GOOGLE = "openai/api_key", "google/client_secret"
SPOTIFY, AIRTABLE, STRIPE = "spotify/client_secret", "airtable/token", "stripe/api_key"
# Of a service that a person brings a key of, each tried with another call.
UPLOADED = (OPENAI, GOOGLE, SPOTIFY, AIRTABLE, STRIPE)
KINDS = (*UPLOADED, SIGNING_KEY, DATABASE, APPSYNC, *many_keys.KINDS)
MUST_BE_NONE = (
    *("failed_calls", "orphan_keys", "leaks", "moments_without_a_valid_key"),
    "audit_rows_too_many",
)
# What is summed over the kinds.
COUNTS = (*(name for name in MUST_BE_NONE if name != "leaks"), "calls", "rotations", "killed", "lost")
# More remote calls than any rotation makes.
MOST_PLACES = 80


# ------------------------------------------------------------------------------------------------ Services


class Services:
    """One loopback server that answers like OpenAI, Google, Spotify, Airtable, Stripe and a GraphQL API."""

    def __init__(self) -> None:
        self.valid: set[str] = set()
        services = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # a killed caller does not wait for its answer
                    super().handle()

            def do_GET(self) -> None:
                if self.path.startswith("/.well-known"):
                    self.answer(200, {"issuer": services.url, "token_endpoint": f"{services.url}/token"})
                    return
                given = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self.answer(200 if given in services.valid else 401, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                if self.path == "/token":
                    known = parse_qs(body)["client_secret"][0] in services.valid
                    self.answer(
                        *((400, {"error": "invalid_grant"}) if known else (401, {"error": "invalid_client"}))
                    )
                    return
                if self.path == "/api/token":
                    pair = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
                    self.answer(200 if pair.removeprefix("client:") in services.valid else 400, {})
                    return
                known = self.headers.get("x-api-key") in appsync_keys()
                self.answer(200 if known else 401, {"data": {"__typename": "Query"}})

            def answer(self, status: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def appsync_keys() -> set[str]:
    """Return the ids of the API's keys."""
    from showrunner.aws import sdk

    found = sdk.client("appsync").list_api_keys(apiId=os.environ["APPSYNC_API_ID"])
    return {str(each["id"]) for each in found["apiKeys"]}


# ------------------------------------------------------------------------------------------------ Callers


def use(name: str) -> None:
    """Read the secret as the product does and use it once. Raises if it is refused."""
    from showrunner.aws import ssm
    from showrunner.database import db

    if name == DATABASE:
        db.close()
        with db.transaction() as tx:
            db.value(tx, "SELECT 1")
    elif name == SIGNING_KEY:
        exchange_tokens()
    else:
        accepts(name, ssm.secret(name))


def accepts(name: str, value: str) -> None:
    """Use a value. Raises if the service refuses it."""
    from showrunner.database import db, logins
    from showrunner.errors import Disconnected
    from showrunner.keys import signing, trials
    from showrunner.platforms.google import Google
    from showrunner.platforms.http import Sender

    if name == DATABASE:
        db.connect(role=logins.read(value)).close()
        return
    if name == SIGNING_KEY:
        signing.test(value)
        return
    if name == GOOGLE:
        with contextlib.suppress(Disconnected):
            Google(os.environ["GOOGLE_URL"]).refresh("client", value, "no-refresh-token")
        return
    if name in (SPOTIFY, AIRTABLE, STRIPE):
        trials.try_key(name, value)
        return
    sender = Sender("bench", 10, 65_536)
    if name == OPENAI:
        headers = {"Authorization": f"Bearer {value}"}
        status = sender.send("GET", f"{os.environ['OPENAI_BASE_URL']}/models", headers=headers).status
    else:
        headers = {"x-api-key": value}
        status = sender.send("POST", os.environ["APPSYNC_URL"], body="{}", headers=headers).status
    if status != 200:
        raise PermissionError(f"{name} is refused: {status}")


def exchange_tokens() -> None:
    """Sign a token for the other callers, and verify the newest of each of theirs."""
    from showrunner.access import tokens
    from showrunner.aws import ssm

    folder = Path(os.environ["BENCH_TOKENS"])
    claims = tokens.service_claims(
        "bench", "0b9d6a52-3c1f-4f0e-8d55-6f1e2a7c9b10", [], os.environ["PLATFORM_URL"]
    )
    signed = tokens.sign(claims, json.loads(ssm.secret(SIGNING_KEY)))
    mine = folder / f"{os.getpid()}.part"
    mine.write_text(signed)
    mine.rename(folder / f"{os.getpid()}.token")
    for other in folder.glob("*.token"):
        tokens.verify(other.read_text())


def call_until_told(name: str, cache_seconds: float) -> None:
    """Use the secret until SIGTERM, and print {"calls", "failed", "why"} as the last line."""
    from showrunner.aws import ssm

    ssm.SECRET_SECONDS = cache_seconds  # type: ignore[misc, assignment]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    calls, failed, why = 0, 0, []
    while not stop.is_set():
        calls += 1
        try:
            many_keys.use(name, cache_seconds) if name in many_keys.KINDS else use(name)
        except Exception as error:  # noqa: BLE001 - any failure counts
            failed += 1
            why.append(f"{type(error).__name__}: {error}")
        # A hub's notifications wait in a queue that the rotation reads: not more than it can.
        time.sleep(0.1 if name == many_keys.HUB else 0.02)
    sys.stdout.write(json.dumps({"calls": calls, "failed": failed, "why": why[:3]}) + "\n")


@contextlib.contextmanager
def beside(name: str, count: int, cache_seconds: float, told: dict[str, Any]) -> Iterator[None]:
    """Let processes use the secret meanwhile; add their calls and failures to `told`, and their output."""
    command = [sys.executable, "-u", __file__, "--call", name, "--cache-seconds", str(cache_seconds)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    lines: dict[int, list[str]] = {process.pid: [] for process in processes}
    readers = [
        threading.Thread(target=lambda process=process: lines[process.pid].extend(process.stdout or ()))
        for process in processes
    ]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + 60
    try:
        while not all(any('"message"' in line for line in each) for each in lines.values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the callers of {name} did nothing within a minute")
            time.sleep(0.05)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process, reader in zip(processes, readers, strict=True):
            process.wait(30)
            reader.join()
        for output in lines.values():
            found = json.loads(output[-1])
            told["calls"] += found["calls"]
            told["failed_calls"] += found["failed"]
            told["why"] += found["why"]
            told["written"] += output


# ------------------------------------------------------------------------------------------------ Rotations


def nothing() -> dict[str, Any]:
    """Return the counts of a kind before anything has happened."""
    counts = ("rotations", "killed", "lost", "calls", "failed_calls", "orphan_keys")
    counts += ("moments_without_a_valid_key", "audit_rows_too_many")
    return {**dict.fromkeys(counts, 0), "why": [], "written": []}


class Bench:
    """Rotates one secret again and again, and counts what must not happen."""

    def __init__(self, name: str, services: Services, cache_seconds: float) -> None:
        from showrunner.aws import ssm

        self.name, self.services = name, services
        # A cache that was filled just before the switch, and a little for a busy machine.
        self.pause = cache_seconds * 1.5
        self.values: set[str] = set()
        self.number = 0
        self.told = nothing()
        if name in UPLOADED:
            ssm.write(name, self.upload())
        if name == APPSYNC:
            self.rotate("rotate", 0, "before")
            # Until its end there was no key at all.
            self.told |= {"rotations": 0, "moments_without_a_valid_key": 0, "why": []}

    def upload(self) -> str:
        """Make a new key at the service, as a person would."""
        import secrets

        value = f"bench-{secrets.token_urlsafe(24)}"
        self.services.valid.add(value)
        return value

    def rotate(self, kind: str, place: int, moment: str) -> bool:
        """Do one rotation, killed at one place; return whether it was killed there."""
        import killing

        from functions.key_audit import app as key_audit
        from showrunner.aws import ssm
        from showrunner.database import db
        from showrunner.keys import state
        from showrunner.keys.inventory import BY_NAME

        if kind == "rotate" and BY_NAME[self.name].rotation == "assisted":
            ssm.write(state.candidate(self.name), self.upload())
        with killing.killer() as killer:
            rotation_id = ""

            def arm() -> None:
                nonlocal rotation_id
                rotation_id = str(state.find(self.name)["rotation_id"])
                killer.arm(place, moment)  # type: ignore[arg-type]

            def between() -> None:
                with killer.paused():
                    self.look()

            outcome, killed = killing.rotate(
                self.name,
                kind,  # type: ignore[arg-type]
                arm=arm,
                wait=lambda seconds: time.sleep(self.pause) if seconds else None,
                between=between,
            )
        event = {"name": self.name, "kind": kind, "rotation_id": rotation_id, "subject": "service:bench"}
        for _ in range(2 if killed else 1):  # the answer of the last step may be lost too
            key_audit.handler({**event, "outcome": outcome}, None)
        with db.transaction() as tx:
            sql = "SELECT count(*) FROM audit.events WHERE request_id = :id"
            self.told["audit_rows_too_many"] += abs(db.value(tx, sql, id=rotation_id) - 1)
        self.told["rotations"] += 1
        self.told["killed"] += killed
        self.look()
        self.told["orphan_keys"] += self.orphans()
        return bool(killed)

    def lose(self, place: int) -> None:
        """Begin a rotation that ends in the middle for good; an hour later the next one begins."""
        import killing

        from showrunner.aws import dynamodb, ssm
        from showrunner.keys import state
        from showrunner.keys.inventory import BY_NAME

        if BY_NAME[self.name].rotation == "assisted":
            ssm.write(state.candidate(self.name), self.upload())
        rotation_id = state.begin(BY_NAME[self.name], "rotate")
        answer: dict[str, Any] = {"do": "work", "step": "create"}
        with killing.killer() as killer:
            killer.arm(place, "after")
            with contextlib.suppress(killing.Killed):
                while answer["do"] != "record":
                    time.sleep(self.pause if answer.get("wait_seconds") else 0)
                    answer = killing.invoke(self.name, "rotate", answer, rotation_id)
        self.told["lost"] += 1
        dynamodb.remove(state.primary_key(self.name), "rotation")
        self.look()

    def look(self) -> None:
        """Count a moment in which the current version is not accepted, and remember the versions."""
        from showrunner.aws import ssm
        from showrunner.keys import state

        current = ssm.current(self.name)
        for name in (self.name, state.candidate(self.name), state.previous(self.name)):
            self.values.add(ssm.current(name) or "")
        try:
            accepts(self.name, current or "")
        except Exception as error:  # noqa: BLE001 - any refusal counts
            self.told["moments_without_a_valid_key"] += 1
            self.told["why"].append(f"{type(error).__name__}: {error}")

    def orphans(self) -> int:
        """Return how many keys are valid somewhere although no version names them."""
        from showrunner.aws import dynamodb, ssm
        from showrunner.database import logins
        from showrunner.keys import state

        left = 1 if ssm.current(state.candidate(self.name)) else 0
        used = state.in_use(self.name)
        if self.name == APPSYNC:
            return left + len(appsync_keys() - used)
        if self.name == DATABASE:
            known = {logins.read(value)[0] for value in used}
            return left + sum(1 for role in can_log_in() if role not in known)
        if self.name == SIGNING_KEY:
            current = json.loads(ssm.current(SIGNING_KEY) or "{}")["kid"]
            kids = {each["kid"] for each in json.loads(ssm.current("auth/jwks") or "{}")["keys"]}
            retired = dynamodb.find(state.primary_key(SIGNING_KEY), "retired") or {}
            return left + len(kids - {current} - set(retired))
        return left

    def run(
        self, places: Callable[[], Iterator[int]], moments: tuple[str, ...], count: int, cache: float
    ) -> None:
        """Kill a rotation at each place; the version before is ended by another, killed at the same place."""
        with beside(self.name, count, cache, self.told):
            for moment in moments:
                for place in places():
                    killed = self.rotate("rotate", place, moment)
                    time.sleep(self.pause)
                    self.end_previous(place, moment)
                    if not killed:
                        break
            for place in list(places())[1::4]:
                if self.told["lost"] >= 6:
                    break
                self.lose(place)
                time.sleep(self.pause)
                self.rotate("rotate", 0, "before")
                time.sleep(self.pause)
                self.end_previous(0, "before")

    def end_previous(self, place: int, moment: str) -> None:
        from showrunner.aws import ssm
        from showrunner.keys import state

        old = ssm.current(state.previous(self.name))
        # Tokens of an old signing key live for months, so nothing ends it here but its own overlap.
        if old is None or self.name == SIGNING_KEY:
            self.trim_public_keys()
            return
        self.rotate("revoke", place, moment)
        self.services.valid.discard(old)

    def trim_public_keys(self) -> None:
        """Let a year pass for the public keys but the newest two: a parameter holds eight."""
        from showrunner.aws import dynamodb
        from showrunner.keys import state

        if self.name == SIGNING_KEY:
            retired = dynamodb.find(state.primary_key(SIGNING_KEY), "retired") or {}
            newest = sorted(retired.values())[-2:]
            aged = {kid: since if since in newest else 1 for kid, since in retired.items()}
            dynamodb.put(state.primary_key(SIGNING_KEY), "retired", aged)


def can_log_in() -> list[str]:
    from functions.migrate import app as migrate

    with contextlib.closing(migrate.connect()) as connection:
        sql = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'showrunner_functions%'"
        return [str(row[0]) for row in connection.run(sql)]


def leaks(values: set[str], texts: list[str]) -> list[str]:
    """Return the beginnings of lines that contain a value in any form."""
    from showrunner import masking

    masking._values.clear()
    known: set[str] = set()
    for value in values:
        masking.know(value)
        known |= {form for forms in masking._values.values() for form in forms if len(form) >= 16}
    return [line[:80] for text in texts for line in text.splitlines() if any(form in line for form in known)]


def measure(
    names: tuple[str, ...],
    written: io.TextIOBase,
    *,
    cache_seconds: float,
    callers: int,
    places: Callable[[], Iterator[int]] = lambda: iter(range(1, MOST_PLACES)),
    moments: tuple[str, ...] = ("before", "during", "after"),
) -> dict[str, Any]:
    """Run the bench in the stage that the environment names. `written`: where this process's log goes."""
    from showrunner.aws import sdk
    from showrunner.database import db

    services = Services()
    api = sdk.client("appsync").create_graphql_api(name="bench", authenticationType="API_KEY")["graphqlApi"]
    given = {
        "OPENAI_BASE_URL": services.url,
        **dict.fromkeys(
            ("GOOGLE_URL", "SPOTIFY_ACCOUNTS_URL", "AIRTABLE_BASE_URL", "STRIPE_BASE_URL"), services.url
        ),
        "APPSYNC_API_ID": api["apiId"],
        "APPSYNC_URL": f"{services.url}/graphql",
        "BENCH_TOKENS": str(OUT / "tokens"),
        **many_keys.settings(),
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    (OUT / "tokens").mkdir(parents=True, exist_ok=True)
    told, values, texts = {}, set[str](), list[str]()
    try:
        for name in names:
            for old in (OUT / "tokens").glob("*"):
                old.unlink()
            begun = time.perf_counter()
            bench: Bench | many_keys.Many
            if name in many_keys.KINDS:
                told_of = nothing()
                bench = many_keys.MAKERS[name](told_of, cache_seconds)
                bench.run(places, moments, beside(name, callers, cache_seconds, told_of))
            else:
                bench = Bench(name, services, cache_seconds)
                bench.run(places, moments, callers, cache_seconds)
            texts += bench.told.pop("written")
            values |= bench.values - {""}
            told[name] = {**bench.told, "seconds": round(time.perf_counter() - begun, 1)}
        with db.transaction() as tx:
            texts.append(str(db.value(tx, "SELECT string_agg(e::text, E'\\n') FROM audit.events e")))
        table = sdk.client("dynamodb").scan(TableName=os.environ["STATE_TABLE"])
        texts.append(json.dumps(table, default=str))
    finally:
        services.server.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    written.flush()
    written.seek(0)
    found = leaks(values, [*texts, written.read()])
    return {
        **{count: sum(each[count] for each in told.values()) for count in COUNTS},
        "leaks": len(found),
        "leaking": found[:5],
        "cache_seconds": cache_seconds,
        "callers": callers,
        "kinds": told,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache-seconds", type=float, default=0.5)
    parser.add_argument("--callers", type=int, default=2)
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--call", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        call_until_told(options.call, options.cache_seconds)
        return 0
    kinds = tuple(options.kinds)
    found = measure_alone(kinds[0], options) if len(kinds) == 1 else measure_all(kinds, options)
    (OUT / "keys.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 1 if any(found[name] for name in MUST_BE_NONE) else 0


def measure_all(kinds: tuple[str, ...], options: argparse.Namespace) -> dict[str, Any]:
    """Measure each kind in a process and a stage of its own, some at once: most of the time they wait."""
    command = [sys.executable, __file__, "--cache-seconds", str(options.cache_seconds)]
    command += ["--callers", str(options.callers), "--kinds"]

    def part(kind: str) -> dict[str, Any]:
        result = folder(kind) / "keys.json"
        result.unlink(missing_ok=True)
        environment = {**os.environ, PART: str(folder(kind))}
        ended = subprocess.run([*command, kind], env=environment, capture_output=True, text=True, check=False)
        if not result.exists():
            raise RuntimeError(f"{kind}: {ended.stderr[-2000:]}")
        return dict(json.loads(result.read_text()))

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        parts = list(pool.map(part, kinds))
    return {
        **{name: sum(each[name] for each in parts) for name in (*COUNTS, "leaks")},
        "leaking": [line for each in parts for line in each["leaking"]],
        **{name: parts[0][name] for name in ("cache_seconds", "callers")},
        "kinds": {kind: told for each in parts for kind, told in each["kinds"].items()},
    }


def folder(kind: str) -> Path:
    return OUT / "keys" / kind.replace("/", "-")


def measure_alone(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    import ground

    OUT.mkdir(parents=True, exist_ok=True)
    ground.HOME = OUT
    with (OUT / "keys.log").open("w+", encoding="utf-8") as log:
        sys.stdout = log  # before anything of ours is imported: its logger keeps the stream
        with ground.stage(1):
            for name in ("google/client_id", "spotify/client_id"):
                ground.put_secret(name, "client")
            found = measure((kind,), log, cache_seconds=options.cache_seconds, callers=options.callers)
        sys.stdout = sys.__stdout__
    return found


if __name__ == "__main__":
    sys.exit(main())
