"""How fast the long lists are: the feed's with 5 million updates, a content owner's with 5 million videos.

Takes about twenty minutes.

    python tests/bench/lists.py [--rows 5000000] [--videos 1000000] [--catalogue 5000000]

Each query is made by the store's own function on a PostgreSQL of its own. p50 and p95 of 40 calls each are
written to .local/bench/lists.json, and the median of their CPU time, ours and the server's together, which
says the same on a busy machine.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/showrunner")]
OUT = ROOT / ".local" / "bench"
CALLS = 40

TITLE = """
    (ARRAY['Official','Live','Remix','Lyrics','Cover','Acoustic','Trailer','Episode','Review','Tutorial'])
    [1 + g * 7 % 10] || ' ' || substr(md5((g * 3)::text), 1, 8)
"""
UPDATES = f"""
INSERT INTO feed.updates (webhook_event_id, video_id, channel_id, title, published_at, feed_updated_at,
                          update_type, created_at)
SELECT g, 'V' || lpad((g % 1000000)::text, 10, '0'), 'UC' || lpad((g % 5000)::text, 22, '0'), {TITLE}, at, at,
       (ARRAY['new_video','title_update','unknown','unknown'])[1 + g % 4], at
  FROM (SELECT g, now() - interval '400 days' + g * interval '6 seconds' AS at
          FROM generate_series(:first::bigint, :last::bigint) g) x
"""
VIDEOS = f"""
INSERT INTO feed.videos (video_id, channel_id, title, published_at, feed_updated_at, first_seen_at,
                         last_updated_at, enrich_at)
SELECT 'V' || lpad(g::text, 10, '0'), 'UC' || lpad((g % 5000)::text, 22, '0'),
       {TITLE} || ' '
       || (ARRAY['music','video','concert','session','highlights','interview'])[1 + g * 11 % 6],
       at, at, at, at, NULL
  FROM (SELECT g, now() - interval '400 days' + g * interval '30 seconds' AS at
          FROM generate_series(:first::bigint, :last::bigint) g) x
"""


CATALOGUE = """
INSERT INTO rights.{partition} (organisation_id, owner_id, digest, first_day, changed_day, video_id, claim_id,
                           asset_id,
                           channel_id, channel_display_name, category, effective_policy, video_privacy_status,
                           claimed_by_this_owner, views, video_title, time_published, time_uploaded, isrc)
SELECT :organisation::uuid, :owner, gen_random_uuid(), now(), now(), 'V' || lpad(g::text, 10, '0'),
       'CL' || g, 'A' || lpad((g / 3)::text, 15, '0'), 'UC' || lpad((g % 5000)::text, 22, '0'), 'Channel',
       (ARRAY['Music','Music','Music','Entertainment','Comedy'])[1 + g % 5],
       CASE WHEN g % 1000 = 0 THEN 'Block' ELSE 'Monetize' END,
       CASE WHEN g % 50 = 0 THEN 'Private' ELSE 'Public' END, g % 20 > 0,
       (1e9 / (1 + g * 7919 % 5000000))::bigint, {title} || ' '
       || (ARRAY['music','video','concert','session','highlights','interview'])[1 + g * 11 % 6],
       at, at, 'USRC' || lpad((g / 3)::text, 8, '0')
  FROM (SELECT g, now() - interval '4000 days' + g * interval '60 seconds' AS at
          FROM generate_series(:first::bigint, :last::bigint) g) x
"""
# A fifth of the videos has a claim with an artist, of whom there are 5,000.
CLAIMS = """
INSERT INTO rights.{partition} (organisation_id, owner_id, digest, first_day, changed_day, claim_id, video_id,
                           asset_id, channel_id, claim_status, claim_type, video_title, artist,
                           record_label, isrc, views, claim_created_date)
SELECT :organisation::uuid, :owner, gen_random_uuid(), now(), now(), 'CL' || g * 5,
       'V' || lpad((g * 5)::text, 10, '0'), 'A' || g, 'UC' || lpad((g % 5000)::text, 22, '0'),
       CASE WHEN g % 500 = 0 THEN 'PENDING' ELSE 'ACTIVE' END, 'AUDIO', 'Title',
       ARRAY['Artist ' || g * 31 % 5000], 'Label ' || g % 40, 'USRC' || lpad(g::text, 8, '0'), g % 1000,
       now()::date - (g % 3000)::int
  FROM generate_series(:first::bigint, :last::bigint) g
"""


@contextlib.contextmanager
def database(folder: Path):
    from functions.migrate import app as migrate
    from local import postgres
    from showrunner.aws import ssm
    from showrunner.database import db

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.server(folder, port, throwaway=True) as running:
        os.environ.update(running.environment)
        for name, value in running.secrets.items():
            ssm._secrets[name] = (time.monotonic() + 1e9, value)
        migrate.handler({}, None)
        connection = migrate.connect()
        yield connection
        connection.close()
        db.close()


def fill(connection, rows: int, videos: int) -> None:
    for month in range(-14, 2):
        connection.run("SELECT feed.prepare_month((now() + make_interval(months => :m))::date)", m=month)
    step = 250_000
    for sql, count in ((UPDATES, rows), (VIDEOS, videos)):
        for first in range(1, count + 1, step):
            connection.run(sql, first=first, last=min(first + step - 1, count))
    for table in ("updates", "videos"):
        connection.run(f"VACUUM ANALYZE feed.{table}")


def fill_catalogue(connection, videos: int) -> str:
    """Fill a content owner's partitions, as its first snapshots do. Returns the organisation."""
    (organisation,) = connection.run(
        "INSERT INTO accounts.organisations (name) VALUES ('Bench') RETURNING id::text"
    )[0]
    ((owner,),) = connection.run(
        "INSERT INTO rights.content_owners (organisation_id, name) VALUES (:o, 'Bench') RETURNING id",
        o=organisation,
    )
    step = 250_000
    for table, sql, count in (("videos", CATALOGUE, videos), ("claims", CLAIMS, videos // 5)):
        ((partition,),) = connection.run(
            "SELECT rights.begin_partition(:table, :owner)", table=table, owner=owner
        )
        filling = sql.format(partition=partition, title=TITLE)
        for first in range(1, count + 1, step):
            last = min(first + step - 1, count)
            connection.run(filling, first=first, last=last, organisation=organisation, owner=owner)
        connection.run("SELECT rights.end_partition(:table, :owner)", table=table, owner=owner)
        connection.run(f"VACUUM ANALYZE rights.{table}")
    return str(organisation)


def catalogue_cases(tx, organisation: str) -> dict:
    from showrunner.database import db, pages
    from showrunner.database.pages import PageRequest
    from showrunner.store.rights import catalogue

    videos = catalogue.VIDEOS

    def page(sort=None, cursor=None, limit=50, **filters):
        def call():
            with db.transaction() as tx:
                return catalogue.select(
                    tx, videos, organisation, filters, PageRequest(limit, None, cursor, sort)
                )

        return call

    def deep(sort: str) -> str:
        """Return a cursor at nine tenths of the list."""
        query = pages.prepare(videos, sort, None, {"organisation_id": organisation})
        places = ", ".join(f"({videos.columns[name].expression})::text" for name, _ in query.order)
        first = videos.columns[query.order[0][0]].expression
        sql = f"""
            SELECT json_build_array({places})::text FROM {videos.source}
             WHERE {first} <= (SELECT percentile_disc(0.1) WITHIN GROUP (ORDER BY {first})
                                 FROM {videos.source} TABLESAMPLE SYSTEM (1))
             ORDER BY {pages.order_by(query)} LIMIT 1
        """
        return pages.cursor(query, db.value(tx, sql), pages.Total(10_000, "gte"))

    return {
        "cms videos, first page": page(),
        "cms videos, cursor at nine tenths": page(cursor=deep("-published_at")),
        "cms videos by views": page("-views"),
        "cms videos by views, cursor at nine tenths": page(cursor=deep("-views")),
        "cms videos by views and title": page("-views,title"),
        "cms videos by views and title, at nine tenths": page(cursor=deep("-views,title")),
        "cms videos by title": page("title"),
        "cms videos of a channel": page(channel_id="UC" + "77".zfill(22)),
        "cms videos of a category": page(category="Comedy"),
        "cms videos, private by views": page("-views", privacy="private"),
        "cms videos, blocked": page(policy="Block"),
        "cms videos of an artist": page(artist="Artist 77"),
        "cms videos of a label": page(label="Label 7"),
        "cms videos, claim pending": page(claim_status="pending"),
        "cms videos of an ISRC": page(isrc="USRC00012345"),
        "cms videos, views from 1,000 to 1,100": page(views_from=1000, views_to=1100),
        "cms title, common": page(title="interview"),
        "cms title, common, by views": page("-views", title="interview"),
        "cms title, in 7,300 of 5 million": page(title="a1b"),
        "cms title, in 7,300 of 5 million, by views": page("-views", title="a1b"),
        "cms title, in 380 of 5 million": page(title="a1b2"),
        "cms title, rare": page(title="a1b2c3"),
        "cms title, no match": page(title="zzzzzz"),
        "cms title, two letters": page(title="vi"),
        "cms title, rare in a channel": page(title="a1b2c3", channel_id="UC" + "77".zfill(22)),
    }


def cases(tx) -> dict:
    from showrunner.database import db, pages
    from showrunner.store.feed import lists
    from showrunner.store.feed.lists import ListRequest

    def page(definition, cursor=None, offset=0, order_by=None, title=None, limit=50, **filters):
        wanted = ListRequest(limit, offset, cursor, order_by or definition.default.removeprefix("-"), "desc")

        def call():
            with db.transaction() if title else db.reading() as tx:
                return lists.select(tx, definition, wanted, filters, title)

        return call

    def deep(definition, share: float) -> str:
        """Return a cursor far down the list."""
        query = pages.prepare(definition, None, None, {})
        sort, key = (definition.columns[name].expression for name, _ in query.order)
        sql = f"""
            SELECT json_build_array({sort}::text, {key}::text)::text FROM {definition.source}
             WHERE {sort} < now() - :days * interval '1 day' ORDER BY {sort} DESC LIMIT 1
        """
        place = db.value(tx, sql, days=int(400 * share))
        return pages.cursor(query, place, pages.Total(10_000, "gte"))

    updates, videos = lists.UPDATES, lists.VIDEOS
    return {
        "updates, first page": page(updates),
        "updates, offset 9,900": page(updates, offset=9_900),
        "updates, cursor at nine tenths": page(updates, cursor=deep(updates, 0.9)),
        "updates of a channel": page(updates, channel_id="UC" + "77".zfill(22)),
        "updates of a video": page(updates, video_id="V" + "777".zfill(10)),
        "updates of a type": page(updates, update_type="title_update"),
        "updates of a rare type": page(updates, update_type="deleted"),
        "updates by publication": page(updates, order_by="published_at"),
        "updates by the feed's time": page(updates, order_by="feed_updated_at"),
        "videos, first page": page(videos),
        "videos by title": page(videos, order_by="title"),
        "videos of a channel": page(videos, channel_id="UC" + "77".zfill(22)),
        "title, common": page(videos, title="interview"),
        "title, common, 1,000 a page": page(videos, title="interview", limit=1000),
        "title, common, by title": page(videos, title="interview", order_by="title"),
        "title, in 700 of a million": page(videos, title="a1b"),
        "title, two letters": page(videos, title="vi"),
        "title, two letters, no match": page(videos, title="zz"),
        "title, not Latin, no match": page(videos, title="東京の夜"),
        "title, rare": page(videos, title="a1b2c3"),
        "title, no match": page(videos, title="zzzzzz"),
        "title, rare in a channel": page(videos, title="a1b2c3", channel_id="UC" + "77".zfill(22)),
    }


def cpu_seconds(server: int) -> float:
    """Return the CPU time of this process and of its session at the server, without parallel workers."""
    return time.process_time() + int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--videos", type=int, default=1_000_000)
    arguments.add_argument("--catalogue", type=int, default=5_000_000)
    options = arguments.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    os.environ.update(STAGE="bench", AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    from showrunner.database import db

    figures = {}
    with tempfile.TemporaryDirectory(dir=OUT) as folder, database(Path(folder)) as connection:
        begun = time.perf_counter()
        fill(connection, options.rows, options.videos)
        print(
            f"{options.rows:,} updates and {options.videos:,} videos in {time.perf_counter() - begun:.0f} s"
        )
        begun = time.perf_counter()
        organisation = fill_catalogue(connection, options.catalogue)
        print(f"{options.catalogue:,} videos of a content owner in {time.perf_counter() - begun:.0f} s")
        with db.reading() as tx:
            server = db.value(tx, "SELECT pg_backend_pid()")
            for name, call in (cases(tx) | catalogue_cases(tx, organisation)).items():
                call()
                times, cpu = [], []
                for _ in range(CALLS):
                    at, cpu_at = time.perf_counter(), cpu_seconds(server)
                    call()
                    times.append((time.perf_counter() - at) * 1000)
                    cpu.append((cpu_seconds(server) - cpu_at) * 1000)
                times.sort()
                found = {
                    "p50_ms": statistics.median(times),
                    "p95_ms": times[int(CALLS * 0.95)],
                    "cpu_ms": statistics.median(cpu),
                }
                figures[name] = {key: round(value, 1) for key, value in found.items()}
                print(
                    f"{name:48s} p50 {found['p50_ms']:8.1f} ms   p95 {found['p95_ms']:8.1f} ms   "
                    f"CPU {found['cpu_ms']:8.1f} ms",
                    flush=True,
                )
    (OUT / "lists.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
