"""make bench-cold:

CPU of a process that imports a function as it is built and serves its first request, beside one that imports
json and awslambdaric.

Each sample is a fresh process on the artefacts of `make build`, which carry their byte code; all take turns.
Every request is a good one, and its answer is checked. The database, SSM and the rest of AWS, and the
platforms, answer from other processes, so their CPU isn't counted.

With `--try`, each request is made once, in this process on the sources, and nothing is measured: a test does
that, so that the bench goes with the code. Each function then begins without secrets and connection, and its
calls of AWS are compared with its role in the template.
"""

import contextlib
import hashlib
import hmac
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import ground
from ground import ROOT, event

ROUNDS = 7
FLOOR = "import json\nimport awslambdaric.bootstrap\n"
SERVE = """
import sys, app
class context:
    aws_request_id = "r"; function_name = "f"; invoked_function_arn = "a"; memory_limit_in_mb = 1024
context.get_remaining_time_in_millis = staticmethod(lambda: 30000)
try:
    said = app.handler(json.loads(sys.argv[1]), context)
except Exception as error:
    said = f"{type(error).__name__}: {error}"
sys.stderr.write("\\n" + json.dumps(said, default=str))
"""
# These workers import an SDK of half a second each, for work of many seconds: no goal holds for them.
WITH_SDK = {"script", "voice", "upload"}
LEFT_OUT = WITH_SDK - {"upload"}
# Functions that call no AWS service.
WITHOUT_CALLS: set[str] = set()
GOALS = {"worst_api": 8, "websub": 8, "worst_other": 12}
CHANNEL, SECRET = "UC" + "a" * 22, "a secret of this run"


class Request:
    """A function's first event, created for each process, and the check of its answer."""

    def __init__(self, make: Callable[[], dict[str, Any]], good: Callable[[Any], bool]) -> None:
        self.make, self.good = make, good


def answered(status: int) -> Callable[[Any], bool]:
    return lambda said: isinstance(said, dict) and said.get("statusCode") == status


def took_all(said: Any) -> bool:
    return said == {"batchItemFailures": []}


def records(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [{"messageId": str(uuid.uuid4()), "body": json.dumps(each)} for each in messages]}


def tests(name: str) -> Any:
    """Import a module of the tests, which know the platforms' answers.

    A package installs its own `tests`: put ours first.
    """
    ours = types.ModuleType("tests")
    ours.__path__ = [str(ROOT / "tests")]
    sys.modules["tests"] = ours
    return importlib.import_module(f"tests.{name.replace('/', '.')}")


def settings(base: str) -> dict[str, str]:
    """Return the environment that template.yaml sets, with the platforms at `base`."""
    from showrunner.aws import sdk

    sqs = sdk.client("sqs")
    sdk.client("s3").create_bucket(Bucket="showrunner-backups-test")
    queues = (
        "REPORTS_DEAD_URL",
        "NOTIFICATIONS_QUEUE_URL",
        "NOTIFICATIONS_DEAD_URL",
        "HUB_QUEUE_URL",
        "POLL_QUEUE_URL",
    )
    return {
        **{name: sqs.create_queue(QueueName=name.lower())["QueueUrl"] for name in queues},
        **dict.fromkeys(
            (
                *("FEED_BASE_URL", "YOUTUBE_BASE_URL", "CONTENT_ID_URL", "REPORTING_URL"),
                *("INSTAGRAM_API_URL", "INSTAGRAM_LOGIN_URL", "INSTAGRAM_OAUTH_URL"),
            ),
            base,
        ),
        "SPOTIFY_MODE": "extended",
        "AIRTABLE_CALLS_A_MONTH": "1000",
        "OPENAI_MODEL": "gpt-6-luna",
        "OPENAI_FALLBACK_MODEL": " ",
        "ELEVENLABS_MODEL": "eleven_multilingual_v2",
        "BACKUP_BUCKET": "showrunner-backups-test",
        "PARAMETER_BACKUP_BUCKET": "showrunner-backups-test",
        "HUB_URL": f"{base}/hub",
        "TOPIC_BASE_URL": "https://www.youtube.com",
        "HTTP_HOSTS": "127.0.0.1",
        "LIVE_URL": "ws://127.0.0.1:8001",
        "CALLBACK_URLS": "https://ingest.example.com/webhook",
        "STAGE_KEY_ARN": sdk.client("kms").create_key()["KeyMetadata"]["Arn"],
        "POWERTOOLS_METRICS_DISABLED": "true",
    }


def people(known: dict[str, Any]) -> dict[str, str]:
    """Tokens of a service, of a person who is an admin, and a key of the Ingestion API."""
    from showrunner.access import sessions, tokens
    from showrunner.database import db
    from showrunner.store.accounts import members, users

    claims = tokens.service_claims(
        "bench",
        known["organisation_id"],
        ["videos:all", "channels:read", "artists:read", "cms:all"],
        ground.ENVIRONMENT["PLATFORM_URL"],
    )
    key = f"sr_{uuid.uuid4().hex}"
    with db.transaction() as tx:
        user_id = users.add(tx, "bench@example.com", None, "Bench", None, None)
        members.add(tx, known["organisation_id"], user_id, "user", owner=True)
        db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE id = :id", id=user_id)
        db.run(
            tx,
            "UPDATE accounts.organisations SET content_owner = true WHERE id = :id",
            id=known["organisation_id"],
        )
        person = sessions.begin(tx, members.get(tx, user_id))["access_token"]
        db.run(
            tx,
            "INSERT INTO access.api_keys (organisation_id, created_by, name, prefix, key_sha256, scopes) "
            "VALUES (:o, 'bench', 'b', 'sr_', :h, '{ingestion}')",
            o=known["organisation_id"],
            h=hashlib.sha256(key.encode()).hexdigest(),
        )
    return {"service": tokens.sign(claims, known["key"]), "person": person, "key": key}


def behind_the_apis(known: dict[str, Any], who: dict[str, str]) -> dict[str, Request]:
    """Return a simple read of each function, through everything that a request passes."""
    from showrunner.database import db

    with db.transaction() as tx:
        columns = "organisation_id, kind, content_type, bytes, sha256, object_key, status"
        asset = f"INSERT INTO studio.assets ({columns})"
        asset_id = db.value(
            tx,
            f"{asset} VALUES (:o, 'image', 'image/png', 1, :h, 'k', 'ready') RETURNING id::text",
            o=known["organisation_id"],
            h="0" * 64,
        )
    feed = event("GET", "/api/v1/videos?limit=50")
    feed["headers"]["x-api-key"] = who["key"]
    asked = {
        "videos": event("GET", f"/api/v1/videos/{known['video_ids'][0]}", who["service"]),
        "channels": event("GET", f"/api/v1/channels/{known['channel_id']}", who["service"]),
        "artists": event("GET", "/api/v1/artists", who["service"]),
        "cms": event("GET", "/api/v1/cms/reports", who["service"]),
        "assets": event("GET", f"/api/v1/assets/{asset_id}", who["service"]),
        "accounts": event("GET", "/api/v1/users/me", who["person"]),
        "admin": event("GET", "/api/v1/admin/audit", who["person"]),
        "feed": feed,
    }
    return {name: Request(lambda made=made: made, answered(200)) for name, made in asked.items()}


def insert_video(known: dict[str, Any]) -> str:
    """Insert a queued video and return its id."""
    from showrunner.database import db

    with db.transaction() as tx:
        order = json.dumps(
            {
                "topic": "Bees",
                "style": "educational",
                "length_seconds": 45,
                "voice": "female1",
                "aspect": ["9:16"],
                "assets": [],
                "priority": 1,
            }
        )
        columns = "organisation_id, channel_id, request"
        video = f"INSERT INTO studio.videos ({columns}) VALUES (:o, :c, :r) RETURNING id::text"
        return str(db.value(tx, video, o=known["organisation_id"], c=known["channel_id"], r=order))


def steps(stand_ins: Any, known: dict[str, Any]) -> dict[str, Request]:
    """Return the steps of a production that is ready to render: each repeats its work."""
    from showrunner.database import db

    video_id = insert_video(known)
    start = {"video_id": video_id, "organisation_id": known["organisation_id"], "attempt": 1}
    rendered = tests("functions/steps/stand_ins").produced(None, stand_ins, start)
    job = {name: value for name, value in rendered.items() if name != "render"}

    def again(step: dict[str, Any]) -> dict[str, Any]:
        """Put the video into its state before the step, also if an earlier process has finished it."""
        with db.transaction() as tx:
            db.run(
                tx,
                "UPDATE studio.videos SET status = 'processing', completed_at = NULL WHERE id = :id",
                id=video_id,
            )
        return step

    def unseen() -> dict[str, Any]:
        """Return a scene whose visual is not chosen yet."""
        from showrunner.aws import s3

        s3.remove(
            [key for key in s3.list_keys(f"organisations/{known['organisation_id']}/") if "/visual" in key]
        )
        return {"scene": 0, **job}

    return {
        "prepare": Request(lambda: again(start), lambda said: said["video_id"] == video_id),
        "record": Request(lambda: again({**job, "step": "script"}), lambda said: not isinstance(said, str)),
        "visuals": Request(unseen, lambda said: not isinstance(said, str)),
        "timeline": Request(lambda: job, lambda said: not isinstance(said, str)),
        "finish": Request(lambda: again(rendered), lambda said: said == {"status": "completed"}),
    }


def publication(known: dict[str, Any]) -> dict[str, Request]:
    """Return the first steps of a publication: its job document, and the check of the film."""
    from showrunner import quotas
    from showrunner.database import db
    from showrunner.store.studio import publications
    from showrunner.videos import publishing

    studio = tests("publishing/studio")
    video_id = insert_video(known)
    product = studio.finished(known["organisation_id"], video_id, studio.mp4())
    with db.transaction() as tx:
        db.run(
            tx,
            "UPDATE studio.videos SET status = 'completed', title = 'Bees', product = :product "
            "WHERE id = :id",
            product=json.dumps(product),
            id=video_id,
        )
        source = publications.get_source(tx, known["organisation_id"], video_id)
        # Without a connected account, as the checks of the film come before the first call of YouTube.
        metadata = publishing.requested_metadata(source).model_dump(mode="json")
        row = publications.open_(tx, source, "publish", metadata, confirm_repeat=False)
    publishing.write_job(row, source, quotas.STAGE)
    job = {"video_id": video_id, "organisation_id": known["organisation_id"], "attempt": row["attempt"]}
    return {
        "publish": Request(lambda: {**job, "step": "begin"}, lambda said: said["step"] == "check"),
        "upload": Request(lambda: {**job, "step": "check"}, lambda said: said["do"] in ("work", "record")),
    }


def keys() -> dict[str, Request]:
    """Return the nightly check of the keys, and the record of a rotation that has ended."""
    done = json.loads((ROOT / "events" / "key_audit.done.json").read_text(encoding="utf-8"))
    done = {**done, "organisation_id": None}
    return {
        "keys": Request(dict, lambda said: "overdue" in said),
        "key_audit": Request(lambda: done, lambda said: said == {"recorded": done["outcome"]}),
    }


def metrics(stand_ins: Any) -> dict[str, Request]:
    """Return a run of the collection of figures: its plan, one batch asked for anew, and loaded again."""
    from showrunner.aws import s3

    ground.put_secret("youtube/api_key", stand_ins.world.key)
    batch = {"platform": "youtube", "accounts": [CHANNEL], "key": "archive/public/youtube/bench/0.json.gz"}

    for name in ("client_id", "client_secret"):
        ground.put_secret(f"spotify/{name}", "local")
    of_spotify = {
        "platform": "spotify",
        "accounts": ["4Z8W4fKeB5YxbusRsdQVPb"],
        "key": "archive/public/spotify/bench/0.json.gz",
    }

    for name in ("client_key", "client_secret"):
        ground.put_secret(f"tiktok/{name}", "local")
    of_tiktok = connected(stand_ins)

    ground.put_secret("airtable/token", stand_ins.world.airtable_app.token)
    to_airtable = {
        "platform": "airtable",
        "organisation_id": str(uuid.uuid4()),
        "base": "app" + "B" * 14,
        "table": "Catalogue",
        "rows": [{"Artist ID": "1", "Artist": "Ada"}],
        "digests": {"1": "digest"},
        "key": "archive/connected/airtable/bench/0.json.gz",
    }

    def unasked(batch: dict[str, Any]) -> dict[str, Any]:
        s3.remove([batch["key"]])
        return batch

    return {
        "collect": Request(
            lambda: {"run": uuid.uuid4().hex, "platform": "youtube"}, lambda said: "batches" in said
        ),
        "youtube": Request(lambda: unasked(batch), lambda said: said["state"] == "fetched"),
        "spotify": Request(lambda: unasked(of_spotify), lambda said: said["state"] == "fetched"),
        "social": Request(lambda: unasked(of_tiktok), lambda said: said["state"] == "fetched"),
        "airtable": Request(lambda: unasked(to_airtable), lambda said: said["state"] == "fetched"),
        "load": Request(lambda: {"key": batch["key"]}, lambda said: said["state"] == "loaded"),
    }


def connected(stand_ins: Any) -> dict[str, Any]:
    """Return the batch of an account on TikTok, whose tokens are stored."""
    from local.platforms import tiktok
    from showrunner.metrics import grants
    from showrunner.models import Tokens

    organisation_id, artist_id, token = str(uuid.uuid4()), str(uuid.uuid4()), uuid.uuid4().hex
    scopes = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")
    stand_ins.world.tiktok_app.access_tokens[token] = tiktok.Grant("ada", scopes, 1e12)
    tokens = Tokens(tiktok.open_id("ada"), token, 7_200, "unused", 86_400, scopes)
    grants.save(grants.Account("tiktok", organisation_id, artist_id), tokens)
    return {
        "platform": "tiktok",
        "accounts": [tokens.account_id],
        "key": "archive/connected/tiktok/bench/0.json.gz",
        "organisation_id": organisation_id,
        "artist_id": artist_id,
    }


def files_of_the_night() -> dict[str, Request]:
    """Return the begin of a backup, and a file that was dropped and is none of a known owner."""
    backup = json.loads((ROOT / "events" / "backup.begin.json").read_text(encoding="utf-8"))
    dropped = json.loads((ROOT / "events" / "reports.dropped.json").read_text(encoding="utf-8"))
    return {
        "backup": Request(
            lambda: {**backup, "id": str(uuid.uuid4())}, lambda said: said["do"] in ("work", "done")
        ),
        "reports": Request(lambda: dropped, took_all),
    }


def ingestion(server: Any, known: dict[str, Any]) -> dict[str, Request]:
    """Return the events of a subscribed channel: its hub, a signed notification, a poll."""
    from showrunner.feed import callbacks

    atom, notification = (getattr(tests("feed/ingestion"), name) for name in ("atom", "notification"))
    token = "A" * 43
    row = {
        "callback_token": token,
        "id": 1,
        "channel_id": CHANNEL,
        "topic_url": f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}",
        "callback_url": "https://ingest.example.com/webhook",
        "asked_seconds": 432_000,
        "secret": callbacks.seal(SECRET, token),
        "previous_secret": None,
        "updated_at": datetime.now(UTC),
    }
    callbacks.save(row, time.time() + 3600)
    server.expect_request("/hub").respond_with_data("", status=202)
    server.expect_request("/feeds/videos.xml").respond_with_data(atom(), content_type="text/xml")
    body = atom()
    delivered = event("POST", f"/webhook/{token}")
    delivered["headers"] |= {
        "content-type": "application/atom+xml",
        "x-hub-signature": f"sha1={hmac.new(SECRET.encode(), body, 'sha1').hexdigest()}",
    }
    delivered["body"] = body.decode()
    return {
        "websub": Request(lambda: delivered, answered(202)),
        "feed_hub": Request(lambda: records({"token": token, "mode": "subscribe"}), took_all),
        "feed_poll": Request(
            lambda: records({"kind": "poll", "channel_id": CHANNEL, "paid": False}), took_all
        ),
        "feed_intake": Request(lambda: records(notification(atom(f"v{uuid.uuid4().hex[:10]}"))), took_all),
    }


def schedules() -> dict[str, Request]:
    """Return the schedules' events at a time when something is due: otherwise they end at once."""
    from showrunner.aws import dynamodb

    def minute(name: str) -> dict[str, Any]:
        dynamodb.remove(f"schedule#{name}", "next")
        return {}

    return {
        "sweep": Request(lambda: minute("sweep"), lambda said: "started" in said),
        "feed_schedule": Request(lambda: minute("subscriptions"), lambda said: "asked" in said),
        "channel_schedule": Request(lambda: minute("channels"), lambda said: "planned" in said),
        "voice_check": Request(dict, lambda said: said is None),
        "retention": Request(dict, lambda said: "windows" in said),
        "migrate": Request(dict, lambda said: said == {"applied": []}),
    }


def live(who: dict[str, str]) -> dict[str, Request]:
    from showrunner.access import tokens
    from showrunner.live import tickets

    def connect() -> dict[str, Any]:
        ticket = tickets.issue(tokens.verify(who["person"]))
        context = {
            "routeKey": "$connect",
            "eventType": "CONNECT",
            "connectionId": uuid.uuid4().hex,
            "apiId": "a",
            "stage": "live",
            "domainName": "d",
        }
        return {"requestContext": context, "queryStringParameters": {"ticket": ticket}, "headers": {}}

    return {"live": Request(connect, answered(200))}


def artefacts() -> dict[str, str]:
    """Return, by function, the PYTHONPATH of what is deployed: its own files and its layers."""
    local = ROOT / ".local" / "env" / "local" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    built = subprocess.run(
        [local, "-m", "local", "build"],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()[-1]
    found = {}
    for folder in sorted((ROOT / built).glob("*/*Function")):
        layer = next(path for path in folder.parent.iterdir() if path.name in ("SharedLayer", "MigrateLayer"))
        assert list(folder.rglob("*.pyc")), f"{folder} was built without byte code"
        found[re.sub(r"(?<!^)(?=[A-Z])", "_", folder.name.removesuffix("Function")).lower()] = (
            f"{folder}{os.pathsep}{layer / 'python'}"
        )
    return found


def cpu_ms(code: str, path: str = "", argument: str = "") -> tuple[float, Any]:
    """Return the CPU seconds of a new process, including system time, and its handler's answer."""
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-c", code, argument]
    process = subprocess.Popen(
        command, env=environment, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said[-2000:]
    return (usage.ru_utime + usage.ru_stime) * 1000, json.loads(said.splitlines()[-1]) if argument else None


def sample(name: str, request: Request, path: str) -> float:
    spent, said = cpu_ms(FLOOR + SERVE, path, json.dumps(request.make()))
    assert not isinstance(said, str), f"{name} failed on its first request: {said}"
    assert request.good(said), f"{name} answered its first request with {said}"
    return spent


def measure(requests: dict[str, Request], paths: dict[str, str]) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in ("floor", *requests)}
    for turn in range(ROUNDS + 1):
        for name, taken in spent.items():
            figure = cpu_ms(FLOOR)[0] if name == "floor" else sample(name, requests[name], paths[name])
            if turn:  # the first round warms the disk's cache
                taken.append(figure)
    return spent


def try_once(requests: dict[str, Request]) -> int:
    """Make each request once in this process. Check its answer, and its AWS calls against its role."""
    from showrunner.aws import ssm
    from showrunner.database import db

    recorded = tests("contract/recorded")
    context = types.SimpleNamespace(
        aws_request_id="r",
        function_name="f",
        invoked_function_arn="a",
        memory_limit_in_mb=1024,
        get_remaining_time_in_millis=lambda: 30_000,
    )
    for name, request in requests.items():
        event_ = request.make()
        ssm.forget()
        db.close()
        said = importlib.import_module(f"functions.{name}.app").handler(event_, context)
        assert request.good(said), f"{name} answered its first request with {said}"
    faults = recorded.faults()
    assert not faults, faults
    silent = {*requests, *LEFT_OUT} - recorded.used.keys() - WITHOUT_CALLS
    assert not silent, f"no call of AWS was seen of {', '.join(sorted(silent))}"
    print(f"{len(requests)} functions answered their first request")
    return 0


def main() -> int:
    from pytest_httpserver import HTTPServer

    is_trial = sys.argv[1:] == ["--try"]
    paths = {} if is_trial else artefacts()
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    if is_trial:
        import pytest

        tests("contract/recorded").record(pytest.MonkeyPatch())
    with (
        open(os.devnull, "w") as nowhere,  # noqa: PTH123
        ground.stage(videos=100) as known,
        HTTPServer() as server,
        tests("functions/steps/stand_ins").running() as (stand_ins, addresses),
    ):
        os.environ.update({**settings(server.url_for("").rstrip("/")), **addresses})
        with contextlib.redirect_stdout(nowhere):  # what the steps log on the way
            for name in ("openai", "elevenlabs"):
                ground.put_secret(f"{name}/api_key", "key")
            who = people(known)
            requests = {
                **behind_the_apis(known, who),
                **steps(stand_ins, known),
                **publication(known),
                **keys(),
                **metrics(stand_ins),
                **files_of_the_night(),
                **ingestion(server, known),
                **schedules(),
                **live(who),
            }
        missing = functions - requests.keys() - LEFT_OUT
        assert not missing, f"no first request for {', '.join(sorted(missing))}"
        if is_trial:
            return try_once(requests)
        spent = measure(requests, paths)
    ratios = {name: ground.ratio(each, spent["floor"]) for name, each in spent.items() if name != "floor"}
    apis = {
        name
        for name in ratios
        if "Application(" in (ROOT / "functions" / name / "app.py").read_text(encoding="utf-8")
    }
    figures: dict[str, Any] = {
        "ratio": ratios,
        "worst_api": max(ratios[name] for name in apis),
        "websub": ratios["websub"],
    }
    figures["worst_other"] = max(
        each for name, each in ratios.items() if name not in {*apis, *WITH_SDK, "websub"}
    )
    ground.write("cold", figures)
    print(f"{'':16}{'CPU ms':>8}{'ratio':>8}")
    for name, each in spent.items():
        print(f"{name:16}{statistics.median(each):8.0f}{ratios.get(name, 1.0):8.2f}")
    for name, goal in GOALS.items():
        print(
            f"{name:14}{figures[name]:6.2f}   goal at most {goal}: "
            f"{'met' if figures[name] <= goal else 'MISSED'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
