"""make bench-metrics: one collection of 10,000 artists from YouTube's stand-in, with failures and a restart.

Runs follow each other without the hour between them, so the units of half a day are spent in a minute. One
run is killed half way and repeated. Four calls fail, each in its own way. PostgreSQL and the functions are
real; S3 and the state table are moto's, in a process of its own; the stand-in counts the units.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/showrunner")]

import ground  # noqa: E402

# Each failure that is injected would print its traceback.
os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
OUT = ROOT / ".local" / "bench" / "metrics.json"
FAILURES = ("backend_error", "rate_limit", "rate_limit_new", "bad_gateway")
# As many as the machine works on at once, and as often as it repeats a step.
AT_ONCE, ATTEMPTS = 4, 5
CHANNEL = "UC{:022}"


def collect(batch: dict[str, Any]) -> int:
    """Do the machine's work on a batch. Returns how many artists were loaded."""
    from functions.load import app as load
    from functions.youtube import app as youtube
    from showrunner.database import db
    from showrunner.errors import PlatformUnavailable

    try:
        for attempt in range(ATTEMPTS):
            try:
                fetched = youtube.handler(batch, None)
                break
            except PlatformUnavailable:
                if attempt == ATTEMPTS - 1:
                    raise
        if fetched["state"] != "fetched":
            return 0
        return int(load.handler({"key": fetched["key"]}, None)["artists"])
    finally:
        db.close()


def run(name: str, part: float = 1.0) -> int:
    """Run a collection, or its first part as one that is killed does. Returns the number of batches."""
    from functions.collect import app as plan
    from showrunner.aws import s3

    planned = plan.handler({"run": name}, None)
    if not planned["batches"]:
        return 0
    batches = s3.get_json(planned["key"])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(collect, batches[: int(len(batches) * part)]))
    return len(batches)


def measure(world: Any, artists: int) -> dict[str, Any]:
    """Collect all artists, run after run. Returns the figures of the report."""
    from showrunner import quotas
    from showrunner.aws import schedules
    from showrunner.database import db

    world.outcomes.add_all([{"outcome": each} for each in FAILURES])
    begun, hour = time.perf_counter(), 0
    run("hour-0", part=0.5)
    while run(f"hour-{hour}"):
        hour += 1
        schedules.look_again("metrics", 0)
    wall = time.perf_counter() - begun
    with db.reading() as tx:
        counted = (
            db.one(
                tx,
                """
            SELECT (SELECT count(*) FROM metrics.accounts WHERE state <> 'found') AS unanswered,
                   (SELECT count(*) FROM metrics.accounts c WHERE NOT EXISTS (
                       SELECT FROM metrics.points p
                        WHERE p.artist_id = c.artist_id AND p.metric = 'views')) AS lost,
                   (SELECT count(*) FROM (SELECT FROM metrics.points GROUP BY artist_id, metric
                                          HAVING count(*) > 1) repeated) AS repeated,
                   (SELECT count(*) FROM metrics.points) AS figures
            """,
            )
            or {}
        )
    least = -(-artists // 50)
    return {
        "artists": artists,
        "runs": hour,
        "youtube_units": world.spent,
        "youtube_units_vs_least": round(world.spent / least, 3),
        "limits_exceeded": int(world.spent > quotas.SHARES["metrics"]),
        "lost_snapshots": counted["lost"] + counted["unanswered"],
        "repeated_snapshots": counted["repeated"],
        "figures": counted["figures"],
        "injected_failures": len(FAILURES),
        "calls_per_s": round(world.spent / wall, 1),
        "wall_s": round(wall, 1),
        "clock_factor": f"{hour} hourly runs without the time between them",
    }


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--artists", type=int, default=10_000)
    arguments.add_argument("--try", action="store_true", dest="is_trial", help="with 1,000 artists")
    options = arguments.parse_args()
    artists = 1_000 if options.is_trial else options.artists
    with contextlib.redirect_stdout(io.StringIO()), ground.stage(1) as stage:
        report = on(stage, artists)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for name, value in report.items():
        print(f"{name:24} {value}")
    is_good = not (report["limits_exceeded"] or report["lost_snapshots"] or report["repeated_snapshots"])
    print("All calls were answered." if is_good else "FAILED: see above.")
    return 0 if is_good else 1


def on(stage: dict[str, Any], artists: int) -> dict[str, Any]:
    """Prepare the stand-in and the artists on a stage, and measure."""
    from local.platforms import server as stand_ins
    from showrunner.aws import sdk, ssm
    from showrunner.database import db
    from showrunner.store.metrics import artists as store

    world = stand_ins.World(seeded=True)
    serving = stand_ins.server(world, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    os.environ["YOUTUBE_BASE_URL"] = f"http://127.0.0.1:{serving.server_port}"
    sdk.client("ssm").put_parameter(
        Name=f"/showrunner/{os.environ['STAGE']}/youtube/api_key", Value=world.key, Type="SecureString"
    )
    ssm.forget()
    with db.transaction() as tx:
        given = [{"name": f"Artist {number}", "tier": "active"} for number in range(artists)]
        added = store.add(tx, stage["organisation_id"], given)
        accounts = [
            {"artist_id": artist_id, "platform": "youtube", "account_id": CHANNEL.format(number)}
            for number, artist_id in enumerate(added.values())
        ]
        store.save_accounts(tx, stage["organisation_id"], accounts)
    try:
        return measure(world, artists)
    finally:
        serving.shutdown()


if __name__ == "__main__":
    sys.exit(main())
