"""make bench-reports: how fast reports of content owners are loaded, beside `\\copy`, pandas and pydantic.

    python tests/bench/reports.py [--claims 1480000] [--money 1000000] [--rounds 3] [--try]

Synthetic files of local/partner_data.py, packed, in an object store on loopback. By turns, on a PostgreSQL of
their own: psql's \\copy of the cleaned file into a table with the same types and no index; our loader, in a
process of its own, from the object to the merged tables and the record (so `peak_mb` is the loader's); the
snapshot of the next day, in which one row of a hundred differs. The trigram index of titles, the dearest of
all, is left out there; both snapshots are loaded once more with it (`..._with_titles_vs_copy`). `copy_text`
is \\copy into an unlogged table of text, the least that PostgreSQL can do. pandas (to_sql) and pydantic (a
model for each row, then COPY) take a part of the money file. Ratios are medians over the rounds; written to
.local/bench/reports.json.
"""

import argparse
import contextlib
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ground

OWNER, SEED = "Synthetic_Records", 1
MONTH, DAY = date(2026, 10, 1), date(2026, 11, 1)
# Ways that take minutes for a million rows take so many.
PEER_ROWS = 50_000


# ------------------------------------------------------------------------------------------------- Files


def files(folder: Path, claims: int, money: int) -> dict[str, Path]:
    """Return the packed files; they are made once for each size."""
    from local import partner_data
    from local.partner_data import Owner

    owner, found = Owner(OWNER, claims, SEED), {}
    for number in (0, 1):
        day = DAY + timedelta(number)
        path = folder / f"{claims}-{day}" / f"claim_report_{OWNER}_C.csv.gz"
        if not path.exists():
            _written(path, partner_data.CLAIMS, partner_data.claim_rows(owner, day))
        found[f"snapshot {number + 1}"] = path
    report = partner_data.MONEY[0]
    path = folder / f"{money}" / f"YouTube_{OWNER}_{report.name.format(m='M_20261001_20261031')}.csv.gz"
    if not path.exists():
        earnings = Owner(OWNER, money, SEED).earnings("ads", MONTH, money)
        _written(path, report.header, (report.row(each, "None") for each in earnings))
    return {**found, "money": path}


def _written(path: Path, header: list[str], rows: Any) -> None:
    from local import partner_data

    partial = partner_data.write(path.with_name(f"partial-{path.name}"), header, rows).path
    partial.rename(path)


def cleaned(path: Path, kind: str, folder: Path) -> Path:
    """Write a report's accepted rows as plain CSV without a header, as psql takes them."""
    from showrunner.reports import kinds, opening, rows

    (payload,) = opening.payloads(path, path.name, folder)
    reader = rows.Rows(payload, rows.recognise(payload, kinds.BY_NAME[kind]), lambda _: None)
    out = folder / f"{kind}-{path.parent.name}.csv"
    accepted = set()
    for block in reader.lines():
        accepted.update(int(line.split(b",", 1)[0]) for line in block.splitlines() if line[:1].isdigit())
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file, out.open("w", newline="") as clean:
        source = csv.reader(file)
        next(source)
        csv.writer(clean, lineterminator="\n").writerows(
            row for number, row in enumerate(source, 1) if number in accepted
        )
    return out


# ------------------------------------------------------------------------------------------------- Ways


class Bench:
    """A PostgreSQL with the product's tables, an object store, and the files in it."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.server, self.folder = server, folder

    def sql(self, text: str) -> str:
        """Run SQL as the owner of the tables, by psql. Returns its output."""
        return self._psql("-A", "-t", "-c", text)

    def _psql(self, *arguments: str) -> str:
        from local import postgres

        command = [
            *(postgres.binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"),
            *("-p", str(self.server.port), "-U", postgres.SUPERUSER, postgres.DATABASE),
        ]
        environment = {**os.environ, "PGPASSWORD": self.server.password}
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"psql: {done.stderr.strip()[:500]}")
        return done.stdout.strip()

    def copy(self, path: Path, columns: dict[str, str], *, unlogged: bool = False) -> dict[str, float]:
        """Return seconds and server_cpu_s of psql's \\copy of a cleaned file into an empty table."""
        names = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        self.sql("DROP TABLE IF EXISTS public.bench_copy")
        self.sql(f"CREATE {'UNLOGGED ' if unlogged else ''}TABLE public.bench_copy ({names})")
        self.sql("CHECKPOINT")
        cpu = self.server_cpu()
        begun = time.perf_counter()
        self._psql("-c", f"\\copy public.bench_copy FROM '{path}' (FORMAT csv)")
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "server_cpu_s": self.server_cpu() - cpu}

    def server_cpu(self) -> float:
        """Return the CPU seconds of the sessions that have ended."""
        time.sleep(0.2)  # the server collects them
        fields = Path(f"/proc/{self.server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def load(self, path: Path, at: datetime) -> dict[str, Any]:
        """Drop a file and load it in a process of its own. Returns seconds, peak_mb and the record."""
        from showrunner.aws import sdk

        key = f"drops/{OWNER}/{at:%Y%m%d%H%M%S%f}/{path.name}"
        with path.open("rb") as file:
            sdk.client("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=file)
        self.sql("CHECKPOINT")
        message = json.dumps({"object_key": key, "bytes": path.stat().st_size, "dropped_at": at.isoformat()})
        cpu = self.server_cpu()
        done = subprocess.run(
            [sys.executable, __file__, "--load", message], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        figures["server_cpu_s"] = self.server_cpu() - cpu
        if figures["report"]["status"] != "loaded":
            raise SystemExit(f"{path.name} was {figures['report']}")
        return figures

    def without_titles(self) -> str:
        """Drop the trigram index of claims, whose maintenance is measured apart. Returns its definition."""
        definition = self.sql("SELECT indexdef FROM pg_indexes WHERE indexname = 'claims_title'")
        self.sql("DROP INDEX rights.claims_title")
        return definition

    def empty(self) -> None:
        """Remove all that was loaded."""
        self.sql(
            "TRUNCATE rights.money, rights.money_sums, rights.history, rights.rejects, "
            "rights.reports CASCADE; SELECT rights.drop_partitions(id) FROM rights.content_owners"
        )


def load(message: str) -> int:
    """Load a dropped file, as the function does, and print what it took."""
    given = json.loads(message)
    from showrunner.aws import s3
    from showrunner.database import db
    from showrunner.rights import loading
    from showrunner.rights.messages import ReportDropped

    s3.size("absent")  # the SDK's imports, which a warm function has behind it
    with db.reading() as tx:
        db.value(tx, "SELECT 1")
    dropped = ReportDropped(
        given["object_key"], "1", given["bytes"], datetime.fromisoformat(given["dropped_at"])
    )
    begun, cpu = time.perf_counter(), time.process_time()
    loading.load(dropped)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    with db.reading() as tx:
        report = db.one(
            tx,
            "SELECT status, reason, rows, accepted, rejected, new_rows, changed_rows, removed_rows"
            "  FROM rights.reports WHERE object_key = :key",
            key=given["object_key"],
        )
    print(json.dumps({"seconds": seconds, "cpu_s": cpu, "peak_mb": peak_mb(), "report": report}))
    return 0


def peak_mb() -> float:
    """Return the most memory that this program has had; getrusage has that of its parent, too."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return round(int(status["VmHWM"].split()[0]) / 1024, 1)


def by_pydantic(path: Path, columns: dict[str, str], count: int) -> dict[str, float]:
    """Return the seconds of a model for each row, then COPY of its values."""
    import itertools
    from decimal import Decimal

    from pydantic import create_model

    from showrunner.database import db

    python = {"date": date, "bigint": int, "integer": int, "numeric": Decimal}
    fields: Any = {name: (python.get(type_, str) | None, None) for name, type_ in columns.items()}
    model = create_model("Row", **fields)

    def lines() -> Iterator[bytes]:
        with path.open(newline="") as file:
            for row in itertools.islice(csv.DictReader(file, list(columns)), count):
                values = {name: cell or None for name, cell in row.items()}
                if day := values.get("day"):
                    values["day"] = f"{day[:4]}-{day[4:6]}-{day[6:]}"
                read = model(**values)
                yield ("\t".join("\\N" if each is None else str(each) for _, each in read) + "\n").encode()

    with db.transaction() as tx, db.long_statements(tx, 600):
        names = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        tx.command(f"CREATE TEMP TABLE bench_pydantic ({names}) ON COMMIT DROP")
        begun = time.perf_counter()
        db.copy_in(tx, "COPY pg_temp.bench_pydantic FROM STDIN", lines())
        return {"seconds": time.perf_counter() - begun}


def by_pandas(bench: Bench, path: Path, columns: dict[str, str], count: int) -> dict[str, float] | None:
    """Return the seconds of pandas.read_csv and to_sql; None where pandas isn't installed."""
    from local.settings import python_of

    python = python_of("peers")
    if not python.exists():
        return None
    bench.sql("DROP TABLE IF EXISTS public.bench_pandas")
    names = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    bench.sql(f"CREATE TABLE public.bench_pandas ({names})")
    program = """
import sys, time
import pandas, sqlalchemy
path, url, count, *names = sys.argv[1:]
engine = sqlalchemy.create_engine(url)
with engine.connect():
    pass
begun = time.perf_counter()
dates = ["day"] if "day" in names else []
for chunk in pandas.read_csv(path, names=names, chunksize=10_000, nrows=int(count), parse_dates=dates):
    chunk.to_sql("bench_pandas", engine, if_exists="append", index=False)
print(time.perf_counter() - begun)
"""
    from local import postgres

    server = bench.server
    url = f"postgresql+psycopg://{postgres.SUPERUSER}:{server.password}@127.0.0.1:{server.port}/{postgres.DATABASE}"
    done = subprocess.run(
        [python, "-c", program, path, url, str(count), *columns], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return {"seconds": float(done.stdout)}


# ------------------------------------------------------------------------------------------------- Rounds


@contextlib.contextmanager
def stage() -> Iterator[Bench]:
    from functions.migrate import app as migrate
    from local import postgres
    from showrunner.aws import sdk
    from showrunner.database import db
    from showrunner.store.rights import content_owners

    ground.HOME.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=ground.HOME) as folder,
        ground.aws(),
        postgres.server(Path(folder), ground.free_port(), throwaway=True) as server,
    ):
        os.environ.update(server.environment)
        for name, value in server.secrets.items():
            ground.put_secret(name, value)
        sdk.client("s3").create_bucket(Bucket=os.environ["MEDIA_BUCKET"])
        migrate.handler({}, None)
        with db.transaction() as tx:
            organisation_id = db.value(
                tx,
                "INSERT INTO accounts.organisations (name, content_owner) VALUES ('Bench', true)"
                " RETURNING id::text",
            )
            content_owners.save(tx, organisation_id, OWNER, [])
        yield Bench(server, Path(folder))
        db.close()


def types(header: list[str], kind: str) -> dict[str, str]:
    """Return a file's columns with the types that the product stores; lists as the file has them."""
    from showrunner.reports import kinds, tables

    table = kinds.BY_NAME[kind].table
    mapping = tables.map_columns(header, table)
    return {name: table.columns[name].sql.replace("text[]", "text") for name in mapping.columns if name}


def measure(bench: Bench, paths: dict[str, Path], rounds: int) -> dict[str, list[Any]]:
    from local import partner_data

    money_types = types(partner_data.MONEY[0].header, "ads_claims")
    claim_types = types(partner_data.CLAIMS, "claims")
    money = cleaned(paths["money"], "ads_claims", bench.folder)
    claims = cleaned(paths["snapshot 1"], "claims", bench.folder)
    took: dict[str, list[Any]] = {}
    at = datetime.combine(DAY, datetime.min.time(), UTC) + timedelta(hours=20)

    def note(name: str, call: Callable[[], Any]) -> None:
        took.setdefault(name, []).append(found := call())
        if found is not None:
            cpu = "".join(
                f"  {found[key]:6.2f} s {key[:-6]}" for key in ("cpu_s", "server_cpu_s") if key in found
            )
            print(f"  {name:16s} {found['seconds']:8.2f} s{cpu}", flush=True)

    title_index = bench.without_titles()
    for number in range(rounds):
        print(f"Round {number + 1}", flush=True)
        bench.empty()
        text = dict.fromkeys(money_types, "text")
        note("money copy_text", lambda text=text: bench.copy(money, text, unlogged=True))
        note("money copy", lambda: bench.copy(money, money_types))
        note("money", lambda: bench.load(paths["money"], at))
        text = dict.fromkeys(claim_types, "text")
        note("claims copy_text", lambda text=text: bench.copy(claims, text, unlogged=True))
        note("claims copy", lambda: bench.copy(claims, claim_types))
        note("first", lambda: bench.load(paths["snapshot 1"], at))
        note("second", lambda: bench.load(paths["snapshot 2"], at + timedelta(days=1)))
        bench.sql("DROP TABLE IF EXISTS public.bench_copy")
        if number == 0:
            note("pydantic", lambda: by_pydantic(money, money_types, PEER_ROWS))
            note("pandas", lambda: by_pandas(bench, money, money_types, PEER_ROWS))
    print("With the trigram index", flush=True)
    bench.empty()
    bench.sql(title_index)
    note("first, titles", lambda: bench.load(paths["snapshot 1"], at))
    note("second, titles", lambda: bench.load(paths["snapshot 2"], at + timedelta(days=1)))
    return took


def figures(took: dict[str, list[Any]], claims: int, money: int) -> dict[str, Any]:
    seconds = {
        name: [each["seconds"] for each in found] for name, found in took.items() if found[0] is not None
    }
    ours = [each for name in ("money", "first", "second", "first, titles") for each in took[name]]
    million = statistics.median(seconds["money"]) * 1e6 / money
    peers = {
        name: round(seconds[name][0] * 1e6 / min(PEER_ROWS, money) / million, 1)
        for name in ("pydantic", "pandas")
        if name in seconds
    }
    return {
        "claims": claims,
        "money_rows": money,
        "money_vs_copy": ground.ratio(seconds["money"], seconds["money copy"]),
        "money_vs_copy_text": ground.ratio(seconds["money"], seconds["money copy_text"]),
        "snapshot_vs_copy": ground.ratio(seconds["first"], seconds["claims copy"]),
        "snapshot_vs_copy_text": ground.ratio(seconds["first"], seconds["claims copy_text"]),
        "second_vs_first": ground.ratio(seconds["second"], seconds["first"]),
        "second_vs_copy": ground.ratio(seconds["second"], seconds["claims copy"]),
        "snapshot_with_titles_vs_copy": ground.ratio(seconds["first, titles"], seconds["claims copy"][-1:]),
        "second_with_titles_vs_copy": ground.ratio(seconds["second, titles"], seconds["claims copy"][-1:]),
        "peak_mb": max(each["peak_mb"] for each in ours),
        **{f"{name}_vs_money": value for name, value in peers.items()},
        "cpu_seconds": {
            name: {
                key: round(statistics.median(each[key] for each in found), 2)
                for key in ("cpu_s", "server_cpu_s")
                if key in found[0]
            }
            for name, found in took.items()
            if found[0] is not None and "server_cpu_s" in found[0]
        },
        "seconds": {name: [round(each, 2) for each in found] for name, found in seconds.items()},
        "reports": {name: took[name][-1]["report"] for name in ("money", "first", "second")},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=1_480_000)
    parser.add_argument("--money", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--try", dest="trial", action="store_true", help="once with few rows, writes nothing")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        return load(options.load)
    claims, money = (2_000, 2_000) if options.trial else (options.claims, options.money)
    with stage() as bench:
        paths = files(ground.HOME / "partner", claims, money)
        took = measure(bench, paths, 1 if options.trial else options.rounds)
    found = figures(took, claims, money)
    if options.trial:
        print("every load was answered")
        return 0
    print(json.dumps({name: value for name, value in found.items() if name != "reports"}, indent=1))
    ground.write("reports", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
