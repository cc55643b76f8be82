"""make bench-ingest: the receiver and the worker of notifications, their limits and the naive way, by turns.

receive   HMAC, envelope and enqueue, signed but for the socket, against a bare expat + HMAC loop; and the
whole handler, state item and log line included worker    the whole handler (SQS event, parse, dedupe, merge,
commit, events) in batches of 10 and 100, against defusedxml with SELECT then INSERT and a
          commit each over the same tables, feedparser in its place, and the bare COPY of the same rows

`events_s_core` counts the CPU of this process, as a worker has a core of its own; `events_s_both` adds that
of its PostgreSQL backend; wall is one stream. Medians of --rounds rounds (5).
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import io
import itertools
import json
import os
import socket
import statistics
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from xml.parsers import expat

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/showrunner")]
OUT = ROOT / ".local" / "bench"
SECRET = b"secret-of-32-bytes-secret-of-32b"
COUNTER = itertools.count()
TICKS = os.sysconf("SC_CLK_TCK")


def atom(number: int) -> bytes:
    channel = f"UC{number % 5000:022d}"
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom">
 <link rel="hub" href="https://pubsubhubbub.appspot.com"/>
 <link rel="self" href="https://www.youtube.com/xml/feeds/videos.xml?channel_id={channel}"/>
 <title>YouTube video feed</title><updated>2026-11-20T08:13:10.038244318+00:00</updated>
 <entry><id>yt:video:V{number:010d}</id><yt:videoId>V{number:010d}</yt:videoId><yt:channelId>{channel}</yt:channelId>
  <title>Video title {number} – ünïcode &amp; more</title><link rel="alternate" href="https://www.youtube.com/watch?v=V{number:010d}"/>
  <author><name>Channel title {number % 5000}</name><uri>https://www.youtube.com/channel/{channel}</uri></author>
  <published>2026-11-20T08:12:50+00:00</published><updated>2026-11-20T08:13:10.038244318+00:00</updated></entry></feed>""".encode()


def quietly(call) -> None:
    """Discard the functions' log after it is written, as in Lambda."""
    with contextlib.redirect_stdout(io.StringIO()):
        call()


class Meter:
    """Wall and CPU time of one variant. The database backend's CPU comes from /proc."""

    def __init__(self, backend: int | None) -> None:
        self.backend, self.wall, self.cpu, self.own = backend, [], [], []

    def now(self) -> tuple[float, float, float]:
        server = 0.0
        if self.backend:
            fields = Path(f"/proc/{self.backend}/stat").read_text().rpartition(")")[2].split()
            server = (int(fields[11]) + int(fields[12])) / TICKS
        return time.perf_counter(), time.process_time(), server

    def run(self, call, events: int) -> None:
        before = self.now()
        call()
        wall, own, server = (
            (after - begun) / events * 1e6 for begun, after in zip(before, self.now(), strict=True)
        )
        self.wall.append(wall)
        self.own.append(own)
        self.cpu.append(own + server)

    def measured(self) -> dict[str, float]:
        wall, own, both = (statistics.median(each) for each in (self.wall, self.own, self.cpu))
        return {
            "wall_us": round(wall, 1), "own_cpu_us": round(own, 1), "cpu_us": round(both, 1),
            "events_s": round(1e6 / wall),
            "events_s_core": round(1e6 / own), "events_s_both": round(1e6 / both),
        }  # fmt: skip


# ------------------------------------------------------------------------------------------------ Receive


FIELDS = {
    "http://www.youtube.com/xml/schemas/2015 videoId": 0,
    "http://www.youtube.com/xml/schemas/2015 channelId": 1,
    "http://www.w3.org/2005/Atom title": 2,
    "http://www.w3.org/2005/Atom published": 3, "http://www.w3.org/2005/Atom updated": 4,
}  # fmt: skip


def bare(body: bytes, signature: str) -> list[str]:
    """The minimum: check a notification's signature and read its five fields."""
    found, text, depth, field = [""] * 5, [], 0, -1

    def start(name: str, _: object) -> None:
        nonlocal depth, field
        depth += 1
        if depth == 3:
            field = FIELDS.get(name, -1)
            text.clear()

    def end(_: str) -> None:
        nonlocal depth, field
        if depth == 3 and field >= 0:
            found[field] = "".join(text)
            field = -1
        depth -= 1

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = (
        start,
        end,
        text.append,
    )
    parser.Parse(body, True)
    assert hmac.compare_digest(hmac.digest(SECRET, body, "sha1").hex(), signature)
    return found


def receive_cases(rpc, sealed: bytes):  # noqa: C901 - one small function for each case
    from functions.websub import app

    item = {
        "subscription_id": {"N": "1"}, "channel_id": {"S": "UC" + "0" * 22}, "topic_url": {"S": "t"},
        "address": {"S": "a"}, "lease_seconds": {"N": "432000"},
        "asked": {"S": "subscribe"}, "asked_until": {"N": "0"},
        "secret": {"B": base64.b64encode(sealed).decode()},
    }  # fmt: skip
    state = json.dumps({"Item": item}).encode()
    sent: list[bytes] = []

    class Answer:
        status = 200

        def __init__(self, body: bytes) -> None:
            self.read = lambda: body

    class Connection:
        """Everything of a request except the socket."""

        def request(self, _method, _path, body, headers) -> None:
            self.answer = state if headers["x-amz-target"].endswith("GetItem") else b"{}"
            sent.append(body)

        def getresponse(self) -> Answer:
            return Answer(self.answer)

    bodies = [atom(number) for number in range(500)]
    signatures = [hmac.digest(SECRET, body, "sha1").hex() for body in bodies]
    path = f"/webhook/{'A' * 43}"
    events = [
        {
            "rawPath": path,
            "headers": {"x-hub-signature": f"sha1={signature}", "content-type": "application/atom+xml"},
            "requestContext": {"requestId": "x", "http": {"method": "POST"}},
            "body": body.decode(),
            "isBase64Encoded": False,
        }
        for body, signature in zip(bodies, signatures, strict=True)
    ]
    endpoint = os.environ["AWS_ENDPOINT_URL"]

    def ours() -> None:
        before = rpc.threads.__dict__.get(endpoint)
        rpc.threads.__dict__[endpoint] = Connection()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                for event in events:
                    assert app.handler(event, None)["statusCode"] == 202
        finally:
            rpc.threads.__dict__[endpoint] = before
            sent.clear()

    callback = None

    def path_only() -> None:
        """From the state item on: HMAC, envelope, enqueue."""
        nonlocal callback
        before = rpc.threads.__dict__.get(endpoint)
        rpc.threads.__dict__[endpoint] = Connection()
        callback = callback or app.find(path)
        for body, event in zip(bodies, events, strict=True):
            app.receive(callback, event["headers"], body)
        rpc.threads.__dict__[endpoint] = before
        sent.clear()

    def floor() -> None:
        for body, signature in zip(bodies, signatures, strict=True):
            bare(body, signature)

    def one(number: int) -> None:
        rpc.threads.__dict__[endpoint] = connection
        assert app.handler(events[number % 500], None)["statusCode"] == 202
        sent.clear()

    connection = Connection()
    return {
        "receive": (path_only, 500),
        "receive, whole handler": (ours, 500),
        "floor (expat + HMAC)": (floor, 500),
    }, one


def paced(call, per_second: int, seconds: float) -> list[float]:
    """Return the milliseconds of each call at a steady rate; a late call counts from when it was due."""
    begun, times = time.perf_counter(), []
    for number in range(int(per_second * seconds)):
        due = begun + number / per_second
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        call(number)
        times.append((time.perf_counter() - due) * 1000)
    return sorted(times)


# ------------------------------------------------------------------------------------------------ Worker


def sqs_event(count: int) -> dict:
    """A batch of which a fifth repeats what came before."""
    records = []
    for _ in range(count):
        number = next(COUNTER)
        number -= number % 5 == 4
        message = {
            "kind": "notification",
            "delivery_id": str(uuid.uuid4()),
            "subscription_id": None,
            "channel_id": f"UC{number % 5000:022d}",
            "body": base64.b64encode(atom(number)).decode(),
            "at": datetime.now(UTC).isoformat(),
        }
        records.append({"messageId": str(number), "body": json.dumps(message)})
    return {"Records": records}


def naive(connection, bodies: list[bytes], parse) -> None:
    """Process one event after another the naive way.

    Is it known? Else record it, then its channel, video and update; each is looked for before it is written.
    """
    run = connection.run
    for body in bodies:
        digest = hashlib.sha256(body).digest()
        known = run("SELECT event_id FROM feed.seen WHERE content_hash = :h", h=digest)
        video, channel, name, title, published, updated = parse(body)
        run("BEGIN")
        [[event]] = run(
            "INSERT INTO feed.events (received_at, content_hash, raw_xml, video_id, channel_id, processed, "
            "processed_at, repeat) "
            "VALUES (now(), :h, :x, :v, :c, true, now(), :r) RETURNING id",
            h=digest, x=body.decode(), v=video, c=channel, r=bool(known),
        )  # fmt: skip
        if not known:
            run("INSERT INTO feed.seen (content_hash, event_id) VALUES (:h, :e)", h=digest, e=event)
            if run("SELECT 1 FROM feed.channels WHERE channel_id = :c", c=channel):
                run(
                    "UPDATE feed.channels SET title = :t, last_updated_at = now() WHERE channel_id = :c",
                    t=name,
                    c=channel,
                )
            else:
                run("INSERT INTO feed.channels (channel_id, title) VALUES (:c, :t)", c=channel, t=name)
            before = run("SELECT title, feed_updated_at FROM feed.videos WHERE video_id = :v", v=video)
            if before:
                run(
                    "UPDATE feed.videos SET title = :t, feed_updated_at = :u, last_updated_at = now() WHERE "
                    "video_id = :v",
                    t=title,
                    u=updated,
                    v=video,
                )
            else:
                run(
                    "INSERT INTO feed.videos (video_id, channel_id, title, published_at, feed_updated_at) "
                    "VALUES (:v, :c, :t, :p, :u)",
                    v=video, c=channel, t=title, p=published, u=updated,
                )  # fmt: skip
            run(
                "INSERT INTO feed.updates (webhook_event_id, video_id, channel_id, title, published_at, "
                "feed_updated_at, update_type) "
                "VALUES (:e, :v, :c, :t, :p, :u, :k)",
                e=event, v=video, c=channel, t=title, p=published, u=updated,
                k="unknown" if before else "new_video",
            )  # fmt: skip
        run("COMMIT")


def by_defusedxml(body: bytes) -> tuple:
    from defusedxml.ElementTree import fromstring

    atom_, yt = "{http://www.w3.org/2005/Atom}", "{http://www.youtube.com/xml/schemas/2015}"
    entry = fromstring(body).find(f"{atom_}entry")
    find = entry.findtext
    return (
        find(f"{yt}videoId"),
        find(f"{yt}channelId"),
        find(f"{atom_}author/{atom_}name"),
        find(f"{atom_}title"),
        find(f"{atom_}published"),
        find(f"{atom_}updated"),
    )


def by_feedparser(body: bytes) -> tuple:
    import feedparser

    entry = feedparser.parse(body).entries[0]
    return entry.yt_videoid, entry.yt_channelid, entry.author, entry.title, entry.published, entry.updated


def copy(connection, count: int) -> None:
    """Copy prepared rows into the events table: the most that the database accepts."""
    rows = []
    for _ in range(count):
        number = next(COUNTER)
        body = atom(number)
        text = body.decode().replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
        rows.append(
            f"2026-11-20T00:00:00Z\t\\\\x{hashlib.sha256(body).hexdigest()}\t{text}\tV{number:010d}"
            f"\tUC{number % 5000:022d}\tt\n"
        )
    stream = io.BytesIO("".join(rows).encode())
    connection.run(
        "COPY feed.events (received_at, content_hash, raw_xml, video_id, channel_id, processed) FROM STDIN",
        stream=stream,
    )


def bodies_of(count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        number = next(COUNTER)
        found.append(atom(number - (number % 5 == 4)))
    return found


@contextlib.contextmanager
def database(folder: Path):
    from functions.migrate import app as migrate
    from local import postgres
    from showrunner.aws import ssm
    from showrunner.database import db

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.server(folder, port, throwaway=False) as running:
        os.environ.update(running.environment)
        for name, value in running.secrets.items():
            ssm._secrets[name] = (time.monotonic() + 1e9, value)
        migrate.handler({}, None)
        connection = migrate.connect()
        yield connection
        connection.close()
        db.close()


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--events", type=int, default=2000)
    options = arguments.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1",
        STAGE="bench", STATE_TABLE="state", EVENT_BUS_NAME="bus",
        AWS_ENDPOINT_URL="http://127.0.0.1:9", NOTIFICATIONS_QUEUE_URL="q", NOTIFICATIONS_DEAD_URL="d", TOPIC_BASE_URL="https://www.youtube.com",
        POWERTOOLS_LOG_LEVEL="WARNING",
    )  # fmt: skip
    import tempfile

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from functions.feed_intake import app as worker
    from showrunner.access import sealing
    from showrunner.aws import events, rpc, schedules
    from showrunner.database import db

    key = os.urandom(32)
    sealing._own["websub"] = (key, b"wrapped")
    sealing._opened["websub", b"wrapped"] = AESGCM(key)
    sealed = sealing.seal(SECRET, "websub", "A" * 43)
    receive, one = receive_cases(rpc, sealed)
    # A worker tells the schedule of its work once in seven minutes.
    schedules._words["subscriptions"] = time.time() + 3600
    # The bus is a network call of its own for each ten updates, which no database work can hide; its JSON is
    # counted, its socket isn't.
    events.rpc = type("Quiet", (), {"call": staticmethod(lambda *arguments: {"sent": json.dumps(arguments)})})

    with tempfile.TemporaryDirectory(dir=OUT) as folder, database(Path(folder)) as connection:
        [[backend]] = connection.run("SELECT pg_backend_pid()")
        db.session().open()
        with db.reading() as tx:
            own = db.value(tx, "SELECT pg_backend_pid()")
        count = options.events

        def by(size: int):
            batches = [sqs_event(size) for _ in range(count // size)]
            return lambda: quietly(lambda: [worker.handler(batch, None) for batch in batches])

        def naively(parse, number: int):
            bodies = bodies_of(number)
            return lambda: naive(connection, bodies, parse)

        meters = {name: Meter(None) for name in receive}
        ways = {
            "worker, batches of 10": (own, lambda: (by(10), count)),
            "worker, batches of 100": (own, lambda: (by(100), count)),
            "naive (defusedxml)": (backend, lambda: (naively(by_defusedxml, count // 5), count // 5)),
            "naive (feedparser)": (backend, lambda: (naively(by_feedparser, count // 5), count // 5)),
            "bare COPY of the events": (
                backend,
                lambda: ((lambda: [copy(connection, 100) for _ in range(count // 100)]), count),
            ),
        }
        meters |= {name: Meter(pid) for name, (pid, _) in ways.items()}
        for round_ in range(options.rounds + 1):
            for name, (call, events_) in receive.items():
                meters[name].run(call, events_)
            for name, (_, make) in ways.items():
                call, events_ = make()
                meters[name].run(call, events_)
            if round_ == 0:
                for meter in meters.values():
                    meter.wall.clear()
                    meter.cpu.clear()
                    meter.own.clear()
            connection.run("ANALYZE feed.videos")
    measured = {name: meter.measured() for name, meter in meters.items()}
    latency = paced_receive(one)
    ten, hundred, naive_way = (
        measured["worker, batches of 10"],
        measured["worker, batches of 100"],
        measured["naive (defusedxml)"],
    )
    figures = {
        "worker_vs_naive": round(naive_way["wall_us"] / ten["wall_us"], 1),
        "worker_vs_naive_cpu": round(naive_way["cpu_us"] / ten["cpu_us"], 1),
        "worker_vs_feedparser": round(measured["naive (feedparser)"]["wall_us"] / ten["wall_us"], 1),
        "worker_events_s": ten["events_s_core"],
        "worker_events_s_100": hundred["events_s_core"],
        "worker_events_s_both": ten["events_s_both"],
        "worker_events_s_100_both": hundred["events_s_both"],
        "worker_events_s_wall": ten["events_s"],
        "worker_events_s_100_wall": hundred["events_s"],
        "worker_100_vs_copy": round(hundred["wall_us"] / measured["bare COPY of the events"]["wall_us"], 1),
        "receive_vs_floor": round(
            measured["receive"]["cpu_us"] / measured["floor (expat + HMAC)"]["cpu_us"], 2
        ),
        "handler_vs_floor": round(
            measured["receive, whole handler"]["cpu_us"] / measured["floor (expat + HMAC)"]["cpu_us"], 2
        ),
        **latency,
        "ways": measured,
    }
    print(
        f"{'':28s}{'wall µs':>10s}{'own CPU':>10s}{'+ backend':>10s}{'events/s':>10s}{'per core':>10s}"
        f"{'of both':>10s}"
    )
    for name, each in measured.items():
        times = f"{each['wall_us']:10.1f}{each['own_cpu_us']:10.1f}{each['cpu_us']:10.1f}"
        print(
            f"{name:28s}{times}{each['events_s']:10d}{each['events_s_core']:10d}{each['events_s_both']:10d}"
        )
    print({name: value for name, value in figures.items() if name != "ways"})
    (OUT / "ingest.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def paced_receive(one) -> dict[str, float]:
    """200 posts a second for five seconds, in process."""
    with contextlib.redirect_stdout(io.StringIO()):
        times = paced(one, 200, 5)
    return {
        "receive_p50_ms": round(times[len(times) // 2], 2),
        "receive_p99_ms": round(times[int(len(times) * 0.99)], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
