"""make bench-metrics, make run-metrics: artists on the stand-ins of five platforms in one run.

bench-metrics: 10,000 artists on YouTube, Spotify, Airtable, TikTok and Instagram. On the last two each has a
connected account, which is calls of its own, with videos and posts; and of some artists the videos, albums
and tracks are collected, as many as an hour asks for. Each platform fails in each of its ways, and a run
of YouTube's is killed half way and begun again. PostgreSQL and the functions are real, each batch in one of
AT_ONCE processes, as in Lambda's environments; S3 and the state table are moto's, in a process of its own;
the stand-ins count their calls. Limits per window are FACTOR times as high here and there; hourly runs follow
each other without the time between them.

run-metrics: three artists for 14 days, and a picture of each one's followers in .local/out/metrics.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/showrunner")]

import ground  # noqa: E402

# Each failure that is injected would print its traceback.
os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
OUT = ROOT / ".local" / "bench" / "metrics.json"
PICTURES = ROOT / ".local" / "out" / "metrics"
FACTOR = 100
FAILURES: dict[str, tuple[str, ...]] = {
    "youtube": ("backend_error", "rate_limit", "rate_limit_new", "bad_gateway"),
    "spotify": ("server_error", "bad_gateway", "truncated", "expired_token"),
    "tiktok": ("internal_error", "bad_gateway", "truncated"),
    "instagram": ("transient", "bad_gateway", "truncated"),
    "airtable": ("server_error", "bad_gateway", "truncated", "lost_answer"),
}
PLATFORMS = ("youtube", "spotify", "tiktok", "instagram", "airtable")
CONNECTED = ("tiktok", "instagram")
# As many as the machine works on at once, and as often as it repeats a step.
AT_ONCE, ATTEMPTS = 4, 8
# Hourly runs for items: the first finds videos and albums, the next ones ask for their figures.
ITEM_HOURS = 3
ITEM_PLATFORMS = ("youtube", "spotify")
CHANNEL, SPOTIFY, BASE = "UC{:022}", "{:022}", "app" + "B" * 14
DAYS = 14
ITEM_ARTISTS = 300
# Of one call to DynamoDB.
ITEMS_A_CALL = 25


def fetcher(platform: str) -> Any:
    from functions.airtable import app as airtable
    from functions.social import app as social
    from functions.spotify import app as spotify
    from functions.youtube import app as youtube

    found = {"youtube": youtube, "spotify": spotify, "tiktok": social, "instagram": social}
    return {**found, "airtable": airtable}[platform]


class Done(NamedTuple):
    """A run's batches, and how many of them were loaded."""

    batches: int
    loaded: int


def work(batch: dict[str, Any]) -> bool:
    """Do the machine's work on a batch. Returns whether its answer was loaded."""
    from functions.load import app as load
    from showrunner.errors import PlatformUnavailable

    for _ in range(ATTEMPTS):
        try:
            fetched = fetcher(batch["platform"]).handler(batch, None)
        except PlatformUnavailable:
            # The breaker pauses for half a minute after five failures in a row, which these are not.
            time.sleep(0.1)
            continue
        if fetched["state"] == "later":
            time.sleep(min(fetched["wait_seconds"], 2))
            continue
        if fetched["state"] == "fetched":
            load.handler({"key": fetched["key"]}, None)
        return bool(fetched["state"] == "fetched")
    return False


def workers() -> ProcessPoolExecutor:
    """Start the processes that do the batches. No thread may run yet, and no connection be open."""
    from showrunner.aws import rpc
    from showrunner.database import db

    db.close()
    for each in rpc.threads.__dict__.values():
        each.close()
    rpc.threads.__dict__.clear()
    pool = ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("fork"))
    # The first call starts all of them.
    pool.submit(os.getpid).result()
    return pool


def run(pool: ProcessPoolExecutor, name: str, platform: str, share: float = 1.0, **part: str) -> Done:
    """Run a collection, or its first share as one that is killed does. `part`: "items" or nothing."""
    from functions.collect import app as plan
    from showrunner.aws import s3

    planned = plan.handler({"run": name, "platform": platform, **part}, None)
    if not planned["batches"]:
        return Done(0, 0)
    batches = s3.get_json(planned["key"])
    loaded = sum(pool.map(work, batches[: int(len(batches) * share)]))
    return Done(len(batches), loaded)


def measure(
    world: Any, pool: ProcessPoolExecutor, artists: int, connected: int, with_items: int
) -> dict[str, Any]:
    """Collect all artists, run after run, write the catalogue, and collect items. Returns the report."""
    from local.platforms import feeds
    from showrunner import quotas
    from showrunner.aws import schedules
    from showrunner.metrics.definitions import schedule

    outcomes = {
        "youtube": world.outcomes,
        **{each: getattr(world, f"{each}_app").outcomes for each in PLATFORMS[1:]},
    }
    fail(outcomes, PLATFORMS)
    begun, seconds, runs = time.perf_counter(), {}, 0
    run(pool, "youtube-0", "youtube", share=0.5)
    for platform in PLATFORMS:
        first, hour = time.perf_counter(), 0
        while run(pool, f"{platform}-{hour}", platform).batches:
            hour += 1
            if platform == "airtable":
                continue
            schedules.look_again(schedule(platform), 0)
        runs += hour
        seconds[platform] = round(time.perf_counter() - first, 1)
    accounts_wall = time.perf_counter() - begun
    units = world.spent
    fail(outcomes, ITEM_PLATFORMS)
    leave_items(with_items)
    item_runs = {each: collect_items(pool, each, seconds) for each in ITEM_PLATFORMS}
    wall = time.perf_counter() - begun
    counted = count()
    apps = [world.spotify_app.window, *world.tiktok_app.windows.values()]
    exceeded = sum(each.refused for each in apps) + world.airtable_app.refused + world.refused_for_quota
    exceeded += world.instagram_app.refused
    calls = world.spent + world.spent_apart.total() + sum(world.calls[each] for each in feeds.PATHS)
    calls += world.spotify_app.calls + world.tiktok_app.calls
    calls += world.instagram_app.calls + world.airtable_app.calls
    records = len(world.airtable_app.base(BASE).records.get("Catalogue", {}))
    return {
        "artists": artists,
        "connected_artists": connected,
        "runs": runs,
        "artists_with_items": with_items,
        "youtube_units": world.spent,
        "youtube_units_vs_least": round(units / -(-artists // 50), 3),
        "limits_exceeded": exceeded + int(world.spent > quotas.SHARES["metrics"]),
        "lost_snapshots": counted["lost"] + counted["unanswered"] + artists - records,
        "repeated_snapshots": counted["repeated"],
        "figures": counted["figures"],
        "item_batches": sum(each.batches for each in item_runs.values()),
        "lost_item_batches": sum(each.batches - each.loaded for each in item_runs.values()),
        "repeated_item_snapshots": counted["repeated_items"],
        "items": items_by_kind(),
        "item_figures": counted["item_figures"],
        "injected_failures": sum(len(FAILURES[each]) for each in (*PLATFORMS, *ITEM_PLATFORMS)),
        "calls": calls,
        "calls_per_s": round(calls / wall, 1),
        "wall_s": round(wall, 1),
        "accounts_wall_s": round(accounts_wall, 1),
        "seconds_by_platform": seconds,
        "clock_factor": FACTOR,
        "load": [round(each, 1) for each in os.getloadavg()],
    }


def fail(outcomes: dict[str, Any], platforms: tuple[str, ...]) -> None:
    """Let the next calls of platforms fail, each in its ways."""
    for platform in platforms:
        outcomes[platform].add_all([{"outcome": each} for each in FAILURES[platform]])


def collect_items(pool: ProcessPoolExecutor, platform: str, seconds: dict[str, float]) -> Done:
    """Do ITEM_HOURS runs for videos and other items. Returns all of their batches."""
    from showrunner.aws import schedules
    from showrunner.metrics.definitions import items_schedule

    first, done = time.perf_counter(), []
    for hour in range(ITEM_HOURS):
        schedules.look_again(items_schedule(platform), 0)
        done.append(run(pool, f"{platform}-items-{hour}", platform, part="items"))
    seconds[f"{platform} items"] = round(time.perf_counter() - first, 1)
    return Done(sum(each.batches for each in done), sum(each.loaded for each in done))


def leave_items(artists: int) -> None:
    """Let all artists but so many have been asked for their items just now."""
    from showrunner.database import db
    from showrunner.metrics import readings

    names = {each: [reading.name for reading in readings.of(each)] for each in ITEM_PLATFORMS}
    with db.transaction() as tx:
        for platform, asked in names.items():
            db.run(
                tx,
                """
                INSERT INTO metrics.readings (artist_id, platform, reading, checked_at)
                SELECT c.artist_id, c.platform, r.reading, now()
                  FROM (SELECT artist_id, platform FROM metrics.accounts WHERE platform = :platform
                         ORDER BY account_id OFFSET :artists) c
                 CROSS JOIN unnest(:asked::text[]) r (reading)
                """,
                platform=platform,
                artists=artists,
                asked=asked,
            )


def items_by_kind() -> dict[str, int]:
    """Return platform and kind -> how many items are known."""
    from showrunner.database import db

    with db.reading() as tx:
        found = db.rows(
            tx,
            "SELECT platform || ' ' || kind AS kind, count(*) FROM metrics.items GROUP BY 1 ORDER BY 1",
        )
    return {row["kind"]: row["count"] for row in found}


def count() -> dict[str, int]:
    """Return how many accounts were not answered, lack their followers, or have them twice.

    A figure of an item is repeated if its newest two runs have the same value.
    """
    from showrunner.database import db

    with db.reading() as tx:
        found = db.one(
            tx,
            """
            SELECT (SELECT count(*) FROM metrics.accounts WHERE state <> 'found') AS unanswered,
                   (SELECT count(*) FROM metrics.accounts c WHERE NOT EXISTS (
                       SELECT FROM metrics.points p
                        WHERE p.artist_id = c.artist_id AND p.platform = c.platform
                          AND p.metric = CASE c.platform WHEN 'youtube' THEN 'views' ELSE 'followers' END)
                   ) AS lost,
                   (SELECT count(*) FROM (SELECT FROM metrics.points GROUP BY artist_id, platform, metric
                                          HAVING count(*) > 1) repeated) AS repeated,
                   (SELECT count(*) FROM metrics.points) AS figures,
                   (SELECT count(*) FROM (
                       SELECT value = lag(value) OVER (
                                  PARTITION BY artist_id, platform, kind, item_id, metric ORDER BY at) AS same
                         FROM metrics.item_points) s WHERE same) AS repeated_items,
                   (SELECT count(*) FROM metrics.item_points) AS item_figures
            """,
        )
    return found or {}


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--artists", type=int, default=10_000)
    arguments.add_argument("--connected", type=int, help="artists on TikTok and Instagram (all)")
    arguments.add_argument("--items", type=int, default=ITEM_ARTISTS)
    arguments.add_argument("--try", action="store_true", dest="is_trial", help="with 500 artists")
    arguments.add_argument("--draw", action="store_true", help="three artists for 14 days, and pictures")
    options = arguments.parse_args()
    artists, with_items = options.artists, options.items
    connected = artists if options.connected is None else options.connected
    if options.is_trial:
        artists, connected, with_items = 500, 20, 20
    if options.draw:
        artists = connected = 3
    with contextlib.redirect_stdout(io.StringIO()), ground.stage(1) as stage:
        report = on(stage, artists, connected, with_items, is_drawn=options.draw)
    for name, value in report.items():
        print(f"{name:24} {value}")
    if options.draw:
        return 0
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    faults = ("limits_exceeded", "lost_snapshots", "repeated_snapshots", "lost_item_batches")
    is_good = not any(report[each] for each in (*faults, "repeated_item_snapshots"))
    is_good &= report["youtube_units_vs_least"] <= 1.02 or artists < 10_000
    print("All calls were answered." if is_good else "FAILED: see above.")
    return 0 if is_good else 1


def on(
    stage: dict[str, Any], artists: int, connected: int, with_items: int, *, is_drawn: bool
) -> dict[str, Any]:
    """Prepare the stand-ins and the artists on a stage, and measure or draw."""
    from local.platforms import limits
    from local.platforms import server as stand_ins
    from showrunner import rates

    world = stand_ins.World(seeded=True)
    for app in (world.spotify_app, world.airtable_app, world.instagram_app):
        app.factor = FACTOR
    numbers = limits.of("airtable")
    world.airtable_app.calls_a_month = numbers["team_calls_a_month"]
    numbers = limits.of("spotify")
    world.spotify_app.window = limits.Window(numbers["window_calls"], numbers["window_seconds"], FACTOR)
    numbers = limits.of("tiktok")
    for path in ("/v2/user/info/", "/v2/video/list/"):
        window = limits.Window(numbers["window_calls"], numbers["window_seconds"], FACTOR)
        world.tiktok_app.windows[path] = window
    for name in ("SPOTIFY", "TIKTOK", "INSTAGRAM_ACCOUNT", "AIRTABLE_BASE", "AIRTABLE"):
        rate = getattr(rates, name)
        setattr(rates, name, rate._replace(calls=rate.calls * FACTOR, burst=rate.burst * 10))
    serving = stand_ins.server(world, 0)
    # As the platforms do, they keep a caller's connection; an answer's head and body are one packet.
    handler = cast("type[stand_ins.Handler]", serving.RequestHandlerClass)
    handler.protocol_version, handler.wbufsize, handler.disable_nagle_algorithm = "HTTP/1.1", -1, True
    configure(f"http://127.0.0.1:{serving.server_port}", stage["organisation_id"], world.key)
    os.environ["AIRTABLE_CALLS_A_MONTH"] = str(world.airtable_app.calls_a_month)
    ids = follow(stage["organisation_id"], artists)
    connect(world, stage["organisation_id"], ids[:connected])
    with workers() as pool:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        try:
            return draw(pool, ids) if is_drawn else measure(world, pool, artists, connected, with_items)
        finally:
            serving.shutdown()


def configure(url: str, organisation_id: str, key: str) -> None:
    """Give the functions the stand-ins' addresses and keys."""
    from showrunner.aws import sdk, ssm

    names = (
        "YOUTUBE_BASE_URL",
        "FEED_BASE_URL",
        "SPOTIFY_BASE_URL",
        "SPOTIFY_ACCOUNTS_URL",
        "TIKTOK_API_URL",
    )
    more = ("TIKTOK_LOGIN_URL", "INSTAGRAM_API_URL", "INSTAGRAM_LOGIN_URL", "INSTAGRAM_OAUTH_URL")
    os.environ.update(dict.fromkeys((*names, *more, "AIRTABLE_BASE_URL"), url))
    os.environ.update(SPOTIFY_MODE="extended", AIRTABLE_BASES=f"{organisation_id}={BASE}")
    secrets = ("spotify/client_id", "spotify/client_secret", "tiktok/client_key", "tiktok/client_secret")
    secrets += ("instagram/client_id", "instagram/client_secret", "airtable/token")
    for name, value in {**dict.fromkeys(secrets, "local"), "youtube/api_key": key}.items():
        sdk.client("ssm").put_parameter(
            Name=f"/showrunner/{os.environ['STAGE']}/{name}", Value=value, Type="SecureString"
        )
    ssm.forget()


def follow(organisation_id: str, artists: int) -> list[str]:
    """Add artists with a channel on YouTube and an id on Spotify. Returns their ids."""
    from showrunner.database import db
    from showrunner.store.metrics import artists as store

    with db.transaction() as tx:
        given = [{"name": f"Artist {number}", "tier": "active"} for number in range(artists)]
        ids = list(store.add(tx, organisation_id, given).values())
        accounts = [
            {"artist_id": artist_id, "platform": platform, "account_id": form.format(number)}
            for number, artist_id in enumerate(ids)
            for platform, form in (("youtube", CHANNEL), ("spotify", SPOTIFY))
        ]
        store.save_accounts(tx, organisation_id, accounts)
    return ids


def connect(world: Any, organisation_id: str, ids: list[str]) -> None:
    """Connect an account on TikTok and one on Instagram for each artist, as its owner's consent does."""
    from local.platforms import instagram, tiktok
    from showrunner.aws import dynamodb, rpc
    from showrunner.database import db
    from showrunner.metrics import grants
    from showrunner.models import Tokens
    from showrunner.platforms import instagram as instagram_client
    from showrunner.platforms import tiktok as tiktok_client
    from showrunner.store.accounts import users
    from showrunner.store.metrics import accounts, artists

    items: list[dict[str, Any]] = []
    given: list[tuple[grants.Account, Tokens]] = []
    for number, artist_id in enumerate(ids):
        person = f"person{number}"
        ends, year = time.time() + 7_200, 31_536_000
        world.tiktok_app.access_tokens[f"act.{number}"] = tiktok.Grant(person, tiktok_client.SCOPES, ends)
        world.instagram_app.long_tokens[f"IGAA{number}"] = instagram.Grant(
            person, instagram_client.SCOPES, time.time(), year
        )
        tokens = {
            "tiktok": Tokens(tiktok.open_id(person), f"act.{number}", 7_200, "rft", year, ()),
            "instagram": Tokens(instagram.user_id(person), f"IGAA{number}", year, "x", year, ()),
        }
        given += [
            (grants.Account(platform, organisation_id, artist_id), each) for platform, each in tokens.items()
        ]
    with db.transaction() as tx:
        db.run(tx, "SET LOCAL statement_timeout = 0")
        owner = users.add(tx, "owner@example.com", None, "Ada", None, None)
        artists.save_accounts(
            tx,
            organisation_id,
            [
                {"artist_id": each.artist_id, "platform": each.platform, "account_id": tokens.account_id}
                for each, tokens in given
            ],
        )
        for each, _ in given:
            accounts.save_connected(tx, organisation_id, each.artist_id, each.platform, owner)

    def keep(*item: Any) -> None:
        items.append(dynamodb._item(*item))

    with (
        mock.patch.object(dynamodb, "put", keep),  # one by one these are 30,000 calls
        mock.patch.object(dynamodb, "remove"),  # nothing is there yet
    ):
        for each, tokens in given:
            grants.save(each, tokens)
    for first in range(0, len(items), ITEMS_A_CALL):
        puts = [{"PutRequest": {"Item": each}} for each in items[first : first + ITEMS_A_CALL]]
        rpc.call("dynamodb", "BatchWriteItem", {"RequestItems": {dynamodb.table(): puts}})


def draw(pool: ProcessPoolExecutor, ids: list[str]) -> dict[str, Any]:
    """Collect 14 days, one run a day, and draw a picture for each artist. Returns their paths."""
    import metrics_pictures

    from local.platforms import clock
    from showrunner.aws import schedules
    from showrunner.database import db
    from showrunner.metrics.definitions import schedule
    from showrunner.store.metrics import points

    platforms = ("youtube", "spotify", *CONNECTED)
    for day in range(DAYS):
        clock.days = float(day - DAYS + 1)
        for platform in platforms:
            schedules.look_again(schedule(platform), 0)
            run(pool, f"day-{day}-{platform}", platform)
        if day < DAYS - 1:
            age(timedelta(days=1))
    found = {}
    wanted = [{"platform": platform, "metric": "followers"} for platform in platforms]
    for number, artist_id in enumerate(ids):
        with db.reading() as tx:
            rows = points.list_days(tx, artist_id, wanted, DAYS)
        path = PICTURES / f"artist-{number}.png"
        metrics_pictures.draw(f"Artist {number}", {row["platform"]: row["history"] for row in rows}, path)
        found[f"artist {number}"] = str(path.relative_to(ROOT))
    return found


def age(by: timedelta) -> None:
    """Let everything have happened so long ago."""
    from showrunner.database import db

    with db.transaction() as tx:
        db.run(
            tx, "UPDATE metrics.points SET at = at - :by::interval, last_at = last_at - :by::interval", by=by
        )
        sql = "UPDATE metrics.accounts SET checked_at = checked_at - :by::interval, "
        db.run(tx, f"{sql} planned_at = planned_at - :by::interval", by=by)
        sql = "UPDATE metrics.items SET checked_at = checked_at - :by::interval, "
        db.run(tx, f"{sql} found_at = found_at - :by::interval", by=by)


if __name__ == "__main__":
    sys.exit(main())
